"""From poses at any frame rate to windows at the bundle's rate, and from windows to what the encoder reads.

Training and the device share this file, so that a clip of a data set and a person before a camera look alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np

from edge_app.types import Pose, Track, Window
from edge_app.window.normalize import lift
from edge_app.window.quality import motion
from edge_app.window.skeleton import WindowSpec

MAX_GAP_S = 0.35
"""A sample farther than this from the poses beside it is missing, not interpolated."""


def resample(t_ns: np.ndarray, joints: np.ndarray, end_ns: int, spec: WindowSpec) -> tuple[np.ndarray, np.ndarray]:
    """Samples of a joint sequence at the window's times, `end_ns` being the last, by linear interpolation.

    Args:
        t_ns: int64 `[N]`, increasing.
        joints: float32 `[N, J, C]`.

    Returns:
        float32 `[T, J, C]` and bool `[T]`, false (and zero) where no sample is within `MAX_GAP_S`.
    """
    wanted = end_ns - np.round(np.arange(spec.length - 1, -1, -1) * (1e9 / spec.rate_hz)).astype(np.int64)
    after = np.clip(np.searchsorted(t_ns, wanted), 0, len(t_ns) - 1)
    before = np.where(t_ns[after] > wanted, np.maximum(after - 1, 0), after)
    gap = (t_ns[after] - t_ns[before]).astype(np.float64)
    part = np.where(gap > 0, (wanted - t_ns[before]) / np.maximum(gap, 1), 0.0).clip(0, 1)[:, None, None]
    distance = np.minimum(np.abs(wanted - t_ns[before]), np.abs(t_ns[after] - wanted))
    valid = distance <= MAX_GAP_S * 1e9
    sampled = joints[before] * (1 - part) + joints[after] * part
    return (sampled * valid[:, None, None]).astype(np.float32), valid


class WindowBuffer:
    """Keeps one person's poses for as long as a window, and cuts windows from them."""

    def __init__(self, camera: str, spec: WindowSpec) -> None:
        self.camera = camera
        self.spec = spec
        self._poses: deque[Pose] = deque()
        self._track: int | None = None

    def push(self, track: Track) -> None:
        """Add a pose; another track id, or a stamp that is not later than the last, starts over."""
        if track.id != self._track or (self._poses and track.pose.t_ns <= self._poses[-1].t_ns):
            self.clear()
        self._track = track.id
        self._poses.append(track.pose)
        oldest = track.pose.t_ns - int((self.spec.seconds + MAX_GAP_S) * 1e9)
        while self._poses[0].t_ns < oldest:
            self._poses.popleft()

    def clear(self) -> None:
        self._poses.clear()
        self._track = None

    def window(self) -> Window | None:
        """The window that ends at the newest pose; None before the first."""
        if self._track is None:
            return None
        poses = list(self._poses)
        t_ns = np.array([pose.t_ns for pose in poses], np.int64)
        joints, valid = resample(t_ns, lift(poses, self.spec.skeleton), poses[-1].t_ns, self.spec)
        span_s = (t_ns[-1] - t_ns[0]) / 1e9
        return make_window(
            joints, valid, self.spec, camera=self.camera, track=self._track, t_ns=poses[-1].t_ns,
            fps_in=(len(poses) - 1) / span_s if span_s > 0 else 0.0,
        )  # fmt: skip


class WindowBuffers:
    """The buffers of everybody who is watched: each of up to `people` has one; of one, the first in a frame."""

    def __init__(self, camera: str, spec: WindowSpec, people: int = 1) -> None:
        self._camera, self._spec, self._people = camera, spec, people
        self._buffers: dict[int, WindowBuffer] = {}
        self._seen: dict[int, int] = {}
        self._now: list[int] = []

    def push(self, tracks: Sequence[Track]) -> None:
        """Add the poses of one frame; who is not in it keeps a buffer for as long as a window."""
        self._now = []
        for track in tracks[: self._people]:
            key = track.id if self._people > 1 else 0  # a single buffer starts over with another person
            self._buffers.setdefault(key, WindowBuffer(self._camera, self._spec)).push(track)
            self._seen[key] = track.pose.t_ns
            self._now.append(key)
        newest = max(self._seen.values(), default=0)
        for key in [k for k, t_ns in self._seen.items() if newest - t_ns > (self._spec.seconds + MAX_GAP_S) * 1e9]:
            del self._buffers[key], self._seen[key]

    def clear(self) -> None:
        self._buffers.clear()
        self._seen.clear()
        self._now = []

    def windows(self) -> tuple[Window, ...]:
        """Of each person in the newest frame the window that ends there."""
        windows = (self._buffers[key].window() for key in self._now)
        return tuple(window for window in windows if window is not None)


def make_window(
    joints: np.ndarray, valid: np.ndarray, spec: WindowSpec, *, camera: str, track: int, t_ns: int, fps_in: float
) -> Window:
    """A window from resampled joints, with its origin moved to the pelvis of the first valid frame."""
    if valid.any():
        first = joints[np.argmax(valid), spec.skeleton.torso[0], :3]
        joints = joints.copy()
        joints[valid, :, :3] -= first
    body = np.r_[0:2, 3 : joints.shape[1]] if spec.skeleton.name == "core15" else np.arange(joints.shape[1])
    return Window(
        camera=camera,
        track=track,
        t_ns=t_ns,
        joints=joints,
        valid=valid,
        fps_in=round(fps_in, 2),
        body_visibility=float(joints[valid][:, body, 3].mean()) if valid.any() else 0.0,
        motion=motion(joints, valid, spec),
    )
