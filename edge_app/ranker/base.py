"""What every ranker is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.ranker.labels.table import LabelTable
from edge_app.types import Feature, Ranking


class Ranker(Protocol):
    """Ranks the labels of a table for features. Deterministic: the same input gives the same energies, bit for bit."""

    kind: str
    calibration: Calibration
    table: LabelTable

    def set_labels(self, table: LabelTable) -> None:
        """Take a new table; everything that depends on labels alone is computed here, once.

        Raises:
            UsageError: the embeddings are of another text encoder, or not finite.
        """

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        """One ranking for each feature, over the table set last."""

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K]`; lower is better.

        Vectors may be longer than the ranker needs (`Feature`): it reads their first columns.
        """
