from __future__ import annotations

import shutil
from pathlib import Path

from benchmarks.repetitions import HALVES, counted_clips, drawn_clips, table
from edge_app.recognizer import Recognizer
from tests.light import light_bundle
from tests.running import SQUATS


def test_a_clip_is_counted_and_its_error_told(tmp_path: Path) -> None:
    shutil.copy(SQUATS, tmp_path / "squats_s3.mcap")
    (clip,) = counted_clips([tmp_path / "none", tmp_path])
    assert (clip.motion, clip.reps, clip.half) == ("squat", 2, HALVES[0])
    with Recognizer("squat, wave", bundle=light_bundle(), runtime="onnxruntime") as recognizer:
        text, times = table("Videos", [clip], recognizer, every=False)
    assert len(times) > 70
    assert "| chosen on | 1 | 0.500 | 0 of 1 | 0.500 |" in text
    assert "| squat (`squats_s3`) | chosen on | 2 | 3 | 3 |" in text  # another's squats under that name


def test_drawn_people_bring_their_own_number(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("benchmarks.repetitions.extract", lambda uri, recording: recording.touch())
    monkeypatch.setattr("benchmarks.repetitions.DRAWN", ("march", "squat"))
    clips = {clip.motion: clip for clip in drawn_clips(tmp_path)}
    assert clips["squat, speed 1.0"].reps == 5 < clips["squat, speed 1.5"].reps
    assert clips["march, speed 1.0"].reps == 20  # ten beats of a left and a right step
    assert {clip.half for clip in clips.values()} == set(HALVES[:2])
