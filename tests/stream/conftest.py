"""What the wire's tests share: a clock that is set by hand, fixed inputs for every message, and a waiting publisher."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path

import jsonschema
import numpy as np
import pytest
import zmq

import edge_app
from edge_app.client import Subscriber
from edge_app.stream import messages as schema
from edge_app.stream.clock import Clock, boot_id
from edge_app.stream.publisher import Publisher
from edge_app.types import CameraReport, Decision, Event, Pose, Ranking, Track, Window

MS = 1_000_000
ABOUT = {"fps_in": 28.7, "bundle": "sha256:ab12", "labels_version": 7, "provider": "onnxruntime-cpu"}


SCHEMAS = {
    path.stem: json.loads(path.read_text())
    for path in (Path(edge_app.__file__).parent / "stream/schemas").glob("*.json")
}


@dataclass
class Hands:
    """Stamps that move only when told; starts now, so that real stamps beside it make sense."""

    now: int = field(default_factory=time.monotonic_ns)
    wall: int = 1_767_225_600_000_000_000  # 2026-01-01T00:00:00Z
    boot: str = field(default_factory=boot_id)

    def clock(self) -> Clock:
        return Clock(mono_ns=lambda: self.now, wall_ns=lambda: self.wall, boot=self.boot)

    def pass_ms(self, ms: float) -> int:
        self.now += int(ms * MS)
        self.wall += int(ms * MS)
        return self.now


class Samples:
    """Messages of every kind, made by the real builders from fixed inputs."""

    @staticmethod
    def ranking(t_ns: int) -> Ranking:
        window = Window("front", 3, t_ns, np.zeros((60, 15, 4), np.float32), np.ones(60, bool), 28.7, 0.9, 1.5)
        energies, scores = np.array([0.5, 0.25, 0.375], np.float32), np.array([0.125, 0.625, 0.25], np.float32)
        return Ranking(window, ("point", "wave", "bow"), 7, energies, scores, 0.75)

    @classmethod
    def event(cls, kind: str, t_ns: int, n: int = 17, reason: str | None = None, ranked: bool = True) -> Event:
        ranking = cls.ranking(t_ns) if ranked else None
        name = f"front-3-{n}"
        reps, cadence_hz = {"start": (0, None), "update": (4, 0.5), "end": (7, 0.5)}[kind]
        return Event(kind, name, "front", 3, "wave", 0.625, t_ns, t_ns - 900 * MS, ranking, reason, reps, cadence_hz)  # type: ignore[arg-type]

    @classmethod
    def action(cls, kind: str, t_ns: int, n: int = 17, reason: str | None = None, ranked: bool = True) -> dict:
        if kind == "end" and reason is None:
            reason = "over"
        return schema.action_message(cls.event(kind, t_ns, n, reason, ranked), window_s=2.0, **ABOUT)

    @classmethod
    def state(cls, t_ns: int, state: str = "running", open_n: tuple[int, ...] = (), camera: str = "front") -> dict:
        ranking = cls.ranking(t_ns) if state == "running" else None
        track = 3 if state == "running" else None
        decision = Decision(camera, track, t_ns, state, (), ranking)  # type: ignore[arg-type]
        events = [cls.event("start", t_ns, n) for n in open_n]
        return schema.state_message(decision, since_ns=t_ns - 500 * MS, open_events=events, **ABOUT)

    @staticmethod
    def status(t_ns: int) -> dict:
        report = CameraReport("front", "running", 1, t_ns, 28.7, 1200, 4, (), ("dark",), pose="onnxruntime-cpu")
        return schema.status_message(
            camera="front", version="0.1.0", cameras=[report], counters={"stale_dropped": 2}, provider="onnxruntime",
            stages={"encoder": {"state": "running", "progress": 41, "p50_ms": 6.5},
                    "ranker": {"state": "ready", "progress": 0}},
            bundle="sha256:ab12", labels_version=7, labels_count=3,
            label_age={"front": {"count": 41, "p50_ms": 60.5, "p90_ms": 71.0, "p99_ms": 84.5, "max_ms": 99.0}},
            recorder="recording", unrecorded=0,
        )  # fmt: skip

    @staticmethod
    def pose(t_ns: int) -> dict:
        steps = np.arange(33, dtype=np.float32)[:, None] / 32
        pose = Pose(t_ns, steps * [[640, 480]], steps * [[0.5, -1, 0.25]], steps[:, 0], (640, 480))
        return schema.pose_message("front", [Track(3, pose)], t_ns=t_ns)


@pytest.fixture(scope="session")
def schemas() -> dict[str, dict]:
    """The JSON Schema files by name, such as action-1.0."""
    return SCHEMAS


@pytest.fixture(scope="session")
def check():
    """check(message): raises unless its JSON Schema file allows it."""

    def validate(message: dict) -> None:
        schema_file = SCHEMAS[message["schema"].replace("/", "-")]
        jsonschema.validate(message, schema_file, cls=jsonschema.Draft202012Validator)

    return validate


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def samples() -> type[Samples]:
    return Samples


@pytest.fixture(params=["tcp", "ipc"])
def endpoint(request: pytest.FixtureRequest, tmp_path) -> str:
    return "tcp://127.0.0.1:*" if request.param == "tcp" else f"ipc://{tmp_path}/s"


@pytest.fixture
def join():
    """join(publisher, **options): a Subscriber whose subscription the publisher has seen."""
    made: list[Subscriber] = []

    def connect(publisher: Publisher, **options) -> Subscriber:
        made.append(Subscriber(publisher.endpoint, **options))
        missing = len(options.get("topics", ("v1/",)))
        for _ in range(100):
            missing -= publisher.poll(0.1)
            if missing <= 0:
                return made[-1]
        raise AssertionError("no subscription came")

    yield connect
    for subscriber in made:
        subscriber.close()


@pytest.fixture
def raw():
    """raw(publisher, prefix, conflate, hwm): a plain SUB socket, as any other program would have."""
    context = zmq.Context()

    def connect(publisher: Publisher, prefix: str = "v1/", conflate: bool = False, hwm: int = 1000) -> zmq.Socket:
        sub = context.socket(zmq.SUB)
        sub.rcvhwm, sub.sndhwm = hwm, 0  # at its own mark a SUB socket drops subscriptions
        sub.setsockopt(zmq.CONFLATE, int(conflate))
        sub.subscribe(prefix)
        sub.rcvtimeo = 5000
        sub.connect(publisher.endpoint)
        return sub

    yield connect
    context.destroy(linger=0)
