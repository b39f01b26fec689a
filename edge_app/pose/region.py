"""The square, turned part of a picture that the landmark network looks at."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

SCALE = 1.25
"""How much larger than the circle around the body a region is. Source: MediaPipe's `pose_detector_graph.cc`."""


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
        cells = np.arange(side, dtype=np.float32) - side / 2
        across = np.float32(self.size / side * math.cos(self.angle)) * cells
        down = np.float32(self.size / side * math.sin(self.angle)) * cells
        x, y = np.add.outer(self.x - down, across), np.add.outer(self.y + across, down)
        whole, rest = cv2.convertMaps(x, y, cv2.CV_16SC2)
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

    def apart(self, other: Region) -> float:
        """How far the middles are apart, in sides of the larger of the two."""
        return math.hypot(self.x - other.x, self.y - other.y) / max(self.size, other.size, 1e-6)


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
