"""Home Assistant's MQTT discovery: each camera is a device with a binary sensor for each label, and other sensors.

`HOMEASSISTANT/COMPONENT/NODE/ENTITY/config`, retained: what there is, as Home Assistant reads it. The entities stand on
topics of their own, all retained: `PREFIX/CAMERA/label/ID` is on while an event of the label is open,
`PREFIX/CAMERA/now` has action, state and age, and `PREFIX/CAMERA/person/N` the action of the Nth person who acts at the
same time. `PREFIX/CAMERA/live` is `offline` where nothing fresh is seen: the entity is then unavailable, and not off.

The stream does not list the labels: they are asked for over the app's control socket whenever their version changes.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from edge_app import __version__
from edge_app.app.log import log
from edge_app.client import SELF_TOLD, Message
from edge_app.errors import AppError
from edge_app.stream.control import ask, control_beside

STATES = (
    "running", "no_person", "idle", "unknown", "stale", "camera_lost", "camera_frozen", "degraded", "failed",
)  # fmt: skip
MAX_ENTITIES = 200
"""Labels of a camera that get a binary sensor; Home Assistant becomes slow with thousands."""
MAX_PEOPLE = 8
EVERY_S = 1.0
NOTHING = "none"

Deliver = Callable[[str, str], None]
"""Topic and payload of a retained message."""


def entity_id(text: str) -> str:
    """Letters, digits and _ alone, different for different texts: "fall down" is fall_down_c1a9…."""
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:40]
    return f"{slug}_{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}".lstrip("_")


def node_id(prefix: str, camera: str) -> str:
    """What the topics of a camera's discovery messages have in common."""
    return f"edge_app_{entity_id(f'{prefix}/{camera}')}"


def discovery(prefix: str, topic: str, camera: str, labels: Iterable[str], people: int) -> dict[str, dict[str, Any]]:
    """The entities of a camera by `COMPONENT/NODE/ENTITY`, as Home Assistant's MQTT integration reads them.

    topic: the camera as it stands in topics. labels: as they are shown. people: how many sensors of persons.
    """
    node, base = node_id(prefix, camera), f"{prefix}/{topic}"
    bridge, live = {"topic": f"{prefix}/bridge"}, {"topic": f"{base}/live"}
    about = {
        "device": {
            "identifiers": [node], "name": f"edge-app {camera}", "manufacturer": "edge-app",
            "model": "zero-shot action recognition", "sw_version": __version__,
        },
        "origin": {"name": "edge-app", "sw_version": __version__},
        "availability_mode": "all",
    }  # fmt: skip

    def entity(
        name: str, ident: str, state: str, key: str, *availability: dict[str, str], **more: Any
    ) -> dict[str, Any]:
        return {
            "name": name, "unique_id": f"{node}_{ident}", "state_topic": f"{base}/{state}",
            "value_template": f"{{{{ value_json.{key} }}}}", "availability": [bridge, *availability], **more, **about,
        }  # fmt: skip

    now = {"json_attributes_topic": f"{base}/now"}
    found = {
        f"sensor/{node}/action": entity("Action", "action", "now", "action", live, icon="mdi:human", **now),
        f"sensor/{node}/state": entity(
            "State", "state", "now", "state", device_class="enum", options=list(STATES), entity_category="diagnostic"
        ),
        f"sensor/{node}/age": entity(
            "Age", "age", "now", "age_ms", live, unit_of_measurement="ms", device_class="duration",
            state_class="measurement", entity_category="diagnostic", expire_after=5,
        ),
    }  # fmt: skip
    for number in range(1, people + 1):
        state = f"person/{number}"
        found[f"sensor/{node}/person_{number}"] = entity(
            f"Person {number}", f"person_{number}", state, "action", live, icon="mdi:human",
            json_attributes_topic=f"{base}/{state}",
        )  # fmt: skip
    for label in labels:
        ident = entity_id(label)
        found[f"binary_sensor/{node}/{ident}"] = entity(
            label, f"label_{ident}", f"label/{ident}", "state", live, payload_on="ON", payload_off="OFF",
            icon="mdi:human-greeting", json_attributes_topic=f"{base}/label/{ident}",
        )  # fmt: skip
    return found


