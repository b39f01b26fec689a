"""OpenVINO on the CPU, one thread."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError


class OpenVinoSession:
    def __init__(self, model: Path, precision: str = "fp32") -> None:
        # `import openvino` would look up its maker's address, to send usage figures; now it takes its own stub.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        os.environ.setdefault("HWLOC_HIDE_ERRORS", "2")  # without /sys it would print a line
        try:
            import openvino
        except ImportError:
            raise UsageError("openvino is not installed; pip install 'edge-app[openvino]'") from None
        # On some CPUs the default is bfloat16, which is too coarse for energies.
        options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
        try:
            core = openvino.Core()
            network = core.read_model(model.read_bytes())
            self._request = core.compile_model(network, "CPU", options).create_infer_request()
        except RuntimeError as error:
            raise UsageError(f"{model.name}: OpenVINO cannot load it ({str(error).strip()[:200]!r})") from None
        self.provider = "openvino-cpu" if precision == "fp32" else f"openvino-cpu-{precision}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        found = self._request.infer({0: batch})[0].copy()
        if len(found) != len(batch):  # seen of an 8-bit network
            raise UsageError(f"OpenVINO gave {len(found)} features of {len(batch)} windows")
        return found
