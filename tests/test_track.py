from __future__ import annotations

from itertools import permutations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.track import MotionTracker, Tracker, assign
from edge_app.types import Pose, Poses


def pose(x: float, y: float = 200.0, size: float = 100.0, t_ns: int = 0) -> Pose:
    """A person whose torso centre is (x, y) and whose torso is `size` pixels long."""
    image = np.full((33, 2), (x, y), np.float32)
    image[[11, 12]] += [[0.3 * size, -size / 2], [-0.3 * size, -size / 2]]
    image[[23, 24]] += [[0.2 * size, size / 2], [-0.2 * size, size / 2]]
    image[0] += (0, -size)
    image[[27, 28]] += (0, 1.5 * size)
    return Pose(t_ns, image, np.zeros((33, 3), np.float32), np.ones(33, np.float32), (640, 480))


def see(tracker: Tracker, seconds: float, *people: Pose) -> list[int]:
    tracks = tracker.update(Poses("cam", 0, round(seconds * 1e9), people))
    assert [track.pose for track in tracks] == list(people)
    return [track.id for track in tracks]


def test_one_person_keeps_the_id_while_walking() -> None:
    tracker = Tracker()
    assert {see(tracker, frame / 15, pose(50 + 20 * frame))[0] for frame in range(30)} == {1}


def test_a_short_gap_keeps_the_id_and_a_long_one_does_not() -> None:
    tracker = Tracker()
    assert see(tracker, 0, pose(100)) == [1]
    assert see(tracker, 0.5) == []
    assert see(tracker, 0.99, pose(120)) == [1]
    assert see(tracker, 1.99, pose(120)) == [2]


def test_a_jump_across_the_picture_is_somebody_else() -> None:
    tracker = Tracker()
    assert see(tracker, 0, pose(100, size=40)) == [1]
    assert see(tracker, 0.03, pose(600, size=40)) == [2]


def test_a_fall_is_the_same_person() -> None:
    """Boxes overlap though the torso is seen from its end."""
    tracker = Tracker()
    assert see(tracker, 0, pose(300, 200, 100)) == [1]
    assert see(tracker, 0.1, pose(330, 320, 30)) == [1]


def test_two_people_keep_their_ids_in_whatever_order_they_come() -> None:
    tracker = Tracker()
    assert see(tracker, 0, pose(100, size=50), pose(400, size=50)) == [1, 2]
    assert see(tracker, 0.1, pose(390, size=50), pose(110, size=50)) == [2, 1]
    assert see(tracker, 0.2, pose(385, size=50)) == [2]
    assert see(tracker, 0.3, pose(380, size=50), pose(120, size=50)) == [2, 1]


def test_the_nearest_wins_when_two_could_be_one() -> None:
    tracker = Tracker()
    assert see(tracker, 0, pose(200)) == [1]
    assert see(tracker, 0.1, pose(290), pose(210)) == [2, 1]


def test_ids_are_never_used_again_not_even_after_a_reset() -> None:
    tracker = Tracker()
    assert see(tracker, 0, pose(100)) == [1]
    tracker.reset()
    assert see(tracker, 0.03, pose(100)) == [2]


@given(st.lists(st.tuples(st.floats(0, 3), st.lists(st.floats(-1e4, 1e4), max_size=4)), max_size=20))
def test_ids_are_distinct_in_a_frame_and_an_id_gone_for_a_second_never_comes_back(frames) -> None:
    tracker, now, last_seen = Tracker(), 0.0, {}
    for step, xs in frames:
        now += step
        ids = see(tracker, now, *(pose(x) for x in xs))
        assert len(set(ids)) == len(ids) == len(xs)
        for i in ids:
            assert now - last_seen.get(i, now) < 1.001
            if i not in last_seen:
                assert i == max(last_seen, default=0) + 1
            last_seen[i] = now