class LabelNames:
    """The labels of the app, asked for in a thread, so that nothing waits for its answer."""

    def __init__(self, endpoint: str, control: str | None) -> None:
        self.names: tuple[str, ...] | None = None
        """None while they are not known: then only labels that were seen have an entity."""
        self._where = control or control_beside(endpoint)
        self._version: object = None
        self._busy, self._again_s = threading.Lock(), 0.0

    def want(self, version: object) -> None:
        """Ask, if the version is another than that of the labels that are known."""
        if version != self._version and time.monotonic() >= self._again_s and self._busy.acquire(blocking=False):
            threading.Thread(target=self._ask, args=(version,), daemon=True).start()

    def _ask(self, version: object) -> None:
        try:
            names = ask(self._where, "labels.list", timeout_s=5.0)["names"]
            self.names, self._version = tuple(map(str, names[:MAX_ENTITIES])), version
            if len(names) > MAX_ENTITIES:
                log.warning("%d labels found, the first %d get a binary sensor", len(names), MAX_ENTITIES)
        except (AppError, ValueError, TypeError, KeyError) as error:
            self._again_s = time.monotonic() + 10.0
            log.warning("the labels are not known, an entity comes with the first event of each: %s", error)
        finally:
            self._busy.release()


def _opened(one: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Event, and what is kept of it: label, track and score.

    Raises:
        KeyError, TypeError: it is not as its schema says.
    """
    event, label, track = one["event"], one["label"], one["track"]
    if not isinstance(event, str) or not isinstance(label, str) or not isinstance(track, int):
        raise TypeError("event, label or track of another type")
    return event, {"label": label, "track": track, "score": one.get("score")}


@dataclass(slots=True)
class _Camera:
    name: str
    topic: str
    state: str = "stale"
    age_ms: float | None = None
    open: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By event: label, track and score, the oldest first."""
    seen: dict[str, None] = field(default_factory=dict)
    """Labels, as an ordered set."""
    slots: dict[int, int] = field(default_factory=dict)
    people: int = 1
    due_s: float = 0.0
    announced: tuple[object, ...] = ()
    entities: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What is announced: configurations by topic."""


class HomeAssistant:
    """Follows a stream for Home Assistant, over one connection to a broker.

    Args:
        prefix: of the stream's topics. root: of the discovery topics. labels: whom to ask for the labels.
        deliver: sends a retained message. watch: subscribes to a filter; what the broker has kept goes to `kept`.
    """

    def __init__(
        self, prefix: str, root: str, labels: LabelNames, deliver: Deliver, watch: Callable[[str], None]
    ) -> None:
        self._prefix, self._root, self._labels, self._deliver, self._watch = prefix, root, labels, deliver, watch
        self._cameras: dict[str, _Camera] = {}
        self._said: dict[str, str] = {}
        self._kept: list[str] = []
        watch(f"{prefix}/+/live")

    def kept(self, topic: str) -> None:
        """A topic of ours that the broker has a message for, maybe of an earlier run."""
        self._kept.append(topic)

    def take(self, message: Message, topic: str) -> None:
        """A message of a camera, which stands as `topic` in topics.

        Raises:
            LookupError, TypeError, AttributeError: it is not as its schema says; it then changes nothing.
        """
        data = message.data
        if message.kind not in ("action", "state"):
            return
        if topic not in self._cameras:
            self._cameras[topic] = _Camera(str(data.get("camera")), topic)
            self._watch(f"{self._root}/+/{node_id(self._prefix, self._cameras[topic].name)}/+/config")
        camera = self._cameras[topic]
        camera.age_ms = message.age_ms
        if message.kind == "action":
            if data["type"] == "end":
                camera.open.pop(data["event"], None)
            else:
                camera.open.update([_opened(data)])
        elif data["state"] in STATES:
            listed = dict(map(_opened, [] if message.local else data["open"]))
            camera.open = {event: camera.open.get(event, listed[event]) for event in listed}
            camera.state = data["state"]
            self._labels.want((data.get("run"), data.get("labels_version")))
        self._announce(camera)
        self._tell(camera)

    def poll(self) -> None:
        """What comes without a message: labels that have become known, what is left of an earlier run."""
        for camera in self._cameras.values():
            self._announce(camera)
        for topic in [topic for topic in self._kept if topic.endswith("/live")]:
            self._kept.remove(topic)
            if topic.removeprefix(f"{self._prefix}/").removesuffix("/live") not in self._cameras:
                self._deliver(topic, "offline")
        if self._kept and self._labels.names is not None:
            announced = {topic for camera in self._cameras.values() for topic in camera.entities}
            for topic in set(self._kept) - announced:
                self._deliver(topic, "")
            self._kept.clear()

    def _announce(self, camera: _Camera) -> None:
        """Say which entities there are, where that has changed."""
        people, names = self._people(camera), self._labels.names
        camera.people = max(camera.people, *people, 1)
        if names is None and len(camera.seen) < MAX_ENTITIES:
            camera.seen.update(dict.fromkeys(one["label"] for one in camera.open.values()))
        labels = tuple(camera.seen) if names is None else names
        if camera.announced == (labels, camera.people):
            return
        camera.announced = (labels, camera.people)
        before = camera.entities
        found = discovery(self._prefix, camera.topic, camera.name, labels, camera.people)
        camera.entities = {f"{self._root}/{entity}/config": config for entity, config in found.items()}
        for topic, config in camera.entities.items():
            self._say(topic, config)
        for topic in before.keys() - camera.entities.keys():
            for gone in (topic, before[topic]["state_topic"]):
                self._said.pop(gone, None)
                self._deliver(gone, "")

    def _tell(self, camera: _Camera) -> None:
        """Say how the entities stand, where that has changed, and every second how old it is."""
        base, people = f"{self._prefix}/{camera.topic}", self._people(camera)
        for config in camera.entities.values():
            if "payload_on" in config:
                tracks = [one["track"] for one in camera.open.values() if one["label"] == config["name"]]
                self._say(config["state_topic"], {"state": "ON" if tracks else "OFF", "tracks": tracks})
        for number in range(1, camera.people + 1):
            self._say(f"{base}/person/{number}", people.get(number, {"action": NOTHING}))
        newest = [one["label"] for one in camera.open.values()][-1:]
        now = {"action": newest[0] if newest else NOTHING, "state": camera.state, "people": list(people.values())}
        if self._said.get(f"{base}/now") != json.dumps(now) or time.monotonic() >= camera.due_s:
            camera.due_s = time.monotonic() + EVERY_S
            self._said[f"{base}/now"] = json.dumps(now)
            age = None if camera.age_ms is None else round(camera.age_ms)
            self._deliver(f"{base}/now", json.dumps({**now, "age_ms": age}))
        self._say(f"{base}/live", "offline" if camera.state in SELF_TOLD else "online")

    def _people(self, camera: _Camera) -> dict[int, dict[str, Any]]:
        """Who acts, by number: each keeps the lowest that was free when the action began."""
        acting = {one["track"]: one for one in camera.open.values()}
        camera.slots = {track: slot for track, slot in camera.slots.items() if track in acting}
        for track in acting:
            free = (slot for slot in range(1, MAX_PEOPLE + 1) if slot not in camera.slots.values())
            if track not in camera.slots and (slot := next(free, 0)):
                camera.slots[track] = slot
        return {
            slot: {"action": acting[track]["label"], "track": track, "score": acting[track]["score"]}
            for track, slot in camera.slots.items()
        }

    def _say(self, topic: str, payload: str | dict[str, Any]) -> None:
        """Send what has changed."""
        text = payload if isinstance(payload, str) else json.dumps(payload)
        if self._said.get(topic) != text:
            self._deliver(topic, text)
            self._said[topic] = text
