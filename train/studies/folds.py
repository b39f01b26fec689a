"""Cross-validation of a recipe: each set in turn as another laboratory, and splits of classes and people.

    python -m train folds --data ../shared/data --out runs/folds --branches conv-small,attention,attention
    python -m train folds --data ../shared/data --out runs/splits --sets "" --splits 10

Another lab: train without a group of sets (two at a time, so that it is done in half the time), then name each one's
classes from their own names alone. "Shuffled" gives every class another class's texts (mean of five): what is above it
comes from the words. "Novel" are classes whose concept training has not been shown by name; "shared" are the others.

A split: twelve concepts are withheld, their composed kin too, and a fifth of each set's people. ZSL: clips of the
twelve among the twelve. GZSL: these, and the held-out people's clips of the other concepts, among all concepts; the
harmonic mean is plain, and with seen energies raised by what the *other* splits choose (calibrated stacking).

With several branches, "alone" has the cosine figure of each: they differ as seeds do.

Windows, texts and the SCALE ranker are the device's own code; "cosine" is the encoder's own text head, which does not
ship. A fold that is there already is not trained again, and `--shard i/n` does a part, so that processes can share.
"""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_app.bundles.bundle import Calibration
from edge_app.bundles.files import whole, write_text
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.layers import unit
from edge_app.ranker.ranker import Ranker
from edge_app.ranker.scale import ScaleModel
from train.__main__ import main as verb
from train.data.clips import SETS, Clip, clip_windows, load_concepts
from train.data.extract import parse_shard
from train.encoder.frozen import encode_clips, load_encoder
from train.evaluate.metrics import class_mean, harmonic, item_means, score, shuffled_top1
from train.evaluate.report import folds_table, summarise_folds
from train.heads.systems import load_heads
from train.studies.trials import lab_trial, split_trial

GROUPS = "msr_action3d+penn_action,kinder_gator+utkinect,nw_ucla+bandai_namco"
WITHHELD = 12
HELD_PEOPLE = 0.2


@dataclass(frozen=True)
class Fold:
    """left_out: data sets, or withheld: concepts."""

    name: str
    seed: int
    left_out: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default=GROUPS, help="sets to leave out, those joined by + together")
    parser.add_argument("--leave-out", default="", help="sets never to train on, whatever the fold")
    parser.add_argument("--splits", type=int, default=0, help="splits of classes and people")
    parser.add_argument(
        "--seeds", default="0", help="seeds for the sets, comma-separated; a split's seed is its number"
    )
    parser.add_argument("--branches", default="conv-small", help="encoders of a fold, comma-separated; they are merged")
    parser.add_argument("--recipe", default="", help="options for `train encoder`")
    parser.add_argument("--head", default="", help="options for `train head`")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="do every N-th fold, beginning with I")


def all_folds(sets: Iterable[str], seeds: Iterable[int], splits: int, concepts: Iterable[str]) -> list[Fold]:
    """The folds in the order they are done. The classes of split n follow from n alone."""
    found = [Fold(f"{group}-{seed}", seed, left_out=tuple(group.split("+"))) for seed in seeds for group in sets]
    concepts = sorted(concepts)
    for n in range(splits):
        withheld = np.random.default_rng([n, 17]).choice(concepts, WITHHELD, replace=False).tolist()
        found.append(Fold(f"split-{n}", n, withheld=tuple(sorted(withheld))))
    return found


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    concepts = load_concepts(arguments.data / "concepts.csv")
    sets, seeds = [n for n in arguments.sets.split(",") if n], [int(seed) for seed in arguments.seeds.split(",")]
    index, count = parse_shard(arguments.shard)
    ours = {concept for (name, _), concept in concepts.items() if name in SETS}
    folds = all_folds(sets, seeds, arguments.splits, ours)
    for fold in folds[index::count]:
        folder = arguments.out / fold.name
        if not (folder / "fold.json").is_file():
            _train(fold, folder, arguments)
            found = (
                [_measure_lab(name, fold.seed, folder, arguments.data) for name in fold.left_out]
                if fold.left_out
                else [_measure_split(fold, folder, arguments.data)]
            )
            for row in found:
                print(fold.name, {k: v for k, v in row.items() if k != "per_class"}, flush=True)
            write_text(folder / "fold.json", json.dumps(found, indent=1) + "\n")
    done = [path for fold in folds if (path := arguments.out / fold.name / "fold.json").is_file()]
    rows = [row for path in done for row in json.loads(path.read_text())]
    labs, splits = [row for row in rows if "set" in row], [row for row in rows if "split" in row]
    report = {"recipe": arguments.recipe, "labs": labs, "splits": stacked(splits, arguments.out)}
    write_text(arguments.out / "folds.json", json.dumps(report, indent=1) + "\n")
    print(folds_table(summarise_folds(labs, report["splits"])))


