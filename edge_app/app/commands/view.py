"""`edge-app view`: the live page of a stream."""

from __future__ import annotations

import argparse

from edge_app.app.view.hub import View
from edge_app.app.view.process import serve_view


def main(arguments: argparse.Namespace) -> int:
    """Serve the page until a signal."""
    view = View(arguments.endpoint, arguments.control, arguments.max_age_ms, arguments.keys)
    return serve_view(view, arguments.listen, arguments.token)
