"""Many labels: a first pass picks those that are worth an exact energy, and says what to expect of the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

MANY = 1000
"""Labels up to which every energy is exact in any case."""
NEAREST, SPREAD = 200, 100
"""How many of more labels are looked at: those that lie nearest, and some from all over the list."""
DIRECTIONS = 128
"""In which the places of labels differ most; distances are taken in these alone."""


class FirstPass:
    """Exact energies for the labels nearest to a feature, a few others, and all of the background.

    The others' energies are what their distance lets expect, by a line through the labels that were looked at. So they
    are right on the whole, which is what scores and `known` need, and not one by one.

    Args:
        expected: float32 `[K, D]`, the feature that a model expects of each label. K is over `MANY`.
        background: number of texts that follow the labels.
    """

    def __init__(self, expected: np.ndarray, background: int) -> None:
        _, directions = np.linalg.eigh(expected.T @ expected)
        self._directions = directions[:, -DIRECTIONS:].copy()
        self._places = expected @ self._directions
        self._squared = np.square(expected).sum(axis=1)
        labels = len(expected)
        self._spread = np.arange(0, labels, labels // SPREAD)
        self._background = np.arange(labels, labels + background)

    def energies(self, x: np.ndarray, exact: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """float32 `[D] -> [K + N]`. exact: energies of the candidates with these indices."""
        distance = self._squared - 2 * (self._places @ (x @ self._directions))
        own = np.union1d(np.argpartition(distance, NEAREST)[:NEAREST], self._spread)
        found, background = np.split(exact(np.concatenate([own, self._background])), [len(own)])
        slope, offset = np.polyfit(distance[own], found, 1)
        energies = np.concatenate([slope * distance + offset, background]).astype(np.float32)
        energies[own] = found
        return energies
