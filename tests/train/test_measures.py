"""What the figures are made of: accuracies, calibration, shards, and the labelled seconds of the videos."""

from pathlib import Path

import numpy as np
import pytest

from edge_app.errors import UsageError
from edge_app.recorder import Recorder
from edge_app.types import Pose, Poses
from train.calibrate import auroc, fit_logistic, fit_temperature
from train.evaluate import score
from train.extract import parse_shard
from train.videos import load_segments

RNG = np.random.default_rng(0)


def test_class_means_weigh_classes_not_clips():
    energies = np.array([[0, 1, 2]] * 8 + [[0, 1, 2], [0, 2, 1]], float)
    truth = np.array([0] * 8 + [1, 2])
    result = score(energies, truth, ("a", "b", "c"), seen={"a"})
    assert result["top1"] == 0.8
    assert result["top1_class_mean"] == pytest.approx(1 / 3, abs=1e-4)
    assert result["top5_class_mean"] == 1.0
    assert result["chance"] == pytest.approx(1 / 3, abs=1e-4)
    assert result["gzsl"] == {"seen": 1.0, "unseen": 0.0, "harmonic": 0.0}


def test_ties_go_to_the_lower_index():
    assert score(np.zeros((2, 3)), np.array([0, 1]), ("a", "b", "c"), None)["top1"] == 0.5


def test_the_temperature_is_recovered():
    logits = RNG.normal(size=(4000, 6))
    truth = np.array([RNG.choice(6, p=np.exp(row) / np.exp(row).sum()) for row in logits])
    assert fit_temperature(-logits * 0.2, truth) == pytest.approx(0.2, rel=0.1)


def test_the_logistic_regression_is_recovered():
    x = RNG.normal(size=6000)
    y = RNG.random(6000) < 1 / (1 + np.exp(-(1.5 * x - 0.5)))
    slope, bias = fit_logistic(x, y)
    assert slope == pytest.approx(1.5, abs=0.15)
    assert bias == pytest.approx(-0.5, abs=0.15)


def test_auroc_counts_ties_as_half():
    positive = np.array([True, True, False, False])
    assert auroc(np.array([4.0, 3, 2, 1]), positive) == 1.0
    assert auroc(np.array([1.0, 1, 1, 1]), positive) == 0.5
    assert auroc(np.array([1.0, 3, 2, 4]), positive) == 0.25


@pytest.mark.parametrize("text", ["1/1", "a/2", "2", "-1/2", "0/0"])
def test_a_shard_that_makes_no_sense_is_refused(text):
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
    assert parse_shard("1/4") == (1, 4)


def test_labelled_seconds_become_segments(tmp_path: Path):
    still = np.zeros((33, 3), np.float32)
    with Recorder(tmp_path / "clip.mcap") as recorder:
        for i in range(60):
            pose = Pose(i * 100_000_000, still[:, :2], still, np.ones(33, np.float32), (64, 48))
            recorder.poses(Poses("file", i, pose.t_ns, (pose,)))
    manifest = tmp_path / "manifest.csv"
    manifest.write_text(
        "file,labels\nclip.mp4,walking 0.0-0.8; falling 1.8-2.8; lying 2.8-end; odd thing 0.0-3.0\n"
        "gone.mp4,walking 0.0-3.0\n"
    )
    found = [(s.label, s.start_s, s.end_s, len(s.poses)) for s in load_segments(manifest, tmp_path)]
    assert found == [("walk", 0.0, 0.8, 9), ("fall down", 1.8, 2.8, 11), ("lie still", 2.8, 5.9, 32)]
