"""`edge-app demo`: the whole app under its supervisor, and a listener in a process of its own that reads the stream."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from edge_app.app.assemble import default_task
from edge_app.app.commands.listen import listen
from edge_app.app.failure import guarded
from edge_app.app.log import log
from edge_app.app.processes.child import start, stopped_by_parent
from edge_app.app.processes.lifetime import stop_all
from edge_app.app.processes.supervisor import STOP_S, run_app
from edge_app.app.view.process import live_page
from edge_app.bundles.user_folders import short_folder
from edge_app.camera import open_source
from edge_app.errors import SourceError
from edge_app.runtime.die_with import die_with

WEBCAM = "camera://0"
DRAWN = "person://wave,squat,clap,walk in place,jumping jack,bow"


def main(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    assignments = [*(["publish.pose=true"] if arguments.view else []), *arguments.assignments]
    return demo(
        source=arguments.source, labels=arguments.labels, seconds=arguments.seconds, json_lines=arguments.json,
        assignments=assignments, view=arguments.view, token=arguments.token,
    )  # fmt: skip


def demo(
    *, source: str | None, labels: str | None, seconds: float | None, json_lines: bool, assignments: Sequence[str] = (),
    view: str | None = None, token: str = "",
) -> int:  # fmt: skip
    """Run until Ctrl-C or for `seconds`; prints what a subscriber receives.

    Raises:
        AppError: as `edge-app run`.
    """
    source = source or find_source()
    with tempfile.TemporaryDirectory(prefix="edge-app-demo-", dir=short_folder(40)) as folder:
        endpoint = f"ipc://{Path(folder) / 'stream'}"
        task = default_task(source, labels, endpoint, assignments)
        log.info("watching %s for %s", source, ", ".join(label.name for label in task.labels))
        spawn = multiprocessing.get_context("spawn")
        listener = spawn.Process(target=_listen, args=(endpoint, json_lines, os.getpid()), name="edge-app-listen")
        start(listener)
        stop = threading.Event()
        threading.Thread(target=_follow, args=(listener.sentinel, stop), daemon=True).start()
        try:
            with live_page(task, view, token):
                code = run_app(task, stop=stop, seconds=seconds)
        finally:
            stop_all([listener], STOP_S)
        return code or max(listener.exitcode or 0, 0)


def _follow(listener: int, stop: threading.Event) -> None:
    """Stop the app once nobody prints any more: the disk is full, or whoever read it has gone."""
    wait([listener])
    stop.set()


def _listen(endpoint: str, json_lines: bool, parent: int) -> None:
    die_with(parent)
    stopped_by_parent(signal.default_int_handler)
    sys.exit(guarded(lambda: listen(endpoint, json_lines=json_lines)))


def find_source() -> str:
    """The webcam if one opens and gives a picture, else the drawn person."""
    try:
        with open_source(WEBCAM) as camera:
            camera.read()
        return WEBCAM
    except SourceError:
        log.info("no webcam here; a drawn person acts instead")
        return DRAWN
