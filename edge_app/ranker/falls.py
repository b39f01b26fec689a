"""A fall has a shape of its own: down within half a second, and lying afterwards. No words or network are needed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import named_as
from edge_app.types import Window
from edge_app.window.normalize import STANDARD_LENGTHS, VISIBLE, body_scale
from edge_app.window.skeleton import WindowSpec

FALLS = ("fall down", "fall backward", "fall forward", "fall sideways", "fall off a chair", "faint")
"""Entries of the shipped table."""
SEEN, UNSEEN = 3.0, 1.5
"""By how much the log-odds of a fall rise where one is seen, and sink where none is."""
DROP, TILT, LOW = (0.35, 0.75), (0.75, 0.45), (0.9, 0.55)
"""From where to where a sign counts for nothing and for all: torso lengths in half a second, cosine of the torso with
upright, torso lengths of the hips above the ankles."""
DROP_S, AFTER_S = 0.5, 0.25
KNOWN = 0.7
"""The share of a window in which somebody must have been seen: who has just appeared does not fall."""


def are_falls(labels: Sequence[Label]) -> np.ndarray:
    """Which labels mean a fall, in whatever language: bool `[K]`."""
    return np.array(named_as(labels, FALLS), bool)


def fall_seen(window: Window, spec: WindowSpec) -> float:
    """How far a window looks like a fall, 0 to 1: neck and pelvis sank fast, the torso is tilted, the hips are low.

    What is not in view says nothing against it; without neck and pelvis there is no fall to be seen.
    """
    skeleton = spec.skeleton
    joints = window.joints[window.valid]
    trunk = list(skeleton.torso)
    feet = [skeleton.joints.index(f"{side}_ankle") for side in ("left", "right")]
    step, last = round(DROP_S * spec.rate_hz), round(AFTER_S * spec.rate_hz)
    if _just_appeared(window) or len(joints) <= step or (joints[:, trunk, 3].mean(axis=0) < VISIBLE).any():
        return 0.0
    torso = STANDARD_LENGTHS["pelvis-neck"] * body_scale(joints, skeleton)
    height = joints[:, trunk, 1].mean(axis=1) / torso
    sign = _ramp(float((height[:-step] - height[step:]).max()), *DROP)
    up = (joints[:, trunk[1], :3] - joints[:, trunk[0], :3])[-last:]
    sign *= _ramp(float((up[:, 1] / np.maximum(np.linalg.norm(up, axis=1), 1e-6)).mean()), *TILT)
    if (joints[-last:, feet, 3] >= VISIBLE).all():
        sign *= _ramp(float((joints[-last:, trunk[0], 1] - joints[-last:, feet, 1].mean(axis=1)).mean() / torso), *LOW)
    return sign


def fall_odds(window: Window, spec: WindowSpec) -> float:
    """What a window adds to the log-odds of labels that mean a fall."""
    if _just_appeared(window):
        return -SEEN
    seen = fall_seen(window, spec)
    return SEEN * seen - UNSEEN * (1 - seen)


def _just_appeared(window: Window) -> bool:
    return bool(window.valid.mean() < KNOWN)


def _ramp(value: float, none: float, whole: float) -> float:
    return min(1.0, max(0.0, (value - none) / (whole - none)))
