"""`edge-app labels`: show and change the labels of a running app."""

from __future__ import annotations

import argparse
import json

from edge_app.app.log import put, say
from edge_app.ranker.labels.label import Label, line_of, parse_labels, parse_text
from edge_app.stream.control import ask


def main(arguments: argparse.Namespace) -> int:
    """Ask the app, and print its reply."""
    if arguments.op in ("teach", "forget"):
        from edge_app.app.commands import teach  # which needs the pose model's library

        return teach.main(arguments)
    lines = None
    if arguments.op == "describe":
        lines = [line_of(Label(arguments.name, (), arguments.description))]
    elif arguments.op == "remove":
        lines = [label.name for label in parse_text(",".join(arguments.labels), note=None)]
    elif arguments.op != "list":
        given = arguments.labels
        lines = [line_of(each) for each in (parse_labels(given[0]) if len(given) == 1 else parse_text(",".join(given)))]
    reply = ask(arguments.control, f"labels.{arguments.op}", lines, keys=arguments.keys)
    if arguments.json:
        put(json.dumps(reply))
    elif arguments.op == "list":
        say(*reply["labels"])
        for name, shots in reply.get("taught", {}).items():
            say(f"# taught: {name} ({shots} shots)")
    else:
        say(f"version {reply['labels_version']}: {reply['count']} labels")
    return 0
