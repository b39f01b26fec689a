"""Frame -> Poses by MediaPipe's two networks on a runtime of our own: the same landmarks, at less cost."""

from __future__ import annotations

import numpy as np

from edge_app.pose.detector import Detector
from edge_app.pose.landmarks import LandmarkNetwork, Landmarks
from edge_app.pose.mediapipe import TO_WORLD
from edge_app.pose.region import Region
from edge_app.pose.smoothing import Smoother
from edge_app.types import Frame, Pose, Poses

SAME = 0.5
"""From which overlap of regions on a person found is one who is followed: `min_tracking_confidence` of MediaPipe."""


class PoseLandmarker:
    """Finds people and their 33 landmarks, as MediaPipe does; a `PoseBackend`.

    Args:
        detector, landmarks: the two networks.
        max_people: how many to look for. The detector runs in every frame in which fewer are followed.
        video: follow people from frame to frame; otherwise every frame is looked at anew.
        confidence: from which on something is taken for a person, 0 to 1.
    """

    def __init__(
        self,
        detector: Detector,
        landmarks: LandmarkNetwork,
        *,
        max_people: int = 1,
        video: bool = True,
        confidence: float = 0.5,
    ) -> None:
        self._detector, self._landmarks = detector, landmarks
        self._max_people, self._video, self._confidence = max_people, video, confidence
        self._followed: list[Region] = []
        self._smoother = Smoother()
        self._last_ms = -1

    def estimate(self, frame: Frame) -> Poses:
        """Everybody found in a frame. Give the frames of one camera in order. Source: `pose_landmarker_graph.cc`."""
        regions = self._followed
        if len(regions) < self._max_people:
            found = self._detector.detect(frame.image, self._confidence)
            new = [one for one in found if all(one.overlap(region) <= SAME for region in regions)]
            regions = [*new, *regions][: self._max_people]
        bodies = [body for body in self._landmarks.find(frame.image, regions, self._confidence) if body is not None]
        t_ms = self._last_ms = max(frame.t_ns // 1_000_000, self._last_ms + 1)
        if self._video:
            self._followed = [body.next for body in bodies]
            if self._max_people == 1:
                if bodies:
                    bodies = [self._smoother.smooth(bodies[0], t_ms)]
                else:
                    self._smoother = Smoother()
        return Poses(frame.camera, frame.index, frame.t_ns, tuple(pose_of(frame, body) for body in bodies))

    def reset(self) -> None:
        """Forget whom it was following: after a reconnect, or for another file."""
        self._followed = []
        self._smoother = Smoother()
        self._last_ms = -1

    def close(self) -> None:
        """Forget whom it was following; the sessions' memory goes with the object."""
        self._followed = []

    def __enter__(self) -> PoseLandmarker:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def pose_of(frame: Frame, body: Landmarks) -> Pose:
    height, width = frame.image.shape[:2]
    return Pose(
        t_ns=frame.t_ns,
        image=body.image.astype(np.float32),
        world=(body.world * TO_WORLD).astype(np.float32),
        visibility=body.visibility.astype(np.float32),
        size=(width, height),
    )
