"""What is made of the landmark network's numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_app.pose.landmarks import HEATMAP, POINTS, decode, refine
from edge_app.pose.region import Region


def by_the_book(points: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """The source's loops, word for word, with its slip: the row is not asked whether it is above the last."""
    refined = points.copy()
    for i, (x, y) in enumerate(points):
        column, row = int(x * HEATMAP), int(y * HEATMAP)
        if column < 0 or column >= HEATMAP or row < 0 or column >= HEATMAP:
            continue
        total = best = across = down = 0.0
        for r in range(max(0, row - 3), min(HEATMAP, row + 4)):
            for c in range(max(0, column - 3), min(HEATMAP, column + 4)):
                confidence = 1 / (1 + math.exp(-heatmaps[i, r, c]))
                total, best = total + confidence, max(best, confidence)
                across, down = across + c * confidence, down + r * confidence
        if best >= 0.5 and total > 0:
            refined[i] = across / HEATMAP / total, down / HEATMAP / total
    return refined


def test_refinement_is_the_sources_loop():
    random = np.random.default_rng(0)
    points = random.uniform(-0.1, 1.1, (POINTS, 2))
    points[:6] = [(-0.01, 0.5), (0.5, -0.01), (1.0, 0.5), (0.5, 1.0), (0.5, 1.03), (0, 0)]
    heatmaps = random.normal(-3, 2, (POINTS, HEATMAP, HEATMAP)).astype(np.float32)
    heatmaps[10:20] -= 20  # sure of nothing
    expected = by_the_book(points, heatmaps)
    assert np.allclose(refine(points, heatmaps), expected, atol=1e-6)
    moved = (expected != points).any(axis=1)
    assert moved[[0, 1, 3, 4]].all() and not moved[2] and not moved[10:20].any()


def result(presence: float) -> np.ndarray:
    rows = np.zeros((POINTS, 5), np.float32)
    rows[:, :2] = 128  # the middle
    rows[33, :2], rows[34, :2] = (128, 128), (128, 26)
    rows[0] = [192, 128, 9, 2, 9]
    world = np.zeros((POINTS, 3), np.float32)
    world[0] = [1, 0, 0.5]
    unsure = np.full(POINTS * HEATMAP * HEATMAP, -9, np.float32)
    return np.concatenate([rows.ravel(), [presence], world.ravel(), unsure]).astype(np.float32)


def test_a_region_that_is_turned_turns_what_is_found_in_it():
    body = decode(result(0.9), Region(300, 200, 100, math.pi / 2), 0.5)
    assert body is not None
    assert np.allclose(body.image[0], (300, 225))  # 25 pixels to the right in the region is down in the picture
    assert np.allclose(body.image[1], (300, 200))
    assert np.allclose(body.world[0], (0, 1, 0.5), atol=1e-6)
    assert body.visibility[0] == pytest.approx(1 / (1 + math.exp(-2)))
    assert body.next.angle == pytest.approx(math.pi / 2)
    assert body.next.size == pytest.approx(2 * 1.25 * 100 * 102 / 256)


def test_presence_must_be_above_the_confidence():
    assert decode(result(0.5), Region(0, 0, 1, 0), 0.5) is None
    assert decode(result(0.51), Region(0, 0, 1, 0), 0.5) is not None
