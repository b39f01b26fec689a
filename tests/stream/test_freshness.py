"""Whatever stalls, dies, gets lost or jumps: no label that a reader is given is older than it looks, and every action
that it was told of ends for it exactly once."""

from __future__ import annotations

import itertools

import pytest
import zmq
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from edge_app.client import SELF_TOLD, Message, Subscriber
from edge_app.stream.publisher import Publisher
from tests.stream.conftest import Hands, Samples

MAX_AGE_MS = 1000
STATE, ACTION = "v1/front/state", "v1/front/action"
names = itertools.count()


class Reader:
    """A subscriber, and the account of what it was given."""

    def __init__(self, context: zmq.Context, endpoint: str, hands: Hands, **options) -> None:
        self.hands = hands
        self.strict = options.get("max_age_ms") is not None
        self.stream = Subscriber(endpoint, context=context, mono_ns=lambda: hands.now, **options)
        self.open: set[tuple[str, str]] = set()
        self.ended: set[tuple[str, str]] = set()

    def read(self, most: int) -> None:
        for _ in range(most):
            message = self.stream.recv(0)
            if message is None:
                return
            self.note(message)

    def note(self, message: Message) -> None:
        data, kind = message.data, message.data.get("type")
        captured = data.get("t_capture_mono_ns")
        if message.age_ms is not None:
            assert message.age_ms == (self.hands.now - captured) / 1e6, "the age is the true one"
        live = kind in ("start", "update") or (message.kind == "state" and data["state"] not in SELF_TOLD)
        if live and not message.local:
            assert data["age_ms"] <= MAX_AGE_MS, "it was fresh when it was sent"
            assert not self.strict or self.hands.now - captured <= MAX_AGE_MS * 1e6, "and is when it is read"
        if message.kind == "action":
            key = (data["run"], data["event"])
            assert key not in self.ended, f"{kind} of what has ended"
            assert kind != "start" or key not in self.open, "started twice"
            if kind == "end":
                self.open.discard(key)
                if data["reason"] != "liveness":  # after a silence it may come back, and end again
                    self.ended.add(key)
            else:
                self.open.add(key)


class Stream(RuleBasedStateMachine):
    """One camera, its publisher, and three readers, of which each reads when it likes."""

    @initialize()
    def begin(self) -> None:
        self.hands, self.context = Hands(), zmq.Context()
        self.event: int | None = None
        self.told: set[int] = set()
        self.events = itertools.count()
        self.captured = self.hands.now
        self.publisher = self.bind()
        self.readers = [
            Reader(self.context, self.endpoint, self.hands, newest=newest, max_age_ms=limit)
            for newest, limit in ((True, MAX_AGE_MS), (False, MAX_AGE_MS), (True, None))
        ]
        self.publisher.poll()

    def bind(self) -> Publisher:
        self.endpoint = f"inproc://freshness{next(names)}"  # a closed one is not free at once
        return Publisher(self.endpoint, clock=self.hands.clock(), max_age_ms=MAX_AGE_MS, context=self.context)

    def publish(self, kind: str | None) -> None:
        """As the recognizer does: a step of the action, if any, and the state with what is open after it."""
        if kind is not None and self.event is not None:
            sent = self.publisher.publish(ACTION, Samples.action(kind, self.captured, self.event))
            if kind == "end":
                self.told.discard(self.event)
            elif sent:
                self.told.add(self.event)
        name = "running" if self.told else "idle"
        self.publisher.publish(STATE, Samples.state(self.captured, name, open_n=tuple(self.told)))

    @rule(late_ms=st.integers(0, 1500), step=st.sampled_from(["start", "end", "update", None]))
    def report(self, late_ms: int, step: str | None) -> None:
        self.captured = max(self.captured + 1, self.hands.now - late_ms * 1_000_000)
        self.hands.pass_ms(1)
        if step == "start":
            if self.event is not None:
                self.publish("end")
            self.event = next(self.events)
        self.publish(step)
        if step == "end":
            self.event = None

    @rule(ms=st.integers(1, 4000))
    def stall(self, ms: int) -> None:
        """Everybody stands still, and time goes by."""
        self.hands.pass_ms(ms)

    @rule(ms=st.integers(0, 1200))
    def turn(self, ms: int) -> None:
        self.hands.pass_ms(ms)
        self.publisher.poll()

    @rule(hours=st.integers(-500_000, 24))
    def set_wall_clock(self, hours: int) -> None:
        self.hands.wall = max(self.hands.wall + hours * 3_600_000_000_000, 0)

    @rule(count=st.integers(80, 200))
    def flood(self, count: int) -> None:
        """More than a reader that stands still can take: the newest are lost to it."""
        for _ in range(count):
            self.captured = max(self.captured + 1, self.hands.pass_ms(1))
            self.publish("update" if self.told else None)

    @rule(who=st.integers(0, 2), most=st.integers(1, 300))
    def read(self, who: int, most: int) -> None:
        self.readers[who].read(most)

    @rule(farewell=st.booleans())
    def publisher_dies(self, farewell: bool) -> None:
        if farewell and self.event is not None:
            self.publish("end")
        self.publisher.close()
        self.event, self.told = None, set()
        self.publisher = self.bind()
        for reader in self.readers:  # inproc does not find the way back by itself, as tcp and ipc do
            reader.stream._socket.connect(self.endpoint)
        self.publisher.poll()

    @invariant()
    def nothing_was_broken(self) -> None:
        assert all(reader.stream.invalid == 0 for reader in getattr(self, "readers", []))

    def teardown(self) -> None:
        try:
            if hasattr(self, "readers"):
                self.end()
        finally:
            if hasattr(self, "context"):
                self.context.destroy(linger=0)

    def end(self) -> None:
        self.publisher.close()
        for _ in range(3):
            for reader in self.readers:
                reader.read(5000)
            self.hands.pass_ms(4000)
        assert [reader.open for reader in self.readers] == [set(), set(), set()], "what began has ended"


TestStream = pytest.mark.fault(Stream.TestCase)
TestStream.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
