"""Metrics: pure functions on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from edge_app.ranker.calibration import log_sum_exp
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.ranker import Ranker
from edge_app.types import Feature

TEMPERATURES = tuple(float(t) for t in np.geomspace(0.05, 1.6, 11).round(3))
"""The grid on which the best temperature is searched: half octaves."""


def places(energies: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """How many labels come before the right one, int `[N]`; ties go to the lower index.

    Args:
        energies: `[N, K]`, lower is better. truth: int `[N]`.
    """
    return (np.argsort(energies, axis=1, kind="stable") == truth[:, None]).argmax(axis=1)


def class_mean(hits: np.ndarray, truth: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Mean over classes of the mean over each class's rows, weighted if `weights` are given."""
    w = np.ones(len(truth)) if weights is None else weights
    return float(np.mean([np.average(hits[truth == k], weights=w[truth == k]) for k in np.unique(truth)]))


def score(energies: np.ndarray, truth: np.ndarray, names: tuple[str, ...], seen: set[str] | None) -> dict[str, Any]:
    """Accuracies of a ranking by energy; ties go to the lower index."""
    place = places(energies, truth)
    per_class = {names[k]: round(float((place[truth == k] == 0).mean()), 4) for k in np.unique(truth)}
    result: dict[str, Any] = {
        "top1_class_mean": round(float(np.mean(list(per_class.values()))), 4),
        "top5_class_mean": round(class_mean(place < 5, truth), 4),
        "top1": round(float((place == 0).mean()), 4),
        "top5": round(float((place < 5).mean()), 4),
        "chance": round(1 / len(names), 4),
        "clips": len(truth),
        "per_class": per_class,
    }
    if seen is not None:
        parts = split_mean(per_class, seen)
        s, u = parts[True] or 0.0, parts[False] or 0.0
        result["gzsl"] = {"seen": round(s, 4), "unseen": round(u, 4), "harmonic": round(harmonic(s, u), 4)}
    return result


def harmonic(seen: float, unseen: float) -> float:
    return 2 * seen * unseen / (seen + unseen) if seen + unseen else 0.0


def split_mean(per_class: dict[str, float], inside: set[str]) -> dict[bool, float | None]:
    """Mean of the values whose name is `inside`, and of the others; None where there are none."""
    parts = {part: [v for name, v in per_class.items() if (name in inside) == part] for part in (True, False)}
    return {part: float(np.mean(values)) if values else None for part, values in parts.items()}


def derangement(count: int, rng: np.random.Generator) -> np.ndarray:
    """A random order of `count` things, two or more, in which nothing stays in its place."""
    while True:
        order = rng.permutation(count)
        if not (order == np.arange(count)).any():
            return order


def shuffled_top1(energies: np.ndarray, truth: np.ndarray, *, times: int = 5, seed: int = 1) -> float | None:
    """Class-mean top-1 with the classes' texts shuffled: what is above it comes from the words."""
    count = energies.shape[1]
    if count < 2:
        return None
    rng = np.random.default_rng(seed)
    shuffled = (energies[:, derangement(count, rng)] for _ in range(times))
    return round(float(np.mean([class_mean(places(e, truth) == 0, truth) for e in shuffled])), 4)


def nll(energies: np.ndarray, truth: np.ndarray, temperature: float) -> np.ndarray:
    """Negative log-likelihood of the right label: float64 `[N]`."""
    logits = -energies.astype(np.float64) / temperature
    return log_sum_exp(logits) - logits[np.arange(len(truth)), truth]


class Bin(NamedTuple):
    """One bar of a reliability curve: how sure, how often right, how many."""

    confidence: float
    accuracy: float
    size: int


def reliability(confidence: np.ndarray, correct: np.ndarray) -> list[Bin]:
    """Of ten bins of equal width from 0 to 1, those that hold something.

    Args:
        confidence: `[N]`, 0 to 1; 1.0 falls into the last bin. correct: bool `[N]`.
    """
    which = np.minimum((confidence * 10).astype(np.int64), 9)
    return [
        Bin(float(confidence[which == b].mean()), float(correct[which == b].mean()), int((which == b).sum()))
        for b in np.unique(which)
    ]


