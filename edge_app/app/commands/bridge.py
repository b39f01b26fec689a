"""`edge-app bridge`: pass a stream on."""

from __future__ import annotations

import argparse
from importlib import import_module
from inspect import signature

from edge_app.errors import UsageError


def main(arguments: argparse.Namespace) -> int:
    """Pass the stream on until a signal.

    Raises:
        UsageError: the package that this kind needs is not installed.
    """
    try:
        module = import_module(f"edge_app.app.bridges.{arguments.kind}")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"bridge {arguments.kind}: {error.name} is not installed; pip install 'edge-app[{arguments.kind}]'"
        ) from None
    return module.bridge(**{name: getattr(arguments, name) for name in signature(module.bridge).parameters})
