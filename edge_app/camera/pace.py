"""Time for sources that have none of their own: files, recordings, patterns."""

from __future__ import annotations

import time

NAP_S = 0.05


class Pace:
    """Turns media time, in ns from 0, into capture stamps.

    In real time the first item is due at once and the others at their distance from it; the stamp is
    `time.monotonic_ns()` at the scheduled moment. Otherwise the stamp is the media time itself, at once.

    It waits in naps, not on an event: Ctrl-C may fall anywhere, and could leave an event's lock taken for good.
    """

    def __init__(self, realtime: bool) -> None:
        self.realtime = realtime
        self._start_ns: int | None = None
        self.stopped = False

    def stamp(self, media_ns: int, patience_ns: int) -> int | None:
        """Wait until the item is due and give its stamp; None if it is late by more than `patience_ns`: skip it."""
        return None if self.late(media_ns, patience_ns) else self.wait(media_ns)

    def late(self, media_ns: int, patience_ns: int) -> bool:
        if not self.realtime:
            return False
        now = time.monotonic_ns()
        if self._start_ns is None:
            self._start_ns = now - media_ns
        return now - self._start_ns - media_ns > patience_ns

    def wait(self, media_ns: int) -> int:
        """Wait until an item is due of which `late` was asked, and give its stamp."""
        if self._start_ns is None:
            return media_ns
        due = self._start_ns + media_ns
        self.sleep_until(due)
        return due

    def sleep_until(self, t_ns: int) -> None:
        """Wait for a moment of `time.monotonic_ns()`, or for `stop`."""
        while not self.stopped and (left_ns := t_ns - time.monotonic_ns()) > 0:
            time.sleep(min(left_ns / 1e9, NAP_S))

    def stop(self) -> None:
        """Nobody waits any more, but for the rest of a nap."""
        self.stopped = True
