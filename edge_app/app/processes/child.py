"""A child process of the supervisor: how it starts, shows that it works, stops, and dies with its parent."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from edge_app.app.failure import report
from edge_app.pose.native_stderr import keep_in
from edge_app.runtime.die_with import die_with

STATES = ("starting", "ready", "running", "degraded", "stopped", "failed")
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOLD_TO_STOP = 128 + signal.SIGTERM  # the exit code then; 0 is the end of a source
TURN_S = 0.01
_PR_SET_NAME = 15


class Pulse(ctypes.Structure):
    """What one process and its supervisor share. Stamps are monotonic nanoseconds, 0 for "not yet".

    go: the supervisor lets it open its source. loaded: its models are in memory. ready_ns: it may work. beat_ns: its
    loop turned. work_ns: it did a piece of work; `work` counts these.
    """

    go: bool
    loaded: bool
    ready_ns: int
    beat_ns: int
    work_ns: int
    work: int
    _fields_ = (
        ("go", ctypes.c_bool), ("loaded", ctypes.c_bool), ("ready_ns", ctypes.c_int64), ("beat_ns", ctypes.c_int64),
        ("work_ns", ctypes.c_int64), ("work", ctypes.c_int64),
    )  # fmt: skip


class Row(ctypes.Structure):
    """What every process may read of a stage: its place in `STATES`, its restarts, its work since the last one."""

    state: int
    restarts: int
    progress: int
    _fields_ = (("state", ctypes.c_int64), ("restarts", ctypes.c_int64), ("progress", ctypes.c_int64))


Board = dict[str, Row]


def lifecycles(board: Board) -> dict[str, dict[str, Any]]:
    """`{stage: {state, progress, restarts}}`, as the status message has it."""
    return {
        name: {"state": STATES[row.state], "progress": row.progress, "restarts": row.restarts}
        for name, row in board.items()
    }


class Child:
    """What the running stage sees of its supervision."""

    def __init__(self, pulse: Pulse, board: Board, restarted: bool) -> None:
        self._pulse, self._board = pulse, board
        self.restarted = restarted
        self.stopping = False

    def wait_turn(self) -> None:
        """Models are loaded; wait until the process that this one follows has given back its source."""
        self._pulse.loaded = True
        while not self._pulse.go and not self.stopping:
            self.alive()
            time.sleep(TURN_S)

    def ready(self) -> None:
        """From now on silence counts."""
        self.alive()
        self._pulse.ready_ns = time.monotonic_ns()

    def alive(self) -> None:
        """The loop turns, though there may be nothing to do."""
        self._pulse.beat_ns = time.monotonic_ns()

    def progress(self) -> None:
        """A piece of work is done."""
        self.alive()
        self._pulse.work_ns = self._pulse.beat_ns
        self._pulse.work += 1

    def lifecycles(self) -> Mapping[str, Mapping[str, Any]]:
        return lifecycles(self._board)


def start(process: SpawnProcess) -> None:
    """Start a process with `STOP_SIGNALS` held back: none can strike before its `stopped_by_parent`."""
    resource_tracker.ensure_running()  # at its own start it would let the signals through
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def stopped_by_parent(stop: Callable[..., object]) -> None:
    """Have SIGTERM call `stop`; Ctrl-C and a closed terminal are for the parent, which decides."""
    signal.signal(signal.SIGTERM, stop)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)


def run_child(
    body: Callable[..., None], task: Any, pulse: Pulse, board: Board, restarted: bool, parent: int, said: Connection
) -> None:  # fmt: skip
    """Entry of a child that `start` has started: `body(task, child)` under signal handling.

    Exits with the code of an error after its line, and with `TOLD_TO_STOP` after SIGTERM.
    """
    die_with(parent)
    keep_in(os.dup(said.fileno()))
    if sys.platform == "linux":  # for top and ps
        ctypes.CDLL(None).prctl(_PR_SET_NAME, multiprocessing.current_process().name.encode()[:15])
    child = Child(pulse, board, restarted)

    def stop(*_: object) -> None:
        child.stopping = True

    stopped_by_parent(stop)
    try:
        body(task, child)
    except Exception as error:
        sys.exit(report(error))
    if child.stopping:
        sys.exit(TOLD_TO_STOP)
