from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edge_app.track import Tracker
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
