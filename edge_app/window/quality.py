"""What a window shows of motion, and how steady its bones are."""

from __future__ import annotations

import numpy as np

from edge_app.window.normalize import BONES, STANDARD_LENGTHS, VISIBLE, body_scale, quantile
from edge_app.window.skeleton import Skeleton, WindowSpec


def motion(joints: np.ndarray, valid: np.ndarray, spec: WindowSpec) -> float:
    """How much the visible joints move, in torso lengths per second; a steady person stays under 0.1.

    Displacement over a quarter of a second, so that jitter counts little; the mean of the livelier half of the frames
    of the liveliest third of the joints.
    """
    step = max(1, round(spec.rate_hz / 4))
    torso = STANDARD_LENGTHS["pelvis-neck"] * body_scale(joints[valid], spec.skeleton) if valid.any() else 1.0
    both = valid[step:] & valid[:-step]
    if not both.any():
        return 0.0
    seen = (joints[step:, :, 3] >= VISIBLE) & (joints[:-step, :, 3] >= VISIBLE)
    moved = np.linalg.norm(joints[step:, :, :3] - joints[:-step, :, :3], axis=-1) * seen
    speeds = np.sort(moved[both], axis=1)[:, -(moved.shape[1] // 3) :].mean(axis=1) * spec.rate_hz / step / torso
    return float(np.sort(speeds)[len(speeds) // 2 :].mean())


def bone_length_variation(joints: np.ndarray, valid: np.ndarray, skeleton: Skeleton) -> float:
    """How much bones change their length over time: the median over visible bones of deviation over mean.

    A person's stay the same (0.01 to 0.1 as MediaPipe measures them); of what is taken for a person they do not.
    """
    ends = BONES[skeleton.name][0]
    seen = (joints[..., 3] >= VISIBLE) & valid[:, None]
    both = seen[:, ends[:, 0]] & seen[:, ends[:, 1]]
    steps = joints[:, ends[:, 0], :3] - joints[:, ends[:, 1], :3]
    lengths = np.sqrt((steps * steps).sum(axis=-1)) * both
    count = both.sum(axis=0)
    mean = lengths.sum(axis=0) / np.maximum(count, 1)
    deviation = np.sqrt(((lengths - mean) ** 2 * both).sum(axis=0) / np.maximum(count, 1))
    spreads = (deviation / np.maximum(mean, 1e-6))[count >= 5]
    return quantile(spreads, 0.5) if len(spreads) else 0.0
