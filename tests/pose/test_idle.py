"""Frames spared while nobody is there, with the real MediaPipe: what is looked at is what is timed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest

from edge_app.app.metrics import StageTimes
from edge_app.bundles.user_folders import cache_folder
from edge_app.pose.figure import draw_figure
from edge_app.pose.idle import PoseStage
from edge_app.pose.model_file import ENVIRONMENT, MODELS, _problem
from edge_app.types import Frame, Poses

EMPTY, PERSON = np.full((120, 160, 3), 128, np.uint8), draw_figure()
Watch = Callable[[np.ndarray, float, float], list[tuple[bool, Poses]]]


def watched(people: int) -> Iterator[Watch]:
    """Shows one picture from one second to another, at 30 frames a second with stamps that jitter."""
    if not os.environ.get(ENVIRONMENT) and _problem(cache_folder("models") / MODELS["full"].file, MODELS["full"]):
        pytest.skip("the pose model is not in the cache: python -m edge_app.pose.model_file")
    times = StageTimes()

    def watch(picture: np.ndarray, start_s: float, end_s: float) -> list[tuple[bool, Poses]]:
        """Of each frame: whether it was looked at, and what came out."""
        found = []
        for index in range(round(start_s * 30), round(end_s * 30)):
            t_ns = round(index * 1e9 / 30) + (-4_000_000, 0, 3_000_000)[index % 3]
            poses = stage.estimate(Frame("cam", index, t_ns, picture))
            assert poses is not None and (poses.camera, poses.index, poses.t_ns) == ("cam", index, t_ns)
            found.append((bool(times.take()), poses))
        return found

    with PoseStage("camera://0", people, times.measure) as stage:
        watch.stage = stage  # type: ignore[attr-defined]
        yield watch


@pytest.fixture(scope="module")
def stage_of_one() -> Iterator[Watch]:
    yield from watched(1)


@pytest.fixture(scope="module")
def stage_of_several() -> Iterator[Watch]:
    yield from watched(2)


@pytest.fixture
def one(stage_of_one: Watch) -> Watch:
    stage_of_one.stage.reset()
    return stage_of_one


@pytest.fixture
def several(stage_of_several: Watch) -> Watch:
    stage_of_several.stage.reset()
    return stage_of_several


def looks(frames: list[tuple[bool, Poses]]) -> int:
    return sum(looked for looked, _ in frames)


def test_an_empty_scene_is_looked_at_ten_times_a_second(one):
    assert looks(one(EMPTY, 0, 1)) == 30
    found = one(EMPTY, 1.1, 3.1)
    assert 19 <= looks(found) <= 21
    assert all(not poses.poses for _, poses in found)


def test_who_comes_is_found_at_the_next_look_and_seen_in_every_frame_from_then_on(one):
    one(EMPTY, 0, 2)
    found = one(PERSON, 2, 3)
    first = next(i for i, (_, poses) in enumerate(found) if poses.poses)
    assert first <= 2
    assert all(looked and len(poses.poses) == 1 for looked, poses in found[first:])
    left = one(EMPTY, 3, 5)  # who leaves is looked for in every frame for a second
    assert looks(left[:30]) == 30 and looks(left[32:]) <= 10


def test_after_a_reconnect_every_frame_is_looked_at_again(one):
    assert looks(one(EMPTY, 0, 2)) < 45
    one.stage.reset()
    assert looks(one(EMPTY, 2, 3)) == 30


def test_stamps_decide_and_nothing_else(one):
    first = [looked for looked, _ in one(EMPTY, 0, 2)]
    one.stage.reset()
    assert [looked for looked, _ in one(EMPTY, 100, 102)] == first


def test_the_search_for_several_people_sees_every_frame(several):
    assert looks(several(EMPTY, 0, 2)) == 60


def test_while_two_are_followed_every_second_frame_is_passed_over(several):
    figure = cv2.resize(draw_figure()[:, 107:533], (320, 360))
    two = np.concatenate([figure, figure], axis=1)
    start_ns = 0
    for fps, every in ((30, 2), (25, 1), (60, 4)):
        stamps = [start_ns + round(index * 1e9 / fps) for index in range(fps)]
        taken = [several.stage.estimate(Frame("cam", 0, t_ns, two)) for t_ns in stamps]
        seen = [poses for poses in taken[fps // 2 :] if poses is not None]
        assert len(seen) == pytest.approx(fps / 2 / every, abs=1)
        assert all(len(poses.poses) == 2 for poses in seen)
        start_ns = stamps[-1] + round(1e9 / fps)


def test_who_is_followed_alone_is_looked_at_where_a_decision_is_due_and_seldom_between(one):
    for fps, due_every, expected in ((30, 3, 20), (25, 5, 25), (60, 6, 20)):
        one.stage.reset()
        looked = []
        for index in range(2 * fps):
            due = index % due_every == 0
            poses = one.stage.estimate(Frame("cam", index, round(index * 1e9 / fps), PERSON), due)
            assert poses is not None or not due
            assert poses is None or len(poses.poses) == 1
            looked.append(poses is not None)
        assert sum(looked[fps:]) == pytest.approx(expected, abs=1)


def test_poses_of_recordings_and_other_machines_pass(tmp_path):
    times, poses = StageTimes(), Poses("cam", 3, 5, ())
    with PoseStage("pose://any.mcap", 1, times.measure) as stage:
        assert stage.estimate(poses) is poses and not times.take()
        stage.reset()
