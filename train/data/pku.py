"""PKU-MMD parts I and II: untrimmed streams, their labels, and the lists of both protocols. Formats: METHODS.md 8.3.

    stream = read_stream(folder / "skeleton/0002-L.txt")
    for action in read_actions(folder / "label/0002-L.txt"):
        clip = cut(stream, action)

The joints and axes are NTU's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from train.data.ntu import JOINTS, coordinate, without_wild
from train.data.splits import CLASSES

FPS = 30.0
VIEWS = "LMR"
VALUES = 2 * JOINTS * 3
_NAME = re.compile(r"(?<![\w-])(?:\d{4}|A\d\dN\d\d)-[LMR](?![\w-])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Action:
    """A labelled stretch of a stream. label: from 0. start: its first frame, from 0. stop: the frame after its last.

    confidence: as the annotators gave it.
    """

    label: int
    start: int
    stop: int
    confidence: float


def is_name(name: str) -> bool:
    """Whether `name`, without suffix, is that of a stream, such as 0002-L of part I, or A01N01-L of part II."""
    return _NAME.fullmatch(name) is not None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", errors="replace").rstrip().split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None


def read_stream(path: Path) -> np.ndarray:
    """A whole stream: float32 `[2, T, 25, 3]`, both subjects, 30 frames a second; zero where one is not there.

    Metres, in the sensor's axes: x to its left, y up, z away from it.

    Raises:
        UsageError: one line with the file, its line, what was found and what is expected.
    """
    rows = []
    for number, line in enumerate(_lines(path), 1):
        values = line.split()
        if len(values) != VALUES:
            raise UsageError(f"{path}, line {number}: {len(values)} values found, {VALUES} expected (2 x 25 x xyz)")
        try:
            rows.append([float(value) for value in values])
        except ValueError:
            rows.append([coordinate(value, f"{path}, line {number}") for value in values])
    stream = np.array(rows).reshape(len(rows), 2, JOINTS, 3).swapaxes(0, 1)
    return np.ascontiguousarray(without_wild(stream), np.float32)


def read_actions(path: Path) -> list[Action]:
    """The labels of a stream, from lines of `class,start,end,confidence`: class 1 to 51, frames from 1, both included.

    Raises:
        UsageError: as `read_stream`.
    """
    actions = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        values = [value.strip() for value in line.split(",")]
        try:
            label, start, end = (int(value) for value in values[:3])
            (confidence,) = (float(value) for value in values[3:])
        except ValueError:
            raise UsageError(
                f"{path}, line {number}: {line!r:.60} found, class,start,end,confidence expected"
            ) from None
        if not (1 <= label <= CLASSES["pku"] and 0 <= start <= end):
            allowed = f"a class from 1 to {CLASSES['pku']} and a start before the end expected"
            raise UsageError(f"{path}, line {number}: {line!r:.60} found, {allowed}")
        actions.append(Action(label - 1, max(start - 1, 0), end, confidence))
    return actions


def cut(stream: np.ndarray, action: Action) -> np.ndarray:
    """The clip of one action: float32 `[M, T, 25, 3]`, M 0 to 2. A subject who is not in it is left out.

    A label that reaches beyond the stream ends with it.

    Raises:
        UsageError: it lies altogether beyond the stream.
    """
    clip = stream[:, action.start : action.stop]
    if not clip.shape[1]:
        raise UsageError(
            f"frames {action.start + 1} to {action.stop} labelled, the stream has only {stream.shape[1]} frames"
        )
    return clip[clip.any(axis=(1, 2, 3))]


def read_list(path: Path) -> tuple[frozenset[str], frozenset[str]]:
    """Streams that train, and those of the test, from `cross-subject.txt` or `cross-view.txt`, part II's `…_v2.txt`.

    A header, names with commas between, a header, names; over as many lines as they like.

    Raises:
        UsageError: no such file, or not two headers with names after each, or a name on both sides.
    """
    parts: list[set[str]] = []
    for line in _lines(path):
        names = _NAME.findall(line)
        if names and parts:
            parts[-1].update(names)
        elif line.strip(" \t\r,"):
            parts.append(set(names))
    if len(parts) != 2 or not all(parts) or parts[0] & parts[1]:
        found = " and ".join(str(len(part)) for part in parts[:4])
        raise UsageError(
            f"{path}: parts of {found} names found; two expected, each after a header, with no name in both"
        )
    return frozenset(parts[0]), frozenset(parts[1])
