"""The ROS 2 bridge, a process of its own, read by a DDS participant of this process; no ROS is involved."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import pytest

pytest.importorskip("cyclonedds", reason="cyclonedds is not installed (pip install 'edge-app[ros2]')")

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import Domain, DomainParticipant
from cyclonedds.idl.types import sequence
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

from edge_app.app.bridges import ros2
from edge_app.app.cli import main

WAIT_S = 30.0
DOMAIN = 100 + os.getpid() % 100
MSG = Path(__file__).parents[3] / "examples/ros2/edge_app_msgs/msg"
ACTION = Qos(
    Policy.Reliability.Reliable(duration(seconds=1)), Policy.Durability.TransientLocal, Policy.History.KeepLast(10)
)
STATE = Qos(Policy.Reliability.BestEffort, Policy.Durability.Volatile, Policy.History.KeepLast(5))


@pytest.fixture(scope="module")
def participant() -> Iterator[DomainParticipant]:
    domain = Domain(DOMAIN, ros2._THIS_MACHINE)
    yield DomainParticipant(DOMAIN)
    del domain


@pytest.fixture
def bridge(bridging) -> Iterator[None]:
    with bridging("ros2", env={**os.environ, "ROS_LOCALHOST_ONLY": "1", "ROS_DOMAIN_ID": str(DOMAIN)}) as process:
        assert "passing" in process.stderr.readline()
        yield


def reader(participant: DomainParticipant, name: str, kind: type, qos: Qos) -> DataReader:
    return DataReader(participant, Topic(participant, f"rt/edge_app/{name}", kind, qos=qos), qos=qos)


def until(reader: DataReader, wanted: Callable, meanwhile: Callable[[], None] = lambda: None):
    """The first sample that is wanted; `meanwhile` is done once a tenth of a second."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        meanwhile()
        for sample in reader.take_iter(timeout=duration(milliseconds=100)):
            if wanted(sample):
                return sample
    pytest.fail(f"nothing of the kind in {WAIT_S} s")


def test_states_have_the_capture_as_their_stamp(stream, bridge, participant):
    states = reader(participant, "front/state", ros2.State, STATE)
    sample = until(states, lambda s: s.state == "running", lambda: stream.state(open_n=(4,)))
    stamp = sample.header.stamp.sec + sample.header.stamp.nanosec / 1e9
    assert abs(time.time() - stamp) < WAIT_S and sample.header.frame_id == "front" and not sample.local
    assert (sample.topk[0].label, sample.topk[0].score, sample.known) == ("wave", 0.625, 0.75)
    assert [each.event for each in sample.open] == ["front-3-4"]
    idle = until(states, lambda s: s.state == "idle", lambda: stream.state("idle"))
    assert idle.track == -1 and math.isnan(idle.known) and idle.topk == []


def test_a_late_reader_is_given_the_current_action_and_then_its_end(stream, bridge, participant):
    early = reader(participant, "front/action", ros2.Action, ACTION)
    start = until(early, lambda s: s.type == "start", lambda: stream.action("start"))
    onset_s = start.onset.sec - start.header.stamp.sec + (start.onset.nanosec - start.header.stamp.nanosec) / 1e9
    assert (start.label, start.energy, start.margin, round(onset_s, 3)) == ("wave", 0.25, 0.125, -0.9)
    late = reader(participant, "front/action", ros2.Action, ACTION)
    assert until(late, lambda s: True).event == start.event
    stream.action("end")
    assert until(late, lambda s: s.type == "end").reason == "over"


def test_the_readers_own_end_and_stale_are_passed_on(stream, bridge, participant):
    actions = reader(participant, "front/action", ros2.Action, ACTION)
    states = reader(participant, "front/state", ros2.State, STATE)
    until(states, lambda s: s.state == "running", stream.state)
    until(actions, lambda s: s.type == "start", lambda: stream.action("start"))
    stream.stop()
    assert until(states, lambda s: s.state == "stale").local
    end = until(actions, lambda s: s.type == "end")
    assert end.local and end.reason == "liveness"


