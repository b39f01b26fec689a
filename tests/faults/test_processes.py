"""Faults of stages and processes. Each test: setup, fault, recovery, and what must hold all along."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_app.config import SuperviseConfig
from edge_app.errors import GaveUpError
from edge_app.process import lifecycles
from edge_app.supervisor import Stage, supervise
from tests.faults import bodies
from tests.running import action, alive, children, closed, leftovers, running, stage, state, wait_for

pytestmark = pytest.mark.fault
QUICK = SuperviseConfig(restarts=5, within_s=60, progress_s=1.0, grace_s=30, max_rss_mb=0)


@contextmanager
def supervised(*stages: Stage) -> Iterator[list]:
    """The supervisor at work in a thread; gives a list that holds what came of it at the end."""
    stop, outcome = threading.Event(), []

    def run() -> None:
        try:
            outcome.append(supervise(stages, stop))
        except GaveUpError as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield outcome
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
        assert not any(process.is_alive() for each in stages for process in each.processes())


def until(wanted: Callable[[], bool], timeout_s: float = 30) -> None:
    deadline = time.monotonic() + timeout_s
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def row(of: Stage) -> tuple[str, int]:
    """State and restarts, as the other processes read them."""
    found = lifecycles(of._board)[of.name]
    return found["state"], found["restarts"]


def test_P1_each_stage_killed_comes_back_and_its_events_end_once(app, squats):
    it = app(squats)
    wait_for(it.stream, action("start"), ledger=it.ledger)
    for name in ("camera-cam", "recogniser"):
        others = {n: pid for n, pid in children(it.process.pid).items() if n != name}
        before = set(it.ledger.open)
        assert before
        os.kill(children(it.process.pid)[name], signal.SIGKILL)
        wait_for(it.stream, stage(name, "running", 1), ledger=it.ledger)
        wait_for(it.stream, lambda m: action("start")(m) and bool(set(it.ledger.open) - before), ledger=it.ledger)
        assert before <= it.ledger.ended
        assert others.items() <= children(it.process.pid).items(), "the others keep running"
    assert "signal SIGKILL" in it.stop()
    assert closed(it.stream, it.ledger) and it.ledger.wrong == []


def test_P2_each_stage_stopped_is_noticed_and_replaced(app, squats):
    it = app(squats)
    wait_for(it.stream, action("start"), ledger=it.ledger)
    for name in ("camera-cam", "recogniser"):
        before, pid = set(it.ledger.open), children(it.process.pid)[name]
        stopped_ns = time.monotonic_ns()
        os.kill(pid, signal.SIGSTOP)
        seen = wait_for(it.stream, stage(name, "running", 1), ledger=it.ledger)
        assert not alive(pid)
        wait_for(it.stream, action("start"), ledger=it.ledger)
        assert before <= it.ledger.ended
        if name == "camera-cam":
            stale = next(m.data for m in seen if state("stale")(m))
            assert stale["t_capture_mono_ns"] - stopped_ns < 500e6, "nothing new was made up"
    assert "made no progress" in it.stop()
    assert closed(it.stream, it.ledger) and it.ledger.wrong == []


def test_P3_a_native_abort_and_a_hang_are_restarts_and_counted():
    board: dict = {}
    aborting = Stage("abort", bodies.abort, None, board, QUICK)
    hanging = Stage("hang", bodies.hang, None, board, QUICK)
    good = Stage("good", bodies.work, None, board, QUICK)
    with supervised(aborting, hanging, good) as outcome:
        until(lambda: row(aborting) == ("running", 1) and row(hanging) == ("running", 1))
        assert row(good) == ("running", 0) and outcome == []


def test_P4_a_crash_loop_is_given_up_with_exit_5(app, squats, tmp_path, capfd):
    board: dict = {}
    bad, good = Stage("bad", bodies.exit_at_once, None, board, QUICK), Stage("good", bodies.work, None, board, QUICK)
    with supervised(bad, good) as outcome:
        until(lambda: bool(outcome), 60)
    assert isinstance(outcome[0], GaveUpError) and outcome[0].exit_code == 5
    assert len(bad._starts) == 1 + QUICK.restarts
    assert row(bad)[0] == "failed" and row(good) == ("running", 0)
    assert capfd.readouterr().err.count("restarting it") == 1 + QUICK.restarts

    it = app(squats, "--set", "supervise.restarts=1")
    wait_for(it.stream, state("running"))
    for restarts in (0, 1):
        wait_for(it.stream, stage("camera-cam", "running", restarts))
        os.kill(children(it.process.pid)["camera-cam"], signal.SIGKILL)
    last = wait_for(it.stream, stage("camera-cam", "failed", 2))[-1]
    assert last.data["stages"]["recogniser"]["state"] == "running"
    assert it.process.wait(10) == 5
    assert "camera-cam: failed 2 times" in it.process.stderr.read()
    assert leftovers(it.tmp, it.process.pid) == []


def test_P4_the_back_off_of_one_stage_does_not_hold_up_another():
    board: dict = {}
    patient = SuperviseConfig(restarts=100, within_s=600, progress_s=1.0, grace_s=30, max_rss_mb=0)
    bad, hanging = Stage("bad", bodies.exit_at_once, None, board, patient), Stage("h", bodies.hang, None, board, QUICK)
    bad._starts.extend([time.monotonic()] * 20)  # its pauses are at their longest
    with supervised(bad, hanging):
        until(lambda: row(bad) == ("failed", 1))
        hanging_due = time.monotonic() + 2 * QUICK.progress_s
        until(lambda: row(hanging) == ("running", 1))
        assert time.monotonic() < hanging_due + 10
        assert lifecycles(board)["bad"]["restarts"] >= 1


def test_P5_no_child_outlives_a_killed_supervisor_and_the_next_one_cleans_up(app, squats, tmp_path):
    it = app(squats)
    wait_for(it.stream, action("start"), ledger=it.ledger)
    fds = [os.pidfd_open(pid) for pid in children(it.process.pid).values()]
    assert len(fds) == 2
    it.process.kill()
    for fd in fds:
        assert select.select([fd], [], [], 2.0)[0], "a child must die with its parent"
        os.close(fd)
    assert closed(it.stream, it.ledger)
    again = app(squats)  # the endpoint is free
    wait_for(again.stream, action("start"), ledger=again.ledger)
    again.stop()  # and the folder of the first is gone too


def test_P6_a_process_that_grows_is_replaced_by_one_that_has_loaded(tmp_path, capfd):
    board: dict = {}
    limit = SuperviseConfig(progress_s=5, grace_s=30, max_rss_mb=1.0)
    small = Stage("pose", bodies.leak, str(tmp_path), board, limit, recycle=True)
    small._run = None
    with supervised(small) as outcome:
        until(lambda: row(small)[0] == "running")
        small._config = SuperviseConfig(progress_s=5, grace_s=30, max_rss_mb=small._run.memory_mb() + 20)
        until(lambda: row(small) == ("running", 1))
        time.sleep(0)
        assert outcome == []
    stamps = [[int(line) for line in path.read_text().split()] for path in tmp_path.glob("*.stamps")]
    first, second = sorted(filter(None, stamps))[:2]
    assert second[0] > first[-1], "never two at a time"
    assert "replacing it" in capfd.readouterr().err


def test_P6_the_app_goes_on_while_a_camera_process_is_replaced(app, squats):
    it = app(squats)
    wait_for(it.stream, state("running"), ledger=it.ledger)
    it.stop()


def test_a_process_that_loads_for_ever_is_killed_after_its_grace():
    board: dict = {}
    config = SuperviseConfig(restarts=1, grace_s=0.5, max_rss_mb=0)
    with supervised(Stage("slow", bodies.load_for_ever, None, board, config)) as outcome:
        until(lambda: bool(outcome), 60)
    assert isinstance(outcome[0], GaveUpError)
