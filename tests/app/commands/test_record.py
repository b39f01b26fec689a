"""`edge-app record` under signals: what was recorded is a whole file."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import pytest

from edge_app.app.cli import main
from edge_app.app.commands.record import record
from edge_app.app.settings import Settings
from edge_app.camera.recording import RecordingFile, read_recording
from edge_app.errors import UsageError
from edge_app.types import Poses
from tests.running import SQUATS, interruptible, repeat

FIRST_CHUNK = 2_000
"""Bytes that a file has only once poses are on the disk."""


def killed(out: Path, frames: int) -> None:
    """What a recording that is killed leaves: `frames` of it were written out."""
    process = multiprocessing.get_context("spawn").Process(target=_record, args=(out, frames))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL


def _record(out: Path, frames: int) -> None:
    file = RecordingFile(out)
    for item in islice((item for item in read_recording(SQUATS) if isinstance(item, Poses)), frames):
        file.poses(item)
    os.kill(os.getpid(), signal.SIGKILL)


def test_F8_what_a_killed_recording_held_is_found_again_and_never_wiped(tmp_path, capfd):
    out = tmp_path / "a.mcap"
    for number in range(2):
        killed(out, 200)
        capfd.readouterr()
        assert main(["replay", str(out), "--hash"]) == 4 if number == 0 else True
        assert number or "a.mcap.part is there, which was not finished" in capfd.readouterr().err
        assert record(f"pose://{SQUATS}", out, 0.1, Settings()) == 0
        assert "was not finished; what it held is in " in capfd.readouterr().err
    names = ["a-recovered-2.mcap", "a-recovered.mcap", "a.mcap"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert all(100 < len(list(read_recording(tmp_path / name))) <= 200 for name in names[:2])


def test_F8_what_is_in_the_way_is_not_wiped_either(tmp_path, capfd):
    part = tmp_path / "a.mcap.part"
    part.write_text("somebody's notes")
    with pytest.raises(UsageError, match="is in the way, and no recording"):
        record(f"pose://{SQUATS}", tmp_path / "a.mcap", 0.1, Settings())
    with pytest.raises(UsageError, match="was left there"):
        RecordingFile(tmp_path / "a.mcap")
    assert part.read_text() == "somebody's notes"
    part.unlink()
    killed(tmp_path / "a.mcap", 0)  # with nothing in it, nothing is lost
    assert record(f"pose://{SQUATS}", tmp_path / "a.mcap", 0.1, Settings()) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.mcap"]


def test_F4_a_recording_may_have_any_name(tmp_path, capfd):
    out = tmp_path / "a\n\x1b[2J\udcff.mcap"
    assert record(f"pose://{SQUATS}", out, 0.2, Settings()) == 0
    assert capfd.readouterr().err.endswith(f"with somebody in {len(list(read_recording(out)))} of them\n")
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_F8_a_signal_closes_the_recording_whole(tmp_path, number):
    out = tmp_path / "out.mcap"
    source = repeat(SQUATS, tmp_path / "long.mcap", 20)
    command = [sys.executable, "-m", "edge_app", "record", source, str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=interruptible)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > FIRST_CHUNK for path in tmp_path.glob("out.mcap*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0 and "frames" in said
    assert [path.name for path in tmp_path.glob("out.mcap*")] == ["out.mcap"]
    assert any(True for _ in read_recording(out))
