"""What a runtime is, and which there are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from edge_app.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

PRECISIONS = {
    "onnxruntime": ("fp32", "int8"),
    "openvino": ("fp32", "int8"),
    "cuda": ("fp32", "fp16"),
    "tensorrt": ("fp32", "fp16", "int8"),
}
"""Every runtime that loads a file, by its name for `--runtime`, and which of a bundle's networks it is for."""
GPU_RUNTIMES = ("cuda", "tensorrt")
RUNTIMES = ("auto", *PRECISIONS, "triton")
"""For `--runtime`: "auto" tries all the others but "triton", a server that runs whatever network it was given."""


class Session(Protocol):
    """One loaded network with one input and one output."""

    @property
    def provider(self) -> str:
        """What really runs, as it goes out in messages, for example "onnxruntime-cpu"."""

    def run(self, batch: np.ndarray) -> np.ndarray:
        """float32 `[B, ...] -> [B, ...]`."""


def open_session(
    model: Path, runtime: str = "onnxruntime", precision: str = "fp32", waiting: Callable[[], None] = lambda: None
) -> Session:
    """Load an ONNX file.

    precision: the file's own, for the provider's name. waiting: see `edge_app.runtime.engines.Waiting`.

    Raises:
        UsageError: unknown runtime, one that is not here, or a file that cannot be loaded.
    """
    if runtime == "openvino":
        from edge_app.runtime.openvino import OpenVinoSession

        return OpenVinoSession(model, precision)
    if runtime == "tensorrt":
        from edge_app.runtime.cuda import Cuda
        from edge_app.runtime.engines import EngineCache, engine_key
        from edge_app.runtime.tensorrt import TensorRtSession

        Cuda()  # without a GPU an engine of TensorRT for RTX can be built, but not run
        return TensorRtSession(EngineCache().obtain(engine_key(model, precision), model, waiting), precision)
    if runtime not in PRECISIONS:
        raise UsageError(f"--runtime {runtime}: allowed are {', '.join(RUNTIMES)}")
    from edge_app.runtime.onnxruntime import OnnxSession

    return OnnxSession(model, precision, device="cuda" if runtime == "cuda" else "cpu")
