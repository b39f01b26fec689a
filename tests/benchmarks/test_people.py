"""Matching of tracks with the people marked, and the marks themselves."""

import numpy as np

from benchmarks.people import PEOPLE, Result, match, read_truth, table
from edge_app.types import Pose, Track


def track(number: int, x: float, y: float) -> Track:
    image = np.full((33, 2), (x, y), np.float32)
    return Track(number, Pose(0, image, np.zeros((33, 3), np.float32), np.ones(33, np.float32), (640, 480)))


def test_the_nearest_are_matched_one_to_one_and_within_reach():
    marked = [("a", 100.0, 100.0, 30.0), ("b", 130.0, 100.0, 30.0), ("c", 400.0, 100.0, 30.0)]
    tracks = (track(7, 120, 100), track(8, 102, 100), track(9, 300, 100))
    assert match(tracks, marked) == {0: 8, 1: 7}
    assert match(tracks[:1], marked) == {1: 7}
    assert match((), marked) == {}


def test_every_clip_has_marks_and_a_row():
    truth = read_truth()
    assert set(truth) == set(PEOPLE)
    for clip, frames in truth.items():
        assert all(0 < len(people) <= PEOPLE[clip] for people in frames.values())
    row = table([Result("clip", "people", 2, 100, 6, 5, 0, 1, 3, 1.95, 39.3, 43.8)]).splitlines()[-1]
    assert row == "| clip | 2 | people | 5 of 6 (0.83) | 0 | 1 | 3 | 1.95 | 39.3 | 43.8 |"
