"""`run --record`, `--metrics` and `--log` in the whole app: real processes, and a full disk (a limit of file sizes)."""

from __future__ import annotations

import json
import resource
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from edge_app.camera.recording import read_recording, segments
from edge_app.client import Subscriber
from edge_app.types import Poses
from tests.light import light
from tests.running import START_S, is_open, wait_for

APP = [sys.executable, "-m", "edge_app"]
WORDS = ["--labels", "squat, clap"]


def status(state: str):
    return lambda message: message.topic.endswith("/status") and message.data["recorder"]["state"] == state


def test_a_run_is_recorded_measured_and_replayed(squats: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    endpoint, folder = f"ipc://{tmp_path}/stream", tmp_path / "kept"
    more = ["--record", str(folder), "--metrics", f"127.0.0.1:{port}", "--log", "json"]
    stays_open = ["--set", "events.release_s=60"]  # so that the camera's state is still the same when it is read
    process = subprocess.Popen([*APP, "run", squats, "--publish", endpoint, *more, *stays_open, *WORDS, *light()])
    try:
        with Subscriber(endpoint, newest=False) as subscriber:
            started = wait_for(subscriber, lambda m: is_open(m, "squat"))[-1].data
            figures = wait_for(subscriber, status("recording"))[-1].data
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(START_S) == 0
    finally:
        process.kill()
        process.wait()
    assert figures["label_age"]["cam"]["count"] > 0
    assert 'edge_app_camera_state{camera="cam",state="running"} 1' in text
    assert 'edge_app_stage_seconds_count{stage="encoder"}' in text
    files = segments(folder)
    assert [file.name for file in files] == ["cam-000001.mcap", "messages-000001.mcap"]
    poses = [item for item in read_recording(files[0]) if isinstance(item, Poses)]
    messages = [message for topic, message in read_recording(files[1]) if topic == "v1/cam/action"]
    assert started in messages
    assert poses[0].t_ns <= started["t_capture_mono_ns"] <= poses[-1].t_ns, "poses and messages share one clock"
    again = subprocess.run(
        [*APP, "replay", str(folder), "--json", *WORDS, *light()], capture_output=True, text=True, check=True
    )
    assert '"label": "squat"' in again.stdout and json.loads(again.stdout.splitlines()[-1])["events"] > 0


@pytest.mark.fault
def test_R1_F2_a_full_disk_stops_the_recorder_and_not_the_app(squats: str, tmp_path: Path) -> None:
    endpoint, folder, limit = f"ipc://{tmp_path}/stream", tmp_path / "kept", 30_000
    process = subprocess.Popen(
        [*APP, "run", squats, "--publish", endpoint, "--record", str(folder), *WORDS, *light()],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)), stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        with Subscriber(endpoint, newest=False) as subscriber:
            full = wait_for(subscriber, status("recorder_full"), START_S)[-1].data
            later = full["t_publish_mono_ns"]
            wait_for(
                subscriber,
                lambda m: m.data.get("state") == "running" and (m.data["t_capture_mono_ns"] or 0) > later,
                START_S,
            )
        process.send_signal(signal.SIGTERM)
        _, error = process.communicate(timeout=START_S)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0 and "restarting" not in error
    lines = [line for line in error.splitlines() if "the recording cannot go on" in line]
    assert 1 <= len(lines) <= 2, "one line for each recorder that stopped"
    for file in segments(folder):
        assert file.stat().st_size <= limit
        assert list(read_recording(file)), f"{file.name} is readable"
