"""The MQTT bridge against a real Mosquitto."""

from __future__ import annotations

import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed (pip install 'edge-app[mqtt]')")

from paho.mqtt import client as paho

from edge_app.app.bridges.mqtt import make_broker
from edge_app.app.cli import main
from edge_app.errors import UsageError
from tests.app.bridges.conftest import is_valid
from tests.running import interruptible

MOSQUITTO = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_mosquitto = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed (apt-get install mosquitto)")
WAIT_S = 30.0
STATE, ACTION, BRIDGE = "edge-app/front/state", "edge-app/front/action", "edge-app/bridge"


class Mosquitto:
    """A broker of our own on a free port of this machine."""

    def __init__(self, folder: Path, *settings: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._file = folder / "mosquitto.conf"
        lines = [
            f"listener {self.port} 127.0.0.1",
            "persistence false",
            "user root",
            "connection_messages false",
            *settings,
        ]
        self._file.write_text("\n".join(lines) + "\n")
        self.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen([MOSQUITTO, "-c", str(self._file)], stderr=subprocess.PIPE, text=True)
        assert any("running" in line for line in self.process.stderr), "mosquitto did not start"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()


class Reader:
    """A plain MQTT subscriber; `messages` are (topic, payload, retained)."""

    def __init__(self, port: int, **options) -> None:
        self.messages: queue.Queue[tuple[str, str, bool]] = queue.Queue()
        subscribed: queue.Queue[bool] = queue.Queue()
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5)
        if options:
            self._client.username_pw_set(options["username"], options["password"])
        self._client.on_message = lambda c, d, m: self.messages.put((m.topic, m.payload.decode(), m.retain))
        self._client.on_connect = lambda client, *rest: client.subscribe("#", qos=1)
        self._client.on_subscribe = lambda *rest: subscribed.put(True)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        subscribed.get(timeout=WAIT_S)

    def until(self, wanted: Callable[[str, str, bool], bool]) -> list[tuple[str, str, bool]]:
        """All that comes up to the first message that is wanted; fails if none does."""
        seen, deadline = [], time.monotonic() + WAIT_S
        while not seen or not wanted(*seen[-1]):
            try:
                seen.append(self.messages.get(timeout=max(deadline - time.monotonic(), 0)))
            except queue.Empty:
                pytest.fail(f"nothing of the kind in {WAIT_S} s; last: {seen[-3:]}")
        return seen

    def retained(self) -> dict[str, str]:
        """What the broker kept: it all comes before a message that is sent after the subscription."""
        self._client.publish("test/mark", "here", qos=1)
        return {topic: text for topic, text, retained in self.until(lambda t, p, r: t == "test/mark") if retained}

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def broker(tmp_path) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, "allow_anonymous true")
    yield broker
    broker.stop()


def is_state(name: str) -> Callable[[str, str, bool], bool]:
    return lambda topic, payload, retained: topic == STATE and json.loads(payload)["state"] == name


def is_online(topic: str, payload: str, retained: bool) -> bool:
    """The bridge is there: what is sent before it came may be too old for it."""
    return topic.endswith("/bridge") and payload == "online"


def is_action(step: str, **more) -> Callable[[str, str, bool], bool]:
    def check(topic: str, payload: str, retained: bool) -> bool:
        data = json.loads(payload) if topic == ACTION else {}
        return data.get("type") == step and all(data.get(key) == value for key, value in more.items())

    return check


@needs_mosquitto
def test_messages_pass_unchanged_and_a_late_reader_gets_the_state_but_no_action(broker, stream, bridging):
    with bridging("mqtt", "--broker", broker.address), Reader(broker.port) as reader:
        reader.until(is_online)
        stream.state()
        reader.until(is_state("running"))
        stream.action("start")
        stream.action("end")
        seen = reader.until(is_action("end"))
        (start,) = [payload for topic, payload, _ in seen if topic == ACTION and json.loads(payload)["type"] == "start"]
        assert json.loads(start)["label"] == "wave" and "local" not in json.loads(start)
        assert all(is_valid(payload) for topic, payload, _ in seen if topic != BRIDGE)
        stream.state("idle")
        reader.until(is_state("idle"))
        with Reader(broker.port) as late:
            kept = late.retained()
        assert set(kept) == {STATE, BRIDGE}
        assert json.loads(kept[STATE])["state"] == "idle" and kept[BRIDGE] == "online"


