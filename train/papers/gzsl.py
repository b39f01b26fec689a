"""Zero-shot (ZSL) and generalised zero-shot (GZSL) figures, and the rules that weigh seen against unseen classes.

Energies of seen classes are lower only because they were trained on, so that GZSL needs a rule: calibrated stacking
(METHODS.md 2.11), the gate of SynSE that SA-DVAE and FS-VAE use (5.4), or a gate on energies alone, which also serves
label sets of other sizes. Every rule has constants. They are chosen on pseudo-unseen classes: classes withheld from the
training beside the true unseen ones. `select_on_test` chooses them on the test itself, as some papers do; the result
says so.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from edge_app.errors import UsageError
from edge_app.ranker.calibration import log_sum_exp
from train.evaluate.metrics import _sigmoid, class_mean, harmonic, logistic_regression, places

Average = Literal["class", "sample"]
"""Accuracies as means over classes (ours), or over clips (the papers', METHODS.md 5.5)."""
THRESHOLDS = np.arange(25, 75) / 100
TEMPERATURES = tuple(map(float, range(1, 10)))
HELD_OUT = 5
"""One in so many clips chooses a gate's temperature and threshold; the others train the gate."""
RIDGE = 0.5
"""scikit-learn's multinomial regression of two classes (C = 1) pays for w and -w: half a ridge on their difference."""


@dataclass(frozen=True)
class Gate:
    """How SynSE's gate comes by its temperature and threshold.

    kind: "mended" and "released" search both; the released search takes the threshold of p(unseen) for one of p(seen)
        (METHODS.md 5.4), and the first of equals. "fixed" has them given, as FS-VAE and SA-DVAE on NTU-120 do, and
        trains on all clips (INFERRED).
    most, share: of clips of a kind at most `most`, and one in `share`, choose; the others train. FS-VAE's is one in
        five, SA-DVAE's one in six and at most 300.
    """

    kind: Literal["mended", "released", "fixed"] = "mended"
    temperature: float = 2.0
    threshold: float = 0.5
    share: int = HELD_OUT
    most: int = 1_000_000

    @property
    def rule(self) -> str:
        return "SynSE gate" + {"mended": "", "released": ", as released", "fixed": ", fixed"}[self.kind]


MENDED = Gate()


@dataclass(frozen=True)
class Scores:
    """What was found for clips.

    energies: `[N, K]`, lower is better. truth: int `[N]`. unseen: bool `[K]`, classes that training never saw.
    logits: `[N, K]`, the encoder's own classifier, of which the best seen class is taken; for SynSE's gate.
    every: `[N, C]`, all outputs of that classifier, where it has others than the K; the gate reads their highest.

    Raises:
        UsageError: arrays that do not fit, or clips that are all of seen classes, or all of unseen ones.
    """

    energies: np.ndarray
    truth: np.ndarray
    unseen: np.ndarray
    logits: np.ndarray | None = None
    every: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.truth), len(self.unseen))
        for name, found in (("energies", self.energies), ("logits", self.logits)):
            if found is not None and found.shape != shape:
                raise UsageError(f"gzsl: {name} have shape {found.shape}, must be {shape}")
        if not len(self.truth) or self.truth.min() < 0 or self.truth.max() >= len(self.unseen):
            raise UsageError(f"gzsl: truth must be 0 to {len(self.unseen) - 1}, and not empty")
        if len(np.unique(self.of_unseen)) < 2:
            raise UsageError("gzsl: clips of seen and of unseen classes are needed, only one kind found")

    @property
    def of_unseen(self) -> np.ndarray:
        """bool `[N]`: which clips are of unseen classes."""
        return self.unseen[self.truth]

    def rows(self, chosen: np.ndarray) -> Scores:
        logits, every = (None if given is None else given[chosen] for given in (self.logits, self.every))
        return Scores(self.energies[chosen], self.truth[chosen], self.unseen, logits, every)

    def normalized(self, mean: np.ndarray, std: np.ndarray) -> Scores:
        """Energies less each class's mean over its spread, both `[K]` over the seen training clips (2.11)."""
        return dataclasses.replace(self, energies=(self.energies - mean) / std)


@dataclass(frozen=True)
class Gzsl:
    """Accuracies of a rule among all classes. selected_on_test: its constants were chosen on the test clips."""

    rule: str
    seen: float
    unseen: float
    harmonic: float
    average: Average
    constants: dict[str, float] = field(default_factory=dict)
    selected_on_test: bool = False


def zsl(scores: Scores, average: Average = "class") -> float:
    """Top-1 of the unseen classes' clips among the unseen classes."""
    columns, rows = np.flatnonzero(scores.unseen), scores.of_unseen
    own = np.searchsorted(columns, scores.truth[rows])
    hits = places(scores.energies[rows][:, columns], own) == 0
    return class_mean(hits, own) if average == "class" else float(hits.mean())


