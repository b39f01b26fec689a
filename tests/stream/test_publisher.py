from __future__ import annotations

import os
import socket
import stat
import threading
import time

import jsonschema
import pytest
import zmq

from edge_app.client import DEFAULT_ENDPOINT, decode
from edge_app.errors import PortError, UsageError
from edge_app.stream.endpoint import check_bind
from edge_app.stream.publisher import Publisher

STATE, ACTION, STATUS = "v1/front/state", "v1/front/action", "v1/front/status"


def hear(sub: zmq.Socket) -> tuple[str, dict]:
    return decode(sub.recv())


def wait_for_reader(publisher: Publisher, readers: int = 1) -> None:
    for _ in range(100):
        readers -= publisher.poll(0.1)
        if readers <= 0:
            return
    raise AssertionError("no subscription came")


@pytest.mark.parametrize("good", [
    DEFAULT_ENDPOINT, "tcp://127.255.255.254:1", "tcp://127.0.0.1:*", "tcp://[::1]:5757", "tcp://[0:0::1]:5757",
    "ipc:///tmp/a", "ipc://@abstract", "inproc://a",
])  # fmt: skip
def test_this_machine_may_listen(good):
    assert check_bind(good) == good


@pytest.mark.parametrize("written", ["tcp://localhost:5757", "TCP://LocalHost:5757", "Tcp://127.0.0.1:5757"])
def test_F11_localhost_is_decided_here_not_by_a_resolver(written):
    assert check_bind(written) == "tcp://127.0.0.1:5757"
    assert check_bind("IPC:///Run/Stream") == "ipc:///Run/Stream"


@pytest.mark.parametrize("host", [
    "*", "0.0.0.0", "128.0.0.1", "126.255.255.255", "192.168.1.2", "eth0", "lo", "example.org", "localhost.evil.org",
    "LOCALHOST.", "127.1", "127.0.0.1.evil.org", "0x7f.0.0.1", "2130706433", "127.0.0.01", "[::]", "[::2]", "::1",
    "[::ffff:127.0.0.1]", "[::1%lo]", "eth0;127.0.0.1", "127.0.0.1;127.0.0.1", " 127.0.0.1", "[127.0.0.1]",
])  # fmt: skip
def test_everywhere_else_is_refused_with_the_reason(host):
    with pytest.raises(UsageError, match=r"needs an address and keys \(CURVE and a ZAP allow-list\)"):
        check_bind(f"tcp://{host}:5757")
    with pytest.raises(UsageError):
        Publisher(f"tcp://{host}:5757")


@pytest.mark.parametrize("bad", [
    "", "tcp://", "127.0.0.1:5757", "tcp:127.0.0.1:5757", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:65536",
    "tcp://127.0.0.1:-1", "tcp://127.0.0.1:٣", "tcp://:5757", "udp://127.0.0.1:1", "ws://127.0.0.1:1", "pgm://a;b:1",
    "ipc://", "ipc:///tmp/\udcff", "ipc://*", "ipc:///tmp/a\n", "tcp://127.0.0.1:1\0",
])  # fmt: skip
def test_F11_malformed_endpoints_are_refused_in_one_line(bad):
    with pytest.raises(UsageError) as error:
        check_bind(bad)
    assert "\n" not in str(error.value) and "allowed: " in str(error.value) and error.value.exit_code == 2


def test_every_published_message_is_valid(samples, hands, endpoint, raw, check):
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        publisher.publish(STATE, samples.state(hands.now))
        sub = raw(publisher)
        wait_for_reader(publisher)  # the cached copy goes out here
        hands.pass_ms(5)
        for topic, message in [
            (ACTION, samples.action("start", hands.now)), (ACTION, samples.action("update", hands.now)),
            (ACTION, samples.action("end", hands.now)), (STATUS, samples.status(hands.now)),
            ("v1/front/pose", samples.pose(hands.now)), (STATE, samples.state(0, "camera_lost")),
        ]:  # fmt: skip
            assert publisher.publish(topic, message)
        hands.pass_ms(1000)
        publisher.poll()  # heartbeat
        heard = [hear(sub) for _ in range(8)]
    assert [topic.rpartition("/")[2] for topic, _ in heard] == [
        "state", "action", "action", "action", "status", "pose", "state", "state",
    ]  # fmt: skip
    for _, message in heard:
        check(message)
        assert message["run"] == publisher.run
    with pytest.raises(jsonschema.ValidationError):
        check({**heard[0][1], "seq": "1"})


def test_seq_counts_per_topic(samples, hands, endpoint, raw):
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        for topic in (STATE, ACTION, STATE, ACTION, STATE):
            publisher.publish(topic, samples.state(hands.now) if topic == STATE else samples.action("end", hands.now))
        assert [hear(sub)[1]["seq"] for _ in range(5)] == [1, 1, 2, 2, 3]


