"""Windows of several cameras, and of several people, go through the encoder together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import zmq

from edge_app.app.processes.recognizer import _gather
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import MAX_BATCH, load_encoder
from edge_app.types import Window


@pytest.fixture(scope="module")
def windows() -> list[Window]:
    joints = load_bundle(DEFAULT).golden()["windows"]
    return [Window("cam", 1, 0, each, np.ones(len(each), bool), 30.0, 1.0, 1.0) for each in joints]


@pytest.mark.parametrize("count", [1, 2, 3, 7, MAX_BATCH + 3])
def test_a_feature_does_not_depend_on_its_batch(windows: list[Window], count: int) -> None:
    encoder = load_encoder(load_bundle(DEFAULT))
    batch = [windows[i % len(windows)] for i in range(count)]
    alone = {id(window): encoder.encode([window])[0].vector for window in windows}
    features = encoder.encode(batch)
    assert [feature.window for feature in features] == batch
    for feature in features:
        np.testing.assert_array_equal(feature.vector, alone[id(feature.window)])


def test_no_windows_no_features() -> None:
    assert load_encoder(load_bundle(DEFAULT)).encode([]) == []


@pytest.fixture
def pairs() -> Iterator[list[tuple[zmq.Socket, zmq.Socket]]]:
    with zmq.Context() as context:
        made = []
        for name in "abc":
            pull, push = context.socket(zmq.PULL), context.socket(zmq.PUSH)
            pull.bind(f"inproc://{name}")
            push.connect(f"inproc://{name}")
            made.append((pull, push))
        yield made
        context.destroy(linger=0)


def test_what_is_there_is_taken_together_and_one_of_each_camera(pairs: list[tuple[zmq.Socket, zmq.Socket]]) -> None:
    poller = zmq.Poller()
    for pull, _ in pairs:
        poller.register(pull, zmq.POLLIN)
    assert not list(_gather(poller, 3))
    for number, (_, push) in enumerate(pairs):
        push.send(bytes([number]))
    assert sorted(_gather(poller, 3)) == [b"\0", b"\1", b"\2"]
    pairs[1][1].send(b"alone")
    assert list(_gather(poller, 3)) == [b"alone"]
