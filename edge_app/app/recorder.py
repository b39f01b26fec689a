"""Recording beside the live path: a bounded queue, a thread that writes, files by size and time, old ones removed.

A slow or full disk costs the recording, never the labels: what the queue cannot take is dropped and counted.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from mcap.exceptions import EndOfFile
from mcap.records import Channel, Message, Metadata, Schema
from mcap.writer import CompressionType, Writer

from edge_app import __version__
from edge_app.app.log import log
from edge_app.bundles.files import whole
from edge_app.camera.recording import (
    CHUNK_BYTES,
    DAMAGE,
    LIBRARY,
    MAGIC,
    SEGMENT,
    RecordingFile,
    unpacked,
)
from edge_app.errors import AppError, SourceError, UsageError
from edge_app.stream.clock import Clock
from edge_app.types import Poses

QUEUE = 256  # items: about eight seconds of one camera
CLOSE_S = 2.0
RUN = "[0-9]" * 8 + "T" + "[0-9]" * 6 + "Z*"

State = Literal["recording", "recorder_full"]


class Sink(Protocol):
    """Where items go in the end: `RecordingFile` or `Segments`. `full` says why it takes no more."""

    full: str

    def poses(self, poses: Poses) -> None: ...

    def message(self, topic: str, message: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class Recorder:
    """Takes poses and messages without ever waiting, and writes them in a thread of its own.

    dropped: items that the queue had no room for, or that hold what is no number.
    """

    def __init__(self, sink: Sink, *, waiting: int = QUEUE) -> None:
        self.dropped = 0
        self._sink = sink
        self._waiting = waiting
        self._queue: queue.SimpleQueue[Poses | tuple[str, Mapping[str, Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="recorder", daemon=True)
        self._thread.start()

    @property
    def full(self) -> str:
        """Why nothing more is written; empty while all is well."""
        return self._sink.full

    @property
    def state(self) -> State:
        return "recorder_full" if self._sink.full else "recording"

    def poses(self, poses: Poses) -> None:
        self._offer(poses)

    def message(self, topic: str, message: Mapping[str, Any]) -> None:
        self._offer((topic, message))

    def _offer(self, item: Poses | tuple[str, Mapping[str, Any]]) -> None:
        if self._queue.qsize() < self._waiting:
            self._queue.put(item)
        else:
            self.dropped += 1

    def _write(self) -> None:
        while (item := self._queue.get()) is not None:
            try:
                if isinstance(item, Poses):
                    self._sink.poses(item)
                else:
                    self._sink.message(*item)
            except ValueError:
                self.dropped += 1
            if self._sink.full:
                break
        self._sink.close()
        if self._sink.full:
            log.warning("%s; the app goes on without it", self._sink.full, extra={"kind": "recorder_full"})
        while item is not None:  # what comes after the disk is full has nowhere to go
            item = self._queue.get()

    def close(self) -> None:
        """Write what waits and finish the file; a disk that hangs is waited for two seconds at most."""
        self._queue.put(None)
        self._thread.join(CLOSE_S)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Segments:
    """The files `<folder>/<name>-000001.mcap`, … of one run, in `folder`, which lies in the user's folder.

    With the first item, what killed processes left in any run's folder is made whole again; with every new file, the
    oldest recordings in the user's folder go as `RecordConfig` says.

    Raises:
        UsageError: the folder cannot be made.
    """

    def __init__(self, folder: Path, name: str, config: RecordConfig) -> None:
        self.full = ""
        self._folder, self._name, self._config = folder, name, config
        self._file: RecordingFile | None = None
        self._begun = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"--record {folder}: cannot be made: {error.strerror}") from None

    def poses(self, poses: Poses) -> None:
        if file := self._writable():
            file.poses(poses)
            self.full = file.full

    def message(self, topic: str, message: Mapping[str, Any]) -> None:
        if file := self._writable():
            file.message(topic, message)
            self.full = file.full

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self.full = self.full or self._file.full

    def _writable(self) -> RecordingFile | None:
        if self.full:
            return None
        config, now = self._config, time.monotonic()
        old = self._file is not None and now - self._begun >= config.segment_s
        if self._file is not None and not old and self._file.size < config.segment_mb * 1e6:
            return self._file
        if self._file is None:
            recover(self._folder.parent)
        else:
            self._file.close()
        retain(self._folder.parent, config)
        numbers = [int(m["number"]) for _, m in _named(self._folder) if m["name"] == self._name]
        path = self._folder / f"{self._name}-{max(numbers, default=0) + 1:06d}.mcap"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)  # `retain` takes it away with the last file in it
            self._file, self._begun = RecordingFile(path, about=_about()), now
        except (AppError, OSError) as error:
            self.full = str(error)
            return None
        return self._file


def new_run(folder: Path) -> Path:
    """A new folder for one run in the user's folder, named by the time, such as `20260101T000000Z`.

    Raises:
        UsageError: it cannot be made.
    """
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(1, 100):
            run = folder / (name if number == 1 else f"{name}-{number}")
            with contextlib.suppress(FileExistsError):
                run.mkdir()
                return run
        raise FileExistsError(17, "a hundred runs began in this second")
    except OSError as error:
        raise UsageError(f"--record {folder}: cannot be written: {error.strerror}") from None


def _about() -> dict[str, str]:
    """What makes the monotonic stamps of a file readable as times of the day."""
    clock = Clock()
    mono_ns = clock.mono_ns()
    return {"version": __version__, "boot": clock.boot, "mono_ns": str(mono_ns), "wall": clock.wall_iso(mono_ns)}


def _named(run: Path) -> list[tuple[Path, Any]]:
    """The files of a run's folder that bear a name of ours, each with the match."""
    try:
        return [(path, match) for path in run.iterdir() if (match := SEGMENT.fullmatch(path.name))]
    except OSError:
        return []


