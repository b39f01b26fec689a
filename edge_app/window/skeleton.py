"""Skeleton layouts as data: names, parents, left/right pairs, and the maps from MediaPipe's 33 landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A layout of joints.

    parents: index of each joint's parent; the root is its own parent.
    pairs: (left, right) joint indices.
    from_mediapipe: float32 `[J, 33]`; `layout = from_mediapipe @ landmarks`. The head is the middle of the ears: the
        nose lies 0.14 m in front of the neck, what depth sensors call the head 0.04 m (train/EXPERIMENTS.md, 9).
    torso: (pelvis, neck), whose distance is the torso length.
    middles: (joint, one, other) where MediaPipe's joint is the middle of two others, as the pelvis is of the hips.
    """

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]
    from_mediapipe: np.ndarray
    torso: tuple[int, int]
    middles: tuple[tuple[int, int, int], ...]

    @property
    def mirror(self) -> np.ndarray:
        """Joint order after a left/right swap, int `[J]`."""
        order = np.arange(len(self.joints))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return order


def _mixing(rows: list[dict[int, float]]) -> np.ndarray:
    matrix = np.zeros((len(rows), 33), np.float32)
    for joint, row in enumerate(rows):
        for landmark, weight in row.items():
            matrix[joint, landmark] = weight
    return matrix


def _mid(a: int, b: int) -> dict[int, float]:
    return {a: 0.5, b: 0.5}


CORE15 = Skeleton(
    name="core15",
    joints=(
        "pelvis", "neck", "head",
        "left_shoulder", "left_elbow", "left_wrist",
        "right_shoulder", "right_elbow", "right_wrist",
        "left_hip", "left_knee", "left_ankle",
        "right_hip", "right_knee", "right_ankle",
    ),
    parents=(0, 0, 1, 1, 3, 4, 1, 6, 7, 0, 9, 10, 0, 12, 13),
    pairs=((3, 6), (4, 7), (5, 8), (9, 12), (10, 13), (11, 14)),
    from_mediapipe=_mixing([
        _mid(23, 24), _mid(11, 12), _mid(7, 8),
        {11: 1.0}, {13: 1.0}, {15: 1.0},
        {12: 1.0}, {14: 1.0}, {16: 1.0},
        {23: 1.0}, {25: 1.0}, {27: 1.0},
        {24: 1.0}, {26: 1.0}, {28: 1.0},
    ]),
    torso=(0, 1),
    middles=((0, 9, 12), (1, 3, 6)),
)  # fmt: skip

_SHOULDERS, _HIPS = _mid(11, 12), _mid(23, 24)
_SPINE_MID = {11: 0.25, 12: 0.25, 23: 0.25, 24: 0.25}
_NECK = {11: 0.325, 12: 0.325, 7: 0.175, 8: 0.175}  # shoulders + 0.35 (head - shoulders); the fraction is inferred

NTU25 = Skeleton(
    name="ntu25",
    joints=(
        "spine_base", "spine_mid", "neck", "head",
        "left_shoulder", "left_elbow", "left_wrist", "left_hand",
        "right_shoulder", "right_elbow", "right_wrist", "right_hand",
        "left_hip", "left_knee", "left_ankle", "left_foot",
        "right_hip", "right_knee", "right_ankle", "right_foot",
        "spine_shoulder", "left_hand_tip", "left_thumb", "right_hand_tip", "right_thumb",
    ),
    parents=(0, 0, 20, 2, 20, 4, 5, 6, 20, 8, 9, 10, 0, 12, 13, 14, 0, 16, 17, 18, 1, 22, 7, 24, 11),
    pairs=((4, 8), (5, 9), (6, 10), (7, 11), (12, 16), (13, 17), (14, 18), (15, 19), (21, 23), (22, 24)),
    from_mediapipe=_mixing([
        _HIPS, _SPINE_MID, _NECK, _mid(7, 8),
        {11: 1.0}, {13: 1.0}, {15: 1.0}, _mid(17, 19),
        {12: 1.0}, {14: 1.0}, {16: 1.0}, _mid(18, 20),
        {23: 1.0}, {25: 1.0}, {27: 1.0}, {31: 1.0},
        {24: 1.0}, {26: 1.0}, {28: 1.0}, {32: 1.0},
        _SHOULDERS, {19: 1.0}, {21: 1.0}, {20: 1.0}, {22: 1.0},
    ]),
    torso=(0, 20),
    middles=((0, 12, 16), (20, 4, 8)),
)  # fmt: skip

LAYOUTS = {skeleton.name: skeleton for skeleton in (CORE15, NTU25)}


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """Length and rate of a window, from the bundle's manifest."""

    seconds: float
    rate_hz: float
    skeleton: Skeleton

    @property
    def length(self) -> int:
        return round(self.seconds * self.rate_hz)

    def latest(self, valid: np.ndarray, seconds: float) -> np.ndarray:
        """`Window.valid`, false for what is older than `seconds`; the newest sample stays.

        Example:
            >>> spec = WindowSpec(2.0, 2.0, CORE15)
            >>> spec.latest(np.array([True, True, False, True]), 1.0)
            array([False, False, False,  True])
        """
        newest = max(round(min(seconds, self.seconds) * self.rate_hz), 1)
        return valid & (np.arange(len(valid)) >= len(valid) - newest)
