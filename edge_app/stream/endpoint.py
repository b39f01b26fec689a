"""A bound socket's place: the file rules of ipc, and closing it to everybody and opening it again."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import stat
import time
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import zmq

from edge_app.bundles.user_folders import MAX_SOCKET_PATH
from edge_app.errors import PortError, UsageError
from edge_app.stream.auth import ALLOWED

_REOPEN_S = 3.0


class Endpoint:
    """Binds a socket that is set up; `address` is where it really listens.

    An ipc socket file has mode 0600, a dead process's file is replaced, and ours goes with us. ZeroMQ itself would take
    over the file of a living process, leave its own open to everybody, and never remove it.

    Raises:
        PortError: the address is in use, or not permitted.
    """

    def __init__(self, bound: zmq.Socket[Any], address: str) -> None:
        self._socket = bound
        bound.ipv6 = "[" in address
        self._file = _bind(bound, address)
        self.address: str = bound.getsockopt(zmq.LAST_ENDPOINT).rstrip(b"\0").decode()  # type: ignore[union-attr]
        self._closed_at: float | None = None

    def reopen(self) -> None:
        """Cut every connection; whoever comes again must pass the gate again."""
        if self._closed_at is None:
            self._socket.unbind(self.address)
            self._closed_at = time.monotonic()
            self.poll()

    def poll(self) -> None:
        """Go on with `reopen`: ZeroMQ gives an address back a moment after it was asked to.

        Raises:
            PortError: somebody else has taken the address meanwhile.
        """
        since = self._closed_at
        if since is None:
            return
        try:
            self._file = _bind(self._socket, self.address)
            self._closed_at = None
        except PortError:
            if time.monotonic() - since > _REOPEN_S:
                raise

    def remove_file(self) -> None:
        """After the socket was closed. Safe to call twice."""
        if self._file is not None and _identity(self._file[0]) == self._file:  # not one that replaced ours
            os.unlink(self._file[0])
        self._file = None


def _bind(bound: zmq.Socket[Any], address: str) -> tuple[str, int, int] | None:
    """Returns which socket file it made."""
    transport, _, path = address.partition("://")
    in_file = transport == "ipc" and not path.startswith("@")
    if in_file:
        _clear_dead_socket(address, path)
    mask = os.umask(0o177) if in_file else None
    try:
        bound.bind(address)
    except zmq.ZMQError as error:
        raise _refused(address, error) from None
    finally:
        if mask is not None:
            os.umask(mask)
    return _identity(path) if in_file else None


def _refused(address: str, error: zmq.ZMQError | OSError) -> PortError:
    if error.errno == errno.EADDRINUSE:
        return PortError(f"endpoint {address} is in use by another program; choose another one")
    return PortError(f"endpoint {address} cannot be opened: {error.strerror}")


def _identity(path: str) -> tuple[str, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return path, found.st_dev, found.st_ino


def _clear_dead_socket(address: str, path: str) -> None:
    """Remove the socket file that a dead process left behind.

    Raises:
        PortError: the file belongs to a living process, or is not a socket; no socket can have such a long path.
    """
    if (size := len(os.fsencode(path))) > MAX_SOCKET_PATH:
        raise PortError(f"endpoint {address} cannot be opened: {size} bytes, the system allows {MAX_SOCKET_PATH}")
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise PortError(f"endpoint {address} cannot be opened: the file exists and is not a socket")
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except ConnectionRefusedError:
        os.unlink(path)
    except OSError as error:
        raise PortError(f"endpoint {address} cannot be opened: {error.strerror or error}") from None
    else:
        raise PortError(f"endpoint {address} is in use by another program; choose another one")


def check_bind(endpoint: str, *, with_keys: bool = False) -> str:
    """The endpoint to hand to ZeroMQ's `bind`, if it cannot be reached from another machine, or keys guard it.

    `localhost` comes back as 127.0.0.1, so that no resolver decides what is opened; schemes are of any case. A port may
    be `*` or 0: any free one. IPv6 hosts need their brackets. With keys the host may be any address, or `*`. Nothing is
    looked up.

    Raises:
        UsageError: the endpoint is malformed, of another transport, or not on the loopback interface without keys.
    """
    transport, separator, address = endpoint.partition("://")
    transport = transport.lower()
    if not separator or transport not in ("tcp", "ipc", "inproc") or not address or not address.isprintable():
        raise UsageError(f"endpoint {endpoint!r} is not one that can be listened on; allowed: {ALLOWED}")
    if transport != "tcp":
        if address == "*":
            raise UsageError(f"endpoint {endpoint!r} names no place that others could connect to; allowed: {ALLOWED}")
        return f"{transport}://{address}"
    host, _, port = address.rpartition(":")
    if not host or not _is_port(port):
        raise UsageError(f"endpoint {endpoint!r} has no port from 0 to 65535 (or *) at its end; allowed: {ALLOWED}")
    if host.lower() == "localhost":
        return f"tcp://127.0.0.1:{port}"
    if with_keys and _is_address(host):
        return f"tcp://{address}"
    if not _is_loopback(host):
        raise UsageError(
            f"endpoint {endpoint!r} can be reached from other machines, which needs an address and keys (CURVE and a "
            f"ZAP allow-list): 'edge-app keys new DIR' makes them, --keys DIR uses them; allowed without: {ALLOWED}"
        )
    return f"tcp://{address}"


def check_free(endpoint: str) -> None:
    """Whether an endpoint of `check_bind` could be opened now: a look, so that an app need not load to find out.

    Raises:
        PortError: it is in use, or not permitted.
    """
    transport, _, address = endpoint.partition("://")
    if transport == "ipc" and not address.startswith("@"):
        _clear_dead_socket(endpoint, address)
    if transport != "tcp":
        return
    host, _, port = address.rpartition(":")
    family = socket.AF_INET6 if "[" in host else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as ZeroMQ does
            probe.bind((host.strip("[]*"), 0 if port == "*" else int(port)))
            probe.listen()
    except OSError as error:
        raise _refused(endpoint, error) from None


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


def parse_host_port(host_port: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Address and port; localhost is 127.0.0.1, an IPv6 address may stand in brackets, and nothing is looked up.

    Raises:
        ValueError: not an IP address and a port.
    """
    host, _, port = host_port.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(f"port {port!r}")
    host = "127.0.0.1" if host.lower() == "localhost" else host.removeprefix("[").removesuffix("]")
    return ip_address(host), int(port)
