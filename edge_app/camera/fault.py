"""`fault://KIND[:options]/INNER`: any source with a fault put in, to see what the rest makes of it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edge_app.camera.pace import Pace
from edge_app.camera.source import Source
from edge_app.camera.uri import parse_options
from edge_app.errors import SourceError, UsageError, redact
from edge_app.types import Frame, Poses

WHEN = {"after": 0.0, "for": 0.0, "every": 0.0}
KINDS: dict[str, dict[str, float]] = {
    "lost": {},
    "hang": {},
    "freeze": {},
    "black": {},
    "resize": {},
    "slow": {"fps": 5.0},
    "jitter": {"ms": 50.0, "seed": 0.0},
    "backwards": {"ms": 100.0, "n": 10.0},
    "duplicate": {"n": 10.0},
}

# When each live URI was opened first: a camera that is lost stays lost, however often it is opened anew.
_first_opened_ns: dict[str, int] = {}


class FaultSource:
    """`fault://KIND[:after=S,for=S,every=S,…]/INNER`, for example `fault://lost:after=2,for=3/person://wave`.

    The fault begins `after` seconds, lasts `for` seconds (0: for ever) and comes back `every` seconds (0: never).
    Seconds are counted from the first opening of this URI in this process, or by the stamps where the inner source
    is not live.

    lost: opening and reading fail. hang: reading blocks. freeze: the same picture, new stamps. black: black pictures,
    or nobody in a recording. resize: pictures of half the size. slow: `fps` pictures a second. jitter: late by up to
    `ms`. backwards: the stamp of every `n`-th goes back by `ms`. duplicate: every `n`-th has the stamp of the one
    before.

    Raises:
        SourceError: lost, or what the inner source raises.
        UsageError: an unknown kind or option.
    """

    def __init__(self, uri: str, open_inner: Callable[[str], Source]) -> None:
        head, slash, inner_uri = uri.removeprefix("fault://").partition("/")
        self._kind, _, text = head.partition(":")
        if self._kind not in KINDS:
            raise UsageError(f"{redact(uri)}: unknown fault {self._kind!r}; allowed: {', '.join(KINDS)}")
        if not slash or not inner_uri:
            raise UsageError(f"{redact(uri)}: no source behind the fault; write fault://{self._kind}/SOURCE")
        self._options = parse_options(uri, text, WHEN | KINDS[self._kind], separator=",")
        self.uri = redact(uri)
        self._start_ns = _first_opened_ns.get(uri, time.monotonic_ns())
        if self._kind == "lost" and uri in _first_opened_ns and self._active(time.monotonic_ns()):
            raise SourceError(f"{self.uri}: lost, as the fault asks")
        self._inner = open_inner(inner_uri)
        self.live, self.fps = self._inner.live, self._inner.fps
        if self.live:
            self._start_ns = _first_opened_ns.setdefault(uri, self._start_ns)
        else:
            self._start_ns = 0
        if self._kind == "slow":
            self.fps = self._options["fps"]
        self._random = random.Random(int(self._options.get("seed", 0)))
        self._pace = Pace(self.live)
        self._count = 0
        self._last: Frame | Poses | None = None

    def _active(self, now_ns: int) -> bool:
        since = (now_ns - self._start_ns) / 1e9 - self._options["after"]
        if since < 0:
            return False
        if self._options["every"]:
            since %= self._options["every"]
        return not self._options["for"] or since < self._options["for"]

    def read(self) -> Frame | Poses | None:
        """The next item of the inner source, with the fault; None at the end or when closed."""
        while not self._pace.stopped:
            if self.live and self._kind == "hang":
                while self._active(time.monotonic_ns()) and not self._pace.stopped:
                    self._pace.sleep_until(time.monotonic_ns() + 20_000_000)
            item = self._inner.read()
            if item is None:
                return None
            if not self._active(time.monotonic_ns() if self.live else item.t_ns):
                self._last = item
                return item
            if self._kind in ("lost", "hang"):
                raise SourceError(f"{self.uri}: lost, as the fault asks")
            faulty = self._spoil(item)
            if faulty is not None:
                return faulty
        return None

    def _spoil(self, item: Frame | Poses) -> Frame | Poses | None:
        self._count += 1
        last, options = self._last, self._options
        nth = last is not None and self._count % max(int(options.get("n", 1)), 1) == 0
        if self._kind == "slow" and last is not None and (item.t_ns - last.t_ns) * self.fps < 1e9:
            return None
        if self._kind == "freeze" and last is not None:
            item = _restamp(replace(last, index=item.index), item.t_ns)
        elif self._kind == "black":
            if isinstance(item, Poses):
                return replace(item, poses=())
            return replace(item, image=np.zeros_like(item.image))
        elif self._kind == "resize" and isinstance(item, Frame):
            item = replace(item, image=np.ascontiguousarray(item.image[::2, ::2]))
        elif self._kind == "jitter":
            late_ns = round(self._random.uniform(0, options["ms"]) * 1e6)
            if self.live:
                self._pace.sleep_until(time.monotonic_ns() + late_ns)
            item = _restamp(item, max(item.t_ns + late_ns, last.t_ns + 1 if last else 0))
        elif self._kind == "backwards" and nth:
            return _restamp(item, item.t_ns - round(options["ms"] * 1e6))
        elif self._kind == "duplicate" and nth:
            assert last is not None
            return _restamp(item, last.t_ns)
        self._last = item
        return item

    def close(self) -> None:
        self._pace.stop()
        self._inner.close()

    def __enter__(self) -> FaultSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _restamp(item: Frame | Poses, t_ns: int) -> Frame | Poses:
    if isinstance(item, Poses):
        return replace(item, t_ns=t_ns, poses=tuple(replace(pose, t_ns=t_ns) for pose in item.poses))
    return replace(item, t_ns=t_ns)
