"""Frame -> Poses by MediaPipe's two networks on a runtime of our own: the same landmarks, at less cost."""

from __future__ import annotations

import numpy as np

from edge_app.pose.detector import Detector
from edge_app.pose.landmarks import LandmarkNetwork, Landmarks
from edge_app.pose.mediapipe import TO_WORLD
from edge_app.pose.region import Region
from edge_app.pose.smoothing import Smoother
from edge_app.types import Frame, Pose, Poses


class PoseLandmarker:
    """Finds one person and their 33 landmarks, as MediaPipe does; a `PoseBackend`.

    Args:
        detector, landmarks: the two networks.
        video: follow the person from frame to frame, and steady the landmarks; otherwise every frame is looked at anew.
        confidence: from which on something is taken for a person, 0 to 1.
    """

    def __init__(
        self, detector: Detector, landmarks: LandmarkNetwork, *, video: bool = True, confidence: float = 0.5
    ) -> None:
        self._detector, self._landmarks = detector, landmarks
        self._video, self._confidence = video, confidence
        self._followed: list[Region] = []
        self._smoother = Smoother()
        self._last_ms = -1

    def estimate(self, frame: Frame) -> Poses:
        """Who is found in a frame. Give the frames of one camera in order. Source: `pose_landmarker_graph.cc`."""
        t_ms = self._last_ms = max(frame.t_ns // 1_000_000, self._last_ms + 1)
        regions = self._followed or self._find(frame)[:1]
        (body,) = self._landmarks.find(frame.image, regions, self._confidence) or [None]
        if body is None:
            self._followed, self._smoother = [], Smoother()
            return Poses(frame.camera, frame.index, frame.t_ns, ())
        if self._video:
            self._followed = [body.next]
            body = self._smoother.smooth(body, t_ms)
        return Poses(frame.camera, frame.index, frame.t_ns, (pose_of(frame, body),))

    def _find(self, frame: Frame) -> list[Region]:
        """Who is in a frame, the surest first; in video, of two regions that overlap the less sure one stays.

        Source: MediaPipe's `association_calculator.h`, which lets what comes later replace what it overlaps, with its
        tracking confidence as the threshold.
        """
        found = self._detector.detect(frame.image, self._confidence)
        if not self._video:
            return found
        kept: list[Region] = []
        for region in found:
            kept = [*(one for one in kept if one.overlap(region) <= self._confidence), region]
        return kept

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
