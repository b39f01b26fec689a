"""The stream as ROS 2 topics, written with Cyclone DDS alone: names, types and encoding are those of a ROS 2 node.

`/PREFIX/CAMERA/action` (`edge_app_msgs/msg/Action`): reliable, transient local, keep last 1, so that a node that comes
late is given the action as it stands. `/PREFIX/CAMERA/state` (`edge_app_msgs/msg/State`): SensorDataQoS, that is best
effort, volatile, keep last 5. Their files are in `examples/ros2/edge_app_msgs/msg/`. A late reader is given nothing
older than LIMIT_S (DDS lifespan). Status and poses are not passed on.

header.stamp is the capture on the system clock as it is now: now minus the age, which comes from the monotonic clock;
0 where there was no capture. header.frame_id is the camera's own name. What JSON calls null is NaN, or -1 for a track.

Names in DDS follow "Topic and Service name mapping to DDS", https://design.ros2.org/articles/topic_and_service_names.html
"""

import math
import os
import re
import time
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn

from cyclonedds.core import DDSException, Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import float32, int32, sequence, uint32, uint64
from cyclonedds.pub import DataWriter
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from edge_app.app.bridges import LIMIT_S, nothing_heard, subscribe
from edge_app.app.log import log
from edge_app.client import Message
from edge_app.errors import PortError, UsageError

_THIS_MACHINE = (
    "<CycloneDDS><Domain><General><Interfaces><NetworkInterface address='127.0.0.1'/></Interfaces>"
    "<AllowMulticast>false</AllowMulticast></General><Discovery><ParticipantIndex>auto</ParticipantIndex>"
    "<MaxAutoParticipantIndex>32</MaxAutoParticipantIndex><Peers><Peer address='127.0.0.1'/></Peers></Discovery>"
    "</Domain></CycloneDDS>"
)
_COMMON = (Policy.Lifespan(duration(seconds=LIMIT_S)), Policy.DataRepresentation(use_cdrv0_representation=True))
ACTION_QOS = Qos(
    Policy.Reliability.Reliable(duration(milliseconds=100)), Policy.Durability.TransientLocal,
    Policy.History.KeepLast(1), *_COMMON,
)  # fmt: skip
STATE_QOS = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5), *_COMMON)


@dataclass
@final
class Time(IdlStruct, typename="builtin_interfaces::msg::dds_::Time_"):
    sec: int32
    nanosec: uint32


@dataclass
@final
class Header(IdlStruct, typename="std_msgs::msg::dds_::Header_"):
    stamp: Time
    frame_id: str


@dataclass
@final
class Score(IdlStruct, typename="edge_app_msgs::msg::dds_::Score_"):
    label: str
    score: float32


@dataclass
@final
class OpenAction(IdlStruct, typename="edge_app_msgs::msg::dds_::OpenAction_"):
    event: str
    label: str
    track: int32
    onset: Time


@dataclass
@final
class Action(IdlStruct, typename="edge_app_msgs::msg::dds_::Action_"):
    header: Header
    type: str
    event: str
    track: int32
    label: str
    score: float32
    energy: float32
    margin: float32
    topk: Annotated[list[Score], sequence(Score)]
    onset: Time
    age_ms: float32
    reason: str
    run: str
    seq: uint64
    local: bool


@dataclass
@final
class State(IdlStruct, typename="edge_app_msgs::msg::dds_::State_"):
    header: Header
    state: str
    track: int32
    open: Annotated[list[OpenAction], sequence(OpenAction)]
    topk: Annotated[list[Score], sequence(Score)]
    known: float32
    fps_in: float32
    age_ms: float32
    flags: Annotated[list[str], sequence(str)]
    run: str
    seq: uint64
    local: bool


