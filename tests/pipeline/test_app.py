"""The whole app in its own processes, read by a subscriber: real MediaPipe, real sockets, real signals."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_app.client import Message, Subscriber

START_S = 60.0
LABELS = "squat, wave one hand, clap, bow, jump"


@contextmanager
def running(endpoint: str, source: str, *more: str) -> Iterator[subprocess.Popen]:
    command = [sys.executable, "-m", "edge_app", "run", source, "--publish", endpoint, "--labels", LABELS, *more]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(subscriber: Subscriber, wanted: Callable[[Message], bool], timeout_s: float = START_S) -> list[Message]:
    """Everything received up to the first message that is wanted; fails if none comes in time."""
    until, seen = time.monotonic() + timeout_s, []
    while time.monotonic() < until:
        message = subscriber.recv(0.5)
        if message is None or message.local:
            continue
        seen.append(message)
        if wanted(message):
            return seen
    pytest.fail(f"nothing of the kind in {timeout_s} s; last: {seen[-1].data if seen else None}")


def action(kind: str) -> Callable[[Message], bool]:
    return lambda message: message.topic.endswith("/action") and message.data["type"] == kind


def children(parent: int) -> dict[str, int]:
    """Pids of a process's Python children by a word of what they run."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if int(fields[1]) == parent and b"spawn_main" in command:
            found[entry.name] = int(entry.name)
    return found


@pytest.fixture
def endpoint(tmp_path) -> str:
    return f"ipc://{tmp_path}/stream"


def test_a_squat_is_published_and_sigterm_ends_everything_cleanly(endpoint, tmp_path):
    with (
        running(endpoint, "person://squat?seconds=60") as process,
        Subscriber(endpoint, topics=("v1/",), newest=False) as subscriber,
    ):
        seen = wait_for(subscriber, action("start"))
        start = seen[-1].data
        assert start["label"] == "squat"
        assert start["provider"] == "onnxruntime-cpu"
        assert start["onset_mono_ns"] < start["t_capture_mono_ns"] <= start["t_publish_mono_ns"]
        assert start["age_ms"] <= 1000
        workers = children(process.pid)
        assert len(workers) >= 2, "a camera process and a recogniser process"
        process.send_signal(signal.SIGTERM)
        ended = wait_for(subscriber, action("end"), 10)[-1].data
        assert ended["event"] == start["event"]
        assert ended["reason"] == "stopped"
        assert process.wait(10) == 0
    for pid in workers.values():
        assert not Path(f"/proc/{pid}").exists() or b"edge" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert not (tmp_path / "stream").exists()


def test_a_source_that_ends_ends_the_app(endpoint):
    with running(endpoint, "person://wave?seconds=1&idle=0&loop=0") as process:
        assert process.wait(START_S) == 0


def test_a_killed_camera_process_comes_back_and_its_event_ends_once(endpoint):
    with (
        running(endpoint, "person://squat?seconds=60") as process,
        Subscriber(endpoint, newest=False) as subscriber,
    ):
        first = wait_for(subscriber, action("start"))[-1].data
        camera = _camera_pid(process.pid)
        os.kill(camera, signal.SIGKILL)
        seen = wait_for(subscriber, lambda m: action("start")(m) and m.data["event"] != first["event"])
        ends = [m.data for m in seen if action("end")(m) and m.data["event"] == first["event"]]
        assert len(ends) == 1
        assert process.poll() is None


def _camera_pid(parent: int) -> int:
    """The child that has MediaPipe loaded."""
    for pid in children(parent).values():
        if "libmediapipe" in Path(f"/proc/{pid}/maps").read_text():
            return pid
    raise AssertionError("no camera process")


def test_no_child_outlives_a_killed_supervisor(endpoint):
    with running(endpoint, "person://wave") as process, Subscriber(endpoint, newest=False) as subscriber:
        wait_for(subscriber, lambda message: message.topic.endswith("/state"))
        workers = children(process.pid)
        fds = [os.pidfd_open(pid) for pid in workers.values()]
        process.kill()
        for fd in fds:
            assert select.select([fd], [], [], 5.0)[0], "a child must die with its parent"
            os.close(fd)


def test_a_source_that_cannot_be_opened_is_exit_4(endpoint):
    with running(endpoint, "/no/such/video.mp4") as process:
        assert process.wait(START_S) == 4
        lines = process.stderr.read().splitlines()
    assert len(lines) == 1
    assert "video.mp4" in lines[0]


def test_the_demo_prints_the_stream_and_stops_by_itself():
    command = [sys.executable, "-m", "edge_app", "demo", "--seconds", "9", "--json", "--source", "person://squat"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"schema": "state/1.0"' in done.stdout