def _train(fold: Fold, folder: Path, arguments: argparse.Namespace) -> None:
    common = ["--data", str(arguments.data), "--threads", str(arguments.threads)]
    left = ["--leave-out", ",".join({*filter(None, arguments.leave_out.split(",")), *fold.left_out})]
    held = ["--withhold", ",".join(fold.withheld), "--hold-people", str(HELD_PEOPLE)] if fold.withheld else []
    kinds = arguments.branches.split(",")
    parts = [folder / f"part-{i}" for i in range(len(kinds))]
    verbs = []
    for i, (kind, part) in enumerate(zip(kinds, parts, strict=True)):
        own = f"--encoder {kind} --seed {fold.seed * len(kinds) + i} --motion-seed {i}".split()
        verbs.append(["encoder", *common, *own, "--out", str(part), *shlex.split(arguments.recipe), *left, *held])
    encoder = str(folder / "encoder.pt")
    verbs.append(["merge", "--encoders", *(str(part / "encoder.pt") for part in parts), "--out", encoder])
    head = ["--encoder", encoder, "--out", str(folder), "--seed", str(fold.seed)]
    verbs.append(["head", *common, *head, *shlex.split(arguments.head)])
    for words in verbs:
        if verb(words):
            raise SystemExit(f"train folds: {fold.name}: `train {words[0]}` failed")


def _energies(folder: Path, clips: list[Clip], names: list[str]) -> dict[str, np.ndarray]:
    """Energies of clips under names, by SCALE and by the encoder's text head, means over windows: float64 `[N, K]`."""
    encoder, spec, saved = load_encoder(folder / "encoder.pt")
    weights = load_heads(folder)["scale"]
    table = build_table([Label(name) for name in names], TextEncoder(), 0)
    none = table.pooled()[:0]
    ranker = Ranker("scale", ScaleModel(weights), Calibration(1.0, 1.0, 0.0, 1.3), none, table=table)
    mean, text_map = (saved["model"][name].numpy() for name in ("text_mean", "text_map.weight"))
    places = unit(unit(table.pooled() / np.float32(np.sqrt(2)) - mean) @ text_map.T)
    ways: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "scale": ranker.energies, "cosine": lambda features: -unit(features) @ places.T,
    }  # fmt: skip
    features, clip = encode_clips(encoder, spec, [clip_windows(clip, spec) for clip in clips])
    return {way: item_means(energies(features), clip) for way, energies in ways.items()}


def _keep(folder: Path, energies: np.ndarray, truth: np.ndarray, names: list[str], unseen: np.ndarray) -> None:
    with whole(folder / "fold.npz") as partial:
        np.savez_compressed(partial, energies=energies, truth=truth, names=np.array(names), unseen=unseen)


def _measure_lab(name: str, seed: int, folder: Path, data: Path) -> dict[str, Any]:
    test = lab_trial(name, data)
    clips, names, truth = test.clips, test.names, test.truth
    seen = set(load_encoder(folder / "encoder.pt")[2]["concepts"])
    found = _energies(folder, clips, names)
    result = score(found["scale"], truth, tuple(names), None)
    concept = {clip.name: clip.concept for clip in clips}
    alone = [json.loads(path.read_text().splitlines()[-1]) for path in sorted(folder.glob("part-*/metrics.jsonl"))]
    parts = {}
    for part, inside in (("overlap", True), ("novel", False)):
        values = [v for n, v in result["per_class"].items() if (concept[n] in seen) == inside]
        parts[part] = {"classes": len(values), "top1": round(float(np.mean(values)), 4) if values else None}
    return {
        "set": name, "seed": seed, "classes": len(names), **result, **parts,
        "cosine": score(found["cosine"], truth, tuple(names), None)["top1_class_mean"],
        "alone": [row[f"{name}_top1"] for row in alone],
        "shuffled": shuffled_top1(found["scale"], truth),
    }  # fmt: skip