def _ours(root: Path) -> Iterator[Path]:
    """Recordings in the runs' folders that this program made: by name, by kind, and by their first bytes."""
    for run in root.glob(RUN):
        if run.is_symlink() or not run.is_dir():
            continue
        for path, _ in _named(run):
            with contextlib.suppress(OSError):
                if path.is_symlink() or not path.is_file():
                    continue
                with path.open("rb") as file:
                    head = file.read(64)
                if _is_ours(head):
                    yield path


def _is_ours(head: bytes) -> bool:
    return head.startswith(MAGIC) and LIBRARY.encode() in head


def _is_written(path: Path) -> bool:
    """Whether a living process has the file locked."""
    if path.suffix != ".part":
        return False
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def retain(root: Path, config: RecordConfig) -> None:
    """Remove the oldest recordings until a new file has room within `max_gb`, and those older than `max_days`.

    Files of others, links, and files that are being written are left alone. By the files' times of last change.
    """
    found = []
    for path in _ours(root):
        with contextlib.suppress(OSError):
            stat = path.stat()
            found.append((stat.st_mtime, stat.st_size, path))
    total = sum(size for _, size, _ in found)
    room = config.max_gb * 1e9 - min(config.segment_mb * 1e6, config.max_gb * 1e9 / 2)
    for changed, size, path in sorted(found):
        too_old = config.max_days > 0 and time.time() - changed > config.max_days * 86_400
        too_much = config.max_gb > 0 and total > room
        with contextlib.suppress(OSError):
            if (too_old or too_much) and not _is_written(path):
                path.unlink()
                total -= size
                path.parent.rmdir()  # only if nothing else is in it


def recover(root: Path) -> None:
    """Give an index and its name to every recording in the runs' folders that a killed process left behind."""
    for part in _ours(root):
        if part.suffix != ".part":
            continue
        try:
            with part.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if part.exists():  # else another process was faster
                    with whole(part.with_suffix(""), mode=0o600) as new:
                        _rewrite(file, new)
                    part.unlink()
                    log.warning("%s was not finished; what it held is in %s", part, part.stem, extra={"kind": "record"})
        except (OSError, SourceError, UsageError):  # being written, or no room: next time
            continue


def finish(part: Path) -> Path | None:
    """Finish a recording that a killed process left behind, as `a-recovered.mcap` or the next free name of the kind.

    Returns where it is; None where there was none, or nothing in it.

    Raises:
        UsageError: it is no recording, a process writes it, or there is no room.
    """
    path = part.with_suffix("")
    try:
        with part.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            head = file.read(64)
            if head and not _is_ours(head):
                raise UsageError(f"{part}: is in the way, and no recording; move it away")
            file.seek(0)
            names = (f"{path.stem}-recovered{'' if n == 1 else f'-{n}'}{path.suffix}" for n in itertools.count(1))
            out = next(new for name in names if not (new := path.with_name(name)).exists())
            with whole(out, mode=0o600) as new:
                copied = _rewrite(file, new)
            part.unlink()
    except FileNotFoundError:
        return None
    except BlockingIOError:
        raise UsageError(f"{part}: another process is writing it") from None
    except OSError as error:
        raise UsageError(f"{part}: cannot be read: {error.strerror}") from None
    if copied:
        return out
    out.unlink()
    return None


def _rewrite(file: Any, out: Path) -> int:
    """Copy every whole record into a finished file; returns how many messages and poses it had."""
    schemas: dict[int, int] = {0: 0}
    channels: dict[int, int] = {}
    copied = 0
    with out.open("wb") as target:
        writer = Writer(target, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
        writer.start(library=LIBRARY)
        try:
            for record in unpacked(file):
                if isinstance(record, Metadata):
                    writer.add_metadata(record.name, record.metadata)
                elif isinstance(record, Schema) and record.id not in schemas:
                    schemas[record.id] = writer.register_schema(record.name, record.encoding, record.data)
                elif isinstance(record, Channel) and record.id not in channels:
                    known = schemas[record.schema_id]
                    channels[record.id] = writer.register_channel(record.topic, record.message_encoding, known)
                elif isinstance(record, Message):
                    writer.add_message(channels[record.channel_id], record.log_time, record.data, record.publish_time)
                    copied += 1
        except (EndOfFile, *DAMAGE):
            pass  # what is whole has been copied
        writer.finish()
    return copied


@dataclass(frozen=True, slots=True)
class RecordConfig:
    """max_gb: of all recordings in the folder of `--record`; the oldest go first. max_days: older ones go. 0: no limit.

    segment_mb, segment_s: a file so large, or begun so long ago, is finished, and the next one begun.
    """

    max_gb: float = 10.0
    max_days: float = 30.0
    segment_mb: float = 64.0
    segment_s: float = 600.0
