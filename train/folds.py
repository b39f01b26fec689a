"""Each data set in turn as another lab: train without it, then name its classes from their names alone.

    python -m train folds --data ../shared/data --out runs/folds --drawn cache/drawn --seed 0

Windows, texts and the ranker are the device's own code. A fold that is there already is not trained again. "Shuffled"
gives every class another class's texts (mean of five shuffles): what is above it comes from the words. "Novel" are
classes whose concept no other set, nor the generators, have shown by name; "shared" are the others.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_app.labels import Label, build_table
from edge_app.rankers.scale import ScaleRanker
from edge_app.rankers.scores import Calibration
from edge_app.text import TextEncoder
from edge_app.window import normalise
from train.__main__ import main as verb
from train.data.clips import CORE15_SETS, load_concepts, load_set
from train.evaluate import clip_windows, score
from train.heads import encode, load_encoder

CLIPS = 800
"""Clips of each set that are measured, at most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--drawn", type=Path)
    parser.add_argument("--sets", default=",".join(CORE15_SETS))
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--per-epoch", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)


def run(arguments: argparse.Namespace) -> None:
    rows = []
    for name in arguments.sets.split(","):
        folder = arguments.out / f"{name}-{arguments.seed}"
        if not (folder / "scale.pt").is_file():
            _train(name, folder, arguments)
        rows.append(_measure(name, folder, arguments.data))
        print(json.dumps(rows[-1]), flush=True)
    (arguments.out / f"folds-{arguments.seed}.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(f"{'set':16}{'classes':>8}{'chance':>8}{'top-1':>8}{'top-5':>8}{'shuffled':>9}{'shared':>8}{'novel':>8}")
    for row in rows:
        parts = "".join(f"{row[k]['top1']:8.3f}" if row[k]["classes"] else f"{'-':>8}" for k in ("overlap", "novel"))
        print(
            f"{row['set']:16}{row['classes']:8d}{row['chance']:8.3f}{row['top1_class_mean']:8.3f}"
            f"{row['top5_class_mean']:8.3f}{row['shuffled']:9.3f}{parts}"
        )


def _train(name: str, folder: Path, arguments: argparse.Namespace) -> None:
    common = ["--data", str(arguments.data), "--out", str(folder), "--seed", str(arguments.seed)]
    common += ["--threads", str(arguments.threads)]
    length = ["--epochs", str(arguments.epochs), "--per-epoch", str(arguments.per_epoch)]
    drawn = ["--drawn", str(arguments.drawn)] if arguments.drawn else []
    code = verb(["encoder", *common, *length, *drawn, "--leave-out", name])
    code = code or verb(["head", *common, "--encoder", str(folder / "encoder.pt")])
    if code:
        raise SystemExit(code)


def _measure(name: str, folder: Path, data: Path) -> dict[str, Any]:
    clips = load_set(data / f"{name}.npz", load_concepts(data / "concepts.csv"))
    clips = [clips[i] for i in np.random.default_rng(0).permutation(len(clips))[:CLIPS]]
    names = tuple(dict.fromkeys(clip.name for clip in clips))
    encoder, spec, saved = load_encoder(folder / "encoder.pt")
    seen = set(saved["concepts"])
    weights = torch.load(folder / "scale.pt", map_location="cpu", weights_only=True)["model"]
    table = build_table([Label(n) for n in names], TextEncoder(), 0)
    ranker = ScaleRanker(
        {n: value.numpy() for n, value in weights.items()}, Calibration(1.0, 1.0, 0.0, 1.3), table.pooled()[:0]
    )
    ranker.set_labels(table)
    energies = np.empty((len(clips), len(names)))
    for i, clip in enumerate(clips):
        windows = [normalise(w.joints, w.valid, spec.skeleton) for w in clip_windows(clip, spec)]
        energies[i] = ranker.energies(encode(encoder, np.stack(windows))).mean(axis=0, dtype=np.float64)
    truth = np.array([names.index(clip.name) for clip in clips])
    rng = np.random.default_rng(1)
    shuffled = [score(energies[:, _derangement(len(names), rng)], truth, names, None) for _ in range(5)]
    result = score(energies, truth, names, None)
    concept = {clip.name: clip.concept for clip in clips}
    parts = {}
    for part, inside in (("overlap", True), ("novel", False)):
        values = [v for n, v in result["per_class"].items() if (concept[n] in seen) == inside]
        parts[part] = {"classes": len(values), "top1": round(float(np.mean(values)), 4) if values else None}
    return {
        "set": name, "classes": len(names), **result, **parts,
        "shuffled": round(float(np.mean([s["top1_class_mean"] for s in shuffled])), 4),
    }  # fmt: skip


def _derangement(count: int, rng: np.random.Generator) -> np.ndarray:
    while True:
        order = rng.permutation(count)
        if not (order == np.arange(count)).any():
            return order
