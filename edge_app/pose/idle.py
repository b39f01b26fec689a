"""The pose stage of a live camera: it looks at as many frames as windows need, and at fewer while nobody is there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from edge_app.camera import gives_poses
from edge_app.pose.choose import choose_pose
from edge_app.types import Frame, Poses

EMPTY_S = 1.0
"""For how long nobody must have been found; the tracker forgets a person after as long, so that nobody is mixed up."""

LOOK_S = 0.09
"""From one look to the next, then: every third of thirty frames a second, with room for stamps that jitter."""

FOLLOWED_S = 0.075
"""Between two looks at most, while somebody is followed: every second of thirty frames a second, every one of
twenty-five. Windows hold sixteen samples a second."""


class PoseStage:
    """Frame -> Poses of one live camera; what are poses already passes as it is. A context manager.

    Who is followed is looked at in a frame only if a decision is due, or the next one will come later than `FOLLOWED_S`
    after the last look: in two of three frames, of thirty a second. Several people cost as much each, and are not
    looked at because a decision is due. As long as nobody is followed every frame is searched, which costs nearly as
    much as following. So once nobody has been there for `EMPTY_S`, a frame within `LOOK_S` of the last look is
    nobody's, unseen and untimed; the first that shows somebody ends this. Where several people are watched
    `edge_app.pose.search` spares searches by itself. Stamps decide, not the clock.

    backend, waiting: as in `edge_app.pose.choose.choose_pose`.

    Raises:
        UsageError: as there.
    """

    def __init__(
        self,
        uri: str,
        people: int,
        measure: Callable[[str], AbstractContextManager[object]] = nullcontext,
        *,
        backend: str = "auto",
        waiting: Callable[[], None] = lambda: None,
    ) -> None:
        self.chosen = None if gives_poses(uri) else choose_pose(backend, waiting)
        """What finds the poses, and why that; None where they come as they are."""
        self._backend = None if self.chosen is None else self.chosen.open(people)
        self._spares = people == 1
        self._measure = measure
        self._busy_ns: int | None = None
        self._looked_ns = self._before_ns = 0
        self._followed = 0

    def estimate(self, item: Frame | Poses, due: bool = True) -> Poses | None:
        """Everybody found in the next frame of the camera, in order; None: the frame is passed over.

        due: whether a decision is.
        """
        if isinstance(item, Poses):
            return item
        assert self._backend is not None
        if self._busy_ns is None:
            self._busy_ns = item.t_ns
        empty = item.t_ns - self._busy_ns > EMPTY_S * 1e9
        if self._spares and empty and 0 <= item.t_ns - self._looked_ns < LOOK_S * 1e9:
            return Poses(item.camera, item.index, item.t_ns, ())
        next_ns, self._before_ns = 2 * item.t_ns - self._before_ns, item.t_ns
        spared = self._followed > 1 or (self._followed == 1 and not due)
        if spared and 0 <= next_ns - self._looked_ns <= FOLLOWED_S * 1e9:
            return None
        self._looked_ns = item.t_ns
        with self._measure("pose"):
            poses = self._backend.estimate(item)
        self._followed = len(poses.poses)
        if poses.poses:
            self._busy_ns = item.t_ns
        return poses

    def reset(self) -> None:
        """Forget everybody, and look at every frame for a while: after a reconnect."""
        self._busy_ns, self._followed = None, 0
        if self._backend is not None:
            self._backend.reset()

    def __enter__(self) -> PoseStage:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._backend is not None:
            self._backend.close()
