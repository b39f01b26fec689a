"""Where the application may listen: on this machine only, as long as there are no keys."""

from __future__ import annotations

import ipaddress

from edge_app.errors import UsageError

ALLOWED = "tcp://127.0.0.1:PORT (any 127.x.x.x, [::1] or localhost), ipc://PATH, inproc://NAME"


def check_bind(endpoint: str) -> str:
    """The endpoint to hand to ZeroMQ's `bind`, if it cannot be reached from another machine.

    `localhost` comes back as 127.0.0.1, so that no resolver decides what is opened. A port may be `*` or 0: any free
    one. IPv6 hosts need their brackets. Nothing is looked up.

    Raises:
        UsageError: the endpoint is malformed, of another transport, or not on the loopback interface.
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
    if not _is_loopback(host):
        raise UsageError(
            f"endpoint {endpoint!r} can be reached from other machines, which needs keys (CURVE and a ZAP allow-list): "
            f"not supported yet; allowed: {ALLOWED}"
        )
    return endpoint


def _is_port(text: str) -> bool:
    return text == "*" or (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535)


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