@needs_mosquitto
def test_killed_it_is_offline_and_the_broker_forgets_the_live_state(broker, stream, bridging):
    with Reader(broker.port) as reader, bridging("mqtt", "--broker", broker.address) as bridge:
        reader.until(is_online)
        stream.state()
        reader.until(is_state("running"))
        bridge.send_signal(signal.SIGKILL)
        reader.until(lambda topic, payload, retained: topic == BRIDGE and payload == "offline")
    kept, deadline = {STATE: ""}, time.monotonic() + WAIT_S
    while STATE in kept and time.monotonic() < deadline:
        with Reader(broker.port) as late:
            kept = late.retained()
    assert kept == {BRIDGE: "offline"}


@needs_mosquitto
def test_interrupted_it_is_offline_and_leaves_without_a_word(broker, stream, bridging):
    options = ("--broker", broker.address)
    with Reader(broker.port) as reader, bridging("mqtt", *options, preexec_fn=interruptible) as bridge:
        reader.until(is_online)
        stream.state()
        reader.until(is_state("running"))
        bridge.send_signal(signal.SIGINT)
        reader.until(lambda topic, payload, retained: topic == BRIDGE and payload == "offline")
        assert bridge.wait(WAIT_S) == 0
        assert len(bridge.stderr.readlines()) == 1, "that it is connected, and nothing else"


@needs_mosquitto
def test_a_broker_restarted_under_it_gets_the_state_back_and_nothing_old(broker, stream, bridging):
    with bridging("mqtt", "--broker", broker.address, "--max-age-ms", "1000") as bridge:
        with Reader(broker.port) as reader:
            reader.until(is_online)
            stream.state()
            reader.until(is_state("running"))
            stream.action("start", 1)
            reader.until(is_action("start"))
        broker.stop()
        assert any("trying again" in line for line in bridge.stderr)
        stream.action("start", 2)
        stream.action("end", 1)
        time.sleep(1.1)  # no event to wait for: that start grows older than the limit
        broker.start()
        with Reader(broker.port) as reader:
            seen = reader.until(is_action("end", event="front-3-1"))
            stream.action("start", 3)
            seen += reader.until(is_action("start", event="front-3-3"))
            assert not [payload for _, payload, _ in seen if "front-3-2" in payload]
            stream.state("idle")
            reader.until(is_state("idle"))


@needs_mosquitto
def test_a_broker_that_stalls_gets_nothing_old_afterwards(broker, stream, bridging):
    limit = ("--max-age-ms", "1000")
    with bridging("mqtt", "--broker", broker.address, *limit) as bridge, Reader(broker.port) as reader:
        reader.until(is_online)
        stream.state()
        reader.until(is_state("running"))
        broker.process.send_signal(signal.SIGSTOP)
        stream.action("start", 1)  # or a state before it: one message may lie in the network
        assert any("no answer" in line for line in bridge.stderr)
        for n in range(2, 6):
            stream.action("start", n)
        time.sleep(1.1)  # no event to wait for: those starts grow older than the limit
        broker.process.send_signal(signal.SIGCONT)
        stream.action("start", 6)
        seen = reader.until(is_action("start", event="front-3-6"))
        assert not [
            payload for topic, payload, _ in seen if any(f'"event":"front-3-{n}"' in payload for n in range(2, 6))
        ]


@needs_mosquitto
def test_the_readers_own_stale_and_end_are_passed_on_and_stay(broker, stream, bridging):
    with bridging("mqtt", "--broker", broker.address), Reader(broker.port) as reader:
        reader.until(is_online)
        stream.state(open_n=(1,))
        reader.until(is_state("running"))
        stream.action("start")
        reader.until(is_action("start"))
        stream.stop()
        told: dict[str, str] = {}
        while len(told) < 2:
            topic, payload, _ = reader.until(lambda topic, payload, retained: '"local":true' in payload)[-1]
            told[topic] = payload
        assert json.loads(told[STATE])["state"] == "stale" and json.loads(told[STATE])["local"] is True
        end = json.loads(told[ACTION])
        assert (end["type"], end["reason"], end["local"]) == ("end", "liveness", True)
        assert all(is_valid(payload) for payload in told.values())
        with Reader(broker.port) as late:
            assert json.loads(late.retained()[STATE])["state"] == "stale"
        stream.start()
        stream.state()
        reader.until(is_state("running"))


@needs_mosquitto
def test_camera_names_that_mqtt_reserves_are_escaped(broker, stream, bridging):
    with bridging("mqtt", "--broker", broker.address, "--prefix", "home/edge"), Reader(broker.port) as reader:
        reader.until(is_online)
        stream.state(camera="Tür +#%")
        topic, payload, _ = reader.until(lambda topic, payload, retained: topic.endswith("/state"))[-1]
        assert topic == "home/edge/Tür %2B%23%25/state" and json.loads(payload)["camera"] == "Tür +#%"


