"""`edge-app bench`: measure every stage, and glass to label at a subscriber."""

from __future__ import annotations

import argparse

from edge_app.app.assemble import make_task
from edge_app.app.bench.report import compare
from edge_app.app.bench.run import SOURCE, bench


def main(arguments: argparse.Namespace) -> int:
    """Measure, or compare two results."""
    if arguments.compare:
        return compare(*arguments.compare)
    source = arguments.source or SOURCE
    arguments.assignments = ["taught.use=false", *arguments.assignments]  # what is measured must not depend on the user
    return bench(
        lambda endpoint: make_task(arguments, [source], endpoint),
        seconds=arguments.seconds, out=arguments.json, pictures=arguments.pictures,
    )  # fmt: skip
