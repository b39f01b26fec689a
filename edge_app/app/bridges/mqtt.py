"""The stream in an MQTT 5 broker.

`PREFIX/CAMERA/action`, and retained `PREFIX/CAMERA/state` and `PREFIX/CAMERA/status`, all of QoS 1: the stream's
messages, unchanged; what the reader concluded from silence has `"local": true`. `PREFIX/bridge`, retained: `online`,
or `offline`, which the broker itself says when the bridge is gone. Poses are not passed on.

With `--home-assistant` there are retained topics more: see `edge_app.app.bridges.home_assistant`.

Nothing old passes for live. One message is under way at a time and the rest waits in the reader, which keeps only what
is fresh; a connection that is lost takes its unacknowledged message with it; and the broker forgets whatever claims a
live view after LIMIT_S. Ends, and states such as `camera_lost`, stay true and do not expire.
"""

from __future__ import annotations

import ipaddress
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from edge_app.app.bridges import LIMIT_S, nothing_heard, read_secret, subscribe
from edge_app.app.bridges.home_assistant import HomeAssistant, LabelNames
from edge_app.app.log import log
from edge_app.client import SELF_TOLD, Message, Subscriber
from edge_app.errors import PortError, UsageError

PASSWORD_ENVIRONMENT = "EDGE_APP_MQTT_PASSWORD"
KEEPALIVE_S = 5
RETRY_S = 1.0
_REFUSALS = ("Bad user name or password", "Not authorized", "Banned", "Unsupported protocol version")


@dataclass(frozen=True, slots=True)
class Broker:
    """Where to connect and as whom. ca: of TLS; None: plain TCP."""

    host: str
    port: int
    username: str | None
    password: str | None
    ca: Path | None


def bridge(
    endpoint: str, *, broker: str, prefix: str, username: str | None, password_file: Path | None, ca: Path | None,
    max_age_ms: float, home_assistant: str | None = None, control: str | None = None,
) -> NoReturn:  # fmt: skip
    """Pass the stream on for ever; a broker that is away is tried again every second.

    Raises:
        UsageError: a malformed endpoint, broker or prefix, an unreadable file, a password that would travel openly.
        PortError: the broker refuses us: our name, our password, its certificate, or one of the topics.
    """
    for option, text in (("--prefix", prefix), ("--home-assistant", home_assistant)):
        if text is not None and (not text.strip("/") or set(text) & set("+#\0")):
            raise UsageError(f"{option} {text!r}: allowed is text without + and #")
    where = make_broker(broker, username, password_file, ca)
    name, complaint = f"edge-app-{os.urandom(4).hex()}", ""
    labels = LabelNames(endpoint, control) if home_assistant else None
    with subscribe(endpoint, max_age_ms) as stream:
        while True:
            try:
                with _connected(where, name, f"{prefix}/bridge") as client:
                    complaint = ""
                    log.info(f"passing {endpoint} on to {where.host}:{where.port}")
                    home = (
                        _home_assistant(client, prefix, home_assistant, labels) if home_assistant and labels else None
                    )
                    _forward(stream, client, prefix, home)
            except ssl.SSLCertVerificationError as error:
                raise PortError(f"broker {where.host}:{where.port}: {error.verify_message}") from None
            except OSError as error:
                if str(error) != complaint:
                    log.info(f"broker {where.host}:{where.port}: {error}; trying again")
                complaint = str(error)
                time.sleep(RETRY_S)


