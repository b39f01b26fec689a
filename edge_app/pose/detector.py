"""Where people are in a picture: MediaPipe's pose detector, from the picture to a region for each."""

from __future__ import annotations

import cv2
import numpy as np

from edge_app.pose.region import Region, region_of
from edge_app.runtime.session import Session

SIDE = 224
"""Of the network's picture, in pixels."""
STRIDES = (8, 16, 32, 32, 32)
VALUES = 12
"""Of an anchor: x, y, width and height of a box, and x, y of four points."""
CLIP = 80.0
"""Of logits; MediaPipe's 100 gives the same scores, but leaves the range of float32."""
OVERLAP = 0.3
"""From which intersection over union on two boxes are one person's."""


class Detector:
    """The detector's network and what is around it. Source: MediaPipe's `pose_detector_graph.cc`.

    session: a network made of "Identity" and "Identity_1".
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._anchors = anchors()

    def detect(self, image: np.ndarray, confidence: float) -> list[Region]:
        """A region for each person found in a BGR picture, the surest first."""
        square = letterbox(image)
        crop = square.cut(image, SIDE, cv2.BORDER_CONSTANT)[None, :, :, ::-1].astype(np.float32) / 127.5 - 1
        boxes, scores = decode(self._session.run(crop)[0], self._anchors, confidence)
        points = [square.to_picture(box[4:].reshape(-1, 2)) for box in suppress(boxes, scores)]
        return [region_of(middle, rim) for middle, rim, *_ in points]


def letterbox(image: np.ndarray) -> Region:
    """The smallest square around a whole picture. Source: `PadRoi` in MediaPipe's `image_to_tensor_utils.cc`."""
    height, width = image.shape[:2]
    return Region(width / 2, height / 2, max(width, height), 0.0)


def anchors() -> np.ndarray:
    """The middle of each anchor in sides of the picture: float32 `[2254, 2]`.

    Layers of one stride share their cells, and a cell has two anchors a layer. Source: MediaPipe's
    `ssd_anchors_calculator.cc` with offset 0.5, one aspect ratio and fixed anchor size.
    """
    parts = []
    for stride in sorted(set(STRIDES)):
        cells = SIDE // stride
        middles = (np.arange(cells, dtype=np.float32) + 0.5) / cells
        grid = np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)
        parts.append(grid.repeat(2 * STRIDES.count(stride), axis=0))
    return np.concatenate(parts)


def decode(result: np.ndarray, middles: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (x, y, width, height, four points) `[N, 12]` in sides of the picture, and scores `[N]`, best first.

    Source: MediaPipe's `tensors_to_detections_calculator.cc`.
    """
    count = len(middles)
    logits = np.clip(result[count * VALUES :], -CLIP, CLIP)
    scores = 1 / (1 + np.exp(-logits))
    kept = np.flatnonzero(scores >= confidence)
    kept = kept[np.argsort(-scores[kept], kind="stable")]
    boxes = result[: count * VALUES].reshape(count, VALUES)[kept] / SIDE
    at = [0, 1, *range(4, VALUES)]
    boxes[:, at] += np.tile(middles[kept], (1, len(at) // 2))
    return boxes, scores[kept]


def suppress(boxes: np.ndarray, scores: np.ndarray) -> list[np.ndarray]:
    """Weighted non-maximum suppression: each group of overlapping boxes becomes its mean, weighted by score.

    Source: MediaPipe's `non_max_suppression_calculator.cc`.
    """
    found = []
    while len(boxes):
        same = overlaps(boxes[0], boxes) > OVERLAP
        same[0] = True
        found.append(np.average(boxes[same], axis=0, weights=scores[same]))
        boxes, scores = boxes[~same], scores[~same]
    return found


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of a box with others `[N, >=4]`: middle x, y, width, height."""
    low = np.maximum(box[:2] - box[2:4] / 2, others[:, :2] - others[:, 2:4] / 2)
    high = np.minimum(box[:2] + box[2:4] / 2, others[:, :2] + others[:, 2:4] / 2)
    common = np.clip(high - low, 0, None).prod(axis=1)
    return common / np.maximum(box[2:4].prod() + others[:, 2:4].prod(axis=1) - common, 1e-12)
