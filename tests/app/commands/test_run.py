"""What `edge-app run` says at its start: three lines on a terminal, nothing in a pipe or in JSON logs."""

from __future__ import annotations

import argparse
import os
import pty
import re
import shlex
import signal
from functools import partial

import pytest

from edge_app.app.assemble import default_task
from edge_app.app.cli import _parser, main
from edge_app.app.commands.run import welcome
from edge_app.app.processes.supervisor import AppTask
from edge_app.client import Subscriber
from edge_app.stream.keys import new_server
from tests.running import SQUATS, START_S, running, state, wait_for

RUNTIME = "edge-app: runtime onnxruntime-cpu"


@pytest.fixture
def said(tmp_path, squats):
    """said(*arguments, terminal=…): endpoint, and lines on stderr, a terminal or a pipe, of an app that is stopped once
    it names something."""
    return partial(_said, f"ipc://{tmp_path}/stream", squats)


def _said(endpoint: str, source: str, *arguments: str, terminal: bool) -> tuple[str, list[str]]:
    ours, theirs = pty.openpty() if terminal else os.pipe()
    with os.fdopen(ours, "rb", buffering=0):
        with (
            running(endpoint, source, *arguments, stderr=theirs) as process,
            Subscriber(endpoint) as subscriber,
        ):
            os.close(theirs)
            wait_for(subscriber, state("running"))
            process.send_signal(signal.SIGTERM)
            assert process.wait(START_S) == 0
        text = b""
        while chunk := _read(ours):
            text += chunk
    return endpoint, text.decode().splitlines()


def _read(file: int) -> bytes:
    try:
        return os.read(file, 4096)
    except OSError:  # EIO: nobody holds the other end of the terminal any more
        return b""


def test_F15_a_terminal_is_told_where_how_and_how_to_stop_and_which_runtime_if_asked(said):
    endpoint, (*welcome, runtime) = said("--verbose", terminal=True)
    assert welcome == [
        f"edge-app: publishing on {endpoint} once the camera is open; read it with: edge-app listen {endpoint}",
        f'edge-app: change the words with: edge-app labels add "drink water" --control {endpoint}.control',
        "edge-app: stop with Ctrl-C",
    ]
    assert runtime.startswith(RUNTIME)


def test_F15_a_pipe_hears_nothing(said):
    assert said(terminal=False)[1] == []


def test_json_logs_hold_no_welcome_on_a_terminal_either(said):
    assert said("--log", "json", terminal=True)[1] == []


@pytest.mark.parametrize("name", ["keys", 'a"b\\', "挥手 😀", "bad\udcff"])
def test_F4_a_folder_of_keys_may_have_any_name(monkeypatch, tmp_path, name):
    folder = tmp_path / name
    new_server(folder)
    monkeypatch.setattr("edge_app.app.commands.run.run_app", lambda task: tasks.append(task) or 0)
    tasks: list[AppTask] = []
    source = ["run", f"pose://{SQUATS}", "--labels", "wave", "--publish", f"ipc://{tmp_path}/s"]
    assert main([*source, "--keys", str(folder)]) == 0
    assert tasks[0].settings.publish.keys == str(folder)


@pytest.mark.parametrize(
    ("endpoint", "assignments", "read", "change"),
    [
        ("tcp://127.0.0.1:5757", (), "edge-app listen", 'edge-app labels add "drink water"'),
        (
            "tcp://127.0.0.1:6000",
            (),
            "edge-app listen tcp://127.0.0.1:6000",
            " --control ipc://.*edge-app-6000.control",
        ),
        ("ipc:///a b/s", (), "edge-app listen 'ipc:///a b/s'", " --control 'ipc:///a b/s.control'"),
        (
            "tcp://127.0.0.1:5757",
            ("publish.control=tcp://127.0.0.1:5758",),
            "listen",
            " --control tcp://127.0.0.1:5758",
        ),
    ],
)
def test_F10_F15_what_it_says_to_type_is_what_reaches_the_app(endpoint, assignments, read, change):
    where, words, stop = welcome(default_task(f"pose://{SQUATS}", "wave", endpoint, assignments))
    assert endpoint in where and where.endswith(read)
    assert re.search(change + "$", words)
    assert stop == "stop with Ctrl-C"
    for line in (where, words):
        command = line.partition("edge-app ")[2]
        assert isinstance(_parser().parse_args(shlex.split(command)), argparse.Namespace)
