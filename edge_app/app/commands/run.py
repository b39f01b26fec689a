"""`edge-app run`: watch cameras and publish labels."""

from __future__ import annotations

import argparse
import json

from edge_app.app.assemble import make_task
from edge_app.app.processes.supervisor import run_app
from edge_app.app.view.process import beside


def main(arguments: argparse.Namespace) -> int:
    """Run until a signal, or the end of every source."""
    options = (
        ("publish.control", arguments.control),
        ("publish.keys", arguments.keys),
        ("metrics.endpoint", arguments.metrics),
    )
    arguments.assignments = [
        *(["publish.pose=true"] if arguments.view else []), *arguments.assignments,
        *(f"{key}={json.dumps(str(value), ensure_ascii=False)}" for key, value in options if value is not None),
    ]  # fmt: skip
    task = make_task(arguments, arguments.sources, arguments.publish, arguments.record)
    with beside(task, arguments.view, arguments.token):
        return run_app(task)
