"""The exec bridge with real commands."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from edge_app.app.bridges.exec import run
from edge_app.app.bridges.outbox import Event, Outbox
from edge_app.app.cli import main
from tests.app.bridges.conftest import is_valid
from tests.running import alive, interruptible

WAIT_S = 30.0
KEEP = """
import json, os, sys
with open(sys.argv[1], "a") as file:
    own = {k: v for k, v in os.environ.items() if k.startswith("EDGE_APP_EVENT_")}
    file.write(json.dumps([sys.stdin.read(), own]) + "\\n")
"""
LINGER = """
import subprocess, sys, time
subprocess.Popen(["sleep", "1000"])
open(sys.argv[1], "w").close()
time.sleep(1000)
"""


def until(happened, what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not happened():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def event(n: int = 1, **data: object) -> Event:
    data = {"type": "start", "label": "wave", "camera": "front", "track": 3, "event": f"e{n}", "score": 0.5, **data}
    return Event("v1/front/action", data, time.monotonic(), 12.0)


def sleepers(marker: str) -> list[int]:
    """Pids of the processes whose environment holds the marker."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and marker.encode() in (entry / "environ").read_bytes() and alive(int(entry.name)):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_the_command_gets_the_message_on_stdin_and_in_the_environment(stream, bridging, tmp_path):
    out = tmp_path / "out"
    command = ("--endpoint", stream.endpoint, "--label", "wave", "--", sys.executable, "-c", KEEP, str(out))
    with bridging("exec", *command, endpoint=False) as bridge:
        assert "passing" in bridge.stderr.readline()
        while not out.exists() or not out.read_text().endswith("\n"):
            stream.action("start", 1)
            stream.action("start", 2, label="bow")
            time.sleep(0.1)
        stream.action("end", 1)
        until(lambda: '\\"end\\"' in out.read_text(), "no end came")
    lines = [json.loads(line) for line in out.read_text().splitlines() if line]
    (told, own), (_, last) = lines[0], lines[-1]
    assert is_valid(told) and told.endswith("\n") and {json.loads(text)["label"] for text, _ in lines} == {"wave"}
    assert int(own.pop("EDGE_APP_EVENT_AGE_MS")) >= 0
    assert own == {
        "EDGE_APP_EVENT_TYPE": "start", "EDGE_APP_EVENT_LABEL": "wave", "EDGE_APP_EVENT_CAMERA": "front",
        "EDGE_APP_EVENT_TRACK": "3", "EDGE_APP_EVENT_ID": "front-3-1", "EDGE_APP_EVENT_SCORE": "0.625",
        "EDGE_APP_EVENT_REASON": "",
    }  # fmt: skip
    assert (last["EDGE_APP_EVENT_TYPE"], last["EDGE_APP_EVENT_REASON"]) == ("end", "over")


def test_one_runs_at_a_time_in_order(tmp_path):
    out = tmp_path / "out"
    script = f'echo "in $EDGE_APP_EVENT_ID" >> {out}; sleep 0.05; echo "out $EDGE_APP_EVENT_ID" >> {out}'
    outbox = Outbox(lambda event, stopping: run(["sh", "-c", script], 10, event, stopping))
    for n in range(4):
        outbox.put(event(n))
    until(lambda: out.exists() and out.read_text().endswith("out e3\n"), "the last did not run")
    outbox.close()
    assert out.read_text().split("\n")[:-1] == [f"{step} e{n}" for n in range(4) for step in ("in", "out")]


def test_what_takes_too_long_is_stopped_with_all_that_it_started(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MARKER", marker := f"exec-{tmp_path}")
    monkeypatch.setattr("edge_app.app.bridges.exec.GRACE_S", 0.1)
    stubborn = "trap '' TERM; sleep 1000 & sleep 1000; sleep 1000"
    run(["sh", "-c", stubborn], 0.3, event(), threading.Event())
    until(lambda: sleepers(marker) == [], "something outlived it")
    assert caplog.records[-1].getMessage() == "stopped sh for the start of 'wave': longer than 0.3 s"


def test_nothing_that_was_started_outlives_the_bridge(stream, bridging, tmp_path):
    marker, out = f"exec-{tmp_path}", tmp_path / "out"
    command = ("--endpoint", stream.endpoint, "--limit", "600", "--", sys.executable, "-c", LINGER, str(out))
    options = {"env": {**os.environ, "MARKER": marker}, "preexec_fn": interruptible}
    with bridging("exec", *command, endpoint=False, **options) as bridge:
        while not out.exists():
            stream.action("start")
            time.sleep(0.1)
        assert len(sleepers(marker)) == 3
        bridge.send_signal(signal.SIGTERM)
        assert bridge.wait(WAIT_S) == 0
        assert sleepers(marker) == []
        assert any("the bridge ends" in line for line in bridge.stderr)


def test_a_command_that_fails_or_does_not_read_is_said_and_the_next_one_runs(caplog):
    for code in (3, 0):
        run(["sh", "-c", f"exit {code}"], 10, event(reason="x" * 10**6), threading.Event())
    assert [record.getMessage() for record in caplog.records] == ["sh ended with 3 for the start of 'wave'"]


def test_X10_no_label_reaches_a_shell_or_breaks_the_environment(tmp_path):
    out = tmp_path / "out"
    for evil in ("$(touch x); `touch x`", "a\0b", "\ud800", "line\nline"):
        run(["sh", "-c", f'printf "%s" "$EDGE_APP_EVENT_LABEL" > {out}'], 10, event(label=evil), threading.Event())
        told = out.read_text()
        assert told.isprintable() and (told == evil or evil not in told)
    assert not Path("x").exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--", "no-such-command"], "'no-such-command': no such command"),
        (["--limit", "0", "--", "true"], "--limit 0"),
        (["--endpoint", "nonsense", "--", "true"], "nonsense"),
    ],
)
def test_bad_options_are_named(capfd, options, word):
    assert main(["bridge", "exec", *options]) == 2
    assert word in capfd.readouterr().err
