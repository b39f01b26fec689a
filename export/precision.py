"""The encoder's network in other precisions: half precision for GPUs, 8-bit integers for anybody.

    python -m export precision --bundle edge_app/bundles/default --kind fp16 --out runs/bundle-fp16

Writes a copy of the bundle that has the network too, if that ranks the golden windows alike; or just the network, where
`--out` ends in .onnx. Precision is in the graph itself, so that one file serves every version of TensorRT. Whether it
earns its place is for `python -m export parity` to say.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.shipped import bundle_folder
from edge_app.runtime.load import load_session
from export.bundle import put_in_place, write_manifest
from export.recordings import recognize_all

KINDS = ("fp16", "int8")
HEAVY = ("Conv", "MatMul", "Gemm")
"""What computes in the lower precision."""
CALIBRATION = 512
"""Windows that INT8 ranges are measured on, at most."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=bundle_folder, required=True)
    parser.add_argument("--kind", choices=KINDS, required=True)
    parser.add_argument("--windows", nargs="*", default=[], metavar="FILE", help="recordings to calibrate int8 on")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new bundle, or FILE.onnx")


def run(arguments: argparse.Namespace) -> None:
    bundle = load_bundle(arguments.bundle)
    out: Path = arguments.out
    if out.suffix == ".onnx":
        write_variant(bundle, arguments.kind, out, arguments.windows)
        print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
        return
    name = f"encoder-{arguments.kind}.onnx"
    encoder = dict(bundle.manifest["encoder"])
    encoder["variants"] = {**encoder.get("variants", {}), arguments.kind: name}
    work = Path(tempfile.mkdtemp(prefix=".bundle-", dir=out.parent))
    try:
        for file in bundle.manifest["files"]:
            shutil.copy(bundle.path / file, work)
        write_variant(bundle, arguments.kind, work / name, arguments.windows)
        write_manifest(work, {**bundle.manifest, "encoder": encoder})
        print(put_in_place(work, out))
    finally:
        shutil.rmtree(work, ignore_errors=True)


def write_variant(bundle: Bundle, kind: str, path: Path, files: list[str]) -> None:
    """Derive the network in precision `kind` from the bundle's own. `files`: for int8, as in `recognize_all`."""
    full = whole(onnx.load(bundle.path / bundle.networks["fp32"]))
    if kind == "fp16":
        onnx.save(to_half(full), path)
        return
    quantise(full, path, recognize_all(bundle, load_session(bundle), files).windows)


def whole(model: onnx.ModelProto) -> onnx.ModelProto:
    """With weights in single precision: the opposite of `export.to_onnx.keep_half`."""
    graph = model.graph
    halves = {weight.name: weight for weight in graph.initializer if weight.data_type == onnx.TensorProto.FLOAT16}
    for node in [node for node in graph.node if node.op_type == "Cast" and node.input[0] in halves]:
        half = halves[node.input[0]]
        graph.initializer.append(
            numpy_helper.from_array(numpy_helper.to_array(half).astype(np.float32), node.output[0])
        )
        graph.initializer.remove(half)
        graph.node.remove(node)
    return model


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Convolutions and matrix products compute in half precision; all else, input and output stay in single.

    So norms, softmaxes, exponentials and reductions, where half precision would hurt, never see it.
    """
    graph = model.graph
    weights = {weight.name: weight for weight in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    made: set[str] = set()

    def half(name: str) -> str:
        new = f"{name}.half"
        if new not in made:
            made.add(new)
            if name in weights:
                value = numpy_helper.to_array(weights[name]).astype(np.float16)
                graph.initializer.append(numpy_helper.from_array(value, new))
            else:
                nodes.append(onnx.helper.make_node("Cast", [name], [new], to=onnx.TensorProto.FLOAT16))
        return new

    for node in graph.node:
        if node.op_type not in HEAVY:
            nodes.append(node)
            continue
        changed = onnx.NodeProto()
        changed.CopyFrom(node)
        changed.input[:] = [half(name) if name else name for name in node.input]
        changed.output[0] = f"{node.output[0]}.result"
        nodes += [
            changed,
            onnx.helper.make_node("Cast", [changed.output[0]], [node.output[0]], to=onnx.TensorProto.FLOAT),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    for weight in [weight for weight in graph.initializer if weight.name not in used]:
        graph.initializer.remove(weight)
    del graph.value_info[:]
    onnx.checker.check_model(model)
    return model


def quantise(model: onnx.ModelProto, path: Path, windows: np.ndarray) -> None:
    """Q/DQ around convolutions and matrix products, weights by channel, ranges measured on `windows` `[N, T, J, 4]`."""
    step = -(-len(windows) // CALIBRATION)

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._rest = iter(windows[::step])

        def get_next(self) -> dict[str, np.ndarray] | None:
            window = next(self._rest, None)
            return None if window is None else {model.graph.input[0].name: window[None]}

    with tempfile.TemporaryDirectory() as folder:
        plain, prepared = Path(folder) / "plain.onnx", Path(folder) / "prepared.onnx"
        onnx.save(model, plain)
        quant_pre_process(plain, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared, path, Reader(), quant_format=QuantFormat.QDQ, op_types_to_quantize=list(HEAVY),
            per_channel=True, calibrate_method=CalibrationMethod.MinMax,
            extra_options={"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False},
        )  # fmt: skip
