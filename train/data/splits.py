"""Which classes a method may not see: the published zero-shot splits of `splits.yaml`, and the names of classes."""

from __future__ import annotations

import csv
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import yaml

from edge_app.errors import UsageError

HERE = Path(__file__).parent
CLASSES = {"ntu60": 60, "ntu120": 120, "pku": 51}
"""Data set -> how many classes it has."""


@dataclass(frozen=True, slots=True)
class Split:
    """One split of a data set's classes. Indices count from 0 and are sorted.

    unseen: classes without a single clip in training.
    pseudo_unseen: seen classes held out once more, to choose gates and constants by; None where none are published.
    source: who published it, and where METHODS.md has it.
    """

    dataset: str
    name: str
    unseen: tuple[int, ...]
    pseudo_unseen: tuple[int, ...] | None
    source: str

    @property
    def seen(self) -> tuple[int, ...]:
        """Every other class, those of `pseudo_unseen` among them."""
        return tuple(index for index in range(CLASSES[self.dataset]) if index not in self.unseen)


@cache
def all_splits() -> tuple[Split, ...]:
    """Every split that we have, in the order of `splits.yaml`."""
    tree = yaml.safe_load((HERE / "splits.yaml").read_text("utf-8"))
    return tuple(
        Split(
            dataset=dataset,
            name=name,
            unseen=tuple(sorted(entry["unseen"])),
            pseudo_unseen=tuple(sorted(entry["pseudo_unseen"])) if "pseudo_unseen" in entry else None,
            source=entry["source"],
        )
        for dataset, entries in tree.items()
        for name, entry in entries.items()
    )


def find_split(dataset: str, name: str) -> Split:
    """Raises UsageError where the data set has no split of that name."""
    known = {split.name: split for split in all_splits() if split.dataset == dataset}
    if name not in known:
        allowed = ", ".join(known) or f"none for this data set, but for {', '.join(CLASSES)}"
        raise UsageError(f"split {name!r} of {dataset}: not known; allowed are {allowed}")
    return known[name]


def pseudo_unseen(split: Split) -> tuple[int, ...]:
    """The published pseudo-unseen classes of a split; where there are none, seen ones that its name alone draws.

    As many as unseen ones, at most a third of the seen ones. INFERRED: METHODS.md 1.1 has them for SynSE's splits only.
    """
    if split.pseudo_unseen is not None:
        return split.pseudo_unseen
    rng = np.random.default_rng(zlib.crc32(f"{split.dataset} {split.name}".encode()))
    count = min(len(split.unseen), len(split.seen) // 3)
    return tuple(sorted(rng.choice(split.seen, count, replace=False).tolist()))


@cache
def class_names(dataset: str) -> tuple[str, ...]:
    """Names of a data set's classes, in the order of their indices; NTU-60's are the first 60 of NTU-120.

    Raises:
        UsageError: a data set without a table of names here.
    """
    if dataset not in CLASSES:
        raise UsageError(f"class names of {dataset!r}: not known; allowed are {', '.join(CLASSES)}")
    file, column = ("pku_names.csv", "pku_name") if dataset == "pku" else ("ntu_concepts.csv", "ntu_name")
    with (HERE / file).open(newline="", encoding="utf-8") as rows:
        return tuple(row[column] for row in csv.DictReader(rows))[: CLASSES[dataset]]
