"""Faults of stages and processes. Each test: setup, fault, recovery, and what must hold all along."""

from __future__ import annotations

import os
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from edge_app.app.assemble import default_task
from edge_app.app.processes.child import lifecycles
from edge_app.app.processes.supervisor import Stage, _stages, supervise
from edge_app.app.settings import SuperviseConfig
from edge_app.client import Subscriber
from edge_app.errors import GaveUpError
from tests.faults import bodies
from tests.running import (
    LABELS,
    Ledger,
    action,
    alive,
    children,
    closed,
    leftovers,
    running,
    stage,
    state,
    status,
    wait_for,
)  # fmt: skip

pytestmark = pytest.mark.fault
QUICK = SuperviseConfig(restarts=5, within_s=60, progress_s=1.0, grace_s=30, max_rss_mb=0)
PATIENT = replace(QUICK, progress_s=30.0)
"""Of who does well: on a busy machine a second without progress is nobody's fault."""


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


def is_back(of: Stage) -> bool:
    """Whether it works after a restart; a busy machine may make several."""
    found, restarts = row(of)
    return found == "running" and restarts >= 1


def test_P1_each_stage_killed_comes_back_and_its_events_end_once(app, squats):
    it = app(squats)
    wait_for(it.stream, action("start"), ledger=it.ledger)
    for name in ("camera-cam", "recogniser"):
        others = {n: pid for n, pid in children(it.process.pid).items() if n != name}
        before = set(it.ledger.open)
        assert before
        os.kill(children(it.process.pid)[name], signal.SIGKILL)
        wait_for(it.stream, stage(name, "running", 1), ledger=it.ledger)
        wait_for(it.stream, action("start"), ledger=it.ledger)
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


def test_P3_F15_a_native_abort_and_a_hang_are_restarts_and_counted(capfd):
    board: dict = {}
    aborting = Stage("abort", bodies.abort, None, board, QUICK)
    hanging = Stage("hang", bodies.hang, None, board, QUICK)
    good = Stage("good", bodies.work, None, board, PATIENT)
    with supervised(aborting, hanging, good) as outcome:
        until(lambda: is_back(aborting) and is_back(hanging))
        assert row(good) == ("running", 0) and outcome == []
    assert "ended with signal SIGABRT (F0000 x.cc:7] Check failed: cpus > 0); restarting" in capfd.readouterr().err


def test_P4_a_crash_loop_is_given_up(capfd):
    board: dict = {}
    bad, good = Stage("bad", bodies.exit_at_once, None, board, QUICK), Stage("good", bodies.work, None, board, PATIENT)
    with supervised(bad, good) as outcome:
        until(lambda: bool(outcome), 60)
    assert isinstance(outcome[0], GaveUpError) and outcome[0].exit_code == 5
    assert bad._budget.recent == 1 + QUICK.restarts
    assert row(bad)[0] == "failed" and row(good) == ("running", 0)
    assert capfd.readouterr().err.count("restarting it") == 1 + QUICK.restarts


@pytest.mark.slow
def test_P4_the_app_says_which_stage_failed_and_exits_with_5(app, squats):
    it = app(squats, "--set", "supervise.restarts=1")
    wait_for(it.stream, state("running"))
    for restarts in (0, 1):
        wait_for(it.stream, stage("camera-cam", "running", restarts))
        os.kill(children(it.process.pid)["camera-cam"], signal.SIGKILL)
    last = wait_for(it.stream, stage("camera-cam", "failed", 2))[-1]
    assert last.data["stages"]["recogniser"]["state"] == "running"
    assert it.process.wait(60) == 5
    assert "camera-cam: failed 2 times" in it.process.stderr.read()
    assert leftovers(it.tmp, it.process.pid) == []


def test_P4_the_back_off_of_one_stage_does_not_hold_up_another():
    board: dict = {}
    bad, hanging = Stage("bad", bodies.exit_at_once, None, board, QUICK), Stage("h", bodies.hang, None, board, QUICK)
    with supervised(bad, hanging):
        until(lambda: row(bad)[0] == "failed")
        bad._due = time.monotonic() + 1000
        until(lambda: is_back(hanging))
        assert row(bad)[0] == "failed"


@pytest.mark.slow
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


@pytest.mark.slow
def test_P6_a_process_that_grows_is_replaced_by_one_that_has_loaded(tmp_path, capfd):
    board: dict = {}
    pose = Stage("pose", bodies.leak, str(tmp_path), board, QUICK, recycle=True)
    with supervised(pose) as outcome:
        until(lambda: row(pose)[0] == "running")
        pose._config = replace(QUICK, max_rss_mb=pose._run.memory_mb() + 20)
        (tmp_path / "grow").touch()
        until(lambda: row(pose) == ("running", 1))
        assert outcome == []
    first, second = sorted([int(line) for line in file.read_text().split()] for file in tmp_path.glob("*.stamps"))
    assert second[0] > first[-1], "never two at a time"
    assert "replacing it" in capfd.readouterr().err


@pytest.mark.slow
def test_P6_the_app_goes_on_while_a_camera_process_is_replaced(squats, tmp_path):
    stages = _stages(default_task(squats, LABELS, f"ipc://{tmp_path}/stream"), tmp_path)
    camera, ledger = stages[1], Ledger()
    with Subscriber(f"ipc://{tmp_path}/stream", newest=False) as stream, supervised(*stages) as outcome:
        wait_for(stream, action("start"), ledger=ledger)
        before = set(ledger.open)
        grown = replace(camera._config, max_rss_mb=1.0)
        camera._config, usual = grown, camera._config
        until(lambda: camera._next is not None)
        camera._config = usual
        seen = wait_for(stream, stage("camera-cam", "running", 1), ledger=ledger)
        stamps = [m.data["t_capture_mono_ns"] for m in seen if m.kind == "state" and not m.data.get("cached")]
        print(f"longest gap between captures: {max(b - a for a, b in pairwise(stamps)) / 1e6:.0f} ms")
        wait_for(stream, action("start"), ledger=ledger)
        assert before <= ledger.ended and ledger.wrong == [] and outcome == []


