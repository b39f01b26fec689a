"""Several people by MediaPipe's networks on a runtime of our own: all who are followed in one batch.

As in `edge_app.pose.multi_person`, a detector looks now and then for somebody who is not followed yet, in the picture
with those who are painted out: in the whole of it, and then in parts. Here it finds as many in one look as there are,
and who is found is followed in the whole picture, each in a region of their own, without any detector.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np

from edge_app.pose.detector import Detector
from edge_app.pose.landmarker import pose_of
from edge_app.pose.landmarks import LandmarkNetwork, Landmarks
from edge_app.pose.region import Region
from edge_app.pose.search import (
    CONFIDENCE,
    SEARCH_S,
    SEEN,
    View,
    around,
    continues,
    large_views,
    painted,
    same,
    seen,
    views,
)  # fmt: skip
from edge_app.pose.smoothing import Smoother
from edge_app.types import Frame, Pose, Poses

SAME = 0.5
"""From which overlap of regions on somebody found is one who is followed: `min_tracking_confidence` of MediaPipe."""

NEAR = 0.15
"""Middles of two people are at least so far apart, in sides of the larger region."""


@dataclass(slots=True)
class _Followed:
    """region: where to look next. found: in the newest frame, as the network gave it. shown: the same, smoothed."""

    region: Region
    found: Pose
    shown: Pose
    smoother: Smoother


class PeopleLandmarker:
    """Finds up to `people` people, 2 to 8, and their 33 landmarks; a `PoseBackend` like `PoseLandmarker`.

    A person costs what one person costs there; while fewer than allowed are followed, the detector comes on top every
    `SEARCH_S`. The order of the poses in a frame tells nothing.
    """

    def __init__(self, detector: Detector, landmarks: LandmarkNetwork, people: int) -> None:
        self._detector, self._landmarks, self._people = detector, landmarks, people
        self._last_ms = -1
        self._forget()

    def _forget(self) -> None:
        self._followed: list[_Followed] = []
        self._due_ns: int | None = None
        self._size = (0, 0)
        self._looks: Iterator[View] = iter(())
        self._soon: list[View] = []  # to be looked at next, each in a frame

    def estimate(self, frame: Frame) -> Poses:
        """Everybody found in a frame. Give the frames of one camera in order."""
        size = frame.image.shape[1::-1]
        if size != self._size:
            self._forget()
            self._size, self._looks, self._soon = size, cycle(views(*size)), large_views(*size)
        self._last_ms = max(frame.t_ns // 1_000_000, self._last_ms + 1)
        bodies = self._landmarks.find(frame.image, [one.region for one in self._followed], CONFIDENCE)
        before, self._followed = self._followed, []
        for one, body in zip(before, bodies, strict=True):
            self._go_on(frame, one, body)
        self._part()
        if len(self._followed) < self._people:
            self._search(frame)
            self._part()
        return Poses(frame.camera, frame.index, frame.t_ns, tuple(one.shown for one in self._followed))

    def _go_on(self, frame: Frame, one: _Followed, body: Landmarks | None) -> None:
        """Who is lost, or became somebody else in one frame, is let go, and looked for where they were."""
        found = None if body is None else pose_of(frame, body)
        if body is None or found is None or seen(found) < SEEN or not continues(one.found, found):
            self._soon.append(around(one.found))
            return
        shown = pose_of(frame, one.smoother.smooth(body, self._last_ms))
        self._followed.append(_Followed(body.next, found, shown, one.smoother))

    def _begin(self, frame: Frame, body: Landmarks | None) -> bool:
        """Follow somebody new, unless nobody is there or it is one who is followed."""
        found = None if body is None else pose_of(frame, body)
        if body is None or found is None or seen(found) < SEEN:
            return False
        if any(same(found, one.found) for one in self._followed):
            return False
        smoother = Smoother()
        smoother.smooth(body, self._last_ms)
        self._followed.append(_Followed(body.next, found, found, smoother))
        return True

    def _part(self) -> None:
        """Where two follow the same person, the one who sees less lets go."""
        for number in range(len(self._followed) - 1, 0, -1):
            for other in range(number):
                one, two = self._followed[number], self._followed[other]
                if same(one.found, two.found) or one.region.apart(two.region) < NEAR:
                    del self._followed[number if seen(one.found) <= seen(two.found) else other]
                    break

    def _search(self, frame: Frame) -> None:
        """A look at the whole picture or a part of it, if one is due; who is there and not followed is, from now on."""
        if not self._soon and self._due_ns is not None and 0 < self._due_ns - frame.t_ns <= SEARCH_S * 1e9:
            return
        self._due_ns = frame.t_ns + int(SEARCH_S * 1e9)
        view = self._soon.pop() if self._soon else next(self._looks)
        image = painted(frame.image, [one.found for one in self._followed])
        found = [
            replace(region, x=region.x + view.left, y=region.y + view.top)
            for region in self._detector.detect(np.ascontiguousarray(view.cut(image)), CONFIDENCE)
        ]
        new = [region for region in found if all(region.overlap(one.region) <= SAME for one in self._followed)]
        for body in self._landmarks.find(frame.image, new[: self._people - len(self._followed)], CONFIDENCE):
            if self._begin(frame, body):
                self._soon.append(view)  # where one is, another may be

    def reset(self) -> None:
        """Forget everybody, and the stamps."""
        self._forget()
        self._last_ms = -1

    def close(self) -> None:
        """Forget everybody; the sessions' memory goes with the object."""
        self.reset()

    def __enter__(self) -> PeopleLandmarker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
