"""Labels known by example: what a few shots of a motion look like, joined with what its words say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from edge_app.ranker.calibration import log_sum_exp
from edge_app.ranker.labels.actions import fold
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.layers import unit
from edge_app.ranker.ranker import Adjust


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


@dataclass(frozen=True, slots=True)
class Prototypes:
    """Lets a ranker know some labels by shots of them too. Labels without shots keep their energies, bit for bit.

    directions: the prototype of each label, by folded name (`edge_app.ranker.labels.label.fold`). centre: as in
    `prototype`. temperature: of the ranker's calibration.
    """

    directions: Mapping[str, np.ndarray]
    centre: np.ndarray
    temperature: float

    @classmethod
    def of(cls, shots: Mapping[str, Sequence[np.ndarray]], centre: np.ndarray, temperature: float) -> Prototypes:
        """From the features of each shot's windows, by folded name."""
        return cls({name: prototype(own, centre) for name, own in shots.items()}, centre, temperature)

    def with_labels(self, table: LabelTable) -> Adjust:
        names = list(map(fold, table.names))
        columns = [i for i, name in enumerate(names) if name in self.directions]
        directions = np.array([self.directions[names[i]] for i in columns]).reshape(-1, len(self.centre))

        def adjust(vectors: np.ndarray, energies: np.ndarray) -> np.ndarray:
            return mixed(energies, placed(vectors, self.centre) @ directions.T, columns, self.temperature)

        return adjust
