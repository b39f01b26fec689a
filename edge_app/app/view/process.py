"""A live page beside the app: a process of its own, started again where it falls over; the stream does not notice."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING

from edge_app.app.failure import report
from edge_app.app.log import log
from edge_app.app.processes.lifetime import RestartBudget, stop_all
from edge_app.app.view.access import Access, open_access
from edge_app.app.view.hub import View
from edge_app.errors import UsageError
from edge_app.runtime.die_with import die_with

if TYPE_CHECKING:  # the page's process need not load what the app runs
    from edge_app.app.processes.supervisor import AppTask

PACKAGES = ("starlette", "uvicorn", "websockets")
RESTARTS, WITHIN_S = 4, 60.0
_STOP_S = 3.0
_WATCH_S = 0.1


def enter(host_port: str, token: str) -> Access:
    """Open the page's socket and say where it is.

    Raises:
        UsageError: the packages of the extra `view` are not installed, or the address or the token is refused.
        PortError: the port is in use.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UsageError(f"the live page needs {', '.join(missing)}: pip install 'edge-app[view]'")
    access = open_access(host_port, token)
    _say(f"live page: {access.url}")
    return access


def live_page(task: AppTask, host_port: str | None, token: str) -> AbstractContextManager[object]:
    """The page of an app about to run, at `host_port`; None for no page.

    Raises:
        UsageError, PortError: as `enter`.
    """
    if host_port is None:
        return nullcontext()
    publish = task.settings.publish
    if publish.keys and task.publish.startswith("tcp:"):
        raise UsageError(
            "--view beside a stream with keys: use edge-app view ENDPOINT --keys DIR with a client's folder"
        )
    return ViewProcess(View(task.publish, publish.control, publish.max_age_ms), host_port, token)


def serve_view(view: View, host_port: str, token: str) -> int:
    """`edge-app view`: serve until Ctrl-C.

    Raises:
        UsageError, PortError: as `enter`; the stream's endpoint is malformed.
    """
    access = enter(host_port, token)
    from edge_app.app.view.server import serve

    serve(view, access)
    return 0


class ViewProcess:
    """The page of a running app: a context manager.

    Raises:
        UsageError, PortError: as `enter`.
    """

    def __init__(self, view: View, host_port: str, token: str) -> None:
        self._view, self._access = view, enter(host_port, token)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="view")

    @property
    def url(self) -> str:
        """The address to open."""
        return self._access.url

    def wait(self) -> None:
        """Until the page is given up."""
        self._thread.join()

    def __enter__(self) -> ViewProcess:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self._access.socket.close()

    def _watch(self) -> None:
        budget = RestartBudget(RESTARTS, WITHIN_S)
        while not budget.spent:
            if self._stop.wait(budget.pause_s() if budget.recent else 0):
                return
            budget.started()
            code = self._run()
            if code is None:
                return
            _say(f"the live page ended with {code}; starting it again")
        _say(f"the live page failed {budget.recent} times in {WITHIN_S:.0f} s; the app goes on without it")

    def _run(self) -> int | None:
        """One life of the process: its exit code, None where it was told to stop."""
        process = multiprocessing.get_context("spawn").Process(
            target=_serve, args=(self._view, self._access, os.getpid()), name="edge-app-view", daemon=True
        )
        process.start()
        while process.is_alive():
            if self._stop.wait(_WATCH_S):
                stop_all([process], _STOP_S)
                return None
        return process.exitcode


def _serve(view: View, access: Access, parent: int) -> None:
    from edge_app.app.view.server import serve

    os.setsid()  # Ctrl-C is for the app, which then tells us
    die_with(parent)
    try:
        serve(view, access)
    except Exception as error:
        sys.exit(report(error))


def _say(text: str) -> None:
    log.warning("%s", text, extra={"kind": "view"})