@pytest.mark.slow
def test_P8_a_starved_app_drops_frames_and_stays_fresh(app):
    """The whole app on one core, beside three who want it too: what comes is late by drops, not by a queue."""
    core = str(min(os.sched_getaffinity(0)))
    it = app("person://squat?seconds=60")
    wait_for(it.stream, state("running"), ledger=it.ledger)
    burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]
    try:
        for pid in (it.process.pid, *children(it.process.pid).values(), *(each.pid for each in burners)):
            subprocess.run(["taskset", "-a", "-c", "-p", core, str(pid)], check=True, capture_output=True)
        first = wait_for(it.stream, status, ledger=it.ledger)[-1].data["cameras"]["cam"]
        ten = [wait_for(it.stream, status, ledger=it.ledger)[-1].data["cameras"]["cam"] for _ in range(10)]
    finally:
        for each in burners:
            each.kill()
            each.wait()
    assert ten[-1]["dropped"] > first["dropped"] and ten[-1]["frames"] > first["frames"]
    it.stop()


@pytest.mark.slow
def test_sigterm_at_any_moment_leaves_nothing(squats, tmp_path):
    """From before the first child has its handlers to well into the work."""
    dice = random.Random(0)
    for delay_s in [dice.uniform(0, 6) for _ in range(8)]:
        tmp = tmp_path / f"{delay_s}"
        tmp.mkdir()
        with running(f"ipc://{tmp_path}/s", squats, env={**os.environ, "TMPDIR": str(tmp)}) as process:
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(delay_s)
            stages = children(process.pid)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in (0, -signal.SIGTERM), delay_s
            said = [line for line in process.stderr if not line.startswith("edge-app: runtime ")]
            assert said == [], delay_s
            assert not any(alive(pid) for pid in stages.values())
            assert leftovers(tmp, process.pid) == []
            assert not (tmp_path / "s").exists()


def test_a_child_that_somebody_else_stops_is_started_anew():
    board: dict = {}
    good = Stage("good", bodies.work, None, board, PATIENT)
    with supervised(good) as outcome:
        until(lambda: row(good)[0] == "running")
        good._run.process.terminate()
        until(lambda: row(good) == ("running", 1))
        assert outcome == []


def test_a_pause_of_the_whole_machine_is_nobodys_silence(app, squats):
    """As a laptop that sleeps, or a container that is frozen: all stop, all go on, nothing is restarted."""
    it = app(squats)
    wait_for(it.stream, stage("camera-cam", "running"), ledger=it.ledger)
    before = children(it.process.pid)
    everyone = [it.process.pid, *before.values()]
    for pid in everyone:
        os.kill(pid, signal.SIGSTOP)
    while not ((message := it.stream.recv(10)) and message.local):  # the reader itself finds that nothing comes
        pass
    for pid in everyone:
        os.kill(pid, signal.SIGCONT)
    wait_for(it.stream, state("running"), ledger=it.ledger)
    wait_for(it.stream, stage("camera-cam", "running"), ledger=it.ledger)
    assert children(it.process.pid) == before
    assert "restarting" not in it.stop()


def test_systemd_is_told(tmp_path, monkeypatch):
    board: dict = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "100000")
        with supervised(Stage("good", bodies.work, None, board, PATIENT)):
            heard = []
            while "READY=1" not in heard or heard.count("WATCHDOG=1") < 3 or "STATUS=good running" not in heard:
                heard.append(systemd.recv(1000).decode())
        while heard[-1] != "STOPPING=1":
            heard.append(systemd.recv(1000).decode())
    assert heard.index("STATUS=good starting") < heard.index("READY=1")


def test_systemd_has_nothing_against_the_unit(tmp_path):
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not installed")
    text = (Path(__file__).parents[2] / "configs/systemd/edge-app.service").read_text()
    unit = tmp_path / "edge-app.service"
    unit.write_text(text.replace("/opt/edge-app/bin/edge-app", sys.executable))
    done = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=60)
    complaints = [line for line in done.stderr.splitlines() if "edge-app.service" in line]
    assert complaints == []


def test_a_process_that_loads_for_ever_is_killed_after_its_grace():
    board: dict = {}
    config = SuperviseConfig(restarts=1, grace_s=0.5, max_rss_mb=0)
    with supervised(Stage("slow", bodies.load_for_ever, None, board, config)) as outcome:
        until(lambda: bool(outcome), 60)
    assert isinstance(outcome[0], GaveUpError)


@pytest.mark.parametrize("code", [0, 4])
def test_F3_who_is_done_and_slow_to_end_is_not_begun_anew(monkeypatch, capfd, code):
    """On a busy machine a file that had ended was played again, and again."""
    monkeypatch.setattr("edge_app.app.processes.supervisor.CLOSE_S", 1.0)
    config = SuperviseConfig(progress_s=0.1, max_rss_mb=0)
    done = Stage("done", bodies.done_but_slow, code, {}, config)
    with supervised(done) as outcome:
        until(lambda: bool(outcome), 60)
    assert (outcome, row(done)) == ([code], ("stopped", 0))
    assert capfd.readouterr().err == ""
