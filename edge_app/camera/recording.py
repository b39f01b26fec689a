"""Recordings: poses, stamps and messages, never pixels, in MCAP files that other tools open too.

A recording is one file, or a folder of them as `edge-app run --record` makes it: a folder for each run, in it
`<camera>-000001.mcap`, … with poses, and `messages-000001.mcap`, … with what was published.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import IO, Any

import zstandard
from mcap.exceptions import EndOfFile, McapError
from mcap.records import Channel, Chunk, McapRecord, Message, Metadata
from mcap.stream_reader import CRCValidationError, StreamReader, breakup_chunk
from mcap.writer import CompressionType, Writer

from edge_app.bundles.files import path_of
from edge_app.camera.pace import Pace
from edge_app.camera.pose_codec import as_json, from_json
from edge_app.errors import SourceError, UsageError
from edge_app.types import Poses

log = logging.getLogger(__name__)

FORMAT = "edge-recording/1"
SEGMENT = re.compile(r"(?P<name>.+)-(?P<number>\d{6})\.mcap(\.part)?")
MESSAGES = "messages"
LIBRARY = "edge-app"
MAGIC = b"\x89MCAP0\r\n"
CHUNK_BYTES = 32_768  # about a second of one person at 30 Hz: what a power cut can cost
MAX_RECORD_BYTES = 1 << 20
MAX_PEOPLE = 16
LATE_NS = 33_000_000
PIXEL_DECIMALS = 2

_numbers = {"type": "array", "items": {"type": "number"}}
POSES_SCHEMA: dict[str, Any] = {
    "title": "edge_app.Poses",
    "description": "Everybody found in one frame, by MediaPipe's 33 landmarks; an empty list where nobody was.",
    "type": "object",
    "required": ["index", "t_ns", "poses"],
    "properties": {
        "index": {"type": "integer", "description": "number of the frame"},
        "t_ns": {"type": "integer", "description": "monotonic capture stamp, ns"},
        "poses": {
            "type": "array",
            "maxItems": MAX_PEOPLE,
            "items": {
                "type": "object",
                "required": ["size", "image", "world", "visibility"],
                "properties": {
                    "size": {**_numbers, "description": "width, height of the frame, pixels"},
                    "image": {**_numbers, "description": "33 times x, y (down), pixels"},
                    "world": {**_numbers, "description": "33 times x (subject's right), y (up), z, metres, hips at 0"},
                    "visibility": {**_numbers, "description": "33 times 0 to 1"},
                },
            },
        },
    },
}


class RecordingFile:
    """Writes one file: a channel `/poses/<camera>` for each camera, and one for each topic of messages.

    Only its owner may read it. While it is written the file is called `<path>.part`, is locked, and is a readable
    recording up to its last whole chunk, which is on the disk before the next one begins; `close` gives it its name,
    over whatever stood there. When the disk is full, or `max_bytes` is reached, it stops: `full` says why, later calls
    do nothing, and what was written is kept.

    Coordinates are rounded to 0.01 pixel, 0.1 mm and 0.001 of visibility; what is read back and written again is the
    same byte for byte.

    about: kept in the file's metadata beside the format.

    Raises:
        UsageError: the file cannot be made, another process writes it, or a `.part` stands there that was not finished.
    """

    def __init__(self, path: Path, *, about: Mapping[str, str] | None = None, max_bytes: int = 4 << 30) -> None:
        self.path = Path(path)
        self.full = ""
        self.size = 0
        self._max_bytes = max_bytes
        self._part = self.path.with_name(self.path.name + ".part")
        self._channels: dict[str, int] = {}
        self._open, self._torn = True, False
        try:
            if self.path.exists() and not self.path.is_file():
                raise OSError(errno.EINVAL, "it is no plain file")
            self._file: IO[bytes] = open(os.open(self._part, os.O_RDWR | os.O_CREAT, 0o600), "r+b")  # noqa: SIM115
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(self._file.fileno()).st_size:
                raise FileExistsError(17, f"{self._part} was left there; move it away, or read it as it is")
            self._writer = Writer(self._file, chunk_size=CHUNK_BYTES, compression=CompressionType.ZSTD)
            self._writer.start(library=LIBRARY)
            self._writer.add_metadata(LIBRARY, {"format": FORMAT, **(about or {})})
            self._file.flush()
        except BlockingIOError:
            raise UsageError(f"recording {self.path}: cannot be written: another process is writing it") from None
        except OSError as error:
            raise UsageError(f"recording {self.path}: cannot be written: {error.strerror}") from None

    def poses(self, poses: Poses) -> None:
        """Add everybody found in one frame."""
        self._add(f"/poses/{poses.camera}", encode_poses(poses), poses.t_ns)

    def message(self, topic: str, message: Mapping[str, Any]) -> None:
        """Add a published message, at its own stamp."""
        self._add(topic, _json(message), message["t_publish_mono_ns"], message["schema"])

    def _add(self, topic: str, data: bytes, t_ns: int, schema: str = "") -> None:
        if self.full or not self._open:
            return
        try:
            if topic not in self._channels:
                self._channels[topic] = self._writer.register_channel(topic, "json", self._schema(schema))
            log_time = max(t_ns, 0)
            self._writer.add_message(self._channels[topic], log_time, data, log_time)
            self._file.flush()
            if self._file.tell() > self.size:  # a whole chunk has gone out
                os.fsync(self._file.fileno())
                self.size = self._file.tell()
            if self.size > self._max_bytes:
                self.full = f"the recording has reached its limit of {self._max_bytes} bytes"
        except OSError as error:
            self._fail(error)

    def _schema(self, name: str) -> int:
        if not name:
            return self._writer.register_schema("edge_app.Poses", "jsonschema", json.dumps(POSES_SCHEMA).encode())
        file = files("edge_app.stream") / "schemas" / f"{name.replace('/', '-')}.json"
        return self._writer.register_schema(name, "jsonschema", file.read_bytes())

    def _fail(self, error: OSError) -> None:
        self.full, self._torn = f"the recording cannot go on: {error.strerror}", True

    def close(self) -> None:
        """Finish the file and give it its name. Safe to call twice."""
        if not self._open:
            return
        self._open = False
        try:
            if not self._torn:  # an index behind half a chunk would be of no use
                self._writer.finish()
                self._file.flush()
                os.fsync(self._file.fileno())
        except OSError as error:
            self._fail(error)
        try:
            os.replace(self._part, self.path)
        except OSError as error:
            self._fail(error)
        with contextlib.suppress(OSError):  # what the disk did not take is still in the buffer
            self._file.close()

    def __enter__(self) -> RecordingFile:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def encode_poses(poses: Poses) -> bytes:
    """Compact JSON by `POSES_SCHEMA`.

    Raises:
        ValueError: a coordinate that is no number.
    """
    people = [as_json(pose, pixel_decimals=PIXEL_DECIMALS, nested=False) for pose in poses.poses]
    return _json({"index": poses.index, "t_ns": poses.t_ns, "poses": people})


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def decode_poses(data: bytes, camera: str) -> Poses:
    """What `encode_poses` wrote.

    Raises:
        ValueError: not by `POSES_SCHEMA`, more than 16 people, or a coordinate that is no number.
    """
    try:
        record = json.loads(data)
        t_ns, people = int(record["t_ns"]), record["poses"]
        if abs(t_ns) >= 1 << 62:
            raise ValueError(f"stamp {t_ns}")
        if len(people) > MAX_PEOPLE:
            raise ValueError(f"{len(people)} people in one frame; allowed: {MAX_PEOPLE}")
        return Poses(camera, int(record["index"]), t_ns, tuple(from_json(person, t_ns) for person in people))
    except (KeyError, TypeError, RecursionError, OverflowError) as error:
        raise ValueError(f"not a record of poses ({type(error).__name__}: {error})") from None


def segments(path: Path) -> list[Path]:
    """The files of a recording, name by name in the order they were written; a file is its own only one.

    A folder that holds nothing but one run's folder stands for that run.

    Raises:
        SourceError: no recording in the folder, or the runs of several.
    """
    if not path.is_dir():
        return [path]
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise SourceError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    if found := [file for file in entries if SEGMENT.fullmatch(file.name)]:
        return found
    runs = [folder for folder in entries if folder.is_dir() and any(folder.glob("*.mcap*"))]
    if len(runs) > 1:
        raise SourceError(f"{path}: holds {len(runs)} runs; choose one, such as the last: {runs[-1]}")
    if not runs:
        raise SourceError(f"{path}: holds no recording; allowed: a folder made by edge-app run --record")
    return segments(runs[0])


def read_recording(path: Path) -> Iterator[Poses | tuple[str, dict[str, Any]]]:
    """Everything in a file in the order it was written: poses with their own stamps and cameras, and messages as
    (topic, message). A file that breaks off, or is damaged further on, gives what is whole, one warning line on
    stderr, and ends.

    Raises:
        SourceError: no such file, or not a recording of this program.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise SourceError(f"{path}: is no recording; allowed: a file made by edge-app record")
            file.seek(0)
            yield from _records(path, file)
    except OSError as error:
        part = path.with_name(f"{path.name}.part")
        here = f"; {part.name} is there, which was not finished, and can be read" if part.is_file() else ""
        raise SourceError(f"{path}: {(error.strerror or str(error)).lower()}{here}") from None


