"""The pose stage for several people: Frame -> Poses, with a landmarker of its own for each person.

MediaPipe's own way of finding several, one detector for the whole picture, finds one of two and none that is small.
Here a finder looks for somebody who is not followed yet, in the picture with those who are painted out: in the whole
of it, and then in parts, one look at a time. Who is found gets a landmarker that follows nobody else, in a part of the
picture around them, without any detector. Nothing here knows who is who: that is `edge_app.track`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle

import cv2
import numpy as np

from edge_app.pose.body import Body, describe, overlap
from edge_app.pose.choose import ChosenPose, OpenPose
from edge_app.pose.mediapipe import PoseBackend, PoseEstimator
from edge_app.types import Frame, Pose, Poses

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


def pose_backend(people: int, chosen: ChosenPose) -> PoseBackend:
    """What finds so many people, with what `edge_app.pose.choose.choose_pose` gave."""
    return chosen.open() if people == 1 else PeopleEstimator(people, chosen.open)


@dataclass(frozen=True, slots=True)
class _View:
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


class _Follower:
    """A landmarker, and the person it follows, if any. `pose` is in the picture's pixels."""

    def __init__(self, estimator: PoseBackend) -> None:
        self.estimator = estimator
        self.view = _View(0, 0, 1, 1)
        self.pose: Pose | None = None
        self.outdated = False

    def begin(self, frame: Frame, wanted: Pose, view: _View, others: list[Pose]) -> bool:
        """Follow whoever is where `wanted` is; False, and free, if MediaPipe does not find the same again."""
        self.view = view
        if self.outdated:
            self.estimator.reset()
            self.outdated = False
        else:  # a picture of nobody makes it forget too, and sooner
            self.estimator.estimate(replace(frame, image=np.full_like(view.cut(frame.image), 128)))
        pose = _look(self.estimator, replace(frame, image=_painted(frame.image, others)), self.view)
        self.pose = pose if pose is not None and _continues(wanted, pose) else None
        return self.pose is not None

    def go_on(self, frame: Frame, others: list[Pose]) -> None:
        """The next frame. Who is lost, or became somebody else in one frame, is let go."""
        assert self.pose is not None
        body = describe(self.pose, frame.t_ns)
        if self.pose.size != frame.image.shape[1::-1]:
            self.pose = None
        elif not self.view.holds(body.box, self.pose.size, 0.05 * _length(body)):
            self.begin(frame, self.pose, _around(body, self.pose.size), others)
        else:
            pose = _look(self.estimator, frame, self.view)
            self.pose = pose if pose is not None and _continues(self.pose, pose) else None


class PeopleEstimator:
    """Finds up to `people` people, 2 to 8, and their 33 landmarks; a `PoseBackend` like `PoseEstimator`.

    A person costs what one person costs there; while fewer than allowed are followed, a look of the finder comes on top
    every `SEARCH_S`. The order of the poses in a frame tells nothing.

    Raises:
        UsageError: as `PoseEstimator`.
    """

    def __init__(self, people: int, open_pose: OpenPose = PoseEstimator) -> None:
        self._finder = open_pose(video=False, confidence=CONFIDENCE)
        self._followers = [_Follower(open_pose(confidence=CONFIDENCE)) for _ in range(people)]
        self._forget()

    def _forget(self) -> None:
        self._due_ns: int | None = None
        self._size = (0, 0)
        self._looks: Iterator[_View] = iter(())
        self._soon: list[_View] = []  # to be looked at next, each in a frame

    def estimate(self, frame: Frame) -> Poses:
        """Everybody found in a frame. Give the frames of one camera in order."""
        for follower in self._followers:
            if follower.pose is not None:
                follower.go_on(frame, self._poses(but=follower))
                if follower.pose is None:
                    self._soon.append(follower.view)
        self._part()
        free = next((follower for follower in self._followers if follower.pose is None), None)
        if free is not None and (found := self._search(frame)) is not None:
            if free.begin(frame, *found, self._poses()):
                self._soon.append(found[1])  # where one is, another may be
            self._part()
        return Poses(frame.camera, frame.index, frame.t_ns, tuple(self._poses()))

    def _poses(self, but: _Follower | None = None) -> list[Pose]:
        return [one.pose for one in self._followers if one.pose is not None and one is not but]

    def _part(self) -> None:
        """Where two follow the same person, the one who sees less lets go."""
        followers = [one for one in self._followers if one.pose is not None]
        for number, one in enumerate(followers):
            for other in followers[:number]:
                if one.pose is not None and other.pose is not None and _same(one.pose, other.pose):
                    (one if _seen(one.pose) <= _seen(other.pose) else other).pose = None

    def _search(self, frame: Frame) -> tuple[Pose, _View] | None:
        """A look at the whole picture or a part of it, if one is due; somebody who is not followed, and where."""
        size = frame.image.shape[1::-1]
        if size != self._size:
            self._size, self._looks = size, cycle(_looks(*size))
            self._soon = _large(*size)
        if not self._soon and self._due_ns is not None and 0 < self._due_ns - frame.t_ns <= SEARCH_S * 1e9:
            return None
        self._due_ns = frame.t_ns + int(SEARCH_S * 1e9)
        view = self._soon.pop() if self._soon else next(self._looks)
        followed = self._poses()
        pose = _look(self._finder, replace(frame, image=_painted(frame.image, followed)), view)
        if pose is None or not view.has(describe(pose, 0).centre):
            return None
        return None if any(_same(pose, other) for other in followed) else (pose, view)

    def reset(self) -> None:
        """Forget everybody, and the stamps. Landmarkers are made anew when needed: all at once take seconds."""
        for follower in self._followers:
            follower.pose, follower.outdated = None, True
        self._forget()

    def close(self) -> None:
        """Give the memory back. Safe to call twice."""
        for estimator in (self._finder, *(follower.estimator for follower in self._followers)):
            estimator.close()

    def __enter__(self) -> PeopleEstimator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _looks(width: int, height: int) -> list[_View]:
    """Where the finder looks, in turn: the picture and its large squares, and between them one small square each."""
    short = min(width, height)
    small = _squares(width, height, max(round(SMALL * short), 1))
    turn = cycle(_large(width, height))
    return [view for part in small for view in (next(turn), part)]


