"""Recording beside the live path: nothing waits for the disk, nothing of others is deleted, a crash costs a chunk."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import jsonschema
import pytest
from mcap.reader import make_reader

from edge_app.app.recorder import RecordConfig, Recorder, Segments, new_run, recover, retain
from edge_app.camera.recording import RecordingFile, read_recording, segments
from edge_app.errors import UsageError
from edge_app.types import Poses
from tests.camera.test_recording import assert_close, poses_of, walk

ROOT = Path(__file__).parents[2]
NOTHING = RecordConfig(max_gb=0, max_days=0)


def in_another_process(code: str, *arguments: str) -> list[str]:
    lines = (
        "import sys, time", "from pathlib import Path", "from edge_app.app.settings import RecordConfig",
        "from edge_app.app.recorder import Recorder, Segments", "from tests.camera.test_recording import walk", code,
    )  # fmt: skip
    return [sys.executable, "-c", "\n".join(lines), *arguments]


def record(run: Path, items: list[Poses], config: RecordConfig = NOTHING, name: str = "front") -> Recorder:
    with Recorder(Segments(run, name, config), waiting=len(items) + 1) as recorder:
        for poses in items:
            recorder.poses(poses)
    recorder._thread.join(60)  # a disk that others use too takes more than the two seconds that `close` waits
    return recorder


def test_segments_by_size_hold_everything_in_order(tmp_path: Path) -> None:
    written = walk(300)
    recorder = record(tmp_path / "run", written, RecordConfig(segment_mb=0.06))
    assert (recorder.dropped, recorder.state) == (0, "recording")
    files = segments(tmp_path)
    assert [file.name for file in files] == [f"front-{number:06d}.mcap" for number in range(1, len(files) + 1)]
    assert len(files) > 1
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert_close([poses for file in files for poses in poses_of(file)], written)


def test_segments_by_time(tmp_path: Path) -> None:
    record(tmp_path / "run", walk(3), RecordConfig(segment_s=0))
    assert len(segments(tmp_path)) == 3


def test_messages_have_a_channel_and_a_json_schema_for_each_topic(tmp_path: Path) -> None:
    golden = [
        json.loads((ROOT / f"tests/golden/messages/{name}.json").read_text())
        for name in ("action-1.1-start", "state-1.0-running", "status-1.2")
    ]
    sent = [(f"v1/front/{message['schema'].partition('/')[0]}", message) for message in golden]
    with Recorder(Segments(tmp_path / "run", "messages", NOTHING)) as recorder:
        for topic, message in sent:
            recorder.message(topic, message)
    (file,) = segments(tmp_path)
    assert list(read_recording(file)) == sent
    with file.open("rb") as opened:
        reader = make_reader(opened, validate_crcs=True)
        found = list(reader.iter_messages())
        about = next(iter(reader.iter_metadata())).metadata
    assert {channel.topic for _, channel, _ in found} == {topic for topic, _ in sent}
    for schema, _, message in found:
        assert schema is not None and schema.encoding == "jsonschema"
        jsonschema.validate(json.loads(message.data), json.loads(schema.data))
    assert about["format"] == "edge-recording/1" and about["wall"].endswith("Z") and int(about["mono_ns"]) > 0


def test_one_run_stands_for_its_folder_and_several_must_be_chosen_from(tmp_path: Path) -> None:
    first = new_run(tmp_path)
    record(first, walk(3))
    assert segments(tmp_path) == segments(first)
    second = new_run(tmp_path)
    assert second != first
    record(second, walk(3))
    with pytest.raises(Exception, match=f"holds 2 runs; choose one, such as the last: {second}"):
        segments(tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written"):
        new_run(tmp_path / "file")


@pytest.mark.fault
def test_R1_F2_a_full_tmpfs_stops_the_recorder_and_leaves_a_readable_file(tmp_path: Path) -> None:
    unshare = ["unshare", "--mount", "--map-root-user", "--user"]
    mount = f"mount -t tmpfs -o size=96k none {tmp_path}"
    if shutil.which("unshare") is None or subprocess.run([*unshare, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here; the other tests of R1 use a limit of the file's size")
    code = (
        "recorder = Recorder(Segments(Path(sys.argv[1]) / 'run', 'front', RecordConfig()), waiting=2000)\n"
        "for poses in walk(600): recorder.poses(poses)\n"
        "recorder.close()\n"
        "print(recorder.state, recorder.dropped, recorder.full)\n"
    )
    script = f'{mount} && "$@" && cp -r {tmp_path}/run "$0"'
    out = tmp_path.with_name(tmp_path.name + "-out")
    command = [*unshare, "sh", "-c", script, str(out), *in_another_process(code, str(tmp_path))]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "recorder_full 0 the recording cannot go on: No space left on device\n"
    assert done.stderr.count("the recording cannot go on") == 1
    (file,) = out.iterdir()
    got = poses_of(file)
    assert_close(got, walk(600)[: len(got)])
    assert len(got) > 50


@pytest.mark.fault
def test_R2_what_kill_9_leaves_is_given_its_index_by_the_next_recorder(tmp_path: Path) -> None:
    code = (
        "recorder = Recorder(Segments(Path(sys.argv[1]), 'front', RecordConfig()), waiting=1000)\n"
        "for poses in walk(300): recorder.poses(poses)\n"
        "while recorder._queue.qsize(): time.sleep(0.01)\n"
        "print('written', flush=True)\ntime.sleep(100)\n"
    )
    run = tmp_path / "20260101T000000Z"
    with subprocess.Popen(in_another_process(code, str(run)), stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None and process.stdout.readline() == "written\n"
        recover(tmp_path)
        assert os.listdir(run) == ["front-000001.mcap.part"], "what is being written is left alone"
        process.send_signal(signal.SIGKILL)
    left = poses_of(run / "front-000001.mcap.part")
    record(tmp_path / "20260102T000000Z", walk(2))
    assert os.listdir(run) == ["front-000001.mcap"]
    assert (run / "front-000001.mcap").stat().st_mode & 0o777 == 0o600
    with (run / "front-000001.mcap").open("rb") as file:
        summary = make_reader(file, validate_crcs=True).get_summary()
    assert summary is not None and summary.statistics is not None
    assert len(summary.chunk_indexes) > 3 and summary.statistics.message_count == len(left)
    got = poses_of(run / "front-000001.mcap")
    assert_close(got, left)
    assert_close(got, walk(300)[: len(got)])
    assert len(got) > 240, "all but the last chunk, which is about a second"


class SlowDisk:
    """A sink whose every write waits."""

    def __init__(self) -> None:
        self.full, self.got, self.begun, self.go_on = "", [], threading.Event(), threading.Event()

    def poses(self, poses: Poses) -> None:
        self.begun.set()
        self.go_on.wait(30)
        self.got.append(poses)

    def message(self, topic: str, message: object) -> None:
        raise AssertionError("none was sent")

    def close(self) -> None:
        pass


@pytest.mark.fault
def test_R3_a_slow_disk_fills_a_bounded_queue_and_the_rest_is_counted() -> None:
    disk, items = SlowDisk(), walk(100)
    recorder = Recorder(disk, waiting=10)
    recorder.poses(items[0])
    assert disk.begun.wait(10)
    for poses in items[1:]:
        recorder.poses(poses)  # returns at once: the disk does not move
    assert recorder.dropped == 100 - 11
    assert disk.got == []
    disk.go_on.set()
    recorder.close()
    assert disk.got == items[:11], "what waited is written once the disk goes on"
    assert recorder.state == "recording"


@pytest.mark.fault
def test_R3_a_disk_that_hangs_does_not_hold_up_the_end() -> None:
    disk = SlowDisk()
    recorder = Recorder(disk, waiting=1)
    for poses in walk(3):
        recorder.poses(poses)
    recorder.close()
    assert disk.got == []
    disk.go_on.set()


def test_what_cannot_be_written_is_counted_and_the_rest_goes_on(tmp_path: Path) -> None:
    _, first, bad, _, last = walk(5)
    bad.poses[0].world[0, 0] = float("nan")
    with Recorder(Segments(tmp_path / "run", "front", NOTHING)) as recorder:
        for poses in (first, bad, last):
            recorder.poses(poses)
    assert (recorder.dropped, recorder.state) == (1, "recording")
    assert_close(poses_of(segments(tmp_path)[0]), [first, last])


def make_runs(root: Path, count: int) -> list[Path]:
    """Recordings of one file each, a day apart, the newest an hour old."""
    made = []
    for number in range(count):
        run = root / f"2026010{number + 1}T000000Z"
        run.mkdir()
        with RecordingFile(run / "front-000001.mcap") as file:
            for poses in walk(30):
                file.poses(poses)
        changed = time.time() - 3600 - 86_400 * (count - 1 - number)
        os.utime(run / "front-000001.mcap", (changed, changed))
        made.append(run / "front-000001.mcap")
    return made


def test_old_recordings_go_by_age(tmp_path: Path) -> None:
    made = make_runs(tmp_path, 5)
    retain(tmp_path, RecordConfig(max_gb=0, max_days=2.5))
    assert [path.exists() for path in made] == [False, False, True, True, True]
    assert not made[0].parent.exists() and made[2].parent.exists()


def test_old_recordings_go_until_there_is_room(tmp_path: Path) -> None:
    made = make_runs(tmp_path, 5)
    size = made[0].stat().st_size
    retain(tmp_path, RecordConfig(max_gb=4.5 * size / 1e9, max_days=0, segment_mb=size / 1e6))
    assert [path.exists() for path in made] == [False, False, True, True, True]


def test_nothing_of_others_and_nothing_that_is_being_written_is_deleted(tmp_path: Path) -> None:
    run = make_runs(tmp_path, 1)[0].parent
    (tmp_path / "elsewhere").mkdir()
    elsewhere = make_runs(tmp_path / "elsewhere", 1)[0]
    keep = {
        run / "notes.txt": b"mine", run / "front-000002.mcap": b"not a recording",
        run / "front-000003.mcap": b"\x89MCAP0\r\n\x01" + b"another program" * 10,
        tmp_path / "front-000001.mcap": elsewhere.read_bytes(), run / "copy of front.mcap": elsewhere.read_bytes(),
    }  # fmt: skip
    for path, data in keep.items():
        path.write_bytes(data)
    (run / "front-000004.mcap").symlink_to(elsewhere)
    (tmp_path / "20260109T000000Z").symlink_to(elsewhere.parent)
    with RecordingFile(run / "back-000001.mcap") as written:
        retain(tmp_path, RecordConfig(max_gb=1e-9, max_days=0))
        assert not (run / "front-000001.mcap").exists(), "only this one was ours to delete"
        assert all(path.read_bytes() == data for path, data in keep.items())
        assert elsewhere.exists() and (run / "front-000004.mcap").is_symlink()
        written.poses(walk(2)[1])
    assert len(poses_of(run / "back-000001.mcap")) == 1


def test_a_file_is_written_by_one_process_only(tmp_path: Path) -> None:
    with RecordingFile(tmp_path / "a.mcap") as first:
        first.poses(walk(2)[1])
        with pytest.raises(UsageError, match="another process is writing it"):
            RecordingFile(tmp_path / "a.mcap")
    assert len(poses_of(tmp_path / "a.mcap")) == 1
    with (tmp_path / "a.mcap").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # and nobody any more
