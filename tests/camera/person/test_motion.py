"""How the drawn person moves: by what a body can do, and by what each action is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.camera.person import (
    ACTIONS,
    BONES,
    INDEX,
    Body,
    Style,
    core15,
    perform,
)
from edge_app.camera.person.kinematics import LIMITS, arm_rotations, reach
from edge_app.camera.person.motion import Phrase, Timeline
from edge_app.window.skeleton import CORE15

PAIRS = [(INDEX[name], INDEX["l_" + name[2:]]) for name in INDEX if name.startswith("r_")]
SOLES = [INDEX[f"{side}_{name}"] for side in "rl" for name in ("heel", "toe")]
LEAVES_THE_FLOOR = {"jump", "jumping jack", "hop on one leg", "run in place"}
LIES = {"fall down", "fall forward", "fall backward", "fall sideways", "push up"}

actions = st.sampled_from(sorted(ACTIONS))
seeds = st.integers(0, 10_000)


def at(joints: np.ndarray, name: str) -> np.ndarray:
    return joints[:, INDEX[name]]


def y(joints: np.ndarray, name: str) -> np.ndarray:
    return at(joints, name)[:, 1]


def act(action: str, seed: int, fps: float = 15) -> np.ndarray:
    return perform(action, 4.0, fps, style=Style.random(seed), body=Body.random(seed))


def bend(joints: np.ndarray, a: str, b: str, c: str) -> np.ndarray:
    """Flexion at b in degrees: 0 is straight."""
    first, second = at(joints, b) - at(joints, a), at(joints, c) - at(joints, b)
    cosine = (first * second).sum(1) / np.linalg.norm(first, axis=1) / np.linalg.norm(second, axis=1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_there_are_many_actions_with_plain_labels() -> None:
    assert len(ACTIONS) >= 40
    assert all(name == name.strip().lower() and name.replace(" ", "").isalpha() for name in ACTIONS)


@given(actions, seeds)
@settings(max_examples=25, deadline=None)
def test_same_style_same_motion(action: str, seed: int) -> None:
    assert np.array_equal(act(action, seed), act(action, seed))


@pytest.mark.parametrize("action", ["wave", "bow", "fall down", "stand"])
def test_seeds_differ(action: str) -> None:
    assert np.abs(act(action, 1) - act(action, 2)).max() > 0.02


@given(actions, seeds)
@settings(max_examples=60, deadline=None)
def test_bones_keep_their_length(action: str, seed: int) -> None:
    joints = act(action, seed)
    assert np.isfinite(joints).all()
    for a, b in BONES:
        length = np.linalg.norm(at(joints, a) - at(joints, b), axis=1)
        assert np.ptp(length) < 1e-6, (a, b)


@given(actions, seeds)
@settings(max_examples=60, deadline=None)
def test_elbows_and_knees_bend_as_they_can(action: str, seed: int) -> None:
    joints = act(action, seed)
    for s in "rl":
        assert bend(joints, f"{s}_shoulder", f"{s}_elbow", f"{s}_wrist").max() <= LIMITS["elbow"][1] + 0.1
        assert bend(joints, f"{s}_hip", f"{s}_knee", f"{s}_ankle").max() <= LIMITS["knee"][1] + 0.1
        # The knee is in front of the line from hip to ankle, as the foot points, or on it.
        line = at(joints, f"{s}_ankle") - at(joints, f"{s}_hip")
        line /= np.linalg.norm(line, axis=1, keepdims=True)
        knee = at(joints, f"{s}_knee") - at(joints, f"{s}_hip")
        knee -= (knee * line).sum(1, keepdims=True) * line
        foot = at(joints, f"{s}_toe") - at(joints, f"{s}_heel")
        bent = np.linalg.norm(knee, axis=1) > 0.03
        assert ((knee * foot).sum(1)[bent] > 0).all()


@given(actions, seeds)
@settings(max_examples=60, deadline=None)
def test_nothing_is_below_the_floor_and_somebody_stands_on_it(action: str, seed: int) -> None:
    joints = act(action, seed)
    assert joints[:, SOLES, 1].min() > -1e-6
    assert joints[..., 1].min() > -0.07  # a fingertip may sink into the carpet
    if action not in LEAVES_THE_FLOOR | LIES:
        assert joints[:, SOLES, 1].min(axis=1).max() < 0.01


@given(actions, seeds)
@settings(max_examples=40, deadline=None)
def test_left_is_the_mirror_of_right(action: str, seed: int) -> None:
    right = perform(action, 3.0, 10, style=Style(seed, side="right"))
    left = perform(action, 3.0, 10, style=Style(seed, side="left"))
    swapped = right.copy()
    for a, b in PAIRS:
        swapped[:, [a, b]] = right[:, [b, a]]
    assert np.allclose(swapped * [-1, 1, 1], left, atol=1e-9)


@given(actions, seeds)
@settings(max_examples=40, deadline=None)
def test_motion_is_smooth(action: str, seed: int) -> None:
    joints = perform(action, 4.0, 60, style=Style(seed), body=Body.random(seed))
    speed = np.linalg.norm(np.diff(core15(joints).astype(float), axis=0), axis=2) * 60
    assert speed.max() < 16.0  # metres a second; the hand of a quick throw is near 12


@pytest.mark.parametrize("action", ["wave", "clap", "bow", "squat", "drink", "sit down", "raise both hands", "nod"])
@pytest.mark.parametrize("seed", range(3))
def test_feet_stay_where_they_stand(action: str, seed: int) -> None:
    joints = perform(action, 4.0, 30, style=Style(seed), body=Body.random(seed))
    for side in "rl":
        ground = at(joints, f"{side}_heel")[:, [0, 2]]
        assert np.linalg.norm(ground - np.median(ground, axis=0), axis=1).max() < 0.08


@pytest.mark.parametrize("seed", range(6))
class TestEachActionIsWhatItSays:
    def test_wave(self, seed: int) -> None:
        joints = perform("wave", 4, 30, style=Style(seed))
        up = y(joints, "r_wrist") > y(joints, "r_shoulder")
        assert up.mean() > 0.5
        aside = at(joints, "r_wrist")[up, 0] - at(joints, "r_elbow")[up, 0]
        assert (np.diff(np.sign(np.diff(aside))) != 0).sum() >= 6  # it swings to and fro
        assert (y(joints, "l_wrist") < y(joints, "l_shoulder") - 0.3).all()

    def test_clap(self, seed: int) -> None:
        joints = perform("clap", 4, 30, style=Style(seed))
        gap = np.linalg.norm(at(joints, "r_index") - at(joints, "l_index"), axis=1)
        assert gap.min() < 0.1
        assert ((gap[1:-1] < gap[:-2]) & (gap[1:-1] <= gap[2:]) & (gap[1:-1] < 0.15)).sum() >= 3

    def test_raise_both_hands(self, seed: int) -> None:
        joints = perform("raise both hands", 4, 30, style=Style(seed))
        assert ((y(joints, "r_wrist") > y(joints, "crown")) & (y(joints, "l_wrist") > y(joints, "crown"))).mean() > 0.4

    def test_punch(self, seed: int) -> None:
        joints = perform("punch", 4, 30, style=Style(seed))
        forward = -(at(joints, "r_wrist") - at(joints, "r_shoulder"))[:, 2]
        assert forward.max() > 0.38 and bend(joints, "r_shoulder", "r_elbow", "r_wrist").max() > 90

    @pytest.mark.parametrize("action", ["kick", "kick sideways"])
    def test_kick(self, seed: int, action: str) -> None:
        joints = perform(action, 4, 30, style=Style(seed))
        away = at(joints, "r_ankle") - at(joints, "r_hip")
        assert y(joints, "r_ankle").max() > 0.4 and y(joints, "l_heel").max() < 0.06
        assert (away[:, 0] if action == "kick sideways" else -away[:, 2]).max() > 0.45

    def test_jump(self, seed: int) -> None:
        joints = perform("jump", 4, 60, style=Style(seed))
        assert joints[:, SOLES, 1].min(axis=1).max() > 0.1

    def test_squat(self, seed: int) -> None:
        joints = perform("squat", 4, 30, style=Style(seed))
        drop = y(joints, "pelvis").max() - y(joints, "pelvis").min()
        assert drop > 0.25
        low = joints[y(joints, "pelvis").argmin()]
        support = low[SOLES][:, 2]
        centre = 0.6 * low[[INDEX["pelvis"], INDEX["neck"]]].mean(0) + 0.4 * low[
            [INDEX["r_knee"], INDEX["l_knee"]]
        ].mean(0)
        assert support.min() - 0.03 < centre[2] < support.max() + 0.06  # in balance over the feet

    def test_bow(self, seed: int) -> None:
        joints = perform("bow", 4, 30, style=Style(seed))
        assert y(joints, "nose").min() < y(joints, "nose").max() - 0.2
        assert np.ptp(y(joints, "pelvis")) < 0.08

    def test_sit_down_and_stand_up(self, seed: int) -> None:
        sit = perform("sit down", 4, 30, style=Style(seed))
        rise = perform("stand up", 4, 30, style=Style(seed))
        for end, start in ((sit[-1], sit[0]), (rise[0], rise[-1])):
            assert end[INDEX["pelvis"], 1] < 0.65 < 0.8 < start[INDEX["pelvis"], 1]

    @pytest.mark.parametrize("action", ["fall down", "fall forward", "fall backward", "fall sideways"])
    def test_fall(self, seed: int, action: str) -> None:
        joints = perform(action, 4, 30, style=Style(seed))
        assert y(joints, "nose")[0] > 1.4 and y(joints, "nose")[-30:].max() < 0.45
        assert y(joints, "pelvis")[-1] < 0.35

    @pytest.mark.parametrize("action", ["walk in place", "march", "run in place"])
    def test_steps(self, seed: int, action: str) -> None:
        joints = perform(action, 4, 30, style=Style(seed))
        lead = y(joints, "r_ankle") - y(joints, "l_ankle")
        assert (np.diff(np.sign(lead[np.abs(lead) > 0.05])) != 0).sum() >= 4
        assert np.linalg.norm((joints[-1] - joints[0])[INDEX["pelvis"], [0, 2]]) < 0.35

    @pytest.mark.parametrize("action", ["drink", "eat", "phone call", "salute", "brush teeth", "touch head"])
    def test_hand_to_head(self, seed: int, action: str) -> None:
        joints = perform(action, 4, 30, style=Style(seed))
        near = np.linalg.norm(at(joints, "r_index") - at(joints, "skull"), axis=1)
        assert near.min() < 0.24 < 0.5 < near.max()

    def test_turn_around(self, seed: int) -> None:
        joints = perform("turn around", 4, 30, style=Style(seed))
        across = (at(joints, "r_shoulder") - at(joints, "l_shoulder"))[:, 0]
        assert across[0] > 0.2 and across.min() < -0.2 and across[-1] > 0.2


@given(
    st.floats(-0.35, 0.5), st.floats(-0.35, 0.45), st.floats(0.1, 0.5), st.floats(0, 100), seeds,
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_reach_brings_the_wrist_there(x: float, height: float, front: float, out: float, seed: int) -> None:
    body = Body.random(seed)
    target = np.array([x, height, -front]) - [body.shoulder, 0, 0]
    angles = reach(body, np.array([x, height, -front]), out)
    upper, fore = arm_rotations(angles["r_lift"], angles["r_plane"], angles["r_turn"], angles["r_elbow"])
    wrist = upper @ [0, -body.upper_arm, 0] + fore @ [0, -body.forearm, 0]
    longest, shortest = (body.upper_arm + body.forearm) * 0.995, abs(body.upper_arm - body.forearm) + 0.03
    wanted = target * np.clip(np.linalg.norm(target), shortest, longest) / np.linalg.norm(target)
    assert np.linalg.norm(wrist - wanted) < 1e-6


def test_phrases_compose() -> None:
    """Two phrases on different channels, laid from the same moment, move together."""
    timeline = Timeline(Style(noise=0))
    rng = np.random.default_rng(0)
    timeline.lay(Phrase(((1.0, {"r_lift": 170.0}),)), 2.0, rng)
    timeline.t = 0.0
    timeline.lay(Phrase(((1.0, {"r_knee": 60.0, "l_knee": 60.0}),)), 2.0, rng)
    start, end = timeline.channels(np.array([0.0, 1.5]), 20.0)
    moved = np.abs(end - start) > 1e-6
    assert moved.sum() == 3


def test_core15_is_what_mediapipe_would_give() -> None:
    joints = perform("stand", 1.0, 10)
    core = core15(joints)
    assert core.shape == (10, 15, 3) and core.dtype == np.float32
    named = dict(zip(CORE15.joints, core[0], strict=True))
    assert np.allclose(named["pelvis"], 0.5 * (named["left_hip"] + named["right_hip"]), atol=1e-6)
    assert named["right_shoulder"][0] > named["left_shoulder"][0]  # +x is the person's right
    assert named["head"][2] < named["neck"][2]  # facing the camera, which is at -z
    assert named["head"][1] > named["neck"][1] > named["pelvis"][1] > named["left_knee"][1]
