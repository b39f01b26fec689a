"""In the place of Triton's own ONNX Runtime backend, which no Python package carries: the same files, inputs, outputs.

Runs inside a real Triton server, as its backend of that name; see `serving.py`.
"""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        return config

    def initialize(self, arguments):
        config = json.loads(arguments["model_config"])
        folder = Path(arguments["model_repository"]) / arguments["model_version"]
        self._session = onnxruntime.InferenceSession(
            str(folder / config["default_model_filename"]), providers=["CPUExecutionProvider"]
        )
        self._entry, self._exit = config["input"][0]["name"], config["output"][0]["name"]

    def execute(self, requests):
        parts = [triton.get_input_tensor_by_name(request, self._entry).as_numpy() for request in requests]
        made = self._session.run([self._exit], {self._entry: np.concatenate(parts)})[0]
        ends = np.cumsum([len(part) for part in parts])[:-1]
        return [triton.InferenceResponse([triton.Tensor(self._exit, part)]) for part in np.split(made, ends)]
