"""From regions of a picture to bodies: MediaPipe's landmark network, all regions of a frame in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge_app.pose.region import Region, region_of, turn
from edge_app.runtime.session import Session

SIDE, HEATMAP, POINTS = 256, 64, 39
"""Sides of the network's picture and of its heatmaps, in pixels; landmarks, of which the last six are auxiliary."""
BODY = 33
MIDDLE, RIM = 33, 34
"""The auxiliary landmarks that tell where the region of the next frame is."""
REACH = 3
"""How far around a landmark the heatmap is looked at, in its pixels: a kernel of 7."""
SURE = 0.5
"""The confidence that a heatmap must reach there, for the landmark to be moved."""
_AROUND = np.arange(-REACH, REACH + 1)
_EACH = np.arange(POINTS)[:, None, None]


@dataclass(frozen=True, slots=True)
class Landmarks:
    """One body. image: `[33, 2]` in pixels of the picture; world: `[33, 3]` in metres, MediaPipe's axes; visibility:
    `[33]`, 0 to 1; next: the region to look at in the next frame."""

    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    next: Region


class LandmarkNetwork:
    """The landmark network and what is around it. Source: MediaPipe's `pose_landmarks_detector_graph.cc`.

    session: a network made of "Identity", "Identity_1", "Identity_4" and "Identity_3".
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, image: np.ndarray, regions: Sequence[Region], confidence: float) -> list[Landmarks | None]:
        """The body in each region of a BGR picture, in their order; None where there is none."""
        if not regions:
            return []
        batch = np.empty((len(regions), SIDE, SIDE, 3), np.float32)
        for crop, region in zip(batch, regions, strict=True):
            rgb = cv2.cvtColor(region.cut(image, SIDE, cv2.BORDER_REPLICATE), cv2.COLOR_BGR2RGB)
            np.multiply(rgb, np.float32(1 / 255), out=crop)
        results = self._session.run(batch)
        return [decode(result, region, confidence) for result, region in zip(results, regions, strict=True)]


def decode(result: np.ndarray, region: Region, confidence: float) -> Landmarks | None:
    """What the network says of one region; None where no body is there.

    Source: MediaPipe's `tensors_to_landmarks_calculator.cc`, `thresholding_calculator.cc`,
    `visibility_copy_calculator.cc` and `world_landmark_projection_calculator.cc`.
    """
    points, presence, world, heatmaps = np.split(result, np.cumsum([5 * POINTS, 1, 3 * POINTS]))
    if presence[0] <= confidence:
        return None
    rows = points.reshape(POINTS, 5)  # x, y, z, visibility, presence
    image = region.to_picture(refine(rows[:, :2] / SIDE, heatmaps.reshape(POINTS, HEATMAP, HEATMAP)))
    metres = world.reshape(POINTS, 3)[:BODY].copy()
    metres[:, :2] = metres[:, :2] @ turn(region.angle)
    visibility = 1 / (1 + np.exp(-rows[:BODY, 3]))
    return Landmarks(image[:BODY], metres, visibility, region_of(image[MIDDLE], image[RIM]))


def refine(points: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Landmarks `[39, 2]`, in sides of the region, moved to the heatmaps' mean around each where these are sure.

    heatmaps: logits `[39, 64, 64]`. A landmark outside stays, but for one just below the last row: that is what the
    source does, MediaPipe's `refine_landmarks_from_heatmap_calculator.cc`.
    """
    x, y = (points * HEATMAP).astype(int).T[..., None] + _AROUND  # each `[39, 7]`; astype is towards zero
    inside = ((x >= 0) & (x < HEATMAP))[:, None, :] & ((y >= 0) & (y < HEATMAP))[:, :, None]
    near = heatmaps[_EACH, y.clip(0, HEATMAP - 1)[:, :, None], x.clip(0, HEATMAP - 1)[:, None, :]]
    weights = inside / (1 + np.exp(-near))
    columns, rows = x[:, REACH], y[:, REACH]
    moved = (weights.max(axis=(1, 2)) >= SURE) & (columns >= 0) & (columns < HEATMAP) & (rows >= 0)
    means = np.stack([(weights.sum(axis=1) * x).sum(axis=1), (weights.sum(axis=2) * y).sum(axis=1)], axis=1)
    total = np.where(moved, weights.sum(axis=(1, 2)), 1)[:, None]
    return np.where(moved[:, None], means / total / HEATMAP, points)
