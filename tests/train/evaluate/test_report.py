"""`train evaluate` from files to tables, JSON and a picture, and the quiet footage that it counts false events on."""

import argparse
import itertools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_app.app.commands.recognize import recognize
from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.camera import open_source
from edge_app.camera.recording import RecordingFile, read_recording
from edge_app.errors import UsageError
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.recognizer import Recognizer
from edge_app.types import Frame
from tests.light import light_bundle
from train.__main__ import main
from train.data.clips import read_set
from train.evaluate import quiet, streams
from train.evaluate.bundle import DRAWN_SEEDS, HELD_OUT, left_out_sets
from train.evaluate.report import read_folds
from train.evaluate.videos import replay
from train.synthetic.person_clips import generated_clips

SHARED = Path(__file__).parents[3] / "../shared"


def evaluate(*arguments: str) -> int:
    """The exit code of `train evaluate` on a light bundle."""
    return main(["evaluate", "--bundle", str(light_bundle()), *arguments])


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A set, a labelled video's poses, idle footage, drawn clips and two seeds of folds: all of three actions."""
    folder = tmp_path_factory.mktemp("made")
    clips = [c for c in generated_clips(2, seed=5) if c.name in ("squat", "wave", "jumping jack")]
    names = sorted({clip.name for clip in clips})
    off = np.cumsum([0, *(len(clip.joints) for clip in clips)])
    raw = np.concatenate([np.round(clip.joints[..., :3] * 1000) for clip in clips]).astype(np.int16)
    label = np.array([names.index(clip.name) for clip in clips])
    np.savez(
        folder / "tiny.npz", X=raw, off=off, label=label, names=np.array(names), fps=np.float32(24), dim=np.int64(3)
    )
    rows = ["dataset,label,name,concept,clips", *(f"tiny,{i},{n},{n},2" for i, n in enumerate(names))]
    (folder / "concepts.csv").write_text("\n".join(rows).replace("wave,2", "novel thing,2") + "\n")

    (folder / "poses").mkdir()
    with (
        PoseEstimator() as estimator,
        open_source("person://squat?seconds=3&idle=1&fps=12", realtime=False) as source,
        RecordingFile(folder / "poses" / "squats.mcap") as recorder,
        RecordingFile(folder / "poses" / "stand_idle.mcap") as idle,
    ):
        while (frame := source.read()) is not None:
            poses = estimator.estimate(frame)
            recorder.poses(poses)
            if poses.t_ns < 900_000_000:
                idle.poses(poses)
    (folder / "manifest.csv").write_text("file,labels\nsquats.mp4,standing still 0.0-0.9; barbell squat 1.0-3.9\n")

    (folder / "drawn").mkdir()
    t_s = np.concatenate([np.arange(len(clip.joints)) / clip.fps for clip in clips]).astype(np.float32)
    np.savez(
        folder / "drawn" / "04000.npz", joints=np.concatenate([clip.joints for clip in clips]), t_s=t_s, off=off,
        action=np.array([clip.name if i else "" for i, clip in enumerate(clips)]),
        seed=DRAWN_SEEDS + HELD_OUT - 1 + np.arange(len(clips)),
    )  # fmt: skip
    labs = [
        {
            "set": "tiny", "seed": seed, "classes": 3, "chance": 0.33, "top1_class_mean": top1,
            "overlap": {"classes": 3, "top1": top1}, "novel": {"classes": 0, "top1": None},
        }
        for seed, top1 in enumerate((0.4, 0.5))
    ]  # fmt: skip
    gzsl = {"seen": 0.5, "unseen": 0.25, "harmonic": 0.3333}
    figures = {"classes": 12, "candidates": 69, "chance": 0.0833, "zsl": 0.5, "top5": 0.9, "cosine": 0.6}
    splits = [{"split": 0, **figures, "gzsl": gzsl, "stacked": gzsl}]
    (folder / "folds.json").write_text(json.dumps({"labs": labs, "splits": splits}))
    return folder


