"""Log lines: one an event, nothing unescaped, no password, not too many of a kind."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge_app.app import log as module
from edge_app.app.cli import main
from edge_app.app.log import BURST, log, setup
from tests.light import light


@pytest.fixture(params=["plain", "json"])
def form(request, monkeypatch) -> str:
    monkeypatch.setenv(module.VARIABLE, request.param)
    setup()
    yield request.param
    monkeypatch.undo()
    setup()


def said(capfd) -> list[str]:
    return capfd.readouterr().err.splitlines()


def test_a_line_an_event(form, capfd) -> None:
    log.warning("%s is now %s", "front", "camera_lost", extra={"kind": "camera"})
    (line,) = said(capfd)
    if form == "plain":
        assert line == "edge-app: front is now camera_lost"
    else:
        data = json.loads(line)
        assert (data["level"], data["kind"], data["message"]) == ("warning", "camera", "front is now camera_lost")
        assert data["time"].endswith("Z") and data["process"] == "MainProcess"


@given(st.text())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_that_moves_the_cursor_or_forges_a_line(form, capfd, text) -> None:
    log.error("label %s", f"\x1b[31m{text}\r\n\u2028\u202e")
    output = capfd.readouterr().err
    assert output.endswith("\n") and output[:-1].isprintable()


@pytest.mark.fault
def test_C9_no_password_of_a_uri(form, capfd) -> None:
    log.error("cannot open %s", "rtsp://admin:hunter2@10.0.0.7/stream?password=hunter2")
    (line,) = said(capfd)
    assert "hunter2" not in line and "rtsp://***@10.0.0.7/stream" in line


@pytest.mark.fault
def test_C9_no_password_of_a_source_that_is_refused(capfd) -> None:
    for verb in ("recognize", "run"):
        assert main([verb, "rtsp://admin:hunter2@127.0.0.1:1/x", "--labels", "wave, bow", *light()]) == 4
        out, error = capfd.readouterr()
        assert "hunter2" not in out + error and "rtsp://***@127.0.0.1:1" in error


def test_warnings_of_a_kind_are_limited_and_errors_are_not(form, capfd, monkeypatch) -> None:
    now = 1000.0
    monkeypatch.setattr(module.time, "monotonic", lambda: now)
    for number in range(BURST + 7):
        log.warning("lost %d", number, extra={"kind": "camera"})
        log.error("refused %d", number, extra={"kind": "camera"})
    log.warning("something else", extra={"kind": "recorder_full"})
    lines = said(capfd)
    assert sum("lost" in line for line in lines) == BURST
    assert sum("refused" in line for line in lines) == BURST + 7
    assert sum("something else" in line for line in lines) == 1
    now += module.WITHIN_S + 1
    log.warning("lost again", extra={"kind": "camera"})
    (line,) = said(capfd)
    assert "7 more" in line if form == "plain" else json.loads(line)["left_out"] == 7
