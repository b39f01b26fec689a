"""A child process of the supervisor: how it starts, shows that it works, stops, and dies with its parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from typing import Any

from edge_app.errors import AppError
from edge_app.log import log

_PR_SET_PDEATHSIG = 1


class Child:
    """What the running stage sees of its supervision.

    The two shared numbers are monotonic stamps: when the stage became ready (0: not yet), and its last progress.
    """

    def __init__(self, ready_ns: Synchronized[int], progress_ns: Synchronized[int]) -> None:
        self._ready_ns = ready_ns
        self._progress_ns = progress_ns
        self.stopping = False

    def ready(self) -> None:
        """Models are loaded; from now on silence counts."""
        self.progress()
        self._ready_ns.value = time.monotonic_ns()

    def progress(self) -> None:
        self._progress_ns.value = time.monotonic_ns()


def die_with(parent: int) -> None:
    """Have the kernel kill this process when `parent` is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def run_child(
    body: Callable[..., None], task: Any, ready_ns: Synchronized[int], progress_ns: Synchronized[int], parent: int
) -> None:
    """Entry of a child: `body(task, child)` under signal handling; exits with an `AppError`'s code after its line."""
    die_with(parent)
    child = Child(ready_ns, progress_ns)

    def stop(*_: object) -> None:
        child.stopping = True

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides
    try:
        body(task, child)
    except AppError as error:
        log.error("%s", error, extra={"kind": "failed"})
        sys.exit(error.exit_code)
