"""Read the label stream. Needs pyzmq and nothing else: this one file may be copied into another project.

    from edge_app.client import Subscriber

    with Subscriber("tcp://127.0.0.1:5757", max_age_ms=1000) as stream:
        for message in stream:
            data = message.data
            if message.kind == "action":  # start, update (at least 1 Hz while it lasts) or end
                print(data["camera"], data["type"], data["label"], data["score"], message.age_ms)
            elif message.kind == "state" and data["state"] != "running":
                print(data["camera"], "do not act:", data["state"])

A reader that is slower than the stream gets the newest state and the newest update of each action, and every start and
end that reached this machine. A reader that hears nothing is told so: see `liveness_timeout_s`.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import zmq
from zmq.utils import z85

DEFAULT_ENDPOINT = "tcp://127.0.0.1:5757"
MAX_FRAME = 1 << 20  # bytes
MAX_DEPTH = 8  # of lists and objects within each other
TOPIC = re.compile(r"v\d{1,3}/[^/\x00-\x1f\x7f]{1,64}/[a-z]{1,16}")
SELF_TOLD = ("stale", "camera_lost", "camera_frozen", "failed")  # states that need no fresh capture to be true

_MAX_DRAIN = 10_000  # frames taken before one is given, so that a flood cannot hold the reader
_MAX_KEPT = 4096  # messages waiting for a reader; then the oldest goes
_MAX_TOPICS = 1024
_MAX_SOCKET_PATH = 107  # bytes; the system's limit
_MAX_INTEGER = 1 << 63
_MAX_CERTIFICATE = 4096  # bytes
_KEY_LINE = re.compile(r'^\s*(public|secret)-key\s*=\s*"([^"\n]*)"', re.MULTILINE)
_BOOT_ID_FILE = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True)
class Message:
    """One message of the stream.

    Attributes:
        topic: `v1/<camera>/<kind>`.
        data: the message, as docs/messages.md explains it.
        gap: how many messages of this topic were sent but never arrived, since the last one given; 0 after a restart.
        age_ms: milliseconds since the capture, at the moment it is given to you; None where that cannot be known: no
            capture behind it, or stamps of another machine or boot. Wall clocks are never compared.
        local: made here because nothing came, not received.

    Example:
        >>> Message("v1/front/action", {"schema": "action/1.0", "type": "start", "label": "wave"}).kind
        'action'
    """

    topic: str
    data: dict[str, Any]
    gap: int = 0
    age_ms: float | None = None
    local: bool = False

    @property
    def kind(self) -> str:
        """action, state, status or pose."""
        return self.topic.rpartition("/")[2]


def decode(frame: bytes) -> tuple[str, dict[str, Any]]:
    """Topic and message of a frame. Whatever bytes come in, the result is sound or a ValueError.

    Raises:
        ValueError: too large, no zero byte, not UTF-8, not a topic, not a JSON object with a text `schema`, nested
            deeper than 8, or with NaN, an infinity or an integer beyond 64 bits.
    """
    if len(frame) > MAX_FRAME:
        raise ValueError(f"a frame of {len(frame)} bytes; at most {MAX_FRAME} are allowed")
    head, zero, body = frame.partition(b"\0")
    topic = head.decode()  # UnicodeDecodeError is a ValueError
    if not zero or not TOPIC.fullmatch(topic):
        raise ValueError("the frame does not begin with v1/<camera>/<kind> and a zero byte")
    data = strict_json(body)
    if not isinstance(data.get("schema"), str):
        raise ValueError("not a JSON object with a schema")
    return topic, data


def strict_json(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`.

    Raises:
        ValueError: not UTF-8, not a JSON object, nested deeper than 8, or with NaN, an infinity or an integer beyond 64
            bits.
    """
    try:
        data = json.loads(body.decode(), parse_constant=_refuse, parse_float=_finite, parse_int=_integer)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        inner = [list(each.values()) if isinstance(each, dict) else each for each in level]
        level = [value for values in inner for value in values if isinstance(value, (dict, list))]
        if not level:
            return data
    raise ValueError(f"nested deeper than {MAX_DEPTH}")


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that a message may hold")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(text[:20])
    return number


def _integer(text: str) -> int:
    if len(text) > 20 or not -_MAX_INTEGER <= int(text) < _MAX_INTEGER:
        _refuse(text[:20])
    return int(text)


