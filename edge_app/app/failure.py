"""The one place that turns what went wrong into one line on stderr and an exit code."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from edge_app.app.log import log, unwritable
from edge_app.errors import AppError

DEBUG = "EDGE_APP_DEBUG"
"""`--debug` sets it to 1, for the processes started from here too."""

INTERNAL = 1
"""The exit code of what is no `AppError`."""


def guarded(run: Callable[[], int]) -> int:
    """The exit code that `run` returns, or that of what it raised, once it is reported; Ctrl-C is 0.

    What it printed and stdout does not take is reported as well, unless its reader has gone, as `head` does.
    """
    _open_standard_streams()
    failed: BaseException | None = None
    code = 0
    with _threads_report():
        try:
            code = run()
        except KeyboardInterrupt:
            pass
        except (Exception, SystemExit) as error:
            failed = error
        unwritten = _flush_stdout()
        if isinstance(failed, Exception):
            return 0 if isinstance(failed, BrokenPipeError) else report(failed)
        if unwritten is not None and not isinstance(unwritten, BrokenPipeError):
            return report(unwritable(unwritten))
        if failed is not None:
            raise failed
    return code


def report(error: BaseException) -> int:
    """Say on one line what went wrong, after the traceback under `--debug`; returns the exit code."""
    if os.environ.get(DEBUG) == "1":
        traceback.print_exception(error)
    log.error("%s", _line(error), extra={"kind": "failed"})
    return error.exit_code if isinstance(error, AppError) else INTERNAL


def _line(error: BaseException) -> str:
    if isinstance(error, AppError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return ": ".join(str(part) for part in (error.filename, error.strerror) if part is not None)
    if isinstance(error, MemoryError):
        return "out of memory"
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"
    return f"internal error: {type(error).__name__}: {error} ({where}); --debug shows more"


def _open_standard_streams() -> None:
    """Where stdin, stdout or stderr is closed, no file opened later may take its number: what libraries print would go
    there. Text that the terminal's encoding does not know is printed as escapes."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _flush_stdout() -> OSError | None:
    """Why stdout does not take what was printed; it then goes nowhere, so that Python's own end says nothing of it."""
    try:
        sys.stdout.flush()
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        return error
    return None


@contextmanager
def _threads_report() -> Iterator[None]:
    """What ends a thread is told on one line too."""

    def told(what: threading.ExceptHookArgs) -> None:
        if what.exc_value is not None:
            report(what.exc_value)

    before, threading.excepthook = threading.excepthook, told
    try:
        yield
    finally:
        threading.excepthook = before
