"""The control socket: labels are listed and changed, and the status is asked for, while the app runs.

A request is one JSON object, `{"schema": "control/1.0", "op": "labels.set", "labels": ["wave", "fall = collapse"]}`,
from a ZeroMQ REQ or DEALER socket; the reply has `"ok": true` and what was asked for, or `"ok": false` and an `error`.
Every label is a line of a label file; nothing that comes over the socket opens a file but those of what was taught,
which are named after a hash. docs/messages.md has every request.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from edge_app.client import DEFAULT_ENDPOINT, client_keys, strict_json, use_keys
from edge_app.endpoint import Endpoint
from edge_app.errors import PortError, SourceError, UsageError
from edge_app.labels import Label, fold, line_of, parse_lines
from edge_app.security import Gate, check_bind
from edge_app.swap import Change, Labels, Swapper
from edge_app.teach import Teacher

SCHEMA = "control/1.0"
MAX_REQUEST = 2**16
MAX_REPLY = 2**24
_MAX_A_TURN = 16  # requests looked at in one poll: a flood waits in ZeroMQ's bounded queues, and then at its sender
_MAX_WAITING = 32  # changes accepted and not yet in force

Request = dict[str, Any]


@dataclass(slots=True)
class _Asked:
    """A request whose change is on its way. taught: the name that is to have shots then, if that was asked for."""

    peer: list[bytes]
    number: Any
    taught: str = ""


class Control:
    """Serves the control socket from the loop that also ranks: `poll` never waits.

    status: what the reply to `status` holds.

    Raises:
        UsageError: the endpoint is not allowed. PortError: it is in use, or not permitted.
    """

    def __init__(
        self, context: zmq.Context[Any], endpoint: str, swapper: Swapper, status: Callable[[], dict[str, Any]],
        gate: Gate | None = None, teacher: Teacher | None = None,
    ) -> None:  # fmt: skip
        self.counters = {"control_requests": 0, "control_refused": 0}
        self._swapper, self._status, self._teacher = swapper, status, teacher
        self._waiting: dict[int, _Asked] = {}
        self._count = 0
        address = check_bind(endpoint, with_keys=gate is not None and gate.keyed)
        self._socket: zmq.Socket[bytes] = context.socket(zmq.ROUTER)
        self._socket.linger = 0
        self._socket.rcvhwm = self._socket.sndhwm = 64
        self._socket.setsockopt(zmq.MAXMSGSIZE, MAX_REQUEST)
        if gate is not None:
            gate.protect(self._socket, "controller", address)
        try:
            self._bound = Endpoint(self._socket, address)
        except PortError:
            self._socket.close()
            raise
        self.endpoint = self._bound.address

    def poll(self) -> Change | None:
        """Answer requests; gives the newest label set that is ready to be put in force, which the caller must do."""
        self._bound.poll()
        for _ in range(_MAX_A_TURN):
            try:
                *peer, body = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._take(peer, body)
        if self._teacher is not None and (finished := self._teacher.finished()) is not None:
            self._swapper.submit(*finished)
        newest = None
        for change in self._swapper.done():
            newest = newest if change.error else change
            for asked in map(self._waiting.pop, change.numbers):
                if change.error:
                    self._refuse(asked.peer, asked.number, change.error)
                else:
                    answer = {"labels_version": change.version, "count": len(change.labels)}
                    if asked.taught:
                        answer["shots"] = self._shots().get(fold(asked.taught), 0)
                    self._reply(asked.peer, asked.number, answer)
        return newest

    def reopen(self) -> None:
        """Cut every connection, so that all must authenticate anew."""
        self._bound.reopen()

    def close(self) -> None:
        """Give the endpoint back. Safe to call twice."""
        self._socket.close(linger=0)
        self._bound.remove_file()
        self._swapper.close()

    def _take(self, peer: list[bytes], body: bytes) -> None:
        self.counters["control_requests"] += 1
        number = None
        try:
            request = strict_json(body)
            number = request.get("id")
            answer = self._answer(peer, request)
        except (ValueError, UsageError) as error:
            self._refuse(peer, number, str(error))
            return
        if answer is not None:
            self._reply(peer, number, answer)

    def _answer(self, peer: list[bytes], request: Request) -> dict[str, Any] | None:
        """The reply, or None where it comes once the change is in force.

        Raises:
            ValueError, UsageError: the request is refused.
        """
        found, op = request.get("schema"), request.get("op")
        if not isinstance(found, str) or not found.startswith("control/1."):
            raise ValueError(f"schema {_show(found)} found, {SCHEMA!r} is allowed")
        if op == "status":
            return {"status": self._status()}
        if op == "labels.list":
            version, labels = self._swapper.current
            return {
                "labels": [line_of(label) for label in labels], "labels_version": version,
                "taught": {label.name: n for label in labels if (n := self._shots().get(fold(label.name)))},
            }  # fmt: skip
        if not isinstance(op, str) or op not in (*CHANGES, *TEACHING):
            raise ValueError(f"op {_show(op)} found; allowed: status, labels.list, {', '.join((*CHANGES, *TEACHING))}")
        lines = request.get("labels")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError("'labels' must be a list of lines of a label file")
        given = parse_lines(lines, "label", may_be_empty=op == "labels.set")
        if len(self._waiting) >= _MAX_WAITING:
            raise ValueError(f"{_MAX_WAITING} changes are on their way; try again later")
        self._count += 1
        change = self._change(op, given, request)
        taught = given[0].name if op == "labels.teach" else ""
        self._waiting[self._count] = _Asked(peer, request.get("id"), taught)
        if change is not None:
            self._swapper.submit(self._count, change)
        return None

    def _change(self, op: str, given: Labels, request: Request) -> Callable[[Labels], Labels] | None:
        """What a request asks for, or None where it comes at the end of a shot."""
        if op in CHANGES:
            combine = CHANGES[op]
            return lambda old: combine(old, given)
        if self._teacher is None:
            raise ValueError(f"{op}: nothing can be taught here")
        if len(given) != 1:
            raise ValueError(f"{op}: {len(given)} labels found, one is allowed")
        if op == "labels.forget":
            return self._teacher.forget(given[0])
        return self._teacher.begin(self._count, given[0], request.get("camera"), request.get("seconds"))

    def _shots(self) -> dict[str, int]:
        return self._teacher.shots if self._teacher is not None else {}

    def _refuse(self, peer: list[bytes], number: Any, error: str) -> None:
        self.counters["control_refused"] += 1
        self._send(peer, {"schema": SCHEMA, "ok": False, "id": number, "error": error})

    def _reply(self, peer: list[bytes], number: Any, answer: dict[str, Any]) -> None:
        self._send(peer, {"schema": SCHEMA, "ok": True, "id": number, **answer})

    def _send(self, peer: list[bytes], reply: dict[str, Any]) -> None:
        try:
            self._socket.send_multipart([*peer, json.dumps(reply).encode()], zmq.NOBLOCK)
        except zmq.ZMQError:
            return  # it has gone, or does not read: it loses its reply


def _add(old: tuple[Label, ...], given: tuple[Label, ...]) -> tuple[Label, ...]:
    return (*old, *given)  # a name that is there already is refused by the table


def _remove(old: tuple[Label, ...], given: tuple[Label, ...]) -> tuple[Label, ...]:
    _must_be_there(old, given)
    gone = {label.name.casefold() for label in given}
    return tuple(label for label in old if label.name.casefold() not in gone)


def _describe(old: tuple[Label, ...], given: tuple[Label, ...]) -> tuple[Label, ...]:
    _must_be_there(old, given)
    new = {label.name.casefold(): label for label in given}
    return tuple(
        Label(
            label.name,
            found.synonyms or label.synonyms,
            found.description,
            label.enter if found.enter is None else found.enter,
        )
        if (found := new.get(label.name.casefold()))
        else label
        for label in old
    )


def _must_be_there(old: tuple[Label, ...], given: tuple[Label, ...]) -> None:
    known = {label.name.casefold() for label in old}
    for label in given:
        if label.name.casefold() not in known:
            raise UsageError(f"label {_show(label.name)} is not in the set")


CHANGES: dict[str, Callable[[tuple[Label, ...], tuple[Label, ...]], tuple[Label, ...]]] = {
    "labels.set": lambda old, given: given, "labels.add": _add, "labels.remove": _remove, "labels.describe": _describe,
}  # fmt: skip
TEACHING = ("labels.teach", "labels.forget")


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
        except (ValueError, OSError) as error:  # ZMQError is an OSError
            raise UsageError(f"{where}: {error}") from None
    if reply.get("ok") is not True:
        raise UsageError(f"{op}: {reply.get('error')}")
    return reply


def _show(value: object) -> str:
    return ascii(value)[:60]
