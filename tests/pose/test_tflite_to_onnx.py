"""The networks as ONNX against OpenVINO's own reading of the TFLite files."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import tflite

from edge_app.errors import UsageError
from edge_app.pose.figure import draw_figure
from edge_app.pose.networks import NETWORKS, Network
from edge_app.pose.tflite_to_onnx import convert

PARTS = {"Identity": 195, "Identity_1": 1, "Identity_4": 117, "Identity_3": 64 * 64 * 39}
"""Outputs of the landmark network, in the order of ours."""


def made(files: dict[str, bytes], network: Network) -> bytes:
    return convert(files[network.member], network.outputs, half=network.half)


def run(model: bytes, picture: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": picture})[0]


def picture(side: int) -> np.ndarray:
    rgb = cv2.cvtColor(draw_figure()[:, 80:560], cv2.COLOR_BGR2RGB)
    return cv2.resize(rgb, (side, side)).astype(np.float32)[None] / 255


def by_openvino(model: bytes, entry: np.ndarray, folder: Path) -> dict[str, np.ndarray]:
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    openvino = pytest.importorskip("openvino")
    (folder / "model.tflite").write_bytes(model)
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(str(folder / "model.tflite"), "CPU", options).create_infer_request()
    request.infer({0: entry})
    names = [output.get_any_name() for output in request.model_outputs]
    return {name: request.get_tensor(name).data.copy() for name in names}


def test_landmarks_are_those_of_the_tflite_file(tflite_files, tmp_path):
    network = NETWORKS["landmarks", "fp32"]
    expected = by_openvino(tflite_files[network.member], picture(256), tmp_path)
    found = np.split(run(made(tflite_files, network), picture(256))[0], np.cumsum([*PARTS.values()])[:-1])
    for (name, size), values in zip(PARTS.items(), found, strict=True):
        wanted = expected[name].transpose(0, 3, 1, 2) if name == "Identity_3" else expected[name]
        limit = {"Identity": 5e-3, "Identity_1": 1e-6, "Identity_4": 2e-5, "Identity_3": 1e-3}[name]
        assert values.size == size
        assert np.abs(values - wanted.ravel()).max() < limit, name  # pixels of 256, share, metres, logits
    assert expected["Identity_1"].item() > 0.9  # somebody is there


def test_the_detector_with_its_sparse_weights_is_that_of_the_tflite_file(tflite_files, tmp_path):
    network = NETWORKS["detector", "fp32"]
    entry = picture(224) * 2 - 1
    expected = by_openvino(tflite_files[network.member], entry, tmp_path)
    found = run(made(tflite_files, network), entry)[0]
    wanted = np.concatenate([expected[name].ravel() for name in network.outputs])
    assert wanted[-2254:].max() > 1  # logits: somebody is there
    assert np.abs(found - wanted).max() < 5e-3


def test_the_files_are_valid_and_the_batch_is_free(tflite_files):
    for kind, precision in NETWORKS:
        model = made(tflite_files, NETWORKS[kind, precision])
        onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
        side = 256 if kind == "landmarks" else 224
        pictures = np.concatenate([picture(side), picture(side)[:, :, ::-1], picture(side)])
        together = run(model, pictures)
        assert together.dtype == np.float32
        for one, alone in zip(together, pictures, strict=True):
            assert np.abs(one - run(model, alone[None])[0]).max() < (1e-2 if precision == "fp32" else 0.5)


def test_what_only_other_outputs_need_is_left_out(tflite_files):
    network = NETWORKS["landmarks", "fp32"]
    whole = convert(tflite_files[network.member], (*network.outputs, "Identity_2"))
    kinds = [node.op_type for node in onnx.load_from_string(made(tflite_files, network)).graph.node]
    assert kinds.count("Conv") == 83
    assert kinds.count("Conv") < [node.op_type for node in onnx.load_from_string(whole).graph.node].count("Conv")


def test_half_precision_is_near(tflite_files):
    full, half = (made(tflite_files, NETWORKS["landmarks", precision]) for precision in ("fp32", "fp16"))
    assert len(half) < 0.51 * len(full)
    apart = np.abs(run(full, picture(256))[0] - run(half, picture(256))[0])
    assert 0 < apart[:195].max() < 0.5 and apart[196:313].max() < 2e-3


def test_an_unknown_operator_is_refused_by_name(tflite_files):
    """A pooling operator is turned into another one, in place."""
    network = NETWORKS["landmarks", "fp32"]
    model = bytearray(tflite_files[network.member])
    parsed = tflite.Model.GetRootAsModel(model, 0)
    codes = [parsed.OperatorCodes(i) for i in range(parsed.OperatorCodesLength())]
    pool = next(code for code in codes if code.DeprecatedBuiltinCode() == tflite.BuiltinOperator.MAX_POOL_2D)
    for slot in (4, 10):  # deprecated and present number of an operator
        offset = pool._tab.Offset(slot)
        if offset:
            model[pool._tab.Pos + offset] = tflite.BuiltinOperator.L2_POOL_2D
    with pytest.raises(UsageError, match="TFLite operator L2_POOL_2D cannot be converted; allowed: PAD, CONV_2D"):
        convert(bytes(model), network.outputs)


def test_an_unknown_output_is_refused(tflite_files):
    with pytest.raises(UsageError, match="no output Identity_9; allowed: Identity, Identity_1"):
        convert(tflite_files["pose_detector.tflite"], ("Identity_9",))
