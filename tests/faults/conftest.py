from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from edge_app.client import Subscriber
from tests.running import START_S, Ledger, leftovers, running


class App:
    """A running app, a subscriber that hears everything, and the account of it."""

    def __init__(self, process: subprocess.Popen, stream: Subscriber, tmp: Path) -> None:
        self.process, self.stream, self.tmp = process, stream, tmp
        self.ledger = Ledger()

    def stop(self) -> str:
        """SIGTERM; what it said on stderr. Nothing may be left, and nothing may have been wrong."""
        self.process.terminate()
        assert self.process.wait(START_S) == 0
        assert leftovers(self.tmp, self.process.pid) == []
        assert self.ledger.wrong == []
        said = self.process.stderr.read()
        assert "Traceback" not in said and "internal error" not in said
        return said


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Callable[..., App]]:
    """app(source, *arguments, **environment): started; ends with the test."""
    with ExitStack() as stack:

        def start(source: str, *more: str, **environment: str) -> App:
            tmp = tmp_path / "tmp"
            tmp.mkdir(exist_ok=True)
            endpoint = f"ipc://{tmp_path}/stream"
            variables = {**os.environ, "TMPDIR": str(tmp), **environment}
            process = stack.enter_context(running(endpoint, source, *more, env=variables))
            return App(process, stack.enter_context(Subscriber(endpoint, newest=False)), tmp)

        yield start
