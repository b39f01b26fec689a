"""The shipped bundle without its web network, and with SCALE alone: the same code for a third of the time.

For tests of processes, sockets and files, to which it does not matter how well a motion is named.
"""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from functools import cache
from pathlib import Path

import onnx
from onnx.utils import Extractor

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT


@cache
def light_bundle() -> Path:
    """Made once a process, which takes it away again."""
    from export.bundle import seal  # takes seconds, as it loads torch

    folder = Path(tempfile.mkdtemp(prefix="light-bundle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in ("background.npz", "labels.json", "labels.npy", "ranker-scale.npz", "MODEL_CARD.md"):
        shutil.copy(DEFAULT / name, folder)
    width = without_web(DEFAULT / "encoder.onnx", folder / "encoder.onnx")
    shipped = load_bundle(DEFAULT)
    scale = {key: value for key, value in shipped.calibration["rankers"]["scale"].items() if key != "conse"}
    (folder / "calibration.json").write_text(json.dumps({"rankers": {"scale": scale}}), "utf-8")
    encoder = {**shipped.manifest["encoder"], "output": width}
    rankers = {"scale": shipped.manifest["rankers"]["scale"]}
    manifest = {**shipped.manifest, "name": "light", "encoder": encoder, "rankers": rankers}
    seal(folder, manifest)
    return folder


def light() -> list[str]:
    """Options of a verb that names: the light bundle, on one runtime."""
    return ["--bundle", str(light_bundle()), "--runtime", "onnxruntime"]


def without_web(network: Path, out: Path) -> int:
    """The encoder of a network that lays it beside the web network; returns how long its vectors are."""
    model = onnx.shape_inference.infer_shapes(onnx.load(network))
    beside = next(node for node in model.graph.node if "feature" in node.output)
    cut = Extractor(model).extract_model(["window"], [beside.input[0]])
    cut.graph.node.append(onnx.helper.make_node("Identity", [beside.input[0]], ["feature"]))
    cut.graph.output[0].name = "feature"
    onnx.save(cut, out)
    return cut.graph.output[0].type.tensor_type.shape.dim[1].dim_value
