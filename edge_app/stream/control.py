"""Asking a running app over its control socket."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import zmq

from edge_app.bundles.user_folders import runtime_folder
from edge_app.client import DEFAULT_ENDPOINT, as_meant, client_keys, strict_json, use_keys
from edge_app.errors import SourceError, UsageError

SCHEMA = "control/1.0"
MAX_REQUEST = 2**16
MAX_REPLY = 2**24

HERE_S = 2.0
"""For an app that is there to answer: its loop turns ten times a second."""

Request = dict[str, Any]


def control_beside(endpoint: str) -> str:
    """Where the control socket of the app is that publishes at `endpoint`, if nothing else was said.

    Beside the socket file of ipc; for tcp, named after the port in `runtime_folder()`.

    Raises:
        UsageError: as `runtime_folder`.
    """
    transport, _, address = endpoint.partition("://")
    if transport == "ipc":
        return f"{endpoint}.control"
    name = address.rpartition(":")[2] if transport == "tcp" else address
    return f"ipc://{runtime_folder()}/edge-app-{name}.control"


def ask(
    endpoint: str | None, op: str, labels: list[str] | None = None, *, keys: Path | None = None,
    timeout_s: float = 60.0, **more: object,
) -> Request:  # fmt: skip
    """Send one request and wait for its reply.

    endpoint: None for that of an app with the default stream. labels: lines of a label file. more: other keys.

    Raises:
        UsageError: the request is refused, or a key or the endpoint malformed.
        SourceError: no app answers at all within `HERE_S`, or not to the request within `timeout_s`.
    """
    where = endpoint or control_beside(DEFAULT_ENDPOINT)
    try:
        where = as_meant(where)
    except ValueError as error:
        raise UsageError(f"control socket {where!r}: {error}") from None
    request = {"schema": SCHEMA, "op": op, "labels": labels, **more}
    if (size := len(json.dumps(request).encode())) > MAX_REQUEST:
        raise UsageError(f"{op}: a request of {size:,} bytes, {MAX_REQUEST:,} are allowed; use run --labels FILE")
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY)
        try:
            if keys is not None:
                use_keys(socket, *client_keys(keys))
            socket.ipv6 = "[" in where
            socket.connect(where)
            here_s = min(HERE_S, timeout_s)
            _exchange(socket, {"schema": SCHEMA, "op": "labels.list"}, here_s, f"{where}: no app answers")
            reply = _exchange(socket, request, timeout_s, f"{where}: no answer to {op}")
        except (ValueError, OSError) as error:
            raise UsageError(f"{where}: {error}") from None
        except zmq.ZMQError as error:
            raise UsageError(
                f"{where}: {zmq.strerror(error.errno or 0)}; allowed: ipc://PATH or tcp://HOST:PORT"
            ) from None
    if reply.get("ok") is not True:
        raise UsageError(str(reply.get("error")))
    return reply


def _exchange(socket: zmq.Socket[bytes], request: Request, timeout_s: float, otherwise: str) -> Request:
    socket.send(json.dumps(request).encode())
    if not socket.poll(int(timeout_s * 1000)):
        raise SourceError(
            f"{otherwise} within {timeout_s:g} s; 'edge-app status' shows which apps run here and their --control "
            "ENDPOINT; over a network, does it accept your key?"
        )
    return strict_json(socket.recv())


def show(value: object) -> str:
    return ascii(value)[:60]