def accuracies(
    guess: np.ndarray, truth: np.ndarray, unseen: np.ndarray, average: Average = "class"
) -> tuple[float, float]:
    """Top-1 of the clips of seen and of unseen classes. guess, truth: int `[N]`; unseen: bool `[K]`."""
    hits, novel = guess == truth, unseen[truth]
    if average == "sample":
        return float(hits[~novel].mean()), float(hits[novel].mean())
    return class_mean(hits[~novel], truth[~novel]), class_mean(hits[novel], truth[novel])


def seen_and_unseen(
    energies: np.ndarray, truth: np.ndarray, unseen: np.ndarray, raised: float = 0.0, average: Average = "class"
) -> tuple[float, float]:
    """Top-1 of seen and of unseen classes among all of them, seen classes' energies `raised`."""
    return accuracies((energies + raised * ~unseen).argmin(axis=1), truth, unseen, average)


def plain(test: Scores, average: Average = "class") -> Gzsl:
    """No rule at all: the lowest energy."""
    return _result("plain", test.energies.argmin(axis=1), test, average, {}, False)


def stacking(
    test: Scores, validation: Scores | None = None, *, average: Average = "class", select_on_test: bool = False
) -> Gzsl:
    """Calibrated stacking: seen energies are raised by what makes the harmonic mean largest (2.11)."""
    chosen = _selection(test, validation, select_on_test)
    gap = _lowest(chosen, chosen.unseen) - _lowest(chosen, ~chosen.unseen)
    grid = np.append(0.0, np.quantile(gap, np.linspace(0, 1, 201)) + 1e-9)
    curve = [
        harmonic(*seen_and_unseen(chosen.energies, chosen.truth, chosen.unseen, raised, average)) for raised in grid
    ]
    raised = float(grid[int(np.argmax(curve))])
    guess = (test.energies + raised * ~test.unseen).argmin(axis=1)
    return _result("stacking", guess, test, average, {"raised": raised}, select_on_test)


def energy_gate(
    test: Scores, validation: Scores, *, temperature: float = 0.1, average: Average = "class",
    select_on_test: bool = False, seed: int = 0,
) -> Gzsl:  # fmt: skip
    """A logistic regression on numbers that do not depend on how many classes there are decides "seen" (5.4, INFERRED).

    Of seen and of unseen classes: the highest share of a softmax(-E / temperature), its entropy over its largest
    possible one, the gap of the two lowest energies, and the lowest energy.
    """
    train, held = _halves(validation, seed)
    mean, std = (of(_gate_numbers(train, temperature), axis=0) for of in (np.mean, np.std))

    def numbers(scores: Scores) -> np.ndarray:
        return (_gate_numbers(scores, temperature) - mean) / (std + 1e-9)

    weights = logistic_regression(numbers(train), ~train.of_unseen)
    judged = test if select_on_test else held
    threshold, _ = choose_threshold(_sigmoid(numbers(judged), weights), ~judged.of_unseen)
    guess = _gated(test, _sigmoid(numbers(test), weights) > threshold, -test.energies)
    return _result("energy gate", guess, test, average, {"threshold": threshold}, select_on_test)


def synse_gate(
    test: Scores, validation: Scores, *, gate: Gate = MENDED, energy_temperature: float = 1.0,
    average: Average = "class", select_on_test: bool = False, seed: int = 0,
) -> Gzsl:  # fmt: skip
    """SynSE's gate (5.4): sorted probabilities of both classifiers, logistic regression, then one of the classifiers.

    Temperature and threshold are those with the best accuracy of the gate on clips held out, which METHODS.md leaves
    open; ties go to the threshold nearest 0.5. Or they are as `gate` has them.

    Args:
        energy_temperature: divides unseen classes' energies before the softmax; 1 for a classifier's negative logits.

    Raises:
        UsageError: no logits, or another number of unseen classes in validation than in test.
    """
    count = int(test.unseen.sum())
    if test.logits is None or validation.logits is None:
        raise UsageError("gzsl: SynSE's gate needs the encoder's own logits")
    if int(validation.unseen.sum()) != count:
        raise UsageError(f"gzsl: {int(validation.unseen.sum())} pseudo-unseen classes found, the gate needs {count}")
    if min(int((~test.unseen).sum()), int((~validation.unseen).sum())) < count:
        raise UsageError(f"gzsl: SynSE's gate needs at least {count} seen classes")
    train, held = (validation, test) if gate.kind == "fixed" else _halves(validation, seed, gate.share, gate.most)
    judged = test if select_on_test else held
    best = (-1.0, 0.0, 0.0, np.zeros(0))
    for temperature in (gate.temperature,) if gate.kind == "fixed" else TEMPERATURES:
        numbers = _synse_numbers(train, temperature, energy_temperature)
        weights = logistic_regression(numbers, ~train.of_unseen, on_weights=RIDGE)
        if gate.kind == "fixed":
            best = 0.0, temperature, gate.threshold, weights
            break
        p_seen = _sigmoid(_synse_numbers(judged, temperature, energy_temperature), weights)
        choose = released_threshold if gate.kind == "released" else choose_threshold
        threshold, accuracy = choose(p_seen, ~judged.of_unseen)
        if accuracy > best[0]:
            best = accuracy, temperature, threshold, weights
    _, temperature, threshold, weights = best
    p_seen = _sigmoid(_synse_numbers(test, temperature, energy_temperature), weights)
    guess = _gated(test, p_seen > threshold, test.logits)
    constants = {"temperature": temperature, "threshold": threshold}
    return _result(gate.rule, guess, test, average, constants, select_on_test and gate.kind != "fixed")


