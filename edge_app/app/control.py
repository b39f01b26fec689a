"""The control socket: labels are listed and changed, and the status is asked for, while the app runs.

A request is one JSON object, `{"schema": "control/1.0", "op": "labels.set", "labels": ["wave", "fall = collapse"]}`,
from a ZeroMQ REQ or DEALER socket; the reply has `"ok": true` and what was asked for, or `"ok": false` and an `error`.
Every label is a line of a label file; nothing that comes over the socket opens a file but those of what was taught,
which are named after a hash. docs/messages.md has every request.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import zmq

from edge_app.app.label_service import CHANGES, TEACHING, LabelService
from edge_app.client import strict_json
from edge_app.errors import PortError, UsageError
from edge_app.ranker.labels.label import line_of, parse_lines
from edge_app.stream.auth import Gate
from edge_app.stream.control import MAX_REQUEST, SCHEMA, Request, show
from edge_app.stream.endpoint import Endpoint, check_bind

_MAX_A_TURN = 16  # requests looked at in one poll: a flood waits in ZeroMQ's bounded queues, and then at its sender


class Control:
    """Serves the control socket from the loop that also ranks: parses requests and sends replies, and never waits.

    labels: knows and changes the label set. status: what the reply to `status` holds.

    Raises:
        UsageError: the endpoint is not allowed. PortError: it is in use, or not permitted.
    """

    def __init__(
        self, context: zmq.Context[Any], endpoint: str, labels: LabelService, status: Callable[[], dict[str, Any]],
        gate: Gate | None = None,
    ) -> None:  # fmt: skip
        self.counters = {"control_requests": 0, "control_refused": 0}
        self._labels, self._status = labels, status
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

    def poll(self) -> None:
        """Take requests, put label sets that are ready in force, and send replies."""
        self._bound.poll()
        for _ in range(_MAX_A_TURN):
            try:
                *peer, body = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            self._take(peer, body)
        for answer in self._labels.answers():
            peer, number, notes = answer.asker
            if answer.error:
                self._refuse(peer, number, answer.error)
            else:
                self._reply(peer, number, answer.reply | ({"notes": notes} if notes else {}))

    def reopen(self) -> None:
        """Cut every connection, so that all must authenticate anew."""
        self._bound.reopen()

    def close(self) -> None:
        """Give the endpoint back. Safe to call twice."""
        self._socket.close(linger=0)
        self._bound.remove_file()

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
            table = self._labels.ranker.table
            return {
                "labels": [line_of(label) for label in table.labels], "names": table.names,
                "labels_version": table.version, "taught": self._labels.taught,
            }  # fmt: skip
        if not isinstance(op, str) or op not in (*CHANGES, *TEACHING):
            raise ValueError(f"op {show(op)} found; allowed: status, labels.list, {', '.join((*CHANGES, *TEACHING))}")
        lines = request.get("labels")
        if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
            raise ValueError("'labels' must be a list of lines of a label file")
        notes: list[str] = []
        note = None if op in ("labels.remove", "labels.forget") else notes.append
        given = parse_lines(lines, "label", may_be_empty=op == "labels.set", note=note)
        asker = (peer, request.get("id"), notes)
        self._labels.ask(asker, op, given, request.get("camera"), request.get("seconds"))
        return None

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
