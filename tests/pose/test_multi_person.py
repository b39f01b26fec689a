"""Several people in one picture, through the real MediaPipe and through its networks on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_app.camera import open_source
from edge_app.pose.body import describe
from edge_app.pose.choose import ChosenPose
from edge_app.pose.figure import draw_figure
from edge_app.pose.mediapipe import PoseBackend, PoseEstimator
from edge_app.pose.multi_person import PeopleEstimator
from edge_app.track import MotionTracker
from edge_app.types import Frame, Pose

BEAM = Path(__file__).parents[2] / "../shared/videos/beam_two_people_cam2.mp4"
EMPTY = np.full((480, 1280, 3), 190, np.uint8)
PAIR = np.hstack([draw_figure(), draw_figure()])
LEFT, RIGHT = (320, 180), (960, 180)


@pytest.fixture(scope="module", params=["mediapipe", "runtime"])
def several(request: pytest.FixtureRequest, runtime_pose: ChosenPose) -> Callable[[int], PoseBackend]:
    """Makes a backend for so many people."""
    return PeopleEstimator if request.param == "mediapipe" else runtime_pose.several


@pytest.fixture(scope="module")
def estimator(several: Callable[[int], PoseBackend]) -> Iterator[PoseBackend]:
    with several(3) as estimator:
        yield estimator


def watch(estimator: PoseBackend, image: np.ndarray, frames: int, start: int = 0) -> tuple[Pose, ...]:
    """The poses of the last of so many equal frames at ten a second."""
    for index in range(start, start + frames):
        poses = estimator.estimate(Frame("cam", index, index * 100_000_000, image))
        assert (poses.camera, poses.index, poses.t_ns) == ("cam", index, index * 100_000_000)
    return poses.poses


def near(poses: tuple[Pose, ...], *places: tuple[int, int]) -> bool:
    """Whether there is a pose at each of the places and no other; `places` from left to right."""
    centres = sorted(tuple(describe(pose, 0).centre) for pose in poses)
    return len(centres) == len(places) and np.allclose(centres, np.reshape(places, (-1, 2)), atol=30)


def test_two_are_found_and_followed_and_one_leaves(estimator: PoseBackend) -> None:
    estimator.reset()
    poses = watch(estimator, PAIR, 20)
    assert near(poses, LEFT, RIGHT)
    for pose in poses:
        assert pose.size == (1280, 480)
        assert pose.world[0, 1] > pose.world[11, 1] > 0 > pose.world[27, 1]  # nose, shoulder, ankle: y is up
    alone = np.hstack([EMPTY[:, :640], draw_figure()])
    assert near(watch(estimator, alone, 5, start=20), RIGHT)
    assert watch(estimator, EMPTY, 3, start=25) == ()
    assert near(watch(estimator, PAIR, 40, start=28), LEFT, RIGHT)


def test_who_walks_is_followed_beyond_where_he_was_found(estimator: PoseBackend) -> None:
    estimator.reset()
    small = cv2.resize(draw_figure(), (320, 240), interpolation=cv2.INTER_AREA)
    tracker, ids = MotionTracker(), []
    for index in range(40):
        image = EMPTY.copy()
        left = 20 * index
        image[150:390, left : left + 320] = small
        poses = estimator.estimate(Frame("cam", index, index * 66_000_000, image))
        ids += [track.id for track in tracker.update(poses)]
    assert set(ids) == {1} and len(ids) >= 35


def test_somebody_small_is_found_whom_mediapipe_alone_does_not_see(estimator: PoseBackend) -> None:
    estimator.reset()
    image = EMPTY.copy()
    image[200:296, 1000:1128] = cv2.resize(draw_figure(), (128, 96), interpolation=cv2.INTER_AREA)
    with PoseEstimator(max_people=2) as alone:
        assert alone.estimate(Frame("cam", 0, 0, image)).poses == ()
    assert near(watch(estimator, image, 80), (1064, 236))


def test_never_more_than_asked_for(several: Callable[[int], PoseBackend]) -> None:
    with several(2) as two:
        three = np.hstack([draw_figure()[:, 100:540]] * 3)
        assert len(watch(two, three, 30)) == 2


def test_reset_forgets_the_frames_before(estimator: PoseBackend) -> None:
    estimator.reset()
    first = [watch(estimator, PAIR, 1, start=index) for index in range(6)]
    estimator.reset()
    again = [watch(estimator, PAIR, 1, start=index) for index in range(6)]
    for one, other in zip(first, again, strict=True):
        assert len(one) == len(other)
        assert all(np.array_equal(a.image, b.image) for a, b in zip(one, other, strict=True))


def test_several_sizes_and_bad_stamps_in_one_stream(estimator: PoseBackend) -> None:
    estimator.reset()
    images = [PAIR, PAIR[:, :640], np.zeros((17, 33, 3), np.uint8), np.zeros((1, 1, 3), np.uint8), PAIR]
    for index, (image, t_ns) in enumerate(zip(images, [0, 10**12, -5, 10**12, 3], strict=True)):
        poses = estimator.estimate(Frame("cam", index, t_ns, image))
        assert poses.t_ns == t_ns and all(pose.size == image.shape[1::-1] for pose in poses.poses)


@pytest.fixture(scope="module")
def beam() -> tuple[list[Frame], int]:
    """Frames of two real people, and how many MediaPipe alone finds in them."""
    if not BEAM.is_file():
        pytest.skip("the shared folder with test videos is not beside the checkout")
    with open_source(str(BEAM), realtime=False) as source, PoseEstimator(max_people=3) as alone:
        frames = [source.read() for _ in range(60)]
        return frames, sum(len(alone.estimate(frame).poses) for frame in frames)


@pytest.mark.shared
@pytest.mark.slow
def test_more_real_people_are_found_than_mediapipe_finds(
    estimator: PoseBackend, beam: tuple[list[Frame], int]
) -> None:  # fmt: skip
    frames, theirs = beam
    estimator.reset()
    ours = sum(len(estimator.estimate(frame).poses) for frame in frames)
    assert ours > 1.2 * theirs
