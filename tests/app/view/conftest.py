"""What the view's tests share: a publisher that keeps publishing, and a served page in a process of its own."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from edge_app.app.view.access import Access, open_access
from edge_app.app.view.hub import View
from edge_app.stream import messages as schema
from edge_app.stream.publisher import Publisher
from edge_app.types import CameraReport, Decision, Event, Pose, Ranking, Track, Window

ABOUT = {"fps_in": 28.7, "bundle": "sha256:ab12", "labels_version": 7, "provider": "onnxruntime-cpu"}
TOKEN = "a-token-that-is-long-enough"
LABELS = ("wave", "bow", "point")


class App:
    """A publisher in a thread: state, pose and status of a camera, ten times a second, until told otherwise."""

    def __init__(self, endpoint: str = "tcp://127.0.0.1:*") -> None:
        self.camera, self.state, self.label, self.silent, self.delay_ms = "front", "running", "wave", False, 0
        self._ready, self._stop = threading.Event(), threading.Event()
        self._endpoint = endpoint
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(5)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        open_event: Event | None = None
        count = 0
        with Publisher(self._endpoint) as publisher:
            self.endpoint = publisher.endpoint
            self._ready.set()
            while not self._stop.wait(0.1):
                if self.silent:
                    continue
                t_ns = time.monotonic_ns() - self.delay_ms * 1_000_000
                acting = self.state == "running" and self.label
                if open_event is not None and open_event.label != acting:
                    self._action(publisher, open_event, "end", t_ns)
                    open_event = None
                elif acting and open_event is None:
                    count += 1
                    open_event = self._action(publisher, None, "start", t_ns, f"{self.camera}-1-{count}")
                elif open_event is not None:
                    self._action(publisher, open_event, "update", t_ns)
                self._rest(publisher, open_event, t_ns)
                publisher.poll()

    def _ranking(self, t_ns: int) -> Ranking:
        window = Window(self.camera, 1, t_ns, np.zeros((60, 15, 4), np.float32), np.ones(60, bool), 28.7, 0.9, 1.5)
        scores = np.array([0.8 if label == self.label else 0.1 for label in LABELS], np.float32)
        return Ranking(window, LABELS, 7, 1 - scores, scores, 0.75)

    def _action(self, publisher: Publisher, event: Event | None, kind: str, t_ns: int, name: str = "") -> Event:
        label, name, onset = (event.label, event.id, event.onset_ns) if event else (self.label, name, t_ns - 10**9)
        reason = "over" if kind == "end" else None
        step = Event(kind, name, self.camera, 1, label, 0.6, t_ns, onset, self._ranking(t_ns), reason, reps=4)  # type: ignore[arg-type]
        message = schema.action_message(step, window_s=2.0, **ABOUT)
        publisher.publish(schema.topic(self.camera, "action"), message)
        return step

    def _rest(self, publisher: Publisher, open_event: Event | None, t_ns: int) -> None:
        ranking = self._ranking(t_ns) if self.state == "running" else None
        decision = Decision(self.camera, 1, t_ns, self.state, (), ranking)  # type: ignore[arg-type]
        events = [open_event] if open_event else []
        state = schema.state_message(decision, since_ns=t_ns, open_events=events, **ABOUT)
        publisher.publish(schema.topic(self.camera, "state"), state)
        steps = np.arange(33, dtype=np.float32)[:, None] / 32
        pose = Pose(t_ns, steps * [[640, 480]], steps * [[0.5, -1, 0.25]], np.ones(33, np.float32), (640, 480))
        publisher.publish(
            schema.topic(self.camera, "pose"), schema.pose_message(self.camera, [Track(1, pose)], t_ns=t_ns)
        )
        report = CameraReport(self.camera, "running", 1, t_ns, 28.7, 1200, 4, (), ("dark",))
        stages = {"encoder": {"state": "running", "progress": 41, "p50_ms": 6.5}}
        status = schema.status_message(
            camera=self.camera, version="0.1.0", stages=stages, cameras=[report], counters={}, labels_count=3,
            label_age={}, recorder="off", unrecorded=0,
            **{key: ABOUT[key] for key in ("provider", "bundle", "labels_version")},
        )  # fmt: skip
        publisher.publish(schema.topic(self.camera, "status"), status)


@contextmanager
def served(app: App, token: str = "") -> Iterator[Access]:
    """The app's page, at a free port; the access tells which."""
    access = open_access("127.0.0.1:0", token)
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(View(app.endpoint), access))
    process.start()
    try:
        yield access
    finally:
        process.terminate()
        process.join(10)
        access.socket.close()
    assert process.exitcode == 0, "SIGTERM ends the page cleanly"


def _serve(view: View, access: Access) -> None:
    from edge_app.app.view.server import serve

    serve(view, access)


@pytest.fixture
def app() -> Iterator[App]:
    running = App()
    yield running
    running.stop()


@pytest.fixture
def page(app) -> Iterator[Access]:
    """A page of its own, of an app that does what the test says."""
    with served(app) as access:
        yield access


@pytest.fixture(scope="module")
def same_app() -> Iterator[App]:
    running = App()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def same_page(same_app) -> Iterator[Access]:
    """One page for all tests that change nothing."""
    with served(same_app) as access:
        yield access


@pytest.fixture(scope="module")
def guarded(same_app) -> Iterator[Access]:
    """One page with a token."""
    with served(same_app, TOKEN) as access:
        yield access
