"""Calibrated stacking: labels that training knew must not win only because training knew them (METHODS.md 2.11)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_app.ranker.labels.table import LabelTable, known_to
from edge_app.ranker.ranker import Adjust


@dataclass(frozen=True, slots=True)
class CalibratedStacking:
    """Lowers the energies of labels that training did not know. Lists of known labels alone rank as before.

    concepts: what the encoder and the ranker were trained on, by name. novel: `Calibration.novel`.
    """

    concepts: tuple[str, ...]
    novel: float

    def with_labels(self, table: LabelTable) -> Adjust:
        lowered = np.float32(self.novel) * ~np.array(known_to(table.labels, self.concepts))

        def adjust(vectors: np.ndarray, energies: np.ndarray) -> np.ndarray:
            energies = energies.copy()
            energies[:, : len(lowered)] -= lowered
            return energies

        return adjust
