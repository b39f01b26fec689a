"""A gesture that is in no list is shown to the running app, which then publishes it: real processes, recorded poses."""

from __future__ import annotations

import json
import shutil

import pytest

from edge_app.app.cli import main
from edge_app.client import Message, Subscriber
from tests.light import light, light_bundle
from tests.running import SQUATS, repeat, running, wait_for

OTHERS = "wave, clap, bow, jump, kick"
NAME = "windmill"
"""What the squats of the recording are called here; they are like none of the others."""


@pytest.fixture
def edge_app(tmp_path, monkeypatch, capfd):
    """edge_app(*words): exit code and lines of a command; what is taught is kept under `tmp_path`."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("edge_app.app.commands.teach.COUNTDOWN_S", 0.1)
    monkeypatch.setattr("edge_app.app.commands.teach.NOBODY_S", 0.1)

    def run(*words: str) -> tuple[int, list[str], str]:
        code = main(words)
        out, error = capfd.readouterr()
        return code, out.splitlines(), error

    return run


def starts(message: Message) -> bool:
    return message.topic.endswith("/action") and message.data["type"] == "start" and message.data["label"] == NAME


def lasts(message: Message) -> bool:
    return message.kind == "state" and any(event["label"] == NAME for event in message.data["open"])


def test_shown_published_kept_over_a_restart_and_forgotten(edge_app, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_app.app.commands.teach.NOBODY_S", 60.0)
    endpoint = f"ipc://{tmp_path}/stream"
    control = ("--control", f"{endpoint}.control")
    app = (endpoint, repeat(SQUATS, tmp_path / "squats.mcap", 60), "--labels", OTHERS)
    with running(*app) as process, Subscriber(endpoint, topics=("v1/",), newest=False) as stream:
        wait_for(stream, lambda message: message.kind == "state" and message.data["topk"])
        code, lines, _ = edge_app("labels", "teach", NAME, "--shots", "1", "--seconds", "3", *control)
        assert code == 0
        assert lines == [
            "shot 1 of 1: begin in 0.1 s …", "shot 1 of 1: now, for 3 s", "shot 1 of 1: kept; version 2",
            "version 2: 6 labels",
        ]  # fmt: skip
        assert wait_for(stream, starts)[-1].data["labels_version"] == 2
        assert "# taught: windmill (1 shots)" in edge_app("labels", "list", *control)[1]
        process.terminate()
        process.wait(20)
    with running(*app) as process, Subscriber(endpoint, topics=("v1/",), newest=False) as stream:
        wait_for(stream, lasts)
        _, lines, _ = edge_app("labels", "forget", NAME, "--json", *control)
        assert json.loads(lines[0])["count"] == 5
        process.terminate()
        process.wait(20)
    assert not list((tmp_path / "data").rglob("*.npz"))
    monkeypatch.setattr("edge_app.app.commands.teach.NOBODY_S", 0.1)
    code, _, error = edge_app("labels", "forget", NAME, *control)
    assert code == 2 and "nothing was taught as 'windmill'; taught are: none" in error


def test_from_clips_without_an_app(edge_app, tmp_path):
    clip, nobody = f"pose://{SQUATS}", ("--control", f"ipc://{tmp_path}/nobody")

    def ranked(*more: str) -> list[str]:
        """The labels of the clip, best first."""
        code, lines, _ = edge_app("recognize", clip, "--labels", OTHERS, "--json", *light(), *more)
        assert code == 0
        return [label for label, _ in json.loads(lines[0])["ranking"]]

    bundle = ("--bundle", str(light_bundle()))
    code, lines, _ = edge_app("labels", "teach", NAME, "--clip", clip, "--clip", clip, *bundle, *nobody)
    assert code == 0
    assert lines[-1] == "no app answers here: it counts from the next start on"
    (path,) = (tmp_path / "data").rglob("*.npz")
    assert path.stat().st_mode & 0o777 == 0o600
    assert ranked()[0] == NAME and NAME not in ranked("--set", "taught.use=false")
    code, _, _ = edge_app("labels", "forget", NAME, *nobody)
    assert code == 0 and not path.exists()


def test_F10_nobody_is_asked_to_move_for_an_app_that_is_not_there(edge_app, tmp_path, monkeypatch):
    monkeypatch.setattr("edge_app.stream.control.HERE_S", 0.1)
    code, lines, error = edge_app("labels", "teach", NAME, "--control", f"ipc://{tmp_path}/nobody")
    assert (code, lines) == (4, []) and f"{tmp_path}/nobody: no app answers within" in error


def test_F4_a_clip_may_have_any_name(edge_app, tmp_path):
    clip = tmp_path / "a\n\x1b[2J\udcff.mcap"
    shutil.copy(SQUATS, clip)
    code, lines, _ = edge_app("labels", "teach", NAME, "--clip", f"pose://{clip}", "--control", f"ipc://{tmp_path}/no")
    assert code == 0 and lines[0].isprintable() and lines[0].endswith("\\xff.mcap; 1 in all")


def test_F12_a_name_may_be_a_line_of_a_list(edge_app, tmp_path):
    clip, nobody = f"pose://{SQUATS}", ("--control", f"ipc://{tmp_path}/nobody")
    assert edge_app("labels", "teach", f"- {NAME}", "--clip", clip, *nobody)[0] == 0
    code, lines, error = edge_app("labels", "teach", f"1.\u00a0{NAME}\u200b", "--clip", clip, *nobody)
    assert code == 0 and lines[0].endswith("; 2 in all") and "were cleaned away" in error


@pytest.mark.parametrize(("words", "code", "line"), [
    (("x", "--clip", "/no/such.mp4"), 4, "no/such.mp4"), (("x", "--clip", "test://black?seconds=1"), 2, "in view in 0"),
    (("a,b",), 2, "no ','"), (("x", "--shots", "0"), 2, "--shots 0"), (("x\x1b[31m",), 2, "U+001B"),
    (("",), 2, "none found"),
])  # fmt: skip
def test_what_cannot_be_taught_is_said(edge_app, tmp_path, words, code, line):
    found, _, error = edge_app("labels", "teach", *words, "--control", f"ipc://{tmp_path}/nobody")
    assert found == code and line in error
    assert not (tmp_path / "data").exists()
