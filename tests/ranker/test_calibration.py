"""Scores and `known` from energies."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.bundles.bundle import Calibration
from edge_app.ranker.calibration import background_mask, calibrate_scores

CALIBRATION = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3)


def test_background_like_a_label_does_not_count_against_it():
    random = np.random.default_rng(0).normal(size=(7, 2, 8)).astype(np.float32)
    texts = (random / np.linalg.norm(random, axis=2, keepdims=True)).reshape(7, 16)
    assert background_mask(texts[:3], np.concatenate([texts[1:2], texts[3:]]), 1.3).tolist() == [False, *[True] * 4]


def test_known_asks_whether_a_label_explains_the_window_better_than_the_background():
    energies = np.array([[0.1, 0.9, 0.9]], np.float32)
    near, far = (calibrate_scores(energies, np.array([[e]], np.float32), CALIBRATION)[1][0] for e in (0.05, 0.9))
    assert near < 0.5 < far
    scores, known = calibrate_scores(energies, np.zeros((1, 0), np.float32), CALIBRATION)
    assert known[0] == pytest.approx(1.0)
    weights = np.exp(-energies / 0.1)
    np.testing.assert_allclose(scores, weights / weights.sum(), rtol=1e-5)
