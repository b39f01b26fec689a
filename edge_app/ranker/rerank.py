"""One ranker's best few labels, put in order by FDSM: "SCALE's top 5 re-ranked by FDSM" (METHODS.md 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_app.ranker.fdsm import FdsmModel
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.ranker import Adjust


@dataclass(frozen=True, slots=True)
class Reranking:
    """Exchanges the energies of the `top` best labels so that FDSM's order holds among them.

    The set of energies stays, and with it the first ranker's calibration: `known`, and the score of each place. FDSM
    needs no background here, and its cost no longer depends on how many labels there are. Ties go to the label that
    was better before.
    """

    fdsm: FdsmModel
    top: int = 5

    def with_labels(self, table: LabelTable) -> Adjust:
        labels = len(table.labels)
        fdsm = self.fdsm.with_texts(table.pooled(), labels)

        def adjust(vectors: np.ndarray, energies: np.ndarray) -> np.ndarray:
            energies = energies.copy()
            for row, vector in zip(energies, vectors, strict=True):
                best = np.argsort(row[:labels], kind="stable")[: self.top]
                ordered = best[np.argsort(fdsm.match(vector, best), kind="stable")]
                row[ordered] = row[best]
            return energies

        return adjust
