"""The reader thread of a live source: always grabs, keeps only the newest, and reopens the source when it is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_app.camera import has_end, open_source
from edge_app.camera.opencv import check_reachable, stable_uri
from edge_app.camera.source import Source
from edge_app.camera.uri import normalized
from edge_app.errors import SourceError, redact
from edge_app.types import CameraState, Frame, Poses

DARK_LEVEL = 24  # of 255: a picture whose 95th percentile is below shows no person
FUTURE_NS = 1_000_000_000
JOIN_S = 6.0  # longer than the read time-out of a network stream
RETRY_S = 0.5  # between looks for a lost source: cheap ones, see `check_reachable`


@dataclass(frozen=True, slots=True)
class GrabStatus:
    """How a `Grabber` is doing.

    epoch: of the item that `newest` gave last. A new one begins after a loss, a silence or a freeze, and with another
        picture size: what was seen before must not be joined to what comes after.
    t_ns: stamp of the newest item grabbed.
    frames: items accepted. dropped: accepted but overwritten before `newest` took them. misordered: refused, because
        the stamp was not later than the one before, or lay in the future.
    error: why the source is lost; empty while it is not. size: width and height of the newest picture, if any.
    """

    state: CameraState
    epoch: int
    t_ns: int
    frames: int
    dropped: int
    misordered: int
    reconnects: int
    flags: tuple[str, ...]
    error: str
    size: tuple[int, ...] = ()


class Grabber:
    """Reads a source in a thread of its own and holds the newest item in one slot.

    Frozen: pictures that are the same byte for byte for `frozen_after_s`; they are no longer handed over. Dark pictures
    (flag `dark`) are never called frozen: a covered camera may well give equal ones. Lost: the source raised, or gave
    nothing for `lost_after_s`; it is opened anew by `reopen` until it works. A source that is not live is not reopened.

    Args:
        source: opened; None starts in the state lost, and goes on with `reopen` at once.
        reopen: opens the same source once more, tried twice a second while it is lost; None: a lost source ends.
        finite: what cannot be read of it now cannot be read later either: where reading fails, it ends.
    """

    def __init__(
        self,
        source: Source | None,
        reopen: Callable[[], Source] | None = None,
        *,
        finite: bool = False,
        lost_after_s: float = 1.5,
        frozen_after_s: float = 1.5,
    ) -> None:
        self._source, self._reopen, self._finite = source, reopen, finite
        self._lost_after_ns = round(lost_after_s * 1e9)
        self._frozen_after_ns = round(frozen_after_s * 1e9)
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._slot: tuple[Frame | Poses, int] | None = None
        self._lost = source is None
        self._over = self._dark = self._frozen = False
        self._error = "" if source else "not opened yet"
        self._epoch = self._taken_epoch = 0
        self._t_ns = -1
        self._frames = self._dropped = self._misordered = self._reconnects = 0
        self._size: tuple[int, ...] = ()
        self._still: np.ndarray | None = None
        self._still_since_ns = 0
        self._progress_ns = time.monotonic_ns()
        self._thread = threading.Thread(target=self._run, name="grabber", daemon=True)
        self._thread.start()

    def newest(self, timeout_s: float) -> Frame | Poses | None:
        """The newest item not yet taken, waiting for one at most `timeout_s` seconds; None if there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot is not None or self._over, timeout_s)
            if self._slot is None:
                return None
            (item, self._taken_epoch), self._slot = self._slot, None
            return item

    def status(self) -> GrabStatus:
        with self._changed:
            state: CameraState = "running"
            if self._over:
                state = "ended" if self._slot is None else "running"
            elif self._lost or self._silent(time.monotonic_ns()):
                state = "camera_lost"
            elif self._frozen:
                state = "camera_frozen"
            return GrabStatus(
                state=state,
                epoch=self._taken_epoch,
                t_ns=self._t_ns,
                frames=self._frames,
                dropped=self._dropped,
                misordered=self._misordered,
                reconnects=self._reconnects,
                flags=("dark",) if self._dark else (),
                error=self._error,
                size=self._size,
            )

    def _silent(self, now_ns: int) -> bool:
        patience_ns = self._lost_after_ns
        if self._source is not None and self._source.fps > 0:
            patience_ns = max(patience_ns, round(3e9 / self._source.fps))
        return now_ns - self._progress_ns > patience_ns

    def close(self) -> None:
        """Stop the thread and give the source back. Safe to call twice."""
        self._stop.set()
        with self._changed:
            source, self._over = self._source, True
            self._changed.notify_all()
        if source is not None:
            source.close()
        self._thread.join(JOIN_S)

    def __enter__(self) -> Grabber:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.is_set():
            source = self._source
            try:
                if source is None:
                    if self._reopen is None or self._stop.wait(wait_s):
                        break
                    wait_s = RETRY_S
                    source = self._source = self._reopen()
                    continue
                item = source.read()
                if item is None:
                    break
                wait_s = RETRY_S
                self._accept(item, source.live)
            except Exception as error:  # a reader that dies in silence would look like a camera that hangs
                self._lose(error)
                if source is not None and (self._finite or not source.live):
                    break
        with self._changed:
            self._over = True
            self._changed.notify_all()
        if self._source is not None:
            self._source.close()

    def _lose(self, error: Exception) -> None:
        what = str(error) if isinstance(error, SourceError) else f"{type(error).__name__}: {error}"
        with self._changed:
            source, self._source = self._source, None
            self._lost, self._error = True, redact(what)
            self._slot = self._still = None
            self._dark = self._frozen = False
            self._changed.notify_all()
        if source is not None:
            source.close()

    def _accept(self, item: Frame | Poses, live: bool) -> None:
        with self._changed:
            now = time.monotonic_ns()
            if item.t_ns <= self._t_ns or (live and item.t_ns > now + FUTURE_NS):
                self._misordered += 1
                return
            if self._lost or (self._frames and self._silent(now)):
                self._reconnects += self._lost
                self._epoch += 1
                self._lost, self._error = False, ""
            self._t_ns, self._progress_ns = item.t_ns, now
            if isinstance(item, Frame):
                self._look(item)
            self._frames += 1
            if self._frozen:
                self._slot = None
            else:
                self._dropped += self._slot is not None
                self._slot = item, self._epoch
            self._changed.notify_all()

    def _look(self, frame: Frame) -> None:
        """Dark, frozen, or of another size?"""
        image, before = frame.image, self._still
        self._size = image.shape[1::-1]
        sample = image[::8, ::8]
        self._dark = bool(np.percentile(sample, 95) < DARK_LEVEL)
        same_size = before is not None and before.shape == image.shape
        if before is not None and not same_size:
            self._epoch += 1
        if before is None or not same_size or self._dark or not _equal(image, before):
            self._epoch += self._frozen
            self._frozen = False
            self._still, self._still_since_ns = image, frame.t_ns
        elif frame.t_ns - self._still_since_ns >= self._frozen_after_ns:
            self._frozen = True


def _equal(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a[::8, ::8], b[::8, ::8]) and np.array_equal(a, b)


def grab(uri: str, *, camera: str = "cam", must_open: bool = True) -> Grabber:
    """A `Grabber` for a URI in real time, which opens it anew whenever it is lost, unless it is one that has an end.

    Args:
        must_open: false: a camera that is not there yet is waited for (state `camera_lost`).

    Raises:
        UsageError, SourceError: as `open_source`, with `must_open`.
    """
    uri = stable_uri(normalized(uri))

    def open_again() -> Source:
        check_reachable(uri)
        return open_source(uri, camera=camera)

    return Grabber(open_source(uri, camera=camera) if must_open else None, open_again, finite=has_end(uri))
