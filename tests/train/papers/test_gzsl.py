"""ZSL and GZSL figures by hand; gates; nothing chosen on test unasked."""

import numpy as np
import pytest

from edge_app.errors import UsageError
from train.evaluate.metrics import logistic_regression
from train.papers.gzsl import (
    Scores,
    choose_threshold,
    energy_gate,
    plain,
    stacking,
    synse_gate,
    zsl,
)

UNSEEN = np.array([False, False, True, True])
ENERGIES = np.array([[0.0, 1, 2, 2], [1.0, 0, 2, 2], [0.1, 0.9, 0.2, 1], [0.3, 1, 0.2, 1], [0.1, 1, 1, 0.3]])
TRUTH = np.array([0, 1, 2, 2, 3])
SMALL = Scores(ENERGIES, TRUTH, UNSEEN)


def problem(seed: int, classes: int = 10, unseen: int = 4, clips: int = 30, favour: float = 1.0) -> Scores:
    """Energies that know the class but favour seen classes, and logits of an encoder that knows only these."""
    rng = np.random.default_rng(seed)
    novel = np.arange(classes) >= classes - unseen
    truth = np.repeat(np.arange(classes), clips)
    own = truth[:, None] == np.arange(classes)
    energies = rng.normal(size=own.shape) * 0.4 - 1.0 * own - favour * ~novel
    logits = rng.normal(size=own.shape) + 5.0 * (own & ~novel)
    return Scores(energies, truth, novel, logits)


def test_figures_by_hand():
    assert zsl(SMALL) == 1.0
    result = plain(SMALL)
    assert (result.seen, result.unseen) == (1.0, 0.25), "class 2 half right, class 3 never"
    assert result.harmonic == pytest.approx(2 * 0.25 / 1.25)
    sampled = plain(SMALL, "sample")
    assert (sampled.seen, sampled.unseen) == (1.0, pytest.approx(1 / 3))
    assert sampled.average == "sample" and not sampled.selected_on_test
    worse = Scores(np.where(np.arange(5)[:, None] == 2, ENERGIES[:, ::-1], ENERGIES), TRUTH, UNSEEN)
    assert zsl(worse) == pytest.approx(0.75)
    assert zsl(worse, "sample") == pytest.approx(2 / 3)


def test_stacking_takes_its_constant_from_pseudo_unseen_classes():
    test, validation = problem(0), problem(1)
    before, after = plain(test), stacking(test, validation)
    assert after.harmonic > before.harmonic + 0.2
    assert after.constants["raised"] == pytest.approx(1.0, abs=0.4), "what seen classes were favoured by"
    assert not after.selected_on_test
    cheated = stacking(test, select_on_test=True)
    assert cheated.selected_on_test
    assert cheated.harmonic >= after.harmonic
    with pytest.raises(UsageError, match="pseudo-unseen"):
        stacking(test)
    other = problem(0, favour=0.0)
    assert stacking(test, other).constants["raised"] < 0.5, "the test's own energies are not looked at"


def test_energies_are_normalized_by_class():
    mean, std = np.array([1.0, 0, 0, 0]), np.array([1.0, 2, 1, 1])
    np.testing.assert_allclose(SMALL.normalized(mean, std).energies, (ENERGIES - mean) / std)


def test_the_threshold_tells_clips_apart_and_a_tie_goes_to_the_middle():
    p_seen = np.concatenate([np.linspace(0.35, 0.69, 50), np.linspace(0.705, 0.95, 50)])
    seen = np.arange(100) >= 50
    threshold, accuracy = choose_threshold(p_seen, seen)
    assert accuracy == 1.0
    assert ((p_seen > threshold) == seen).all()
    symmetric = np.array([0.2, 0.3, 0.7, 0.8])
    assert choose_threshold(symmetric, symmetric > 0.5) == (0.5, 1.0)


def test_synses_gate_chooses_on_validation_unless_told_otherwise(monkeypatch):
    test, validation = problem(0), problem(1)
    ours = synse_gate(test, validation, energy_temperature=0.2)
    assert ours.harmonic > plain(test).harmonic + 0.2
    assert ours.rule == "SynSE gate" and not ours.selected_on_test
    chosen = []

    def watched(p_seen, seen):
        chosen.append(len(p_seen))
        return choose_threshold(p_seen, seen)

    monkeypatch.setattr("train.papers.gzsl.choose_threshold", watched)
    synse_gate(test, validation, energy_temperature=0.2)
    assert chosen == [48] * 9, "nine temperatures, on a fifth of 120 + 120 validation clips"
    chosen.clear()
    assert synse_gate(test, validation, select_on_test=True).selected_on_test
    assert chosen == [300] * 9


def test_the_gate_of_synse_is_tied_to_its_number_of_unseen_classes_and_that_on_energies_is_not():
    test, validation = problem(0), problem(1, classes=9, unseen=3)
    with pytest.raises(UsageError, match="3 pseudo-unseen classes found, the gate needs 4"):
        synse_gate(test, validation)
    with pytest.raises(UsageError, match="own logits"):
        synse_gate(Scores(test.energies, test.truth, test.unseen), validation)
    gated = energy_gate(test, validation, temperature=0.3)
    assert gated.harmonic > plain(test).harmonic + 0.1
    assert 0.25 <= gated.constants["threshold"] <= 0.74
    assert gated == energy_gate(test, validation, temperature=0.3)
    assert energy_gate(test, validation, temperature=0.3, select_on_test=True).selected_on_test


def test_the_logistic_regression_is_at_its_minimum():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    y = rng.random(200) < 1 / (1 + np.exp(-(x @ [1.0, -2, 0.5] + 0.3)))
    weights = logistic_regression(x, y)

    def loss(w):
        sign = np.where(y, 1, -1)
        return 0.5 * (w[:3] ** 2).sum() + np.log1p(np.exp(-sign * (x @ w[:3] + w[3]))).sum()

    for i in range(4):
        for step in (-0.01, 0.01):
            moved = weights.copy()
            moved[i] += step
            assert loss(moved) > loss(weights)
    np.testing.assert_allclose(weights, [1.0, -2, 0.5, 0.3], atol=0.5)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match=r"energies have shape \(5, 3\), must be \(5, 4\)"):
        Scores(ENERGIES[:, :3], TRUTH, UNSEEN)
    with pytest.raises(UsageError, match="0 to 3"):
        Scores(ENERGIES, TRUTH + 1, UNSEEN)
    with pytest.raises(UsageError, match="only one kind"):
        Scores(ENERGIES, TRUTH * 0, UNSEEN)
    with pytest.raises(UsageError, match="5 validation clips"):
        energy_gate(SMALL, SMALL)
