"""What a network that learned from web videos says, beside a ranker: ConSE (Norouzi et al. 2014) as one more term.

The network's classes have names. A label takes its share of what the network sees from the classes whose names are like
it. It knows real cameras, which laboratories do not show; of labels that are like none of its classes it says little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_app.ranker.layers import softmax, unit
from edge_app.ranker.ranker import Energies, EnergyModel

LIKENESS = 0.05
"""Temperature of the softmax over labels of a class name's cosines with them."""
FLOOR = 0.03
"""A label's share counts from here on: that the network does not see it is no more than a hint."""


@dataclass(frozen=True, slots=True)
class WebClasses:
    """texts: float32 `[C, E]`, pooled texts of the classes' names, of length 1, about `mean`. mean: float32 `[E]`."""

    texts: np.ndarray
    mean: np.ndarray

    def likeness(self, texts: np.ndarray) -> np.ndarray:
        """How a class is shared out among texts `[K, E or more]` of any length: float32 `[C, K]`, rows sum to 1."""
        width = len(self.mean)
        return softmax(self.texts @ unit(unit(texts[:, :width]) - self.mean).T / np.float32(LIKENESS))


class WithConse:
    """An `EnergyModel` with this term; the shares of the classes are the last numbers of a feature.

    FDSM goes without: it matches a part of the background alone, another one for each window.

    Args:
        model: whose energies are lowered.
        weight: energy for each unit of the logarithm of a label's share.
    """

    def __init__(self, model: EnergyModel, classes: WebClasses, weight: float) -> None:
        self.model, self.kind, self.text_width, self.parts = model, model.kind, model.text_width, model.parts
        self._classes, self._weight = classes, np.float32(weight)

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        """As `EnergyModel.with_texts`. Classes are shared out among labels and background together."""
        own, likeness = self.model.with_texts(texts, labels), self._classes.likeness(texts)
        return lambda vectors: own(vectors[:, : -len(likeness)]) - self._weight * heard(vectors, likeness)


def heard(vectors: np.ndarray, likeness: np.ndarray) -> np.ndarray:
    """Logarithm of each text's share: features `[B, D]`, whose last C numbers are shares of classes, to `[B, K]`.

    likeness: `[C, K]`, of `WebClasses.likeness`. A share below 0, which only a wrong engine gives, counts as 0.
    """
    shares = np.maximum(vectors[:, -len(likeness) :], 0)
    return np.log(shares @ likeness + np.float32(FLOOR))
