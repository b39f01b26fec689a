"""Which pose backend serves, and what keeps one from it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge_app.errors import UsageError
from edge_app.pose import choose
from edge_app.pose.choose import ChosenPose, choose_pose, self_test
from edge_app.pose.figure import draw_figure
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.pose.people import PeopleLandmarker
from edge_app.types import Frame, Pose, Poses

FIGURE = Frame("self-test", 0, 0, draw_figure())


class Bent:
    """A backend that sees everything a little off."""

    def __init__(self, backend, **moved: float) -> None:
        self._backend, self._moved = backend, moved

    def estimate(self, frame: Frame) -> Poses:
        poses = self._backend.estimate(frame)
        return replace(poses, poses=tuple(self._bend(pose) for pose in poses.poses))

    def _bend(self, pose: Pose) -> Pose:
        return replace(pose, **{name: getattr(pose, name) + by for name, by in self._moved.items()})


def test_auto_takes_a_runtime_and_says_why(pose_model):
    chosen = choose_pose()
    assert chosen.provider in ("onnxruntime-cpu", "openvino-cpu") or chosen.provider.startswith("tensorrt")
    assert chosen.why.startswith(f"pose {chosen.provider}: ") and " ms to find a figure" in chosen.why
    with chosen.open(1) as one, chosen.open(3) as several:
        assert len(one.estimate(FIGURE).poses) == 1
        assert isinstance(several, PeopleLandmarker)


def test_mediapipe_can_be_asked_for(pose_model):
    chosen = choose_pose("mediapipe")
    assert chosen.provider.startswith("mediapipe-")
    with chosen.open(1) as one:
        assert type(one) is PoseEstimator


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="--pose fast: allowed are auto, mediapipe, onnxruntime, openvino, tensorrt"):
        choose_pose("fast")


def test_the_self_test_holds_for_mediapipe_and_the_networks(runtime_pose: ChosenPose):
    with PoseEstimator(video=False) as reference, runtime_pose.one(video=False) as ours:
        self_test(reference, FIGURE)
        self_test(ours, FIGURE)


@pytest.mark.parametrize("moved", [{"image": 0.6}, {"world": 0.006}, {"visibility": 0.03}, {"world": np.nan}])
def test_the_self_test_fails_where_landmarks_are_off(runtime_pose: ChosenPose, moved):
    with runtime_pose.one(video=False) as ours, pytest.raises(UsageError, match="the self-test fails: landmarks off"):
        self_test(Bent(ours, **moved), FIGURE)


def test_the_self_test_fails_where_nobody_is_found(runtime_pose: ChosenPose):
    empty = replace(FIGURE, image=np.zeros_like(FIGURE.image))
    with runtime_pose.one(video=False) as ours, pytest.raises(UsageError, match="0 people found in the figure"):
        self_test(ours, empty)


def test_a_runtime_that_fails_its_self_test_is_not_taken(pose_model, monkeypatch):
    """Networks of which nothing is right: MediaPipe serves, and the reason is told."""

    class Wrong(choose.PoseLandmarker):
        def estimate(self, frame: Frame) -> Poses:
            poses = super().estimate(frame)
            return replace(poses, poses=tuple(replace(pose, image=pose.image + 9) for pose in poses.poses))

    monkeypatch.setattr(choose, "PoseLandmarker", Wrong)
    chosen = choose_pose()
    assert chosen.provider.startswith("mediapipe-")
    assert "not used: onnxruntime (the self-test fails: landmarks off by " in chosen.why
    with pytest.raises(UsageError, match=r"--pose onnxruntime: cannot be used: onnxruntime \(the self-test fails"):
        choose_pose("onnxruntime")


def test_without_the_converter_mediapipe_serves(pose_model, monkeypatch):
    def missing(*_: object) -> None:
        raise UsageError("the package tflite is not installed; pip install tflite")

    monkeypatch.setattr(choose, "ensure_network", missing)
    chosen = choose_pose()
    assert chosen.provider.startswith("mediapipe-") and "the package tflite is not installed" in chosen.why
