"""All systems on equal terms: the same frozen features, splits and clips, five seeds each; and what a decision costs.

    python -m train folds --data ../shared/data --out runs/splits --sets "" --splits 10
    python -m train compare --data ../shared/data --folds runs/splits,runs/folds --out benchmarks/systems
    python -m train compare --data ../shared/data --folds runs/splits --out benchmarks/systems --fit authors

Every fold of `train folds` brings an encoder that never saw its twelve concepts, or its laboratory. On what that
encoder makes of what it did see, each system is trained anew for each seed, and then names the fold's clips through the
device's own ranker. "Cosine" is the encoder's own text head, with nothing trained after it; ridge, DeViSE and ConSE are
baselines without seeds. In GZSL, seen classes' energies are raised by what the other splits like best. `--fit authors`
adds a table to the report that is there: the papers' own heads and fits on splits (`compare_authors`).

What was found on each fold is kept in `folds` beside the report, so that a later run goes on: with other folds, systems
or seeds. The report is of all folds that lie there; those of an encoder that has changed are done anew.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.load import MODELS
from edge_app.ranker.ranker import Ranker
from edge_app.types import Feature, Window
from train.data.clips import clip_windows
from train.data.provenance import git_revision
from train.encoder.frozen import Frozen, encode_clips, freeze
from train.evaluate.metrics import class_mean, harmonic, item_means, places, rounded_mean
from train.heads.loop import Recipe
from train.heads.systems import SYSTEMS, arrays, fit_head, parse_systems, read_by
from train.models.baselines import BASELINES, Baseline
from train.studies.compare_authors import AFFORDED, clip_features, fit_authors, summarise_authors
from train.studies.folds import Duels, stack_over_splits
from train.studies.kept_folds import Kept, duels_of, mean_over_seeds, rows_of, told_of
from train.studies.trials import Trial, lab_trial, split_trial

Energies = Callable[[np.ndarray, LabelTable], np.ndarray]
"""Features `[N, D]` and a table of labels to energies `[N, K]`."""
LABELS = (12, 60, 1000)
DECISIONS = 50
"""Timed for each number of labels."""
PLAIN = Calibration(1.0, 1.0, 0.0, 1.3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", required=True, help="run folders of `train folds`, comma-separated")
    parser.add_argument("--out", type=Path, required=True, help="folder for systems.json, systems.md, systems.png")
    parser.add_argument("--systems", help=f"by default all; of authors' fits {', '.join(AFFORDED)}")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--fit", choices=("ours", "authors"), default="ours", help="authors: added to what ours wrote")
    parser.add_argument("--steps", type=int, help="of training, of authors' fits at most; by default each system's own")
    parser.add_argument("--threads", type=int, default=2)


def run(arguments: argparse.Namespace) -> None:
    from train.studies.compare_report import write

    torch.set_num_threads(arguments.threads)
    kinds = parse_systems(arguments.systems or ",".join(SYSTEMS if arguments.fit == "ours" else AFFORDED))
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    folds = [path.parent for folder in arguments.folds.split(",") for path in sorted(Path(folder).glob("*/fold.json"))]
    if not folds:
        raise UsageError(f"--folds {arguments.folds}: no fold there; make them with `train folds`")
    if arguments.fit == "authors":
        add_authors(arguments, kinds, seeds, folds)
        return
    frozen: Frozen | None = None
    for folder in folds:
        kept = Kept.of(folder, arguments.out, arguments.fit, arguments.steps)
        if missing := kept.missing(kinds, seeds):
            frozen = freeze(folder / "encoder.pt", arguments.data, rounds=1, seed=0)
            for rows in _compare(folder, frozen, arguments.data, missing, arguments.steps, baseline=not kept.rows):
                kept.add(rows)
    rows = rows_of(arguments.out, arguments.fit, kinds, seeds)
    frozen = frozen or freeze(folds[0] / "encoder.pt", arguments.data, rounds=1, seed=0)
    cost = measure_costs(frozen, kinds)
    report = {
        "schema": "systems/1", "git": git_revision(), "seeds": seeds,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, one thread", "cost": cost, **summarise(rows),
    }  # fmt: skip
    write(report, arguments.out)


def add_authors(arguments: argparse.Namespace, kinds: list[str], seeds: list[int], folds: list[Path]) -> None:
    """The authors' fits on splits, beside what `--fit ours` found on the same ones.

    Raises:
        UsageError: it left no report, or no figures of one of these splits or systems; there are no splits.
    """
    from train.studies.compare_report import write

    path = arguments.out / "systems.json"
    if not path.is_file():
        raise UsageError(f"{path}: no report there; first run --fit ours")
    report = json.loads(path.read_text("utf-8"))
    ours = rows_of(arguments.out, "ours", kinds, report["seeds"])
    splits = [folder for folder in folds if "split" in json.loads((folder / "fold.json").read_text())[0]]
    lacking = {folder.name for folder in splits} - {row["fold"] for row in ours}
    if lacking or not splits:
        found = f"no figures of {', '.join(sorted(lacking))}" if lacking else "no splits in --folds"
        raise UsageError(f"{arguments.out}: {found}; first run --fit ours on splits")
    for folder in splits:
        own = Kept.of(folder, arguments.out, arguments.fit, arguments.steps)
        if missing := own.missing(kinds, seeds):
            given = clip_features(folder / "encoder.pt", arguments.data)
            for kind, seed in missing:
                row = {"fold": folder.name, "way": kind, "seed": seed}
                own.add([row | fit_authors(kind, *given, seed, arguments.steps)])
                print(own.rows[-1], flush=True)
    theirs = rows_of(arguments.out, "authors", kinds, seeds)
    write(report | {"authors": summarise_authors(theirs, ours)}, arguments.out)


def _compare(
    folder: Path, frozen: Frozen, data: Path, wanted: list[tuple[str, int]], steps: int | None, baseline: bool
) -> Iterable[list[dict[str, Any]]]:
    """Of each way and seed a row for each trial of a fold."""
    text, trials = TextEncoder(), []
    for told in json.loads((folder / "fold.json").read_text()):
        trial = split_trial(frozen.saved, data) if "split" in told else lab_trial(told["set"], data)
        table = build_table([Label(name) for name in trial.names], text, 0)
        trials.append((told, trial, table, *_features(frozen, trial)))
    for way, seed, energies in _ways(frozen, wanted, steps, baseline):
        rows = []
        for told, trial, table, features, clip in trials:
            means = item_means(energies(features, table), clip)
            row = {"fold": folder.name, "way": way, "seed": seed, **_accuracies(means, trial)}
            row |= {"set": told["set"]} if "set" in told else {}
            print(row, flush=True)
            rows.append(row if "set" in row else row | told_of(Duels.of(means, trial.truth, trial.unseen)))
        yield rows


def _features(frozen: Frozen, trial: Trial) -> tuple[np.ndarray, np.ndarray]:
    """Of every window, `Detailed` `[N, L]`, of which all but FS-VAE read the first D; and its clip, int `[N]`."""
    cut = [clip_windows(clip, frozen.spec) for clip in trial.clips]
    return encode_clips(frozen.detailed_encoder, frozen.spec, cut)


def _ways(
    frozen: Frozen, wanted: Iterable[tuple[str, int]], steps: int | None, baseline: bool
) -> Iterable[tuple[str, int, Energies]]:
    """Name, seed and energies of each system, one after the other; what has no seeds once, under seed 0."""
    if baseline:
        yield from ((name, 0, energies) for name, energies in baselines(frozen).items())
    for kind, seed in wanted:
        weights = arrays(fit_head(frozen, kind, Recipe(steps or SYSTEMS[kind].steps, seed=seed)))

        def energies(features: np.ndarray, table: LabelTable, kind: str = kind, weights: Any = weights) -> np.ndarray:
            model = MODELS[kind](weights)
            ranker = Ranker(kind, model, PLAIN, table.pooled(parts=model.parts)[:0], table=table)
            return np.concatenate([ranker.energies(part) for part in np.array_split(features, len(features) // 32 + 1)])

        yield kind, seed, energies


def baselines(frozen: Frozen) -> dict[str, Energies]:
    """Ridge learns from composed windows too, each under its own text; DeViSE and ConSE from named ones alone."""
    x, own = torch.from_numpy(frozen.features), torch.from_numpy(frozen.concept)
    text = torch.from_numpy(frozen.texts.pooled(frozen.bank.concepts))
    more, more_own, more_text = x, own, text
    if frozen.extra is not None:
        composed = frozen.extra.composed
        told = composed.texts.sample(np.arange(len(composed.bank)), np.random.default_rng(0))
        more = torch.cat([x, torch.from_numpy(frozen.extra.features)])
        more_own = torch.cat([own, len(text) + torch.from_numpy(frozen.extra.clip)])
        more_text = torch.cat([text, torch.from_numpy(told)])
    fitted: dict[str, Baseline] = {
        name: kind.fit(more, more_own, more_text) if name == "ridge" else kind.fit(x, own, text)
        for name, kind in BASELINES.items()
    }

    def of(compare: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Energies:
        return lambda features, table: compare(torch.from_numpy(features[:, : x.shape[1]]), _unit(table)).numpy()

    return {"cosine": of(lambda *pair: -frozen.cosine(*pair))} | {
        name: of(model.energies) for name, model in fitted.items()
    }


def _unit(table: LabelTable) -> torch.Tensor:
    return torch.from_numpy(table.pooled() / np.float32(np.sqrt(2)))


def _accuracies(energies: np.ndarray, trial: Trial) -> dict[str, float]:
    """Class-mean top-1 and top-5 of the trial's unseen clips among its unseen names."""
    columns, asked = np.flatnonzero(trial.unseen), trial.unseen[trial.truth]
    own = np.searchsorted(columns, trial.truth[asked])
    place = places(energies[asked][:, columns], own)
    return {
        "top1": round(class_mean(place == 0, own), 4), "top5": round(class_mean(place < 5, own), 4),
        "chance": round(1 / len(columns), 4),
    }  # fmt: skip


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and spread over seeds of the mean over folds, for splits with GZSL, and for laboratories."""
    found: dict[str, Any] = {}
    splits, labs = [r for r in rows if "gap" in r], [r for r in rows if "set" in r]
    for part, own in (("splits", splits), ("labs", labs)):
        if not own:
            continue
        ways: dict[str, dict[str, Any]] = {}
        for way in dict.fromkeys(row["way"] for row in own):
            of_way = [row for row in own if row["way"] == way]
            ways[way] = {key: mean_over_seeds(of_way, key) for key in ("top1", "top5")}
            folds = [float(np.mean([row["top1"] for row in of_way if row["fold"] == fold])) for fold in _folds(own)]
            ways[way]["over_folds"] = rounded_mean(folds)
            if part == "splits":
                ways[way] |= _gzsl(of_way)
            else:
                ways[way]["sets"] = {
                    name: rounded_mean([row["top1"] for row in of_way if row["set"] == name])
                    for name in dict.fromkeys(row["set"] for row in own)
                }
        found[part] = {"folds": len(_folds(own)), "chance": rounded_mean([r["chance"] for r in own])[0], "ways": ways}
    return found


def _gzsl(of_way: list[dict[str, Any]]) -> dict[str, Any]:
    """Seen, unseen and harmonic mean, plain and with seen energies raised: mean over splits, spread over seeds."""
    figures: dict[str, list[list[float]]] = {"gzsl": [], "stacked": []}
    for seed in dict.fromkeys(row["seed"] for row in of_way):
        duels = [duels_of(row) for row in of_way if row["seed"] == seed]
        for name, points in zip(figures, stack_over_splits(duels)[:2], strict=True):
            figures[name].append([*np.mean(points, axis=0), float(np.mean([harmonic(*point) for point in points]))])
    keys = ("seen", "unseen", "harmonic")
    return {
        name: {key: rounded_mean([row[i] for row in rows]) for i, key in enumerate(keys)}
        for name, rows in figures.items()
    }


def _folds(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["fold"] for row in rows))


def measure_costs(frozen: Frozen, kinds: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Parameters; multiply-accumulates for one window and 12 labels, texts included; the device's ms a decision.

    Milliseconds are medians of `rank` for one window, with the shipped background beside 12, 60 and 1,000 labels.
    """
    names, encoder = [action.name for action in actions()], TextEncoder()
    everyday = build_table([Label(name) for name in names], encoder, 0)
    listed = [Label(f"{names[i % len(names)]} {i}") for i in range(max(LABELS))]
    tables = {count: build_table(listed[:count], encoder, 0) for count in LABELS}
    window = Window("bench", 1, 0, np.zeros((2, 15, 4), np.float32), np.ones(2, bool), 30.0, 1.0, 1.0)
    found: dict[str, dict[str, Any]] = {}
    for kind in kinds:
        head, own = fit_head(frozen, kind, Recipe(steps=2)), read_by(kind, frozen)
        with FlopCounterMode(display=False) as counter, torch.inference_mode():
            head.energies(torch.from_numpy(own.features[:1]), torch.zeros(12, own.texts.dim))
        model = MODELS[kind](arrays(head))
        blank = Ranker(kind, model, PLAIN, everyday.pooled(parts=model.parts))
        row: dict[str, Any] = {
            "parameters": sum(p.numel() for p in head.parameters()), "macs_12": counter.get_total_flops() // 2,
            "ms": {}, "set_labels_ms": {},
        }  # fmt: skip
        for count, table in tables.items():
            begun = time.perf_counter()
            ranker = blank.with_labels(table)
            row["set_labels_ms"][str(count)] = round(1e3 * (time.perf_counter() - begun), 1)
            times = []
            for vector in own.features[:DECISIONS]:
                begun = time.perf_counter()
                ranker.rank([Feature(window, vector)])
                times.append(time.perf_counter() - begun)
            row["ms"][str(count)] = round(1e3 * float(np.median(times)), 2)
        found[kind] = row
    return found
