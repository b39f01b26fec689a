"""Where to look for people in a picture, and whether two poses are one person's."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle

import cv2
import numpy as np

from edge_app.pose.body import Body, describe, overlap
from edge_app.types import Pose

SEARCH_S = 0.15
"""Between two looks of the finder, while fewer people than allowed are followed. A look takes as long as one to two
poses; the whole picture and its large squares come round in about a second, the small ones in up to five."""

SMALL = 0.6
"""Side of a small square that is searched, of the picture's shorter side."""

AROUND = 3.0
"""Side of the part of the picture in which a person is followed, in lengths of the body."""

SEEN = 0.5
"""Mean visibility of the shoulders, elbows, wrists and hips under which a pose is nobody's."""

CONFIDENCE = 0.35
"""Of MediaPipe in looking and following; a lower one than for a single person, since `SEEN` and others ask as well."""

_BODY = [11, 12, 13, 14, 15, 16, 23, 24]
_LIMBS = (
    (0, 11), (0, 12), (11, 12), (11, 13), (13, 15), (12, 14), (14, 16), (11, 23), (12, 24), (11, 24), (12, 23),
    (23, 24), (23, 25), (25, 27), (27, 31), (24, 26), (26, 28), (28, 32),
)  # fmt: skip
_GREY = (128, 128, 128)


@dataclass(frozen=True, slots=True)
class View:
    """A part of a picture, in its pixels."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, image: np.ndarray) -> np.ndarray:
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def has(self, point: np.ndarray) -> bool:
        inside = (point - (self.left, self.top)) / (self.width, self.height)
        return bool((inside > 0).all() and (inside < 1).all())

    def holds(self, box: np.ndarray, size: tuple[int, int], margin: float) -> bool:
        """Whether a box `left, top, right, bottom` is that far from each edge that is not the picture's own."""
        right, bottom = self.left + self.width, self.top + self.height
        return bool(
            (self.left == 0 or box[0] >= self.left + margin)
            and (self.top == 0 or box[1] >= self.top + margin)
            and (right >= size[0] or box[2] <= right - margin)
            and (bottom >= size[1] or box[3] <= bottom - margin)
        )


def views(width: int, height: int) -> list[View]:
    """Where the finder looks, in turn: the picture and its large squares, and between them one small square each."""
    short = min(width, height)
    small = _squares(width, height, max(round(SMALL * short), 1))
    turn = cycle(large_views(width, height))
    return [view for part in small for view in (next(turn), part)]


def large_views(width: int, height: int) -> list[View]:
    return [View(0, 0, width, height), *_squares(width, height, min(width, height))]


def _squares(width: int, height: int, side: int) -> list[View]:
    """Squares that cover a picture and overlap by half or more."""

    def starts(length: int) -> list[int]:
        count = 1 + int(np.ceil((length - side) / (side / 2)))
        return np.linspace(0, length - side, count).round().astype(int).tolist()

    return [View(left, top, side, side) for top in starts(height) for left in starts(width)]


def around(pose: Pose) -> View:
    """A square around a body, moved into the picture, or as much of it as there is."""
    body, size = describe(pose, 0), pose.size
    side = min(AROUND * length(body), max(min(size), 1.2 * length(body)))
    width, height = (max(round(min(side, outer)), 1) for outer in size)
    middle = (body.box[:2] + body.box[2:]) / 2
    left, top = (
        round(float(np.clip(at - inner / 2, 0, outer - inner)))
        for at, inner, outer in zip(middle, (width, height), size, strict=True)
    )
    return View(left, top, width, height)


def length(body: Body) -> float:
    return max(float((body.box[2:] - body.box[:2]).max()), 1.0)


def painted(image: np.ndarray, people: list[Pose]) -> np.ndarray:
    """A picture with people painted over, limb by limb, so that who stands beside or behind them stays visible."""
    if not people:
        return image
    image = image.copy()
    for pose in people:
        wide = max(round(0.45 * describe(pose, 0).torso), 4)
        points = np.clip(pose.image, -1e4, 1e4).round().astype(int).tolist()
        for a, b in _LIMBS:
            cv2.line(image, points[a], points[b], _GREY, wide)
        cv2.circle(image, points[0], round(0.6 * wide), _GREY, -1)
    return image


def seen(pose: Pose) -> float:
    return float(pose.visibility[_BODY].mean())


def continues(before: Pose, now: Pose) -> bool:
    """Whether a pose can be the same person's as one just before."""
    a, b = describe(before, 0), describe(now, 0)
    seconds = abs(now.t_ns - before.t_ns) / 1e9
    near = np.linalg.norm(a.centre - b.centre) <= (0.5 + 3 * seconds) * max(a.torso, b.torso)
    return bool(near) and 0.5 <= length(a) / length(b) <= 2


def same(one: Pose, other: Pose) -> bool:
    """Whether two poses of one frame are one person's: most of the body's joints lie on each other."""
    a, b = describe(one, 0), describe(other, 0)
    apart = np.linalg.norm(one.image[_BODY] - other.image[_BODY], axis=1)
    on_it = float(np.median(apart)) < 0.3 * max(a.torso, b.torso)
    return on_it or overlap(a.box, b.box) > 0.7
