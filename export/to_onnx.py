"""A trained encoder as ONNX: static shapes but the batch, one `matmul` per adjacency, weights in half precision."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxscript import optimizer
from torch import nn

from edge_app.window.skeleton import WindowSpec

MAX_BATCH = 64
FOLDED = 4096
"""Constants of more numbers are not worked out in advance: a runtime does that when it loads the file."""
LARGE = 1000
"""Weights of at least so many numbers are kept in half precision."""


def export_encoder(encoder: nn.Module, spec: WindowSpec, path: Path) -> int:
    """Write `encoder` to `path`; input "window" `[batch, T, J, 4]`, output "feature" `[batch, D]`.

    Returns:
        The number of parameters.
    """
    encoder = encoder.eval()
    example = torch.zeros(2, spec.length, len(spec.skeleton.joints), 4)
    batch = torch.export.Dim("batch", min=1, max=MAX_BATCH)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            encoder, (example,), input_names=["window"], output_names=["feature"],
            dynamic_shapes=({0: batch},), dynamo=True, opset_version=20, optimize=False,
        )  # fmt: skip
        assert program is not None
        optimizer.optimize(program.model, output_size_limit=FOLDED)
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]
    keep_half(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return sum(parameter.numel() for parameter in encoder.parameters())


def keep_half(graph: onnx.GraphProto) -> None:
    """Keep large weights as float16, cast back to float32 when the file is loaded: half the size, the same speed.

    The arithmetic stays in float32; a feature changes by less than 0.005 (its root mean square is 1).
    """
    for weight in list(graph.initializer):
        value = numpy_helper.to_array(weight)
        if value.dtype != np.float32 or value.size < LARGE:
            continue
        half = f"{weight.name}.half"
        graph.initializer.remove(weight)
        graph.initializer.append(numpy_helper.from_array(value.astype(np.float16), half))
        graph.node.insert(0, onnx.helper.make_node("Cast", [half], [weight.name], to=onnx.TensorProto.FLOAT))