def _large(width: int, height: int) -> list[_View]:
    return [_View(0, 0, width, height), *_squares(width, height, min(width, height))]


def _squares(width: int, height: int, side: int) -> list[_View]:
    """Squares that cover a picture and overlap by half or more."""

    def starts(length: int) -> list[int]:
        count = 1 + int(np.ceil((length - side) / (side / 2)))
        return np.linspace(0, length - side, count).round().astype(int).tolist()

    return [_View(left, top, side, side) for top in starts(height) for left in starts(width)]


def _around(body: Body, size: tuple[int, int]) -> _View:
    """A square around a body, moved into the picture, or as much of it as there is."""
    side = min(AROUND * _length(body), max(min(size), 1.2 * _length(body)))
    width, height = (max(round(min(side, length)), 1) for length in size)
    middle = (body.box[:2] + body.box[2:]) / 2
    left, top = (
        round(float(np.clip(at - inner / 2, 0, length - inner)))
        for at, inner, length in zip(middle, (width, height), size, strict=True)
    )
    return _View(left, top, width, height)


def _length(body: Body) -> float:
    return max(float((body.box[2:] - body.box[:2]).max()), 1.0)


def _look(estimator: PoseBackend, frame: Frame, view: _View) -> Pose | None:
    """The pose that MediaPipe finds in a part of the picture, in pixels of the picture; None if it is nobody's."""
    poses = estimator.estimate(replace(frame, image=np.ascontiguousarray(view.cut(frame.image)))).poses
    if not poses or _seen(poses[0]) < SEEN:
        return None
    at = np.array([view.left, view.top], np.float32)
    return replace(poses[0], image=poses[0].image + at, size=frame.image.shape[1::-1])


def _painted(image: np.ndarray, people: list[Pose]) -> np.ndarray:
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


def _seen(pose: Pose) -> float:
    return float(pose.visibility[_BODY].mean())


def _continues(before: Pose, now: Pose) -> bool:
    """Whether a pose can be the same person's as one just before."""
    a, b = describe(before, 0), describe(now, 0)
    seconds = abs(now.t_ns - before.t_ns) / 1e9
    near = np.linalg.norm(a.centre - b.centre) <= (0.5 + 3 * seconds) * max(a.torso, b.torso)
    return bool(near) and 0.5 <= _length(a) / _length(b) <= 2


def _same(one: Pose, other: Pose) -> bool:
    """Whether two poses of one frame are one person's: most of the body's joints lie on each other."""
    a, b = describe(one, 0), describe(other, 0)
    apart = np.linalg.norm(one.image[_BODY] - other.image[_BODY], axis=1)
    on_it = float(np.median(apart)) < 0.3 * max(a.torso, b.torso)
    return on_it or overlap(a.box, b.box) > 0.7
