"""The stream's only writer. It never blocks and never buffers: a reader that is too slow loses messages, not we time.

Late readers get the current state and status at once: the last message of each such topic is sent again when somebody
subscribes, with its own `run`, `seq` and stamps, and with `"cached": true`, `t_resend_mono_ns` and its age at that
moment. Readers of the same topic that were there already see it too, and know it by its `seq` (`edge_app.client` does).
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq

from edge_app.client import DEFAULT_ENDPOINT
from edge_app.stream.auth import Gate
from edge_app.stream.clock import Clock
from edge_app.stream.endpoint import Endpoint, check_bind
from edge_app.stream.messages import Message, age_ms, as_stale, complete, encode

log = logging.getLogger(__name__)

_SEND_MARK = 64  # messages waiting for one reader; then it loses the newest
_FAREWELL_MS = 200  # for the last messages to leave at the end: the `end` of what was open is among them
_MAX_CACHED = 256  # topics
_RECEIVE_MARK = 8  # requests of one reader that ZeroMQ takes in at a time; with more, a flood gets by the cap below
_MAX_REQUEST = 512  # bytes of a frame from a reader: a subscription, or a part of the CURVE handshake
_MAX_REQUESTS = 2000  # subscriptions served in one poll, so that a flood cannot hold us
_MAX_SUBSCRIBED = 1024  # different topics asked for by all readers together; ZeroMQ pays 50 bytes for each letter
_CACHED_KINDS = ("state", "status")


class Publisher:
    """Binds at once; a context manager. Use it from one thread: the loop that publishes also calls `poll`.

    So the heartbeat proves that this loop is turning, which a thread of its own would not.

    endpoint: loopback tcp, ipc (a socket file of mode 0600) or inproc (needs `context`); see `check_bind`.
    gate: who may read a tcp endpoint, which may then be on any address; of the same `context`, and polled by its owner.
    run: id of this run; made up if not given.
    max_age_ms: captures older than this are never published as the start or update of an action, nor as a pose, nor as
        a state that claims a live view: that becomes `stale`.
    tap: gets every message as it is sent, with its topic.
    heartbeat_s: each state is published again after so long, with its own capture stamp and a new publish stamp.

    Raises:
        UsageError: the endpoint is not allowed.
        PortError: it is in use, or not permitted.
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        run: str | None = None,
        max_age_ms: int = 1000,
        heartbeat_s: float = 1.0,
        clock: Clock | None = None,
        context: zmq.Context[Any] | None = None,
        tap: Callable[[str, Message], None] | None = None,
        gate: Gate | None = None,
    ) -> None:
        self.run = run or secrets.token_hex(8)
        self.counters = {
            "published": 0, "heartbeats": 0, "resent": 0, "stale_dropped": 0, "send_dropped": 0, "floods": 0
        }  # fmt: skip
        self._clock = clock or Clock()
        self._tap = tap
        self._max_age_ms = max_age_ms
        self._heartbeat_ns = int(heartbeat_s * 1e9)
        self._seq: dict[str, int] = {}
        self._cache: dict[str, Message] = {}
        self._subscribed: set[bytes] = set()
        address = check_bind(endpoint, with_keys=gate is not None and gate.keyed)
        self._own_context = context is None
        self._context = zmq.Context() if context is None else context
        self._socket: zmq.Socket[bytes] = self._context.socket(zmq.XPUB)
        self._bound: Endpoint | None = None
        try:
            self._socket.linger = 0
            self._socket.sndhwm = _SEND_MARK
            self._socket.setsockopt(zmq.SNDBUF, 1 << 16)  # what waits in the kernel is old when it is read
            self._socket.rcvhwm = _RECEIVE_MARK
            self._socket.setsockopt(zmq.MAXMSGSIZE, _MAX_REQUEST)
            self._socket.setsockopt(zmq.XPUB_VERBOSE, 1)  # tell of every new reader, not only of new topics
            if gate is not None:
                gate.protect(self._socket, "reader", address)
            self._bound = Endpoint(self._socket, address)
        except BaseException:  # or collecting the socket's context would wait for the socket, for ever
            self.close()
            raise
        self.endpoint = self._bound.address

    def publish(self, topic: str, message: Message) -> bool:
        """Send a message made by `edge_app.stream.messages`; False if it was too old to be sent.

        Raises:
            ValueError: the message cannot be encoded (NaN, for one). Nothing was sent.
        """
        now, kind = self._clock.mono_ns(), topic.rpartition("/")[2]
        if not self._is_fresh(message, now):
            if kind == "pose" or (kind == "action" and message["type"] != "end"):
                self.counters["stale_dropped"] += 1
                return False
            if kind == "state":
                message = as_stale(message, self._max_age_ms)
        captured = message.get("t_capture_mono_ns")
        seq = self._seq.get(topic, 0) + 1
        full = complete(
            message, run=self.run, seq=seq, boot=self._clock.boot, now_ns=now,
            wall=None if captured is None else self._clock.wall_iso(captured),
        )  # fmt: skip
        frame = encode(topic, full)
        self._seq[topic] = seq
        if kind in _CACHED_KINDS and (topic in self._cache or len(self._cache) < _MAX_CACHED):
            self._cache[topic] = full
        self._send(frame)
        if self._tap is not None:
            self._tap(topic, full)
        self.counters["published"] += 1
        return True

    def poll(self, timeout_s: float = 0.0) -> int:
        """Serve new readers and the heartbeat; call it at least ten times a second. Returns how many asked.

        timeout_s: how long to wait for a reader to subscribe or leave, at most until the next heartbeat is due.
        """
        if timeout_s > 0:
            self._socket.poll(int(min(timeout_s, self._until_heartbeat_s()) * 1000))
        if self._bound is not None:
            self._bound.poll()
        handled, wanted = self._requests()
        self._heartbeat()
        for topic in wanted:
            now = self._clock.mono_ns()
            again = {**self._cache[topic], "cached": True, "t_resend_mono_ns": now}
            if "age_ms" in again:
                again["age_ms"] = age_ms(again, now)
            self._send(encode(topic, again))
            self.counters["resent"] += 1
        return handled

    def reopen(self) -> None:
        """Cut every reader off; those that may come back do so by themselves, and get the current state again."""
        self._subscribed.clear()
        if self._bound is not None:
            self._bound.reopen()

    def close(self) -> None:
        """Give the endpoint back (and remove its socket file). Safe to call twice."""
        self._socket.close(linger=_FAREWELL_MS)
        if self._own_context:
            self._context.term()
        if self._bound is not None:
            self._bound.remove_file()

    def __enter__(self) -> Publisher:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _requests(self) -> tuple[int, list[str]]:
        """How many readers subscribed or left, and the cached topics that the new ones wait for."""
        wanted: set[str] = set()
        for handled in range(_MAX_REQUESTS):
            try:
                request = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return handled, sorted(wanted)
            (self._subscribed.add if request[:1] == b"\1" else self._subscribed.discard)(request[1:])
            if len(self._subscribed) > _MAX_SUBSCRIBED:
                self.counters["floods"] += 1
                log.warning(
                    "readers asked for more than %d topics; all of them are disconnected",
                    _MAX_SUBSCRIBED,
                    extra={"kind": "flood"},
                )
                self.reopen()
                return handled, []
            if request[:1] == b"\1" and len(wanted) < len(self._cache):
                wanted.update(topic for topic in self._cache if topic.encode().startswith(request[1:]))
        return _MAX_REQUESTS, sorted(wanted)

    def _heartbeat(self) -> None:
        now = self._clock.mono_ns()
        for topic, message in list(self._cache.items()):
            if not topic.endswith("/state"):
                continue
            due = now - message["t_publish_mono_ns"] >= self._heartbeat_ns
            if due or (not self._is_fresh(message, now) and as_stale(message, self._max_age_ms) is not message):
                self.publish(topic, message)
                self.counters["heartbeats"] += 1

    def _until_heartbeat_s(self) -> float:
        stamps = [message["t_publish_mono_ns"] for topic, message in self._cache.items() if topic.endswith("/state")]
        waited_ns = self._clock.mono_ns() - min(stamps) if stamps else 0
        return max(self._heartbeat_ns - waited_ns, 0) / 1e9

    def _is_fresh(self, message: Message, now_ns: int) -> bool:
        age = age_ms(message, now_ns)
        return age is not None and 0 <= age <= self._max_age_ms

    def _send(self, frame: bytes) -> None:
        try:
            self._socket.send(frame, zmq.NOBLOCK)
        except zmq.Again:
            self.counters["send_dropped"] += 1


@dataclass(frozen=True, slots=True)
class PublishConfig:
    """max_age_ms: a label older than this is never published. pose: publish poses too. topk: labels in a message.

    control: where labels can be changed; empty for a socket file beside the stream. keys: a folder made by
    `edge-app keys`; with it only the keys in it can connect by tcp, and other machines can be let in. max_readers: so
    many may be connected by tcp at a time, and as many controllers.
    """

    endpoint: str = DEFAULT_ENDPOINT
    max_age_ms: int = 1000
    heartbeat_s: float = 1.0
    pose: bool = False
    topk: int = 5
    control: str = ""
    keys: str = ""
    max_readers: int = 256
