"""Asking a running app over its control socket."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import zmq

from edge_app.client import DEFAULT_ENDPOINT, client_keys, strict_json, use_keys
from edge_app.errors import SourceError, UsageError

SCHEMA = "control/1.0"
MAX_REQUEST = 2**16
MAX_REPLY = 2**24

Request = dict[str, Any]


def control_beside(endpoint: str) -> str:
    """Where the control socket of the app is that publishes at `endpoint`, if nothing else was said.

    Beside the socket file of ipc; for tcp, named after the port in `$XDG_RUNTIME_DIR`, or else in a folder in /tmp that
    only this user may enter.

    Raises:
        UsageError: that folder in /tmp belongs to somebody else.
    """
    transport, _, address = endpoint.partition("://")
    if transport == "ipc":
        return f"{endpoint}.control"
    name = address.rpartition(":")[2] if transport == "tcp" else address
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    folder = Path(runtime) if os.path.isdir(runtime) else Path(tempfile.gettempdir()) / f"edge-app-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise UsageError(f"{folder}: must be a folder of this user that no other may write; or give --control ENDPOINT")
    return f"ipc://{folder}/edge-app-{name}.control"


def ask(
    endpoint: str | None, op: str, labels: list[str] | None = None, *, keys: Path | None = None,
    timeout_s: float = 60.0, **more: object,
) -> Request:  # fmt: skip
    """Send one request and wait for its reply.

    endpoint: None for that of an app with the default stream. labels: lines of a label file. more: other keys.

    Raises:
        UsageError: the request is refused, or a key or the endpoint malformed.
        SourceError: no reply within `timeout_s`.
    """
    where = endpoint or control_beside(DEFAULT_ENDPOINT)
    body = json.dumps({"schema": SCHEMA, "op": op, "labels": labels, **more}).encode()
    if len(body) > MAX_REQUEST:
        raise UsageError(f"{op}: a request of {len(body):,} bytes, {MAX_REQUEST:,} are allowed; use run --labels FILE")
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_REPLY)
        try:
            if keys is not None:
                use_keys(socket, *client_keys(keys))
            socket.ipv6 = "[" in where
            socket.connect(where)
            socket.send(body)
            if not socket.poll(int(timeout_s * 1000)):
                raise SourceError(f"{where}: no answer within {timeout_s:g} s; is the app running, and the key let in?")
            reply = strict_json(socket.recv())
        except (ValueError, OSError) as error:
            raise UsageError(f"{where}: {error}") from None
        except zmq.ZMQError as error:
            raise UsageError(
                f"{where}: {zmq.strerror(error.errno or 0)}; allowed: ipc://PATH or tcp://HOST:PORT"
            ) from None
    if reply.get("ok") is not True:
        raise UsageError(f"{op}: {reply.get('error')}")
    return reply


def show(value: object) -> str:
    return ascii(value)[:60]
