"""Poses on the stream: only where asked for, never old, and not more often than a page can use."""

import time
from collections.abc import Callable

import numpy as np
import pytest
import zmq

from edge_app.app.processes.recognizer import RecognizerProcess, RecognizerTask
from edge_app.app.settings import Settings
from edge_app.bundles.bundle import load_bundle
from edge_app.client import Subscriber
from edge_app.stream.publisher import PublishConfig
from edge_app.types import CameraReport, Pose, Track
from tests.light import light_bundle

MS = 1_000_000


def report(t_ns: int, people: int = 1, state: str = "running") -> CameraReport:
    points = np.zeros((33, 6), np.float32)
    pose = Pose(t_ns, points[:, :2], points[:, 2:5], points[:, 5], (640, 480))
    tracks = tuple(Track(i + 1, pose) for i in range(people))
    return CameraReport("cam", state, 1, t_ns, 30.0, 1, 0, (), people=tracks)  # type: ignore[arg-type]


@pytest.fixture
def take(tmp_path):
    """take(reports_at, pose=…): the poses that a subscriber reads of the reports made for the present moment, in ns."""

    def run(reports_at: Callable[[int], list[CameraReport]], pose: bool) -> list[dict]:
        endpoint = f"ipc://{tmp_path}/s"
        labels = load_bundle(light_bundle()).default_labels[:2]
        settings = Settings(publish=PublishConfig(pose=pose))
        task = RecognizerTask(light_bundle(), labels, "scale", "auto", endpoint, (("cam", ""),), settings)
        topics = ("v1/cam/pose", "v1/cam/status")
        with zmq.Context() as context, Subscriber(endpoint, topics=topics, newest=False) as stream:
            recognizer = RecognizerProcess(task, context)
            until = time.monotonic() + 10
            while stream.recv(0.05) is None and time.monotonic() < until:
                recognizer.tick()  # a status, once the subscription has come
            for each in reports_at(time.monotonic_ns()):
                recognizer.take(each)
            recognizer.close()
            heard = []
            while (message := stream.recv(0.5)) is not None:
                heard.append(message)
        return [message.data for message in heard if message.kind == "pose"]

    return run


def test_poses_are_off_unless_asked_for(take):
    assert take(lambda now: [report(now)], pose=False) == []


def test_thirty_a_second_become_fifteen_and_an_empty_view_is_told_too(take):
    sent = take(lambda now: [report(now + (3 * i - 40) * 11 * MS, people=i % 4) for i in range(13)], pose=True)
    assert [len(message["people"]) for message in sent] == [0, 2] * 3 + [0]


def test_an_old_pose_or_one_of_a_lost_camera_is_not_sent(take):
    assert take(lambda now: [report(now - 3000 * MS), report(now, state="camera_lost")], pose=True) == []


@pytest.mark.parametrize("heard", [True, False])
def test_F3_a_camera_that_has_finished_ends_though_its_last_report_was_lost(tmp_path, heard):
    """The supervisor's knowledge decides: the last message of a process that closes may be lost."""
    lifecycles = {"camera-cam": {"state": "running", "progress": 1, "restarts": 0}}
    task = RecognizerTask(
        light_bundle(), load_bundle(light_bundle()).default_labels[:2], "scale", "onnxruntime", f"ipc://{tmp_path}/s",
        (("cam", ""),), Settings(),
    )  # fmt: skip
    with zmq.Context() as context, Subscriber(f"ipc://{tmp_path}/s", newest=False) as stream:
        recognizer = RecognizerProcess(task, context, lifecycles=lambda: lifecycles)
        if heard:
            recognizer.take(report(time.monotonic_ns()))
        recognizer.tick()
        assert not recognizer.ended()
        lifecycles["camera-cam"] = {"state": "stopped", "progress": 1, "restarts": 0}
        until = time.monotonic() + 20
        while not recognizer.ended() and time.monotonic() < until:
            recognizer.tick()
            stream.recv(0.02)
        assert recognizer.ended()
        recognizer.close()
