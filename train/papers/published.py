"""What the papers report, to stand beside our own figures: `published.yaml`, with where each one comes from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, slots=True)
class Published:
    """A cell of a paper's table.

    split: of `splits.yaml`, or "smie" or "sa-dvae" for the mean over that benchmark's three. measure: "zsl" or "gzsl".
    values: percent; top-1, or seen, unseen and harmonic mean. tag, source: METHODS.md's tag, and the table in words.
    """

    measure: str
    dataset: str
    split: str
    system: str
    values: tuple[float, ...]
    tag: str
    source: str


@cache
def _tree() -> dict[str, Any]:
    return yaml.safe_load((Path(__file__).parent / "published.yaml").read_text("utf-8"))


def used(system: str) -> str:
    """What a system had beside skeletons and class texts; empty where nothing is known of."""
    return str(_tree()["used"].get(system, ""))


@cache
def all_published() -> tuple[Published, ...]:
    """Every cell, in the order of the file."""
    tree = _tree()
    sources = tree["sources"]
    return tuple(
        Published(measure, dataset, split, system, tuple(cell[:-1]), **_provenance(sources[cell[-1]]))
        for measure in ("zsl", "gzsl")
        for dataset, splits in tree[measure].items()
        for split, cells in splits.items()
        for system, cell in cells.items()
    )


def _provenance(source: dict[str, str]) -> dict[str, str]:
    return {"tag": str(source["tag"]), "source": source["what"]}


def find_published(measure: str, dataset: str, split: str, system: str) -> Published | None:
    """The cell, None where there is none that can be trusted."""
    for cell in all_published():
        if (cell.measure, cell.dataset, cell.split, cell.system) == (measure, dataset, split, system):
            return cell
    return None
