"""`python -m export VERB`: from trained parts to artefacts."""

from __future__ import annotations

import argparse
import sys

from edge_app.errors import AppError
from export import bundle, engine, parity, precision


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    modules = {
        "bundle": (bundle, "assemble a bundle"),
        "engine": (engine, "build TensorRT engines ahead of time"),
        "parity": (parity, "compare every runtime and precision on real windows"),
        "precision": (precision, "add the network in half precision or 8-bit integers"),
    }
    for verb, (module, text) in modules.items():
        module.add_arguments(verbs.add_parser(verb, help=text))
    arguments = parser.parse_args(argv)
    try:
        modules[arguments.verb][0].run(arguments)
    except AppError as error:
        print(f"export {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
