"""A camera, plain words, and a trustworthy label stream.

    Recognizer      names what people do, in your own loop
    Subscriber      reads the stream of a running app
    open_source     opens a camera, a file or a recording by its URI
    Decision, Event, Ranking    what a recognizer gives

All of these load when they are first used: `import edge_app` by itself needs nothing but the standard library.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_app.camera import open_source
    from edge_app.client import Subscriber
    from edge_app.recognizer import Recognizer
    from edge_app.types import Decision, Event, Ranking

__version__ = "0.2.0"
__all__ = ["Decision", "Event", "Ranking", "Recognizer", "Subscriber", "open_source"]

# ONNX Runtime reports its use to its maker over https since 1.31, and keeps a session file in TMPDIR. Not from here.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

_HOMES = {
    "Decision": "edge_app.types", "Event": "edge_app.types", "Ranking": "edge_app.types",
    "Recognizer": "edge_app.recognizer", "Subscriber": "edge_app.client", "open_source": "edge_app.camera",
}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
