"""From features to rankings: a system's energies, what adjusts them, and the calibration that makes scores of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.calibration import background_mask, calibrate_scores
from edge_app.ranker.falls import are_falls, fall_odds
from edge_app.ranker.labels.table import LabelTable
from edge_app.types import Feature, Ranking
from edge_app.window.skeleton import WindowSpec

Energies = Callable[[np.ndarray], np.ndarray]
"""Vectors, float32 `[B, D]`, to energies of K labels and of N background texts, float32 `[B, K + N]`; lower is better.

Vectors may be longer than a system needs (`Feature`): it reads their first columns.
"""

Adjust = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Vectors `[B, D]` and their energies `[B, K + N]` to energies `[B, K + N]`; neither array is written to."""

NO_LABELS = LabelTable(0, (), "", (), np.zeros((0, 1), np.float32))


class EnergyModel(Protocol):
    """The weights of one system; they never change.

    text_width: of one text's row, in `LabelTable.pooled(parts=parts)`.
    """

    kind: str
    text_width: int
    parts: bool

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        """Everything that depends on texts alone is computed here, once.

        Args:
            texts: float32 `[K + N, text_width]`, of the labels, then of the background.
            labels: K.
        """


class Adjustment(Protocol):
    """One step after the model: calibrated stacking, re-ranking, or prototypes of shots."""

    def with_labels(self, table: LabelTable) -> Adjust: ...


class Ranker:
    """Ranks the labels of a table for features. Never changed; `with_labels` gives another that shares the weights.

    Deterministic: the same input gives the same energies, bit for bit.

    Args:
        kind: its name, such as "scale".
        model: the system.
        calibration: from energies to scores.
        background: float32 `[N, model.text_width]`, texts of other everyday actions; those that mean a label are
            left out.
        adjustments: what is done to the model's energies, in this order.
        table: the labels; without any, nothing is ranked.
        window: of the bundle, for `rank` to see falls in windows (`edge_app.ranker.falls`); None: it does not look.

    Raises:
        UsageError: texts of another encoder than the model's.
    """

    def __init__(
        self,
        kind: str,
        model: EnergyModel,
        calibration: Calibration,
        background: np.ndarray,
        adjustments: Iterable[Adjustment] = (),
        table: LabelTable = NO_LABELS,
        window: WindowSpec | None = None,
    ) -> None:
        self.kind, self.model, self.calibration, self.background = kind, model, calibration, background
        self.adjustments, self.table = tuple(adjustments), table
        self._window, self._falls = window, are_falls(table.labels)
        self._names, self._enter = table.names, table.enter
        self._sudden = tuple(self._falls.tolist()) if self._falls.any() else ()
        _check_width("background", background, model)
        if not table.labels:
            return
        text = table.pooled(parts=model.parts)
        _check_width("labels", text, model)
        words = 2 * table.dim  # whether two texts mean the same, their parts do not tell
        others = background_mask(text[:, :words], background[:, :words], calibration.same_text_threshold)
        self._energies = model.with_texts(np.concatenate([text, background[others]]), len(text))
        self._adjusts = [adjustment.with_labels(table) for adjustment in self.adjustments]

    def with_labels(self, table: LabelTable) -> Ranker:
        """The same ranker for other labels.

        Raises:
            UsageError: the embeddings are of another text encoder.
        """
        return Ranker(self.kind, self.model, self.calibration, self.background, self.adjustments, table, self._window)

    def adjusted(self, adjustment: Adjustment) -> Ranker:
        """The same ranker with one more adjustment, after all others."""
        adjustments = (*self.adjustments, adjustment)
        return Ranker(self.kind, self.model, self.calibration, self.background, adjustments, self.table, self._window)

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + N]`: of the labels, then of the background; lower is better."""
        if not self.table.labels:
            return np.zeros((len(vectors), 0), np.float32)
        energies = self._energies(vectors)
        for adjust in self._adjusts:
            energies = adjust(vectors, energies)
        return energies

    def _explained(self, feature: Feature) -> np.ndarray:
        """Energies `[1, K + N]` of a feature and its window."""
        energies = self.energies(feature.vector[None])
        if self._window is not None and self._sudden:
            odds = np.float32(self.calibration.temperature * fall_odds(feature.window, self._window))
            energies[:, : len(self._falls)] -= odds * self._falls
        return energies

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        """One ranking for each feature. Features are ranked one at a time, so that none depends on its batch."""
        table = self.table
        if not features or not table.labels:
            none = np.zeros(0, np.float32)
            return [Ranking(feature.window, (), table.version, none, none, 0.0) for feature in features]
        both = np.concatenate([self._explained(feature) for feature in features])
        labels = len(table.labels)
        scores, known = calibrate_scores(both[:, :labels], both[:, labels:], self.calibration)
        return [
            Ranking(
                feature.window, self._names, table.version, energies, score, float(likely), self._enter, self._sudden
            )
            for feature, energies, score, likely in zip(features, both[:, :labels], scores, known, strict=True)
        ]


def _check_width(what: str, text: np.ndarray, model: EnergyModel) -> None:
    if text.shape[1] != model.text_width:
        raise UsageError(f"{what}: embeddings are {text.shape[1]} wide, the bundle's are {model.text_width}")
