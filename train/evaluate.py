"""Run a bundle over skeleton sets or labelled videos, by the device's own code path: window, encoder, ranker.

python -m train evaluate --bundle edge_app/bundles/default --data ../shared/data/utkinect.npz --json
python -m train evaluate --bundle edge_app/bundles/default --videos ../shared/videos --recordings cache/poses
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_app.bundle import Bundle, load_bundle
from edge_app.encoder import Encoder
from edge_app.errors import UsageError
from edge_app.labels import Label, build_table, parse_labels
from edge_app.rankers.base import Ranker
from edge_app.types import Window
from edge_app.window import WindowSpec
from train.data.clips import Clip, load_set
from train.videos import evaluate_videos, windows_over


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--data", type=Path, help="a skeleton set, npz as in DESIGN.md 8")
    parser.add_argument("--videos", type=Path, help="folder with manifest.csv, for its labelled seconds")
    parser.add_argument("--recordings", type=Path, default=Path("cache/poses"), help="poses of --videos: train extract")
    parser.add_argument("--labels", help="candidates: a label file or a comma-separated list; else the set's own names")
    parser.add_argument("--ranker", default="scale")
    parser.add_argument("--seen", type=Path, help="text file of the names that training saw, one a line")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of lines")


def clip_windows(clip: Clip, spec: WindowSpec) -> list[Window]:
    """Windows over a clip, half a second apart; one for a clip that is shorter than a window."""
    t_ns = np.round(np.arange(len(clip.joints)) * 1e9 / clip.fps).astype(np.int64)
    return windows_over(t_ns, clip.joints, spec, clip.fps)


def clip_energies(clips: list[Clip], encoder: Encoder, ranker: Ranker, labels: int, spec: WindowSpec) -> np.ndarray:
    """Mean energies over each clip's windows: float64 `[N, K]`."""
    out = np.empty((len(clips), labels))
    for i, clip in enumerate(tqdm(clips, desc="clips", disable=None)):
        vectors = np.stack([feature.vector for feature in encoder.encode(clip_windows(clip, spec))])
        out[i] = ranker.energies(vectors)[:, :labels].mean(axis=0, dtype=np.float64)
    return out


def score(energies: np.ndarray, truth: np.ndarray, names: tuple[str, ...], seen: set[str] | None) -> dict[str, Any]:
    """Accuracies of a ranking by energy; ties go to the lower index."""
    order = np.argsort(energies, axis=1, kind="stable")
    place = (order == truth[:, None]).argmax(axis=1)
    classes = np.unique(truth)
    per_class = {names[k]: round(float((place[truth == k] == 0).mean()), 4) for k in classes}
    result: dict[str, Any] = {
        "top1_class_mean": round(float(np.mean(list(per_class.values()))), 4),
        "top5_class_mean": round(float(np.mean([(place[truth == k] < 5).mean() for k in classes])), 4),
        "top1": round(float((place == 0).mean()), 4),
        "top5": round(float((place < 5).mean()), 4),
        "chance": round(1 / len(names), 4),
        "clips": len(truth),
        "per_class": per_class,
    }
    if seen is not None:
        parts = {"seen": [], "unseen": []}
        for name, value in per_class.items():
            parts["seen" if name in seen else "unseen"].append(value)
        s, u = (float(np.mean(parts[part])) if parts[part] else 0.0 for part in ("seen", "unseen"))
        harmonic = 2 * s * u / (s + u) if s + u else 0.0
        result["gzsl"] = {"seen": round(s, 4), "unseen": round(u, 4), "harmonic": round(harmonic, 4)}
    return result


def evaluate(
    bundle: Bundle, clips: list[Clip], labels: tuple[Label, ...], kind: str = "scale", seen: set[str] | None = None
) -> dict[str, Any]:
    """Class-mean accuracy of a bundle over labelled clips; each clip's `name` must be among the labels.

    Raises:
        UsageError: a clip's name is no label, or the bundle has no such ranker.
    """
    table = build_table(labels, bundle.text_encoder(), 0)
    index = {name: i for i, name in enumerate(table.names)}
    missing = {clip.name for clip in clips} - set(index)
    if missing:
        raise UsageError(f"evaluate: {sorted(missing)[0]!r} occurs in the set but not among the labels")
    encoder, ranker = bundle.encoder(), bundle.ranker(kind)
    ranker.set_labels(table)
    energies = clip_energies(clips, encoder, ranker, len(labels), bundle.spec)
    truth = np.array([index[clip.name] for clip in clips])
    return {"bundle": bundle.id, "ranker": kind, **score(energies, truth, table.names, seen)}


def run(arguments: argparse.Namespace) -> None:
    bundle = load_bundle(arguments.bundle)
    if arguments.videos:
        print_report(
            evaluate_videos(bundle, arguments.ranker, arguments.videos / "manifest.csv", arguments.recordings),
            arguments.json,
        )
    if arguments.data:
        print_report(_set_report(bundle, arguments), arguments.json)
    if not (arguments.videos or arguments.data):
        raise UsageError("evaluate: nothing to evaluate on; give --data, --videos, or both")


def _set_report(bundle: Bundle, arguments: argparse.Namespace) -> dict[str, Any]:
    clips = load_set(arguments.data)
    labels = (
        parse_labels(arguments.labels)
        if arguments.labels
        else tuple(Label(name) for name in dict.fromkeys(clip.name for clip in clips))
    )
    seen = set(arguments.seen.read_text("utf-8").splitlines()) if arguments.seen else None
    return {"set": arguments.data.stem, **evaluate(bundle, clips, labels, arguments.ranker, seen)}


def print_report(report: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(report))
        return
    for key, value in report.items():
        if key not in ("per_class", "said"):
            print(f"{key:18} {value}")
    for name, value in sorted(report.get("per_class", {}).items(), key=lambda pair: -pair[1]):
        print(f"  {value:6.2f}  {name}")
    for line in report.get("said", []):
        print(f"  {line}")