@pytest.mark.fault
def test_S3_late_reader_gets_the_current_state_at_once_with_its_own_stamps(samples, hands, endpoint, raw, check):
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        published = hands.now
        publisher.publish(STATUS, samples.status(hands.now))
        publisher.publish(STATE, samples.state(hands.now, "idle"))
        publisher.publish(STATE, samples.state(hands.now))
        publisher.publish(ACTION, samples.action("start", hands.now))
        hands.pass_ms(250)
        sub = raw(publisher)
        wait_for_reader(publisher)
        heard = dict([hear(sub), hear(sub)])
        assert set(heard) == {STATE, STATUS}  # an old step of an action is not news
        state = heard[STATE]
        assert (state["cached"], state["state"], state["seq"], state["age_ms"]) == (True, "running", 2, 250)
        assert state["t_publish_mono_ns"] == state["t_capture_mono_ns"] == published
        assert state["t_resend_mono_ns"] == hands.now
        check(state), check(heard[STATUS])
        assert publisher.counters["resent"] == 2 and publisher.counters["heartbeats"] == 0


def test_only_what_was_subscribed_to_is_sent_again(samples, hands, endpoint, raw):
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        publisher.publish(STATE, samples.state(hands.now))
        publisher.publish("v1/back/state", samples.state(hands.now, camera="back"))
        sub = raw(publisher, prefix="v1/back/")
        wait_for_reader(publisher)
        assert hear(sub)[0] == "v1/back/state"
        assert publisher.counters["resent"] == 1


def test_heartbeat_is_a_new_message_with_the_old_capture(samples, hands, endpoint, raw):
    with Publisher(endpoint, clock=hands.clock(), max_age_ms=5000) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        captured = hands.now
        publisher.publish(STATE, samples.state(captured))
        hands.pass_ms(999)
        publisher.poll()
        assert publisher.counters["heartbeats"] == 0
        hands.pass_ms(1)
        publisher.poll(timeout_s=600)  # does not wait for readers while a heartbeat is due
        publisher.poll()
        assert publisher.counters["heartbeats"] == 1
        first, beat = hear(sub)[1], hear(sub)[1]
        assert (beat["seq"], beat["age_ms"], beat["t_publish_mono_ns"]) == (first["seq"] + 1, 1000, hands.now)
        assert beat["t_capture_mono_ns"] == captured and beat["t_capture_wall"] == first["t_capture_wall"]
        assert beat["state"] == "running" and "cached" not in beat


def test_state_turns_stale_as_soon_as_its_capture_is_too_old(samples, hands, endpoint, raw):
    with Publisher(endpoint, clock=hands.clock(), max_age_ms=300) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        captured = hands.now
        publisher.publish(STATE, samples.state(captured, open_n=(17,)))
        hands.pass_ms(300)
        publisher.poll()
        assert publisher.counters["heartbeats"] == 0
        hands.pass_ms(1)
        for _ in range(3):
            publisher.poll()
        assert publisher.counters["heartbeats"] == 1  # told once, and then at the pace of the heartbeat
        running, stale = hear(sub)[1], hear(sub)[1]
        assert running["state"] == "running"
        assert (stale["state"], stale["topk"], stale["known"], stale["age_ms"]) == ("stale", [], None, 301)
        assert stale["since_mono_ns"] == captured + 300_000_000 and len(stale["open"]) == 1
        hands.pass_ms(5000)
        publisher.poll()
        again = hear(sub)[1]
        assert again["state"] == "stale" and again["since_mono_ns"] == stale["since_mono_ns"]
        publisher.publish(STATE, samples.state(hands.now))
        assert hear(sub)[1]["state"] == "running"


@pytest.mark.parametrize("state", ["camera_lost", "camera_frozen", "failed"])
def test_a_lost_camera_is_not_renamed_stale(samples, hands, raw, tmp_path, state):
    with Publisher(f"ipc://{tmp_path}/s", clock=hands.clock(), max_age_ms=300) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        publisher.publish(STATE, samples.state(hands.now - 10_000_000_000, state))
        hands.pass_ms(2000)
        publisher.poll()
        assert [hear(sub)[1]["state"], hear(sub)[1]["state"]] == [state, state]


