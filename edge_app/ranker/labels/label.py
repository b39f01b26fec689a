"""What to look for, as the user wrote it: one label a line."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edge_app.bundles.files import write_text
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import fold
from edge_app.ranker.labels.english import Reading, read, read_words
from edge_app.ranker.labels.languages import LANGUAGES, names
from edge_app.ranker.labels.text_encoder import token_ids

log = logging.getLogger(__name__)

PROFILES = Path(__file__).parent / "profiles"
MAX_LABELS = 10_000
MAX_NAME = 80
MAX_DESCRIPTION = 400
MAX_SYNONYMS = 16
MAX_LINE = MAX_NAME * (MAX_SYNONYMS + 1) + MAX_DESCRIPTION + 100
MAX_BYTES = 8 * 2**20

Note = Callable[[str], None]
"""Is told, in one line, what was cleaned or is doubtful."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_PUNCTUATION = str.maketrans("；，、،؛：＝", ";,,,;:=")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_SPACE = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_LIST_MARK = re.compile(r"^(?:[-*+•‣◦▪·–—] +|\d{1,4}[.)] +|[(（]\d{1,4}[)）] *|[①-⑳] *|\[[ xX]?\] +)+")
_NUMBERED = re.compile(r"(^|[,;，；、])(\s*\d{1,4})[、．]")  # "1、" of a Chinese or Japanese list


