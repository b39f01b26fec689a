"""What a runtime is, and which one a bundle gets."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from edge_app.errors import UsageError

RUNTIMES = ("auto", "onnxruntime")


class Session(Protocol):
    """One loaded network with one input and one output.

    provider: what really runs, as it goes out in messages, for example "onnxruntime-cpu".
    """

    provider: str

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float32 `[B, ...] -> [B, ...]`."""


def open_session(model: Path, runtime: str = "auto") -> Session:
    """Load an ONNX file.

    Raises:
        UsageError: unknown runtime, or a file that cannot be loaded.
    """
    if runtime not in RUNTIMES:
        raise UsageError(f"--runtime {runtime}: allowed are {', '.join(RUNTIMES)}")
    from edge_app.runtime.onnxruntime import OnnxSession

    return OnnxSession(model)
