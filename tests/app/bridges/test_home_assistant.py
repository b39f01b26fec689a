"""What Home Assistant finds in a real Mosquitto, and how it stands there."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest
import yaml

pytest.importorskip("paho.mqtt", reason="paho-mqtt is not installed (pip install 'edge-app[mqtt]')")

from edge_app.app.bridges.home_assistant import STATES, discovery, entity_id, node_id
from edge_app.app.cli import main
from tests.app.bridges.conftest import SCHEMAS
from tests.app.bridges.test_mqtt import BRIDGE, Reader, broker, is_state, needs_mosquitto  # noqa: F401

NODE, LIVE, NOW = node_id("edge-app", "front"), "edge-app/front/live", "edge-app/front/now"
TEXT, TOPIC = {"type": "string", "minLength": 1, "maxLength": 255}, {"type": "string", "pattern": "^[^+#]+$"}
COMMON = {
    "name": TEXT, "unique_id": TEXT, "state_topic": TOPIC, "json_attributes_topic": TOPIC, "icon": {"pattern": "^mdi:"},
    "value_template": {"type": "string", "pattern": r"^\{\{ value_json\.\w+ \}\}$"},
    "entity_category": {"const": "diagnostic"}, "expire_after": {"type": "integer", "minimum": 1},
    "availability_mode": {"enum": ["all", "any", "latest"]},
    "availability": {"type": "array", "minItems": 1, "items": {
        "type": "object", "required": ["topic"], "additionalProperties": False, "properties": {"topic": TOPIC},
    }},
    "device": {"type": "object", "required": ["identifiers"], "additionalProperties": False, "properties": {
        "identifiers": {"type": "array", "items": TEXT, "minItems": 1}, "name": TEXT,
        "manufacturer": TEXT, "model": TEXT,
        "sw_version": TEXT,
    }},
    "origin": {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {
        "name": TEXT, "sw_version": TEXT,
    }},
}  # fmt: skip
OWN = {
    "binary_sensor": {"payload_on": TEXT, "payload_off": TEXT},
    "sensor": {
        "device_class": {"enum": ["enum", "duration"]}, "options": {"type": "array", "items": TEXT, "minItems": 1},
        "unit_of_measurement": {"const": "ms"}, "state_class": {"const": "measurement"},
    },
}  # fmt: skip
"""The options of Home Assistant's MQTT integration that are used, as its pages of these two components list them."""


def check(topic: str, payload: str) -> dict:
    """A discovery message, checked against its schema."""
    root, component, node, entity, config = topic.split("/")
    assert (root, node, config) == ("homeassistant", NODE, "config") and entity.replace("_", "").isalnum()
    schema = {"type": "object", "additionalProperties": False, "properties": {**COMMON, **OWN[component]},
              "required": ["name", "unique_id", "state_topic", "availability", "device"]}  # fmt: skip
    found = json.loads(payload)
    jsonschema.validate(found, schema, cls=jsonschema.Draft202012Validator)
    return found


def config(label: str) -> str:
    return f"homeassistant/binary_sensor/{NODE}/{entity_id(label)}/config"


def stands(label: str, state: str) -> Callable[[str, str, bool], bool]:
    topic = f"edge-app/front/label/{entity_id(label)}"
    return lambda found, payload, retained: found == topic and payload != "" and json.loads(payload)["state"] == state


def is_(topic: str, payload: str) -> Callable[[str, str, bool], bool]:
    return lambda found, text, retained: (found, text) == (topic, payload)


def now(**wanted: object) -> Callable[[str, str, bool], bool]:
    return lambda topic, text, retained: topic == NOW and wanted.items() <= json.loads(text).items()


