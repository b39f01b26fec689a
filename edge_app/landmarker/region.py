"""The square, turned part of a picture that the landmark network looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

SCALE = 1.25
"""How much larger than the circle around the body a region is. Source: MediaPipe's `pose_detector_graph.cc`."""

FINE_BITS = 5
FINE = 1 << FINE_BITS
"""Places in a pixel: `INTER_TAB_SIZE` of OpenCV."""
OUT = 32_000
"""The farthest place outside a picture that OpenCV's short integers hold, about."""


@dataclass(frozen=True, slots=True)
class Region:
    """x, y: the middle, in pixels of the picture; size: of a side, in pixels; angle: in radians, clockwise as seen."""

    x: float
    y: float
    size: float
    angle: float

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Points `[..., 2]` in sides of the region, from 0 to 1 inside, as pixels of the picture.

        Source: MediaPipe's `landmark_projection_calculator.cc`.
        """
        return (points - 0.5) @ turn(self.angle) * self.size + (self.x, self.y)

    def cut(self, image: np.ndarray, side: int, border: int) -> np.ndarray:
        """The region as a picture of `side` × `side` pixels; border: OpenCV's way of filling what is outside.

        Corners are laid on corners and taken for centres of pixels, without the usual half pixel, and places are
        rounded to 1/32 of a pixel: so does MediaPipe's `image_to_tensor_converter_opencv.cc` with the OpenCV inside it,
        while `cv2.warpPerspective` does not round any more.
        """
        cells = np.arange(side) - side / 2
        step = FINE * self.size / side
        across, down = step * math.cos(self.angle) * cells, step * math.sin(self.angle) * cells
        x = np.rint(np.add.outer(FINE * self.x - down, across)).astype(np.int32)
        y = np.rint(np.add.outer(FINE * self.y + across, down)).astype(np.int32)
        whole = np.stack([x >> FINE_BITS, y >> FINE_BITS], axis=-1).clip(-OUT, OUT).astype(np.int16)
        rest = (((y & FINE - 1) << FINE_BITS) + (x & FINE - 1)).astype(np.uint16)
        return cv2.remap(image, whole, rest, cv2.INTER_LINEAR, borderMode=border)

    def overlap(self, other: Region) -> float:
        """Intersection over union of the two squares, as if neither were turned.

        Source: MediaPipe's `association_norm_rect_calculator.cc`.
        """
        across, down = (
            max(min(a + self.size / 2, b + other.size / 2) - max(a - self.size / 2, b - other.size / 2), 0.0)
            for a, b in ((self.x, other.x), (self.y, other.y))
        )
        common = across * down
        return common / (self.size**2 + other.size**2 - common)


def region_of(middle: np.ndarray, rim: np.ndarray) -> Region:
    """From the middle of the hips and a point on the circle around the body, in pixels, to a region with that up.

    Source: MediaPipe's `alignment_points_to_rects_calculator.cc` and `rect_transformation_calculator.cc`.
    """
    x, y = (float(value) for value in rim - middle)
    angle = math.pi / 2 - math.atan2(-y, x)
    angle -= 2 * math.pi * math.floor((angle + math.pi) / (2 * math.pi))
    return Region(float(middle[0]), float(middle[1]), 2 * SCALE * math.hypot(x, y), angle)


def turn(angle: float) -> np.ndarray:
    """What turns row vectors `[..., 2]` by an angle: `[2, 2]`."""
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, sine], [-sine, cosine]])
