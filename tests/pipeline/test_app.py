"""The whole app in its own processes, read by a subscriber: real MediaPipe, real sockets, real signals."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice

import pytest

from edge_app.camera.recording import RecordingFile, read_recording
from edge_app.client import Subscriber
from tests.running import (
    SQUATS,
    START_S,
    Ledger,
    action,
    alive,
    children,
    closed,
    interruptible,
    is_open,
    repeat,
    running,
    wait_for,
)  # fmt: skip


@pytest.fixture
def endpoint(tmp_path) -> str:
    return f"ipc://{tmp_path}/stream"


def posed(message) -> bool:
    """A status that says what finds the poses."""
    return message.kind == "status" and bool(message.data["cameras"].get("cam", {}).get("pose"))


def test_a_squat_is_published_and_sigterm_ends_everything_cleanly(endpoint, tmp_path):
    ledger = Ledger()
    more = ("--labels", "squat", "--set", "events.release_s=60")
    with (
        running(endpoint, "person://squat?seconds=60&fps=15&size=320x240", *more) as process,
        Subscriber(endpoint, topics=("v1/",), newest=False) as subscriber,
    ):
        start = wait_for(subscriber, lambda m: is_open(m, "squat"), ledger=ledger)[-1].data
        assert start["provider"] == "onnxruntime-cpu"
        assert start["onset_mono_ns"] < start["t_capture_mono_ns"] <= start["t_publish_mono_ns"]
        assert start["age_ms"] <= 1000
        assert wait_for(subscriber, posed, ledger=ledger)[-1].data["cameras"]["cam"]["pose"].startswith("onnxruntime")
        workers = children(process.pid)
        assert len(workers) >= 2, "a camera process and a recognizer process"
        process.send_signal(signal.SIGTERM)
        ended = wait_for(subscriber, lambda m: action("end")(m) and m.data["reason"] == "stopped", ledger=ledger)
        assert ended[-1].data["label"] == "squat" and closed(subscriber, ledger) and not ledger.wrong
        assert process.wait(START_S) == 0
    assert not any(alive(pid) for pid in workers.values())
    assert not (tmp_path / "stream").exists()


def test_mediapipe_finds_the_poses_where_it_is_asked_for(endpoint):
    with (
        running(endpoint, "person://squat?seconds=60&fps=15&size=320x240", "--pose", "mediapipe"),
        Subscriber(endpoint, topics=("v1/",), newest=False) as subscriber,
    ):
        assert wait_for(subscriber, posed)[-1].data["cameras"]["cam"]["pose"].startswith("mediapipe")
        wait_for(subscriber, action("start"))


def test_F3_a_source_that_ends_ends_the_app(endpoint):
    with running(endpoint, "person://wave?seconds=1&idle=0&loop=0") as process:
        assert process.wait(START_S) == 0


@pytest.mark.parametrize("seconds", [(0,), (1, 2)])
def test_F3_recordings_that_end_end_the_app(endpoint, tmp_path, seconds):
    """Also an empty one, and one that ends long before another."""
    files = [repeat(SQUATS, tmp_path / f"{i}.mcap", s) for i, s in enumerate(seconds)]
    with running(endpoint, *files) as process:
        assert process.wait(START_S) == 0
        assert process.stderr.read() == ""


def test_a_source_that_cannot_be_opened_is_exit_4(endpoint):
    with running(endpoint, "/no/such/video.mp4") as process:
        assert process.wait(START_S) == 4
        lines = process.stderr.read().splitlines()
    assert len(lines) == 1, "of three processes too"
    assert lines[0].startswith("edge-app: ") and "video.mp4" in lines[0]


def test_F5_what_is_broken_for_good_ends_the_app_with_exit_4(endpoint, tmp_path):
    """A recording of a second camera later on; a restart would begin it anew, for ever."""
    with RecordingFile(tmp_path / "two.mcap") as file:
        for item in islice(read_recording(SQUATS), 30):
            file.poses(item)
        file.poses(replace(item, camera="other", t_ns=item.t_ns + 10_000_000))
    with running(endpoint, f"pose://{tmp_path}/two.mcap") as process:
        assert process.wait(START_S) == 4
        (line,) = process.stderr.read().splitlines()
    assert "holds several cameras" in line and "?camera=" in line


def test_F11_a_temporary_folder_where_no_socket_can_lie_is_no_hindrance(endpoint, tmp_path):
    folder = tmp_path / ("d" * 90) / "bad\udcff"
    folder.mkdir(parents=True)
    short = repeat(SQUATS, tmp_path / "short.mcap", 1)
    with running(endpoint, short, env={**os.environ, "TMPDIR": str(folder)}) as process:
        assert process.wait(START_S) == 0
        assert process.stderr.read() == ""


def test_F8_a_closed_terminal_ends_what_is_open(endpoint, squats):
    """All its processes hear of it; what is open ends, and the stream is stale."""
    more = ("--labels", "squat", "--set", "events.release_s=60")
    ledger = Ledger()
    with (
        running(endpoint, squats, *more, start_new_session=True, preexec_fn=interruptible) as process,
        Subscriber(endpoint, newest=False) as subscriber,
    ):
        wait_for(subscriber, is_open, ledger=ledger)
        os.killpg(process.pid, signal.SIGHUP)
        wait_for(subscriber, lambda m: action("end")(m) and m.data["reason"] == "stopped", ledger=ledger)
        assert closed(subscriber, ledger) and not ledger.wrong
        assert process.wait(START_S) == 0


@pytest.mark.parametrize("reader", ["gone", "full"])
def test_F7_the_demo_ends_when_nobody_can_read_it(reader, squats):
    command = [sys.executable, "-m", "edge_app", "demo", "--json", "--source", squats]
    ours, theirs = os.pipe() if reader == "gone" else (None, os.open("/dev/full", os.O_WRONLY))
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE, text=True) as process:
        os.close(theirs)
        if ours is not None:
            os.close(ours)
        _, said = process.communicate(timeout=60)
    said = said.splitlines()[1:]  # after what it watches
    if reader == "gone":
        assert (process.returncode, said) == (0, [])
    else:
        told = ["edge-app: standard output: cannot be written (No space left on device)"]
        assert (process.returncode, said) == (2, told)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGHUP])
def test_F8_nothing_outlives_the_demo(number, squats):
    """Whoever could still print holds the pipe open: the listener, the stages."""
    command = [sys.executable, "-m", "edge_app", "demo", "--json", "--source", squats]
    with subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=interruptible) as process:
        assert process.stdout.readline()
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == (-number if number == signal.SIGKILL else 0)


def test_the_demo_prints_the_stream_and_stops_by_itself():
    command = [sys.executable, "-m", "edge_app", "demo", "--json", "--source", f"pose://{SQUATS}"]
    for seconds in (5, 15, 45):  # the start counts, and takes a busy machine long
        more = ("--seconds", str(seconds))
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        if '"schema": "state/1.0"' in done.stdout:
            return
    pytest.fail("nothing was printed")
