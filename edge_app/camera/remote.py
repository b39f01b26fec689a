"""`remote://HOST:PORT`: the poses of a camera on another machine, which connects to this one; and its end over there.

Only landmarks travel, one message a frame. The two machines' clocks have nothing to do with each other, so we send ours
now and then, and each message says which of ours was heard last, and when by its own clock. What we sent at `a` was
heard at `b` after a moment on the way: a stamp of theirs is, by our clock, no earlier than `a - b` later. Stamps are
taken to be that early, so an age is never understated; it is overstated by the time on the way.
"""

from __future__ import annotations

import logging
import math
import secrets
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from edge_app.bundles.files import path_of
from edge_app.camera.pose_codec import MAX_NUMBER, POSE_BYTES, head_of, points_of, pose_at, with_head
from edge_app.client import as_meant, client_keys, use_keys
from edge_app.errors import UsageError
from edge_app.stream.auth import Gate
from edge_app.stream.endpoint import Endpoint, check_bind
from edge_app.types import Pose, Poses

log = logging.getLogger(__name__)

MAX_PEOPLE = 16
MAX_BYTES = 4096 + MAX_PEOPLE * POSE_BYTES
MAX_TEXT = 300
ASK_NS = 100_000_000
SILENT_NS = 1_500_000_000  # after that another sender may take the place
FRESH_NS = 10_000_000_000  # what was learnt of a clock is forgotten then
DRIFT = 1e-4  # how fast two clocks may part: common ones differ by less than 5e-5
_TURN_MS = 50
_MAX_NS = 2**62


@dataclass(frozen=True, slots=True)
class RemotePoses:
    """A message: poses, stamped by the sender's clock, or only how its camera is.

    run: of the sending process. echo: the last stamp of ours it has heard, and when, by its clock.
    """

    run: str
    echo: tuple[int, int] | None
    state: str
    why: str
    poses: Poses | None


def pack(said: RemotePoses) -> bytes:
    head: dict[str, Any] = {"run": said.run, "echo": said.echo, "state": said.state, "why": said.why[:MAX_TEXT]}
    people: tuple[Pose, ...] = ()
    if said.poses is not None:
        people = said.poses.poses[:MAX_PEOPLE]
        head |= {"index": said.poses.index, "t_ns": said.poses.t_ns, "sizes": [pose.size for pose in people]}
    return with_head(head, b"".join(map(points_of, people)))


def unpack(data: bytes, camera: str) -> RemotePoses:
    """Raises ValueError on anything that `pack` did not make."""
    try:
        head, at = head_of(data)
        run, state, why, echo = head["run"], head["state"], head["why"], head["echo"]
        if not all(isinstance(text, str) and len(text) <= MAX_TEXT for text in (run, state, why)):
            raise ValueError("text")
        if echo is not None:
            echo = (_stamp(echo[0]), _stamp(echo[1]))
        if "t_ns" not in head:
            return RemotePoses(run, echo, state, why, None)
        t_ns, sizes = _stamp(head["t_ns"]), head["sizes"]
        if len(sizes) > MAX_PEOPLE or len(data) != at + POSE_BYTES * len(sizes):
            raise ValueError("people")
        if not (np.abs(np.frombuffer(data, np.float32, -1, at)) <= MAX_NUMBER).all():
            raise ValueError("numbers")
        frames = [(_stamp(width), _stamp(height)) for width, height in sizes]
        people = tuple(pose_at(data, at + POSE_BYTES * i, t_ns, frame) for i, frame in enumerate(frames))
        return RemotePoses(run, echo, state, why, Poses(camera, _stamp(head["index"]), t_ns, people))
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"not poses: {error}") from None


def _stamp(value: object) -> int:
    if type(value) is not int or not 0 <= value < _MAX_NS:
        raise ValueError("stamp")
    return value


class RemoteClock:
    """Another machine's clock by ours, never later than it is."""

    def __init__(self) -> None:
        self._bounds: deque[tuple[int, int]] = deque()  # our stamp, and the least that theirs is behind ours

    def note(self, asked_ns: int, heard_ns: int, now_ns: int) -> None:
        """What we sent at `asked_ns`, by our clock, was heard at `heard_ns`, by theirs."""
        if asked_ns <= now_ns and (not self._bounds or asked_ns > self._bounds[-1][0]):
            self._bounds.append((asked_ns, asked_ns - heard_ns))
        while self._bounds and now_ns - self._bounds[0][0] > FRESH_NS:
            self._bounds.popleft()

    def local_ns(self, t_ns: int, now_ns: int) -> int | None:
        """Their stamp by our clock, at the earliest; None while nothing is known."""
        bounds = [behind - math.ceil(DRIFT * (now_ns - asked)) for asked, behind in self._bounds]
        return t_ns + max(bounds) if bounds else None