def _records(path: Path, file: IO[bytes]) -> Iterator[Poses | tuple[str, dict[str, Any]]]:
    topics: dict[int, str] = {}
    known = False
    try:
        for record in unpacked(file):
            if isinstance(record, Metadata) and record.name == LIBRARY:
                found = record.metadata.get("format")
                if found != FORMAT:
                    raise SourceError(f"{path}: needs re-encoding: format {found!r} found; allowed: {FORMAT}")
                known = True
            elif not known and isinstance(record, (Channel, Message)):
                raise SourceError(f"{path}: is an MCAP file of another program; allowed: one made by edge-app record")
            elif isinstance(record, Channel):
                topics[record.id] = record.topic
            elif isinstance(record, Message):
                topic = topics.get(record.channel_id, "")
                if topic.startswith("/poses/"):
                    yield decode_poses(record.data, topic.removeprefix("/poses/"))
                elif topic.startswith("v1/"):
                    yield topic, dict(json.loads(record.data))
    except DAMAGE as error:
        reason = "the end is missing" if isinstance(error, EndOfFile) else " ".join(str(error).split())
        log.warning(
            "%s: the recording breaks off (%s); it is read up to there", path, reason, extra={"kind": "recording"}
        )


DAMAGE = (
    McapError, CRCValidationError, zstandard.ZstdError, struct.error, ValueError, KeyError, TypeError, RecursionError
)  # fmt: skip


