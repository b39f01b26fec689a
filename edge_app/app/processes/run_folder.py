"""The private folder of one run: for its sockets, and for saying where it publishes.

It is locked while its process lives. What runs that were killed left behind is removed by the next one.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_app.bundles.files import write_text
from edge_app.bundles.user_folders import FALLBACK, short_folder
from edge_app.errors import UsageError

PREFIX = "edge-app-run-"
ROOM = len(PREFIX) + 16  # bytes of a socket's path behind the root
_SAID = "running.json"
_TRIES = 20


@dataclass(frozen=True, slots=True)
class Running:
    """Where a running app can be heard and asked. pid: of its supervisor. keys: whether who asks needs any."""

    pid: int
    publish: str
    control: str
    keys: bool = False


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A new folder of mode 0700, locked while its process lives, and removed at the end.

    Raises:
        UsageError: what is made in the folder for temporary files belongs to somebody else, or cannot be locked.
    """
    root = short_folder(ROOM)
    for _ in range(_TRIES):
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=root))
        lock = _lock(folder)
        if lock is not None and folder.is_dir():  # nobody took it for a dead one's in between
            break
        shutil.rmtree(folder, ignore_errors=True)
    else:
        raise UsageError(f"{root}: a folder made there cannot be locked, or is not this user's; set TMPDIR to another")
    try:
        _remove_dead(root)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def announce(folder: Path, running: Running) -> None:
    """Say in a run's folder where it can be reached, for `all_running`."""
    write_text(folder / _SAID, json.dumps(asdict(running)), mode=0o600)


def all_running() -> list[Running]:
    """This user's apps on this machine that can be reached, by process number."""
    found = []
    for root in {short_folder(ROOM), FALLBACK}:
        for folder in root.glob(PREFIX + "*"):
            with contextlib.suppress(OSError, ValueError, TypeError):
                if folder.stat().st_uid == os.getuid() and not _is_dead(folder):
                    found.append(Running(**json.loads((folder / _SAID).read_bytes())))
    return sorted(found, key=lambda running: running.pid)


def _is_dead(folder: Path) -> bool:
    lock = _lock(folder)
    if lock is not None:
        os.close(lock)
    return lock is not None


def _remove_dead(root: Path) -> None:
    for folder in root.glob(PREFIX + "*"):
        lock = _lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None if another process has it, or may not be disturbed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid == os.getuid():
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
    except OSError:
        pass
    os.close(descriptor)
    return None
