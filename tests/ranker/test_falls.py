"""What of a window looks like a fall."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_app.ranker.falls import SEEN, UNSEEN, are_falls, fall_odds, fall_seen
from edge_app.ranker.labels.label import Label
from edge_app.types import Window
from edge_app.window.skeleton import CORE15, WindowSpec
from train.data.clips import Clip, clip_windows, read_set
from train.models.web_teacher import standing

SPEC = WindowSpec(2.0, 16.0, CORE15)
STANDING = standing().numpy()


def window(tilt: np.ndarray, sunk: np.ndarray, seen: float = 1.0) -> Window:
    """Somebody who is tilted about the ankles by so many degrees and lowered by so many metres in each sample."""
    joints = np.full((SPEC.length, 15, 4), seen, np.float32)
    feet = STANDING[11] * [0, 1, 0]
    for i, (angle, down) in enumerate(zip(np.radians(tilt), sunk, strict=True)):
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
        joints[i, :, :3] = (STANDING - feet) @ turn.T + feet - [0, down, 0]
    return Window("c", 1, 2_000_000_000, joints, np.ones(SPEC.length, bool), 30.0, 1.0, 1.0)


def going(start: float, end: float, seconds: float) -> np.ndarray:
    """From 0.5 s on, in so many seconds."""
    t = np.arange(SPEC.length) / SPEC.rate_hz
    return start + (end - start) * np.clip((t - 0.5) / seconds, 0, 1)


FALLS = {
    "falling to the floor": "floor", "falling onto a bed": "bed", "walking to dying": "animated",
    "dying backwards": "animated", "sweep fall": "animated",
}  # fmt: skip
STILL = np.zeros(SPEC.length)


def test_falling_is_seen_and_what_is_slow_upright_or_still_is_not():
    assert fall_seen(window(going(0, 90, 0.5), STILL), SPEC) > 0.9
    assert fall_seen(window(going(0, 90, 4.0), STILL), SPEC) == 0, "lying down takes longer"
    assert fall_seen(window(STILL, going(0, 0.45, 0.4)), SPEC) == 0, "who sits down stays upright"
    assert fall_seen(window(STILL + 90, STILL), SPEC) == 0, "who lies does not fall"
    assert fall_seen(window(going(90, 0, 0.5), STILL), SPEC) == 0, "who gets up does not fall"
    assert fall_seen(window(going(0, 90, 0.5), STILL, seen=0.2), SPEC) == 0, "nobody is seen"


def test_who_has_just_appeared_does_not_fall():
    falling = window(going(0, 90, 0.5), STILL)
    falling.valid[:6] = False
    assert fall_seen(falling, SPEC) > 0.9
    falling.valid[:12] = False
    assert fall_seen(falling, SPEC) == 0
    assert fall_odds(falling, SPEC) == -SEEN, "less likely than of somebody who stands"


def test_odds_rise_with_a_fall_and_sink_without():
    assert fall_odds(window(going(0, 90, 0.5), STILL), SPEC) > 0.8 * SEEN
    assert fall_odds(window(STILL, STILL), SPEC) == -UNSEEN


@pytest.mark.parametrize(
    ("name", "is_one"), [("fall down", True), ("Falling", True), ("caerse", True), ("sit down", False), ("xyz", False)]
)
def test_which_labels_mean_a_fall(name, is_one):
    assert are_falls([Label(name)]).tolist() == [is_one]


def seen(clip: Clip) -> bool:
    """Whether any window of a clip, a quarter of a second apart, looks more like a fall than not."""
    later = replace(clip, joints=clip.joints[round(clip.fps / 4) :])
    return any(
        fall_seen(w, SPEC) > 0.5 for each in (clip, later) if len(each.joints) > 3 for w in clip_windows(each, SPEC)
    )


@pytest.mark.shared
@pytest.mark.slow
def test_falls_and_other_motions_of_sets_on_which_the_rule_was_not_made():
    """The figures of train/EXPERIMENTS.md, section 34."""
    data = Path(__file__).parents[2] / "../shared/data"
    if not data.is_dir():
        pytest.skip("the developers' shared folder is not beside the checkout")
    answers: dict[str, list[bool]] = {"floor": [], "bed": [], "animated": [], "other": []}
    for name in ("realsense_falls", "mixamo_dev", "florence3d", "utkinect", "kard"):
        for clip in read_set(data / f"{name}.npz"):
            kind = "animated" if "death" in clip.name else FALLS.get(clip.name, "other")
            if kind != "other" or name != "mixamo_dev":
                answers[kind].append(seen(clip))
    assert {kind: (sum(own), len(own)) for kind, own in answers.items()} == {
        "floor": (8, 10), "bed": (2, 10), "animated": (14, 14), "other": (0, 1044)
    }  # fmt: skip
