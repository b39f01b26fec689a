"""Steadier landmarks: the filters that MediaPipe's video mode puts behind its landmark network, for one person."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edge_app.pose.landmarks import Landmarks

VISIBILITY = 0.1
"""Weight of the newest visibility in the running mean."""
UNKNOWN_S = 1 / 30
"""Between two frames of which the first is at 0, which the source takes for no stamp."""


class OneEuro:
    """A low-pass filter that gives way as a value moves: Casiez et al., CHI 2012; one time for a whole array.

    Source: MediaPipe's `one_euro_filter.cc`.

    Args:
        cutoff: in Hz, of a value at rest. beta: how many Hz more per unit of speed. derivative_cutoff: in Hz.
    """

    def __init__(self, cutoff: float, beta: float, derivative_cutoff: float = 1.0) -> None:
        self._cutoff, self._beta, self._derivative_cutoff = cutoff, beta, derivative_cutoff
        self._t_ms = -1
        self._raw: np.ndarray | None = None
        self._speed: np.ndarray | float = 0.0
        self._smooth = np.zeros(0)

    def __call__(self, value: np.ndarray, scale: float, t_ms: int) -> np.ndarray:
        """The smoothed value. scale: what a unit of speed is divided by. A stamp that is not later changes nothing."""
        if self._t_ms >= t_ms:
            return value
        seconds = (t_ms - self._t_ms) / 1e3 if self._t_ms > 0 else UNKNOWN_S
        self._t_ms = t_ms
        if self._raw is None:
            self._raw = self._smooth = value
            return value
        speed = (value - self._raw) / scale / seconds
        self._speed = self._speed + _weight(self._derivative_cutoff, seconds) * (speed - self._speed)
        weight = _weight(self._cutoff + self._beta * np.abs(self._speed), seconds)
        self._smooth = self._smooth + weight * (value - self._smooth)
        self._raw = value
        return self._smooth


class Smoother:
    """The filters of one person.

    Source: MediaPipe's `pose_landmark_filtering.pbtxt`, constants and scales. That its tasks apply them in video mode,
    and leave the auxiliary landmarks as they are, is inferred from what MediaPipe 1.2 gives.
    """

    def __init__(self) -> None:
        self._image, self._world = OneEuro(0.05, 80), OneEuro(0.1, 40)
        self._visibility: np.ndarray | None = None

    def smooth(self, body: Landmarks, t_ms: int) -> Landmarks:
        """The body in the next frame. Pixels are taken in sides of its next region; that region stays as it is."""
        if self._visibility is None:
            self._visibility = body.visibility
        self._visibility = self._visibility + VISIBILITY * (body.visibility - self._visibility)
        return replace(
            body,
            image=self._image(body.image, body.next.size, t_ms),
            world=self._world(body.world, 1.0, t_ms),
            visibility=self._visibility,
        )


def _weight(cutoff: np.ndarray | float, seconds: float) -> np.ndarray | float:
    """Of the newest value, in a low-pass filter with this cut-off in Hz."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff * seconds))