@pytest.fixture
def home(broker, stream, bridging):  # noqa: F811
    """The bridge of an app with two labels, and somebody who reads all that it says; nothing was seen so far."""
    stream.serve_labels("wave", "鼓掌 / fall")
    options = ("--broker", broker.address, "--home-assistant")
    with Reader(broker.port) as reader, bridging("mqtt", *options) as bridge:
        reader.until(is_(BRIDGE, "online"))
        stream.state("idle", version=1)
        reader.until(lambda topic, payload, retained: topic == LIVE)
        until_announced(reader, stream, "wave", 1)
        yield reader, bridge


def until_announced(reader, stream, label: str, version: int) -> None:
    """The labels come in a moment: in ten seconds where the app was too busy to answer at once."""
    last = time.monotonic() + 60
    while time.monotonic() < last:
        stream.state("idle", version=version)
        if any(topic == config(label) for topic, _, _ in reader.until(is_state("idle"))):
            break
    stream.state("idle", version=version)
    reader.until(is_state("idle"))


@needs_mosquitto
def test_a_late_home_assistant_finds_every_entity_with_its_state(broker, stream, home):  # noqa: F811
    with Reader(broker.port) as late:
        kept = late.retained()
    found = {topic: check(topic, text) for topic, text in kept.items() if topic.endswith("/config")}
    names = {each["name"] for each in found.values()}
    assert names == {"Action", "State", "Age", "Person 1", "wave", "鼓掌 / fall"}
    assert len({each["unique_id"] for each in found.values()}) == len(found)
    assert {each["device"]["identifiers"][0] for each in found.values()} == {NODE}
    for each in found.values():
        state = json.loads(kept[each["state_topic"]])
        key = each["value_template"].removeprefix("{{ value_json.").removesuffix(" }}")
        assert state[key] in (each.get("options") or [each.get("payload_off", state[key])])
        assert all(kept[place["topic"]] == "online" for place in each["availability"])
    assert json.loads(kept[NOW]) | {"age_ms": 0} == {"action": "none", "state": "idle", "people": [], "age_ms": 0}


@needs_mosquitto
def test_a_label_is_on_while_an_event_of_it_is_open(stream, home):
    reader, _ = home
    stream.action("start", 1)
    reader.until(stands("wave", "ON"))
    reader.until(now(action="wave"))
    stream.action("start", 2, track=4)
    two = reader.until(lambda topic, text, retained: topic == "edge-app/front/person/2" and "wave" in text)
    assert any(check(topic, text)["name"] == "Person 2" for topic, text, _ in two if topic.endswith("person_2/config"))
    stream.action("end", 1)
    reader.until(lambda topic, text, retained: topic == "edge-app/front/person/1" and "none" in text)
    stream.action("end", 2, track=4)
    reader.until(stands("wave", "OFF"))
    reader.until(now(action="none", people=[]))


@needs_mosquitto
def test_an_event_that_began_before_the_bridge_is_on_too(stream, home):
    reader, _ = home
    stream.state("running", open_n=(1,), version=1)
    reader.until(stands("wave", "ON"))


@needs_mosquitto
def test_new_labels_are_announced_and_old_ones_taken_away(broker, stream, home):  # noqa: F811
    reader, _ = home
    stream.set_labels("bow", "wave")
    until_announced(reader, stream, "bow", 2)
    stream.state("running", version=2)
    reader.until(is_state("running"))
    with Reader(broker.port) as late:
        kept = late.retained()
    assert {config("bow"), config("wave")} <= set(kept) and config("鼓掌 / fall") not in kept


@needs_mosquitto
def test_what_an_earlier_run_left_is_taken_away(broker, stream, bridging):  # noqa: F811
    stream.serve_labels("wave")
    with Reader(broker.port) as reader:
        for topic, payload in (
            (config("sit"), "{}"),
            (config("wave"), "{}"),
            ("edge-app/old/live", "online"),
            ("homeassistant/x/y/z/config", "{}"),
        ):
            reader._client.publish(topic, payload, qos=1, retain=True)
            reader.until(is_(topic, payload))
        with bridging("mqtt", "--broker", broker.address, "--home-assistant"):
            reader.until(is_("edge-app/old/live", "offline"))
            seen: set[str] = set()
            while config("sit") not in seen:
                stream.state("idle", version=1)
                seen |= {topic for topic, payload, _ in reader.until(is_state("idle")) if payload == ""}
            assert config("wave") not in seen, "it was there before, and stays"
    with Reader(broker.port) as late:
        kept = late.retained()
    assert config("wave") in kept and config("sit") not in kept and "homeassistant/x/y/z/config" in kept


