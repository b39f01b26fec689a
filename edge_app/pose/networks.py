"""The pose landmarker's two networks as ONNX files, made on this machine from the pose model and kept in the cache.

It takes a third of a second, once. `python -m export pose` writes them anywhere.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from edge_app.bundles.files import write_bytes
from edge_app.bundles.user_folders import cache_folder
from edge_app.errors import UsageError
from edge_app.pose.model_file import ensure_pose_model


@dataclass(frozen=True, slots=True)
class Network:
    """file: its name in the cache. member: a TFLite file inside the pose model. outputs: those of it that are used."""

    file: str
    sha256: str
    member: str
    outputs: tuple[str, ...]
    half: bool = False


_DETECTOR = ("pose_detector.tflite", ("Identity", "Identity_1"))  # boxes, scores
_LANDMARKS = (
    "pose_landmarks_detector.tflite",
    ("Identity", "Identity_1", "Identity_4", "Identity_3"),  # landmarks, presence, world landmarks, heatmaps
)
NETWORKS = {
    ("detector", "fp32"): Network(
        "pose_detector.onnx", "ed94e7b84a25cd435ebfcaded1d32102f5403c5d154c3c34ec3b2d44c15e99d3", *_DETECTOR
    ),
    ("landmarks", "fp32"): Network(
        "pose_landmarks.onnx", "ad3f1405c04a9fef99739996bc61cb194485a9f2e13701916ec9873af3026b90", *_LANDMARKS
    ),
    ("detector", "fp16"): Network(
        "pose_detector_fp16.onnx",
        "4a8b7157f67d9dff845935766249c445762b6b0c7dfa212a8f4b54682ba5636c",
        *_DETECTOR,
        half=True,
    ),
    ("landmarks", "fp16"): Network(
        "pose_landmarks_fp16.onnx",
        "38acf3b0c1648d4e46ddac238a50f0e3dc446495c97a9e9cf331da07087e57b9",
        *_LANDMARKS,
        half=True,
    ),
}
"""By what they do and their precision. The hashes are those of what `tflite_to_onnx` makes of the one pose model."""


def ensure_network(kind: str, precision: str = "fp32", folder: Path | None = None) -> Path:
    """The ONNX file of a network, which is made first if it is not here yet.

    Only a whole and right file ever stands in the cache, whoever else makes it at the same time.

    Args:
        kind: "detector" or "landmarks". precision: "fp32" or "fp16".
        folder: where it is kept; by default the cache of models.

    Raises:
        UsageError: the pose model cannot be had; the package `tflite` is missing; the file cannot be kept.
    """
    network = NETWORKS[kind, precision]
    path = (folder or cache_folder("models")) / network.file
    if not _is(path, network):
        write_bytes(path, _make(network))
    return path


def _make(network: Network) -> bytes:
    try:
        from edge_app.pose.tflite_to_onnx import convert
    except ImportError:
        raise UsageError("the package tflite is not installed; pip install tflite") from None
    with zipfile.ZipFile(ensure_pose_model()) as task:
        made = convert(task.read(network.member), network.outputs, half=network.half)
    if _digest(made) != network.sha256:
        raise UsageError(f"{network.file}: sha256 {_digest(made)} made, allowed is {network.sha256}")
    return made


def _is(path: Path, network: Network) -> bool:
    return path.is_file() and _digest(path.read_bytes()) == network.sha256


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
