"""What the bridges' tests share: a stream whose messages the test chooses, and a bridge in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import zmq

import edge_app
from edge_app.app.control import Control
from edge_app.app.label_service import LabelService
from edge_app.ranker.labels.label import Label
from edge_app.stream import messages as schema
from edge_app.stream.clock import boot_id
from edge_app.stream.control import ask, control_beside
from edge_app.stream.publisher import Publisher
from edge_app.types import Decision, Event, Ranking, Window
from tests.security.conftest import build

SCHEMAS = Path(edge_app.__file__).parent / "stream/schemas"
ABOUT = {"fps_in": 28.7, "bundle": "sha256:ab12", "labels_version": 7, "provider": "onnxruntime-cpu"}


def is_valid(payload: str) -> bool:
    data = json.loads(payload)
    jsonschema.validate(data, json.loads((SCHEMAS / f"{data['schema'].replace('/', '-')}.json").read_text()))
    return True


class Stream:
    """A real publisher, turned by a thread as the recognizer turns it; every message is of now."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self._lock, self._stop, self._thread = endpoint, threading.Lock(), threading.Event(), None
        self._control: Control | None = None
        self.start()

    def serve_labels(self, *names: str) -> None:
        """A control socket beside the stream, as the app has one."""
        self.labels = LabelService(tuple(map(Label, names)), build)
        self._control = Control(zmq.Context.instance(), control_beside(self.endpoint), self.labels, dict)

    def set_labels(self, *names: str) -> None:
        ask(control_beside(self.endpoint), "labels.set", list(names))

    def start(self) -> None:
        self._publisher, self._stop = Publisher(self.endpoint), threading.Event()
        self._thread = threading.Thread(target=self._turn)
        self._thread.start()

    def stop(self) -> None:
        """As when the app dies: nothing is said any more."""
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            self._publisher.close()

    def _turn(self) -> None:
        while not self._stop.wait(0.02):
            with self._lock:
                self._publisher.poll()
                if self._control is not None:
                    self._control.poll()

    def close(self) -> None:
        self.stop()
        if self._control is not None:
            self._control.close()
            self.labels.close()

    def _send(self, camera: str, kind: str, message: dict) -> None:
        with self._lock:
            assert self._publisher.publish(schema.topic(camera, kind), message)

    def action(
        self, step: str, n: int = 1, camera: str = "front", label: str = "wave", track: int = 3, **changed
    ) -> None:
        """changed: keys that are sent with these values, as a stream that is old or not ours would."""
        t_ns = time.monotonic_ns()
        event = Event(
            step, f"{camera}-3-{n}", camera, track, label, 0.625, t_ns, t_ns - 900_000_000, ranking(camera, t_ns),
            "over" if step == "end" else None,
        )  # fmt: skip
        message = schema.action_message(event, window_s=2.0, **ABOUT)
        if not changed:
            return self._send(camera, "action", message)
        with self._lock:
            name = schema.topic(camera, "action")
            seq = self._publisher._seq[name] = self._publisher._seq.get(name, 0) + 1
            full = schema.complete(message, run=self._publisher.run, seq=seq, boot=boot_id(), now_ns=t_ns, wall=None)
            self._publisher._send(f"{name}\0{json.dumps({**full, **changed})}".encode())

    def state(
        self, state: str = "running", camera: str = "front", open_n: tuple[int, ...] = (), version: int = 7
    ) -> None:
        t_ns = time.monotonic_ns()
        ranked = ranking(camera, t_ns) if state == "running" else None
        decision = Decision(camera, 3 if ranked else None, t_ns, state, (), ranked)
        events = [Event("start", f"{camera}-3-{n}", camera, 3, "wave", 0.6, t_ns, t_ns, ranked) for n in open_n]
        self._send(
            camera,
            "state",
            schema.state_message(decision, since_ns=t_ns, open_events=events, **ABOUT | {"labels_version": version}),
        )


def ranking(camera: str, t_ns: int) -> Ranking:
    window = Window(camera, 3, t_ns, np.zeros((60, 15, 4), np.float32), np.ones(60, bool), 28.7, 0.9, 1.5)
    energies, scores = np.array([0.5, 0.25, 0.375], np.float32), np.array([0.125, 0.625, 0.25], np.float32)
    return Ranking(window, ("point", "wave", "bow"), 7, energies, scores, 0.75)


@pytest.fixture
def stream(tmp_path) -> Iterator[Stream]:
    stream = Stream(f"ipc://{tmp_path}/s")
    yield stream
    stream.close()


@pytest.fixture
def bridging(stream):
    """bridging(kind, *options): a context manager around `edge-app bridge KIND`, a process of its own.

    Unless the options say otherwise, what a busy machine holds up for a while is not too old to be passed on.
    """

    @contextmanager
    def start(kind: str, *options: str, endpoint: bool = True, **popen) -> Iterator[subprocess.Popen]:
        where = [stream.endpoint] if endpoint else []
        command = [sys.executable, "-m", "edge_app", "bridge", kind, *where, "--max-age-ms", "20000", *options]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **popen)
        try:
            yield process
        finally:
            process.kill()
            process.wait()
            process.stderr.close()

    return start
