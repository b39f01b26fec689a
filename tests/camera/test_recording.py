from __future__ import annotations

import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mcap.reader import make_reader
from mcap.records import Chunk, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import Writer

from edge_app.app.log import setup
from edge_app.camera import open_source
from edge_app.camera.recording import MAX_RECORD_BYTES, RecordingFile, decode_poses, encode_poses, read_recording
from edge_app.errors import SourceError, UsageError
from edge_app.types import Pose, Poses

STEP = 33_333_333
GOLDEN = Path(__file__).parents[1] / "golden/messages"


@pytest.fixture(autouse=True)
def every_warning_is_the_first() -> None:
    setup()


def person(seed: int, t_ns: int) -> Pose:
    rng = np.random.default_rng(seed)
    return Pose(
        t_ns=t_ns,
        image=rng.uniform(-200, 2000, (33, 2)).astype(np.float32),
        world=rng.normal(0, 0.5, (33, 3)).astype(np.float32),
        visibility=rng.uniform(0, 1, 33).astype(np.float32),
        size=(1280, 720),
    )


def walk(count: int, camera: str = "front", start_ns: int = 5_000_000_000) -> list[Poses]:
    """Somebody in two of three frames."""
    stamps = [start_ns + STEP * index for index in range(count)]
    return [Poses(camera, i, t, (person(i, t),) if i % 3 else ()) for i, t in enumerate(stamps)]


def record(path: Path, items: list[Poses]) -> Path:
    with RecordingFile(path) as recorder:
        for poses in items:
            recorder.poses(poses)
    return path


def poses_of(path: Path) -> list[Poses]:
    return [item for item in read_recording(path) if isinstance(item, Poses)]


def assert_close(read: list[Poses], written: list[Poses]) -> None:
    assert [(p.camera, p.index, p.t_ns, len(p.poses)) for p in read] == [
        (p.camera, p.index, p.t_ns, len(p.poses)) for p in written
    ]
    for a, b in zip(read, written, strict=True):
        for one, other in zip(a.poses, b.poses, strict=True):
            assert one.size == other.size and one.t_ns == other.t_ns
            assert one.image.dtype == one.world.dtype == one.visibility.dtype == np.float32
            np.testing.assert_allclose(one.image, other.image, atol=0.0052, rtol=0)
            np.testing.assert_allclose(one.world, other.world, atol=0.000052, rtol=0)
            np.testing.assert_allclose(one.visibility, other.visibility, atol=0.00052, rtol=0)


def test_what_was_written_is_read_back_within_the_rounding(tmp_path: Path) -> None:
    written = walk(100)
    path = record(tmp_path / "a.mcap", written)
    assert_close(poses_of(path), written)
    assert os.listdir(tmp_path) == ["a.mcap"]


def test_a_copy_of_a_recording_is_the_same_byte_for_byte(tmp_path: Path) -> None:
    first = record(tmp_path / "a.mcap", walk(60))
    second = record(tmp_path / "b.mcap", poses_of(first))
    assert first.read_bytes() == second.read_bytes()


coordinates = st.floats(-20000, 20000, width=32)


@settings(max_examples=40)
@given(
    arrays(np.float32, (33, 2), elements=coordinates),
    arrays(np.float32, (33, 3), elements=st.floats(-50, 50, width=32)),
    arrays(np.float32, 33, elements=st.floats(0, 1, width=32)),
    st.integers(-(2**61), 2**61),
)
def test_rounding_is_stable(image: np.ndarray, world: np.ndarray, visibility: np.ndarray, t_ns: int) -> None:
    data = encode_poses(Poses("c", 3, t_ns, (Pose(t_ns, image, world, visibility, (640, 480)),)))
    assert encode_poses(decode_poses(data, "c")) == data


def test_numbers_that_are_none_are_refused() -> None:
    pose = person(1, 0)
    pose.world[3, 1] = np.nan
    with pytest.raises(ValueError, match="Out of range"):
        encode_poses(Poses("c", 0, 0, (pose,)))


def test_messages_and_poses_keep_their_order(tmp_path: Path) -> None:
    message = {"schema": "action/1.0", "label": "se laver les dents ✓", "score": 0.5, "t_publish_mono_ns": 7}
    with RecordingFile(tmp_path / "a.mcap") as recorder:
        first, second = walk(2)
        recorder.poses(first)
        recorder.message("v1/front/action", message)
        recorder.poses(second)
    items = list(read_recording(tmp_path / "a.mcap"))
    assert [type(item) for item in items] == [Poses, tuple, Poses]
    assert items[1] == ("v1/front/action", message)


