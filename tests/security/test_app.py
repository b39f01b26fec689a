"""The whole app with keys, in its own processes: who reads, who controls, and what a restart keeps."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from edge_app.app.cli import main
from edge_app.client import Subscriber
from tests.running import children, labels_in_force, running, wait_for


def test_keys_labels_and_a_restart(folder, squats, tmp_path, capfd):
    control = f"ipc://{tmp_path}/c"
    with running("tcp://0.0.0.0:0", squats, "--keys", str(folder), "--control", control) as process:
        assert len(labels_in_force(control)) == 5  # once it answers, everything is open
        child = children(process.pid)["recogniser"]
        port = listening_port(child)
        with Subscriber(f"tcp://127.0.0.1:{port}", keys=folder / "clients/robot") as stream:
            status = wait_for(stream, lambda message: message.kind == "status")[-1]
            assert status.data["stages"]["gate"]["state"] == "running"
            assert main(["labels", "set", "fitness", "--control", control]) == 0
            assert re.fullmatch(r"version 2: \d+ labels\n", capfd.readouterr().out)
            wait_for(stream, lambda message: message.data.get("labels_version") == 2)
        assert main(["listen", f"tcp://127.0.0.1:{port}", "--timeout", "2"]) == 4, "a stranger hears nothing"
        before = labels_in_force(control)
        assert "jumping jack" in before
        os.kill(child, signal.SIGKILL)
        assert labels_in_force(control) == before, "one started anew goes on with the labels in force"
        process.terminate()
        assert process.wait(20) == 0
        assert not (tmp_path / "c").exists()


def listening_port(pid: int) -> int:
    """The one tcp port on which a process listens."""
    inodes = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
            return int(fields[1].rpartition(":")[2], 16)
    raise AssertionError("it listens nowhere")