@dataclass(frozen=True, slots=True)
class Label:
    """One thing to look for, as the user wrote it: a name, other names for it, and a description ("" for none).

    A name in another language is only shown: what is compared are the words in `english`.

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

    @property
    def english(self) -> tuple[str, ...]:
        """Its names in English: those that are known; if none is, those that are doubtful, or else the description."""
        found = [read(name) for name in (self.name, *self.synonyms)]
        best = [each.english for each in found if each.sure == "yes"] or [
            each.english for each in found if each.sure == "maybe"
        ]
        return tuple(dict.fromkeys(best)) or (self.description or self.name,)


def parse_labels(text_or_path: str) -> tuple[Label, ...]:
    """Labels as given on a command line: a list that ships, a label file's path, or what `parse_text` reads.

    The lists in `profiles` go by their names, such as "fitness" ("fitness," is the word), or "fitness:es" for its names
    in Spanish. It is a path if there is such a file, if it ends in ".txt", or if a folder of that path exists. Only for
    words that come from the machine's own user: what comes over a socket goes to `parse_lines`, which opens no file.

    Raises:
        UsageError: one line that says where, what was found and what is allowed.
    """
    name, colon, language = text_or_path.partition(":")
    if name in profiles() and (not colon or re.fullmatch(r"[A-Za-z]{2}([-_]\w+)?", language)):
        labels = read_labels(PROFILES / f"{name}.txt")
        return _in_language(labels, language[:2].lower()) if colon else labels
    if len(text_or_path) <= 4096 and "\n" not in text_or_path and text_or_path.strip():
        with contextlib.suppress(ValueError):  # of text that can be no path
            path = os.path.expanduser(text_or_path.strip())
            folder = os.path.dirname(path)
            if os.path.isfile(path) or path.lower().endswith(".txt") or (folder and os.path.isdir(folder)):
                return read_labels(Path(path))
    return parse_text(text_or_path)


def profiles() -> list[str]:
    """Names of the label lists that ship."""
    return sorted(path.stem for path in PROFILES.glob("*.txt"))


def _in_language(labels: Iterable[Label], language: str) -> tuple[Label, ...]:
    """The labels of a list that ships, shown in another language."""
    if language == "en":
        return tuple(labels)
    if language not in LANGUAGES:
        raise UsageError(f"labels: language {_show(language)} found; allowed are en, {', '.join(LANGUAGES)}")
    shown = [(names()[each.name][language][0], each) for each in labels]
    return tuple(
        replace(each, name=name, synonyms=() if fold(name) == fold(each.name) else (each.name,)) for name, each in shown
    )


def parse_text(text: str, *, note: Note | None = log.warning) -> tuple[Label, ...]:
    """Labels from "wave, fall down, drink water", or, where there are several lines, from the lines of a label file.

    On one line a meaning may follow, "鼓掌 = clap, 跳舞 = dance". With ";" between the labels, each may be all
    that a line of a label file is.

    Raises:
        UsageError: as `parse_lines`.
    """
    if len(text) > MAX_BYTES:
        raise UsageError(f"labels: {len(text):,} characters found, at most {MAX_BYTES:,} are allowed")
    lines = _LINE_END.split(text)
    if len(_LINE_END.split(text.strip())) > 1:
        return parse_lines(lines, note=note)
    line = _punctuated(text.strip())
    items = [item for item in line.split(";" if ";" in line else ",") if item.strip()]
    for number, item in enumerate(items, 1):
        more_words = "=" in item and number < len(items) and "=" not in items[number]  # or is that the next label?
        if (":" in item or more_words) and ";" not in line and len(items) > 1 and len(item) <= MAX_LINE:
            raise UsageError(
                f"label {number}: found {_show(item)}; ':' and '=' are allowed only in a label file, or with ';' "
                "between the labels"
            )
    return parse_lines(items, "label", note=note)


def read_labels(path: Path, *, may_be_empty: bool = False, note: Note | None = log.warning) -> tuple[Label, ...]:
    """Labels from a UTF-8 file of at most 8 MiB, read by `parse_lines`.

    Raises:
        UsageError: no such file, not UTF-8, too large, or as `parse_lines`.
    """
    try:
        if not path.is_file():
            raise UsageError(f"labels: no file {_show(str(path))}; give a label file, or names separated by commas")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"labels: {_show(str(path))} cannot be read ({error})") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"labels: {_show(str(path))} is larger than the {MAX_BYTES // 2**20} MiB allowed")
    try:
        lines = _LINE_END.split(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        number = len(_LINE_END.split(data[: error.start].decode("latin-1")))
        raise UsageError(
            f"{_show(path.name)}, line {number}: byte 0x{data[error.start]:02x} found, must be UTF-8"
        ) from None
    return parse_lines(lines, f"{_show(path.name)}, line", may_be_empty=may_be_empty, note=note)


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """A file that `read_labels` reads as these labels, whole or not at all.

    Raises:
        UsageError: it cannot be written.
    """
    write_text(path, "".join(line_of(label) + "\n" for label in labels))


def line_of(label: Label) -> str:
    """The line of a label file that `parse_lines` reads as this label."""
    synonyms = f" = {', '.join(label.synonyms)}" if label.synonyms else ""
    enter = "" if label.enter is None else f" @ {label.enter:g}"
    return label.name + enter + synonyms + (f": {label.description}" if label.description else "")


def parse_lines(
    lines: Iterable[str], where: str = "line", *, may_be_empty: bool = False, note: Note | None = log.warning
) -> tuple[Label, ...]:
    """One label a line: `name`, `name = synonym, synonym`, `name: a description`, or `name = synonym: a description`.

    A name in another language than English has its meaning after the "=". After the name there may be the belief from
    which on the label starts: `name @ 0.6`. Several labels on a line have ";" between them, or "," where no "=" or ":"
    follows. Blank lines and what follows a `#` (at the start, or after a space) are passed over, as are list marks such
    as "- " and "1. ". At most 10,000 labels, 80 characters a name, 16 synonyms, 400 characters a description; printable
    characters only, but for spaces of other kinds and marks of no width, which are cleaned away; no name twice,
    whatever its case, and no two labels that mean the same.

    Args:
        where: what a line is called in messages.
        note: is told what was cleaned, and which words are doubtful. None for what was checked before: then no words
            are refused either.

    Raises:
        UsageError: one line that names the line, what was found, and what is allowed.
    """
    labels: list[tuple[Label, str]] = []
    cleaned: list[str] = []
    for number, line in enumerate(lines, 1):
        place = f"{where} {number}"
        if len(line) > MAX_LINE:
            raise UsageError(f"{place}: {len(line):,} characters found, at most {MAX_LINE:,} are allowed")
        plain = _INVISIBLE.sub("", _SPACE.sub(" ", line))
        if line.strip() and not plain.strip():
            raise UsageError(f"{place}: only marks that are not seen found; a name needs a letter or digit")
        if plain != line:
            cleaned.append(place)
        labels += ((label, place) for label in _parse_line(plain, place))
        if len(labels) > MAX_LABELS:
            raise UsageError(f"{place}: more than {MAX_LABELS:,} labels found, that many are allowed")
    if not labels and not may_be_empty:
        raise UsageError('labels: none found; give at least one name, such as "wave, clap"')
    _check_names([(label.name, place) for label, place in labels])
    if note is not None:
        if cleaned:
            note(f"{_first(cleaned)}: spaces of other kinds, or marks that are not seen, were cleaned away")
        _check_words(labels, note)
        _check_meanings(labels)
    return tuple(label for label, _ in labels)


def _first(places: Sequence[str]) -> str:
    return places[0] + (f" and {len(places) - 1} more" if len(places) > 1 else "")


def checked(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """The labels, if they may stand together.

    Raises:
        UsageError: a name twice, more than 10,000, or two that mean the same.
    """
    placed = [(label, f"label {index}") for index, label in enumerate(labels, 1)]
    check_names(labels)
    _check_meanings(placed)
    return labels


def check_names(labels: Iterable[Label]) -> None:
    """Raises UsageError for a name twice, or more than 10,000."""
    _check_names([(label.name, f"label {index}") for index, label in enumerate(labels, 1)])


def _show(text: str) -> str:
    """A text as it may stand in a message: escaped where it cannot be printed, and never long."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _check_words(labels: Iterable[tuple[Label, str]], note: Note) -> None:
    """Refuses labels that are not understood, and notes those that may not be."""
    doubtful: list[tuple[str, Reading]] = []
    for label, place in labels:
        found = (
            [read_words(label.description)] if label.description else [read(n) for n in (label.name, *label.synonyms)]
        )
        if all(each.sure == "no" for each in found):
            told = "the description" if label.description else _show(label.name)
            raise UsageError(
                f"{place}: {told} is not understood: {found[0].why}; write the meaning in English after '=', "
                "as in 鼓掌 = clap"
            )
        if not label.description and all(each.sure != "yes" for each in found):
            doubtful.append((f"{place}: {_show(label.name)}", found[0]))
    if doubtful:
        note(
            f"{_first([what for what, _ in doubtful])} may be misunderstood, {doubtful[0][1].why}; "
            "say it in other English words after '=', or describe the motion after ':'"
        )


