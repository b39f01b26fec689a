"""The data socket under attack: X7 and X9."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import zmq

from edge_app.client import Subscriber, decode
from edge_app.stream.messages import encode
from edge_app.stream.publisher import Publisher

FLOOD = """
import os, sys, time, zmq
socket = zmq.Context().socket(zmq.SUB)
socket.linger = socket.sndhwm = 0
for _ in range(100_000):
    socket.subscribe(os.urandom(int(sys.argv[2]) // 2).hex())
socket.connect(sys.argv[1])
time.sleep(60)
"""


def resident_mib() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_X9_a_hundred_thousand_topics_are_capped_and_cost_no_memory(private, reader):
    """Without the cap this flood takes 1.3 GB."""
    good = reader(private)
    private.until(lambda: good.recv(0), publish=True)
    before = resident_mib()
    flood = subprocess.Popen([sys.executable, "-c", FLOOD, private.publisher.endpoint, "290"])
    try:
        private.until(lambda: private.publisher.counters["floods"], limit_s=60)
        for _ in range(100):
            private.turn()
            time.sleep(0.01)
    finally:
        flood.kill()
        flood.wait()
    assert resident_mib() - before < 200
    heard = []
    private.until(lambda: heard.append(good.recv(0)) or sum(m is not None for m in heard) >= 20, publish=True)


def test_a_stalled_reader_survives_the_end_of_its_publisher(private, reader):
    """ZeroMQ's heartbeat aborts a process whose queue is full when the peer goes (libzmq 4.3.5)."""
    assert reader(private)._socket.getsockopt(zmq.HEARTBEAT_IVL) == 0


def test_X9_many_readers_of_the_same_topics_are_no_flood(private, reader):
    readers = [reader(private, topics=("v1/cam/state",)) for _ in range(60)]
    heard = set()
    private.until(
        lambda: heard.update(n for n, each in enumerate(readers) if each.recv(0)) or len(heard) == 60, publish=True
    )
    assert private.publisher.counters["floods"] == 0


def recorded(private, count: int) -> list[bytes]:
    """Frames of a run, as somebody on the way may keep them."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.linger = 0
        socket.subscribe("")
        socket.connect(private.publisher.endpoint)
        frames: list[bytes] = []
        private.until(lambda: (socket.poll(0) and frames.append(socket.recv())) or len(frames) >= count, publish=True)
    return frames


def test_X7_replayed_messages_are_not_given(private, tmp_path):
    old = recorded(private, 5)
    with Publisher(f"ipc://{tmp_path}/next") as publisher, zmq.Context() as context:
        relay = context.socket(zmq.PUB)  # whom the reader is connected to: somebody in the middle
        relay.linger = 0
        relay.bind(f"ipc://{tmp_path}/relay")
        with Subscriber(f"ipc://{tmp_path}/relay", newest=False, liveness_timeout_s=None) as stream:
            topic, message = decode(old[-1])
            fresh = {**message, "run": publisher.run, "t_publish_mono_ns": time.monotonic_ns()}
            seq = 0
            while stream.recv(0.05) is None:  # until the subscription has arrived
                seq += 1
                relay.send(encode(topic, {**fresh, "seq": seq}))
            for frame in old:  # of an earlier run
                relay.send(frame)
            relay.send(encode(topic, {**fresh, "seq": seq}))  # of this run, again
            relay.send(encode(topic, {**fresh, "seq": seq + 1, "mark": 1}))
            given = []
            while not given or "mark" not in given[-1].data:
                message = stream.recv(5)
                assert message is not None
                given.append(message)
            assert {each.data["run"] for each in given} == {publisher.run}
            assert [each.data["seq"] for each in given] == sorted({each.data["seq"] for each in given})
            assert stream.replayed == len(old)
        relay.close()


def test_X7_a_replay_to_a_reader_that_has_heard_nothing_is_too_old(private, tmp_path):
    old = recorded(private, 3)
    at = decode(old[-1])[1]["t_publish_mono_ns"]
    with zmq.Context() as context, context.socket(zmq.PUB) as relay:
        relay.linger = 0
        relay.bind(f"ipc://{tmp_path}/relay")
        later = at + 4_000_000_000
        with Subscriber(f"ipc://{tmp_path}/relay", newest=False, max_age_ms=1000, mono_ns=lambda: later) as stream:
            while not stream.too_old:
                relay.send(old[-1])
                message = stream.recv(0.01)
                assert message is None or message.local
