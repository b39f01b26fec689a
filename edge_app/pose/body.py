"""Where a pose lies in its picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edge_app.types import Pose


@dataclass(frozen=True, slots=True)
class Body:
    """Where somebody was seen last: torso centre and box in pixels, torso length in pixels."""

    t_ns: int
    centre: np.ndarray
    box: np.ndarray
    torso: float


def describe(pose: Pose, t_ns: int) -> Body:
    """Where the pose is in the picture, at the time `t_ns`."""
    points = pose.image
    shoulders, hips = (points[11] + points[12]) / 2, (points[23] + points[24]) / 2
    box = np.concatenate([points.min(axis=0), points.max(axis=0)])
    left, top, right, bottom = box.tolist()
    torso = max(
        math.dist(shoulders.tolist(), hips.tolist()),
        math.dist(points[11].tolist(), points[12].tolist()),  # a torso seen from its end is short
        math.hypot(right - left, bottom - top) / 8,
        1.0,
    )
    return Body(t_ns, (shoulders + hips) / 2, box, torso)


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes `left, top, right, bottom`."""
    inner = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0