def test_old_work_is_dropped_and_counted_but_an_end_always_goes(samples, hands, endpoint, raw):
    with Publisher(endpoint, clock=hands.clock(), max_age_ms=300) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        old, future = hands.now - 301_000_000, hands.now + 1_000_000
        for stamp in (old, future):
            assert not publisher.publish(ACTION, samples.action("start", stamp))
            assert not publisher.publish(ACTION, samples.action("update", stamp))
            assert not publisher.publish("v1/front/pose", samples.pose(stamp))
        assert publisher.counters["stale_dropped"] == 6 and publisher.counters["published"] == 0
        assert publisher.publish(ACTION, samples.action("end", old))
        assert publisher.publish(STATE, samples.state(old))
        assert publisher.publish(ACTION, samples.action("start", hands.now - 300_000_000))
        heard = [hear(sub)[1] for _ in range(3)]
        assert [(each.get("type"), each.get("state"), each["seq"]) for each in heard] == [
            ("end", None, 1), (None, "stale", 1), ("start", None, 2),
        ]  # fmt: skip


def test_nan_is_refused_and_nothing_of_it_stays(samples, hands, endpoint):
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        with pytest.raises(ValueError):
            publisher.publish(STATE, {**samples.state(hands.now), "known": float("nan")})
        publisher.poll()
        assert publisher.counters["published"] == 0
        assert publisher.publish(STATE, samples.state(hands.now))


@pytest.mark.fault
def test_S7_wall_clock_jumps_change_only_the_text(samples, hands, endpoint, raw):
    """Fault S7."""
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        heard = []
        for jump_s in (0, 3600, -7200, -1_767_225_600):
            hands.wall += jump_s * 1_000_000_000
            hands.pass_ms(10)
            publisher.publish(STATE, samples.state(hands.now))
            heard.append(hear(sub)[1])
        assert [each["state"] for each in heard] == ["running"] * 4
        assert [each["age_ms"] for each in heard] == [0] * 4
        stamps = [each["t_publish_mono_ns"] for each in heard]
        assert stamps == sorted(stamps) and stamps[-1] - stamps[0] == 30_000_000
        assert len({each["t_capture_wall"][:13] for each in heard}) == 4


@pytest.mark.fault
def test_S1_slow_reader_with_conflate_gets_the_newest(samples, hands, endpoint, raw):
    """Fault S1: single frames make CONFLATE work for any program."""
    with Publisher(endpoint, clock=hands.clock()) as publisher:
        slow, witness = raw(publisher, STATE, conflate=True), raw(publisher, STATE)
        wait_for_reader(publisher, 2)
        for _ in range(50):
            publisher.publish(STATE, samples.state(hands.pass_ms(1)))
            newest = hear(witness)[1]["seq"]
        assert newest == 50
        heard = [hear(slow)[1]["seq"]]
        while heard[-1] < 50:
            if not slow.poll(1000):  # ZeroMQ drops the newest where the slot is being emptied; a stream goes on
                publisher.publish(STATE, samples.state(hands.pass_ms(1)))
                continue
            heard.append(hear(slow)[1]["seq"])
        assert heard == sorted(set(heard)) and len(heard) < 50


@pytest.mark.fault
def test_S1_stopped_reader_costs_no_memory_and_no_time_of_the_others(samples, hands, tmp_path, raw):
    """Fault S1: what waits for a reader that never reads is bounded by marks, not by how long it sleeps."""
    with Publisher(f"ipc://{tmp_path}/s", clock=hands.clock()) as publisher:
        stopped, other = raw(publisher, "v1/", hwm=10), raw(publisher, STATE)
        wait_for_reader(publisher, 2)
        padding = "x" * 10_000
        sent = 3000
        for _ in range(sent):
            publisher.publish(STATE, {**samples.state(hands.pass_ms(1)), "flags": [padding]})
            newest = hear(other)[1]["seq"]
        assert newest == sent and publisher.counters["send_dropped"] == 0
        kept = 0
        while stopped.poll(200 if kept else 5000):
            stopped.recv()
            kept += 1
        assert 0 < kept < sent / 2


@pytest.mark.fault
def test_X9_flood_of_subscriptions_is_served_in_bounds(samples, hands, tmp_path, raw):
    with Publisher(f"ipc://{tmp_path}/s", clock=hands.clock()) as publisher:
        publisher.publish(STATE, samples.state(hands.now))
        sub = raw(publisher, STATE)
        wait_for_reader(publisher)
        assert hear(sub)[1]["cached"]
        for n in range(5000):
            sub.subscribe(f"flood{n % 100}")
            sub.unsubscribe(f"flood{n % 100}")
        seen = most = 0
        while seen < 10_000:
            handled = publisher.poll(2)
            assert handled
            seen, most = seen + handled, max(most, handled)
        assert most <= 2000
        assert (publisher.counters["resent"], publisher.counters["floods"]) == (1, 0)


