"""A measured bundle as tables, as JSON, and as one picture."""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from edge_app.bundles.bundle import Bundle
from edge_app.bundles.files import whole, write_text
from edge_app.errors import UsageError
from train.data.provenance import command, git_revision
from train.evaluate.metrics import rounded_mean

SCHEMA = "evaluation/1"
FOLD_KEYS = ("top1_class_mean", "top5_class_mean", "cosine", "alone", "shuffled", "overlap", "novel")
GZSL = ("seen", "unseen", "harmonic")


def check_drawing() -> None:
    """Raises UsageError where the picture could not be drawn; better now than after minutes of measuring."""
    if find_spec("matplotlib") is None:
        raise UsageError("--out: matplotlib is not installed, pip install 'edge-app[train]'")


def about(bundle: Bundle, provider: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Whose figures these are, and how they came about."""
    names = ("edge-app", "numpy", "onnxruntime", "mediapipe")
    return {
        "schema": SCHEMA,
        "bundle": {"name": bundle.manifest["name"], "version": bundle.manifest["version"], "id": bundle.id},
        "git": git_revision(),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": command(arguments),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {provider}",
        "versions": {"python": platform.python_version(), **{name: metadata.version(name) for name in names}},
    }


def read_folds(path: Path) -> dict[str, Any]:
    """`summarise_folds` of what `train folds` wrote.

    Raises:
        UsageError: a file that it did not write.
    """
    try:
        written = json.loads(path.read_text("utf-8"))
        return summarise_folds(written["labs"], written["splits"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UsageError(f"--folds {path}: {error!r}; expected folds.json of `train folds`") from None


def summarise_folds(labs: Sequence[dict[str, Any]], splits: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over seeds, set by set, and of the mean over all sets; and over the splits."""
    seeds = sorted({row["seed"] for row in labs})
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(row["set"] for row in labs):
        own = [row for row in labs if row["set"] == name]
        row = {"set": name, "seeds": len(own), "classes": own[0]["classes"], "chance": own[0]["chance"]}
        alone = _over_seeds(figure for one in own for figure in one.get("alone", ()))
        rows.append(
            row | {key: _over_seeds(_number(one.get(key)) for one in own) for key in FOLD_KEYS} | {"alone": alone}
        )
    means = {key: [_mean(_number(r.get(key)) for r in labs if r["seed"] == s) for s in seeds] for key in FOLD_KEYS}
    summary: dict[str, Any] = {
        "sets": rows,
        "mean": {"set": "mean of sets", "seeds": len(seeds)} | {key: _over_seeds(means[key]) for key in FOLD_KEYS},
    }
    if splits:
        first = splits[0]
        summary["splits"] = {
            "count": len(splits), "unseen": first["classes"], "candidates": first["candidates"],
            "chance": first["chance"],
            **{key: _over_seeds(split[key] for split in splits) for key in ("zsl", "top5", "cosine")},
            **{way: {part: _over_seeds(s[way][part] for s in splits) for part in GZSL} for way in ("gzsl", "stacked")},
        }  # fmt: skip
    return summary


def _number(value: Any) -> float | None:
    """A figure, or the `top1` of a part ("overlap", "novel")."""
    value = value.get("top1") if isinstance(value, dict) else value
    return float(value) if isinstance(value, int | float) else None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _over_seeds(values: Iterable[float | None]) -> list[float | None] | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return rounded_mean(known)


def write(folder: Path, report: dict[str, Any]) -> None:
    """`recognition.json` and `recognition.png`; each appears only when whole.

    Raises:
        UsageError: the folder cannot be written to.
    """
    from train.evaluate.plots import draw

    try:
        with whole(folder / "recognition.png") as picture:
            draw(report, picture)
            write_text(folder / "recognition.json", json.dumps(report, indent=1) + "\n")
    except UsageError as error:
        raise UsageError(f"--out {error}") from None


def tables(report: dict[str, Any]) -> str:
    """Every part as a small aligned table."""
    bundle = report["bundle"]
    parts = [f"{bundle['name']} {bundle['id']}, {report['ranker']}, git {report['git'] or 'unknown'}, {report['date']}"]
    if "sets" in report:
        parts.append(_sets(report["sets"]))
    if "videos" in report:
        parts += [_segments(report["videos"]), _events(report["videos"]["events"])]
    if "quiet" in report:
        parts.append(_quiet(report["quiet"]))
    if "streams" in report:
        parts.append(_events({"streams": report["streams"]}))
    if "drawn" in report:
        drawn = report["drawn"]
        row = [drawn[key] for key in ("clips", "classes", "chance", "top1_class_mean", "top5_class_mean", "shuffled")]
        title = f"drawn, from {drawn['numbered_from']:,}"
        parts.append(_table([title, "clips", "classes", "chance", "top-1", "top-5", "shuffled"], [["people", *row]]))
    if "scores" in report:
        parts.append(_scores(report["scores"]))
    if "folds" in report:
        parts.append(folds_table(report["folds"]))
    return "\n\n".join(parts)


def _sets(sets: list[dict[str, Any]]) -> str:
    keys = ("clips", "classes", "chance", "top1_class_mean", "top5_class_mean", "top1", "top5", "shuffled")
    rows = [[s["set"], *(s[key] for key in keys), s["overlap"]["top1"], s["novel"]["top1"]] for s in sets]
    header = ["sets, class means", "clips", "classes", "chance", "top-1", "top-5", "top-1 of clips", "top-5 of clips"]
    lines = [_table([*header, "shuffled", "overlap", "novel"], rows)]
    for one in sets:
        if "gzsl" in one:
            lines.append(f"{one['set']}: " + ", ".join(f"{key} {value:.3f}" for key, value in one["gzsl"].items()))
        novel = set(one["novel"]["names"])
        ranked = sorted(one["per_class"].items(), key=lambda pair: -pair[1])
        lines += [f"  {value:5.2f} {'#' * round(20 * value):20} {n}{' *' * (n in novel)}" for n, value in ranked]
        lines += ["  * its concept was in no training data"] if novel else []
    return "\n".join(lines)


def _segments(videos: dict[str, Any]) -> str:
    keys = ("segments", "top1", "top5", "top1_class_mean", "mean_rank", "nll", "nll_best", "temperature_best")
    rows = []
    for part in ("videos", "derived", "together"):
        own = videos[part]
        if own["segments"]:
            short = [f"{own[k]['top1']:.3f} of {own[k]['segments']}" if own[k]["segments"] else None for k in _SHORT]
            rows.append([part, *(own[key] for key in keys), *short])
    header = ["segments", "top-1", "top-5", "class mean", "mean rank", "NLL", "NLL at best", "temperature", *_SHORT]
    return _table([f"{videos['candidates']} candidates", *header], rows)


_SHORT = ("everyday", "default")


def _events(events: dict[str, Any]) -> str:
    rows = [
        [
            part, own["right"], own["wrong"], f"{own['segments_hit']} of {own['segments']}", own["delay_s"],
            own["label_changes_per_minute"],
        ]
        for part, own in events.items()
    ]  # fmt: skip
    return _table(["events", "right", "wrong", "segments hit", "delay, s", "label changes/min"], rows)


def _quiet(quiet: dict[str, Any]) -> str:
    parts = ("no_person", "idle", "both")
    rows = [[part, *(quiet[part][key] for key in ("clips", "minutes", "events", "per_minute"))] for part in parts]
    lines = [_table(["quiet footage", "clips", "minutes", "false events", "per minute"], rows)]
    loud = {name: clip for name, clip in quiet["clips"].items() if clip["events"]}
    lines += [f"  {name}, {clip['seconds']:.0f} s: {', '.join(clip['events'])}" for name, clip in loud.items()]
    return "\n".join(lines)


def _scores(scores: dict[str, Any]) -> str:
    keys = ("lists", "top1_with_answer", "ece", "ece_with_answer", "auroc_unknown", "auroc_unknown_by_score")
    rows = []
    for name, own in scores.items():
        risks = [own["risk_coverage"][key] for key in ("with_answer", "half_without")]
        half = [risk["risk"][risk["coverage"].index(0.5)] for risk in risks]
        rows.append([name, *(own[key] for key in keys), own["auroc_right_with_answer"], *half])
    header = ["lists", "top-1 with", "ECE", "ECE with", "AUROC unknown", "by score", "AUROC right"]
    return _table(["scores, lists of 20", *header, "risk@50% with", "risk@50%"], rows) + (
        "\n  with: lists that have the answer; else half have it. AUROC unknown: `known` tells these halves apart"
    )


def folds_table(folds: dict[str, Any]) -> str:
    rows = []
    for row in (*folds["sets"], folds["mean"]):
        figures = [None if row[key] is None else plus_minus(row[key]) for key in FOLD_KEYS]
        rows.append([row["set"], row["seeds"], row.get("classes"), row.get("chance"), *figures])
    header = [
        "another lab",
        "seeds",
        "classes",
        "chance",
        "top-1",
        "top-5",
        "cosine",
        "one alone",
        "shuffled",
        "shared",
        "novel",
    ]
    parts = [_table(header, rows)] if folds["sets"] else []
    if "splits" in folds:
        s = folds["splits"]
        header = [f"{s['count']} splits, {s['unseen']} of {s['candidates']} unseen", *GZSL]
        rows = [[key, *(plus_minus(s[key][part]) for part in GZSL)] for key in ("gzsl", "stacked")]
        zsl = ", ".join(f"{name} {plus_minus(s[key])}" for name, key in (
            ("top-1", "zsl"), ("top-5", "top5"), ("cosine", "cosine")))  # fmt: skip
        parts.append(_table(header, rows) + f"\nzsl: {zsl}; chance {s['chance']:.3f}")
    return "\n\n".join(parts)


def plus_minus(pair: list[float | None]) -> str:
    mean, spread = pair
    return f"{mean:.3f}" if spread is None else f"{mean:.3f} ± {spread:.3f}"


def _table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """The first column to the left, all others to the right; figures with three decimals, "-" for none."""
    shown = [
        ["-" if value is None else f"{value:.3f}" if isinstance(value, float) else str(value) for value in row]
        for row in rows
    ]
    first, *others = ([header[i], *(row[i] for row in shown)] for i in range(len(header)))
    columns = [[cell.ljust(max(map(len, first))) for cell in first]]
    columns += [[cell.rjust(max(map(len, other))) for cell in other] for other in others]
    return "\n".join(map("  ".join, zip(*columns, strict=True)))
