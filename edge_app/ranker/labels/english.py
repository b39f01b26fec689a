"""What the user's words mean in English, the only language that the text encoder knows, and how sure that is."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from edge_app.ranker.labels.actions import actions, find_action, more_actions, named_action
from edge_app.ranker.labels.languages import LANGUAGES, find_label, names
from edge_app.ranker.labels.text_encoder import pieces, vocabulary, words

Sure = Literal["yes", "maybe", "no"]
LIKELY, HARDLY = 1 / 3, 1 / 2
"""Shares of a text's letters in words that are known. Below the first it is doubtful; up to the second it is taken for
another language if anything speaks for one. Chosen on Spanish, German and English phrases, see docs/labels.md."""
SHARED = frozenset(
    words(
        "aide alto aria chariot chose coup cuisine dare designer diagonal die dire due elevation elevations fare "
        "figure frontal handy lever lit main mesa opposes pie pointe pointer porter scale solo son stare tour traction "
        "via viola"
    )
)
"""English words that are words of other languages too: they speak for none."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a text is understood.

    english: what is embedded. sure: yes, maybe, or no: it means nothing, or something else, to the text encoder.
    why: one clause on the doubt.
    """

    english: str
    sure: Sure = "yes"
    why: str = ""


@lru_cache(maxsize=20_000)
def read(text: str) -> Reading:
    """A name or description as the English tables know it, else as those of other languages do, else word by word."""
    if named_action(text):
        return Reading(text)
    labels = find_label(text)
    if len(set(labels.values())) == 1:
        return Reading(next(iter(labels.values())))
    if labels:
        both = " and ".join(f"{label!r} in {LANGUAGES[language]}" for language, label in labels.items())
        return Reading(text, "no", f"it is {both}")
    reading, action = read_words(text), find_action(text)
    if action is None:
        return reading
    return Reading(action.name if reading.sure == "no" else text)


def read_words(text: str) -> Reading:
    """A text by its words alone, as a description is: what the English tables or the vocabulary have whole is known."""
    found = [word for word in words(text) if any(map(str.isalnum, word))]
    for word in found:
        if not _is_latin(word) or vocabulary()["[UNK]"] in pieces(word):
            return Reading(text, "no", "it is not in English letters")
    letters = sum(map(len, found))
    known = sum(len(word) for word in found if _is_known(word)) / letters if letters else 0.0
    if any(word in _foreign() for word in found) or any(c.isalpha() and not c.isascii() for c in text):
        why = "its words are those of another language"
        return Reading(text, "no" if known <= HARDLY else "maybe", why)
    return Reading(text) if known >= LIKELY else Reading(text, "maybe", "its words are rare, or of another language")


def _is_latin(word: str) -> bool:
    return all(not c.isalpha() or unicodedata.name(c, "").startswith(("LATIN", "FULLWIDTH LATIN")) for c in word)


def _is_known(word: str) -> bool:
    if word in _foreign():
        return False
    stem = word.removesuffix("ing")
    return any(form in _english() or form in vocabulary() for form in (word, stem, f"{stem}e"))


@cache
def _english() -> frozenset[str]:
    """The words of the English tables."""
    entries = (*actions(), *more_actions())
    texts = [(e.name, *e.paraphrases, *e.asked, e.description, e.arms, e.legs, e.torso) for e in entries]
    return frozenset(word for each in texts for text in each for word in words(text))


@cache
def _foreign() -> frozenset[str]:
    """The words of names in other languages that are no English words."""
    own = [name for entry in names().values() for each in entry.values() for name in each]
    return frozenset(word for name in own for word in words(name) if word.isalpha()) - _english() - SHARED
