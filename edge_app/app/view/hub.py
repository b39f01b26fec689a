"""Hears the stream once for all pages, and keeps for each what it has not been sent yet: the newest, never a queue.

A page asks for more when it has what was sent, so nothing grows old on the way to a slow one, and it knows how long an
answer can have taken at most: the age that it shows is never too small.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge_app.client import Message, Subscriber
from edge_app.errors import UsageError

WAIT_S = 1.0  # a page is answered after so long even where there is nothing to say
_POLL_S = 0.1
_MAX_WAITING = 500  # messages for one page; then the oldest goes
_HISTORY = 100  # steps of actions that a new page gets
_MAX_TOPICS = 256
RECENT_S = 60.0
_MAX_RECENT = 6000  # messages kept for a recording; some 30 MB


@dataclass(frozen=True, slots=True)
class View:
    """What the page shows. control: the app's control socket, where that is not the one beside the stream.

    max_age_ms: what was captured longer ago is not shown as true now. keys: a client's folder, for a stream with keys.
    """

    stream: str
    control: str = ""
    max_age_ms: int = 1000
    keys: Path | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """A message, and when it was heard. age_ms: of its capture at that moment, None where there is none."""

    message: Message
    age_ms: float | None
    heard_s: float = field(default_factory=time.monotonic)

    @property
    def key(self) -> tuple[Any, ...]:
        """Only the newest update of a key is kept for a page."""
        data = self.message.data
        return (self.message.topic, *([data.get("event"), data.get("seq")] if self.message.kind == "action" else []))

    def as_json(self) -> dict[str, Any]:
        """With its age now. exact: false where stamps are of another machine: the way here is then not in the age."""
        message, waited_ms = self.message, (time.monotonic() - self.heard_s) * 1000
        return {
            "topic": message.topic, "data": message.data, "gap": message.gap, "local": message.local,
            "age_ms": None if self.age_ms is None else self.age_ms + waited_ms, "exact": message.age_ms is not None,
        }  # fmt: skip


class Mailbox:
    """What one page has not been sent yet."""

    def __init__(self, updates: list[Update]) -> None:
        self._updates = {update.key: update for update in updates}
        self._filled = asyncio.Event()
        if updates:
            self._filled.set()

    def put(self, update: Update) -> None:
        self._updates.pop(update.key, None)  # the newest goes to the end of the line
        self._updates[update.key] = update
        if len(self._updates) > _MAX_WAITING:
            del self._updates[next(iter(self._updates))]
        self._filled.set()

    async def take(self) -> list[Update]:
        """All that waits, at the latest after `WAIT_S`."""
        try:
            await asyncio.wait_for(self._filled.wait(), WAIT_S)
        except asyncio.TimeoutError:
            return []
        self._filled.clear()
        updates, self._updates = list(self._updates.values()), {}
        return updates


class Hub:
    """Subscribes to the stream; `run` moves what comes into the mailboxes. Poses that are too old are dropped here; to
    labels the page itself applies the limit.

    Raises:
        UsageError: the endpoint is malformed.
    """

    def __init__(self, view: View) -> None:
        self._max_age_ms = view.max_age_ms
        try:
            self._stream = Subscriber(
                view.stream, keys=view.keys
            )  # stamps of another machine have no age: so no limit here
        except ValueError as error:
            raise UsageError(str(error)) from None
        self._newest: dict[tuple[Any, ...], Update] = {}
        self._actions: deque[Update] = deque(maxlen=_HISTORY)
        self._recent: deque[Update] = deque(maxlen=_MAX_RECENT)
        self._mailboxes: set[Mailbox] = set()

    def recent(self) -> list[Message]:
        """What was heard in the last `RECENT_S` seconds, oldest first."""
        since = time.monotonic() - RECENT_S
        return [update.message for update in self._recent if update.heard_s >= since]

    def join(self) -> Mailbox:
        """A mailbox that holds the newest of each topic, and the last actions."""
        mailbox = Mailbox([*self._actions, *self._newest.values()])
        self._mailboxes.add(mailbox)
        return mailbox

    def leave(self, mailbox: Mailbox) -> None:
        self._mailboxes.discard(mailbox)

    async def run(self) -> None:
        """Hear the stream until cancelled."""
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1, "hub") as thread:
            try:
                while True:
                    for message in await loop.run_in_executor(thread, self._hear):
                        self._take(message)
            finally:
                await loop.run_in_executor(thread, self._stream.close)

    def _hear(self) -> list[Message]:
        heard: list[Message] = []
        message = self._stream.recv(_POLL_S)
        while message is not None and len(heard) < _MAX_WAITING:
            heard.append(message)
            message = self._stream.recv(0)
        return heard if message is None else [*heard, message]

    def _take(self, message: Message) -> None:
        age_ms = message.age_ms if message.age_ms is not None else message.data.get("age_ms")
        update = Update(message, age_ms if isinstance(age_ms, (int, float)) else None)
        if message.kind == "action":
            self._actions.append(update)
        elif message.kind == "pose" and (update.age_ms is None or update.age_ms > self._max_age_ms):
            return
        elif update.key in self._newest or len(self._newest) < _MAX_TOPICS:
            self._newest[update.key] = update
        if not message.local:
            self._recent.append(update)
        for mailbox in self._mailboxes:
            mailbox.put(update)
