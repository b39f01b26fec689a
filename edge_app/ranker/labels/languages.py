"""Names of everyday motions in other languages, as `names.ini` has them."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from edge_app.ranker.labels.actions import fold, listed, read_table

LANGUAGES = {
    "es": "Spanish", "de": "German", "fr": "French", "it": "Italian", "pt": "Portuguese", "zh": "Chinese",
    "ja": "Japanese", "ko": "Korean",
}  # fmt: skip
_ARTICLES = re.compile("el|la|una?|lo|d(?:er|ie|as|en|em)|eine?[nm]?|le|une|l|il|uno|o|uma?")  # "les" may be many
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


@cache
def names() -> dict[str, dict[str, tuple[str, ...]]]:
    """By label of the English tables, by language: what it is called there, the usual name first."""
    entries = read_table("names.ini").items()
    return {label: {language: listed(text) for language, text in entry.items()} for label, entry in entries}


def find_label(name: str) -> dict[str, str]:
    """The labels of the English tables that a name means in other languages, by language.

    Case, accents, articles, and what is between words, do not matter: "winken", "agitar mano", "손흔들기".
    """
    return _labels().get(_key(name), {})


@cache
def _labels() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for label, entry in names().items():
        for language, own in entry.items():
            for name in own:
                for spelling in (name, fold(name).translate(_UMLAUTS)):
                    found.setdefault(_key(spelling), {})[language] = label
    return found


def _key(name: str) -> str:
    plain = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", fold(name)))
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFC", plain))
    return "".join([word for word in words if not _ARTICLES.fullmatch(word)] or words)
