"""The pose stage for several people: Frame -> Poses, with a landmarker of its own for each person.

MediaPipe's own way of finding several, one detector for the whole picture, finds one of two and none that is small.
Here a finder looks for somebody who is not followed yet, in the picture with those who are painted out: in the whole
of it, and then in parts, one look at a time. Who is found gets a landmarker that follows nobody else, in a part of the
picture around them, without any detector. Nothing here knows who is who: that is `edge_app.track`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import cycle

import numpy as np

from edge_app.pose.body import describe
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.pose.search import (
    CONFIDENCE,
    SEARCH_S,
    SEEN,
    View,
    around,
    continues,
    large_views,
    length,
    painted,
    same,
    seen,
    views,
)  # fmt: skip
from edge_app.types import Frame, Pose, Poses


class _Follower:
    """A landmarker, and the person it follows, if any. `pose` is in the picture's pixels."""

    def __init__(self) -> None:
        self.estimator = PoseEstimator(confidence=CONFIDENCE)
        self.view = View(0, 0, 1, 1)
        self.pose: Pose | None = None
        self.outdated = False

    def begin(self, frame: Frame, wanted: Pose, view: View, others: list[Pose]) -> bool:
        """Follow whoever is where `wanted` is; False, and free, if MediaPipe does not find the same again."""
        self.view = view
        if self.outdated:
            self.estimator.reset()
            self.outdated = False
        else:  # a picture of nobody makes it forget too, and sooner
            self.estimator.estimate(replace(frame, image=np.full_like(view.cut(frame.image), 128)))
        pose = _look(self.estimator, replace(frame, image=painted(frame.image, others)), self.view)
        self.pose = pose if pose is not None and continues(wanted, pose) else None
        return self.pose is not None

    def go_on(self, frame: Frame, others: list[Pose]) -> None:
        """The next frame. Who is lost, or became somebody else in one frame, is let go."""
        assert self.pose is not None
        body = describe(self.pose, frame.t_ns)
        if self.pose.size != frame.image.shape[1::-1]:
            self.pose = None
        elif not self.view.holds(body.box, self.pose.size, 0.05 * length(body)):
            self.begin(frame, self.pose, around(self.pose), others)
        else:
            pose = _look(self.estimator, frame, self.view)
            self.pose = pose if pose is not None and continues(self.pose, pose) else None


class PeopleEstimator:
    """Finds up to `people` people, 2 to 8, and their 33 landmarks; a `PoseBackend` like `PoseEstimator`.

    A person costs what one person costs there; while fewer than allowed are followed, a look of the finder comes on top
    every `SEARCH_S`. The order of the poses in a frame tells nothing.

    Raises:
        UsageError: as `PoseEstimator`.
    """

    def __init__(self, people: int) -> None:
        self._finder = PoseEstimator(video=False, confidence=CONFIDENCE)
        self._followers = [_Follower() for _ in range(people)]
        self._forget()

    def _forget(self) -> None:
        self._due_ns: int | None = None
        self._size = (0, 0)
        self._looks: Iterator[View] = iter(())
        self._soon: list[View] = []  # to be looked at next, each in a frame

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
                if one.pose is not None and other.pose is not None and same(one.pose, other.pose):
                    (one if seen(one.pose) <= seen(other.pose) else other).pose = None

    def _search(self, frame: Frame) -> tuple[Pose, View] | None:
        """A look at the whole picture or a part of it, if one is due; somebody who is not followed, and where."""
        size = frame.image.shape[1::-1]
        if size != self._size:
            self._size, self._looks = size, cycle(views(*size))
            self._soon = large_views(*size)
        if not self._soon and self._due_ns is not None and 0 < self._due_ns - frame.t_ns <= SEARCH_S * 1e9:
            return None
        self._due_ns = frame.t_ns + int(SEARCH_S * 1e9)
        view = self._soon.pop() if self._soon else next(self._looks)
        followed = self._poses()
        pose = _look(self._finder, replace(frame, image=painted(frame.image, followed)), view)
        if pose is None or not view.has(describe(pose, 0).centre):
            return None
        return None if any(same(pose, other) for other in followed) else (pose, view)

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


def _look(estimator: PoseEstimator, frame: Frame, view: View) -> Pose | None:
    """The pose that MediaPipe finds in a part of the picture, in pixels of the picture; None if it is nobody's."""
    poses = estimator.estimate(replace(frame, image=np.ascontiguousarray(view.cut(frame.image)))).poses
    if not poses or seen(poses[0]) < SEEN:
        return None
    at = np.array([view.left, view.top], np.float32)
    return replace(poses[0], image=poses[0].image + at, size=frame.image.shape[1::-1])
