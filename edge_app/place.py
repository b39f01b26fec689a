"""HOST:PORT where this machine listens."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address


def parse_place(place: str) -> tuple[IPv4Address | IPv6Address, int]:
    """Address and port; localhost is 127.0.0.1, an IPv6 address may stand in brackets, and nothing is looked up.

    Raises:
        ValueError: not an IP address and a port.
    """
    host, _, port = place.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ValueError(f"port {port!r}")
    return ip_address("127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")), int(port)