def make_broker(address: str, username: str | None, password_file: Path | None, ca: Path | None) -> Broker:
    """Check and read everything that the connection needs.

    Raises:
        UsageError: as `bridge`.
    """
    try:
        parts = urlsplit(f"//{address}")
        host, port = parts.hostname, parts.port or (8883 if ca else 1883)
    except ValueError:
        host = None
    if not host or parts.netloc != address or parts.username:
        raise UsageError("--broker: expected HOST, HOST:PORT or [IPV6]:PORT, and the user by --username")
    password = read_secret("--password-file", password_file) if password_file else os.environ.get(PASSWORD_ENVIRONMENT)
    if password and not username:
        raise UsageError("a password was given, but no --username")
    if password and not ca and not _is_this_machine(host):
        raise UsageError(f"the password would travel openly to {host}: use --ca, or a broker on this machine")
    if ca:
        try:
            ssl.create_default_context(cafile=ca)
        except OSError as error:
            raise UsageError(f"--ca {ca}: {error.strerror or error}") from None
    return Broker(host, port, username, password, ca)


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _connected(broker: Broker, name: str, will: str) -> Iterator[paho.Client]:
    """A connection with nothing left over from an earlier one; however it ends, the broker then publishes the will.

    name: the same for every connection of a run, so that a new one ends the old one, and its will comes first.

    Raises:
        OSError: there is no broker, or it went away. PortError: it refuses us.
    """
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=paho.MQTTv5, reconnect_on_failure=False)
    answers: list[ReasonCode] = []

    def on_connect(client: paho.Client, data: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        answers.append(reason)
        if str(reason) in _REFUSALS:
            raise PortError(f"broker {broker.host}:{broker.port} refuses us: {reason}")

    def on_publish(client: paho.Client, data: Any, mid: int, reason: ReasonCode, properties: Any) -> None:
        if reason.is_failure:
            raise PortError(f"broker {broker.host}:{broker.port} refuses our messages: {reason}")

    client.on_connect, client.on_publish = on_connect, on_publish
    client.connect_timeout = LIMIT_S
    client.username_pw_set(broker.username, broker.password)
    client.will_set(will, "offline", qos=1, retain=True)
    if broker.ca:
        client.tls_set(ca_certs=str(broker.ca))
    client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S)
    try:
        _turn_until(client, lambda: bool(answers))
        yield client
    finally:
        client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))


def _home_assistant(client: paho.Client, prefix: str, root: str, labels: LabelNames) -> HomeAssistant:
    def watch(topics: str) -> None:
        client.subscribe(topics, qos=1)

    def on_message(client: paho.Client, data: Any, message: paho.MQTTMessage) -> None:
        if message.retain and message.payload:
            with suppress(UnicodeDecodeError):  # what is no text is none of our topics
                home.kept(message.topic)

    home = HomeAssistant(prefix, root, labels, partial(_deliver, client, retain=True), watch)
    client.on_message = on_message
    return home


def _forward(stream: Subscriber, client: paho.Client, prefix: str, home: HomeAssistant | None) -> NoReturn:
    _deliver(client, f"{prefix}/bridge", "online", retain=True)
    while True:
        message = stream.recv(timeout_s=1.0)
        if message is not None and message.kind != "pose" and not nothing_heard(message):
            camera = _topic_part(message.topic.split("/")[1])
            _pass_on(client, f"{prefix}/{camera}", message)
            if home is not None:
                try:
                    home.take(message, camera)
                except (LookupError, TypeError, AttributeError) as error:
                    log.warning(f"left out a message of {message.topic}: {error!r}")
        if home is not None:
            home.poll()
        _turn(client, 0)


def _topic_part(camera: str) -> str:
    return "".join(c if c.isprintable() and c not in "%+#" else quote(c, safe="") for c in camera)


def _pass_on(client: paho.Client, base: str, message: Message) -> None:
    data = {**message.data, "local": True} if message.local else message.data
    lasts = data.get("type") == "end" or data.get("state") in SELF_TOLD
    _deliver(
        client, f"{base}/{message.kind}", json.dumps(data, separators=(",", ":")),
        retain=message.kind != "action", expiry_s=None if lasts else LIMIT_S,
    )  # fmt: skip


def _deliver(client: paho.Client, topic: str, payload: str, *, retain: bool, expiry_s: int | None = None) -> None:
    properties = Properties(PacketTypes.PUBLISH)
    if expiry_s is not None:
        properties.MessageExpiryInterval = expiry_s
    sent = client.publish(topic, payload, qos=1, retain=retain, properties=properties)
    if sent.rc != paho.MQTT_ERR_SUCCESS:
        raise ConnectionError(paho.error_string(sent.rc))
    _turn_until(client, sent.is_published)


def _turn_until(client: paho.Client, done: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"no answer within {LIMIT_S} s")
        _turn(client, 0.1)


def _turn(client: paho.Client, wait_s: float) -> None:
    """Read, write and keep alive, here and not in a thread, so that nothing is sent behind our back."""
    code = client.loop(wait_s)
    if code != paho.MQTT_ERR_SUCCESS:
        raise ConnectionError(paho.error_string(code))