def expected_calibration_error(curve: Sequence[Bin]) -> float:
    """Mean distance of confidence and accuracy, weighted by counts (Naeini et al. 2015)."""
    total = sum(b.size for b in curve)
    return sum(b.size * abs(b.confidence - b.accuracy) for b in curve) / total


def risk_coverage(confidence: np.ndarray, correct: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share answered and share wrong among the answered, if only the n surest are answered, for n = 1 … N."""
    order = np.argsort(-confidence, kind="stable")
    count = np.arange(1, len(order) + 1)
    return count / len(order), np.cumsum(~correct[order]) / count


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Probability that a positive scores above a negative (ties count half); None without both."""
    p, n = int(positive.sum()), int((~positive).sum())
    if not p or not n:
        return None
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((rank[positive].sum() - p * (p + 1) / 2) / (p * n))


class Span(NamedTuple):
    """A label and when it holds; `announced_s` is when an event was published, NaN for what was only labelled."""

    label: str
    start_s: float
    end_s: float
    announced_s: float = float("nan")


def meets(event: Span, segment: Span) -> bool:
    return event.label == segment.label and event.start_s < segment.end_s and event.end_s > segment.start_s


def match_events(events: Sequence[Span], segments: Sequence[Span]) -> tuple[list[bool], list[float | None]]:
    """For each event whether a segment of its label overlaps it; for each segment the seconds from its start until the
    first event that overlaps it was announced, None where there is none."""
    right = [any(meets(event, segment) for segment in segments) for event in events]
    delays = []
    for segment in segments:
        found = [event.announced_s - segment.start_s for event in events if meets(event, segment)]
        delays.append(min(found) if found else None)
    return right, delays


def label_changes(t_s: np.ndarray, best: np.ndarray, start_s: float, end_s: float) -> tuple[int, float]:
    """How often the best label of rankings at times `t_s` changes from `start_s` to `end_s`, and over what time."""
    inside = (t_s >= start_s) & (t_s <= end_s)
    if inside.sum() < 2:
        return 0, 0.0
    return int((np.diff(best[inside]) != 0).sum()), float(np.ptp(t_s[inside]))


def rounded_mean(values: Sequence[float], digits: int = 4) -> list[float | None]:
    """`mean_and_deviation`, rounded for JSON."""
    return [None if value is None else round(value, digits) for value in mean_and_deviation(values)]


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean and standard deviation (n - 1); None instead of the latter for a single value."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


def logistic_regression(
    x: np.ndarray, y: np.ndarray, steps: int = 30, *, on_weights: float = 1.0, on_bias: float = 1e-6
) -> np.ndarray:
    """Weights `[F + 1]`, the bias last: half their squares times a ridge, plus the sum of log-losses (C = 1).

    Args:
        x: `[N, F]`; y: bool `[N]`. Newton's method. on_weights, on_bias: the ridge.
    """
    design = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    ridge = np.append(np.full(x.shape[1], on_weights), on_bias)
    weights = np.zeros(design.shape[1])
    for _ in range(steps):
        p = _sigmoid(x, weights)
        gradient = design.T @ (p - y) + ridge * weights
        hessian = (design * (p * (1 - p))[:, None]).T @ design + np.diag(ridge)
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def _sigmoid(x: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x @ weights[:-1] + weights[-1], -30, 30)))


def item_means(values: np.ndarray, item: np.ndarray) -> np.ndarray:
    """Mean over each item's windows, items in rising order: `[W, K]`, int `[W]` -> float64 `[N, K]`."""
    return np.stack([values[item == i].mean(axis=0, dtype=np.float64) for i in np.unique(item)])


def mean_energies(features: Sequence[list[Feature]], ranker: Ranker, table: LabelTable) -> np.ndarray:
    """Energies of a table's labels, the mean over each item's windows: float64 `[N, K]`."""
    ranker = ranker.with_labels(table)
    energies = [ranker.energies(np.stack([f.vector for f in item]))[:, : len(table.labels)] for item in features]
    return item_means(np.concatenate(energies), np.repeat(np.arange(len(features)), [*map(len, features)]))
