"""A bound socket's place: the file rules of ipc, and closing it to everybody and opening it again."""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from typing import Any

import zmq

from edge_app.errors import PortError

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
        if error.errno == errno.EADDRINUSE:
            raise PortError(f"endpoint {address} is in use by another program; choose another one") from None
        raise PortError(f"endpoint {address} cannot be opened: {error.strerror}") from None
    finally:
        if mask is not None:
            os.umask(mask)
    return _identity(path) if in_file else None


def _identity(path: str) -> tuple[str, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return path, found.st_dev, found.st_ino


def _clear_dead_socket(address: str, path: str) -> None:
    """Remove the socket file that a dead process left behind.

    Raises:
        PortError: the file belongs to a living process, or is not a socket.
    """
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