class RemoteSource:
    """`remote://HOST:PORT[?keys=DIR]`: listens there for one camera. Silence is for the grabber to notice.

    keys: a folder of `edge-app keys`; its `camera` keys may connect. Without it only this machine can.

    Raises:
        UsageError: the address or the keys are refused. PortError: the address cannot be opened.
    """

    live, fps = True, 0.0

    def __init__(self, uri: str, *, camera: str) -> None:
        host_port, _, option = uri.removeprefix("remote://").partition("?")
        key, _, keys = option.partition("=")
        if option and (key != "keys" or not keys):
            raise UsageError(f"{uri}: unknown option {key!r:.40}; allowed: keys")
        address = check_bind(f"tcp://{host_port}", with_keys=bool(keys))
        self.uri, self._camera = uri, camera
        self._closed, self._lock = threading.Event(), threading.Lock()
        self._context: zmq.Context[Any] = zmq.Context()
        try:
            self._gate = Gate(self._context, path_of(keys) if keys else None)
            self._socket = self._context.socket(zmq.ROUTER)
            self._socket.linger = 0
            self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_BYTES)
            self._gate.protect(self._socket, "camera", address)
            self._endpoint = Endpoint(self._socket, address)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._clock, self._run, self._state = RemoteClock(), "", "running"
        self._heard_ns = self._asked_ns = -FRESH_NS

    def read(self) -> Poses | None:
        """The next poses, stamped by our clock; None once closed."""
        while not self._closed.is_set():
            with self._lock:
                poses = None if self._closed.is_set() else self._turn()
            if poses is not None:
                return poses
        return None

    def _turn(self) -> Poses | None:
        if "camera" in self._gate.poll():
            self._endpoint.reopen()
        self._endpoint.poll()
        if not self._socket.poll(_TURN_MS):
            return None
        peer, *parts = self._socket.recv_multipart()
        try:
            (data,) = parts
            return self._hear(peer, unpack(data, self._camera))
        except ValueError:
            log.warning("%s: ignored what is not poses", self._camera, extra={"kind": "remote"})
            return None

    def _hear(self, peer: bytes, said: RemotePoses) -> Poses | None:
        now = time.monotonic_ns()
        if said.run != self._run:
            if now - self._heard_ns < SILENT_NS:
                log.warning("%s: a second camera sends to %s; the first is used", self._camera, self._endpoint.address,
                            extra={"kind": "remote"})  # fmt: skip
                return None
            self._run, self._clock, self._asked_ns = said.run, RemoteClock(), now - ASK_NS
        self._heard_ns = now
        if now - self._asked_ns >= ASK_NS:
            self._asked_ns = now
            self._socket.send_multipart([peer, struct.pack("<q", now)], zmq.NOBLOCK)
        if said.echo is not None:
            self._clock.note(*said.echo, now)
        if said.state != self._state:
            why = f" ({said.why})" if said.why else ""
            log.warning("%s: %s at the sender%s", self._camera, said.state, why, extra={"kind": "camera"})
            self._state = said.state
        poses = said.poses
        t_ns = None if poses is None else self._clock.local_ns(poses.t_ns, now)
        if poses is None or t_ns is None:
            return None
        people = tuple(Pose(t_ns, pose.image, pose.world, pose.visibility, pose.size) for pose in poses.poses)
        return Poses(self._camera, poses.index, t_ns, people)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            self._gate.close()
            self._context.destroy(linger=0)

    def __enter__(self) -> RemoteSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class RemoteSender:
    """The camera's end: sends what is new, and holds nothing back; what the network does not take is dropped.

    Raises:
        UsageError: the endpoint or the keys are refused.
    """

    def __init__(self, endpoint: str, keys: Path | None) -> None:
        self._run = secrets.token_hex(8)
        self._echo: tuple[int, int] | None = None
        self._context: zmq.Context[Any] = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 200), (zmq.SNDHWM, 2), (zmq.SNDBUF, 1 << 16), (zmq.IMMEDIATE, 1),
                              (zmq.RECONNECT_IVL, 100), (zmq.RECONNECT_IVL_MAX, 500), (zmq.TCP_MAXRT, 5000),
                              (zmq.MAXMSGSIZE, 1024), (zmq.IPV6, "[" in endpoint)):  # fmt: skip
            self._socket.setsockopt(option, value)
        try:
            if keys is not None:
                use_keys(self._socket, *client_keys(keys))
            self._socket.connect(as_meant(endpoint))
        except (zmq.ZMQError, ValueError) as error:
            self.close()
            raise UsageError(f"--to {endpoint}: {error}") from None
        except BaseException:
            self.close()
            raise

    def send(self, poses: Poses | None, state: str, why: str) -> None:
        while self._socket.poll(0):
            asked = self._socket.recv()
            if len(asked) == 8:
                self._echo = (struct.unpack("<q", asked)[0], time.monotonic_ns())
        try:
            self._socket.send(pack(RemotePoses(self._run, self._echo, state, why, poses)), zmq.NOBLOCK)
        except zmq.Again:
            return

    def close(self) -> None:
        self._socket.close()
        self._context.term()

    def __enter__(self) -> RemoteSender:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
