"""`edge-app view`: the live page of a stream."""

from __future__ import annotations

import argparse

from edge_app.app.view.hub import View
from edge_app.app.view.process import serve_view
from edge_app.client import as_meant
from edge_app.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Serve the page until a signal."""
    try:
        as_meant(arguments.endpoint)
    except ValueError as error:
        raise UsageError(f"stream {arguments.endpoint!r}: {error}") from None
    view = View(arguments.endpoint, arguments.control, arguments.max_age_ms, arguments.keys)
    return serve_view(view, arguments.listen, arguments.token)
