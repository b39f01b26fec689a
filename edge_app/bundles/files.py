"""Files: arrays that somebody else may have made, every size checked first; and what we write, whole or not at all."""

from __future__ import annotations

import errno
import math
import os
import re
import secrets
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

from edge_app.errors import UsageError, printable

if TYPE_CHECKING:
    import numpy as np

MAX_BYTES = 512 * 2**20  # of all arrays of one file, unpacked
MAX_ARRAYS = 1024
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, OverflowError)


def path_of(text: str | Path) -> Path:
    """What somebody wrote as a path; it need not be there.

    Raises:
        UsageError: no file can have that name.

    Example:
        >>> path_of("a/b.mp4").name
        'b.mp4'
    """
    try:
        os.lstat(text)
    except (ValueError, OSError) as error:  # a NUL, half a surrogate pair, or too long
        if isinstance(error, ValueError) or error.errno == errno.ENAMETOOLONG:
            raise UsageError(f"{printable(text):.100}: no file can have that name") from None
    return Path(text)


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
    from numpy.lib import format as npy  # here, since who only writes files needs no NumPy

    headers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    version = npy.read_magic(file)
    if version not in headers:
        raise ValueError(f"npy format {version} found, 1.0 and 2.0 are allowed")
    shape, _, dtype = headers[version](file)
    if dtype.hasobject:
        raise ValueError("Python objects found, numbers and text are allowed")
    if (
        any(length < 0 for length in shape)
        or math.prod(shape) * dtype.itemsize != size - file.tell()
        or size > MAX_BYTES
    ):
        raise ValueError(f"a header for {dtype} {shape} found on {size - file.tell():,} bytes")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)


def by_number(path: Path) -> tuple[list[str | int], str]:
    """A key that sorts files as people count: frame2 before frame10."""
    parts = re.split("([0-9]+)", path.name)  # text and digits in turn
    return [int(part) if turn % 2 else part for turn, part in enumerate(parts)], path.name


@contextmanager
def whole(path: Path, *, mode: int | None = None, parents: bool = True) -> Iterator[Path]:
    """Where to write what `path` is to hold: it takes the place of `path` at the end, once it is on the disk.

    If anything goes wrong, `path` stays as it was. The file to write has the ending of `path`, since some libraries
    choose a format by it. What is no plain file, such as `/dev/stdout`, is written as it is.

    Args:
        mode: of the file; by default that of the file which stood there, or what the umask leaves to a new one.
        parents: make the folders above it; if nobody else may read the file, nobody else may enter a new one.

    Raises:
        UsageError: it cannot be written, or what is written within raises OSError.
    """
    with _replacing(path, path.suffix, mode, parents) as part:
        yield part


def write_bytes(path: Path, data: bytes | memoryview, *, mode: int | None = None, parents: bool = True) -> None:
    """Write a file whole or not at all, as `whole` does; while it is written, no `*.ending` finds it."""
    with _replacing(path, "", mode, parents) as part:
        part.write_bytes(data)


def write_text(path: Path, text: str, *, mode: int | None = None, parents: bool = True) -> None:
    """`write_bytes` of the text in UTF-8."""
    write_bytes(path, text.encode(), mode=mode, parents=parents)


def put_folder(new: Path, path: Path) -> None:
    """Make the finished folder `new` the one at `path`; one that stood there goes once the new one stands.

    Raises:
        OSError: it cannot be; what stood there then stands there still.
    """
    old = new.with_name(f"{new.name}.old")
    if path.exists():
        os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        if old.exists():
            os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _replacing(path: Path, ending: str, mode: int | None, parents: bool) -> Iterator[Path]:
    part = None
    try:
        path = Path(os.path.realpath(path))  # a link stays a link
        if path.exists() and not path.is_file():
            yield path
            return
        if parents:
            private = mode is not None and not mode & 0o077
            path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        if mode is None and path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
        new = path.with_name(f".part-{secrets.token_hex(4)}{ending}")
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666 if mode is None else mode))
        part = new
        if mode is not None:
            part.chmod(mode)
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror or error})") from None
    finally:
        if part is not None:
            with suppress(OSError):
                part.unlink()
