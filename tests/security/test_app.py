"""The whole app with keys, in its own processes: who reads, who controls, and what a restart keeps."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_app.client import Message, Subscriber

START_S = 60.0


def edge_app(*arguments: object) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "edge_app", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def wait_for(stream: Subscriber, wanted: Callable[[Message], bool]) -> Message:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        message = stream.recv(0.5)
        if message is not None and not message.local and wanted(message):
            return message
    pytest.fail("nothing of the kind")


def recognizer_of(parent: int) -> int:
    """The child that has not loaded MediaPipe."""
    for path in Path(f"/proc/{parent}/task/{parent}").joinpath("children").read_text().split():
        command = Path(f"/proc/{path}/cmdline").read_bytes()
        if b"spawn_main" in command and "libmediapipe" not in Path(f"/proc/{path}/maps").read_text():
            return int(path)
    raise AssertionError("no recognizer")


def test_keys_labels_and_a_restart(folder, tmp_path):
    control = f"ipc://{tmp_path}/c"
    arguments = ["run", "person://wave", "--labels", "wave,clap", "--keys", folder, "--publish", "tcp://0.0.0.0:0"]
    command = [sys.executable, "-m", "edge_app", *map(str, arguments), "--control", control]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + START_S
        while not (tmp_path / "c").exists() and time.monotonic() < until:
            time.sleep(0.1)
        child = recognizer_of(process.pid)
        port = listening_port(child)
        with Subscriber(f"tcp://127.0.0.1:{port}", keys=folder / "clients/robot") as stream:
            status = wait_for(stream, lambda message: message.kind == "status")
            assert status.data["stages"]["gate"]["state"] == "running"
            changed = edge_app("labels", "set", "fitness", "--control", control)
            assert changed.returncode == 0 and re.fullmatch(r"version 2: \d+ labels\n", changed.stdout), changed
            wait_for(stream, lambda message: message.data.get("labels_version") == 2)
        stranger = edge_app("listen", f"tcp://127.0.0.1:{port}", "--timeout", 2)
        assert stranger.returncode == 4
        before = edge_app("labels", "list", "--control", control).stdout
        assert "jumping jack" in before
        os.kill(child, signal.SIGKILL)
        until = time.monotonic() + START_S
        after = ""
        while after != before and time.monotonic() < until:
            after = edge_app("labels", "list", "--control", control).stdout
        assert after == before, "a recognizer started anew goes on with the labels in force"
        process.terminate()
        assert process.wait(20) == 0
        assert not (tmp_path / "c").exists()
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def listening_port(pid: int) -> int:
    """The one tcp port on which a process listens."""
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].rpartition(":")[2], 16)
    raise AssertionError("it listens nowhere")
