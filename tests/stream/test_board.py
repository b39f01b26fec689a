"""The board: what it says of a camera, when it greys, and the real verb on a real terminal."""

from __future__ import annotations

import contextlib
import io
import os
import pty
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from edge_app.app.commands.board import Board
from edge_app.client import Message
from edge_app.stream.publisher import Publisher

STATE, ACTION, STATUS = "v1/front/state", "v1/front/action", "v1/front/status"


def drawn(board: Board, now_s: float = 0.0, *, styled: bool = False) -> str:
    console = Console(record=True, width=100, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print(board.draw(now_s))
    return console.export_text(styles=styled)


@pytest.fixture
def board(samples):
    board = Board()
    board.note(Message(STATE, samples.state(1, open_n=(17,)), age_ms=60), 0.0)
    board.note(Message(STATUS, samples.status(1)), 0.0)
    board.note(Message(ACTION, samples.action("start", 1)), 0.0)
    return board


def test_beliefs_unknown_age_events_and_stages_are_there(board):
    text = drawn(board)
    rows = {line.split()[1].strip("▶"): line for line in text.splitlines() if "░" in line}
    assert "▶ wave" in text
    assert "0.47" in text and "unknown" in text and "0.25" in text  # 0.625 x 0.75, 1 - 0.75
    assert "running" in text and "60 ms old" in text and "OLD" not in text
    assert "start  wave  0.62" in text and "times" not in text
    assert "p50, ms: " in text
    assert rows


def test_repetitions_are_counted_beside_the_bar_and_at_the_end(board, samples):
    board.note(Message(ACTION, samples.action("update", 2)), 0.0)
    assert "0.47  4 times" in drawn(board)
    board.note(Message(ACTION, samples.action("end", 3)), 0.0)
    assert "4 times" not in drawn(board)
    assert "end    wave  0.62  7 times  (over)" in drawn(board)


def test_what_is_old_is_grey_and_says_so(board, samples):
    assert "OLD" not in drawn(board, 0.9)
    text = drawn(board, 1.0)
    assert "1060 ms old  OLD: do not act on it" in text
    assert "▶" not in text
    assert "\x1b[2m running" in drawn(board, 1.0, styled=True)
    board.note(Message(STATE, samples.state(1), age_ms=None), 1.0)
    assert "age unknown" in drawn(board, 1.5) and "OLD" not in drawn(board, 1.5)
    assert "OLD" in drawn(board, 2.5)


def test_a_reader_that_hears_nothing_is_grey_at_once(board):
    board.note(Message(STATE, {"camera": "front", "state": "stale"}, local=True), 5.0)
    assert "\x1b[2m stale" in drawn(board, 5.0, styled=True)


def test_labels_are_no_markup_and_odd_messages_change_nothing(board, samples):
    before = drawn(board)
    for odd in ({"known": 0.5}, {"known": 0.5, "open": [], "topk": 7}, {"known": 0.5, "open": [1], "topk": []}):
        board.show(Message(STATE, {"camera": "front", "state": "running", **odd}))
    board.show(Message(STATUS, {"camera": "front", "stages": [1]}))
    assert drawn(board) == before
    evil = {**samples.action("start", 1), "label": "[red]x[/red]\x1b[2J"}
    board.note(Message(ACTION, evil), 0.0)
    assert r"[red]x[/red]\x1b[2J" in drawn(board)


def test_F14_the_verb_on_a_terminal_and_beside_one(tmp_path, samples):
    """A board on a terminal; lines with --plain, and on a terminal that can draw none."""
    lines = "front  state", "▶"
    for term, options, wanted, unwanted in (
        ("xterm", [], "▶", "state "), ("xterm", ["--plain"], *lines), ("dumb", [], *lines), ("unknown", [], *lines)
    ):  # fmt: skip
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "edge_app", "listen", f"ipc://{tmp_path}/s", "--timeout", "20", *options]
        environment = {**os.environ, "TERM": term, "COLUMNS": "100", "LINES": "40"}
        with Publisher(f"ipc://{tmp_path}/s") as publisher:
            process = subprocess.Popen([*command, "--count", "12"], stdout=theirs, env=environment)
            os.close(theirs)
            reader = threading.Thread(target=read_all, args=(ours, said := []))
            reader.start()
            until = time.monotonic() + 20
            while process.poll() is None and time.monotonic() < until:
                publisher.poll(0.1)
                assert publisher.publish(STATE, samples.state(time.monotonic_ns(), open_n=(17,)))
            assert process.wait(5) == 0
        reader.join(5)
        os.close(ours)
        text = b"".join(said).decode()
        assert wanted in text
        assert unwanted not in text


def read_all(terminal: int, into: list[bytes]) -> None:
    with contextlib.suppress(OSError):  # how a terminal ends
        while part := os.read(terminal, 1 << 16):
            into.append(part)
