"""Where the application may listen, and whom it lets in."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85

from edge_app.errors import UsageError
from edge_app.stream.keys import Role, fingerprint, load_keys, state_of

log = logging.getLogger(__name__)

ALLOWED = "tcp://127.0.0.1:PORT (any 127.x.x.x, [::1] or localhost), ipc://PATH, inproc://NAME"
LOOK_S = 1.0  # between two looks at the folder of keys
LOG_S = 5.0  # between two lines about refused peers
_HANDSHAKE_MS = 2000  # after this long a peer that is not in is cut off; when refused, it may then try again
_MAX_QUESTIONS = 100  # answered in one poll, so that a flood cannot hold us
_MAX_NEWS = 1000  # of connections, read in one poll
MAX_PEERS = 256
_FAILURES = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


@dataclass(slots=True)
class _Peers:
    """Who is connected to a guarded socket, told from ZeroMQ's events.

    open: file descriptors of all connections. inside: how many of them were let in. failed: handshakes that failed and
    whose connections are about to end.
    """

    monitor: zmq.Socket[bytes]
    open: set[int] = field(default_factory=set)
    inside: int = 0
    failed: int = 0

    def forget(self) -> None:
        """All connections are about to be cut."""
        self.open.clear()
        self.inside = self.failed = 0

    def read(self) -> int:
        """Take in what has happened; gives the number of handshakes that failed."""
        from zmq.utils.monitor import recv_monitor_message  # with asyncio, which an app without keys does not need

        failures = 0
        for _ in range(_MAX_NEWS):
            if self.monitor.closed or not self.monitor.poll(0):
                break
            news = recv_monitor_message(self.monitor)
            if news["event"] == zmq.EVENT_ACCEPTED:
                self.open.add(news["value"])
            elif news["event"] != zmq.EVENT_DISCONNECTED:
                self.failed, failures = self.failed + 1, failures + 1
            else:
                self.open.discard(news["value"])
                if self.failed:
                    self.failed -= 1
                else:
                    self.inside -= 1
        self.inside = max(0, min(self.inside, len(self.open)))
        return failures


class Gate:
    """Decides who may connect to the sockets of a context, by ZeroMQ's ZAP (its RFC 27): CURVE keys on a list.

    There is no thread behind it. ZeroMQ asks, and `poll` answers; a connection that gets no answer never opens, and
    once the gate is closed, or its folder cannot be read, none does. Tcp sockets are guarded; ipc sockets are files
    that only their owner may open.

    Args:
        context: of all the sockets that are protected; one gate a context.
        folder: keys as `edge_app.stream.keys` describes them. Looked at every second, for keys added or taken away.
            None: whoever reaches an address gets in.
        most: so many may be connected to a socket at a time; others are refused until somebody leaves.

    Raises:
        UsageError: the folder is refused by `load_keys`.
    """

    def __init__(self, context: zmq.Context[Any], folder: Path | None, most: int = MAX_PEERS) -> None:
        self.counters = {"peers_accepted": 0, "peers_refused": 0, "handshakes_failed": 0}
        self._folder, self._most = folder, most
        self._seen = state_of(folder) if folder else None
        self._keys = load_keys(folder) if folder else None
        self._allowed = self._keys.allowed if self._keys else {}
        self._look_at, self._log_at, self._unsaid = time.monotonic() + LOOK_S, 0.0, 0
        self._broken = False
        self._peers: dict[Role, _Peers] = {}
        self._socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self._socket.bind("inproc://zeromq.zap.01")

    @property
    def keyed(self) -> bool:
        """Whether it asks for keys."""
        return self._keys is not None

    @property
    def state(self) -> str:
        """running, or degraded: nobody new gets in."""
        return "degraded" if self._broken or self._socket.closed else "running"

    def protect(self, guarded: zmq.Socket[Any], role: Role, address: str) -> None:
        """Let only keys of this role connect, where there are keys. Before `bind`."""
        if not address.startswith("tcp://"):
            return
        if self._keys is not None:
            guarded.curve_server = True
            guarded.curve_secretkey = self._keys.secret.encode()
        guarded.zap_domain = role.encode()
        guarded.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without it, a missing gate would be an open one
        guarded.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        self._peers[role] = _Peers(guarded.get_monitor_socket(_FAILURES | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED))

    def poll(self) -> set[Role]:
        """Answer who waits. Returns the roles from which a key was taken: their sockets must be opened anew."""
        revoked = self._look() if time.monotonic() >= self._look_at else set()
        self.counters["handshakes_failed"] += sum(peers.read() for peers in self._peers.values())
        for _ in range(0 if self._socket.closed else _MAX_QUESTIONS):
            try:
                question = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._socket.send_multipart(self._answer(question))
        self._say_refused()
        for role in revoked & self._peers.keys():
            self._peers[role].forget()
        return revoked

    def close(self) -> None:
        """From now on nobody gets in. Safe to call twice."""
        self._socket.close(linger=0)
        for peers in self._peers.values():
            peers.monitor.close(linger=0)
        self._peers.clear()

    def _answer(self, question: list[bytes]) -> list[bytes]:
        """The reply to a ZAP request: version, id, domain, address, identity, mechanism, then the public key."""
        version, number, domain, address, _, mechanism, *credentials = [*question, *[b""] * 6][: max(len(question), 6)]
        key = z85.encode(credentials[0]).decode() if credentials and len(credentials[0]) == 32 else ""
        role = next((role for role in self._peers if role.encode() == domain), None)
        known = self._allowed.get(role, {}) if role else {}
        right = mechanism == b"CURVE" and key in known if self.keyed else mechanism == b"NULL"
        full = role is not None and self._peers[role].inside >= self._most
        if version == b"1.0" and role is not None and right and not full:
            self._peers[role].inside += 1
            self.counters["peers_accepted"] += 1
            return [b"1.0", number, b"200", b"", known.get(key, "").encode(), b""]
        self.counters["peers_refused"] += 1
        self._unsaid += 1
        shown = fingerprint(key) if key else "none"
        why = f"{self._most} are connected already" if right and full else f"no {domain.decode()}"
        self._last = f"{address.decode('ascii', 'replace')!r} with key {shown}: {why}"
        # 300 and not 400: the client tries again, so it gets in once its key is added
        return [b"1.0", number, b"300", b"", b"", b""]

    def _look(self) -> set[Role]:
        if self._folder is None:
            return set()
        self._look_at = time.monotonic() + LOOK_S
        seen = state_of(self._folder)
        if seen == self._seen:
            return set()
        self._seen, before = seen, self._allowed
        try:
            self._allowed, self._broken = load_keys(self._folder).allowed, False
        except UsageError as error:
            self._allowed, self._broken = {}, True
            log.error("%s; nobody is let in", error, extra={"kind": "keys"})
        return {role for role, names in before.items() if not names.keys() <= self._allowed.get(role, {}).keys()}

    def _say_refused(self) -> None:
        now = time.monotonic()
        if self._unsaid and now >= self._log_at:
            log.warning("%d refused, the last %s", self._unsaid, self._last, extra={"kind": "refused"})
            self._unsaid, self._log_at = 0, now + LOG_S
