"""MediaPipe's networks on ONNX Runtime against MediaPipe itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.camera import open_source
from edge_app.pose.choose import ChosenPose
from edge_app.pose.figure import draw_figure
from edge_app.pose.mediapipe import PoseBackend, PoseEstimator
from edge_app.types import Frame, Pose

VIDEOS = Path(__file__).parents[2] / "../shared/videos"
CLIPS = ("sit_stand_arms.mp4", "ai_squat.mp4", "hard_vertical.mp4")


def frames(uri: str, count: int) -> list[Frame]:
    with open_source(uri, realtime=False) as source:
        return [frame for _ in range(count) if isinstance(frame := source.read(), Frame)]


def apart(one: Pose, other: Pose) -> tuple[float, float, float]:
    """Pixels of a picture 640 wide and metres of the median landmark; visibility of the worst."""
    return (
        float(np.median(np.linalg.norm(one.image - other.image, axis=1))) * 640 / one.size[0],
        float(np.median(np.linalg.norm(one.world - other.world, axis=1))),
        float(np.abs(one.visibility - other.visibility).max()),
    )


def equal(reference: PoseBackend, backend: PoseBackend, shown: list[Frame]) -> None:
    for frame in shown:
        expected, found = reference.estimate(frame), backend.estimate(frame)
        assert (found.camera, found.index, found.t_ns) == (expected.camera, expected.index, expected.t_ns)
        assert len(expected.poses) == len(found.poses)
        for one, other in zip(expected.poses, found.poses, strict=True):
            pixels, metres, visibility = apart(one, other)
            assert pixels < 0.1 and metres < 1e-3 and visibility < 0.02
            assert one.size == other.size and other.image.dtype == other.world.dtype == np.float32


def test_every_frame_anew_is_as_mediapipe_sees_it(runtime_pose: ChosenPose):
    with PoseEstimator(video=False) as reference, runtime_pose.one(video=False) as backend:
        equal(reference, backend, frames("person://wave", 4))


@pytest.mark.parametrize("start_ns", [0, 12_345_000_000])
def test_the_frame_after_is_as_mediapipe_follows_and_smooths_it(runtime_pose: ChosenPose, start_ns: int):
    """From the third frame on, MediaPipe strays from itself as well: `python -m export parity --pose`."""
    with PoseEstimator() as reference, runtime_pose.one() as backend:
        for first in (draw_figure(), np.roll(draw_figure(), 40, axis=1)):
            reference.reset()
            backend.reset()
            second = np.roll(first, 12, axis=1)
            pair = [Frame("cam", i, start_ns + 33_000_000 * i, image) for i, image in enumerate((first, second))]
            equal(reference, backend, pair)


@pytest.mark.shared
@pytest.mark.parametrize("clip", CLIPS)
def test_real_people_are_as_mediapipe_sees_them(runtime_pose: ChosenPose, clip: str):
    if not (VIDEOS / clip).is_file():
        pytest.skip("the shared folder with test videos is not beside the checkout")
    shown = frames(str(VIDEOS / clip), 20)[::4]
    with PoseEstimator(video=False) as reference, runtime_pose.one(video=False) as backend:
        equal(reference, backend, shown)
        assert any(backend.estimate(frame).poses for frame in shown)


@pytest.mark.shared
def test_of_two_who_overlap_the_one_that_mediapipe_takes(runtime_pose: ChosenPose):
    """In this picture video mode takes the less sure one, and a picture by itself the surer."""
    clip = VIDEOS / "people_aisle.mp4"
    if not clip.is_file():
        pytest.skip("the shared folder with test videos is not beside the checkout")
    shown = frames(str(clip), 1)
    found = []
    for video in (True, False):
        with PoseEstimator(video=video) as reference, runtime_pose.one(video=video) as backend:
            equal(reference, backend, shown)
            backend.reset()
            found.append(backend.estimate(shown[0]).poses[0])
    assert apart(*found)[0] > 20


def test_who_is_lost_is_found_anew_and_reset_forgets(runtime_pose: ChosenPose):
    shown = frames("person://wave", 8)
    with runtime_pose.one() as backend:
        first = [backend.estimate(frame).poses for frame in shown]
        assert all(len(poses) == 1 for poses in first)
        assert backend.estimate(Frame("cam", 8, 10**9, np.full_like(shown[0].image, 190))).poses == ()
        elsewhere = np.roll(shown[0].image, 180, axis=1)
        (found,) = backend.estimate(Frame("cam", 9, 2 * 10**9, elsewhere)).poses
        assert np.allclose(found.image[0] - first[0][0].image[0], (180, 0), atol=5)  # nothing of before is left
        backend.reset()
        again = [backend.estimate(frame).poses for frame in shown]
    for one, other in zip(first, again, strict=True):
        assert np.array_equal(one[0].image, other[0].image) and np.array_equal(one[0].world, other[0].world)


def test_pictures_of_any_size_and_bad_stamps(runtime_pose: ChosenPose):
    figure = draw_figure()
    images = [figure, np.zeros((1, 1, 3), np.uint8), np.zeros((17, 33, 3), np.uint8), figure[:, 100:], figure]
    with runtime_pose.one() as backend:
        for index, (image, t_ns) in enumerate(zip(images, [0, 10**12, -5, 10**12, 3], strict=True)):
            poses = backend.estimate(Frame("cam", index, t_ns, image))
            assert poses.t_ns == t_ns
            for pose in poses.poses:
                assert pose.size == image.shape[1::-1]
                assert all(np.isfinite(part).all() for part in (pose.image, pose.world, pose.visibility))
