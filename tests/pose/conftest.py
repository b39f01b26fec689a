"""The real pose model and its networks, made once."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from edge_app.bundles.user_folders import cache_folder
from edge_app.pose.choose import ChosenPose, choose_pose
from edge_app.pose.model_file import ENVIRONMENT, MODELS, _problem, ensure_pose_model


@pytest.fixture(scope="session")
def pose_model() -> Path:
    if not os.environ.get(ENVIRONMENT) and _problem(cache_folder("models") / MODELS["full"].file, MODELS["full"]):
        pytest.skip("the pose model is not in the cache: python -m edge_app.pose.model_file")
    return ensure_pose_model()


@pytest.fixture(scope="session")
def tflite_files(pose_model: Path) -> dict[str, bytes]:
    """The two TFLite files by name."""
    with zipfile.ZipFile(pose_model) as task:
        return {name: task.read(name) for name in task.namelist()}


@pytest.fixture(scope="session")
def runtime_pose(pose_model: Path) -> ChosenPose:
    """The networks on ONNX Runtime."""
    return choose_pose("onnxruntime")
