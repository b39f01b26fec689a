"""The one-slot hand-over between a camera process and the recognizer: the newest report wins, nothing queues.

A ZeroMQ PUSH/PULL pair with CONFLATE keeps exactly one message, never blocks the camera, and outlives the death of
either end. The arrays go as raw bytes behind a JSON header, in one frame.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import zmq

from edge_app.camera.pose_codec import POSE_BYTES, head_of, points_of, pose_at, with_head
from edge_app.types import CameraReport, Track, Window

MAX_BYTES = 2**22


def pack(report: CameraReport) -> bytes:
    head: dict[str, Any] = {
        field.name: getattr(report, field.name)
        for field in dataclasses.fields(report)
        if field.name not in ("windows", "people")
    }
    head["people"] = [(track.id, track.pose.t_ns, track.pose.size) for track in report.people]
    head["windows"] = [
        {
            "track": window.track, "t_ns": window.t_ns, "shape": window.joints.shape, "fps_in": window.fps_in,
            "body_visibility": window.body_visibility, "motion": window.motion,
        }
        for window in report.windows
    ]  # fmt: skip
    arrays = b""
    for window in report.windows:
        arrays += np.ascontiguousarray(window.joints, np.float32).tobytes() + window.valid.astype(np.uint8).tobytes()
    arrays += b"".join(points_of(track.pose) for track in report.people)
    return with_head(head, arrays)


def unpack(data: bytes) -> CameraReport:
    """Raises ValueError on anything that `pack` did not make."""
    try:
        head, at = head_of(data)
        windows = []
        for described in head.pop("windows"):
            steps, joints, channels = described.pop("shape")
            count = steps * joints * channels
            values = np.frombuffer(data, np.float32, count, at).reshape(steps, joints, channels)
            valid = np.frombuffer(data, np.uint8, steps, at + 4 * count).astype(bool)
            at += 4 * count + steps
            windows.append(Window(camera=head["camera"], joints=values, valid=valid, **described))
        people = []
        for number, (track, t_ns, frame) in enumerate(head.pop("people")):
            people.append(Track(track, pose_at(data, at + POSE_BYTES * number, t_ns, tuple(frame))))
        head["people"] = tuple(people)
        head["flags"] = tuple(head["flags"])
        head["stage_ms"] = tuple((name, ms) for name, ms in head["stage_ms"])
        return CameraReport(windows=tuple(windows), **head)
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"not a camera report: {error}") from None


class ReportSender:
    """The camera's end."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUSH)
        self._socket.setsockopt(zmq.CONFLATE, 1)
        self._socket.setsockopt(zmq.LINGER, 200)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 200)
        self._socket.connect(endpoint)

    def send(self, report: CameraReport) -> None:
        # While the recognizer restarts there is no one to take it: the report is dropped, a newer one follows.
        try:
            self._socket.send(pack(report), zmq.DONTWAIT)
        except zmq.Again:
            return

    def close(self) -> None:
        self._socket.close()
        self._context.term()

    def __enter__(self) -> ReportSender:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def report_receiver(context: zmq.Context[Any], endpoint: str) -> zmq.Socket[bytes]:
    """The recognizer's end for one camera; each needs its own, since CONFLATE keeps one message a socket."""
    socket: zmq.Socket[bytes] = context.socket(zmq.PULL)
    socket.setsockopt(zmq.CONFLATE, 1)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
    socket.bind(endpoint)
    return socket
