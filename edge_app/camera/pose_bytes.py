"""A pose as bytes, for recordings and for hand-overs between processes."""

from __future__ import annotations

import numpy as np

from edge_app.types import Pose

POSE_BYTES = 33 * 6 * 4  # of a person: image, world, visibility


def points_of(pose: Pose) -> bytes:
    """The landmarks as `POSE_BYTES` bytes of float32: image, world and visibility of each."""
    return np.column_stack([pose.image, pose.world, pose.visibility]).astype(np.float32).tobytes()


def pose_at(data: bytes, at: int, t_ns: int, size: tuple[int, int]) -> Pose:
    """What `points_of` made, from byte `at` on. Raises ValueError where there are too few bytes."""
    points = np.frombuffer(data, np.float32, POSE_BYTES // 4, at).reshape(33, 6)
    return Pose(t_ns, points[:, :2], points[:, 2:5], points[:, 5], size)
