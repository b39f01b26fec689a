"""The subscriber of a measurement, in a process of its own: when each label came."""

from __future__ import annotations

import signal
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from edge_app.client import Subscriber

START_S = 60.0
LINGER_S = 1.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What came after the warm-up.

    begin_ns, end_ns: decisions due from then to then count. until_ns: until when their labels were waited for.
    labels: for each state message its capture stamp, the moment it was received, and its state.
    before, after: the last status message before `begin_ns`, and the last of all; empty where none came.
    """

    begin_ns: int
    end_ns: int
    until_ns: int
    labels: tuple[tuple[int, int, str], ...]
    before: dict[str, Any]
    after: dict[str, Any]


def subscribe(endpoint: str, warm_up_s: float, seconds: float, pipe: Connection) -> None:
    """Says "begin" once the warm-up is over, and at the end what it heard: a `Heard`, or None where nothing came.

    The end is `seconds` later and a little more, for what is still on its way; or when anything comes through the pipe.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # whoever started us decides
    first = begin = newest = 0
    labels: list[tuple[int, int, str]] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    now = time.monotonic_ns()
    end, until = 0, now + int(START_S * 1e9)
    with Subscriber(endpoint, newest=False) as subscriber:
        while now < until and not pipe.poll():
            message = subscriber.recv(0.1)
            now = time.monotonic_ns()
            if first and not begin and now - first >= warm_up_s * 1e9:
                begin, before = now, after
                end = begin + int(seconds * 1e9)
                until = end + int(LINGER_S * 1e9)
                pipe.send("begin")
            if message is None or message.local or message.data.get("cached"):
                continue
            if message.kind == "status":
                after = message.data
            elif message.kind == "state":
                captured = message.data["t_capture_mono_ns"] or 0
                first = first or (captured and now)
                if begin and captured > max(begin, newest):  # a heartbeat tells of no new capture
                    newest = captured
                    labels.append((captured, now, message.data["state"]))
    if until > now:  # told to stop: nothing was due after the source's end
        end, until = newest + 1, now
    pipe.send(Heard(begin, end, until, tuple(labels), before, after) if begin else None)
