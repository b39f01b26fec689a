from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import zmq

from edge_app import client as client_module
from edge_app.client import Subscriber, as_meant
from edge_app.stream.messages import complete, encode
from edge_app.stream.publisher import Publisher

STATE, ACTION, STATUS, POSE = (f"v1/front/{kind}" for kind in ("state", "action", "status", "pose"))
S = 1_000_000_000


def take(stream: Subscriber, n: int, timeout_s: float = 5) -> list[client_module.Message]:
    heard = [stream.recv(timeout_s) for _ in range(n)]
    assert None not in heard, heard
    return heard  # type: ignore[return-value]


def steps(messages) -> list[tuple]:
    """(kind, type or state, seq, local) of each."""
    return [(m.kind, m.data.get("type") or m.data.get("state"), m.data.get("seq"), m.local) for m in messages]


class Wire:
    """The writing end as bare frames, with every seq, run and stamp chosen by the test."""

    def __init__(self, hands) -> None:
        self.hands, self.run = hands, "one"
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.XPUB)
        self.socket.setsockopt(zmq.XPUB_VERBOSE, 1)
        self.port = self.socket.bind_to_random_port("tcp://127.0.0.1")

    def subscriber(self, **options) -> Subscriber:
        options = {"mono_ns": lambda: self.hands.now, **options}
        stream = Subscriber(f"tcp://127.0.0.1:{self.port}", **options)
        assert self.socket.poll(5000)
        self.socket.recv()
        return stream

    def send(self, topic: str, message: dict, seq: int, **changed) -> None:
        full = complete(message, run=self.run, seq=seq, boot=self.hands.boot, now_ns=self.hands.now, wall=None)
        self.socket.send(encode(topic, {**full, **changed}))

    def mark(self, stream: Subscriber, prefix: str = "v1/", broken: int = 0) -> None:
        """Wait until all that was sent lies ready at the reader: bytes of one connection keep their order.

        broken: frames or messages sent since the last mark that the reader cannot use, as it cannot use the mark.
        """
        marked = stream.invalid + broken + 1
        self.socket.send(prefix.encode())
        while stream.invalid < marked:
            assert stream._socket.poll(5000)
            stream._drain()


@pytest.fixture
def wire(hands):
    wire = Wire(hands)
    yield wire
    wire.context.destroy(linger=0)


