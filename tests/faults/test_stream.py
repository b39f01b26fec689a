"""Faults of the stream that need the whole app, or many readers; the others are in tests/wire."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
import zmq

from edge_app.client import Subscriber
from edge_app.stream.clock import Clock
from edge_app.stream.publisher import Publisher
from tests.running import action, children, running, stage, state, wait_for
from tests.stream.conftest import Samples

pytestmark = pytest.mark.fault
PATCHED_CLOCK = """
import time
real = time.time_ns
time.time_ns = lambda: real() + int(open({file!r}).read() or 0)
time.time = lambda: time.time_ns() / 1e9
"""


@pytest.mark.slow
def test_S7_the_wall_clock_jumps_under_the_whole_app(app, squats, tmp_path):
    """An hour back, an hour on, to 1970: only the text of the wall clock changes."""
    wall = tmp_path / "wall"
    wall.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(PATCHED_CLOCK.format(file=str(wall)))
    it = app(squats, PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[2]}")
    wait_for(it.stream, action("start"), ledger=it.ledger)
    before, seen = children(it.process.pid), []
    for jump_s in (-3600, 3600, -int(time.time())):
        wall.write_text(str(jump_s * 10**9))
        hour = str(datetime.fromtimestamp(time.time() + jump_s, timezone.utc))[:13].replace(" ", "T")
        seen += wait_for(
            it.stream,
            lambda m, hour=hour: state("running")(m) and m.data["t_capture_wall"].startswith(hour),
            20,
            it.ledger,
        )
    assert {m.data["reason"] for m in seen if action("end")(m)} <= {"over"}
    assert len({m.data["run"] for m in seen}) == 1
    stamps = [m.data["t_publish_mono_ns"] for m in seen]
    assert stamps == sorted(stamps)
    assert children(it.process.pid) == before
    it.stop()


def test_S8_a_port_in_use_is_exit_3_and_there_is_no_second_try(squats):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with running(f"tcp://127.0.0.1:{port}", squats) as process:
            assert process.wait(60) == 3
            said = process.stderr.read()
    assert said.count(f"127.0.0.1:{port} is in use") == 1 and "restarting" not in said


@pytest.mark.slow
def test_S2_two_hundred_readers_and_churn_leave_no_descriptor(tmp_path):
    """Thousands come and go in any order while two hundred stay: all of those hear the newest state in the end."""
    dice, clock = random.Random(0), Clock()
    with Publisher(f"ipc://{tmp_path}/s", clock=clock) as publisher, zmq.Context() as context:
        context.set(zmq.MAX_SOCKETS, 4096)

        def publish() -> None:
            publisher.publish("v1/front/state", Samples.state(clock.mono_ns()))
            publisher.poll()

        with contextlib.ExitStack() as stack:
            stay = [
                stack.enter_context(Subscriber(publisher.endpoint, context=context, liveness_timeout_s=None))
                for _ in range(200)
            ]
            guests: list[Subscriber] = []
            before = None
            for step in range(2000):
                guests.append(Subscriber(publisher.endpoint, context=context))
                if len(guests) > 20:
                    guests.pop(dice.randrange(len(guests))).close()
                publish()
                if step == 500:
                    before = len(os.listdir("/proc/self/fd"))
            assert _settles(lambda: publish() or len(os.listdir("/proc/self/fd")) <= before + 60)
            for reader in stay:
                message = reader.recv(10)
                while message is not None and message.age_ms > 1000:
                    publish()
                    message = reader.recv(10)
                assert message is not None
            for guest in guests:
                guest.close()


def _settles(wanted) -> bool:
    deadline = time.monotonic() + 30
    while not wanted():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.slow
def test_S4_a_new_recognizer_is_a_new_run_and_no_gap(app, squats):
    it = app(squats)
    start = wait_for(it.stream, action("start"), ledger=it.ledger)[-1].data
    os.kill(children(it.process.pid)["recogniser"], 9)
    seen = wait_for(it.stream, stage("recogniser", "running", 1), ledger=it.ledger)
    assert {m.gap for m in seen} == {0} and seen[-1].data["run"] != start["run"]
    assert not {key for key in it.ledger.open if key[0] == start["run"]}
    it.stop()