def test_one_command_measures_everything(made, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("train.evaluate.label_lists.LISTS", 6)
    code = evaluate(
        "--data", str(made), "--left-out", "tiny", "--videos", str(made), "--recordings", str(made / "poses"),
        "--drawn", str(made / "drawn"), "--folds", str(made / "folds.json"),
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert code == 0
    report = json.loads((tmp_path / "out" / "recognition.json").read_text())
    assert {"schema", "bundle", "git", "versions", "date", "command", "machine", "ranker"} <= set(report)
    assert "--left-out tiny" in report["command"]
    (one,) = report["sets"]
    assert (one["clips"], one["classes"], one["novel"]["names"]) == (6, 3, ["wave"])
    assert {"top1_class_mean", "top5_class_mean", "chance", "shuffled", "per_class", "overlap"} <= set(one)
    videos = report["videos"]
    assert videos["videos"]["segments"] == videos["together"]["segments"] == 2
    assert {"nll", "nll_best", "mean_rank", "everyday", "default"} <= set(videos["videos"])
    assert videos["derived"] == {"segments": 0}
    assert sum(count for _, _, count in videos["confusions"]) == 2
    assert videos["events"]["videos"]["segments"] == 2
    assert report["quiet"]["idle"]["clips"] == 1
    assert report["quiet"]["no_person"]["per_minute"] is None
    assert report["drawn"]["clips"] == 5, "composed clips and clips that training may use are not measured"
    assert set(report["scores"]) == {"tiny", "videos"}
    assert report["scores"]["tiny"]["lists"] == 12
    assert report["folds"]["sets"][0]["top1_class_mean"] == [0.45, 0.0707]
    assert report["folds"]["sets"][0]["novel"] is None
    picture = cv2.imread(str(tmp_path / "out" / "recognition.png"))
    assert picture.shape == (1200, 1600, 3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["recognition.json", "recognition.png"]
    table = capsys.readouterr().out
    assert all(
        f"\n{part}" in table
        for part in ("tiny", "videos", "idle", "people", "mean of sets", "1 splits, 12 of 69 unseen")
    )


def test_one_set_alone_prints_one_flat_object(made, tmp_path, capsys):
    (tmp_path / "seen.txt").write_text("squat\n")
    seen = ["--seen", str(tmp_path / "seen.txt"), "--labels", "squat, wave, jumping jack, clap"]
    assert evaluate("--data", str(made / "tiny.npz"), "--json", *seen) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["set"], result["clips"], result["chance"]) == ("tiny", 6, 0.25)
    assert {"top1_class_mean", "top5_class_mean", "top1", "top5", "per_class", "gzsl", "bundle"} <= set(result)


def test_a_replay_is_what_recognize_does(made):
    recognizer = Recognizer(bundle=light_bundle(), runtime="onnxruntime")
    recording = made / "poses" / "squats.mcap"
    found = recognize(f"pose://{recording}", recognizer)
    spans = replay(recording, recognizer).spans()
    assert spans
    assert [(s.label, round(s.start_s, 3), round(s.end_s, 3)) for s in spans] == [
        (event["label"], event["onset_s"], event["offset_s"]) for event in found["events"]
    ]
    assert all(s.start_s < s.announced_s <= s.end_s for s in spans)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to do"),
        (["--data", "gone.npz"], "gone.npz"),
        (["--data", "{made}", "--left-out", "utkinect"], "--left-out utkinect: the bundle was trained on it"),
        (["--data", "{made}", "--left-out", "absent"], "no absent.npz there"),
        (["--data", "{made}", "--left-out", "tiny", "--labels", "squat"], "--labels"),
        (["--data", "{made}/tiny.npz", "--labels", "squat"], "'jumping jack' occurs in the set"),
        (["--data", "{made}/tiny.npz", "--seen", "gone.txt"], "--seen gone.txt"),
        (["--data", "{made}/tiny.npz", "--ranker", "best"], "--ranker best"),
        (["--videos", "gone"], "manifest.csv"),
        (["--videos", "{made}", "--recordings", "gone"], "--recordings gone"),
        (["--quiet", "gone"], "--quiet gone"),
        (["--streams", "gone"], "--streams gone"),
        (["--drawn", "{made}"], "expected a file of `train draw`"),
        (["--drawn", "{made}/poses"], "numbered 100,000 or above"),
        (["--folds", "{made}/manifest.csv"], "--folds"),
        (["--folds", "{made}/folds.json", "--out", "{made}/manifest.csv"], "--out"),
    ],
)
def test_bad_input_gets_one_line(made, arguments, message, capsys):
    assert evaluate(*(argument.format(made=made) for argument in arguments)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert message in lines[0]


def test_a_set_without_clips_or_frames_is_refused(tmp_path):
    empty = {"X": np.zeros((0, 15, 3), np.int16), "names": np.array(["a"]), "fps": np.float32(15), "dim": np.int64(3)}
    for label, message in (([], "no clip in it"), ([0], "clip 0 has no frame")):
        np.savez(tmp_path / "set.npz", off=np.zeros(len(label) + 1, int), label=np.array(label, int), **empty)
        with pytest.raises(Exception, match=message):
            read_set(tmp_path / "set.npz")


def test_a_fold_that_one_seed_lacks_is_averaged_over_the_others(tmp_path):
    rest = {"classes": 3, "chance": 0.3, "overlap": 0.5}
    labs = [{"set": n, "seed": s, "top1_class_mean": 0.2 + 0.2 * s, **rest} for s, n in ((0, "a"), (0, "b"), (1, "a"))]
    (tmp_path / "folds.json").write_text(json.dumps({"labs": labs, "splits": []}))
    folds = read_folds(tmp_path / "folds.json")
    assert [(row["set"], row["seeds"], row["top1_class_mean"]) for row in folds["sets"]] == [
        ("a", 2, [0.3, 0.1414]), ("b", 1, [0.2, None]),
    ]  # fmt: skip
    assert folds["mean"]["overlap"] == [0.5, 0.0]


def test_quiet_frames_are_altered_as_they_say():
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = 200
    frames = [Frame("file", i, i * 40_000_000, image) for i in range(4)]
    altered = {name: [quiet.alter(frame, variant) for frame in frames] for name, variant in quiet.VARIANTS.items()}
    assert altered["mirror"][0].image[0, 0, 0] == 0
    assert altered["dark"][0].image.max() == 70
    assert altered["far"][0].image[0, 0, 0] == 100, "framed in the mean colour"
    assert altered["far"][0].image[24, 20, 0] == altered["near"][0].image[0, 0, 0] == 200
    assert [frame and frame.t_ns for frame in altered["fast"]] == [0, None, 40_000_000, None]
    assert [frame.t_ns for frame in altered["slow"]] == [0, 80_000_000, 160_000_000, 240_000_000]


def test_quiet_recordings_are_made_once(tmp_path, monkeypatch):
    monkeypatch.setattr(quiet, "VARIANTS", {name: quiet.VARIANTS[name] for name in ("mirror", "fast")})
    (tmp_path / "videos").mkdir()
    for name in ("noperson_wall", "somebody"):
        writer = cv2.VideoWriter(
            str(tmp_path / "videos" / f"{name}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48)
        )
        for i in range(6):
            writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
        writer.release()
    arguments = argparse.Namespace(videos=tmp_path / "videos", out=tmp_path / "quiet", shard="0/1")
    quiet.run(arguments)
    made = quiet.quiet_recordings([tmp_path / "quiet"])
    assert [path.name for path in made] == ["noperson_wall~fast.mcap", "noperson_wall~mirror.mcap"]
    assert [sum(1 for _ in read_recording(path)) for path in made] == [3, 6]
    before = [path.stat().st_mtime_ns for path in made]
    quiet.run(arguments)
    assert [path.stat().st_mtime_ns for path in made] == before
    with pytest.raises(Exception, match="no video there is called"):
        quiet.run(argparse.Namespace(videos=tmp_path, out=tmp_path / "quiet", shard="0/1"))


def test_streams_are_made_once_and_their_events_timed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(streams, "COUNT", 1)
    monkeypatch.setattr(streams, "stream_uri", lambda n: "person://clap,salute?seconds=2&idle=1&fps=15")
    arguments = argparse.Namespace(out=tmp_path, shard="0/1")
    streams.run(arguments)
    made = (tmp_path / "stream_0.mcap").stat().st_mtime_ns
    streams.run(arguments)
    assert (tmp_path / "stream_0.mcap").stat().st_mtime_ns == made
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stream_0.mcap", "streams.csv"]
    segments = streams.load_streams(tmp_path, load_bundle(DEFAULT).default_labels)
    assert [segment.label for segment in segments] == ["clap", "stand still", "salute", "stand still"]
    assert all(a.end_s == b.start_s for a, b in itertools.pairwise(segments))
    assert evaluate("--streams", str(tmp_path), "--json") == 0
    timed = json.loads(capsys.readouterr().out)["streams"]
    assert timed["segments"] == 3, "salute is no default label"
    (tmp_path / "stream_0.mcap").unlink()
    assert evaluate("--streams", str(tmp_path)) == 2
    assert "no stream_0.mcap there" in capsys.readouterr().err


def test_every_stream_can_be_acted():
    for number in range(streams.COUNT):
        script = streams.script(streams.stream_uri(number))
        assert len(script) >= 2 * streams.LENGTH


@pytest.mark.parametrize(
    ("settings", "named", "found"),
    [
        ({"leave_out": "utkinect"}, None, ["utkinect"]),
        ({"sets": "kard", "leave_out": ""}, None, ["utkinect"]),
        ({"sets": "kard"}, "stranger", ["stranger"]),
        ({}, "kard", ["kard"]),
        ({}, None, "names no set that it left out"),
        ({"leave_out": ""}, "kard", "the bundle was trained on it; it left out none"),
        ({"sets": "kard"}, "kard", "the bundle was trained on it; it left out kinder_gator"),
        ({"leave_out": "cmu_subset"}, None, "no cmu_subset.npz there"),
    ],
)
def test_sets_that_a_bundle_never_saw(tmp_path, settings, named, found):
    for name in ("utkinect", "kard", "stranger"):
        (tmp_path / f"{name}.npz").touch()
    bundle = Bundle(tmp_path, "", {"training_data": {"settings": settings}}, {})
    if isinstance(found, str):
        with pytest.raises(UsageError, match=found):
            left_out_sets(bundle, tmp_path, named)
    else:
        assert [path.stem for path in left_out_sets(bundle, tmp_path, named)] == found