def _check_meanings(labels: Iterable[tuple[Label, str]]) -> None:
    """Raises UsageError for two labels that the text encoder could not tell apart."""
    first: dict[tuple[object, ...], tuple[Label, str]] = {}
    for label, place in labels:
        texts = sorted({tuple(token_ids(name)) for name in label.english})
        key = (*texts, tuple(token_ids(label.description)) if label.description else None)
        other, before = first.setdefault(key, (label, place))
        if other is not label:
            raise UsageError(
                f"{place}: {_show(label.name)} means the same as {_show(other.name)} ({before}); give one of them "
                "other English words after '='"
            )


def _check_names(names: Sequence[tuple[str, str]]) -> None:
    if len(names) > MAX_LABELS:
        raise UsageError(f"labels: {len(names):,} found, at most {MAX_LABELS:,} are allowed")
    first: dict[str, str] = {}
    for name, place in names:
        key = fold(name)
        if key in first:
            raise UsageError(f"{place}: {_show(name)} is there already ({first[key]}); each name is allowed once")
        first[key] = place


def _parse_line(line: str, place: str) -> Iterator[Label]:
    """The labels of a line; none of a blank one or a comment."""
    line = re.sub(r"(^|[ \t])#.*", "", line.rstrip("\r").replace("\t", " "), flags=re.DOTALL)
    for char in line:
        if not char.isprintable():
            raise UsageError(f"{place}: character U+{ord(char):04X} found; only printable characters are allowed")
    line = " ".join(_punctuated(line).split())
    for part in [line] if ":" in line else line.split(";"):
        pieces = part.split(",")
        if ":" not in part and ("=" not in part or all("=" in piece for piece in pieces)):
            yield from (_parse_label(piece, place) for piece in pieces if piece.strip())
        elif part.strip():
            yield _parse_label(part, place)


def _punctuated(text: str) -> str:
    """With the separators of other scripts as ours."""
    return _NUMBERED.sub(r"\1\2. ", text).translate(_PUNCTUATION)


def _parse_label(text: str, place: str) -> Label:
    before, _, description = _LIST_MARK.sub("", text.strip()).partition(":")
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
        if set(part) & set(",;=") or not any(char.isalnum() for char in part):
            raise UsageError(f"{place}: the name {_show(part)} found; names need a letter or digit, and no ',;='")
    return Label(name, synonyms, description, enter)


def _threshold(name: str, place: str) -> tuple[str, float | None]:
    found = re.fullmatch(r"(.*?) ?@ ?([0-9]*\.?[0-9]+)", name)
    if found is None:
        return name, None
    enter = round(float(found[2]), 3)
    if not 0 < enter <= 1:
        raise UsageError(f"{place}: threshold {_show(found[2])} found; more than 0, at most 1 is allowed")
    return found[1], enter
