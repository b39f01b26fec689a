"""`python -m export VERB`: from trained parts to artefacts."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from edge_app.errors import AppError

VERBS = {
    "bundle": "assemble a bundle",
    "engine": "build TensorRT engines ahead of time; needs no torch",
    "parity": "compare every runtime and precision on real windows",
    "pose": "write the pose landmarker's networks as ONNX; needs no torch",
    "precision": "add the network in half precision or 8-bit integers",
    "triton": "write a model repository for NVIDIA's Triton server; needs no torch",
}
"""Each is a module, loaded when asked for: a device that builds its engines has no torch."""


def main(argv: list[str] | None = None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(prog="python -m export", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, text in VERBS.items():
        own = verbs.add_parser(verb, help=text)
        if argv[:1] == [verb]:
            module = import_module(f"export.{verb}")
            module.add_arguments(own)
    arguments = parser.parse_args(argv)
    try:
        module.run(arguments)
    except AppError as error:
        print(f"export {arguments.verb}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
