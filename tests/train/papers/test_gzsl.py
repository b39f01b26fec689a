"""ZSL and GZSL figures by hand; gates; nothing chosen on test unasked."""

import dataclasses

import numpy as np
import pytest
import torch

from edge_app.errors import UsageError
from train.evaluate.metrics import logistic_regression
from train.papers.gzsl import (
    RIDGE,
    Gate,
    Scores,
    choose_threshold,
    energy_gate,
    plain,
    released_threshold,
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


def by_scikit(numbers: np.ndarray, seen: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """p(seen) by what `LogisticRegression(C=1, multi_class="multinomial")` minimises: two rows of weights, each paid
    for with half its square, biases free, and the cross-entropy of a softmax."""
    x, y = torch.from_numpy(numbers), torch.from_numpy(seen).long()
    w, b = (torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in ((2, x.shape[1]), (2,)))
    optimiser = torch.optim.LBFGS([w, b], max_iter=500, tolerance_grad=1e-10, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = 0.5 * w.square().sum() + torch.nn.functional.cross_entropy(x @ w.T + b, y, reduction="sum")
        value.backward()
        return value

    optimiser.step(loss)
    return (torch.from_numpy(asked) @ w.T + b).softmax(1)[:, 1].detach().numpy()


def numbers_by_loops(scores: Scores, temperature: float) -> np.ndarray:
    """The highest probabilities among unseen classes, then among all of the encoder's outputs; as many of both."""
    count, rows = int(scores.unseen.sum()), []
    for energies, logits in zip(scores.energies, scores.every, strict=True):
        novel, every = np.exp(-energies[scores.unseen]), np.exp(logits / temperature)
        both = [sorted(p / p.sum(), reverse=True)[:count] for p in (novel, every)]
        rows.append([*both[0], *both[1]])
    return np.array(rows)


def test_the_fixed_gate_is_the_released_one_written_anew():
    test, validation = (dataclasses.replace(problem(seed), every=problem(seed + 5).logits) for seed in (0, 1))
    found = synse_gate(test, validation, gate=Gate("fixed", temperature=2.0, threshold=0.5))
    trained, asked = (numbers_by_loops(scores, 2.0) for scores in (validation, test))
    p_seen = by_scikit(trained, ~validation.of_unseen, asked)
    known, novel = np.flatnonzero(~test.unseen), np.flatnonzero(test.unseen)
    guess = [
        known[test.logits[i, known].argmax()] if p > 0.5 else novel[test.energies[i, novel].argmin()]
        for i, p in enumerate(p_seen)
    ]
    hits = np.array(guess) == test.truth
    assert (found.seen, found.unseen) == pytest.approx((
        np.mean([hits[test.truth == k].mean() for k in known]), np.mean([hits[test.truth == k].mean() for k in novel])
    ))  # fmt: skip
    assert found.rule == "SynSE gate, fixed" and found.constants == {"temperature": 2.0, "threshold": 0.5}
    assert not synse_gate(test, validation, gate=Gate("fixed"), select_on_test=True).selected_on_test


def test_the_gates_probabilities_are_scikits():
    """Half a ridge on the difference of its two rows of weights, no more and no less."""
    validation = dataclasses.replace(problem(1), every=problem(6).logits)
    trained, asked = (
        numbers_by_loops(validation, 3.0),
        numbers_by_loops(dataclasses.replace(problem(2), every=problem(7).logits), 3.0),
    )
    weights = logistic_regression(trained, ~validation.of_unseen, on_weights=RIDGE)
    found = 1 / (1 + np.exp(-(asked @ weights[:-1] + weights[-1])))
    expected = by_scikit(trained, ~validation.of_unseen, asked)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    for ridge in (0.4, 0.6):
        other = logistic_regression(trained, ~validation.of_unseen, on_weights=ridge)
        assert np.abs(1 / (1 + np.exp(-(asked @ other[:-1] + other[-1]))) - expected).max() > 1e-4


def test_the_released_search_takes_p_unseen_for_p_seen():
    p_seen = np.array([0.3, 0.36, 0.38, 0.9])
    seen = np.array([False, True, True, True])
    assert choose_threshold(p_seen, seen) == (0.35, 1.0)
    threshold, accuracy = released_threshold(p_seen, seen)
    assert accuracy == 1.0 and threshold == 0.64, (
        "the first at which 1 - p tells them apart; p(seen) is then held to it"
    )
    test, validation = problem(0), problem(1)
    mended, released = (synse_gate(test, validation, gate=Gate(kind)) for kind in ("mended", "released"))
    assert (
        released.rule == "SynSE gate, as released" and mended.constants["threshold"] != released.constants["threshold"]
    )


def test_what_makes_no_sense_is_refused():
    with pytest.raises(UsageError, match=r"energies have shape \(5, 3\), must be \(5, 4\)"):
        Scores(ENERGIES[:, :3], TRUTH, UNSEEN)
    with pytest.raises(UsageError, match="0 to 3"):
        Scores(ENERGIES, TRUTH + 1, UNSEEN)
    with pytest.raises(UsageError, match="only one kind"):
        Scores(ENERGIES, TRUTH * 0, UNSEEN)
    with pytest.raises(UsageError, match="5 validation clips"):
        energy_gate(SMALL, SMALL)
