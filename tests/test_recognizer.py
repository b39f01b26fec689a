"""The path: one grid of decisions, one rule for the frame rate, and the same answers in one's own loop."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.errors import SourceError, UsageError
from edge_app.events import EventConfig
from edge_app.recognizer import BackEnd, CameraConfig, FrontEnd, Recognizer, watch
from edge_app.types import CameraReport, Pose, Poses
from edge_app.window.skeleton import CORE15, WindowSpec
from tests.light import light_bundle

SPEC = WindowSpec(2.0, 16.0, CORE15)
RECORDING = Path(__file__).parent / "faults/squats.mcap"


def frames(fps: float, seconds: float, start_ns: int = 0) -> list[Poses]:
    """Somebody who stands there, seen at a steady rate."""
    points = np.random.default_rng(0).normal(size=(33, 3)).astype(np.float32)
    stamps = [start_ns + round(i * 1e9 / fps) for i in range(round(seconds * fps))]
    pose = Pose(0, points[:, :2] * 100 + 300, points, np.ones(33, np.float32), (640, 480))
    return [
        Poses("cam", i, t_ns, (Pose(t_ns, pose.image, pose.world, pose.visibility, pose.size),))
        for i, t_ns in enumerate(stamps)
    ]


@pytest.mark.parametrize("fps", [10, 12, 15, 24, 25, 30, 60])
@pytest.mark.parametrize("start_ns", [0, 81_234_567_890])
def test_ten_decisions_a_second_at_any_rate_from_a_file_or_live(fps, start_ns):
    front = FrontEnd("cam", SPEC)
    due = sum(front.update(poses).due for poses in frames(fps, 10, start_ns))
    assert abs(due - 100) <= 1


@given(st.lists(st.integers(1, 400_000_000), min_size=2, max_size=60))
def test_whatever_the_stamps_decisions_come_at_most_ten_a_second_and_late_by_one_frame(steps):
    front, due = FrontEnd("cam", SPEC), []
    stamps = np.cumsum(steps)
    for t_ns in stamps.tolist():
        if front.update(Poses("cam", 0, t_ns, ())).due:
            due.append(t_ns)
    assert due[0] == stamps[0] or stamps[0] < 100_000_000
    for before, after in pairwise(due):
        missed = [t_ns for t_ns in stamps if before + 100_000_000 <= t_ns < after]
        assert not missed, "a frame a stride after a decision brings the next one"


@pytest.mark.parametrize(("fps", "slow"), [(1, True), (2, True), (3.9, True), (4.1, False), (15, False)])
def test_F9_too_few_frames_a_second_name_nothing_and_say_so(fps, slow):
    front = FrontEnd("cam", SPEC)
    *_, last = [front.update(poses) for poses in frames(fps, 5)]
    assert last.slow == slow and last.fps == pytest.approx(fps, abs=0.01)
    assert last.flags == (("insufficient_rate",) if slow else ())
    assert not (slow and last.windows)


def test_F9_the_rate_is_known_while_nobody_is_there_and_begins_anew_after_a_loss():
    front = FrontEnd("cam", SPEC)
    empty = [Poses("cam", i, round(i * 5e8), ()) for i in range(6)]
    assert [front.update(poses).slow for poses in empty] == [False, False, True, True, True, True]
    front.reset()
    assert front.update(Poses("cam", 9, 10**10, ())).fps == 0.0


def test_a_stall_is_not_made_up_for():
    front = FrontEnd("cam", SPEC)
    stamps = [0, 0.1, 5.0, 5.033, 5.066, 5.1, 5.133]
    assert [front.update(Poses("cam", 0, round(s * 1e9), ())).due for s in stamps] == [1, 1, 1, 0, 0, 1, 0]


def test_of_two_people_each_has_a_window():
    one, two = frames(30, 1), frames(30, 1)
    front = FrontEnd("cam", SPEC, CameraConfig(max_people=2))
    for a, b in zip(one, two, strict=True):
        other = b.poses[0]
        moved = Pose(other.t_ns, other.image + 2000, other.world, other.visibility, other.size)
        seen = front.update(Poses("cam", a.index, a.t_ns, (a.poses[0], moved)))
        if seen.due:
            assert [window.track for window in seen.windows] == [1, 2]


@pytest.fixture(scope="module")
def recognizer():
    with Recognizer("squat, wave, jumping jack", bundle=light_bundle(), runtime="onnxruntime") as made:
        yield made


def test_a_recording_needs_no_pose_model_and_ends_what_it_began(recognizer):
    decisions = list(recognizer.run(f"pose://{RECORDING}"))
    events = [event for decision in decisions for event in decision.events]
    assert [event.type for event in events if event.type != "update"] == ["start", "end"]
    assert {event.label for event in events} == {"squat"}
    assert decisions[-1].state == "stale" and decisions[-1].reason.rule == "ended"
    assert [event.reps for event in events if event.type == "update"] == sorted(event.reps for event in events[:-1])[1:]
    assert events[-1].reps == 3
    assert {event.cadence_hz for event in events[:2]} == {None}
    assert 0.4 < max(event.cadence_hz or 0.0 for event in events) < 0.6


def test_a_recording_loads_no_mediapipe():
    code = (
        "import sys, edge_app\n"
        f"list(edge_app.Recognizer('squat', runtime='onnxruntime').run('pose://{RECORDING}'))\n"
        "sys.exit('mediapipe' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_labels_change_while_it_runs_and_a_bad_list_leaves_the_old_one(recognizer):
    labels = recognizer.labels
    run, seen = recognizer.run(f"pose://{RECORDING}"), []
    for decision in run:
        if decision.ranking is not None:
            seen.append(decision.ranking.labels)
            recognizer.labels = ["bow", "clap: the hands strike each other"]
    assert seen[0] == labels and seen[1] == ("bow", "clap")
    with pytest.raises(UsageError, match="wave"):
        recognizer.labels = "wave, wave"
    assert recognizer.labels == ("bow", "clap")
    recognizer.labels = []
    assert {d.state for d in recognizer.run(f"pose://{RECORDING}")} <= {"unknown", "idle", "no_person", "stale"}
    recognizer.labels = labels


def test_one_report_or_several_cameras_in_one_batch_decide_alike(recognizer):
    def reports(camera: str) -> list[CameraReport]:
        front = FrontEnd(camera, SPEC)
        return [
            CameraReport(camera, "running", 0, seen.t_ns, seen.fps, 0, 0, seen.windows, seen.flags)
            for _, seen in watch(f"pose://{RECORDING}", front, 1)
            if seen.due
        ]

    alone = BackEnd(recognizer.encoder, recognizer.ranker)
    both = BackEnd(recognizer.encoder, recognizer.ranker)
    for one, other in zip(reports("a"), reports("b"), strict=True):
        (expected,) = alone.decide(one)
        first, second = both.decide(one, other)
        assert (first.state, second.state) == (expected.state, expected.state)
        assert [event.type for event in second.events] == [event.type for event in expected.events]
        if expected.ranking is not None:
            np.testing.assert_array_equal(second.ranking.energies, expected.ranking.energies)


def test_what_goes_on_is_ranked_by_the_end_of_a_window(recognizer):
    front, back = FrontEnd("cam", SPEC), BackEnd(recognizer.encoder, recognizer.ranker, EventConfig(look_s=0.5))
    windows = [seen.windows[0] for _, seen in watch(f"pose://{RECORDING}", front, 1) if seen.windows]
    window = windows[len(windows) // 2]
    hidden = window.valid & (np.arange(SPEC.length) >= SPEC.length - 8)
    report = CameraReport("cam", "running", 0, window.t_ns, 30.0, 0, 0, (window,))
    (decision,), whole = back.decide(report), recognizer.encoder.encode([window])
    (expected,) = recognizer.ranker.rank(recognizer.encoder.encode([replace(window, valid=hidden)]))
    np.testing.assert_array_equal(decision.ranking.energies, expected.energies)
    assert decision.ranking.window is window and window.valid.all()
    assert np.abs(recognizer.ranker.rank(whole)[0].energies - expected.energies).max() > 1e-3


def test_pictures_in_ones_own_loop(recognizer):
    image = np.zeros((120, 160, 3), np.uint8)
    decisions = [recognizer(image, t_ns=round(i * 1e9 / 30)) for i in range(7)]
    assert [decision is not None for decision in decisions] == [1, 0, 0, 1, 0, 0, 1]
    assert decisions[0].state == "no_person" and recognizer.tracks == ()
    for bad in (image[..., 0], image.astype(np.float32), np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(ValueError, match=r"uint8 \[height, width, 3\] is allowed"):
            recognizer(bad)


def test_what_cannot_be_opened_says_so(recognizer, tmp_path):
    with pytest.raises(SourceError):
        next(recognizer.run(tmp_path / "none.mp4"))
    with pytest.raises(UsageError):
        next(recognizer.run("nonsense://x"))
    with pytest.raises(UsageError, match="--ranker magic"):
        Recognizer("wave", ranker="magic", runtime="onnxruntime")
    with pytest.raises(UsageError, match="1 to 8 are allowed"):
        Recognizer("wave", people=0)