def _measure_split(fold: Fold, folder: Path, data: Path) -> dict[str, Any]:
    test = split_trial(load_encoder(folder / "encoder.pt")[2], data)
    found, names, novel = _energies(folder, test.clips, test.names), test.names, test.unseen
    unseen = int(novel[test.truth].sum())
    _keep(folder, found["scale"], test.truth, names, novel)
    column = np.flatnonzero(novel)
    own = np.searchsorted(column, test.truth[:unseen])
    by = {way: score(e[:unseen, column], own, tuple(np.array(names)[column]), None) for way, e in found.items()}
    return {
        "split": fold.seed, "withheld": fold.withheld, "classes": len(column), "candidates": len(names),
        "chance": by["scale"]["chance"], "zsl": by["scale"]["top1_class_mean"], "top5": by["scale"]["top5_class_mean"],
        "cosine": by["cosine"]["top1_class_mean"], "per_class": by["scale"]["per_class"],
    }  # fmt: skip


Point = tuple[float, float]
"""Class-mean top-1 of seen and of unseen classes."""


@dataclass(frozen=True)
class Duels:
    """Of each clip of a split, the best seen class against the best unseen one: all that raising seen energies needs.

    truth: int `[N]`. of_unseen: bool `[N]`, clips of unseen classes. gap: float `[N]`, the lowest energy of unseen
    classes less the lowest of seen ones. right: bool `[N]`, whether the best of the clip's own kind is its class.
    """

    truth: np.ndarray
    of_unseen: np.ndarray
    gap: np.ndarray
    right: np.ndarray

    @classmethod
    def of(cls, energies: np.ndarray, truth: np.ndarray, unseen: np.ndarray) -> Duels:
        """energies: `[N, K]`, lower is better; truth: int `[N]`; unseen: bool `[K]`."""
        columns = [np.flatnonzero(kind) for kind in (~unseen, unseen)]
        seen, novel = (own[energies[:, own].argmin(axis=1)] for own in columns)
        rows, of_unseen = np.arange(len(truth)), unseen[truth]
        gap = energies[rows, novel] - energies[rows, seen]
        return cls(truth, of_unseen, gap, np.where(of_unseen, novel, seen) == truth)

    def point(self, raised: float = 0.0) -> Point:
        """Accuracies with seen energies raised."""
        hits = self.right & ((self.gap < raised) == self.of_unseen)
        seen, unseen = (class_mean(hits[own], self.truth[own]) for own in (~self.of_unseen, self.of_unseen))
        return seen, unseen


def stack_over_splits(splits: Sequence[Duels]) -> tuple[list[Point], list[Point], list[float]]:
    """Plain points, those with seen energies raised by what the *other* splits like best, and by how much."""
    gaps = np.concatenate([split.gap for split in splits])
    grid = np.append(0.0, np.quantile(gaps, np.linspace(0, 1, 51)).clip(min=0) + 1e-9)
    curves = [[split.point(float(raised)) for raised in grid] for split in splits]
    means = np.array([[harmonic(*point) for point in curve] for curve in curves])
    others = [np.delete(means, i, axis=0) for i in range(len(splits))]
    best = [int(rest.mean(axis=0).argmax()) if len(rest) else 0 for rest in others]
    points = [curve[at] for curve, at in zip(curves, best, strict=True)]
    return [curve[0] for curve in curves], points, [float(grid[at]) for at in best]


def stacked(rows: list[dict[str, Any]], out: Path) -> list[dict[str, Any]]:
    """The splits' rows with GZSL figures, plain and with the constant that the other splits like best."""
    kept: list[Duels] = []
    for row in rows:
        with np.load(out / f"split-{row['split']}" / "fold.npz") as data:
            kept.append(Duels.of(data["energies"], data["truth"], data["unseen"]))
    if not rows:
        return rows
    for row, plain, raised, by in zip(rows, *stack_over_splits(kept), strict=True):
        for name, (seen, unseen) in (("gzsl", plain), ("stacked", raised)):
            figures = {"seen": seen, "unseen": unseen, "harmonic": harmonic(seen, unseen)}
            row[name] = {key: round(value, 4) for key, value in figures.items()}
        row["stacked"]["raised"] = round(by, 3)
    return rows
