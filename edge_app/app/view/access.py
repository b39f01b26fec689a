"""Where the live page listens, and who may come in."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from edge_app.errors import PortError, UsageError
from edge_app.stream.endpoint import parse_host_port

DEFAULT_ADDRESS = "127.0.0.1:8765"
MIN_TOKEN = 16
_LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True)
class Access:
    """An open listening socket. token: empty only where no other machine can connect."""

    socket: socket.socket
    token: str
    local: bool

    @property
    def url(self) -> str:
        """The address to open, with the token."""
        host, port = self.socket.getsockname()[:2]
        if ipaddress.ip_address(host).is_unspecified:
            host = socket.gethostname()
        name = f"[{host}]" if ":" in host else host
        return f"http://{name}:{port}/" + (f"?token={quote(self.token)}" if self.token else "")

    def knows(self, token: str) -> bool:
        """Whether this is the token; takes as long for any that is not."""
        return not self.token or hmac.compare_digest(token.encode(), self.token.encode())

    def is_host(self, header: str) -> bool:
        """Whether a page asked for by this Host header can be ours: a name that an attacker's DNS points at us is not.

        Beyond this machine the token decides alone, since a cookie is only sent to the name that it was set for.
        """
        try:
            return not self.local or urlsplit(f"//{header}").hostname in _LOCAL_NAMES
        except ValueError:  # a bracket is missing
            return False

    @staticmethod
    def is_origin(origin: str, host: str) -> bool:
        """Whether a request comes from our own page; browsers send the origin with every WebSocket and PUT."""
        scheme, separator, asked = origin.partition("://")
        return bool(separator) and scheme in ("http", "https") and asked == host


def open_access(host_port: str = DEFAULT_ADDRESS, token: str = "") -> Access:
    """Listen on HOST:PORT, HOST being an IP address or localhost. Nothing is looked up.

    Raises:
        UsageError: the address is malformed, or the token too short to be safe.
        PortError: the port is in use, or not permitted.
    """
    try:
        address, port = parse_host_port(host_port)
    except ValueError:
        raise UsageError(
            f"live page at {host_port!r:.80}: an IP address and a port are expected, such as {DEFAULT_ADDRESS}"
        ) from None
    if token and len(token) < MIN_TOKEN:
        raise UsageError(f"--token: {len(token)} characters found, at least {MIN_TOKEN} are needed")
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    try:
        listening = socket.create_server((str(address), port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortError(f"live page at {host_port}: {reason}; choose another HOST:PORT") from None
    return Access(listening, token or ("" if address.is_loopback else secrets.token_urlsafe(16)), address.is_loopback)