@needs_mosquitto
def test_text_that_is_no_text_is_passed_on_as_it_came(broker, stream, bridging):
    with bridging("mqtt", "--broker", broker.address), Reader(broker.port) as reader:
        reader.until(is_online)
        stream.state()
        reader.until(is_state("running"))
        stream.action("start", provider="\ud800")
        reader.until(is_action("start", provider="\ud800"))


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    key, cert = folder / f"{host}.key", folder / f"{host}.crt"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={host}",
         "-addext", f"subjectAltName=IP:127.0.0.1,DNS:{host}", "-keyout", str(key), "-out", str(cert)],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return key, cert


@needs_mosquitto
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_tls_and_a_password_from_a_file(tmp_path, stream, bridging):
    key, cert = certificate(tmp_path, "localhost")
    secret, users = tmp_path / "secret", tmp_path / "users"
    secret.write_text("correct horse\n")
    secret.chmod(0o600)
    subprocess.run(["mosquitto_passwd", "-b", "-c", str(users), "eve", "correct horse"], check=True, timeout=60)
    users.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as free:
        plain = free.getsockname()[1]
    broker = Mosquitto(
        tmp_path, f"keyfile {key}", f"certfile {cert}", "allow_anonymous false", f"password_file {users}",
        f"listener {plain} 127.0.0.1",
    )  # fmt: skip
    options = ("--broker", broker.address, "--username", "eve", "--password-file", str(secret))
    try:
        with (
            Reader(plain, username="eve", password="correct horse") as reader,
            bridging("mqtt", *options, "--ca", str(cert)) as bridge,
        ):
            reader.until(is_online)
            stream.state()
            reader.until(is_state("running"))
            assert b"horse" not in Path(f"/proc/{bridge.pid}/cmdline").read_bytes()
        _, other = certificate(tmp_path, "other")
        with bridging("mqtt", *options, "--ca", str(other)) as bridge:
            assert bridge.wait(WAIT_S) == 3 and "certificate" in bridge.stderr.read()
        secret.write_text("wrong horse\n")
        with bridging("mqtt", *options, "--ca", str(cert)) as bridge:
            assert bridge.wait(WAIT_S) == 3
            said = bridge.stderr.read()
            assert "refuses us: Not authorized" in said and "horse" not in said
    finally:
        broker.stop()


def test_a_file_that_others_may_read_and_a_password_that_would_travel_openly_are_refused(tmp_path, monkeypatch):
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    secret.chmod(0o644)
    with pytest.raises(UsageError, match="mode 600"):
        make_broker("localhost", "eve", secret, None)
    secret.chmod(0o600)
    assert make_broker("localhost", "eve", secret, None).password == "s3cret"
    assert make_broker("[::1]:1884", "eve", secret, None).port == 1884
    for far in ("broker.example", "192.0.2.1", "[2001:db8::1]:1883", "127.0.0.1.example"):
        with pytest.raises(UsageError, match="openly") as caught:
            make_broker(far, "eve", secret, None)
        assert "s3cret" not in str(caught.value)
    monkeypatch.setenv("EDGE_APP_MQTT_PASSWORD", "from outside")
    assert make_broker("127.0.0.1", "eve", None, None).password == "from outside"
    with pytest.raises(UsageError, match="--username"):
        make_broker("127.0.0.1", None, None, None)


def test_without_the_extra_it_says_how_to_get_it(capfd, monkeypatch):
    monkeypatch.delitem(sys.modules, "edge_app.app.bridges.mqtt")
    monkeypatch.setitem(sys.modules, "paho.mqtt", None)
    assert main(["bridge", "mqtt", "--broker", "localhost"]) == 2
    assert "pip install 'edge-app[mqtt]'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--broker", "localhost:99999"], "--broker"),
        (["--broker", "localhost:x"], "--broker"),
        (["--broker", ""], "--broker"),
        (["--broker", "eve:pw@localhost"], "--username"),
        (["--broker", "localhost", "--prefix", "a/#"], "a/#"),
        (["--broker", "localhost", "--prefix", ""], "--prefix"),
        (["--broker", "localhost", "--ca", "/no/such"], "/no/such"),
        (["--broker", "localhost", "--username", "eve", "--password-file", "/no/such"], "/no/such"),
        (["nonsense", "--broker", "localhost"], "nonsense"),
    ],
)
def test_bad_options_are_named(capfd, options, word):
    assert main(["bridge", "mqtt", *options]) == 2
    said = capfd.readouterr().err
    assert word in said and "eve:pw" not in said
