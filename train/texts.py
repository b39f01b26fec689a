"""Texts of concepts as training sees them: the same table as the device's, but sampled."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_app.labels import NAMING, Label, build_table
from edge_app.text import TextEncoder


class ConceptTexts:
    """Embeddings of every text of every concept. `dim` is the width of a pooled text (names, then description)."""

    def __init__(self, concepts: Sequence[str]) -> None:
        self.table = build_table([Label(concept) for concept in concepts], TextEncoder(), 0)
        self.index = {concept: i for i, concept in enumerate(concepts)}
        self.dim = 2 * self.table.dim
        self._pooled = self.table.pooled()
        rows = iter(self.table.vectors)
        self._names, self._descriptions = [], []
        for texts in self.table.texts:
            vectors = [(text.kind, next(rows)) for text in texts]
            self._names.append(np.stack([v for kind, v in vectors if kind in NAMING]))
            self._descriptions.append([v for kind, v in vectors if kind not in NAMING])

    def pooled(self, concepts: Sequence[str]) -> np.ndarray:
        """As the device makes them: float32 `[K, dim]`, unit length rows."""
        return self._pooled[[self.index[concept] for concept in concepts]] / np.float32(np.sqrt(2))

    def sample(self, concepts: Sequence[str], rng: np.random.Generator, no_description: float = 0.15) -> np.ndarray:
        """A fresh mixture of each concept's texts: float32 `[K, dim]`, unit length rows.

        Random weights over names and over description with body parts; with probability `no_description` the names
        stand for the description too, as on the device for words that the shipped table does not know.
        """
        out = np.empty((len(concepts), self.dim), np.float32)
        half = self.table.dim
        for row, concept in enumerate(concepts):
            i = self.index[concept]
            names = _mixture(self._names[i], rng)
            described = self._descriptions[i] and rng.random() >= no_description
            out[row, :half] = names
            out[row, half:] = _mixture(np.stack(self._descriptions[i]), rng) if described else names
        return out / np.float32(np.sqrt(2))


def _mixture(vectors: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    mixed = rng.dirichlet(np.full(len(vectors), 0.5)).astype(np.float32) @ vectors
    return mixed / np.linalg.norm(mixed)