def test_an_oversized_request_ends_the_connection_not_the_publisher(samples, hands, tmp_path, raw):
    with Publisher(f"ipc://{tmp_path}/s", clock=hands.clock()) as publisher:
        huge = raw(publisher, "z" * 5000)
        assert publisher.poll(0.2) == 0
        sub = raw(publisher)
        wait_for_reader(publisher)
        publisher.publish(STATE, samples.state(hands.now))
        assert hear(sub)[1]["state"] == "running"
        assert not huge.poll(0)


def test_number_of_cached_topics_is_capped(samples, hands, tmp_path):
    with Publisher(f"ipc://{tmp_path}/s", clock=hands.clock()) as publisher:
        for n in range(300):
            publisher.publish(f"v1/c{n}/state", samples.state(hands.now, camera=f"c{n}"))
        hands.pass_ms(1000)
        publisher.poll()
        assert publisher.counters["heartbeats"] == 256


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["tcp", "ipc", "foreign"])
def test_S8_endpoint_in_use(kind, tmp_path):
    """Fault S8."""
    if kind == "foreign":
        with socket.create_server(("127.0.0.1", 0)) as other:
            _refused(f"tcp://127.0.0.1:{other.getsockname()[1]}")
        return
    with Publisher("tcp://127.0.0.1:*" if kind == "tcp" else f"ipc://{tmp_path}/s") as first:
        _refused(first.endpoint)
        if kind == "ipc":
            assert (tmp_path / "s").is_socket()
    with Publisher(first.endpoint):  # free again
        pass


def _refused(endpoint: str) -> None:
    with pytest.raises(PortError) as error:
        Publisher(endpoint)
    assert endpoint in str(error.value) and "in use" in str(error.value) and "\n" not in str(error.value)
    assert error.value.exit_code == 3


def test_ipc_file_is_private_and_goes_with_the_publisher(tmp_path):
    mask = os.umask(0o022)
    try:
        with Publisher(f"ipc://{tmp_path}/s"):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o600
            assert os.umask(0o022) == 0o022
        assert list(tmp_path.iterdir()) == []
    finally:
        os.umask(mask)


def test_ipc_file_of_a_dead_process_is_replaced(tmp_path, raw, samples, hands):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "s"))
        dead.listen()
    assert (tmp_path / "s").is_socket()
    with Publisher(f"ipc://{tmp_path}/s", clock=hands.clock()) as publisher:
        sub = raw(publisher)
        wait_for_reader(publisher)
        publisher.publish(STATE, samples.state(hands.now))
        assert hear(sub)[0] == STATE


def test_a_file_that_took_our_place_is_left_alone(tmp_path):
    with Publisher(f"ipc://{tmp_path}/s"):
        (tmp_path / "s").unlink()
        (tmp_path / "s").write_text("another's")
    assert (tmp_path / "s").read_text() == "another's"


def test_a_file_that_is_no_socket_is_never_removed(tmp_path):
    (tmp_path / "s").write_text("precious")
    with pytest.raises(PortError, match="not a socket"):
        Publisher(f"ipc://{tmp_path}/s")
    assert (tmp_path / "s").read_text() == "precious"


def test_ipc_folder_that_is_not_there(tmp_path):
    with pytest.raises(PortError, match="absent/s cannot be opened"):
        Publisher(f"ipc://{tmp_path}/absent/s")
    with pytest.raises(PortError, match="cannot be opened"):
        Publisher(f"ipc://{tmp_path}/{'x' * 200}")


@pytest.mark.fault
def test_S2_readers_that_come_and_go_leave_no_descriptor(samples, hands, endpoint):
    """Fault S2, in small."""
    with Publisher(endpoint, clock=hands.clock()) as publisher, zmq.Context() as context:
        publisher.publish(STATE, samples.state(hands.now))

        def visit() -> None:
            with context.socket(zmq.SUB) as sub:
                sub.linger = 0
                sub.subscribe("v1/")
                sub.rcvtimeo = 5000
                sub.connect(publisher.endpoint)
                wait_for_reader(publisher)
                assert hear(sub)[1]["cached"]
            wait_for_reader(publisher)  # it leaves: an unsubscription

        visit()
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(50):
            visit()
        deadline = time.monotonic() + 10
        while len(os.listdir("/proc/self/fd")) > before + 2 and time.monotonic() < deadline:
            publisher.poll(0.05)
        assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_close_gives_back_threads_and_may_be_repeated(samples, hands, endpoint):
    threads, tasks = threading.active_count(), len(os.listdir("/proc/self/task"))
    publisher = Publisher(endpoint, clock=hands.clock())
    publisher.publish(STATE, samples.state(hands.now))
    assert len(os.listdir("/proc/self/task")) > tasks
    publisher.close()
    publisher.close()
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/task")) == tasks
