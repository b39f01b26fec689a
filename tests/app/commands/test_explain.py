"""Reasons come from the detector itself, agree with what it decided, and are told in one sentence and a picture."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.app.cli import main
from edge_app.app.commands.explain import sentence
from edge_app.events import EventConfig, EventDetector
from edge_app.types import CameraReport, Decision, Ranking
from tests.light import light
from tests.test_events import LABELS, SPEC, STEP_NS, moments, step, window

RECORDING = Path(__file__).parents[2] / "golden/recordings/edge-recording-1.mcap"


def last(labels: list[int | None], **shape) -> Decision:
    """The last decision of a story; the last of `labels` alone has the shape."""
    detector = EventDetector("cam", SPEC)
    for number, label in enumerate(labels[:-1]):
        step(detector, number, label)
    return step(detector, len(labels) - 1, labels[-1], **shape)


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (last([None]), "no_person: nobody is in view"),
        (last([0], seen=0.2), "no_person: shoulders and arms are visible at 0.20 < 0.50"),
        (last([0], motion=0.05, known=0.5), "idle: motion 0.05 < 0.20 torso lengths a second"),
        (last([2], known=0.25), 'unknown: best label "jump" has belief 0.24 < 0.35'),
        (last([0]), 'unknown: "wave" leads with 0.91 >= 0.35, so far for 0.00 of 0.20 s'),
        (last([0] * 3), 'started "wave" because it led with 0.91 >= 0.35 for 0.20 >= 0.20 s'),
        (last([0] * 5), '"wave" goes on: belief 0.91 >= 0.20'),
        (last([0] * 5 + [None]), "no_person: nobody is in view"),
        (last([0] * 5, state="camera_frozen"), "camera_frozen: the camera is frozen"),
        (last([0] * 5 + [1] * 5), 'started "squat" because it led with 0.70 >= 0.35 for 0.20 >= 0.20 s'),
    ],
)
def test_one_plain_sentence(decision: Decision, expected: str) -> None:
    assert sentence(decision) == expected


def test_an_action_fades_and_ends_with_a_reason() -> None:
    detector = EventDetector("cam", SPEC)
    decisions = [step(detector, number, 0, known=0.95 if number < 8 else 0.0) for number in range(24)]
    rules = [decision.reason.rule for decision in decisions]
    assert list(dict.fromkeys(rules)) == ["hold", "started", "goes_on", "fading", "over", "belief"]
    over = decisions[rules.index("over")]
    assert [event.reason for event in over.events] == ["over"] and over.reason.value < over.reason.limit
    assert sentence(over).startswith('ended "wave" because its belief stayed under 0.20 for 0.50 s (now 0.')


def test_an_action_comes_to_rest_with_a_reason() -> None:
    detector = EventDetector("cam", SPEC)
    shapes = [{} if number < 8 else {"motion": 0.05, "known": 0.5} for number in range(20)]
    decisions = [step(detector, number, 0, **shape) for number, shape in enumerate(shapes)]
    rules = list(dict.fromkeys(decision.reason.rule for decision in decisions))
    assert rules == ["hold", "started", "goes_on", "resting", "rest", "idle"]
    rest = next(decision for decision in decisions if decision.reason.rule == "rest")
    assert sentence(rest) == 'ended "wave" because motion stayed under 0.20 for 0.50 s (now 0.05)'


@pytest.mark.parametrize(("stretch", "rule"), [(0.16, "variation_to_start"), (0.3, "bone_length_variation")])
def test_bones_that_stretch_are_the_reason(stretch: float, rule: str) -> None:
    seen = window(STEP_NS)
    body = np.random.default_rng(0).normal(size=(1, 15, 3))
    seen.joints[..., :3] = body * (1 + stretch * np.tile([-1, 1], 16)[:, None, None])
    scores = np.array([0.96, 0.02, 0.02], np.float32)
    report = CameraReport("cam", "running", 0, STEP_NS, 30.0, 0, 0, (seen,))
    decision = EventDetector("cam", SPEC).update(report, Ranking(seen, LABELS, 1, -scores, scores, 0.95))
    assert decision.reason.rule == rule
    assert decision.reason.value == pytest.approx(stretch, rel=0.05) and decision.reason.value > decision.reason.limit


RULES = {
    "no_person": {"nobody", "body", "bone_length_variation"}, "idle": {"idle", "over", "rest"},
    "unknown": {"present", "variation_to_start", "belief", "hold", "over", "rest"},
    "running": {"started", "goes_on", "fading", "resting"},
    "camera_lost": {"camera_lost"}, "camera_frozen": {"camera_frozen"},
}  # fmt: skip


@given(st.lists(moments, max_size=60))
@settings(max_examples=100, deadline=None)
def test_the_reason_always_agrees_with_the_decision(story) -> None:
    detector = EventDetector("cam", SPEC, EventConfig(hold_s=0.1, release_s=0.2))
    for number, (label, known, motion, track, version, state) in enumerate(story):
        decision = step(detector, number, label, known=known, motion=motion, track=track, version=version, state=state)
        reason = decision.reason
        assert reason.rule in RULES[decision.state]
        assert sentence(decision)
        if reason.rule in ("body", "idle", "present", "belief", "fading", "resting", "over", "rest"):
            assert reason.value < reason.limit
        if reason.rule in ("hold", "started", "goes_on"):
            assert reason.value >= reason.limit
        if reason.rule == "started":
            assert decision.events[-1].label == reason.label and reason.held_s >= reason.needed_s
        if reason.rule in ("hold", "fading", "resting"):
            assert reason.held_s < reason.needed_s


def test_a_moment_of_a_recording_is_explained_and_drawn(capfd, tmp_path: Path) -> None:
    arguments = ["explain", str(RECORDING), "--at", "2.5", "--labels", "wave, squat, <b>", "--out", f"{tmp_path}/a.svg"]
    assert main([*arguments, *light()]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == "edge-recording-1.mcap at 2.53 s: running"
    assert '"wave"' in lines[1]
    assert "known 0." in lines[2] and lines[3].startswith("thresholds: start 0.35 for 0.2 s")
    assert lines[5].split()[0] == "wave" and len(lines) == 8
    svg = ElementTree.parse(tmp_path / "a.svg").getroot()
    texts = [element.text for element in svg.iter() if element.tag.endswith("}text")]
    assert lines[1] in texts and {"now", "wave", "squat", "<b>"} <= set(texts)
    assert sum(element.tag.endswith("}circle") for element in svg.iter()) == 8, "eight figures"


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (["--at", "99"], 2, "allowed: 0 to 7.93"),
        (["--at", "2", "--out", "/no/such/a.svg"], 2, "/no/such/a.svg"),
    ],
)
def test_what_cannot_be_explained_is_said(capfd, arguments: list[str], code: int, word: str) -> None:
    assert main(["explain", str(RECORDING), *light(), *arguments]) == code
    assert word in capfd.readouterr().err
