"""What the figures are made of: accuracies, calibration, shards, and the labelled seconds of the videos."""

from pathlib import Path

import numpy as np
import pytest

from edge_app.camera.recording import RecordingFile
from edge_app.errors import UsageError
from edge_app.types import Pose, Poses
from train.data.extract import parse_shard
from train.evaluate.metrics import (
    Span,
    auroc,
    class_mean,
    derangement,
    expected_calibration_error,
    label_changes,
    match_events,
    mean_and_deviation,
    nll,
    reliability,
    risk_coverage,
    score,
    shuffled_top1,
)
from train.evaluate.videos import load_segments
from train.heads.calibrate import fit_logistic, fit_temperature

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


def test_weights_count_within_classes():
    hits, truth = np.array([True, False, True]), np.array([0, 0, 1])
    assert class_mean(hits, truth) == 0.75
    assert class_mean(hits, truth, np.array([3.0, 1.0, 0.1])) == pytest.approx(0.875)


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
    assert auroc(np.array([1.0, 2]), np.array([True, True])) is None


def test_a_derangement_leaves_nothing_in_its_place_and_takes_the_words_away():
    for count in (2, 3, 20):
        order = derangement(count, RNG)
        assert sorted(order) == list(range(count))
        assert not (order == np.arange(count)).any()
    perfect = 1 - np.eye(4)
    assert shuffled_top1(perfect, np.arange(4)) == 0.0
    assert shuffled_top1(np.zeros((3, 1)), np.zeros(3, int)) is None


def test_the_likelihood_is_that_of_the_softmax():
    energies = np.array([[0.0, 0.2], [0.2, 0.0]])
    assert nll(energies, np.array([0, 0]), 0.2) == pytest.approx([np.log(1 + np.exp(-1)), np.log(1 + np.exp(1))])


def test_the_calibration_error_is_the_one_made_by_hand():
    confidence = np.array([0.05, 0.62, 0.68, 0.61, 1.0])
    correct = np.array([False, True, False, True, True])
    curve = reliability(confidence, correct)
    assert [(b.size, round(b.accuracy, 3)) for b in curve] == [(1, 0.0), (3, 0.667), (1, 1.0)]
    by_hand = (0.05 + 3 * abs(2 / 3 - (0.62 + 0.68 + 0.61) / 3) + 0) / 5
    assert expected_calibration_error(curve) == pytest.approx(by_hand)


def test_risk_is_the_share_wrong_among_the_surest():
    coverage, risk = risk_coverage(np.array([0.1, 0.9, 0.5, 0.7]), np.array([False, True, True, False]))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])


def test_events_are_right_where_a_segment_of_their_label_overlaps():
    segments = [Span("walk", 0.0, 2.0), Span("sit down", 2.0, 3.0), Span("walk", 5.0, 6.0)]
    events = [
        Span("walk", 0.5, 1.5, 1.2), Span("walk", 1.6, 2.4, 1.9), Span("sit down", 3.0, 4.0, 3.4),
        Span("run", 0.0, 1.0, 0.4),
    ]  # fmt: skip
    right, delays = match_events(events, segments)
    assert right == [True, True, False, False]
    assert delays == [1.2, None, None]


def test_flicker_counts_changes_inside_a_segment_only():
    t_s, best = np.arange(8) / 2, np.array([0, 1, 1, 2, 1, 1, 0, 0])
    assert label_changes(t_s, best, 0.5, 2.5) == (2, 2.0)
    assert label_changes(t_s, best, 3.5, 9.0) == (0, 0.0)


def test_spread_is_over_seeds():
    assert mean_and_deviation([0.4, 0.6]) == pytest.approx((0.5, np.sqrt(0.02)))
    assert mean_and_deviation([0.4]) == (0.4, None)


@pytest.mark.parametrize("text", ["1/1", "a/2", "2", "-1/2", "0/0"])
def test_a_shard_that_makes_no_sense_is_refused(text):
    with pytest.raises(UsageError, match="--shard"):
        parse_shard(text)
    assert parse_shard("1/4") == (1, 4)


def test_labelled_seconds_become_segments(tmp_path: Path):
    still = np.zeros((33, 3), np.float32)
    with RecordingFile(tmp_path / "clip.mcap") as recorder:
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
