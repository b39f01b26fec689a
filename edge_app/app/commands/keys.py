"""`edge-app keys`: who may read the stream and change the labels over a network."""

from __future__ import annotations

import argparse

from edge_app.app.log import say
from edge_app.errors import UsageError
from edge_app.stream.keys import listing, new_client, new_server, revoke


def main(arguments: argparse.Namespace) -> int:
    """Make or revoke keys, and print what is there then."""
    folder, verb = arguments.folder, arguments.keys_verb
    if verb == "revoke":
        revoke(folder, arguments.name)
    elif verb == "new" and arguments.role in (None, "server") and not arguments.name:
        new_server(folder)
    elif verb == "new":
        if not arguments.name or arguments.role == "server":
            raise UsageError("keys new: --role reader, controller and camera need --name, --role server has none")
        home = new_client(folder, arguments.name, arguments.role or "reader")
        say(f"{home}: move this folder to the client, and delete it here")
    say(*listing(folder))
    return 0