@needs_mosquitto
def test_without_a_fresh_view_it_is_unavailable_and_not_off(stream, home):
    reader, bridge = home
    stream.action("start", 1)
    reader.until(stands("wave", "ON"))
    stream.state("camera_lost", open_n=(1,), version=1)
    seen = reader.until(is_(LIVE, "offline"))
    assert any(now(state="camera_lost", action="wave")(*each) for each in seen)
    assert not any(stands("wave", "OFF")(*each) for each in seen)
    stream.state("running", open_n=(1,), version=1)
    reader.until(is_(LIVE, "online"))
    bridge.send_signal(signal.SIGKILL)
    reader.until(is_(BRIDGE, "offline"))


@needs_mosquitto
def test_a_stream_that_is_silent_ends_what_is_open(stream, home):
    reader, _ = home
    stream.action("start", 1)
    reader.until(stands("wave", "ON"))
    stream.stop()
    seen = reader.until(is_(LIVE, "offline"))
    assert any(stands("wave", "OFF")(*each) for each in seen) and any(now(state="stale")(*each) for each in seen)


@needs_mosquitto
def test_without_a_control_socket_an_entity_comes_with_its_first_event(broker, stream, bridging):  # noqa: F811
    options = ("--broker", broker.address, "--home-assistant", "ha")
    with bridging("mqtt", *options) as bridge, Reader(broker.port) as reader:
        stream.state("idle")
        assert any("the labels are not known" in line for line in bridge.stderr)
        stream.action("start", score="no number")
        stream.action("start", 2, label="bow", topk=[])
        seen = reader.until(stands("bow", "ON"))
        assert any(topic == f"ha/binary_sensor/{NODE}/{entity_id('bow')}/config" for topic, _, _ in seen)


def test_ids_are_plain_and_differ() -> None:
    texts = ["fall down", "Fall Down!", "fall_down", "鼓掌", "跳舞", "x" * 80, "", "\ud800"]
    found = [entity_id(text) for text in texts]
    assert len(set(found)) == len(texts) and all(len(each) <= 50 and each.replace("_", "").isalnum() for each in found)
    one, other = (set(discovery("p", camera, camera, ["wave"], 1)) for camera in ("a b", "a_b"))
    assert not one & other


def test_the_states_are_those_of_the_stream() -> None:
    schema = json.loads((SCHEMAS / "state-1.0.json").read_text())
    assert list(STATES) == schema["properties"]["state"]["enum"]


def test_the_automation_of_the_guide_names_entities_that_are_there() -> None:
    page = (Path(__file__).parents[3] / "docs/home-assistant.md").read_text()
    (rules,) = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, flags=re.S))
    found = {
        f"{topic.partition('/')[0]}.{re.sub('[^a-z0-9]+', '_', (each['device']['name'] + ' ' + each['name']).lower())}"
        for topic, each in discovery("edge-app", "cam", "cam", ["fall down", "hinfallen"], 2).items()
    }  # as Home Assistant makes them of the device's name and the entity's
    assert {trigger["entity_id"] for rule in rules["automation"] for trigger in rule["triggers"]} <= found
    assert set(re.findall(r"(?:binary_)?sensor\.edge_app_\w+", page)) <= found


def test_a_bad_prefix_is_named(capfd) -> None:
    assert main(["bridge", "mqtt", "--broker", "localhost", "--home-assistant", "a/#"]) == 2
    assert "--home-assistant 'a/#': allowed is text without + and #" in capfd.readouterr().err
