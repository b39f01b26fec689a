"""Arrays from files that somebody else may have made: every size is checked before anything is allocated."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from edge_app.errors import UsageError

MAX_BYTES = 512 * 2**20  # of all arrays of one file, unpacked
MAX_ARRAYS = 1024
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, OverflowError)


def load_npz(path: Path, limit: int = MAX_BYTES) -> dict[str, np.ndarray]:
    """Arrays of an npz file, never unpickled.

    Raises:
        UsageError: no npz of plain arrays, more than `limit` bytes of them, or sizes that contradict each other.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > MAX_ARRAYS or total > limit:
                raise ValueError(f"{len(members)} arrays of {total:,} bytes; allowed: {MAX_ARRAYS}, {limit:,}")
            arrays = {}
            for member in members:
                with archive.open(member) as file:
                    arrays[member.filename.removesuffix(".npy")] = _read_array(file, member.file_size)
            return arrays
    except _DAMAGE as error:
        raise UsageError(f"{path.name}: not an npz of plain arrays ({str(error)[:120]})") from None


def load_npy(path: Path) -> np.ndarray:
    """The array of an npy file, never unpickled.

    Raises:
        UsageError: as `load_npz`.
    """
    try:
        with path.open("rb") as file:
            return _read_array(file, path.stat().st_size)
    except _DAMAGE as error:
        raise UsageError(f"{path.name}: not a plain npy array ({str(error)[:120]})") from None


def _read_array(file: IO[bytes], size: int) -> np.ndarray:
    """An array whose header says exactly what follows it: numpy itself would allocate whatever the header claims."""
    version = np.lib.format.read_magic(file)
    if version not in _HEADERS:
        raise ValueError(f"npy format {version} found, 1.0 and 2.0 are allowed")
    shape, _, dtype = _HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("Python objects found, numbers and text are allowed")
    if (
        any(length < 0 for length in shape)
        or math.prod(shape) * dtype.itemsize != size - file.tell()
        or size > MAX_BYTES
    ):
        raise ValueError(f"a header for {dtype} {shape} found on {size - file.tell():,} bytes")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def cache_folder() -> Path:
    """`$XDG_CACHE_HOME/edge-app/models`, by default `~/.cache/edge-app/models`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "edge-app" / "models"


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Where to write in the meantime: takes the place of `path` at the end, and is gone if anything goes wrong.

    Of the same ending, since some libraries choose a format by it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".part-{path.name}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with whole(path) as partial:
        partial.write_text(text, "utf-8")
