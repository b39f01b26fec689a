"""`edge-app status`: what runs here, and where, asked of the apps themselves."""

from __future__ import annotations

import json
import os

import pytest

from edge_app.app.cli import main
from edge_app.app.processes.run_folder import Running, all_running, announce, run_folder
from edge_app.client import Subscriber
from edge_app.errors import UsageError
from tests.running import running, state, wait_for


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No app of another test is seen."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("edge_app.app.processes.run_folder.FALLBACK", tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_nothing_runs(capfd):
    assert main(["status"]) == 4
    assert "no app of this user runs" in capfd.readouterr().out
    assert main(["status", "--json"]) == 4
    assert json.loads(capfd.readouterr().out) == {"schema": "running/1", "apps": []}


def test_F10_an_app_is_there_while_its_folder_is_locked(tmp_path):
    app = Running(os.getpid(), "tcp://127.0.0.1:5757", "ipc:///nobody")
    with run_folder() as folder:
        assert all_running() == []
        (folder / "running.json").write_text("[]")
        assert all_running() == []
        announce(folder, app)
        assert all_running() == [app]
    assert all_running() == []
    dead = tmp_path / "edge-app-run-killed"
    dead.mkdir()
    announce(dead, app)
    assert all_running() == []


def test_F11_a_folder_that_is_made_for_somebody_else_is_refused(monkeypatch, tmp_path):
    """As on some network disks; it used to make folders there for ever."""
    monkeypatch.setattr("os.getuid", lambda: 54321)
    with pytest.raises(UsageError, match="set TMPDIR to another"), run_folder():
        pass
    assert list(tmp_path.iterdir()) == []


def test_F10_one_that_cannot_be_asked_is_shown_with_the_reason(capfd, monkeypatch):
    monkeypatch.setattr("edge_app.app.commands.status.HERE_S", 0.1)
    with run_folder() as folder:
        announce(folder, Running(7, "tcp://0.0.0.0:5577", "ipc:///no/body", keys=False))
        assert main(["status"]) == 0
        said = capfd.readouterr().out
        assert "process 7" in said and "tcp://0.0.0.0:5577" in said and "ipc:///no/body: no app answers" in said
        announce(folder, Running(7, "tcp://0.0.0.0:5577", "tcp://0.0.0.0:5578", keys=True))
        assert main(["status"]) == 0
        assert "needs a controller's key: --keys DIR" in capfd.readouterr().out


def test_F10_a_running_app_says_its_words_and_what_its_camera_sees(capfd, tmp_path, squats):
    endpoint = f"ipc://{tmp_path}/stream"
    with (
        running(endpoint, squats, "--labels", "squat, wave") as process,
        Subscriber(endpoint, newest=False) as subscriber,
    ):
        wait_for(subscriber, state("running"))
        wait_for(subscriber, lambda message: message.kind == "status" and bool(message.data["label_age"]))
        assert main(["status"]) == 0
        said = capfd.readouterr().out
        assert main(["status", "--json"]) == 0
        (app,) = json.loads(capfd.readouterr().out)["apps"]
        process.terminate()
        assert process.wait(20) == 0
    for words in (f"process {process.pid}", endpoint, f"{endpoint}.control", "squat", "cam: running", "ms old"):
        assert words in said
    assert (app["pid"], app["publish"], app["control"]) == (process.pid, endpoint, f"{endpoint}.control")
    assert app["status"]["schema"].startswith("status/1.")