def test_degenerate_poses_are_no_error() -> None:
    flat = Pose(0, np.zeros((33, 2), np.float32), np.zeros((33, 3), np.float32), np.zeros(33, np.float32), (1, 1))
    tracker = Tracker()
    assert see(tracker, 0, flat, flat) == [1, 2]
    assert sorted(see(tracker, 0.1, flat, flat)) == [1, 2]


def see_all(tracker: MotionTracker, seconds: float, *people: Pose) -> list[int]:
    """The id of each of the poses, in the order given."""
    tracks = tracker.update(Poses("cam", 0, round(seconds * 1e9), people))
    assert [track.id for track in tracks] == sorted(track.id for track in tracks)
    return [next(track.id for track in tracks if track.pose is one) for one in people]


@settings(deadline=None)
@given(st.lists(st.lists(st.floats(0, 100), min_size=5, max_size=5), min_size=1, max_size=4))
def test_the_assignment_costs_least(costs: list[list[float]]) -> None:
    table = np.array(costs)
    chosen = assign(table)
    assert len(set(chosen)) == len(chosen) == len(table)
    least = min(sum(table[row, column] for row, column in enumerate(way)) for way in permutations(range(5), len(table)))
    assert np.isclose(sum(table[row, column] for row, column in enumerate(chosen)), least)


@settings(deadline=None)
@given(
    speeds=st.tuples(st.floats(60, 250), st.floats(60, 250)),
    size=st.floats(40, 120),
    fps=st.sampled_from([10, 15, 30]),
    jitter=st.integers(0, 2**32 - 1),
    swapped=st.booleans(),
)
def test_two_who_cross_keep_their_ids(speeds, size, fps, jitter, swapped) -> None:
    """They walk towards and past each other at constant speed; landmarks jitter, and their order in a frame is any."""
    noise, tracker = np.random.default_rng(jitter), MotionTracker()
    meet_s = 500 / sum(speeds)
    for frame in range(int(2 * meet_s * fps)):
        a = pose(70 + speeds[0] * frame / fps + noise.normal(0, 1), size=size)
        b = pose(570 - speeds[1] * frame / fps + noise.normal(0, 1), size=size)
        both = [b, a] if swapped and frame else [a, b]
        ids = see_all(tracker, frame / fps, *both)
        if abs(a.image[11, 0] - b.image[11, 0]) > 0.3 * size:  # nearer, a frame may confuse them
            assert ids == ([2, 1] if swapped and frame else [1, 2])


@settings(deadline=None)
@given(speed=st.floats(50, 250), gap_s=st.floats(0.1, 0.8), size=st.floats(50, 120))
def test_a_short_occlusion_keeps_the_id_of_who_walks_on(speed, gap_s, size) -> None:
    tracker = MotionTracker()
    for frame in range(15):
        assert see_all(tracker, frame / 15, pose(50 + speed * frame / 15, size=size)) == [1]
    later = 14 / 15 + gap_s
    assert see_all(tracker, later, pose(50 + speed * later, size=size)) == [1]


def test_a_small_one_who_appears_beside_a_large_one_is_somebody_else() -> None:
    tracker = MotionTracker()
    assert see_all(tracker, 0, pose(300, size=100)) == [1]
    assert see_all(tracker, 0.1, pose(310, size=30), pose(302, size=100)) == [2, 1]


@given(st.lists(st.tuples(st.floats(0, 3), st.lists(st.floats(-1e4, 1e4), max_size=4)), max_size=20))
def test_ids_of_several_are_distinct_and_never_come_back(frames) -> None:
    tracker, now, last_seen = MotionTracker(), 0.0, {}
    for step, xs in frames:
        now += step
        ids = see_all(tracker, now, *(pose(x) for x in xs))
        assert len(set(ids)) == len(ids) == len(xs)
        for i in sorted(ids):
            assert now - last_seen.get(i, now) < 1.501
            if i not in last_seen:
                assert i == max(last_seen, default=0) + 1
            last_seen[i] = now
        if not xs:
            tracker.reset()
            assert see_all(tracker, now) == []
