"""What a comparison found on each fold, kept in `folds` beside its report, so that a later run goes on from there.

The energies themselves would be 15 MB; of each clip a row keeps what the report is made of.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.files import write_text
from edge_app.errors import UsageError
from train.evaluate.metrics import rounded_mean
from train.heads.systems import SYSTEMS
from train.studies.folds import Duels

FLAGS = ("of_unseen", "right")


@dataclass
class Kept:
    """What was found on a fold with its encoder and so many steps: nothing is trained twice."""

    path: Path
    encoder: str
    steps: int | None
    rows: list[dict[str, Any]]

    @classmethod
    def of(cls, folder: Path, out: Path, fit: str, steps: int | None) -> Kept:
        path = out / "folds" / f"{folder.name}-{fit}.json"
        kept = cls(path, sha256((folder / "encoder.pt").read_bytes()).hexdigest()[:12], steps, [])
        if path.is_file():
            found = json.loads(path.read_text("utf-8"))
            if (found["encoder"], found["steps"]) == (kept.encoder, kept.steps):
                kept.rows = found["rows"]
        return kept

    def missing(self, kinds: list[str], seeds: list[int]) -> list[tuple[str, int]]:
        there = {(row["way"], row["seed"]) for row in self.rows}
        return [(kind, seed) for kind in kinds for seed in seeds if (kind, seed) not in there]

    def add(self, rows: list[dict[str, Any]]) -> None:
        self.rows += rows
        self.path.parent.mkdir(parents=True, exist_ok=True)
        told = ",\n".join(json.dumps(row) for row in self.rows)
        head = json.dumps({"encoder": self.encoder, "steps": self.steps})
        write_text(self.path, f'{head[:-1]}, "rows": [\n{told}\n]}}\n')


def rows_of(out: Path, fit: str, kinds: list[str], seeds: list[int]) -> list[dict[str, Any]]:
    """The wanted systems' rows, and the baselines', of all folds of a fit that were kept.

    Raises:
        UsageError: one of them lacks some.
    """
    wanted, rows = {(kind, seed) for kind in kinds for seed in seeds}, []
    for path in sorted((out / "folds").glob(f"*-{fit}.json")):
        own = json.loads(path.read_text("utf-8"))["rows"]
        if lacking := wanted - {(row["way"], row["seed"]) for row in own}:
            kind, seed = min(lacking)
            raise UsageError(f"{path}: {kind} with seed {seed} is missing; name the fold's folder in --folds")
        rows += [row for row in own if (row["way"], row["seed"]) in wanted or row["way"] not in SYSTEMS]
    return rows


def told_of(duels: Duels) -> dict[str, Any]:
    """As JSON, in few letters."""
    flags = {name: "".join("01"[int(flag)] for flag in getattr(duels, name)) for name in FLAGS}
    return flags | {"truth": duels.truth.tolist(), "gap": duels.gap.round(4).tolist()}


def duels_of(row: dict[str, Any]) -> Duels:
    flags = {name: np.array(list(row[name])) == "1" for name in FLAGS}
    return Duels(truth=np.array(row["truth"]), gap=np.array(row["gap"]), **flags)


def mean_over_seeds(rows: Iterable[dict[str, Any]], key: str) -> list[float | None]:
    """Of one system: mean over folds, then mean and spread over seeds, as `rounded_mean` gives them."""
    by_seed: dict[int, list[float]] = {}
    for row in rows:
        by_seed.setdefault(row["seed"], []).append(row[key])
    return rounded_mean([float(np.mean(values)) for values in by_seed.values()])