def test_a_message_that_is_not_as_its_schema_says_is_left_out(stream, bridge, participant):
    actions = reader(participant, "front/action", ros2.Action, ACTION)
    until(actions, lambda s: s.event == "front-3-1", lambda: stream.action("start", 1))
    for changed in ({"score": "x"}, {"track": 2**40}, {"topk": [1]}, {"seq": -1}, {"reason": "\ud800"}):
        stream.action("start", 2, **changed)
    seen = []
    until(actions, lambda s: seen.append(s.event) or s.event == "front-3-3", lambda: stream.action("start", 3))
    assert "front-3-2" not in seen


def test_names_types_and_qos_are_those_of_a_ros_node(stream, bridge, participant):
    found = {}
    publications = BuiltinDataReader(participant, BuiltinTopicDcpsPublication)
    states = reader(participant, "camera_2_T_r/state", ros2.State, STATE)
    until(states, lambda s: s.header.frame_id == "2 Tür", lambda: stream.state(camera="2 Tür"))
    actions = reader(participant, "camera_2_T_r/action", ros2.Action, ACTION)
    until(actions, lambda s: True, lambda: stream.action("start", camera="2 Tür"))
    for sample in publications.take(N=100):
        found[sample.topic_name] = (sample.type_name, sample.qos)
    kind, qos = found["rt/edge_app/camera_2_T_r/action"]
    assert kind == "edge_app_msgs::msg::dds_::Action_"
    assert Policy.Durability.TransientLocal in qos and isinstance(qos[Policy.Reliability], Policy.Reliability.Reliable)
    kind, qos = found["rt/edge_app/camera_2_T_r/state"]
    assert kind == "edge_app_msgs::msg::dds_::State_"
    assert Policy.Durability.Volatile in qos and qos[Policy.Reliability] == Policy.Reliability.BestEffort


def msg_fields(name: str) -> list[tuple[str, str]]:
    lines = [line.partition("#")[0].split() for line in (MSG / f"{name}.msg").read_text().splitlines()]
    return [(field, kind) for kind, field in filter(None, lines)]


@pytest.mark.parametrize("kind", [ros2.Action, ros2.State, ros2.OpenAction, ros2.Score])
def test_the_message_files_say_what_is_written(kind):
    """Field by field and in order, since that is the encoding."""
    names = {
        str: "string", bool: "bool", ros2.int32: "int32", ros2.uint64: "uint64", ros2.float32: "float32",
        ros2.Header: "std_msgs/Header", ros2.Time: "builtin_interfaces/Time",
        Annotated[list[str], sequence(str)]: "string[]",
        Annotated[list[ros2.Score], sequence(ros2.Score)]: "Score[]",
        Annotated[list[ros2.OpenAction], sequence(ros2.OpenAction)]: "OpenAction[]",
    }  # fmt: skip
    assert msg_fields(kind.__name__) == [(field.name, names[field.type]) for field in dataclasses.fields(kind)]


def test_names_of_cameras():
    names = {"front": "front", "Tür +2": "T_r_2", "0": "camera_0", "__a__b__": "a_b", "日本": "camera", "a-b": "a_b"}
    assert {camera: ros2.ros_name(camera) for camera in names} == names


@pytest.mark.parametrize(
    ("options", "environment", "word"),
    [
        (["--domain", "233"], "0", "233"),
        ([], "seven", "seven"),
        (["--prefix", "a b"], "0", "a b"),
        (["--prefix", "a__b"], "0", "a__b"),
        (["nonsense"], "0", "nonsense"),
    ],
)
def test_bad_options_are_named(capfd, monkeypatch, options, environment, word):
    monkeypatch.setenv("ROS_DOMAIN_ID", environment)
    assert main(["bridge", "ros2", *options]) == 2
    assert word in capfd.readouterr().err
