"""Events on their way to something that may be slow: the stream is read on, whatever becomes of them."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from edge_app.app.bridges import subscribe
from edge_app.app.log import log
from edge_app.client import Message
from edge_app.ranker.labels.actions import fold

MAX_WAITING = 100
CLOSE_S = 3.0
"""For what still waits at the end."""


@dataclass(frozen=True, slots=True)
class Event:
    """An `action` message that is passed on.

    data: the message, with `"local": true` where the reader made it. taken_s: on the monotonic clock, when it came.
    age_ms: its age then, None where it is not known.
    """

    topic: str
    data: dict[str, Any]
    taken_s: float
    age_ms: float | None

    def __str__(self) -> str:
        return f"{self.data.get('type')} of {self.data.get('label')!r}"

    def age_now_ms(self) -> int | None:
        return None if self.age_ms is None else round(self.age_ms + 1000 * (time.monotonic() - self.taken_s))


class Outbox:
    """Hands events to `deliver` one at a time, in order, in a thread. When it is full, the oldest makes room.

    deliver: returns when the event is done with, delivered or not; soon, once `stopping` is set.
    """

    def __init__(self, deliver: Callable[[Event, threading.Event], None]) -> None:
        self.stopping = threading.Event()
        self._deliver = deliver
        self._waiting: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="outbox", daemon=True)
        self._thread.start()

    def put(self, event: Event) -> None:
        """Never waits."""
        while self._waiting.qsize() >= MAX_WAITING:
            self._drop("it is full")
        self._waiting.put(event)

    def close(self) -> None:
        """Give what waits a moment, then give up and say what is lost. Safe to call twice."""
        self._waiting.put(None)
        self._thread.join(CLOSE_S)
        self.stopping.set()
        self._thread.join(CLOSE_S)
        while not self._waiting.empty():
            self._drop("the bridge ends")

    def _drop(self, why: str) -> None:
        with suppress(queue.Empty):
            if (event := self._waiting.get_nowait()) is not None:
                log.warning(f"dropped the {event}: {why}", extra={"kind": "dropped"})

    def _work(self) -> None:
        while not self.stopping.is_set() and (event := self._waiting.get()) is not None:
            try:
                self._deliver(event, self.stopping)
            except Exception as error:  # the next one may fare better
                log.warning(f"dropped the {event}: {type(error).__name__}: {error}", extra={"kind": "dropped"})


def pass_on(
    endpoint: str, deliver: Callable[[Event, threading.Event], None], *, labels: Sequence[str], updates: bool,
    max_age_ms: float,
) -> NoReturn:  # fmt: skip
    """Read the stream for ever, and deliver the starts and ends of some labels, or of all; updates only if asked for.

    Raises:
        UsageError: the endpoint is malformed.
    """
    wanted = set(map(fold, labels))
    with subscribe(endpoint, max_age_ms) as stream:
        outbox = Outbox(deliver)
        try:
            while True:
                message = stream.recv()
                if message is not None and _is_wanted(message, wanted, updates=updates):
                    data = {**message.data, "local": True} if message.local else message.data
                    outbox.put(Event(message.topic, data, time.monotonic(), message.age_ms))
        finally:
            outbox.close()


def _is_wanted(message: Message, labels: set[str], *, updates: bool) -> bool:
    if message.kind != "action" or (message.data.get("type") == "update" and not updates):
        return False
    return not labels or fold(str(message.data.get("label"))) in labels
