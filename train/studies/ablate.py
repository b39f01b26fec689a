"""Ablation of SCALE: heads without one term each, several seeds, on the same frozen features.

    python -m train ablate --encoder runs/dev/encoder.pt --data ../shared/data --out runs/ablation.json --seeds 5

The encoder should have withheld concepts and left a set out. "Cosine" is the encoder's own text head, which the anchor
begins as. Differences smaller than twice the standard deviation over seeds do not count.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from edge_app.bundles.files import write_text
from train.encoder.frozen import freeze
from train.heads.loop import Recipe
from train.heads.systems import fit_head, logits_of
from train.models.scale import ScaleConfig

VARIANTS: dict[str, dict[str, Any]] = {
    "all terms": {},
    "no listwise loss": {"listwise": 0.0},
    "no semantic bias": {"semantic": 0.0},
    "margin not by uncertainty": {"uncertain_margin": 0.0},
    "weight not by uncertainty": {"uncertain_weight": 0.0},
    "no margin": {"margin": 0.0},
    "no prototypes": {"prototype": 0.0},
    "no anchor": {"anchor": False},
    "listwise loss and anchor alone": {
        "semantic": 0.0, "uncertain_margin": 0.0, "uncertain_weight": 0.0, "prototype": 0.0,
    },
}  # fmt: skip
"""Name -> fields of `ScaleConfig` that differ."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", type=Path, required=True, help="encoder.pt of `train encoder`")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--threads", type=int, default=2)


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    frozen = freeze(arguments.encoder, arguments.data, arguments.rounds, seed=0)
    found = {"cosine": [frozen.unseen(frozen.cosine)]}
    for name, changes in VARIANTS.items():
        config = dataclasses.replace(ScaleConfig(), **changes)
        found[name] = []
        for seed in tqdm(range(arguments.seeds), desc=name, disable=None):
            recipe = Recipe(arguments.steps, arguments.batch, arguments.lr, seed)
            head = fit_head(frozen, "scale", recipe, config)
            found[name].append(frozen.unseen(logits_of(head)))
        print(row(name, found[name]), flush=True)
    report = {"encoder": str(arguments.encoder), "seeds": arguments.seeds, "steps": arguments.steps, "found": found}
    write_text(arguments.out, json.dumps(report, indent=1) + "\n")
    print("\n".join(row(name, values) for name, values in found.items()))


def row(name: str, values: list[dict[str, float]]) -> str:
    """Mean and standard deviation of each figure over seeds."""
    parts = []
    for key in values[0]:
        figures = [value[key] for value in values]
        parts.append(
            f"{key} {np.mean(figures):.3f}" + (f" ± {np.std(figures, ddof=1):.3f}" if len(figures) > 1 else "")
        )
    return f"{name:32}" + "   ".join(parts)
