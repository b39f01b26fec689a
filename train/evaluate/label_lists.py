"""Calibration of scores: lists of labels as a user would write them, half of them without what is shown.

The score of a label is what events go by: its softmax share times `known` (`edge_app.events`), here the mean over an
item's windows. A right answer is the right label leading a list that has it; where a list lacks it, no answer is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_app.bundles.bundle import Bundle
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.ranker import Ranker
from edge_app.types import Feature
from train.evaluate.metrics import auroc, expected_calibration_error, reliability, risk_coverage

SIZE = 20
"""Labels in a list."""
LISTS = 500
"""Lists with the answer, and as many without, at least: a few items are asked about several times."""
SEED = 0
COVERAGES = tuple(round(0.05 * i, 2) for i in range(1, 21))


@dataclass(frozen=True, slots=True)
class Item:
    """A clip or a stretch of video: the features of its windows, and what it shows."""

    name: str
    features: list[Feature]


@dataclass(frozen=True, slots=True)
class Answers:
    """One row a list, `[N]`: the best label's score, the mean of `known`, whether it is right, whether it could be."""

    score: np.ndarray
    known: np.ndarray
    right: np.ndarray
    possible: np.ndarray


def unlike(names: Sequence[str], bundle: Bundle, alike: float) -> np.ndarray:
    """Which names mean something else than which, bool `[K, K]`: pooled texts under the bundle's own bound."""
    texts = build_table([Label(name) for name in names], BundleText(bundle), 0).pooled()
    return texts @ texts.T < alike


def ask(items: Sequence[Item], names: Sequence[str], bundle: Bundle, ranker: Ranker) -> Answers:
    """Rank lists of `SIZE` labels drawn from `names` for every item: as many with its name as without.

    No list has another name for what the item shows.
    """
    rng, texts = np.random.default_rng(SEED), BundleText(bundle)
    other = unlike(names, bundle, ranker.calibration.same_text_threshold)
    rows = []
    for item in tqdm(list(items) * -(-LISTS // len(items)), desc="lists", disable=None):
        answer = names.index(item.name)
        rest = rng.permutation(np.flatnonzero(other[answer]))[:SIZE]
        for picked in (np.r_[answer, rest[: SIZE - 1]], rest):
            table = build_table([Label(names[i]) for i in picked], texts, 0)
            rankings = ranker.with_labels(table).rank(item.features)
            belief = np.mean([r.scores.astype(np.float64) * r.known for r in rankings], axis=0)
            best = int(belief.argmax())
            known = float(np.mean([r.known for r in rankings]))
            rows.append((belief[best], known, picked[best] == answer, picked[0] == answer))
    columns = np.array(rows, np.float64).T
    return Answers(columns[0], columns[1], columns[2] > 0, columns[3] > 0)


def describe(answers: Answers, items: int) -> dict[str, Any]:
    """Reliability, risk-coverage and AUROC of the answers."""
    with_answer = answers.possible
    curve = reliability(answers.score, answers.right)
    inside = reliability(answers.score[with_answer], answers.right[with_answer])
    rounded = lambda value: None if value is None else round(value, 4)  # noqa: E731
    return {
        "items": items,
        "lists": len(answers.score),
        "size": SIZE,
        "seed": SEED,
        "top1_with_answer": round(float(answers.right[with_answer].mean()), 4),
        "ece": round(expected_calibration_error(curve), 4),
        "ece_with_answer": round(expected_calibration_error(inside), 4),
        "reliability": [[round(b.confidence, 4), round(b.accuracy, 4), b.size] for b in curve],
        "reliability_with_answer": [[round(b.confidence, 4), round(b.accuracy, 4), b.size] for b in inside],
        "risk_coverage": {
            "with_answer": _risks(answers.score[with_answer], answers.right[with_answer]),
            "with_answer_by_known": _risks(answers.known[with_answer], answers.right[with_answer]),
            "half_without": _risks(answers.score, answers.right),
            "half_without_by_known": _risks(answers.known, answers.right),
        },
        "auroc_unknown": rounded(auroc(answers.known, with_answer)),
        "auroc_unknown_by_score": rounded(auroc(answers.score, with_answer)),
        "auroc_right_with_answer": rounded(auroc(answers.score[with_answer], answers.right[with_answer])),
        "auroc_right_with_answer_by_known": rounded(auroc(answers.known[with_answer], answers.right[with_answer])),
        "auroc_right": rounded(auroc(answers.score, answers.right)),
    }


def _risks(confidence: np.ndarray, right: np.ndarray) -> dict[str, Any]:
    coverage, risk = risk_coverage(confidence, right)
    at = [int(np.ceil(share * len(coverage) - 1e-9)) - 1 for share in COVERAGES]
    return {
        "coverage": list(COVERAGES),
        "risk": [round(float(risk[i]), 4) for i in at],
        "area": round(float(risk.mean()), 4),
    }
