"""What native code prints, kept off the user's terminal.

MediaPipe writes to file descriptor 2 when a landmarker is made, used and closed, and each version says something else.
No option silences all of it and no pattern tells its lines from others', so descriptor 2 itself is turned away while
MediaPipe runs, and only then. To turn it away for as long as a landmarker lives would be simpler, but would take it
from those who use edge_app as a library, and from every program that they start.

Python does not notice. Its stderr writes through a copy of the true descriptor, so log lines and tracebacks of all
threads arrive. The streams themselves are pointed there, since log handlers hold on to them, and stay there from the
first landmarker to the last: to switch them with every frame would lose the line that another thread is about to write.

Whatever else writes to descriptor 2 while MediaPipe runs is turned away too: other native code, faulthandler, and a
program that another thread starts just then without a stderr of its own. What was said is kept in a file in memory, so
that a supervisor can quote the last words of a process that aborted. The environment variable `EDGE_APP_MEDIAPIPE_LOG`
names a file that gets all of it instead; `/dev/stderr` shows it.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import io
import os
import sys
import threading
import time
from collections.abc import Iterator

VARIABLE = "EDGE_APP_MEDIAPIPE_LOG"
KEEP_BYTES = 65536
SETTLE_S = 0.02
"""For a thread that is about to write to descriptor 2 when Python's stderr leaves it: once, at the first landmarker."""


class _Capture:
    """Descriptor 2 of this process: how many are inside MediaPipe, and where it goes meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a landmarker may be collected, and so closed, anywhere
        self._inside = 0
        self._away = False
        self._true = self._kept = -1
        self._streams: list[io.FileIO] = []
        self.keep_in = -1

    def enter(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                with contextlib.suppress(OSError):  # descriptor 2 is closed: nobody could read it
                    self._turn_away()

    def leave(self) -> None:
        with self._lock:
            if self._inside == 1 and self._away:
                self.turn_back()
                self._forget()
            self._inside -= 1

    def _turn_away(self) -> None:
        if self._true < 0:
            self._true = os.dup(2)
            self._kept = self._open()
            atexit.register(self.enter)  # for good: libraries may print when they are unloaded
        else:  # the number stays the same, for a thread may be about to write to it
            os.dup2(2, self._true, inheritable=False)
        if found := _streams_on(2):
            for raw in found:
                _point(raw, self._true)
            self._streams += found
            time.sleep(SETTLE_S)
        os.dup2(self._kept, 2)
        self._away = True

    def turn_back(self) -> None:
        os.dup2(self._true, 2)
        self._away = False

    def give_back(self) -> None:
        with self._lock:
            while self._streams and not self._away:
                raw = self._streams.pop()
                if not raw.closed:
                    _point(raw, 2)

    def _open(self) -> int:
        if path := os.environ.get(VARIABLE):
            with contextlib.suppress(OSError):
                return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return self.keep_in if self.keep_in >= 0 else memory_file()

    def _forget(self) -> None:
        with contextlib.suppress(OSError):  # a file that was named, and cannot be cut
            if VARIABLE not in os.environ and os.fstat(self._kept).st_size > KEEP_BYTES:
                os.ftruncate(self._kept, 0)


_capture = _Capture()


@contextlib.contextmanager
def native_stderr_captured() -> Iterator[None]:
    """Turn descriptor 2 away from the terminal during this block or decorated function.

    May be nested, and entered by several threads; the last one out gives it back. From the first use on it is also
    turned away when the interpreter exits. Nothing happens where descriptor 2 is closed. Python's own stderr stays on
    its copy until `give_back_stderr`.
    """
    _capture.enter()
    try:
        yield
    finally:
        _capture.leave()


def give_back_stderr() -> None:
    """Python's stderr is descriptor 2 again: no landmarker is left."""
    _capture.give_back()


def keep_in(descriptor: int) -> None:
    """What is captured goes there, to be read by another process: a `memory_file`. Before the first use."""
    _capture.keep_in = descriptor


def memory_file() -> int:
    """The descriptor of a new file in memory, for what is captured."""
    descriptor = os.memfd_create("edge-app native stderr")
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


def last_words(descriptor: int) -> str:
    """The last line in a `memory_file` that is no stack trace, or ""."""
    start = max(0, os.fstat(descriptor).st_size - KEEP_BYTES)
    lines = os.pread(descriptor, KEEP_BYTES, start).decode(errors="replace").split("\n")
    return next((line for raw in reversed(lines) if (line := raw.strip()) and not line.startswith(("@", "***"))), "")


def _streams_on(descriptor: int) -> list[io.FileIO]:
    buffers = [getattr(stream, "buffer", None) for stream in {sys.stderr, sys.__stderr__}]
    raws = [getattr(buffer, "raw", buffer) for buffer in buffers]  # the latter where Python runs unbuffered
    return [raw for raw in raws if isinstance(raw, io.FileIO) and not raw.closed and raw.fileno() == descriptor]


def _point(raw: io.FileIO, descriptor: int) -> None:
    raw.__init__(descriptor, "wb", closefd=False)  # type: ignore[misc]


def _after_fork() -> None:
    """A forked child has one thread, which is not inside."""
    global _capture
    _capture._lock = threading.RLock()
    if _capture._away:
        _capture.turn_back()
    _capture.give_back()
    _capture = _Capture()


os.register_at_fork(after_in_child=_after_fork)
