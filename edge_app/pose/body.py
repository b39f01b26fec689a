"""Where a pose lies in its picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_app.types import Pose

_SHOULDERS, _HIPS = [11, 12], [23, 24]


@dataclass(frozen=True, slots=True)
class Body:
    """Where somebody was seen last: torso centre and box in pixels, torso length in pixels."""

    t_ns: int
    centre: np.ndarray
    box: np.ndarray
    torso: float


def describe(pose: Pose, t_ns: int) -> Body:
    """Where the pose is in the picture, at the time `t_ns`."""
    shoulders, hips = pose.image[_SHOULDERS], pose.image[_HIPS]
    box = np.concatenate([pose.image.min(axis=0), pose.image.max(axis=0)])
    lengths = (
        np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0)),
        np.linalg.norm(shoulders[0] - shoulders[1]),  # a torso seen from its end is short
        np.linalg.norm(box[2:] - box[:2]) / 8,
        1.0,
    )
    return Body(t_ns, (shoulders.mean(axis=0) + hips.mean(axis=0)) / 2, box, float(max(lengths)))


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes `left, top, right, bottom`."""
    inner = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0
