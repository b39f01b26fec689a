"""A bundle's encoder network on a runtime."""

from __future__ import annotations

from collections.abc import Callable

from edge_app.bundles.bundle import Bundle
from edge_app.runtime.session import PRECISIONS, Session, open_session


def precisions(bundle: Bundle, runtime: str) -> tuple[str, ...]:
    """Those of the bundle's networks that a runtime is for."""
    return tuple(precision for precision in PRECISIONS[runtime] if precision in bundle.networks)


def load_session(
    bundle: Bundle, runtime: str = "onnxruntime", precision: str = "fp32", waiting: Callable[[], None] = lambda: None
) -> Session:
    """As `edge_app.runtime.session.open_session`."""
    return open_session(bundle.path / bundle.networks[precision], runtime, precision, waiting)
