"""What the stages of these tests do; in a module of its own, so that a child process can import it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from edge_app.app.processes.child import Child
from edge_app.pose.native_stderr import native_stderr_captured


def work(task: object, child: Child) -> None:
    """As a good stage does."""
    child.wait_turn()
    child.ready()
    while not child.stopping:
        child.progress()
        time.sleep(0.01)


def exit_at_once(task: object, child: Child) -> None:
    sys.exit(7)


def abort(task: object, child: Child) -> None:
    """As native code does when it gives up."""
    if child.restarted:
        work(task, child)
    child.ready()
    child.progress()
    with native_stderr_captured():
        os.write(2, b"INFO: all is well\nF0000 x.cc:7] Check failed: cpus > 0\n*** stack trace: ***\n    @ 0x7f main\n")
        os.kill(os.getpid(), signal.SIGABRT)


def hang(task: object, child: Child) -> None:
    """Deaf to everything, the first time."""
    if child.restarted:
        work(task, child)
    child.ready()
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        time.sleep(60)


def load_for_ever(task: object, child: Child) -> None:
    while True:
        time.sleep(60)


def leak(folder: str, child: Child) -> None:
    """The first process grows when there is a file `grow`; each notes when it worked."""
    child.wait_turn()
    child.ready()
    hoard = []
    with (Path(folder) / f"{os.getpid()}.stamps").open("w") as stamps:
        while not child.stopping:
            if not child.restarted and len(hoard) < 40 and (Path(folder) / "grow").exists():
                hoard.append(bytearray(os.urandom(1 << 20)))
            print(time.monotonic_ns(), file=stamps, flush=True)
            child.progress()
            time.sleep(0.01)


def done_but_slow(code: int, child: Child) -> None:
    """Its work is over, and its end takes for ever, as on a busy machine."""
    child.ready()
    child.done(code)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    while True:
        time.sleep(60)
