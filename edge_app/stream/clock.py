"""Time: one monotonic clock for every age, and the wall clock only as an annotation."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path

BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def boot_id(file: Path = BOOT_ID_FILE) -> str:
    """The id of this boot of this machine: monotonic stamps may be compared only where it is equal.

    Where the system gives none, a random id, which equals no other: ages are then unknown to other processes,
    never wrong.
    """
    try:
        return file.read_text("ascii").strip() or uuid.uuid4().hex
    except (OSError, UnicodeDecodeError):
        return uuid.uuid4().hex


@dataclass(frozen=True)
class Clock:
    """The clocks of one process; tests pass their own functions.

    mono_ns: nanoseconds since some point, never set back, the same clock for all processes of one boot.
    wall_ns: nanoseconds since 1970 UTC; may jump at any time, so nothing is ever computed from it but text.
    """

    mono_ns: Callable[[], int] = time.monotonic_ns
    wall_ns: Callable[[], int] = time.time_ns
    boot: str = field(default_factory=boot_id)

    def wall_iso(self, mono_ns: int) -> str:
        """The moment `mono_ns` on the wall clock as it is set now, such as `2026-01-01T00:00:00.000Z`."""
        at_ns = self.wall_ns() - (self.mono_ns() - mono_ns)
        moment = _EPOCH + timedelta(milliseconds=at_ns // 1_000_000)
        return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
