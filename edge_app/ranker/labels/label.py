"""What to look for, as the user wrote it: one label a line."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_app.bundles.files import write_text
from edge_app.errors import UsageError

PROFILES = Path(__file__).parent / "profiles"
MAX_LABELS = 10_000
MAX_NAME = 80
MAX_DESCRIPTION = 400
MAX_SYNONYMS = 16
MAX_LINE = MAX_NAME * (MAX_SYNONYMS + 1) + MAX_DESCRIPTION + 100
MAX_BYTES = 8 * 2**20


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


def parse_labels(text_or_path: str) -> tuple[Label, ...]:
    """Labels as given on a command line: a list that ships, a label file's path, or what `parse_text` reads.

    The lists in `profiles` go by their names, such as "fitness" ("fitness," is the word). It is a path if there is
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
            raise UsageError(f"labels: no file {_show(str(path))}; give a label file, or names separated by commas")
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


def checked(labels: tuple[Label, ...]) -> tuple[Label, ...]:
    """The labels, if they may stand together.

    Raises:
        UsageError: a name twice, or more than 10,000.
    """
    _check_names([(label.name, f"label {index}") for index, label in enumerate(labels, 1)])
    return labels


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
