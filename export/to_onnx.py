"""A trained encoder as ONNX: static shapes but the batch, one `matmul` per adjacency."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from pathlib import Path

import onnx
import torch
from torch import nn

from edge_app.window import WindowSpec

MAX_BATCH = 64


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
            dynamic_shapes=({0: batch},), dynamo=True, opset_version=20,
        )  # fmt: skip
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return sum(parameter.numel() for parameter in encoder.parameters())
