"""A4 to A6: labels change a hundred times a second, and every message is about the set that it names."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zmq

from edge_app.app.processes.recognizer import RecognizerProcess, RecognizerTask
from edge_app.app.settings import Settings, TaughtConfig
from edge_app.bundles.bundle import load_bundle
from edge_app.client import Subscriber
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable
from edge_app.stream.publisher import PublishConfig
from edge_app.types import CameraReport, Window
from tests.light import light_bundle

SETS = [["wave", "clap", "bow"], ["squat", "wave"], ["bow", "jump", "kick", "clap"], [], ["walk"]]


class Fed:
    """The real recognizer on the bundle that ships, fed with the bundle's own windows at ten a second."""

    def __init__(self, folder: Path, taught: Path | None = None, *, use: bool = True) -> None:
        self.stream, self.control = f"ipc://{folder}/s", f"ipc://{folder}/c"
        bundle = load_bundle(light_bundle())
        self._windows, self._spec = bundle.golden()["windows"], bundle.spec
        settings = Settings(publish=PublishConfig(control=self.control), taught=TaughtConfig(use))
        labels = tuple(map(Label, SETS[0]))
        self.context = zmq.Context()
        task = RecognizerTask(
            light_bundle(), labels, "scale", "onnxruntime", self.stream, (("cam", ""),), settings, taught=taught
        )
        self.recognizer = RecognizerProcess(task, self.context)
        self._count = 0

    def turn(self, *, decide: bool = True) -> None:
        if decide:
            t_ns, joints = time.monotonic_ns(), self._windows[self._count // 20 % len(self._windows)]
            valid = np.ones(len(joints), bool)
            window = Window("cam", 1, t_ns, joints.astype(np.float32), valid, 30.0, 0.9, 1.0)
            self._count += 1
            self.recognizer.take(CameraReport("cam", "running", 0, t_ns, 30.0, self._count, 0, (window,)))
        self.recognizer.tick()
        time.sleep(0.01)  # as the real loop, which waits for reports

    @property
    def table(self) -> LabelTable:
        """What the next window is ranked with."""
        return self.recognizer._back.ranker.table

    def close(self) -> None:
        self.recognizer.close()
        self.context.destroy(linger=0)


@pytest.fixture
def fed(tmp_path: Path) -> Iterator[Fed]:
    fed = Fed(tmp_path)
    yield fed
    fed.close()


def request(number: int, labels: list[str]) -> bytes:
    return json.dumps({"schema": "control/1.0", "op": "labels.set", "id": number, "labels": labels}).encode()


def test_A6_a_hundred_swaps_a_second_and_no_mixed_ranking(fed):
    names: dict[int, list[str]] = {1: SETS[0]}  # version -> what it holds
    enough, done = threading.Event(), threading.Event()  # a loop that has few turns a second needs more requests

    def swap() -> None:
        with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
            socket.linger = 0
            socket.connect(fed.control)
            sent = answered = 0
            begun = time.monotonic()
            while answered < max(300, sent) or not enough.is_set():
                more = sent < 300 or not enough.is_set()
                while more and sent - answered < 24 and sent <= (time.monotonic() - begun) * 100:
                    socket.send(request(sent, SETS[sent % len(SETS)]))
                    sent += 1
                if socket.poll(5):
                    reply = json.loads(socket.recv())
                    assert reply["ok"], reply
                    names[reply["labels_version"]] = SETS[reply["id"] % len(SETS)]
                    answered += 1
        done.set()

    thread = threading.Thread(target=swap, daemon=True)
    with Subscriber(fed.stream, newest=False, liveness_timeout_s=None) as stream:
        for _ in range(20):
            fed.turn()
        thread.start()
        messages, versions = [], set()
        deadline = time.monotonic() + 60
        while not done.is_set() and time.monotonic() < deadline:
            fed.turn()
            while (message := stream.recv(0)) is not None:
                messages.append(message.data)
                versions |= {message.data["labels_version"]} if message.kind == "state" else set()
            if len(versions) > 20:
                enough.set()
        fed.turn()
    assert done.is_set()
    assert len(versions) > 20
    for data in messages:
        if "topk" not in data:
            continue
        table = names[data["labels_version"]]
        found = [label for label, _ in data["topk"]]
        assert set(found) <= set(table), data
        assert len(found) in (0, min(5, len(table))), data
        if data["schema"].startswith("action/") and data["type"] != "end":
            assert data["label"] in table
    opened = [data["event"] for data in messages if data.get("type") == "start"]
    ended = [data["event"] for data in messages if data.get("type") == "end"]
    assert len(set(opened)) == len(opened) and len(set(ended)) == len(ended) and set(ended) <= set(opened)


def test_A6_decisions_go_on_while_words_are_embedded(fed):
    """Words that no cache holds take the text encoder a while; the loop does not wait for it."""
    rng = np.random.default_rng(time.monotonic_ns())
    words = [f"label {rng.integers(1 << 60):x} of the test" for _ in range(100)]
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(fed.control)
        socket.send(request(1, words))
        turns = 0
        while not socket.poll(0):
            fed.turn()
            turns += 1
            assert turns < 100_000
        assert json.loads(socket.recv())["count"] == 100
    assert turns > 20


def test_A4_a_refused_set_leaves_the_old_one_in_force(fed):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(fed.control)
        for number, bad in enumerate((["wave", "Wave"], ["wa\nve"], ["x" * 81])):
            socket.send(request(number, bad))
            while not socket.poll(0):
                fed.turn()
            assert json.loads(socket.recv())["ok"] is False
    assert fed.table.names == tuple(SETS[0]) and fed.table.version == 1


def test_a_reply_comes_once_its_set_is_in_force(fed):
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        socket.linger = 0
        socket.connect(fed.control)
        for number in range(20):
            before, wanted = fed.table.version, SETS[number % len(SETS)]
            socket.send(request(number, wanted))
            while not socket.poll(0):
                fed.turn(decide=False)
            reply = json.loads(socket.recv())
            assert reply["labels_version"] == fed.table.version == before + 1
            assert fed.table.names == tuple(wanted) and reply["count"] == len(wanted)


def test_the_control_socket_is_in_the_status(fed):
    with Subscriber(fed.stream, topics=("v1/cam/status",), liveness_timeout_s=None) as stream:
        message = None
        while message is None:
            fed.turn(decide=False)
            message = stream.recv(0.02)
    assert message.data["counters"]["control_requests"] == 0
    assert message.data["stages"]["gate"]["state"] == "running"
