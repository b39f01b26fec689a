"""Serve a bundle's encoder with the Triton server that a Python package carries: x86-64 Linux, no container, no root.

nvidia-pytriton wants NumPy 1 and edge-app takes NumPy 2, so it lives in a virtual environment of its own:

    python3 -m venv triton && triton/bin/pip install nvidia-pytriton onnxruntime
    PYTHONPATH=. triton/bin/python examples/triton/serve.py edge_app/bundles/default
    edge-app run person://wave --runtime triton
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path

import numpy as np
import onnxruntime
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from edge_app.runtime.onnxruntime import OnnxSession


def main(bundle: Path, grpc_port: int = 8001, http_port: int = 8000) -> None:
    model = bundle / json.loads((bundle / "manifest.json").read_text("utf-8"))["encoder"]["file"]
    session = OnnxSession(model)
    network = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    entry, exit = network.get_inputs()[0], network.get_outputs()[0]

    @batch
    def infer(**windows: np.ndarray) -> list[np.ndarray]:
        return [session.run(windows[entry.name])]

    config = TritonConfig(
        http_address="127.0.0.1", grpc_address="127.0.0.1", grpc_port=grpc_port, http_port=http_port,
        allow_metrics=False,
    )  # fmt: skip
    os.environ["LD_LIBRARY_PATH"] = sysconfig.get_config_var("LIBDIR")  # this Python's library, not the system's
    with Triton(config=config) as server:
        server.bind(
            model_name="edge-encoder",
            infer_func=infer,
            inputs=[Tensor(name=entry.name, dtype=np.float32, shape=tuple(entry.shape[1:]))],
            outputs=[Tensor(name=exit.name, dtype=np.float32, shape=tuple(exit.shape[1:]))],
            config=ModelConfig(max_batch_size=64, batcher=DynamicBatcher(max_queue_delay_microseconds=5000)),
        )
        server.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
