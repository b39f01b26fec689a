"""Ctrl-C may fall between any two steps of what waits; closing then still ends."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from edge_app.app.bridges.outbox import Event, Outbox
from edge_app.app.recorder import Recorder
from edge_app.camera.pace import Pace
from edge_app.types import Poses


class Nowhere:
    full = ""

    def poses(self, poses: Poses) -> None: ...
    def message(self, topic: str, message: Any) -> None: ...
    def close(self) -> None: ...


def pace() -> tuple[Callable[[], object], Callable[[], None]]:
    pace = Pace(realtime=True)
    pace.late(0, 0)
    return lambda: pace.wait(2_000_000), pace.stop


def recorder() -> tuple[Callable[[], object], Callable[[], None]]:
    recorder = Recorder(Nowhere())
    return lambda: recorder.poses(Poses("cam", 0, 0, ())), recorder.close


def outbox() -> tuple[Callable[[], object], Callable[[], None]]:
    outbox = Outbox(lambda event, stopping: None)
    return lambda: outbox.put(Event("v1/cam/action", {}, 0.0, None)), outbox.close


def interrupted(act: Callable[[], object], at: int) -> bool:
    """Whether there was a step `at`, at which Ctrl-C was pressed."""
    steps = iter(range(at + 1))

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if next(steps, None) == at:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        act()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.mark.parametrize("make", [pace, recorder, outbox])
def test_an_interrupt_at_any_step_leaves_nothing_that_closing_waits_for(make):
    for step in range(200):
        act, close = make()
        was_pressed = interrupted(act, step)
        closing = threading.Thread(target=close, daemon=True)
        closing.start()
        closing.join(20)
        assert not closing.is_alive(), f"interrupted at step {step}"
        if not was_pressed:
            break
    assert 3 < step < 200