def test_other_tools_can_read_it(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mcap", walk(10))
    jsonschema = pytest.importorskip("jsonschema")
    with path.open("rb") as file:
        found = list(make_reader(file, validate_crcs=True).iter_messages())
    assert len(found) == 10
    for schema, channel, message in found:
        assert schema is not None and (schema.encoding, channel.topic) == ("jsonschema", "/poses/front")
        jsonschema.validate(json.loads(message.data), json.loads(schema.data))


def test_its_index_checksums_and_schemas_are_sound(tmp_path: Path) -> None:
    """What `mcap doctor` looks at, by the format's own reader: Foxglove opens a file by its summary."""
    jsonschema = pytest.importorskip("jsonschema")
    path = tmp_path / "a.mcap"
    with RecordingFile(path) as recorder:
        for poses in walk(200):
            recorder.poses(poses)
        for index, file in enumerate(sorted(GOLDEN.glob("*.json"))):
            message = json.loads(file.read_text())
            if "t_publish_mono_ns" in message:
                recorder.message(
                    f"v1/front/{file.stem}", {**message, "t_publish_mono_ns": 5_000_000_000 + index * STEP}
                )
    with path.open("rb") as file:
        reader = make_reader(file, validate_crcs=True)
        summary, found = reader.get_summary(), list(reader.iter_messages(log_time_order=False))
        file.seek(0)
        records = list(StreamReader(file, emit_chunks=True, validate_crcs=True).records)
    chunks = [record for record in records if isinstance(record, Chunk)]
    assert summary is not None
    assert summary.statistics.message_count == len(found) > 200
    assert summary.statistics.channel_message_counts == Counter(channel.id for _, channel, _ in found)
    assert summary.statistics.schema_count == len(summary.schemas) >= 5 and set(summary.channels) == {
        channel.id for _, channel, _ in found
    }
    assert len(summary.chunk_indexes) == len(chunks) > 1
    for index, chunk in zip(summary.chunk_indexes, chunks, strict=True):
        times = [each.log_time for each in breakup_chunk(chunk, validate_crc=True) if isinstance(each, Message)]
        assert (index.message_start_time, index.message_end_time) == (min(times), max(times))
    for schema in summary.schemas.values():
        told = json.loads(schema.data)
        assert (schema.encoding, told["type"]) == ("jsonschema", "object") and schema.name
        jsonschema.Draft202012Validator.check_schema(told)
    for schema, channel, message in found:
        assert channel.message_encoding == "json" and message.log_time == message.publish_time
        jsonschema.validate(json.loads(message.data), json.loads(schema.data))


def test_a_recording_as_a_source(tmp_path: Path) -> None:
    written = walk(20)
    path = record(tmp_path / "a.mcap", written)
    with open_source(f"pose://{path}", camera="cam", realtime=False) as source:
        assert not source.live
        got = [item for item in iter(source.read, None) if isinstance(item, Poses)]
        assert source.read() is None
    assert [item.t_ns for item in got] == [STEP * index for index in range(20)]
    assert {item.camera for item in got} == {"cam"}
    assert all(pose.t_ns == item.t_ns for item in got for pose in item.poses)
    with open_source(f"pose://{path}") as source:
        assert source.live
        first, second = source.read(), source.read()
    assert first is not None and second is not None and second.t_ns - first.t_ns == STEP


def test_stamps_that_do_not_advance_are_left_out(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mcap", [Poses("c", i, t, ()) for i, t in enumerate([5, 6, 6, 4, 9])])
    with open_source(f"pose://{path}", realtime=False) as source:
        assert [item.t_ns for item in iter(source.read, None)] == [0, 1, 4]


def test_several_cameras_must_be_chosen_from(tmp_path: Path) -> None:
    front, back = walk(3, "front"), walk(3, "back", start_ns=7)
    path = record(tmp_path / "a.mcap", [front[0], back[0], front[1], back[1]])
    with open_source(f"pose://{path}?camera=back", realtime=False) as source:
        assert [item.t_ns for item in iter(source.read, None)] == [0, STEP]
    with (
        open_source(f"pose://{path}", realtime=False) as source,
        pytest.raises(SourceError, match=r"front and back; choose one: \?camera=front"),
    ):
        list(iter(source.read, None))


def test_any_truncation_gives_a_beginning_and_one_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = walk(200)
    whole = record(tmp_path / "whole.mcap", written).read_bytes()
    cut, counts = tmp_path / "cut.mcap", []
    for length in [8, 9, 100, *range(2000, len(whole), len(whole) // 30)]:
        cut.write_bytes(whole[:length])
        setup()  # forgets that it has warned of this before
        got = poses_of(cut)
        assert_close(got, written[: len(got)])
        counts.append(len(got))
        warnings = capsys.readouterr().err.splitlines()
        assert len(warnings) == 1 and "the recording breaks off (the end is missing)" in warnings[0]
    assert counts == sorted(counts) and counts[0] == 0 and 150 < counts[-1] <= 200


@pytest.mark.parametrize("seed", range(40))
def test_damaged_bytes_never_raise_anything_else(tmp_path: Path, seed: int) -> None:
    data = bytearray(record(tmp_path / "a.mcap", walk(60)).read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 5, 50])):
        data[chance.randrange(8, len(data))] = chance.randrange(256)
    (tmp_path / "b.mcap").write_bytes(data)
    try:
        items = poses_of(tmp_path / "b.mcap")
    except SourceError as error:
        assert "\n" not in str(error)
    else:
        assert len(items) <= 60


@pytest.mark.parametrize("content", [None, b"", b"hello", b"\x00" * 100, b"\x89MCAP0\r"])
def test_not_a_recording(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "x.mcap"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=r"x\.mcap: (is no recording|no such file)"):
        open_source(f"pose://{path}")


def foreign(path: Path, *, metadata: dict[str, str] | None, data: bytes = b"{}", chunk: int = 10**6) -> Path:
    writer = Writer(str(path), chunk_size=chunk)
    writer.start()
    if metadata is not None:
        writer.add_metadata("edge-app", metadata)
    channel = writer.register_channel("/poses/c", "json", writer.register_schema("s", "jsonschema", b"{}"))
    writer.add_message(channel, 0, data, 0)
    writer.finish()
    return path


def test_mcap_files_of_others_and_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="of another program"):
        poses_of(foreign(tmp_path / "a.mcap", metadata=None))
    with pytest.raises(SourceError, match=r"needs re-encoding: format 'edge-recording/9' found; allowed"):
        poses_of(foreign(tmp_path / "b.mcap", metadata={"format": "edge-recording/9"}))


@pytest.mark.parametrize(
    "data",
    [
        b"\xff", b"[]", b"{}", b'{"index":0,"t_ns":0,"poses":[{}]}', b'{"index":0,"t_ns":1e400,"poses":[]}',
        b'{"index":0,"t_ns":"x","poses":[]}', b"[" * 100_000,
        b'{"index":0,"t_ns":0,"poses":[' + b"{}," * 20 + b"{}]}",
        encode_poses(walk(2)[1]).replace(b'"visibility":[', b'"visibility":[NaN,'), b" " * (MAX_RECORD_BYTES + 1),
    ],
)  # fmt: skip
def test_records_outside_the_limits_end_the_reading(
    tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = foreign(tmp_path / "a.mcap", metadata={"format": "edge-recording/1"}, data=data, chunk=1)
    assert poses_of(path) == []
    assert capsys.readouterr().err.count("a.mcap") == 1


@pytest.mark.fault
def test_R2_kill_9_loses_at_most_the_last_chunk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = (
        "import sys, time\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[2])\n"
        "from test_recording import RecordingFile, walk\n"
        "recorder = RecordingFile(Path(sys.argv[1]))\nfor poses in walk(300): recorder.poses(poses)\n"
        "print('written', flush=True)\ntime.sleep(100)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.mcap"), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    assert os.listdir(tmp_path) == ["a.mcap.part"]
    written = walk(300)
    got = poses_of(tmp_path / "a.mcap.part")
    assert_close(got, written[: len(got)])
    lost = written[len(got) :]
    assert sum(len(encode_poses(poses)) + 31 for poses in lost) <= 33_000
    capsys.readouterr()


@pytest.mark.fault
def test_R1_F2_a_full_disk_stops_the_recording_and_keeps_it(tmp_path: Path) -> None:
    code = (
        "import resource, sys\nfrom pathlib import Path\nsys.path.insert(0, sys.argv[2])\n"
        "from test_recording import RecordingFile, walk\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))\n"
        "with RecordingFile(Path(sys.argv[1])) as recorder:\n"
        "    for poses in walk(300): recorder.poses(poses)\n    print(recorder.full)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.mcap"), str(Path(__file__).parent)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.startswith("the recording cannot go on: ")
    got = poses_of(tmp_path / "a.mcap")
    assert_close(got, walk(300)[: len(got)])
    assert len(got) > 50


def test_the_limit_of_bytes(tmp_path: Path) -> None:
    with RecordingFile(tmp_path / "a.mcap", max_bytes=50_000) as recorder:
        for poses in walk(400):
            recorder.poses(poses)
        assert "limit of 50000 bytes" in recorder.full
    assert 50_000 < (tmp_path / "a.mcap").stat().st_size < 100_000
    assert 0 < len(poses_of(tmp_path / "a.mcap")) < 400


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    for path in (tmp_path / "no/such/folder/a.mcap", tmp_path):
        with pytest.raises(UsageError, match="cannot be written"):
            RecordingFile(path)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: socket.socket(socket.AF_UNIX).bind(str(path))])
def test_F2_what_is_no_plain_file_is_no_place_for_a_recording(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """`record SOURCE /dev/full`, by root, used to put a file in the place of the device."""
    path = tmp_path / "device"
    make(path)
    before = path.stat()
    with pytest.raises(UsageError, match="device: cannot be written: it is no plain file"):
        RecordingFile(path)
    assert path.stat() == before and list(tmp_path.iterdir()) == [path]


def test_F3_an_empty_recording(tmp_path: Path) -> None:
    path = record(tmp_path / "a.mcap", [])
    with open_source(f"pose://{path}") as source:
        assert source.read() is None


def test_no_pixels(tmp_path: Path) -> None:
    """A second of one person is some kilobytes."""
    path = record(tmp_path / "a.mcap", [Poses("c", i, i * STEP, (person(i, i * STEP),)) for i in range(300)])
    assert path.stat().st_size / 10 < 30_000
    assert io.BytesIO(path.read_bytes()).read(8) == b"\x89MCAP0\r\n"
