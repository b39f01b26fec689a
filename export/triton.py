"""Write a bundle's encoder as a model repository of NVIDIA's Triton Inference Server.

    python -m export triton --bundle edge_app/bundles/default --out REPO
    tritonserver --model-repository REPO                  # where Triton is; then: edge-app run … --runtime triton

    REPO/edge-encoder/config.pbtxt                 batches of up to 64, for which a window waits 5 ms at most
    REPO/edge-encoder/NUMBER/model.onnx            NUMBER is made of the file's hash: another file is another version
    REPO/edge-encoder-tensorrt/NUMBER/model.plan   with --engine: what `python -m export engine` built on the server

A server that polls the repository sees whole models only.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import tempfile
from pathlib import Path

import onnxruntime

from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.files import put_folder
from edge_app.bundles.shipped import bundle_folder
from edge_app.errors import UsageError
from edge_app.runtime.tensorrt import MAX_BATCH
from edge_app.runtime.triton import MODEL

QUEUE_US = 5000
MADE_BY = "# Made by edge-app"
CONFIG = """{made_by} from bundle {bundle}, {file}.
name: "{name}"
backend: "{backend}"
default_model_filename: "{target}"
max_batch_size: {batch}
input [ {{ name: "{entry.name}" data_type: TYPE_FP32 dims: {entry_dims} }} ]
output [ {{ name: "{exit.name}" data_type: TYPE_FP32 dims: {exit_dims} }} ]
dynamic_batching {{ max_queue_delay_microseconds: {queue_us} }}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=bundle_folder, required=True)
    parser.add_argument("--out", type=Path, required=True, metavar="REPO", help="other models in it are left alone")
    parser.add_argument("--precision", default="fp32", help="of the ONNX file, one that the bundle has (default fp32)")
    parser.add_argument("--engine", type=Path, metavar="FILE", help="a .engine of TensorRT, its .json beside it")
    parser.add_argument("--name", default=MODEL, help=f"of the model (default {MODEL})")


def run(arguments: argparse.Namespace) -> None:
    bundle = load_bundle(arguments.bundle)
    if arguments.precision not in bundle.networks:
        raise UsageError(f"--precision {arguments.precision}: bundle has {', '.join(bundle.networks)}")
    if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", arguments.name):
        raise UsageError(f"--name {arguments.name!a:.80}: letters, digits, '-', '_' and '.' are allowed")
    network = bundle.path / bundle.networks[arguments.precision]
    models = [(arguments.name, "onnxruntime", network, "model.onnx")]
    if arguments.engine:
        check_engine(arguments.engine, bundle)
        models.append((f"{arguments.name}-tensorrt", "tensorrt", arguments.engine, "model.plan"))
    for name, backend, file, target in models:
        print(write_model(arguments.out / name, bundle, network, backend, file, target))


def check_engine(engine: Path, bundle: Bundle) -> None:
    """Raises UsageError unless an engine's side-car says that Triton can load it and that it is of this bundle."""
    try:
        key = json.loads(engine.with_suffix(".json").read_text("utf-8"))
        size = engine.stat().st_size
        made_from, version, digest = key["onnx_sha256"], key["tensorrt"], key["sha256"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"--engine {engine}: not an engine with its side-car .json ({error})") from None
    if version.startswith("rtx"):
        raise UsageError(f"--engine {engine}: made by TensorRT for RTX, Triton loads those of TensorRT only")
    if made_from not in (bundle.manifest["files"][file]["sha256"] for file in bundle.networks.values()):
        raise UsageError(f"--engine {engine}: made from another network than those of {bundle.path}")
    if hashlib.sha256(engine.read_bytes()).hexdigest() != digest:
        raise UsageError(f"--engine {engine}: its {size:,} bytes are not those that its side-car describes")


def write_model(out: Path, bundle: Bundle, network: Path, backend: str, file: Path, target: str) -> str:
    """Make `file` the only version of the model `out`; one line on it.

    network: the ONNX file, for the names and shapes of input and output.

    Raises:
        UsageError: there is a model at `out` that was not made here, or it cannot be written.
    """
    config = out / "config.pbtxt"
    if out.exists() and not (config.is_file() and config.read_text("utf-8", "replace").startswith(MADE_BY)):
        raise UsageError(f"--out {out}: exists and was not made by edge-app; it is not replaced")
    session = onnxruntime.InferenceSession(str(network), providers=["CPUExecutionProvider"])
    entry, exit = session.get_inputs()[0], session.get_outputs()[0]
    text = CONFIG.format(
        made_by=MADE_BY, bundle=bundle.id, file=file.name, name=out.name, backend=backend, target=target,
        batch=MAX_BATCH, entry=entry, entry_dims=entry.shape[1:], exit=exit, exit_dims=exit.shape[1:],
        queue_us=QUEUE_US,
    )  # fmt: skip
    version = str(1 + int(hashlib.sha256(file.read_bytes()).hexdigest()[:7], 16))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        # Beside the repository, not in it: there a polling server would take it for a model.
        with tempfile.TemporaryDirectory(prefix=".triton-", dir=out.parent.absolute().parent) as work:
            new = Path(work) / "new"
            (new / version).mkdir(parents=True)
            shutil.copyfile(file, new / version / target)
            (new / "config.pbtxt").write_text(text, "utf-8")
            put_folder(new, out)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror or error}") from None
    return f"{out}: version {version}, {file.stat().st_size / 1e6:.1f} MB for {backend}"
