"""The shipped tables of motions, and how a label finds its entry in them, whatever way it is asked for."""

from __future__ import annotations

import configparser
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

PHRASE = 8
"""The most words of a name in which a motion is looked for."""


@dataclass(frozen=True, slots=True)
class Action:
    """An entry of the shipped table: a motion of one person, in words.

    description: how the whole body moves. arms, legs, torso: the same, a part of the body at a time. asked: other ways
    to ask for it, which are looked up but never embedded.
    """

    name: str
    paraphrases: tuple[str, ...]
    description: str
    arms: str
    legs: str
    torso: str
    asked: tuple[str, ...] = ()


@cache
def actions() -> tuple[Action, ...]:
    """The shipped table of everyday actions, in the order of its file. Bundles know them as their background."""
    return _read("actions.ini")


@cache
def more_actions() -> tuple[Action, ...]:
    """Entries that are looked up after those of `actions`, and are in the background of no bundle."""
    return _read("more_actions.ini")


def read_table(file: str) -> dict[str, dict[str, str]]:
    """The entries of a table that ships beside this module, by name."""
    parser = configparser.ConfigParser(delimiters=(":",), comment_prefixes=("#",), interpolation=None)
    parser.read_string((Path(__file__).parent / file).read_text("utf-8"))
    return {name: dict(entry) for name, entry in parser.items() if name != parser.default_section}


def _read(file: str) -> tuple[Action, ...]:
    return tuple(
        Action(
            name=name,
            paraphrases=listed(entry["also"]),
            description=entry["body"],
            arms=entry["arms"],
            legs=entry["legs"],
            torso=entry["torso"],
            asked=listed(entry.get("asked", "")),
        )
        for name, entry in read_table(file).items()
    )


def listed(names: str) -> tuple[str, ...]:
    """The names of a list in a table, ";" between."""
    return tuple(part.strip() for part in names.split(";") if part.strip())


def fold(name: str) -> str:
    """What is the same for two names that are the same label."""
    return unicodedata.normalize("NFKC", name).casefold()


def named_action(name: str) -> Action | None:
    """The entry that has this very name or paraphrase, or is asked for so, or None."""
    return _by(_plain).get(_plain(name))


def find_action(name: str) -> Action | None:
    """The entry of the shipped table that a name means, or None.

    A name or paraphrase as it stands comes first, then one with the same `action_key`. Failing that, what stands
    before, then inside, brackets, and what stands around slashes: "hopping (one foot jumping)", "sneeze/cough". Then
    an entry with the same words in another order, or written together: "swing baseball", "arm cross", "skipRope". Last,
    the name without the limb, if the entry moves as many: "right hand draw x", "kick with the left foot". At each step
    names and paraphrases come before what is only `asked`.
    """
    inside = re.findall(r"\((.*?)\)", name)
    for part in (name, re.sub(r"\(.*?\)", " ", name), *inside, *name.split("/")):
        if action := _worded(part):
            return action
    return _by(_words).get(_words(name)) or _by(_together).get(_together(name)) or _without_limb(name)


def _worded(name: str) -> Action | None:
    return named_action(name) or _by(action_key).get(action_key(name))


def action_within(name: str) -> Action | None:
    """The entry that a part of a name means, or None: of "flying kick" that of "kick".

    The longest run of words that means one; of equally long ones the last, for English puts last what a thing is.
    "Standing" and "sitting" say how something is done, and are passed over. More than `PHRASE` words are a sentence,
    which speaks for itself.

    Example:
        >>> action_within("injured standing jump").name
        'jump'
    """
    words = _spaced(name).split()
    if len(words) > PHRASE:
        return None
    for length in range(len(words) - 1, 0, -1):
        for start in range(len(words) - length, -1, -1):
            part = " ".join(words[start : start + length])
            if len(part) > 2 and part not in ("standing", "sitting") and (action := _worded(part)):
                return action
    return None


def action_key(name: str) -> str:
    """A name reduced to what is looked up: "Waving your left hand" and "wave a hand" have the same key.

    Articles, possessives, who acts ("a person is", "he is", "to"), the side of the body, the -s of plurals and of the
    third person, and -ing go. "Hands" and "arms" stay, since one hand and both hands move differently.
    """
    return " ".join(map(_stem, _reduced(name)))


_SMALL = frozenset(
    ("a", "an", "the", "your", "my", "his", "her", "their", "one", "ones", "do", "does", "doing", "perform", "performs",
     "performing", "s")  # s: of "child_s pose"
)  # fmt: skip
_WHO = re.compile(
    r"^(((a|an|the) )?(person|man|woman|human|someone|somebody|people) |(he|she|they|i|we|you) )?"
    r"((who|that) )?((is|are|am|was|were|to be) |to )?((the )?(act|action|motion) of )?(?=.)"
)
_LIMB = r"(?P<count>left|right|one|two|both) (?P<limb>hand|arm|leg|foot|feet)(s|ed)?"
_BESIDE = (rf"{_LIMB} (?P<rest>.+)", rf"(?P<rest>.+) (with|using) ((the|your|my|his|her|a) )?{_LIMB}")


def _spaced(name: str) -> str:
    """The words of a name, one space between: of "JumpRope", "jump_rope" and "Jump-rope" the same."""
    text = fold(re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name))
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"['’]s\b", "", text)))


@lru_cache(maxsize=20_000)
def _reduced(name: str) -> tuple[str, ...]:
    words = [word for word in re.sub(_WHO, "", _spaced(name)).split() if word not in _SMALL]
    return tuple(re.sub(r"\b(left|right|other) (?=(hand|arm|leg|foot)\b)", "", " ".join(words)).split())


def _stem(word: str) -> str:
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 and word not in ("hands", "arms"):
        word = word[:-1]
    if word.endswith("ing") and re.search("[aeiouy]", word[:-3]):
        word = word[:-3]
        if len(word) > 2 and word[-1] == word[-2] and word[-1] not in "lsz":
            word = word[:-1]
        if word == "ty":  # tying; lying down, a state, is kept from to lie down
            return "ti"
    if word.endswith("y") and len(word) > 2:
        return word[:-1] + "i"
    return word[:-1] if word.endswith("e") and len(word) > 2 else word


def _plain(name: str) -> str:
    return fold(name).strip()


def _words(name: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in action_key(name).split())


def _together(name: str) -> str:
    return _stem("".join(_reduced(name)))


def _without_limb(name: str) -> Action | None:
    """The entry of a name less the limb before or after it, if that entry moves one or both as the name says."""
    for pattern in _BESIDE:
        if found := re.fullmatch(pattern, _spaced(name)):
            action = find_action(found["rest"])
            if action is None:
                return None
            part, one = (action.arms, "one ") if found["limb"] in ("hand", "arm") else (action.legs, "one leg")
            return action if part.startswith(one) == (found["count"] not in ("two", "both")) else None
    return None


@cache
def _by(key: Callable[[str], Hashable]) -> dict[Hashable, Action | None]:
    """Entries by a key of their names, then of what else they are asked by; None where two have the same."""
    entries = (*actions(), *more_actions())
    asked = _index(key, ((name, action) for action in entries for name in action.asked))
    return asked | _index(key, ((name, action) for action in entries for name in (action.name, *action.paraphrases)))


def _index(key: Callable[[str], Hashable], names: Iterable[tuple[str, Action]]) -> dict[Hashable, Action | None]:
    found: dict[Hashable, Action | None] = {}
    for name, action in names:
        same = found.setdefault(key(name), action)
        if same is not action:
            found[key(name)] = None
    return found
