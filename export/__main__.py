"""`python -m export VERB`: from trained parts to artefacts."""

from __future__ import annotations

import argparse
import sys

from edge_app.errors import AppError
from export import bundle


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    bundle.add_arguments(verbs.add_parser("bundle", help="assemble a bundle"))
    arguments = parser.parse_args(argv)
    try:
        bundle.run(arguments)
    except AppError as error:
        print(f"export {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
