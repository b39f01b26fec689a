"""What the attacks share: a folder of keys, a guarded publisher and control socket, and a loop that polls them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import zmq

from edge_app.app.control import Control
from edge_app.app.label_service import LabelService
from edge_app.bundles.bundle import Calibration
from edge_app.client import Subscriber
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.ranker import Energies, Ranker
from edge_app.stream import messages as schema
from edge_app.stream.auth import MAX_PEERS, Gate
from edge_app.stream.keys import new_client, new_server
from edge_app.stream.publisher import Publisher
from edge_app.types import Decision


class Letters:
    """A text encoder for tests that are about something else: unit vectors that differ from text to text."""

    id, dim = "letters", 16

    def encode(self, texts: list[str]) -> np.ndarray:
        rows = np.array([[(hash(text) >> 4 * i & 15) + 1 for i in range(self.dim)] for text in texts], np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class Alike:
    """Finds everything alike."""

    kind, text_width, parts = "alike", 2 * Letters.dim, False

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        return lambda vectors: np.zeros((len(vectors), len(texts)), np.float32)


RANKER = Ranker("alike", Alike(), Calibration(1.0, 1.0, 0.0, 1.3), np.zeros((0, Alike.text_width), np.float32))


def build(labels: tuple[Label, ...], version: int) -> Ranker:
    """As the recognizer's, with a ranker that knows nothing."""
    return RANKER.with_labels(build_table(labels, Letters(), version))


START = (Label("wave"), Label("clap"))


@dataclass
class Served:
    """An application's sockets, without its cameras: `turn` is its loop."""

    context: zmq.Context
    gate: Gate
    publisher: Publisher
    control: Control
    labels: LabelService

    def turn(self) -> None:
        revoked = self.gate.poll()
        if "reader" in revoked:
            self.publisher.reopen()
        if "controller" in revoked:
            self.control.reopen()
        self.publisher.poll()
        self.control.poll()

    def publish(self) -> None:
        decision = Decision("cam", None, time.monotonic_ns(), "idle", (), None)
        about = {"fps_in": 30.0, "bundle": "b", "labels_version": 1, "provider": "p"}
        self.publisher.publish("v1/cam/state", schema.state_message(decision, since_ns=1, **about))

    def until(self, happened: Callable[[], object], *, publish: bool = False, limit_s: float = 20.0) -> None:
        """Turn the loop until something is so."""
        deadline = time.monotonic() + limit_s
        while not happened():
            assert time.monotonic() < deadline, "it did not happen"
            if publish:
                self.publish()
            self.turn()
            time.sleep(0.005)

    def while_turning(self, action: Callable[[], object]) -> object:
        """Run something that waits for an answer, and turn the loop meanwhile."""
        outcome: list[object] = []

        def run() -> None:
            try:
                outcome.append(action())
            except Exception as error:
                outcome.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        self.until(lambda: not thread.is_alive())
        return outcome[0]

    def close(self) -> None:
        self.publisher.close()
        self.control.close()
        self.labels.close()
        self.gate.close()
        self.context.destroy(linger=0)


@pytest.fixture(autouse=True)
def quick_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was refused tries again sooner, and keys are looked at more often."""
    monkeypatch.setattr("edge_app.stream.auth._HANDSHAKE_MS", 500)
    monkeypatch.setattr("edge_app.stream.auth.LOOK_S", 0.2)


def serve(folder: Path | None, stream: str, control: str, most: int = MAX_PEERS) -> Served:
    context = zmq.Context()
    gate = Gate(context, folder, most)
    publisher = Publisher(stream, context=context, gate=gate)
    labels = LabelService(START, build)
    return Served(context, gate, publisher, Control(context, control, labels, lambda: {"fine": True}, gate), labels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys of the application, of the reader `robot` and of the controller `boss`."""
    keys = tmp_path / "keys"
    new_server(keys)
    new_client(keys, "robot", "reader")
    new_client(keys, "boss", "controller")
    return keys


@pytest.fixture
def guarded(folder: Path) -> Iterator[Served]:
    served = serve(folder, "tcp://127.0.0.1:*", "tcp://127.0.0.1:*")
    yield served
    served.close()


@pytest.fixture
def private(tmp_path: Path) -> Iterator[Served]:
    """Without keys, on socket files."""
    served = serve(None, f"ipc://{tmp_path}/s", f"ipc://{tmp_path}/c")
    yield served
    served.close()


@pytest.fixture
def reader() -> Iterator[Callable[..., Subscriber]]:
    """reader(served, **options): a subscriber to its stream."""
    open_ones: list[Subscriber] = []

    def connect(served: Served, **options: object) -> Subscriber:
        subscriber = Subscriber(served.publisher.endpoint, liveness_timeout_s=None, **options)
        open_ones.append(subscriber)
        return subscriber

    yield connect
    for subscriber in open_ones:
        subscriber.close()
