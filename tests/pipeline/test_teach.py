"""A gesture that is in no list is shown to the running app, which then publishes it: real processes, real pose."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from edge_app.client import Message, Subscriber
from tests.running import running, wait_for

GESTURE = "person://jumping%20jack?seconds={seconds}&idle=0"
NAME = "windmill"


@pytest.fixture
def home(tmp_path, monkeypatch) -> dict[str, str]:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return dict(os.environ)


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_app", "labels", *words], capture_output=True, text=True, timeout=120
    )


def ranked(clip: str, *more: str) -> list[str]:
    """The labels of a clip, best first."""
    words = ("recognize", clip, "--labels", "wave, squat, clap", "--json", *more)
    done = subprocess.run([sys.executable, "-m", "edge_app", *words], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [label for label, _ in json.loads(done.stdout)["ranking"]]


def starts(message: Message) -> bool:
    return message.topic.endswith("/action") and message.data["type"] == "start" and message.data["label"] == NAME


def lasts(message: Message) -> bool:
    return message.kind == "state" and any(event["label"] == NAME for event in message.data["open"])


def test_shown_published_kept_over_a_restart_and_forgotten(home, tmp_path):
    endpoint = f"ipc://{tmp_path}/stream"
    control = ("--control", f"{endpoint}.control")
    source = GESTURE.format(seconds=10)
    with running(endpoint, source) as process, Subscriber(endpoint, topics=("v1/",), newest=False) as stream:
        wait_for(stream, lambda message: message.kind == "state" and message.data["topk"])
        done = command("teach", NAME, "--shots", "1", "--seconds", "4", *control)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == [
            "shot 1 of 1: begin in 3 s …", "shot 1 of 1: now, for 4 s", "shot 1 of 1: kept; version 2",
            "version 2: 6 labels",
        ]  # fmt: skip
        assert wait_for(stream, starts)[-1].data["labels_version"] == 2
        assert "# taught: windmill (1 shots)" in command("list", *control).stdout
        process.terminate()
        process.wait(20)
    with running(endpoint, source) as process, Subscriber(endpoint, topics=("v1/",), newest=False) as stream:
        wait_for(stream, lasts)
        done = command("forget", NAME, "--json", *control)
        assert json.loads(done.stdout)["count"] == 5
        process.terminate()
        process.wait(20)
    assert not list((tmp_path / "data").rglob("*.npz"))
    done = command("forget", NAME, *control)
    assert done.returncode == 2 and done.stderr.splitlines() == [
        "edge-app: nothing was taught as 'windmill'; taught are: none"
    ]


def test_from_clips_without_an_app(home, tmp_path):
    clip = GESTURE.format(seconds=4) + "&loop=0"
    done = command("teach", NAME, "--clip", clip, "--clip", clip, "--control", f"ipc://{tmp_path}/nobody")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "no app answers here: it counts from the next start on"
    (path,) = (tmp_path / "data").rglob("*.npz")
    assert path.stat().st_mode & 0o777 == 0o600
    assert ranked(clip)[0] == NAME and NAME not in ranked(clip, "--set", "taught.use=false")
    done = command("forget", NAME, "--control", f"ipc://{tmp_path}/nobody")
    assert done.returncode == 0 and not path.exists()


@pytest.mark.parametrize(("words", "code", "line"), [
    (("x", "--clip", "/no/such.mp4"), 4, "no/such.mp4"), (("x", "--clip", "test://black?seconds=1"), 2, "in view in 0"),
    (("a,b",), 2, "no ','"), (("x", "--shots", "0"), 2, "--shots 0"), (("x\x1b[31m",), 2, "U+001B"),
    (("",), 2, "none found"),
])  # fmt: skip
def test_what_cannot_be_taught_is_one_line(home, tmp_path, words, code, line):
    done = command("teach", *words, "--control", f"ipc://{tmp_path}/nobody")
    assert done.returncode == code, done.stderr
    assert len(done.stderr.splitlines()) == 1 and line in done.stderr
    assert not (tmp_path / "data").exists()
