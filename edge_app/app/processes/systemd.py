"""Tells systemd how the service is, if it asked (`Type=notify`): the protocol of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time


class Notifier:
    """Sends nothing where NOTIFY_SOCKET is not set. Failures are ignored: no service dies of being unheard."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        self._period_s = int(os.environ.get("WATCHDOG_USEC", 0)) / 2e6
        self._next_s = 0.0
        self._status = ""

    def send(self, line: str) -> None:
        """One assignment, such as READY=1."""
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
            datagram.setblocking(False)
            datagram.sendto(line.encode(), address)

    def status(self, text: str) -> None:
        """What `systemctl status` shows; sent when it changes."""
        if text != self._status:
            self._status = text
            self.send(f"STATUS={text}")

    def watchdog(self) -> None:
        """The caller's loop turns; sent at twice the pace that systemd wants."""
        if self._period_s and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + self._period_s
            self.send("WATCHDOG=1")
