"""`edge-app run`: watch cameras and publish labels."""

from __future__ import annotations

import argparse
import json
import os
import sys
from shlex import quote

from edge_app.app.assemble import make_task
from edge_app.app.log import VARIABLE, log
from edge_app.app.processes.supervisor import AppTask, run_app
from edge_app.app.view.process import live_page
from edge_app.client import DEFAULT_ENDPOINT
from edge_app.stream.control import control_beside


def main(arguments: argparse.Namespace) -> int:
    """Run until a signal, or the end of every source."""
    options = (
        ("publish.control", arguments.control),
        ("publish.keys", arguments.keys),
        ("metrics.endpoint", arguments.metrics),
    )
    arguments.assignments = [
        *(["publish.pose=true"] if arguments.view else []), *arguments.assignments,
        *(f"{key}={_quoted(str(value))}" for key, value in options if value is not None),
    ]  # fmt: skip
    task = make_task(arguments, arguments.sources, arguments.publish, arguments.record)
    if sys.stderr.isatty() and os.environ.get(VARIABLE) != "json":
        for line in welcome(task):
            log.info("%s", line, extra={"kind": "welcome"})
    with live_page(task, arguments.view, arguments.token):
        return run_app(task)


def _quoted(text: str) -> str:
    """A text as YAML reads it, whatever bytes a file name has."""
    return json.dumps(text, ensure_ascii=False).encode(errors="backslashreplace").decode()


def welcome(task: AppTask) -> tuple[str, str, str]:
    """What somebody at a terminal needs to know: where the labels go, how to change the words, how to stop."""
    publish = task.settings.publish
    control = publish.control or control_beside(task.publish)
    keys = " --keys DIR" if publish.keys else ""
    read = "" if task.publish == DEFAULT_ENDPOINT else f" {quote(task.publish)}"
    ask = "" if control == control_beside(DEFAULT_ENDPOINT) else f" --control {quote(control)}"
    return (
        f"publishing on {task.publish} once the camera is open; read it with: edge-app listen"
        f"{read}{keys if task.publish.startswith('tcp:') else ''}",
        f'change the words with: edge-app labels add "drink water"{ask}{keys if control.startswith("tcp:") else ""}',
        "stop with Ctrl-C",
    )
