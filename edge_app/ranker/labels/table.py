"""What to look for, in words: parsing what the user wrote, and the table of embeddings that a ranker compares with.

A label is a name. Around the name stand more texts: the user's own synonyms and description, or, where the name is
known, the paraphrases and the description of the motion from `actions.ini`, which ships with the program, or from
`more_actions.ini`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol

import numpy as np

from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import action_within, find_action, fold
from edge_app.ranker.labels.label import Label, check_names

Kind = Literal["name", "paraphrase", "description", "arms", "legs", "torso"]
NAMING: tuple[Kind, ...] = ("name", "paraphrase")
DESCRIBING: tuple[Kind, ...] = ("description",)
PARTS: tuple[Kind, ...] = ("arms", "legs", "torso")


class Encoder(Protocol):
    """What `build_table` needs of a text encoder; `edge_app.ranker.labels.text_encoder.TextEncoder` is one."""

    id: str
    dim: int

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Text:
    """A text that stands for a label, and what kind of text it is."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Labels and the embeddings of their texts. Made by `build_table`; never changed, only replaced as a whole.

    version: grows by one with every change; goes out with each message.
    encoder_id: which text encoder made the vectors.
    texts: for each label its texts, in the order of the rows; the first is the name.
    vectors: float32 `[N, dim]`, unit length, one row a text, label after label.

    Raises:
        UsageError: vectors that do not fit the texts, are not finite or not of unit length; a name twice.
    """

    version: int
    labels: tuple[Label, ...]
    encoder_id: str
    texts: tuple[tuple[Text, ...], ...]
    vectors: np.ndarray = field(repr=False)

    def __post_init__(self) -> None:
        check_names(self.labels)
        rows = sum(map(len, self.texts))
        if len(self.texts) != len(self.labels) or self.vectors.ndim != 2 or len(self.vectors) != rows:
            raise UsageError(
                f"label table: {len(self.labels)} labels with {rows} texts, but vectors of shape {self.vectors.shape}"
            )
        lengths = np.linalg.norm(self.vectors.astype(np.float64), axis=1)
        if not np.all(np.abs(lengths - 1) < 1e-3):
            raise UsageError("label table: vectors must be finite and of length 1 (± 0.001)")

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    @property
    def enter(self) -> tuple[float | None, ...]:
        """As in `Ranking`: empty where no label has a threshold of its own."""
        own = tuple(label.enter for label in self.labels)
        return own if any(own) else ()

    @property
    def dim(self) -> int:
        """Length of one embedding."""
        return int(self.vectors.shape[1])

    def mean(self, kinds: Sequence[Kind]) -> np.ndarray:
        """The mean embedding of each label's texts of these kinds, scaled to unit length: float32 `[K, dim]`.

        A label that has no such text gets the mean of its names instead.
        """
        out = np.empty((len(self.labels), self.dim), np.float32)
        start = 0
        for row, texts in enumerate(self.texts):
            chosen = [i for i, text in enumerate(texts, start) if text.kind in kinds]
            chosen = chosen or [i for i, text in enumerate(texts, start) if text.kind in NAMING]
            mean = self.vectors[chosen].mean(axis=0, dtype=np.float64)
            out[row] = mean / np.linalg.norm(mean)
            start += len(texts)
        return out

    def pooled(self, *, parts: bool = False) -> np.ndarray:
        """What rankers read: for each label the mean of its names, then that of its description.

        float32 `[K, 2 * dim]`; each half has unit length, so the dot product of two rows is 2 for equal labels. With
        parts, the texts of arms, legs and torso follow: `[K, 5 * dim]`.
        """
        means = [self.mean(NAMING), self.mean(DESCRIBING), *(self.mean((part,)) for part in PARTS if parts)]
        return np.concatenate(means, axis=1)


def texts_for(label: Label) -> tuple[Text, ...]:
    """Every text that stands for a label, all in English; the first is its name.

    The user's description takes the place of all that the shipped table knows. Without one, the table is asked for
    the name, then for the synonyms, and an entry found gives all its names and its four descriptions. The user's own
    name then counts beside the same words in the table, so two labels that mean one entry still differ. A name that no
    entry means, but a part of it does, gets that entry's name beside it (train/EXPERIMENTS.md, section 33).
    """
    name, *others = label.english
    texts = [Text("name", name), *(Text("paraphrase", other) for other in others)]
    if label.description:
        return (*texts, Text("description", label.description))
    action = next(filter(None, map(find_action, label.english)), None)
    if action is None:
        within = next(filter(None, map(action_within, label.english)), None)
        return (*texts, Text("paraphrase", within.name)) if within else tuple(texts)
    texts += [Text("paraphrase", name) for name in (action.name, *action.paraphrases)]
    texts += [Text("description", action.description), Text("arms", action.arms)]
    return (*texts, Text("legs", action.legs), Text("torso", action.torso))


def build_table(labels: Sequence[Label], encoder: Encoder, version: int) -> LabelTable:
    """Embed all texts of all labels.

    Raises:
        UsageError: the text encoder is not installed, or as `LabelTable`.
    """
    texts = tuple(texts_for(label) for label in labels)
    flat = [text.text for row in texts for text in row]
    vectors = encoder.encode(flat) if flat else np.zeros((0, encoder.dim), np.float32)
    return LabelTable(version, tuple(labels), encoder.id, texts, vectors)


def known_to(labels: Sequence[Label], concepts: Iterable[str]) -> list[bool]:
    """Which labels mean one of the concepts that a model was trained on, as the shipped table understands both.

    A label that its user describes stands for that description, and is known to no training.
    """
    named = named_as(labels, concepts)
    return [same and not label.description for label, same in zip(labels, named, strict=True)]


def named_as(labels: Sequence[Label], concepts: Iterable[str]) -> list[bool]:
    """Which labels' names mean one of the concepts, whatever their users describe."""
    wanted = {_meaning(concept) for concept in concepts}
    return [any(_meaning(name) in wanted for name in label.english) for label in labels]


@lru_cache(maxsize=20_000)
def _meaning(name: str) -> str:
    action = find_action(name)
    return action.name if action else fold(name)