class _Bounded:
    """A file that gives all that is asked for or fails, and never allocates more than a record may have."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, length: int) -> bytes:
        if length > MAX_RECORD_BYTES:
            raise ValueError(f"{length} bytes in one record; allowed: {MAX_RECORD_BYTES}")
        data = self._file.read(length)
        if len(data) < length:
            raise EndOfFile
        return data


def unpacked(file: IO[bytes]) -> Iterator[McapRecord]:
    """The records of an MCAP file, those of its chunks among them; raises one of `DAMAGE` where it is broken."""
    reader = StreamReader(_Bounded(file), emit_chunks=True, record_size_limit=MAX_RECORD_BYTES)  # type: ignore[arg-type]
    for record in reader.records:
        if not isinstance(record, Chunk):
            yield record
            continue
        if record.compression == "zstd":
            size = max(zstandard.frame_content_size(record.data), record.uncompressed_size)
        else:
            size = MAX_RECORD_BYTES + 1 if record.compression else record.uncompressed_size
        if size > MAX_RECORD_BYTES:
            raise ValueError(f"a chunk of {size} bytes; allowed: {MAX_RECORD_BYTES}, packed by zstd or not at all")
        yield from breakup_chunk(record, validate_crc=True)


def _poses_in(path: Path) -> Iterator[Poses]:
    for file in segments(path):
        if not file.name.startswith(f"{MESSAGES}-"):
            yield from (item for item in read_recording(file) if isinstance(item, Poses))


class RecordingSource:
    """`pose://PATH[?camera=NAME]`: the poses of one camera of a recording, a file or a folder, as a source.

    In real time they come at the pace at which they were recorded, stamped anew; otherwise with their own stamps
    counted from the first. Poses whose stamps do not advance are left out.

    Raises:
        SourceError: no such file, or no recording; from `read`, several cameras in it and none chosen.
        UsageError: an unknown option, or no file can have that name.
    """

    def __init__(self, uri: str, *, camera: str, realtime: bool) -> None:
        name, _, query = uri.removeprefix("pose://").partition("?")
        key, _, wanted = query.partition("=")
        if query and (key != "camera" or not wanted):
            raise UsageError(f"{uri}: unknown option {query!r}; allowed: camera=NAME")
        self.uri, self.live, self.fps = uri, realtime, 0.0
        self._camera, self._wanted = camera, wanted
        self._pace = Pace(realtime)
        self._items = self._chosen(_poses_in(path_of(name)))
        self._first = next(self._items, None)
        self._start_ns = self._first.t_ns if self._first else 0

    def _chosen(self, items: Iterator[Poses]) -> Iterator[Poses]:
        """One camera's poses, in the order of time."""
        name, last_ns = self._wanted, None
        for item in items:
            if self._wanted and item.camera != self._wanted:
                continue
            name = name or item.camera
            if item.camera != name:
                found = f"{name} and {item.camera}"
                raise SourceError(f"{self.uri}: holds several cameras, such as {found}; choose one: ?camera={name}")
            if last_ns is None or item.t_ns > last_ns:
                last_ns = item.t_ns
                yield item

    def read(self) -> Poses | None:
        """The next poses; None at the end or when closed."""
        while not self._pace.stopped:
            item, self._first = self._first or next(self._items, None), None
            if item is None:
                return None
            t_ns = self._pace.stamp(item.t_ns - self._start_ns, LATE_NS)
            if t_ns is None:
                continue
            poses = tuple(replace(pose, t_ns=t_ns) for pose in item.poses)
            return None if self._pace.stopped else replace(item, camera=self._camera, t_ns=t_ns, poses=poses)
        return None

    def close(self) -> None:
        self._pace.stop()

    def __enter__(self) -> RecordingSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
