"""The detector's steps, each by hand, and the whole of it on a figure."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.pose.choose import ChosenPose
from edge_app.pose.detector import VALUES, anchors, decode, letterbox, overlaps, suppress
from edge_app.pose.figure import draw_figure
from edge_app.types import Frame


def test_anchors_are_in_the_order_of_cells():
    middles = anchors()
    assert middles.shape == (2254, 2)
    assert np.allclose(middles[:4], np.array([[0.5, 0.5], [0.5, 0.5], [1.5, 0.5], [1.5, 0.5]]) / 28)
    assert np.allclose(middles[1568], [0.5 / 14] * 2)  # stride 16 begins
    assert np.allclose(middles[1960:1966], [0.5 / 7] * 2)  # three layers of stride 32 share their cells
    assert np.allclose(middles[-1], [6.5 / 7] * 2)


def test_boxes_are_moved_by_their_anchor_and_the_surest_comes_first():
    middles = np.array([[0.25, 0.5], [0.5, 0.5], [0.75, 0.5]], np.float32)
    boxes = np.zeros((3, VALUES), np.float32)
    boxes[2] = [22.4, -22.4, 112, 56, 0, 0, 0, 112, 0, 0, 0, 0]
    result = np.concatenate([boxes.ravel(), [1.0, -200.0, 200.0]]).astype(np.float32)
    found, scores = decode(result, middles, 0.5)
    assert scores == pytest.approx([1, 1 / (1 + np.exp(-1))])
    assert np.allclose(found[0], [0.85, 0.4, 0.5, 0.25, 0.75, 0.5, 0.75, 1, 0.75, 0.5, 0.75, 0.5])


def test_overlapping_boxes_become_their_weighted_mean():
    def box(x: float) -> list[float]:
        return [x, 0.5, 0.2, 0.2, *[x] * 8]

    boxes, scores = np.array([box(0.3), box(0.8), box(0.31)]), np.array([0.9, 0.8, 0.6])
    first, second = suppress(boxes, scores)
    assert np.allclose(first, box((0.3 * 0.9 + 0.31 * 0.6) / 1.5))
    assert np.allclose(second, box(0.8))
    assert suppress(boxes[:0], scores[:0]) == []
    assert overlaps(boxes[0], boxes) == pytest.approx([1, 0, 0.19 / 0.21])


def test_the_letterbox_is_the_square_around_the_picture():
    wide = letterbox(np.zeros((100, 300, 3), np.uint8))
    assert (wide.x, wide.y, wide.size, wide.angle) == (150, 50, 300, 0)


def test_nobody_in_an_empty_picture_and_one_in_the_figures(runtime_pose: ChosenPose):
    with runtime_pose.one(video=False) as backend:
        assert backend.estimate(Frame("cam", 0, 0, np.full((480, 640, 3), 190, np.uint8))).poses == ()
        assert len(backend.estimate(Frame("cam", 0, 0, draw_figure())).poses) == 1