def test_it_needs_pyzmq_and_the_standard_library_only(tmp_path):
    """The file is copied to where there is no edge_app, and used."""
    shutil.copy(client_module.__file__, tmp_path / "their_client.py")
    code = (
        "import sys, zmq; before = set(sys.modules)\n"
        "import their_client\n"
        "with their_client.Subscriber('tcp://127.0.0.1:1') as stream: assert stream.recv(0) is None\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before} - {'their_client', 'zmq'}\n"
        "assert new <= set(sys.stdlib_module_names), new - set(sys.stdlib_module_names)\n"
        "assert 'edge_app' not in sys.modules and 'numpy' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_inside_the_package_it_is_as_light():
    code = "import sys, edge_app.client; print({'numpy', 'cv2', 'mediapipe', 'torch', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr


@pytest.mark.fault
def test_S3_late_reader_is_given_the_cached_state_once(samples, hands, endpoint, join):
    """Fault S3."""
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        first = join(publisher, mono_ns=lambda: hands.now)
        publisher.publish(STATE, samples.state(hands.now))
        assert steps(take(first, 1)) == [("state", "running", 1, False)]
        hands.pass_ms(100)
        late = join(publisher, mono_ns=lambda: hands.now)
        (message,) = take(late, 1)
        assert message.data["cached"] and message.data["seq"] == 1 and message.age_ms == 100 and message.gap == 0
        publisher.publish(STATE, samples.state(hands.now, "idle"))
        for stream in (first, late):  # the copy that was meant for the other is no news
            (message,) = take(stream, 1)
            assert (message.data["state"], message.gap) == ("idle", 0)


@pytest.mark.fault
def test_S1_slow_reader_gets_the_newest_and_every_start_and_end(samples, hands, wire):
    with wire.subscriber() as stream:
        wire.send(ACTION, samples.action("start", hands.now, 1), 1)
        for seq in range(2, 30):
            wire.send(ACTION, samples.action("update", hands.now, 1), seq)
            wire.send(STATE, samples.state(hands.pass_ms(1)), seq)
        wire.send(ACTION, samples.action("update", hands.now, 2), 30)
        wire.send(ACTION, samples.action("end", hands.now, 1), 31)
        wire.send(ACTION, samples.action("start", hands.now, 3), 32)
        wire.mark(stream)
        heard = take(stream, 5)
        assert steps(heard) == [
            ("action", "start", 1, False), ("state", "running", 29, False), ("action", "update", 30, False),
            ("action", "end", 31, False), ("action", "start", 32, False),
        ]  # fmt: skip
        assert [m.gap for m in heard] == [0] * 5
        assert stream.recv(0) is None


def test_everything_in_order_if_asked_for(samples, hands, wire):
    with wire.subscriber(newest=False) as stream:
        for seq in range(1, 20):
            wire.send(STATE, samples.state(hands.now), seq)
        wire.mark(stream)
        assert [m.data["seq"] for m in take(stream, 19)] == list(range(1, 20))


@pytest.mark.fault
def test_S5_lost_messages_are_counted_and_an_update_brings_the_event_back(samples, hands, endpoint, join):
    """Fault S5: a relay between them loses some; the count is right and the open events are right again."""
    with Publisher(endpoint, clock=hands.clock()) as publisher, zmq.Context() as context:
        front, back = context.socket(zmq.SUB), context.socket(zmq.XPUB)
        front.linger = back.linger = 0
        front.subscribe("")
        front.connect(publisher.endpoint)
        port = back.bind_to_random_port("tcp://127.0.0.1")
        while not publisher.poll(0.1):
            pass
        with Subscriber(f"tcp://127.0.0.1:{port}", mono_ns=lambda: hands.now) as stream:
            assert back.poll(5000) and back.recv() == b"\1v1/"

            def relay(topic: str, message: dict, lose: bool = False) -> None:
                hands.pass_ms(10)
                assert publisher.publish(topic, message) and front.poll(5000)
                frame = front.recv()
                if not lose:
                    back.send(frame)

            missed, total = 0, 0
            for n in range(40):
                lose = n % 10 in (3, 4)
                relay(STATE, samples.state(hands.now), lose)
                total += lose
                if not lose:
                    missed += take(stream, 1)[0].gap
            assert missed == total == 8
            relay(ACTION, samples.action("start", hands.now), lose=False)
            relay(ACTION, samples.action("update", hands.now), lose=True)
            relay(ACTION, samples.action("end", hands.now), lose=True)
            relay(ACTION, samples.action("start", hands.now, 18), lose=True)
            relay(ACTION, samples.action("update", hands.now, 18))
            heard = take(stream, 2)
            assert steps(heard) == [("action", "start", 1, False), ("action", "update", 5, False)]
            assert [m.gap for m in heard] == [3, 0] or [m.gap for m in heard] == [0, 3]
            relay(STATE, samples.state(hands.now + 10_000_000, open_n=(18,)))
            heard = take(stream, 2)
            assert steps(heard) == [("action", "end", 1, True), ("state", "running", 41, False)]
            assert (heard[0].data["event"], heard[0].data["reason"]) == ("front-3-17", "lost")
            assert stream.recv(0) is None
        front.close()
        back.close()


def test_a_heartbeat_of_an_older_capture_ends_nothing(samples, hands, wire):
    """Between a start and the next state, a heartbeat may still list what was open before."""
    with wire.subscriber() as stream:
        old = hands.now
        hands.pass_ms(50)
        wire.send(ACTION, samples.action("start", hands.now), 1)
        wire.mark(stream)
        take(stream, 1)
        wire.send(STATE, samples.state(old), 1)
        wire.mark(stream)
        assert steps(take(stream, 1)) == [("state", "running", 1, False)]
        assert stream.recv(0) is None


@pytest.mark.fault
def test_S4_publisher_restart(samples, hands, tmp_path, join):
    """Fault S4: a new run is no gap, and what the old one left open ends here."""
    endpoint = f"ipc://{tmp_path}/s"
    with Publisher(endpoint, clock=hands.clock(), run="old") as publisher:
        stream = join(publisher, mono_ns=lambda: hands.now)
        for _ in range(5):
            publisher.publish(STATE, samples.state(hands.now))
        publisher.publish(ACTION, samples.action("start", hands.now))
        heard = [take(stream, 1)[0]]
        while heard[-1].kind != "action":
            heard += take(stream, 1)
    with Publisher(endpoint, clock=hands.clock(), run="new") as publisher:
        while not publisher.poll(0.02):
            assert stream.recv(0) is None  # ZeroMQ subscribes anew in the reader's own calls
        for _ in range(2):
            publisher.publish(STATE, samples.state(hands.now, "idle"))
        heard = take(stream, 2)
        while heard[-1].data["seq"] < 2:
            heard += take(stream, 1)
        assert steps(heard[:1]) == [("action", "end", 1, True)] and heard[0].data["reason"] == "restart"
        assert {m.data["run"] for m in heard[1:]} == {"new"} and {m.gap for m in heard} == {0}
        publisher.publish(ACTION, samples.action("start", hands.now))  # the same name again, in another run
        publisher.publish(ACTION, samples.action("end", hands.now))
        assert steps(take(stream, 2)) == [("action", "start", 1, False), ("action", "end", 2, False)]


def test_what_ended_by_silence_ends_once_and_may_come_back_as_an_update(samples, hands, wire):
    with wire.subscriber(liveness_timeout_s=2) as stream:
        wire.send(ACTION, samples.action("start", hands.now, 1), 1)
        wire.send(ACTION, samples.action("start", hands.now, 2), 2)
        wire.mark(stream)
        take(stream, 2)
        hands.pass_ms(2001)
        assert steps(take(stream, 3, 0)[:2]) == [("action", "end", 1, True), ("action", "end", 2, True)]
        wire.send(ACTION, samples.action("update", hands.now, 1), 3)
        wire.mark(stream)
        assert steps(take(stream, 1)) == [("action", "update", 3, False)]
        wire.send(ACTION, samples.action("end", hands.now, 1), 4)
        wire.send(ACTION, samples.action("end", hands.now, 2), 5)
        wire.send(ACTION, samples.action("start", hands.now, 3), 6)
        wire.mark(stream)
        assert steps(take(stream, 2)) == [("action", "end", 4, False), ("action", "start", 6, False)]


def test_silence_is_told_once_and_closes_what_is_open(samples, hands, wire):
    with wire.subscriber(liveness_timeout_s=2) as stream:
        wire.send(ACTION, samples.action("start", hands.now, 1), 1)
        wire.send(ACTION, samples.action("start", hands.now, 2), 2)
        wire.send(STATE, samples.state(hands.now, open_n=(1, 2)), 1)
        wire.mark(stream)
        take(stream, 3)
        began = hands.now
        hands.pass_ms(2000)
        assert stream.recv(0) is None
        hands.pass_ms(1)
        heard = take(stream, 3, 0)
        assert steps(heard) == [
            ("action", "end", 1, True), ("action", "end", 2, True), ("state", "stale", 1, True),
        ]  # fmt: skip
        assert {m.data.get("reason") for m in heard[:2]} == {"liveness"} and heard[2].topic == STATE
        assert heard[2].data["since_mono_ns"] == began + 2 * S
        assert heard[2].data["topk"] == [] and heard[2].age_ms == 2001
        hands.pass_ms(60_000)
        assert stream.recv(0) is None
        wire.send(STATE, samples.state(hands.now), 2)
        wire.mark(stream)
        assert steps(take(stream, 1)) == [("state", "running", 2, False)]
        hands.pass_ms(2001)
        assert steps(take(stream, 1, 0)) == [("state", "stale", 2, True)]


def test_one_silent_camera_among_others(samples, hands, wire):
    with wire.subscriber(liveness_timeout_s=2) as stream:
        wire.send("v1/back/state", samples.state(hands.now, camera="back"), 1)
        for seq in (1, 2, 3):
            wire.send(STATE, samples.state(hands.now), seq)
            wire.mark(stream)
            hands.pass_ms(1000)
        heard = []
        while (message := stream.recv(0)) is not None:
            heard.append(message)
        assert [(m.topic, m.local) for m in heard if m.data["state"] == "stale"] == [("v1/back/state", True)]


def test_a_publisher_that_was_never_there(hands):
    with Subscriber("tcp://127.0.0.1:1", mono_ns=lambda: hands.now) as stream:
        assert stream.recv(0) is None
        hands.pass_ms(3001)
        (message,) = take(stream, 1, 0)
        assert (message.topic, message.data["state"], message.local) == ("v1/*/state", "stale", True)
        hands.pass_ms(60_000)
        assert stream.recv(0) is None


def test_who_did_not_ask_for_states_is_told_of_no_missing_heartbeat(samples, hands, wire):
    with wire.subscriber(topics=(ACTION,)) as stream:
        hands.pass_ms(60_000)
        assert stream.recv(0) is None
        wire.send(ACTION, samples.action("start", hands.now), 1)
        wire.mark(stream, ACTION)
        take(stream, 1)
        hands.pass_ms(3001)
        assert steps(take(stream, 1, 0)) == [("action", "end", 1, True)]


@pytest.mark.parametrize(("prefix", "expected"), [
    ("", True), ("v1/", True), ("v1/front", True), ("v1/front/", True), ("v1/front/st", True), (STATE, True),
    (ACTION, False), ("v1/front/a", False), (STATUS, False),
])  # fmt: skip
def test_which_topics_bring_heartbeats(prefix, expected):
    assert client_module._may_match_state(prefix) is expected


def test_no_liveness_limit_if_not_wanted(samples, hands, wire):
    with wire.subscriber(liveness_timeout_s=None) as stream:
        wire.send(ACTION, samples.action("start", hands.now), 1)
        wire.mark(stream)
        take(stream, 1)
        hands.pass_ms(3_600_000)
        assert stream.recv(0) is None


@pytest.mark.fault
def test_S1_what_waited_longer_than_the_liveness_limit_is_not_given(samples, hands, wire):
    """Fault S1: after a stop of ten minutes the queue's old states are skipped; an awaited end is not."""
    with wire.subscriber() as stream:
        wire.send(ACTION, samples.action("start", hands.now, 1), 1)
        wire.mark(stream)
        take(stream, 1)
        wire.send(ACTION, samples.action("start", hands.now, 2), 2)
        wire.send(ACTION, samples.action("end", hands.now, 1), 3)
        wire.send(ACTION, samples.action("end", hands.now, 2), 4)  # of a start that was not given
        for seq in range(1, 10):
            wire.send(STATE, samples.state(hands.now), seq)
        hands.pass_ms(600_000)
        wire.send(STATE, samples.state(hands.now), 10)
        wire.mark(stream)
        assert steps(take(stream, 2)) == [("action", "end", 3, False), ("state", "running", 10, False)]
        assert stream.recv(0) is None and stream.too_old == 11


def test_age_limit(samples, hands, wire):
    with wire.subscriber(max_age_ms=200, newest=False) as stream:
        wire.send(ACTION, samples.action("start", hands.now, 1), 1)
        wire.mark(stream)
        take(stream, 1)
        old = hands.now - 201_000_000
        wire.send(ACTION, samples.action("start", old, 2), 2)
        wire.send(ACTION, samples.action("update", old, 1), 3)
        wire.send(POSE, samples.pose(old), 1)
        wire.send(STATE, samples.state(old), 1)
        wire.send(STATE, samples.state(old, "camera_lost"), 2)
        wire.send(STATE, samples.state(0, "camera_lost"), 3)
        wire.send(STATUS, samples.status(old), 1)
        wire.send(ACTION, samples.action("end", old, 1), 4)
        wire.send(STATE, samples.state(hands.now - 199_000_000, "idle"), 4)
        wire.mark(stream)
        heard = take(stream, 5)
        assert steps(heard) == [
            ("state", "camera_lost", 2, False), ("state", "camera_lost", 3, False), ("status", None, 1, False),
            ("action", "end", 4, False), ("state", "idle", 4, False),
        ]  # fmt: skip
        assert [m.gap for m in heard] == [0] * 5  # held back is not missed
        assert stream.too_old == 4
        wire.send(STATE, samples.state(hands.now), 5)
        wire.mark(stream)
        hands.pass_ms(201)  # it grows old while it waits to be taken
        assert stream.recv(0) is None


def test_a_stream_that_is_always_too_old_is_silence(samples, hands, wire):
    with wire.subscriber(max_age_ms=200) as stream:
        for seq in range(1, 6):
            wire.send(STATE, samples.state(hands.now - 201_000_000), seq)
            wire.mark(stream)
            assert stream.recv(0) is None
            hands.pass_ms(700)
        assert steps(take(stream, 1, 0)) == [("state", "stale", None, True)]


@pytest.mark.fault
@pytest.mark.parametrize("change", [
    {"boot": "another"}, {"boot": None}, {"boot": 7}, {"t_capture_mono_ns": "soon"}, {"t_capture_mono_ns": None},
])  # fmt: skip
def test_S6_age_is_unknown_rather_than_wrong(samples, hands, wire, change):
    """Fault S6: another machine's or boot's stamps are never compared, and wall clocks never looked at."""
    with wire.subscriber() as stream, wire.subscriber(max_age_ms=200) as strict:
        wire.send(STATE, samples.state(hands.now), 1, **change, t_capture_wall="1970-01-01T00:00:00.000Z")
        wire.mark(stream), wire.mark(strict)
        (message,) = take(stream, 1)
        assert message.age_ms is None and message.data["state"] == "running"
        assert strict.recv(0) is None and strict.too_old == 1


def test_a_stamp_of_the_future_has_no_age(samples, hands, wire):
    with wire.subscriber() as stream:
        wire.send(STATE, samples.state(hands.now + 1), 1)
        wire.mark(stream)
        assert take(stream, 1)[0].age_ms is None


@pytest.mark.fault
def test_X7_replayed_and_broken_frames_are_not_given(samples, hands, wire):
    with wire.subscriber() as stream:
        wire.send(STATE, samples.state(hands.now), 5)
        wire.send(STATE, samples.state(hands.now, "idle"), 5)
        wire.send(STATE, samples.state(hands.now, "idle"), 4)
        wire.send(STATE, samples.state(hands.now, "idle"), "6")  # type: ignore[arg-type]
        for frame in (b"v1/", b"v1/front/state\0{", b"v1/front/state\0[]", b'v1/front/state\0{"schema":"state/1.0"}'):
            wire.socket.send(frame)
        wire.mark(stream, broken=5)
        assert steps(take(stream, 1)) == [("state", "running", 5, False)]
        assert stream.recv(0) is None and stream.invalid == 6  # with the mark


def test_S4_what_a_dead_publisher_sent_last_is_not_given_after_its_successor(samples, hands, wire):
    """As from a proxy before both, whose two connections are read in turn."""
    with wire.subscriber() as stream:
        wire.send(ACTION, samples.action("start", hands.now), 1)
        wire.mark(stream)
        assert steps(take(stream, 1)) == [("action", "start", 1, False)]
        died = hands.now
        hands.pass_ms(10)
        wire.send(STATE, samples.state(hands.now), 1, run="two")
        wire.send(ACTION, samples.action("update", died), 2, t_publish_mono_ns=died)
        wire.mark(stream)
        assert steps(take(stream, 2)) == [("action", "end", 1, True), ("state", "running", 1, False)]
        assert stream.recv(0) is None and stream.replayed == 1


def test_odd_but_decodable_messages_harm_nothing(samples, hands, wire):
    with wire.subscriber() as stream:
        for seq, change in enumerate([
            {"open": None}, {"open": [1, "x", {"event": 3}]}, {"state": 5}, {"since_mono_ns": "x"}, {"run": [1]},
            {"t_publish_mono_ns": "x"}, {"t_resend_mono_ns": None}, {"new_key": {"a": [1]}},
        ], 1):  # fmt: skip
            wire.send(STATE, samples.state(hands.now), seq, **change)
            wire.send(ACTION, samples.action("start", hands.now), seq, **{"event": [1], "type": {}, **change})
            wire.mark(stream)
            while stream.recv(0) is not None:
                pass
        wire.send(STATE, samples.state(hands.now, "idle"), 99)
        wire.mark(stream)
        assert take(stream, 1)[-1].data["state"] == "idle"


def test_iterating(samples, hands, endpoint, join):
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        stream = join(publisher, mono_ns=lambda: hands.now)
        publisher.publish(STATE, samples.state(hands.now))
        for message in stream:
            assert message.topic == STATE
            stream.close()


def test_ages_with_the_real_clock(samples, tmp_path, join):
    with Publisher(f"ipc://{tmp_path}/s") as publisher:
        stream = join(publisher)
        publisher.publish(STATE, samples.state(publisher._clock.mono_ns()))
        (message,) = take(stream, 1)
        assert message.age_ms is not None and message.data["boot"] == publisher._clock.boot
        assert message.age_ms * 1e6 >= message.data["t_publish_mono_ns"] - message.data["t_capture_mono_ns"]


def test_curve(samples, hands):
    """With keys the stream comes through; with another server's key, or none, nothing does."""
    public, secret = zmq.curve_keypair()
    other, _ = zmq.curve_keypair()
    with zmq.Context() as context, context.socket(zmq.XPUB) as server:
        server.linger = 0
        server.curve_server, server.curve_secretkey = True, secret
        endpoint = f"tcp://127.0.0.1:{server.bind_to_random_port('tcp://127.0.0.1')}"
        with (
            Subscriber(endpoint, server_key=other.decode()) as wrong,
            Subscriber(endpoint) as plain,
            Subscriber(endpoint, server_key=public.decode(), mono_ns=lambda: hands.now) as right,
        ):
            assert server.poll(5000) and server.recv() == b"\1v1/"
            server.send(encode(STATE, complete(
                samples.state(hands.now), run="r", seq=1, boot=hands.boot, now_ns=hands.now, wall=None,
            )))  # fmt: skip
            assert steps(take(right, 1)) == [("state", "running", 1, False)]
            assert not server.poll(100)  # nobody else has subscribed
            assert wrong.recv(0) is None and plain.recv(0) is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"endpoint": "nonsense"}, "tcp://HOST:PORT or ipc://PATH is expected"),
        ({"endpoint": "foo://a"}, "tcp://HOST:PORT or ipc://PATH is expected"),
        ({"endpoint": "tcp://127.0.0.1"}, "a port from 1 to 65535"),
        ({"endpoint": "127.0.0.1:99999"}, "a port from 1 to 65535"),
        ({"endpoint": "tcp://127.0.0.1:0"}, "a port from 1 to 65535"),
        ({"endpoint": "tcp://127.0.0.1:٣"}, "a port from 1 to 65535"),
        ({"endpoint": "tcp://::1:5757"}, r"in brackets: tcp://\[::1\]:5757"),
        ({"endpoint": "ipc:///" + "d" * 107}, "path of 108 bytes, at most 107"),
        ({"endpoint": "ipc:///tmp/\udcff"}, "printable characters only"),
        ({"endpoint": " 127.0.0.1:5757"}, "tcp://HOST:PORT or ipc://PATH is expected"),
        ({"server_key": "short"}, ""),
    ],
)
def test_F11_what_cannot_be_connected_to(options, why):
    with pytest.raises(ValueError, match=f"cannot subscribe to .*{why}"):
        Subscriber(**options)


@pytest.mark.parametrize(
    ("endpoint", "meant"),
    [
        ("127.0.0.1:5757", "tcp://127.0.0.1:5757"),
        ("localhost:5757", "tcp://127.0.0.1:5757"),
        ("TCP://LocalHost:5757", "tcp://127.0.0.1:5757"),
        ("[::1]:5757", "tcp://[::1]:5757"),
        ("camera-pc.local:5757", "tcp://camera-pc.local:5757"),
        ("IPC:///Run/Stream", "ipc:///Run/Stream"),
        ("inproc://A", "inproc://A"),
    ],
)
def test_F11_an_address_is_taken_as_it_is_meant(endpoint, meant):
    assert as_meant(endpoint) == meant == as_meant(meant)
    Subscriber(endpoint).close()


def test_the_docstrings_example_is_python():
    example = (client_module.__doc__ or "").split("\n\n")[1:3]
    assert len(example) == 2
    compile("\n".join(line[4:] for line in "\n".join(example).splitlines()), "example", "exec")
    assert Path(client_module.__file__).name == "client.py"
