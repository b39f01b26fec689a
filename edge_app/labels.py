"""What to look for, in words: parsing what the user wrote, and the table of embeddings that a ranker compares with.

A label is a name. Around the name stand more texts: the user's own synonyms and description, or, where the name is
known, the paraphrases and the description of the motion from `data/actions.ini`, which ships with the program, or from
`data/more_actions.ini`.
"""

from __future__ import annotations

import configparser
import os
import re
import unicodedata
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from edge_app.errors import UsageError

PROFILES = Path(__file__).parent / "data" / "labels"
MAX_LABELS = 10_000
MAX_NAME = 80
MAX_DESCRIPTION = 400
MAX_SYNONYMS = 16
MAX_LINE = MAX_NAME * (MAX_SYNONYMS + 1) + MAX_DESCRIPTION + 100
MAX_BYTES = 8 * 2**20

Kind = Literal["name", "paraphrase", "description", "arms", "legs", "torso"]
NAMING: tuple[Kind, ...] = ("name", "paraphrase")
DESCRIBING: tuple[Kind, ...] = ("description",)


class Encoder(Protocol):
    """What `build_table` needs of a text encoder; `edge_app.text.TextEncoder` is one."""

    id: str
    dim: int

    def encode(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Label:
    """One thing to look for, as the user wrote it: a name, other names for it, and a description ("" for none).

    enter: the belief from which on it starts; None for that of the settings (`edge_app.events.EventConfig.enter`).
    """

    name: str
    synonyms: tuple[str, ...] = ()
    description: str = ""
    enter: float | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """Everything the user wrote, the name first."""
        return (self.name, *self.synonyms, *filter(None, [self.description]))


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
        checked(self.labels)
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

    def pooled(self) -> np.ndarray:
        """What rankers read: for each label the mean of its names, then that of its description.

        float32 `[K, 2 * dim]`; each half has unit length, so the dot product of two rows is 2 for equal labels.
        """
        return np.concatenate([self.mean(NAMING), self.mean(DESCRIBING)], axis=1)


def parse_labels(text_or_path: str) -> tuple[Label, ...]:
    """Labels as given on a command line: a list that ships, a label file's path, or what `parse_text` reads.

    The lists in `data/labels` go by their names, such as "fitness" ("fitness," is the word). It is a path if there is
    such a file, if it ends in ".txt", or if a folder of that path exists. Only for words that come from the machine's
    own user: what comes over a socket goes to `parse_lines`, which opens no file.

    Raises:
        UsageError: one line that says where, what was found and what is allowed.
    """
    if text_or_path in profiles():
        return read_labels(PROFILES / f"{text_or_path}.txt")
    if len(text_or_path) <= 4096 and "\n" not in text_or_path and text_or_path.strip():
        path = os.path.expanduser(text_or_path.strip())
        folder = os.path.dirname(path)
        if os.path.isfile(path) or path.lower().endswith(".txt") or (folder and os.path.isdir(folder)):
            return read_labels(Path(path))
    return parse_text(text_or_path)


def profiles() -> list[str]:
    """Names of the label lists that ship."""
    return sorted(path.stem for path in PROFILES.glob("*.txt"))


def parse_text(text: str) -> tuple[Label, ...]:
    """Labels from "wave, fall down, drink water", or, where there are several lines, from the lines of a label file.

    Raises:
        UsageError: as `parse_lines`.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"labels: {len(text):,} characters found, at most {MAX_BYTES:,} are allowed")
    if "\n" in text.strip():
        return parse_lines(text.split("\n"))
    items = [item for item in text.strip().split(",") if item.strip()]
    for number, item in enumerate(items, 1):
        if len(item) <= MAX_LINE and (":" in item or "=" in item):
            raise UsageError(f"label {number}: found {_show(item)}; ':' and '=' are allowed only in a label file")
    return parse_lines(items, "label")


def read_labels(path: Path, *, may_be_empty: bool = False) -> tuple[Label, ...]:
    """Labels from a UTF-8 file of at most 8 MiB, read by `parse_lines`.

    Raises:
        UsageError: no such file, not UTF-8, too large, or as `parse_lines`.
    """
    try:
        if not path.is_file():
            raise UsageError(f"labels: no file {_show(str(path))}; give a label file, or names with commas between")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"labels: {_show(str(path))} cannot be read ({error})") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"labels: {_show(str(path))} is larger than the {MAX_BYTES // 2**20} MiB allowed")
    try:
        lines = data.decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{_show(path.name)}, line {number}: byte 0x{data[error.start]:02x} found, must be UTF-8"
        ) from None
    return parse_lines(lines, f"{_show(path.name)}, line", may_be_empty=may_be_empty)


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """A file that `read_labels` reads as these labels, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text("".join(line_of(label) + "\n" for label in labels), "utf-8")
    os.replace(part, path)


def line_of(label: Label) -> str:
    """The line of a label file that `parse_lines` reads as this label."""
    synonyms = f" = {', '.join(label.synonyms)}" if label.synonyms else ""
    enter = "" if label.enter is None else f" @ {label.enter:g}"
    return label.name + enter + synonyms + (f": {label.description}" if label.description else "")


def parse_lines(lines: Iterable[str], where: str = "line", *, may_be_empty: bool = False) -> tuple[Label, ...]:
    """One label a line: `name`, `name = synonym, synonym`, `name: a description`, or `name = synonym: a description`.

    After the name there may be the belief from which on the label starts: `name @ 0.6`. Blank lines and what follows a
    `#` (at the start, or after a space) are passed over. At most 10,000 labels, 80 characters a name, 16 synonyms, 400
    characters a description; printable characters only; no name twice, whatever its case.

    Raises:
        UsageError: one line that names the line, what was found, and what is allowed.
    """
    labels: list[tuple[Label, str]] = []
    for number, line in enumerate(lines, 1):
        label = _parse_line(line, f"{where} {number}")
        if label is not None:
            labels.append((label, f"{where} {number}"))
        if len(labels) > MAX_LABELS:
            raise UsageError(f"{where} {number}: more than {MAX_LABELS:,} labels found, that many are allowed")
    if not labels and not may_be_empty:
        raise UsageError('labels: none found; give at least one name, such as "wave, clap"')
    _check_names([(label.name, place) for label, place in labels])
    return tuple(label for label, _ in labels)


def texts_for(label: Label) -> tuple[Text, ...]:
    """Every text that stands for a label; the first is its name.

    The user's description takes the place of all that the shipped table knows. Without one, the table is asked for
    the name, then for the synonyms, and an entry found gives all its names and its four descriptions. The user's own
    name then counts beside the same words in the table, so two labels that mean one entry still differ.
    """
    texts = [Text("name", label.name), *(Text("paraphrase", synonym) for synonym in label.synonyms)]
    if label.description:
        return (*texts, Text("description", label.description))
    action = next(filter(None, map(find_action, (label.name, *label.synonyms))), None)
    if action is None:
        return tuple(texts)
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


def checked(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """The labels, if they may stand together.

    Raises:
        UsageError: a name twice, or more than 10,000.
    """
    _check_names([(label.name, f"label {index}") for index, label in enumerate(labels, 1)])
    return labels


def known_to(labels: Sequence[Label], concepts: Iterable[str]) -> list[bool]:
    """Which labels mean one of the concepts that a model was trained on, as the shipped table understands both.

    A label that its user describes stands for that description, and is known to no training.
    """
    trained = {_meaning(concept) for concept in concepts}
    return [
        not label.description and any(_meaning(name) in trained for name in (label.name, *label.synonyms))
        for label in labels
    ]


def _meaning(name: str) -> str:
    action = find_action(name)
    return action.name if action else fold(name)


@cache
def actions() -> tuple[Action, ...]:
    """The shipped table of everyday actions, in the order of its file. Bundles know them as their background."""
    return _read("actions.ini")


@cache
def more_actions() -> tuple[Action, ...]:
    """Entries that are looked up after those of `actions`, and are in the background of no bundle."""
    return _read("more_actions.ini")


def _read(file: str) -> tuple[Action, ...]:
    parser = configparser.ConfigParser(delimiters=(":",), comment_prefixes=("#",), interpolation=None)
    parser.read_string((Path(__file__).parent / "data" / file).read_text("utf-8"))
    return tuple(
        Action(
            name=name,
            paraphrases=_listed(entry["also"]),
            description=entry["body"],
            arms=entry["arms"],
            legs=entry["legs"],
            torso=entry["torso"],
            asked=_listed(entry.get("asked", "")),
        )
        for name, entry in parser.items()
        if name != parser.default_section
    )


def _listed(names: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in names.split(";") if part.strip())


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
        action = _by(_plain).get(_plain(part)) or _by(action_key).get(action_key(part))
        if action is not None:
            return action
    return _by(_words).get(_words(name)) or _by(_together).get(_together(name)) or _without_limb(name)


def action_key(name: str) -> str:
    """A name reduced to what is looked up: "Waving your left hand" and "wave a hand" have the same key.

    Articles, possessives, who acts ("a person is"), the side of the body, plural -s and -ing go. "Hands" and "arms"
    stay, since one hand and both hands move differently.
    """
    return " ".join(map(_stem, _reduced(name)))


_SMALL = frozenset(
    ("a", "an", "the", "your", "my", "his", "her", "their", "one", "ones", "do", "doing", "perform", "performing")
)
_WHO = re.compile(r"^((a|an|the) )?(person|man|woman|someone|somebody|people)( is| are)? (?=.)")
_LIMB = r"(?P<count>left|right|one|two|both) (?P<limb>hand|arm|leg|foot|feet)(s|ed)?"
_BESIDE = (rf"{_LIMB} (?P<rest>.+)", rf"(?P<rest>.+) (with|using) ((the|your|my|his|her|a) )?{_LIMB}")


def _spaced(name: str) -> str:
    """The words of a name, one space between: of "JumpRope", "jump_rope" and "Jump-rope" the same."""
    text = fold(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
    return " ".join(re.findall(r"[^\W_]+", re.sub(r"['’]s\b", "", text)))


def _reduced(name: str) -> list[str]:
    words = [word for word in re.sub(_WHO, "", _spaced(name)).split() if word not in _SMALL]
    return re.sub(r"\b(left|right|other) (?=(hand|arm|leg|foot)\b)", "", " ".join(words)).split()


def _stem(word: str) -> str:
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3 and word not in ("hands", "arms"):
        word = word[:-1]
    if word.endswith("ing") and re.search("[aeiouy]", word[:-3]):
        word = word[:-3]
        if len(word) > 2 and word[-1] == word[-2] and word[-1] not in "lsz":
            word = word[:-1]
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


def fold(name: str) -> str:
    """What is the same for two names that are the same label."""
    return unicodedata.normalize("NFKC", name).casefold()


def _show(text: str) -> str:
    """A text as it may stand in a message: escaped, and never long."""
    return ascii(text if len(text) <= 40 else text[:37] + "...")


def _check_names(names: Sequence[tuple[str, str]]) -> None:
    if len(names) > MAX_LABELS:
        raise UsageError(f"labels: {len(names):,} found, at most {MAX_LABELS:,} are allowed")
    first: dict[str, str] = {}
    for name, place in names:
        key = fold(name)
        if key in first:
            raise UsageError(f"{place}: {_show(name)} is there already ({first[key]}); each name is allowed once")
        first[key] = place


def _parse_line(line: str, place: str) -> Label | None:
    """A label, or None for a line that holds none."""
    if len(line) > MAX_LINE:
        raise UsageError(f"{place}: {len(line):,} characters found, at most {MAX_LINE:,} are allowed")
    line = re.sub(r"(^|[ \t])#.*", "", line.rstrip("\r").replace("\t", " "), flags=re.DOTALL)
    for char in line:
        if not char.isprintable():
            raise UsageError(f"{place}: character U+{ord(char):04X} found; only printable characters are allowed")
    line = " ".join(line.split())
    if not line:
        return None
    before, _, description = line.partition(":")
    name, equals, listed = before.partition("=")
    name, description = name.strip(), description.strip()
    name, enter = _threshold(name, place)
    synonyms = tuple(part.strip() for part in listed.split(",")) if equals else ()
    if len(synonyms) > MAX_SYNONYMS:
        raise UsageError(f"{place}: {len(synonyms)} synonyms found, at most {MAX_SYNONYMS} are allowed")
    if len(description) > MAX_DESCRIPTION:
        raise UsageError(
            f"{place}: a description of {len(description):,} characters found, at most {MAX_DESCRIPTION} are allowed"
        )
    for part in (name, *synonyms):
        if not 0 < len(part) <= MAX_NAME:
            raise UsageError(f"{place}: a name of {len(part):,} characters found, 1 to {MAX_NAME} are allowed")
        if "," in part or "=" in part or not any(char.isalnum() for char in part):
            raise UsageError(f"{place}: the name {_show(part)} found; names need a letter or digit, and no ',' or '='")
    return Label(name, synonyms, description, enter)


def _threshold(name: str, place: str) -> tuple[str, float | None]:
    found = re.fullmatch(r"(.*?) ?@ ?([0-9]*\.?[0-9]+)", name)
    if found is None:
        return name, None
    enter = round(float(found[2]), 3)
    if not 0 < enter <= 1:
        raise UsageError(f"{place}: threshold {_show(found[2])} found; more than 0, at most 1 is allowed")
    return found[1], enter
