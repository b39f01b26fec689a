"""`edge-app demo`: the whole app under its supervisor, and a listener in a process of its own that reads the stream."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge_app.app.assemble import default_task
from edge_app.app.log import log
from edge_app.app.processes.supervisor import run_app
from edge_app.app.view.process import live_page
from edge_app.camera import open_source
from edge_app.errors import SourceError

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
    with tempfile.TemporaryDirectory(prefix="edge-app-demo-") as folder:
        endpoint = f"ipc://{Path(folder) / 'stream'}"
        task = default_task(source, labels, endpoint, assignments)
        log.info("watching %s for %s", source, ", ".join(label.name for label in task.labels))
        command = [sys.executable, "-m", "edge_app", "listen", endpoint, *(["--json"] if json_lines else [])]
        listener = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        try:
            with live_page(task, view, token):
                return run_app(task, seconds=seconds)
        finally:
            listener.terminate()
            listener.wait()


def find_source() -> str:
    """The webcam if one opens and gives a picture, else the drawn person."""
    try:
        with open_source(WEBCAM) as camera:
            camera.read()
        return WEBCAM
    except SourceError:
        log.info("no webcam here; a drawn person acts instead")
        return DRAWN
