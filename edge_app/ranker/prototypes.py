"""Labels known by example: what a few shots of a motion look like, joined with what its words say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from edge_app.ranker.base import Ranker
from edge_app.ranker.calibration import log_sum_exp, rank_each
from edge_app.ranker.labels.label import fold
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.layers import unit
from edge_app.types import Feature, Ranking


class Mix(NamedTuple):
    """Log-odds of a taught label against all other candidates: `word * odds by its words + like * cosine + bias`.

    cosine: of the window's direction from the mean feature with the prototype's.
    """

    word: float
    like: float
    bias: float


MIX = Mix(0.5, 16.0, -11.2)
"""Chosen on other sets than `train shots` reports on; what is best for one, three and five shots hardly differs."""


def prototype(shots: Sequence[np.ndarray], centre: np.ndarray) -> np.ndarray:
    """The direction in which the shots of a label lie, each counting the same: float32 `[D]`, unit length.

    Args:
        shots: features of each shot's windows, float32 `[n, D or more]`.
        centre: mean feature of the training data, float32 `[D]`.
    """
    return unit(np.stack([placed(shot, centre).mean(axis=0) for shot in shots]).mean(axis=0)[None])[0]


def placed(vectors: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Features as directions from the mean feature: float32 `[B, D or more] -> [B, D]`, unit length."""
    return unit(vectors[:, : len(centre)] - centre)


def mixed(
    energies: np.ndarray, cosine: np.ndarray, columns: Sequence[int], temperature: float, mix: Mix = MIX
) -> np.ndarray:
    """Energies of which those of taught labels follow from words and examples.

    What a label's words say against all other candidates, background included, and how like its examples the window
    is, make its odds against these candidates; so its energy stays comparable with theirs.

    Args:
        energies: float32 `[B, K + N]`, of labels by their words, then of the background.
        cosine: float32 `[B, M]` of windows with prototypes, those of the labels in `columns`.
    """
    logits = -energies / np.float32(temperature)
    out = energies.copy()
    for column, like in zip(columns, cosine.T, strict=True):
        rest = log_sum_exp(np.delete(logits, column, axis=1))
        rest = np.where(np.isfinite(rest), rest, logits[:, column])  # a label alone has no others to compare with
        odds = mix.word * (logits[:, column] - rest) + mix.like * like + mix.bias
        out[:, column] = -np.float32(temperature) * (rest + odds)
    return out


class Prototyped:
    """A ranker that also knows some labels by shots of them.

    shots: by folded name (`edge_app.ranker.labels.label.fold`), the features of each shot's windows. centre: as in
    `prototype`. Labels without shots keep their energies, bit for bit.
    """

    def __init__(self, ranker: Ranker, shots: Mapping[str, Sequence[np.ndarray]], centre: np.ndarray) -> None:
        self.kind, self.calibration = ranker.kind, ranker.calibration
        self._ranker, self._centre = ranker, centre
        self._known = {name: prototype(own, centre) for name, own in shots.items()}

    def set_labels(self, table: LabelTable) -> None:
        self._ranker.set_labels(table)
        self.table = table
        names = list(map(fold, table.names))
        self._columns = [i for i, name in enumerate(names) if name in self._known]
        self._directions = np.array([self._known[names[i]] for i in self._columns]).reshape(-1, len(self._centre))

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + N]`, as the ranker's."""
        cosine = placed(vectors, self._centre) @ self._directions.T
        energies = self._ranker.energies(vectors)
        return mixed(energies, cosine, self._columns, self.calibration.temperature)

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        return rank_each(features, self.energies, self.table, self.calibration)
