"""`edge-app camera`: send the poses of a camera here to an app on another machine."""

from __future__ import annotations

import argparse

from edge_app.app.processes.sender import SenderTask, send_camera
from edge_app.app.settings import load_settings


def main(arguments: argparse.Namespace) -> int:
    """Send until a signal, or the end of the source."""
    settings = load_settings(arguments.config, arguments.assignments)
    return send_camera(SenderTask(arguments.source, arguments.to, arguments.keys, settings))
