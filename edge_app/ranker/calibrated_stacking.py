"""Calibrated stacking: labels that training knew must not win only because training knew them (METHODS.md 2.11)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge_app.ranker.base import Ranker
from edge_app.ranker.calibration import rank_each
from edge_app.ranker.labels.table import LabelTable, known_to
from edge_app.types import Feature, Ranking


class Stacked:
    """A ranker whose energies of labels that training did not know are lowered by `calibration.novel`.

    concepts: what the encoder and the ranker were trained on, by name. Lists of known labels alone rank as before.
    """

    def __init__(self, ranker: Ranker, concepts: Iterable[str]) -> None:
        self.kind, self.calibration = ranker.kind, ranker.calibration
        self._ranker, self._concepts = ranker, tuple(concepts)

    def set_labels(self, table: LabelTable) -> None:
        self._ranker.set_labels(table)
        known = np.array(known_to(table.labels, self._concepts))
        self._lowered = np.float32(self.calibration.novel) * ~known
        self.table = table

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + N]`, as the ranker's."""
        energies = self._ranker.energies(vectors).copy()
        energies[:, : len(self._lowered)] -= self._lowered
        return energies

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        return rank_each(features, self.energies, self.table, self.calibration)
