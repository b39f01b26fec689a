"""The control socket: labels are listed and changed, and the status is asked for, while the app runs.

A request is one JSON object, `{"schema": "control/1.0", "op": "labels.set", "labels": ["wave", "fall = collapse"]}`,
from a ZeroMQ REQ or DEALER socket; the reply has `"ok": true` and what was asked for, or `"ok": false` and an `error`.
Every label is a line of a label file; nothing that comes over the socket opens a file but those of what was taught,
which are named after a hash. docs/messages.md has every request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import zmq

from edge_app.app.label_updates import Change, Labels, Swapper
from edge_app.app.teaching import Teacher
from edge_app.client import strict_json
from edge_app.errors import PortError, UsageError
from edge_app.ranker.labels.label import Label, fold, line_of, parse_lines
from edge_app.stream.auth import Gate
from edge_app.stream.control import MAX_REQUEST, SCHEMA, Request, show
from edge_app.stream.endpoint import Endpoint, check_bind

_MAX_A_TURN = 16  # requests looked at in one poll: a flood waits in ZeroMQ's bounded queues, and then at its sender
_MAX_WAITING = 32  # changes accepted and not yet in force


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
            raise ValueError(f"schema {show(found)} found, {SCHEMA!r} is allowed")
        if op == "status":
            return {"status": self._status()}
        if op == "labels.list":
            version, labels = self._swapper.current
            return {
                "labels": [line_of(label) for label in labels], "labels_version": version,
                "taught": {label.name: n for label in labels if (n := self._shots().get(fold(label.name)))},
            }  # fmt: skip
        if not isinstance(op, str) or op not in (*CHANGES, *TEACHING):
            raise ValueError(f"op {show(op)} found; allowed: status, labels.list, {', '.join((*CHANGES, *TEACHING))}")
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
            raise UsageError(f"label {show(label.name)} is not in the set")


CHANGES: dict[str, Callable[[tuple[Label, ...], tuple[Label, ...]], tuple[Label, ...]]] = {
    "labels.set": lambda old, given: given, "labels.add": _add, "labels.remove": _remove, "labels.describe": _describe,
}  # fmt: skip
TEACHING = ("labels.teach", "labels.forget")