def bridge(endpoint: str, *, domain: int | None, prefix: str, max_age_ms: float) -> NoReturn:
    """Pass the stream on for ever. `ROS_DOMAIN_ID`, `ROS_LOCALHOST_ONLY` and `CYCLONEDDS_URI` count as for every node.

    Raises:
        UsageError: a malformed endpoint, domain or prefix. PortError: DDS cannot start.
    """
    number = _domain(domain)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*", prefix):
        raise UsageError(f"--prefix {prefix!r}: allowed are letters, digits and single _, a letter first")
    if os.environ.get("ROS_LOCALHOST_ONLY") == "1":
        os.environ["CYCLONEDDS_URI"] = _THIS_MACHINE
    with subscribe(endpoint, max_age_ms) as stream:
        try:
            participant = DomainParticipant(number)
        except DDSException as error:
            raise PortError(f"DDS domain {number} cannot be joined: {error}") from None
        log.info(f"passing {endpoint} on to ROS 2, domain {number}")
        writers: dict[str, DataWriter[Any]] = {}
        while True:
            message = stream.recv()
            if message is None or message.kind not in ("action", "state") or nothing_heard(message):
                continue
            name = f"rt/{prefix}/{ros_name(message.topic.split('/')[1])}/{message.kind}"
            if name not in writers:
                writers[name] = _writer(participant, name, message.kind)
            try:
                writers[name].write(as_action(message) if message.kind == "action" else as_state(message))
            except Exception as error:  # the binding raises nothing narrower for what does not fit a type
                log.info(f"left out a message of {message.topic}: {error!r}")


def ros_name(camera: str) -> str:
    """The camera as one token of a ROS 2 name: letters, digits and single underscores, not a digit first.

    Cameras that differ only in other characters share a topic; header.frame_id tells them apart.
    """
    token = re.sub(r"[^A-Za-z0-9]+", "_", camera).strip("_")
    return token if token[:1].isalpha() else f"camera_{token}".rstrip("_")


def as_action(message: Message) -> Action:
    data, header, capture_ns = message.data, *_header(message)
    return Action(
        header, data["type"], data["event"], data["track"], data["label"], data["score"], _number(data["energy"]),
        _number(data["margin"]), _topk(data), _onset(data, data["onset_mono_ns"], capture_ns),
        _number(message.age_ms), data.get("reason", ""), data["run"], data["seq"], message.local,
    )  # fmt: skip


def as_state(message: Message) -> State:
    data, header, capture_ns = message.data, *_header(message)
    opened = [
        OpenAction(each["event"], each["label"], each["track"], _onset(data, each["onset_mono_ns"], capture_ns))
        for each in data["open"]
    ]
    track = -1 if data["track"] is None else data["track"]
    return State(
        header, data["state"], track, opened, _topk(data), _number(data["known"]), data["fps_in"],
        _number(message.age_ms), data["flags"], data["run"], data["seq"], message.local,
    )  # fmt: skip


def _header(message: Message) -> tuple[Header, int | None]:
    """The header, and the capture in nanoseconds of the system clock, None where its age is not known."""
    capture_ns = None if message.age_ms is None else time.time_ns() - int(message.age_ms * 1e6)
    return Header(_time(capture_ns or 0), message.data["camera"]), capture_ns


def _onset(data: dict[str, Any], onset_ns: int, capture_ns: int | None) -> Time:
    return _time(0 if capture_ns is None else capture_ns - data["t_capture_mono_ns"] + onset_ns)


def _time(ns: int) -> Time:
    return Time(*divmod(ns, 1_000_000_000))


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _topk(data: dict[str, Any]) -> list[Score]:
    return [Score(label, score) for label, score in data["topk"]]


def _writer(participant: DomainParticipant, name: str, kind: str) -> DataWriter[Any]:
    kind_of, qos = (Action, ACTION_QOS) if kind == "action" else (State, STATE_QOS)
    return DataWriter(participant, Topic(participant, name, kind_of, qos=qos), qos=qos)


def _domain(given: int | None) -> int:
    text = os.environ.get("ROS_DOMAIN_ID", "0") if given is None else str(given)
    if not text.isascii() or not text.isdigit() or int(text) > 232:
        raise UsageError(f"DDS domain {text!r}: allowed are 0 to 232")
    return int(text)
