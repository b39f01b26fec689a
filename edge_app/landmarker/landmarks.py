"""From regions of a picture to bodies: MediaPipe's landmark network, all regions of a frame in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge_app.landmarker.region import Region, region_of, turn
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
        crops = np.stack([region.cut(image, SIDE, cv2.BORDER_REPLICATE) for region in regions])
        results = self._session.run(crops[..., ::-1].astype(np.float32) / 255)
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

    heatmaps: logits `[39, 64, 64]`. A landmark outside stays, but for one below the last row: that is what the source
    does, MediaPipe's `refine_landmarks_from_heatmap_calculator.cc`.
    """
    refined = points.copy()
    columns, rows = (points * HEATMAP).astype(int).T  # towards zero
    for i in np.flatnonzero((columns >= 0) & (columns < HEATMAP) & (rows >= 0)):
        left, top = max(columns[i] - REACH, 0), max(rows[i] - REACH, 0)
        near = heatmaps[i, top : rows[i] + REACH + 1, left : columns[i] + REACH + 1]
        weights = 1 / (1 + np.exp(-near))
        total = weights.sum()
        if weights.size and weights.max() >= SURE:
            x = weights.sum(axis=0) @ np.arange(left, left + near.shape[1])
            y = weights.sum(axis=1) @ np.arange(top, top + near.shape[0])
            refined[i] = x / total / HEATMAP, y / total / HEATMAP
    return refined
