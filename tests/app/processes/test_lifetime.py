"""Restarts within a budget, and processes that are stopped one way or the other."""

import multiprocessing
import signal

import pytest

from edge_app.app.processes.lifetime import RestartBudget, stop_all


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_a_budget_is_spent_by_restarts_that_follow_each_other_closely(clock):
    budget = RestartBudget(2, 60)
    for expected in (False, False, True):
        budget.started()
        assert budget.spent is expected
    clock[0] += 60.1
    assert (budget.recent, budget.spent) == (0, False), "what was long ago does not count"


def test_pauses_grow_and_stay_bounded(clock):
    budget = RestartBudget(9, 60)
    pauses = []
    for _ in range(7):
        budget.started()
        pauses.append(budget.pause_s())
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])
    clock[0] += 60.1
    budget.started()
    assert budget.pause_s() == pytest.approx(0.1)


def run(deaf, ready):
    if deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    ready.set()
    while True:
        signal.pause()


def test_those_that_hear_end_by_themselves_and_the_deaf_are_killed():
    context = multiprocessing.get_context("fork")
    processes = []
    for deaf in (False, True):
        ready = context.Event()
        process = context.Process(target=run, args=(deaf, ready))
        process.start()
        processes.append(process)
        assert ready.wait(30)
    stop_all(processes, 0.2)
    assert [process.exitcode for process in processes] == [-signal.SIGTERM, -signal.SIGKILL]
