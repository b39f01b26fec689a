"""Texts of concepts as training sees them: the same table as the device's, but sampled."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import numpy as np
from torch import Tensor

from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import NAMING, PARTS, build_table
from edge_app.ranker.labels.text_encoder import TextEncoder

Bank = TypeVar("Bank", bound="TextBank")


class TextBank:
    """Embeddings of all texts of many meanings.

    Args:
        names: for each meaning float32 `[n, E]`, n at least 1.
        descriptions: float32 `[m, E]`, of the whole body, then of arms, legs and torso; m may be 0.
    """

    parts = False
    """Whether a text goes on with those of arms, legs and torso, as `LabelTable.pooled` has them."""

    def __init__(self, names: Sequence[np.ndarray], descriptions: Sequence[np.ndarray]) -> None:
        self._names, self._named = _padded(names)
        self._described_by, self._described = _padded(descriptions, self._names.shape[2], 1 + len(PARTS))
        self.dim = 2 * self._names.shape[2]
        """Width of a pooled text: names, then description; then parts, if they are told."""

    @classmethod
    def joined(cls, one: TextBank, other: TextBank) -> TextBank:
        """Both, `one` first."""
        groups = [[v[there] for bank in (one, other) for v, there in zip(*part(bank), strict=True)] for part in (
            lambda b: (b._names, b._named), lambda b: (b._described_by, b._described))]  # fmt: skip
        return cls(*groups)

    def with_parts(self: Bank) -> Bank:
        """The same texts, each followed by those of arms, legs and torso."""
        told = copy.copy(self)
        told.parts, told.dim = True, self.dim + len(PARTS) * self._names.shape[2]
        return told

    def sample(self, rows: np.ndarray, rng: np.random.Generator, no_description: float = 0.15) -> np.ndarray:
        """A fresh mixture of each meaning's texts: float32 `[K, dim]`, unit length rows, but for the parts.

        Random weights over names and over description with body parts; with probability `no_description` the names
        stand for the description too, and for each part's, as on the device for words that the shipped table does not
        know. Texts of parts have unit length each.
        """
        rows = np.asarray(rows)
        names = _mixtures(self._names[rows], self._named[rows], rng)
        plain = ~self._described[rows].any(axis=1) | (rng.random(len(rows)) < no_description)
        described = _mixtures(self._described_by[rows], self._described[rows], rng)
        whole = [names, np.where(plain[:, None], names, described)]
        text = np.concatenate(whole, axis=1) / np.float32(np.sqrt(2))
        if not self.parts:
            return text
        parts = self._described_by[rows, 1 : 1 + len(PARTS)]
        return np.concatenate([text, *np.where(plain[:, None], names, parts.swapaxes(0, 1))], axis=1)


class ConceptTexts(TextBank):
    """The texts of named concepts, looked up as the device looks up labels."""

    def __init__(self, concepts: Sequence[str]) -> None:
        table = build_table([Label(concept) for concept in concepts], TextEncoder(), 0)
        self.index = {concept: i for i, concept in enumerate(concepts)}
        self._pooled = table.pooled(parts=True)
        rows = iter(table.vectors)
        names, descriptions = [], []
        for texts in table.texts:
            vectors = [(text.kind in NAMING, next(rows)) for text in texts]
            names.append(np.array([v for naming, v in vectors if naming]))
            descriptions.append(np.array([v for naming, v in vectors if not naming]).reshape(-1, table.dim))
        super().__init__(names, descriptions)

    def rows(self, concepts: Sequence[str]) -> np.ndarray:
        return np.array([self.index[concept] for concept in concepts])

    def pooled(self, concepts: Sequence[str]) -> np.ndarray:
        """As the device makes them: float32 `[K, dim]`, unit length rows, but for the parts."""
        whole, parts = np.split(self._pooled[self.rows(concepts), : self.dim], [2 * self._names.shape[2]], axis=1)
        return np.concatenate([whole / np.float32(np.sqrt(2)), parts], axis=1)


@dataclass(frozen=True)
class FixedTexts:
    """One vector a class, of whatever encoder, the same at every step; stands where `ConceptTexts` does.

    vectors: float32 `[K, E]`, unit length rows; names: of the classes, as many.
    """

    names: tuple[str, ...]
    vectors: np.ndarray

    @property
    def dim(self) -> int:
        return self.vectors.shape[1]

    def rows(self, names: Sequence[str]) -> np.ndarray:
        return np.array([self.names.index(name) for name in names])

    def pooled(self, names: Sequence[str]) -> np.ndarray:
        return self.vectors[self.rows(names)]

    def sample(self, rows: np.ndarray, rng: np.random.Generator, no_description: float = 0.0) -> np.ndarray:
        return self.vectors[rows]

    def twice(self) -> FixedTexts:
        """The same vector for the names and for the description."""
        return FixedTexts(self.names, np.concatenate([self.vectors, self.vectors], axis=1) / np.float32(np.sqrt(2)))


@dataclass(frozen=True)
class RowTexts(FixedTexts):
    """Several rows of numbers a class, as a text encoder gives them: tokens, then the pooled row; or one row alone.

    vectors: float32 `[K, E]`, the rows side by side, unscaled: `count` rows of the sparse text, then, if `pair`, as
    many of the rich one.
    """

    count: int
    pair: bool

    @property
    def width(self) -> int:
        """Of one row."""
        return self.dim // (self.count * (2 if self.pair else 1))

    def both(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Sparse and rich texts of `[K, E]`; the same where there is no pair."""
        sparse, rich = text.chunk(2, dim=1) if self.pair else (text, text)
        return sparse, rich

    def sparse(self) -> RowTexts:
        return RowTexts(self.names, self.vectors[:, : self.count * self.width], self.count, False)


def centre_of(texts: ConceptTexts | FixedTexts, names: list[str]) -> np.ndarray:
    """Mean of the shipped table's texts; of the names' own, where the texts are of another encoder: float32 `[dim]`."""
    return mean_text(texts.parts) if isinstance(texts, ConceptTexts) else texts.pooled(names).mean(axis=0)


@cache
def mean_text(parts: bool = False) -> np.ndarray:
    """Mean of the pooled texts of the shipped table, float32 `[dim]`: the same whatever is trained on."""
    names = [action.name for action in actions()]
    texts = ConceptTexts(names)
    return (texts.with_parts() if parts else texts).pooled(names).mean(axis=0)


def _padded(groups: Sequence[np.ndarray], width: int = 0, least: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Groups of rows `[n, E]` as float32 `[N, most, E]`, and which rows are there, bool `[N, most]`."""
    most = max(least, *map(len, groups))
    out = np.zeros((len(groups), most, width or groups[0].shape[1]), np.float32)
    there = np.zeros((len(groups), most), bool)
    for i, group in enumerate(groups):
        out[i, : len(group)] = group
        there[i, : len(group)] = True
    return out, there


def _mixtures(vectors: np.ndarray, there: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random mixture (Dirichlet, 0.5) of each group, unit length: `[K, n, E] -> [K, E]`."""
    weights = rng.gamma(0.5, size=there.shape).astype(np.float32) * there + np.float32(1e-9)
    mixed = np.einsum("kn,kne->ke", weights, vectors)
    return mixed / np.maximum(np.linalg.norm(mixed, axis=1, keepdims=True), 1e-12)
