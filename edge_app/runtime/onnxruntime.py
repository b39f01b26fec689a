"""ONNX Runtime on the CPU, one thread: the pose stage wants the other cores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from edge_app.errors import UsageError


class OnnxSession:
    provider = "onnxruntime-cpu"

    def __init__(self, model: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises its own classes, which it does not export
            raise UsageError(
                f"{model.name}: ONNX Runtime cannot load it ({str(error).splitlines()[0][:200]})"
            ) from None
        self._input = self._session.get_inputs()[0].name

    def run(self, batch: np.ndarray) -> np.ndarray:
        return self._session.run(None, {self._input: batch})[0]
