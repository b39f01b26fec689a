"""`test://`: pictures that no camera should give, made here."""

from __future__ import annotations

import re

import numpy as np

from edge_app.camera.pace import Pace
from edge_app.camera.uri import parse_options
from edge_app.errors import UsageError
from edge_app.types import Frame

PATTERNS = ("black", "frozen", "noise")


class PatternSource:
    """`test://black|frozen|noise[?fps=30&size=640x480&seconds=0]`.

    black: all zero. frozen: one noisy picture for ever, with stamps that go on. noise: a new noisy picture each time.
    With `seconds` 0 it never ends in real time, and ends after 10 s of media time otherwise.

    Raises:
        UsageError: an unknown pattern or option.
    """

    def __init__(self, uri: str, *, camera: str, realtime: bool) -> None:
        self._pattern, _, query = uri.removeprefix("test://").partition("?")
        if self._pattern not in PATTERNS:
            raise UsageError(f"{uri}: unknown pattern {self._pattern!r}; allowed: {', '.join(PATTERNS)}")
        size = re.search(r"(?:^|&)size=([^&]*)", query)
        width, height = _size(uri, size.group(1)) if size else (640, 480)
        query = query.replace(size.group(0), "") if size else query
        options = parse_options(uri, query, {"fps": 30.0, "seconds": 0.0})
        if options["fps"] == 0:
            raise UsageError(f"{uri}: fps is 0; allowed: more than 0")
        self.uri, self.live, self.fps = uri, realtime, options["fps"]
        self._camera = camera
        self._seconds = options["seconds"] or (float("inf") if realtime else 10.0)
        self._pace = Pace(realtime)
        self._random = np.random.default_rng(0)
        self._shape = (height, width, 3)
        self._picture = np.zeros(self._shape, np.uint8) if self._pattern == "black" else self._noise()
        self._next = 0

    def _noise(self) -> np.ndarray:
        return self._random.integers(0, 256, self._shape, np.uint8)

    def read(self) -> Frame | None:
        """The next picture; None at the end or when closed."""
        while not self._pace.stopped:
            index, self._next = self._next, self._next + 1
            if index / self.fps >= self._seconds:
                return None
            t_ns = self._pace.stamp(round(index * 1e9 / self.fps), round(1e9 / self.fps))
            if t_ns is None:
                continue
            if self._pattern == "noise":
                self._picture = self._noise()
            return None if self._pace.stopped else Frame(self._camera, index, t_ns, self._picture.copy())
        return None

    def close(self) -> None:
        self._pace.stop()

    def __enter__(self) -> PatternSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _size(uri: str, text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    if match is None or not (int(match[1]) and int(match[2])):
        raise UsageError(f"{uri}: size is {text!r}; allowed: WIDTHxHEIGHT, such as 640x480")
    return int(match[1]), int(match[2])
