"""This user's folders by the XDG Base Directory Specification: for data, for what can be made anew, for sockets."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from edge_app.errors import UsageError

MAX_SOCKET_PATH = 107  # bytes
FALLBACK = Path("/tmp")
_LONGEST = "/edge-app-65535.control"


def cache_folder(name: str) -> Path:
    """`$XDG_CACHE_HOME/edge-app/<name>`, by default below `~/.cache`: for what can be made or fetched again.

    Raises:
        UsageError: the user has no home folder, and the variable names none.
    """
    return _home("XDG_CACHE_HOME", ".cache") / "edge-app" / name


def data_folder(name: str) -> Path:
    """`$XDG_DATA_HOME/edge-app/<name>`, by default below `~/.local/share`: for what the user made.

    Raises:
        UsageError: as `cache_folder`.
    """
    return _home("XDG_DATA_HOME", ".local/share") / "edge-app" / name


def short_folder(room: int) -> Path:
    """`$TMPDIR`, or /tmp where that is no place for sockets: the system allows their paths 107 bytes, and ZeroMQ UTF-8.

    room: bytes that the path of a socket will need behind it.
    """
    folder = tempfile.gettempdir()
    return Path(folder) if _fits(folder, room) else FALLBACK


def runtime_folder() -> Path:
    """`$XDG_RUNTIME_DIR`, or where no socket can lie there a folder in /tmp that only this user may enter.

    Raises:
        UsageError: it belongs to somebody else, or cannot be made.
    """
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.path.isdir(named) and _fits(named, len(_LONGEST)):
        folder, name = Path(named), f"XDG_RUNTIME_DIR={named}"
    else:
        own = f"edge-app-{os.getuid()}"
        folder = short_folder(len(f"/{own}{_LONGEST}")) / own
        name = str(folder)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise UsageError(f"{name}: cannot be made: {error.strerror}; set XDG_RUNTIME_DIR") from None
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UsageError(f"{name}: must be a folder of this user that no other may write; or give --control ENDPOINT")
    return folder


def _fits(folder: str, room: int) -> bool:
    return folder.isprintable() and len(os.fsencode(folder)) + room <= MAX_SOCKET_PATH


def _home(variable: str, default: str) -> Path:
    named = os.environ.get(variable, "")
    if os.path.isabs(named):  # the specification says that others are to be ignored
        return Path(named)
    try:
        return Path.home() / default
    except RuntimeError:
        raise UsageError(
            f"user {os.getuid()} has no home folder; set HOME, or {variable}, to a folder that it may write"
        ) from None
