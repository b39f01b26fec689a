"""ONNX Runtime: on the CPU with one thread, since the pose stage wants the other cores, or on an NVIDIA GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from edge_app.errors import UsageError


class OnnxSession:
    """device: "cpu", or "cuda", which needs the package onnxruntime-gpu."""

    def __init__(self, model: Path, precision: str = "fp32", *, device: str = "cpu", threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3 if device == "cpu" else 4
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}[device]
        if wanted not in onnxruntime.get_available_providers():
            raise UsageError("this onnxruntime has no CUDA; pip install onnxruntime-gpu in its place")
        try:
            self._session = onnxruntime.InferenceSession(model.read_bytes(), options, providers=[wanted])
        except Exception as error:  # onnxruntime raises its own classes, which it does not export
            raise UsageError(
                f"{model.name}: ONNX Runtime cannot load it ({str(error).splitlines()[0][:200]})"
            ) from None
        if self._session.get_providers()[0] != wanted:
            raise UsageError("ONNX Runtime cannot start CUDA here (driver, CUDA or cuDNN missing)")
        self._session.disable_fallback()
        self._input = self._session.get_inputs()[0].name
        self.provider = f"onnxruntime-{device}" if precision == "fp32" else f"onnxruntime-{device}-{precision}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self._session.run(None, {self._input: batch})[0]
