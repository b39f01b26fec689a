"""One ranker's best few labels, put in order by another: "SCALE's top 5 re-ranked by FDSM" (METHODS.md 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edge_app.ranker.base import Ranker
from edge_app.ranker.fdsm import FdsmRanker
from edge_app.ranker.labels.table import LabelTable
from edge_app.types import Feature, Ranking


class Reranker:
    """The first ranker's energies, those of its `top` best labels exchanged so that FDSM's order holds among them.

    The set of energies stays, and with it the first ranker's calibration: `known`, and the score of each place. FDSM
    needs no background here, and its cost no longer depends on how many labels there are.
    """

    def __init__(self, first: Ranker, second: FdsmRanker, top: int = 5) -> None:
        self.kind, self.calibration = f"{first.kind}+{second.kind}", first.calibration
        self._first, self._second, self._top = first, second, top

    def set_labels(self, table: LabelTable) -> None:
        self._first.set_labels(table)
        self._second.set_labels(table)
        self._labels = len(table.labels)
        self.table = table

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + N]`, as the first ranker's."""
        energies = self._first.energies(vectors).copy()
        for row, vector in zip(energies, vectors, strict=True):
            best, ordered = self._order(row[: self._labels], vector)
            row[ordered] = row[best]
        return energies

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        features = list(features)
        return [
            self._exchanged(ranking, feature.vector)
            for ranking, feature in zip(self._first.rank(features), features, strict=True)
        ]

    def _exchanged(self, ranking: Ranking, vector: np.ndarray) -> Ranking:
        best, ordered = self._order(ranking.energies, vector)
        energies, scores = ranking.energies.copy(), ranking.scores.copy()
        energies[ordered], scores[ordered] = ranking.energies[best], ranking.scores[best]
        return replace(ranking, energies=energies, scores=scores)

    def _order(self, energies: np.ndarray, vector: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The best labels as the first ranker has them, and as the second has them; ties go to the better before."""
        best = np.argsort(energies, kind="stable")[: self._top]
        return best, best[np.argsort(self._second.match(vector, best), kind="stable")]
