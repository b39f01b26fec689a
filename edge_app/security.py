"""Where the application may listen, and whom it lets in."""

from __future__ import annotations

import ipaddress
import time
from pathlib import Path
from typing import Any

import zmq
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from edge_app.errors import UsageError
from edge_app.keys import Role, fingerprint, load_keys, state_of
from edge_app.log import log

ALLOWED = "tcp://127.0.0.1:PORT (any 127.x.x.x, [::1] or localhost), ipc://PATH, inproc://NAME"
LOOK_S = 1.0  # between two looks at the folder of keys
LOG_S = 5.0  # between two lines about refused peers
_HANDSHAKE_MS = 2000  # after this long a peer that is not in is cut off; when refused, it may then try again
_MAX_QUESTIONS = 100  # answered in one poll, so that a flood cannot hold us
_FAILURES = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH


class Gate:
    """Decides who may connect to the sockets of a context: CURVE keys on a list, by ZeroMQ's ZAP (its RFC 27).

    There is no thread behind it. ZeroMQ asks, and `poll` answers; a connection that gets no answer never opens, and
    once the gate is closed, or its folder cannot be read, none does. Tcp sockets are guarded; ipc sockets are files
    that only their owner may open.

    Args:
        context: of all the sockets that are protected; one gate a context.
        folder: keys as `edge_app.keys` describes them. Looked at every second, for keys added or taken away.

    Raises:
        UsageError: the folder is refused by `load_keys`.
    """

    def __init__(self, context: zmq.Context[Any], folder: Path) -> None:
        self.counters = {"peers_accepted": 0, "peers_refused": 0, "handshakes_failed": 0}
        self._folder = folder
        self._seen = state_of(folder)
        self._keys = load_keys(folder)
        self._allowed = self._keys.allowed
        self._look_at, self._log_at, self._unsaid = time.monotonic() + LOOK_S, 0.0, 0
        self._broken = False
        self._monitors: list[zmq.Socket[bytes]] = []
        self._socket: zmq.Socket[bytes] = context.socket(zmq.REP)
        self._socket.bind("inproc://zeromq.zap.01")

    @property
    def state(self) -> str:
        """running, or degraded: nobody new gets in."""
        return "degraded" if self._broken or self._socket.closed else "running"

    def protect(self, guarded: zmq.Socket[Any], role: Role, address: str) -> None:
        """Let only keys of this role connect. Before `bind`."""
        if not address.startswith("tcp://"):
            return
        guarded.curve_server = True
        guarded.curve_secretkey = self._keys.secret.encode()
        guarded.zap_domain = role.encode()
        guarded.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)  # without it, a missing gate would be an open one
        guarded.setsockopt(zmq.HANDSHAKE_IVL, _HANDSHAKE_MS)
        self._monitors.append(guarded.get_monitor_socket(_FAILURES))

    def poll(self) -> set[Role]:
        """Answer who waits. Returns the roles from which a key was taken: their sockets must be opened anew."""
        revoked = self._look() if time.monotonic() >= self._look_at else set()
        for _ in range(0 if self._socket.closed else _MAX_QUESTIONS):
            try:
                question = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._socket.send_multipart(self._answer(question))
        self._count_failures()
        self._say_refused()
        return revoked

    def close(self) -> None:
        """From now on nobody gets in. Safe to call twice."""
        self._socket.close(linger=0)
        for monitor in self._monitors:
            monitor.close(linger=0)
        self._monitors.clear()

    def _answer(self, question: list[bytes]) -> list[bytes]:
        """The reply to a ZAP request: version, id, domain, address, identity, mechanism, then the public key."""
        version, number, domain, address, _, mechanism, *credentials = [*question, *[b""] * 6][: max(len(question), 6)]
        key = z85.encode(credentials[0]).decode() if credentials and len(credentials[0]) == 32 else ""
        known = next((names for role, names in self._allowed.items() if role.encode() == domain), {})
        if version == b"1.0" and mechanism == b"CURVE" and key in known:
            self.counters["peers_accepted"] += 1
            return [b"1.0", number, b"200", b"", known[key].encode(), b""]
        self.counters["peers_refused"] += 1
        self._unsaid += 1
        shown = fingerprint(key) if key else "none"
        self._last = f"{address.decode('ascii', 'replace')!r} with key {shown}: no {domain.decode()}"
        # 300 and not 400: the client tries again, so it gets in once its key is added
        return [b"1.0", number, b"300", b"", b"", b""]

    def _look(self) -> set[Role]:
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

    def _count_failures(self) -> None:
        for monitor in self._monitors:
            for _ in range(_MAX_QUESTIONS):
                if monitor.closed or not monitor.poll(0):
                    break
                recv_monitor_message(monitor)
                self.counters["handshakes_failed"] += 1

    def _say_refused(self) -> None:
        now = time.monotonic()
        if self._unsaid and now >= self._log_at:
            log.warning("%d refused, the last %s", self._unsaid, self._last, extra={"kind": "refused"})
            self._unsaid, self._log_at = 0, now + LOG_S


def check_bind(endpoint: str, *, with_keys: bool = False) -> str:
    """The endpoint to hand to ZeroMQ's `bind`, if it cannot be reached from another machine, or keys guard it.

    `localhost` comes back as 127.0.0.1, so that no resolver decides what is opened. A port may be `*` or 0: any free
    one. IPv6 hosts need their brackets. With keys the host may be any address, or `*`. Nothing is looked up.

    Raises:
        UsageError: the endpoint is malformed, of another transport, or not on the loopback interface without keys.
    """
    transport, separator, address = endpoint.partition("://")
    if not separator or transport not in ("tcp", "ipc", "inproc") or not address or not address.isprintable():
        raise UsageError(f"endpoint {endpoint!r} is not one that can be listened on; allowed: {ALLOWED}")
    if transport != "tcp":
        if address == "*":
            raise UsageError(f"endpoint {endpoint!r} names no place that others could connect to; allowed: {ALLOWED}")
        return endpoint
    host, _, port = address.rpartition(":")
    if not host or not _is_port(port):
        raise UsageError(f"endpoint {endpoint!r} has no port from 0 to 65535 (or *) at its end; allowed: {ALLOWED}")
    if host == "localhost":
        return f"tcp://127.0.0.1:{port}"
    if with_keys and _is_address(host):
        return endpoint
    if not _is_loopback(host):
        raise UsageError(
            f"endpoint {endpoint!r} can be reached from other machines, which needs an address and keys (CURVE and a "
            f"ZAP allow-list): 'edge-app keys new DIR' makes them, --keys DIR uses them; allowed without: {ALLOWED}"
        )
    return endpoint


def _is_port(text: str) -> bool:
    return text == "*" or (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535)


def _is_address(host: str) -> bool:
    """True for an IPv4 address in dotted form, an IPv6 address in brackets, and `*`."""
    try:
        ipaddress.IPv6Address(host[1:-1]) if host[:1] + host[-1:] == "[]" else ipaddress.IPv4Address(host)
    except ValueError:
        return host == "*"
    return "%" not in host


def _is_loopback(host: str) -> bool:
    """True for 127.0.0.0/8 in dotted form and for [::1]; mapped and scoped addresses are refused."""
    if host.startswith("[") and host.endswith("]"):
        try:
            return ipaddress.IPv6Address(host[1:-1]) == ipaddress.IPv6Address("::1")
        except ValueError:
            return False
    try:
        return ipaddress.IPv4Address(host) in ipaddress.IPv4Network("127.0.0.0/8")
    except ValueError:
        return False
