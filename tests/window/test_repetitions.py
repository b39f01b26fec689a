from __future__ import annotations

import numpy as np
import pytest

from edge_app.types import Window
from edge_app.window.repetitions import RepetitionCounter
from edge_app.window.skeleton import CORE15, WindowSpec

SPEC = WindowSpec(2.0, 16.0, CORE15)
JOINT = {name: index for index, name in enumerate(CORE15.joints)}
STRIDE_NS = 100_000_000


def standing(times: np.ndarray) -> np.ndarray:
    """Somebody who stands, as float64 `[T, J, 3]`; nobody stands quite still."""
    heights = {"pelvis": 1.0, "neck": 1.5, "head": 1.7, "shoulder": 1.45, "elbow": 1.2, "wrist": 0.95, "hip": 1.0,
               "knee": 0.5, "ankle": 0.1}  # fmt: skip
    rest = np.zeros((len(CORE15.joints), 3))
    for name, index in JOINT.items():
        side = {"left": -0.2, "right": 0.2}.get(name.partition("_")[0], 0.0)
        rest[index] = side, heights[name.partition("_")[2] or name], 0.0
    sway = 0.004 * np.sin(2 * np.pi * times[:, None, None] / (4.7 + 0.3 * np.arange(len(rest)))[:, None])
    return rest + sway


def counted(joints_at, seconds: float, start_s: float = 0.0, step_ns: int = STRIDE_NS) -> list:
    """What the counter says of each window of a motion, `joints_at(times)`, in which an action begins at `start_s`."""
    counter, said = RepetitionCounter(SPEC), []
    counter.start(round(start_s * 1e9))
    for t_ns in range(2_000_000_000, round(seconds * 1e9), step_ns):
        times = t_ns / 1e9 - np.arange(SPEC.length - 1, -1, -1) / SPEC.rate_hz
        joints = joints_at(times)
        joints = joints - joints[0, 0]  # as a window's origin moves with it
        seen = np.ones((*joints.shape[:2], 1))
        window = Window("cam", 1, t_ns, np.float32(np.concatenate([joints, seen], axis=2)), seen[:, 0, 0] > 0, 30, 1, 1)
        counter.push(window)
        if t_ns >= start_s * 1e9:
            said.append(counter.count())
    return said


def lifting(period_s: float, until_s: float, from_s: float = 0.0, wrists: tuple[str, ...] = ("right_wrist",)):
    """Lifts wrists by 0.5 m and lowers them, the second half a period after the first, and else stands."""

    def joints_at(times: np.ndarray) -> np.ndarray:
        joints = standing(times)
        for number, wrist in enumerate(wrists):
            phase = (times - from_s) / period_s - 0.5 * number
            lift = 0.25 - 0.25 * np.cos(2 * np.pi * phase)
            joints[:, JOINT[wrist], 1] += np.where((phase > 0) & (times < until_s), lift, 0.0)
        return joints

    return joints_at


@pytest.mark.parametrize(("period_s", "count"), [(0.4, 100), (0.7, 100), (1.5, 40), (3.5, 20), (5.0, 12)])
def test_every_repetition_counts_once_however_long_it_goes_on(period_s, count):
    seconds = period_s * count
    said = counted(lifting(period_s, seconds + 2.0, from_s=2.0), seconds + 5.0)
    counts = [each.count for each in said]
    assert counts[-1] == count
    assert counts == sorted(counts)
    cadences = [each.cadence_hz for each in said if each.cadence_hz]
    assert np.median(cadences) == pytest.approx(1 / period_s, rel=0.05)


def test_what_was_before_the_start_does_not_count():
    assert counted(lifting(1.0, 20.0), 22.0, start_s=10.0)[-1].count == 10


def test_left_and_right_by_turns_count_each():
    by_turns = lifting(1.0, 20.0, wrists=("right_wrist", "left_wrist"))
    assert counted(by_turns, 22.0)[-1].count == pytest.approx(40, abs=1)


def test_slow_turns_of_left_and_right_count_though_no_whole_period_is_seen():
    by_turns = lifting(9.0, 29.0, from_s=2.0, wrists=("right_wrist", "left_wrist"))
    said = counted(by_turns, 31.0)
    assert said[-1].count == pytest.approx(6, abs=1)
    assert np.median([each.cadence_hz for each in said if each.cadence_hz]) == pytest.approx(2 / 9.0, rel=0.1)


def test_one_repetition_after_the_start_counts_where_others_went_before():
    assert counted(lifting(3.0, 21.0), 23.0, start_s=18.0)[-1].count == 1


def test_it_rests_and_goes_on():
    def joints_at(times):
        first, second = lifting(1.0, 8.0, from_s=2.0)(times), lifting(1.0, 18.0, from_s=12.0)(times)
        return first + second - standing(times)

    said = counted(joints_at, 20.0)
    assert said[-1].count == 12
    assert None in [each.cadence_hz for each in said if each.count == 6]


@pytest.mark.parametrize("motion", ["still", "once", "wandering"])
def test_nothing_is_counted_where_nothing_is_repeated(motion):
    steps = np.cumsum(np.random.default_rng(1).normal(0, 0.02, (400, len(JOINT), 3)), axis=0)

    def wandering(times):
        at = np.clip((times * SPEC.rate_hz).astype(int), 0, 399)
        return standing(times) + steps[at]

    joints_at = {"still": standing, "once": lifting(2.0, 6.0, from_s=4.0), "wandering": wandering}[motion]
    assert all(each.count == 0 for each in counted(joints_at, 20.0))


def test_windows_at_any_pace_give_the_same_count():
    motion = lifting(0.8, 18.0, from_s=2.0)
    counts = {counted(motion, 20.0, step_ns=step)[-1].count for step in (50_000_000, 100_000_000, 333_333_333)}
    assert counts == {20}


def test_a_gap_is_not_bridged_and_what_was_counted_stays():
    counter = RepetitionCounter(SPEC)
    times = np.arange(SPEC.length) / SPEC.rate_hz
    for t_s in [*np.arange(2.0, 10.0, 0.1), *np.arange(60.0, 68.0, 0.1)]:
        joints = np.concatenate([lifting(1.0, 99.0)(times - times[-1] + t_s), np.ones((32, 15, 1))], axis=2)
        counter.push(Window("cam", 1, round(t_s * 1e9), np.float32(joints), np.ones(32, bool), 30, 1, 1))
        if t_s < 60 and t_s > 9.8:
            before = counter.count().count
        counter.count()
    assert 8 <= before <= 10
    assert before + 8 <= counter.count().count <= before + 10
