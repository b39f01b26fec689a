"""Replay: the same events each time, at any pace, and for recordings of earlier versions.

The golden recordings (`tests/golden/recordings/<format>.mcap`) hold what MediaPipe found of a drawn person who waves
and squats. What is expected of them (`<format>.npz`) does not depend on any bundle: some windows, and the events that a
ranker of a few lines makes of them all. A new format adds a pair of files, which
`python -m tests.app.commands.test_replay` makes; the old ones stay.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import islice, pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge_app.app.cli import main
from edge_app.camera import open_source
from edge_app.camera.recording import FORMAT, RecordingFile, read_recording
from edge_app.events import EventConfig
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.recognizer import BackEnd, FrontEnd, decide, watch
from edge_app.types import Event, Feature, Ranking, Window
from edge_app.window.skeleton import CORE15, WindowSpec
from tests.light import light
from tests.running import SQUATS, repeat

FOLDER = Path(__file__).parents[2] / "golden/recordings"
SPEC = WindowSpec(2.0, 16.0, CORE15)
LABELS = ("wave", "squat", "stand")
EVERY = 20
SETTINGS = EventConfig(look_s=2.0, smooth_s=0.4, hold_s=0.3)
"""Those under which the events were made."""


class Rules:
    """An encoder and a ranker in one: a raised wrist is a wave, a low pelvis a squat."""

    spec = SPEC
    table = SimpleNamespace(labels=LABELS, version=1)

    def encode(self, windows: Sequence[Window], last_s: float) -> list[Feature]:
        return [Feature(window, self._measure(window.joints[window.valid])) for window in windows]

    @staticmethod
    def _measure(joints: np.ndarray) -> np.ndarray:
        height = joints[..., 1]
        raised = (height[:, [5, 8]].max(axis=1) > height[:, 1]).mean()
        low = (height[:, 0] - height[:, [11, 14]].min(axis=1) < 0.6).mean()
        return np.array([raised > 0.3, low > 0.2])

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        found = []
        for feature in features:
            raised, low = feature.vector
            scores = np.full(3, 0.05, np.float32)
            scores[0 if raised else 1 if low else 2] = 0.9
            found.append(Ranking(feature.window, LABELS, 1, -scores, scores, 0.9))
        return found


def told(event: Event) -> list:
    return [event.type, event.id, event.label, event.t_ns, event.onset_ns, event.reason, event.score]


def run(recording: Path) -> tuple[np.ndarray, list[list]]:
    """Every 20th window's joints, `[N, T, J, 4]` (zeros where nobody is in view), and all events."""
    windows, events = [], []
    front, back = FrontEnd("file", SPEC), BackEnd(Rules(), Rules(), SETTINGS)
    for poses, seen in watch(f"pose://{recording}", front, 1):
        step = decide(poses, seen, back)
        if step.decision is not None:
            windows.append(step.window.joints if step.window else np.zeros((SPEC.length, 15, 4), np.float32))
            events += map(told, step.decision.events)
    events += map(told, back.close("file", poses.t_ns, "ended").events)
    return np.stack(windows[::EVERY]), events


@pytest.mark.fault
@pytest.mark.parametrize("recording", sorted(FOLDER.glob("*.mcap")), ids=lambda path: path.stem)
def test_R4_recordings_of_every_format_give_the_windows_and_events_they_always_gave(recording):
    windows, events = run(recording)
    with np.load(recording.with_suffix(".npz"), allow_pickle=False) as golden:
        assert windows.shape == golden["windows"].shape
        np.testing.assert_allclose(windows, golden["windows"] / 1000, atol=0.002)
        expected = json.loads(str(golden["events"]))
    assert [event[:6] for event in events] == [event[:6] for event in expected]
    assert [event[6] for event in events] == pytest.approx([event[6] for event in expected], abs=1e-3)
    assert {"wave", "squat"} <= {event[2] for event in events}


GOLDEN = FOLDER / "edge-recording-1.mcap"


@pytest.mark.fault
def test_R5_two_processes_replay_the_same_events_byte_for_byte():
    command = [sys.executable, "-m", "edge_app", "replay", str(GOLDEN), "--json", *light()]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate(timeout=100)[0] for process in both)
    assert [process.returncode for process in both] == [0, 0]
    assert first == second
    *events, last = map(json.loads, first.splitlines())
    assert last["events"] == len(events) >= 2
    assert {event["schema"] for event in events} == {"action/1.1"}
    assert {"start", "end"} <= {event["type"] for event in events}


def replayed(capfd, *arguments: str) -> str:
    assert main(["replay", *arguments, *light()]) == 0
    return capfd.readouterr().out


def test_its_own_pace_changes_nothing(capfd, tmp_path):
    short = repeat(SQUATS, tmp_path / "short.mcap", 3).removeprefix("pose://")
    at_once = replayed(capfd, short, "--hash")
    assert len(at_once) == 65
    assert replayed(capfd, short, "--hash", "--realtime") == at_once


def test_step_by_step_each_line_of_input_gives_a_decision_and_the_end_of_input_ends_it(capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("\n" * 4))
    lines = replayed(capfd, str(GOLDEN), "--step").splitlines()
    assert len(lines) == 5
    stamps = [float(line.split()[0]) for line in lines]
    assert all(earlier < later for earlier, later in pairwise(stamps))


def test_F9_a_slow_recording_is_told_nothing_of(capfd, tmp_path):
    with RecordingFile(tmp_path / "slow.mcap") as file:
        for poses in islice(read_recording(SQUATS), 0, None, 15):
            file.poses(poses)
    assert replayed(capfd, str(SQUATS), "--labels", "squat, wave") != ""
    assert replayed(capfd, str(tmp_path / "slow.mcap"), "--labels", "squat, wave") == ""


def test_F11_a_recording_may_be_given_as_the_source_that_it_is(capfd):
    by_path, by_source = (replayed(capfd, f"{scheme}{GOLDEN}", "--hash") for scheme in ("", "POSE://"))
    assert by_path == by_source


def test_what_is_no_recording_is_exit_4(capfd, tmp_path):
    for name, word in (("no/such.mcap", "no such file"), ("", "holds no recording")):
        assert main(["replay", str(tmp_path / name), "--runtime", "onnxruntime"]) == 4
        assert word in capfd.readouterr().err


if __name__ == "__main__":
    made = FOLDER / f"{FORMAT.replace('/', '-')}.mcap"
    uri = "person://wave,squat?fps=15&seconds=3&idle=1"
    with open_source(uri, realtime=False) as person, PoseEstimator() as estimator, RecordingFile(made) as file:
        while (frame := person.read()) is not None and frame.t_ns < 9e9:
            file.poses(estimator.estimate(frame))
    cut, all_events = run(made)
    np.savez_compressed(
        made.with_suffix(".npz"), windows=np.round(cut * 1000).astype(np.int16), events=json.dumps(all_events)
    )