def as_meant(endpoint: str) -> str:
    """An endpoint to connect to in full: `HOST:PORT` is tcp, schemes are in lower case, localhost is 127.0.0.1.

    Raises:
        ValueError: none that ZeroMQ could connect to; says what is wrong.
    """
    if not endpoint.isprintable():
        raise ValueError("an address has printable characters only")
    scheme, separator, address = endpoint.partition("://") if "://" in endpoint else ("tcp", "", endpoint)
    scheme = scheme.lower()
    if scheme == "inproc" and address:
        return f"inproc://{address}"
    if scheme == "ipc" and address:
        if (size := len(os.fsencode(address))) > _MAX_SOCKET_PATH:
            raise ValueError(f"a socket's path of {size} bytes, at most {_MAX_SOCKET_PATH} are possible")
        return f"ipc://{address}"
    host, _, port = address.rpartition(":")
    if scheme != "tcp" or (not separator and not host) or " " in host:
        raise ValueError("tcp://HOST:PORT or ipc://PATH is expected")
    if not host or not (port.isascii() and port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        raise ValueError("a host and a port from 1 to 65535 are expected, as in tcp://HOST:PORT")
    if ":" in host and host[:1] + host[-1:] != "[]" and ";" not in host:
        raise ValueError(f"an IPv6 address stands in brackets: tcp://[{host}]:{port}")
    return f"tcp://{'127.0.0.1' if host.lower() == 'localhost' else host}:{port}"


def client_keys(folder: str | os.PathLike[str]) -> tuple[str, str, str]:
    """Server's, public and secret key of a client's folder: of `server.key` and `client.key_secret`.

    Raises:
        ValueError: a file is missing or malformed, or other users can read the secret.
    """
    try:
        server, _ = read_certificate(os.path.join(folder, "server.key"))
        check_secret(os.path.join(folder, "client.key_secret"))
        public, secret = read_certificate(os.path.join(folder, "client.key_secret"))
    except OSError as error:
        raise ValueError(f"{error.filename}: {error.strerror}") from None
    if not secret:
        raise ValueError(f"{folder}/client.key_secret holds no secret key")
    return server, public, secret


def use_keys(socket: zmq.Socket[bytes], server: str, public: str, secret: str) -> None:
    """Have a client's socket speak CURVE, with what `client_keys` gives. Before `connect`."""
    socket.curve_serverkey, socket.curve_publickey = server.encode(), public.encode()
    socket.curve_secretkey = secret.encode()


def read_certificate(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Public and secret key ("" where there is none) of a ZeroMQ certificate, as Z85 text.

    Raises:
        OSError: it cannot be read. ValueError: it is no certificate.
    """
    if os.stat(path).st_size > _MAX_CERTIFICATE:
        raise ValueError(f"{path} is too large for a certificate")
    with open(path, encoding="utf-8") as file:  # UnicodeDecodeError is a ValueError
        found = dict(_KEY_LINE.findall(file.read(_MAX_CERTIFICATE)))
    for key in ("public", "secret"):
        try:
            if len(z85.decode(found.get(key, "0" * 40))) != 32:
                raise ValueError
        except (ValueError, KeyError, struct.error):
            raise ValueError(f"{path}: its {key} key is malformed") from None
    if "public" not in found:
        raise ValueError(f"{path} holds no public key")
    return found["public"], found.get("secret", "")


def check_secret(path: str | os.PathLike[str]) -> None:
    """Refuse a secret that others can read, as ssh does.

    Raises:
        OSError: no such file. ValueError: its mode lets other users in.
    """
    mode = os.stat(path).st_mode & 0o777
    if mode & 0o077:
        raise ValueError(f"{path} can be read by other users (mode {mode:04o}); chmod 600 it")


def _this_boot() -> str | None:
    try:
        with open(_BOOT_ID_FILE, encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


class Subscriber:
    """A reader of the stream: an iterator and a context manager. Use it from one thread.

    An action also gets a local `end` where its own was missed: with the reason "restart" when the publisher's run
    changes, and "lost" when a newer state of its camera no longer lists it as open. Its own end is then not given. One
    that goes on after a silence comes back as an update, and ends again.

    Args:
        endpoint: connected to in the background, again and again; it need not exist yet.
        topics: prefixes of `v1/<camera>/<kind>` with kind action, state, status or pose.
        newest: keep only the newest state, status and pose of each camera and the newest update of each action, and
            every start and end. False: keep all that arrives, in order.
        max_age_ms: hold back what was captured longer ago, and what has no known age: starts, updates, poses, and
            states that claim a live view. Ends and states such as camera_lost always come.
        liveness_timeout_s: after so long without a (fresh enough) message you are given, marked `local`, the state
            `stale` of each silent camera (camera `*` if none was ever heard) and an `end` with the reason "liveness" of
            each open action. Longer-delayed messages are not given. None: no limit. Keep it above the heartbeat of 1 s.
        server_key: CURVE key of the app, as Z85 text; None: no encryption.
        public_key: this reader's, as Z85 text; without it and the next, a throw-away pair is made.
        secret_key: this reader's, as Z85 text.
        keys: a client's folder that `edge-app keys new` made, instead of the three.
        context: the ZeroMQ context to use; None: the shared one.
        mono_ns: the clock, for tests.

    Raises:
        ValueError: the endpoint or a key is malformed.

    Example:
        >>> with Subscriber("inproc://nobody-publishes-here", liveness_timeout_s=0.1) as stream:
        ...     message = stream.recv(timeout_s=5)
        >>> message.data["state"], message.local
        ('stale', True)
    """

    def __init__(
        self,
        endpoint: str = DEFAULT_ENDPOINT,
        *,
        topics: tuple[str, ...] = ("v1/",),
        newest: bool = True,
        max_age_ms: float | None = None,
        liveness_timeout_s: float | None = 3.0,
        server_key: str | None = None,
        public_key: str | None = None,
        secret_key: str | None = None,
        keys: str | os.PathLike[str] | None = None,
        context: zmq.Context[Any] | None = None,
        mono_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.invalid = 0  # frames that were not messages
        self.too_old = 0  # messages held back
        self.replayed = 0  # messages of another run that are older than what came before them
        self._newest, self._max_age_ms, self._mono_ns = newest, max_age_ms, mono_ns
        self._limit_ns = None if liveness_timeout_s is None else int(liveness_timeout_s * 1e9)
        self._boot = _this_boot()
        self._hears_states = any(_may_match_state(prefix) for prefix in topics)
        self._kept: dict[tuple[Any, ...], Message] = {}
        self._runs: dict[str, tuple[Any, tuple[Any, Any]]] = {}  # camera -> run, boot and stamp of the newest message
        self._last: dict[str, tuple[Any, int]] = {}  # topic -> run, seq
        self._gaps: dict[str, int] = {}  # topic -> missed since the last message given
        self._heard: dict[str, tuple[int, dict[str, Any]]] = {}  # state topic -> when, message
        self._open: dict[tuple[str, str], tuple[int, dict[str, Any]]] = {}  # topic, event -> when, newest message
        self._given_up: dict[tuple[str, str], None] = {}  # ended here, and not heard of since
        self._silent_since: int | None = mono_ns()  # None once it was told
        if keys is not None:
            server_key, public_key, secret_key = client_keys(keys)
        self._socket: zmq.Socket[bytes] = (context or zmq.Context.instance()).socket(zmq.SUB)
        try:
            self._connect(as_meant(endpoint), topics, server_key, public_key, secret_key)
        except (zmq.ZMQError, OSError, ValueError) as error:
            self.close()
            raise ValueError(f"cannot subscribe to {endpoint!r}: {error}") from None

    def _connect(
        self, endpoint: str, topics: tuple[str, ...], server: str | None, public: str | None, secret: str | None
    ) -> None:
        self._socket.linger = 0
        self._socket.rcvhwm = 1000
        self._socket.setsockopt(zmq.RCVBUF, 1 << 16)  # what waits in the kernel is old when it is read
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME)
        self._socket.setsockopt(zmq.RECONNECT_IVL, 100)
        self._socket.setsockopt(zmq.RECONNECT_IVL_MAX, 1000)
        # Finds a peer that vanished without closing. ZeroMQ's own heartbeat would abort a process whose queue is full
        # when the peer goes: "Assertion failed: !_io_error" (libzmq 4.3.5).
        for option, value in ((zmq.TCP_KEEPALIVE, 1), (zmq.TCP_KEEPALIVE_IDLE, 5), (zmq.TCP_KEEPALIVE_INTVL, 5),
                              (zmq.TCP_KEEPALIVE_CNT, 2)):  # fmt: skip
            self._socket.setsockopt(option, value)
        self._socket.ipv6 = "[" in endpoint
        if server is not None:
            if public is None or secret is None:
                new_public, new_secret = zmq.curve_keypair()
                public, secret = new_public.decode(), new_secret.decode()
            use_keys(self._socket, server, public, secret)
        for prefix in topics:
            self._socket.subscribe(prefix)
        self._socket.connect(endpoint)

    def recv(self, timeout_s: float | None = None) -> Message | None:
        """The next message.

        Args:
            timeout_s: how long to wait for it; None: for ever; 0: not at all.

        Returns:
            The message; None when none came in time.
        """
        deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._drain()
            self._check_liveness()
            message = self._take()
            if message is not None:
                return message
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return None
            wait_s = min(left_s, self._until_silence_s(), 60.0)
            self._socket.poll(math.ceil(max(wait_s, 0.001) * 1000))

    def __iter__(self) -> Iterator[Message]:
        """Messages as they come, until `close`."""
        while not self._socket.closed:
            message = self.recv()
            if message is not None:
                yield message

    def close(self) -> None:
        """Disconnect. Safe to call twice."""
        self._socket.close(linger=0)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _drain(self) -> None:
        for _ in range(_MAX_DRAIN):
            try:
                frame = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                topic, data = decode(frame)
            except ValueError:
                self.invalid += 1
                continue
            self._accept(topic, data)

    def _accept(self, topic: str, data: dict[str, Any]) -> None:
        now = self._mono_ns()
        run, seq = data.get("run"), data.get("seq")
        if not isinstance(seq, int) or (topic not in self._last and len(self._last) >= _MAX_TOPICS):
            self.invalid += 1
            return
        camera, sent = topic.rpartition("/")[0], (data.get("boot"), data.get("t_publish_mono_ns"))
        newest_run, newest = self._runs.get(camera, (run, sent))
        if run != newest_run:
            if sent[0] == newest[0] and _before(sent[1], newest[1]):
                self.replayed += 1
                return
            self._close_events(topic, "restart", other_run=run)
        last_run, last_seq = self._last.get(topic, (run, None))
        if run == last_run and last_seq is not None:
            if seq <= last_seq:  # a cached copy of what came already, or a replay
                return
            self._gaps[topic] = self._gaps.get(topic, 0) + seq - last_seq - 1
        self._runs[camera], self._last[topic] = (run, sent), (run, seq)
        if self._too_old(topic, data, now):
            self.too_old += 1
            return
        self._silent_since = now
        kind = topic.rpartition("/")[2]
        key: tuple[Any, ...] = (topic,) if self._newest else (topic, seq)
        if kind == "action":
            event = (topic, str(data.get("event")))
            key = (*event, str(data.get("type"))) if self._newest else key
            if data.get("type") == "end":
                self._kept.pop((*event, "update"), None)
            if event in self._open:
                self._open[event] = (now, data)
        elif kind == "state":
            self._heard[topic] = (now, data)
            self._end_what_is_not_open(topic, data)
        self._keep(key, Message(topic, data))

    def _keep(self, key: tuple[Any, ...], message: Message) -> None:
        self._kept.pop(key, None)  # the newest goes to the end of the line
        self._kept[key] = message
        if len(self._kept) > _MAX_KEPT:
            del self._kept[next(iter(self._kept))]

    def _take(self) -> Message | None:
        while self._kept:
            message = self._kept.pop(next(iter(self._kept)))
            topic, data = message.topic, message.data
            now = self._mono_ns()
            if not message.local and self._too_old(topic, data, now):
                self.too_old += 1
                continue
            if message.kind == "action":
                event = (topic, str(data.get("event")))
                if data.get("type") == "end":
                    unknown = self._open.pop(event, None) is None
                    if unknown and (message.local or event in self._given_up):
                        self._given_up.pop(event, None)
                        continue
                    if message.local:
                        self._given_up[event] = None
                        if len(self._given_up) > _MAX_KEPT:
                            del self._given_up[next(iter(self._given_up))]
                else:
                    self._given_up.pop(event, None)
                    self._open.setdefault(event, (now, data))
            gap = 0 if message.local else self._gaps.pop(topic, 0)
            return Message(topic, data, gap, self._since_ms(data, "t_capture_mono_ns", now), message.local)
        return None

    def _since_ms(self, data: dict[str, Any], stamp: str, now: int) -> float | None:
        """Age of a stamp; None unless it is of this boot and not in the future."""
        at = data.get(stamp)
        if self._boot is None or data.get("boot") != self._boot or not isinstance(at, int) or at > now:
            return None
        return (now - at) / 1e6

    def _too_old(self, topic: str, data: dict[str, Any], now: int) -> bool:
        kind, action = topic.rpartition("/")[2], data.get("type")
        if kind == "action" and action == "end" and (topic, str(data.get("event"))) in self._open:
            return False
        if self._limit_ns is not None:
            sent = "t_resend_mono_ns" if "t_resend_mono_ns" in data else "t_publish_mono_ns"
            delay_ms = self._since_ms(data, sent, now)
            if delay_ms is not None and delay_ms > self._limit_ns / 1e6:
                return True
        if self._max_age_ms is None or kind == "status" or action == "end" or data.get("state") in SELF_TOLD:
            return False
        age_ms = self._since_ms(data, "t_capture_mono_ns", now)
        return age_ms is None or age_ms > self._max_age_ms

    def _check_liveness(self) -> None:
        if self._limit_ns is None:
            return
        now = self._mono_ns()
        for event, (when, _) in list(self._open.items()):
            if now - when > self._limit_ns:
                self._end(event, "liveness")
        for topic, (when, data) in list(self._heard.items()):
            if now - when > self._limit_ns:
                del self._heard[topic]
                self._silent_since = None if not self._heard else self._silent_since
                self._close_events(topic, "liveness")
                since = when + self._limit_ns
                self._keep((topic, "local"), Message(
                    topic, {**data, "state": "stale", "since_mono_ns": since, "topk": [], "known": None}, local=True
                ))  # fmt: skip
        nothing = self._hears_states and not self._heard and self._silent_since is not None
        if nothing and now - (self._silent_since or 0) > self._limit_ns:
            unheard = {"schema": "state/1.0", "camera": "*", "state": "stale", "since_mono_ns": now, "open": []}
            self._keep(("local",), Message("v1/*/state", unheard, local=True))
            self._silent_since = None

    def _until_silence_s(self) -> float:
        """Seconds until `_check_liveness` may have something to tell."""
        if self._limit_ns is None:
            return math.inf
        times = [when for when, _ in (*self._heard.values(), *self._open.values())]
        if self._hears_states and self._silent_since is not None:
            times.append(self._silent_since)
        return (min(times) + self._limit_ns - self._mono_ns()) / 1e9 + 0.001 if times else math.inf

    def _end(self, event: tuple[str, str], reason: str) -> None:
        """Give an `end` of our own for an open event, once."""
        topic, name = event
        if (topic, name, "end") in self._kept:
            return
        for step in ("start", "update"):
            self._kept.pop((topic, name, step), None)
        _, data = self._open[event]
        self._keep((topic, name, "end"), Message(topic, {**data, "type": "end", "reason": reason}, local=True))

    def _close_events(self, topic: str, reason: str, other_run: Any = None) -> None:
        """End the open events of the topic's camera, or only those of another run than `other_run`."""
        camera = topic.rpartition("/")[0]
        for event, (_, data) in list(self._open.items()):
            same_camera = event[0].rpartition("/")[0] == camera
            if same_camera and (other_run is None or data.get("run") != other_run):
                self._end(event, reason)

    def _end_what_is_not_open(self, topic: str, state: dict[str, Any]) -> None:
        """Find the ends that were lost: events that a newer state no longer lists."""
        listed, captured = state.get("open"), state.get("t_capture_mono_ns")
        if not isinstance(listed, list) or not isinstance(captured, int):
            return
        names = {str(each.get("event")) for each in listed if isinstance(each, dict)}
        camera = topic.rpartition("/")[0]
        for event, (_, data) in list(self._open.items()):
            if event[0].rpartition("/")[0] != camera or event[1] in names:
                continue
            seen = data.get("t_capture_mono_ns")
            if data.get("run") == state.get("run") and isinstance(seen, int) and captured > seen:
                self._end(event, "lost")


def _before(sent: object, last: object) -> bool:
    return isinstance(sent, int) and isinstance(last, int) and sent < last


def _may_match_state(prefix: str) -> bool:
    parts = prefix.split("/")
    return len(parts) < 3 or "state".startswith(parts[2])