def choose_threshold(p_seen: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """The threshold on p(seen) at which most clips are judged rightly, and their share.

    SynSE's released code looks for it with p(unseen) > threshold for "unseen", then applies it as p(seen) > threshold
    for "seen": a bug, since the two agree only at 0.5 (METHODS.md 5.4). `released_threshold` repeats it.

    Args:
        p_seen: `[N]`; seen: bool `[N]`.
    """
    accuracy = [float(((p_seen > t) == seen).mean()) for t in THRESHOLDS]
    best = np.flatnonzero(np.array(accuracy) == max(accuracy))
    at = int(best[np.abs(THRESHOLDS[best] - 0.5).argmin()])
    return float(THRESHOLDS[at]), accuracy[at]


def released_threshold(p_seen: np.ndarray, seen: np.ndarray) -> tuple[float, float]:
    """With the released code's slip: the first threshold of p(unseen) at which most clips are judged rightly."""
    accuracy = [float(((1 - p_seen > t) != seen).mean()) for t in THRESHOLDS]
    at = int(np.argmax(accuracy))
    return float(THRESHOLDS[at]), accuracy[at]


def _lowest(scores: Scores, columns: np.ndarray) -> np.ndarray:
    return scores.energies[:, columns].min(axis=1)


def _gate_numbers(scores: Scores, temperature: float) -> np.ndarray:
    """The eight numbers of `energy_gate`: `[N, 8]`."""
    found = []
    for columns in (~scores.unseen, scores.unseen):
        energies = np.sort(scores.energies[:, columns].astype(np.float64), axis=1)
        log_p = -energies / temperature - log_sum_exp(-energies / temperature)[:, None]
        entropy = -(np.exp(log_p) * log_p).sum(axis=1) / np.log(max(energies.shape[1], 2))
        gap = energies[:, min(1, energies.shape[1] - 1)] - energies[:, 0]
        found += [np.exp(log_p[:, 0]), entropy, gap, energies[:, 0]]
    return np.stack(found, axis=1)


def _synse_numbers(scores: Scores, temperature: float, energy_temperature: float) -> np.ndarray:
    """The highest U probabilities of each classifier, sorted: `[N, 2 U]`; the encoder's are shares of all outputs."""
    every = scores.logits if scores.every is None else scores.every
    assert every is not None
    count, found = int(scores.unseen.sum()), []
    for logits in (-scores.energies[:, scores.unseen] / energy_temperature, every / temperature):
        p = np.exp(logits.astype(np.float64) - log_sum_exp(logits.astype(np.float64))[:, None])
        found.append(-np.sort(-p, axis=1)[:, :count])
    return np.concatenate(found, axis=1)


def _gated(scores: Scores, seen: np.ndarray, seen_logits: np.ndarray) -> np.ndarray:
    """The best seen class by logits where `seen` says so, else the best unseen class by energy: int `[N]`."""
    known, novel = np.flatnonzero(~scores.unseen), np.flatnonzero(scores.unseen)
    among_seen = known[seen_logits[:, known].argmax(axis=1)]
    return np.where(seen, among_seen, novel[scores.energies[:, novel].argmin(axis=1)])


def _halves(validation: Scores, seed: int, share: int = HELD_OUT, most: int = 1_000_000) -> tuple[Scores, Scores]:
    """As many clips of seen as of unseen classes, in a part that trains a gate and a part that chooses its constants.

    Sub-sampling to equal counts is SA-DVAE's, the share held out FS-VAE's (5.4).
    """
    rng = np.random.default_rng(seed)
    kinds = [rng.permutation(np.flatnonzero(validation.of_unseen == kind)) for kind in (False, True)]
    count = min(map(len, kinds))
    if count < HELD_OUT:
        raise UsageError(f"gzsl: a gate needs {HELD_OUT} validation clips of seen and of unseen classes, {count} found")
    kept = max(1, min(most, count // share))
    held = [kind[:kept] for kind in kinds]
    train = [kind[kept:count] for kind in kinds]
    return validation.rows(np.concatenate(train)), validation.rows(np.concatenate(held))


def _selection(test: Scores, validation: Scores | None, select_on_test: bool) -> Scores:
    if select_on_test:
        return test
    if validation is None:
        raise UsageError("gzsl: constants are chosen on pseudo-unseen classes; give validation, or select_on_test")
    return validation


def _result(
    rule: str, guess: np.ndarray, test: Scores, average: Average, constants: dict[str, float], select_on_test: bool
) -> Gzsl:
    seen, unseen = accuracies(guess, test.truth, test.unseen, average)
    return Gzsl(rule, seen, unseen, harmonic(seen, unseen), average, constants, select_on_test)
