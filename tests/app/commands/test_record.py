"""`edge-app record` under signals: what was recorded is a whole file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from edge_app.camera.recording import read_recording
from tests.running import SQUATS, interruptible, repeat


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_closes_the_recording_whole(tmp_path, number):
    out = tmp_path / "out.mcap"
    source = repeat(SQUATS, tmp_path / "long.mcap", 20)
    command = [sys.executable, "-m", "edge_app", "record", source, str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.glob("out.mcap*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0 and "frames" in said
    assert [path.name for path in tmp_path.glob("out.mcap*")] == ["out.mcap"]
    assert any(True for _ in read_recording(out))
