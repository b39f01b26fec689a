"""The process that turns windows of all cameras into published labels: encoder, ranker, events, publisher."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from edge_app import __version__
from edge_app.bundle import load_bundle, self_test
from edge_app.config import Settings
from edge_app.events import EventDetector
from edge_app.labels import Label, build_table
from edge_app.link import report_receiver, unpack
from edge_app.metrics import StageTimes
from edge_app.process import Child
from edge_app.publisher import Publisher
from edge_app.schema import action_message, state_message, status_message, topic
from edge_app.types import CameraReport, Decision, Event, Ranking

POLL_MS = 50
STATUS_S = 1.0


@dataclass(frozen=True, slots=True)
class RecogniserTask:
    """What the recogniser is told. `cameras`: name -> endpoint of its reports."""

    bundle: Path
    labels: tuple[Label, ...]
    ranker: str
    runtime: str
    publish: str
    cameras: tuple[tuple[str, str], ...]
    settings: Settings


@dataclass(slots=True)
class _Camera:
    """What is remembered of one camera between reports."""

    detector: EventDetector
    report: CameraReport | None = None
    heard_ns: int = 0
    state: str = ""
    since_ns: int = 0
    open: dict[str, Event] | None = None


class Recogniser:
    """The stages after the window, without the process around them.

    Raises:
        UsageError: the bundle or the labels are refused. PortError: the endpoint cannot be bound.
    """

    def __init__(
        self, task: RecogniserTask, lifecycles: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    ) -> None:  # fmt: skip
        self._settings, self._lifecycles = task.settings, lifecycles
        bundle = load_bundle(task.bundle)
        self._encoder = bundle.encoder(task.runtime)
        self_test(bundle, self._encoder, task.ranker)
        self._table = build_table(task.labels, bundle.text_encoder(), 1)
        self._ranker = bundle.ranker(task.ranker)
        self._ranker.set_labels(self._table)
        self._window_s = bundle.spec.seconds
        self._bundle_id = bundle.id
        self.times = StageTimes()
        self._counters = {"decisions": 0, "late_reports": 0, "bad_reports": 0}
        self._cameras = {
            name: _Camera(EventDetector(name, bundle.spec, task.settings.events), open={}) for name, _ in task.cameras
        }
        self._publisher = Publisher(
            task.publish, max_age_ms=task.settings.publish.max_age_ms, heartbeat_s=task.settings.publish.heartbeat_s
        )
        self._status_due_ns = 0

    def take(self, report: CameraReport) -> None:
        """One report through encoder, ranker, events and publisher."""
        camera = self._cameras[report.camera]
        camera.report, camera.heard_ns = report, time.monotonic_ns()
        for stage, ms in report.stage_ms:
            self.times.add(stage, ms)
        if report.state == "running" and self._age_ms(report.t_ns) > self._settings.publish.max_age_ms:
            self._counters["late_reports"] += 1
            return
        ranking = self._rank(report)
        with self.times.measure("events"):
            decision = camera.detector.update(report, ranking)
        with self.times.measure("publisher"):
            self._publish(camera, decision, report)
        self._counters["decisions"] += 1

    def _rank(self, report: CameraReport) -> Ranking | None:
        if report.window is None:
            return None
        with self.times.measure("encoder"):
            features = self._encoder.encode([report.window])
        with self.times.measure("ranker"):
            return self._ranker.rank(features)[0]

    def tick(self) -> None:
        """Readers, heartbeat, silent cameras, status; called at least ten times a second."""
        now = time.monotonic_ns()
        for name, camera in self._cameras.items():
            silent_ms = (now - camera.heard_ns) / 1e6
            if camera.open and silent_ms > self._settings.publish.max_age_ms and camera.report is not None:
                t_ns = camera.report.t_ns
                events = camera.detector.close(t_ns, "stale")
                self._publish(camera, Decision(name, None, t_ns, "stale", events, None), camera.report)
        self._publisher.poll()
        if now >= self._status_due_ns:
            self._status_due_ns = now + int(STATUS_S * 1e9)
            self._publish_status()

    def bad_report(self) -> None:
        self._counters["bad_reports"] += 1

    def ended(self) -> bool:
        """Whether every source has come to its end."""
        return all(c.report is not None and c.report.state == "ended" for c in self._cameras.values())

    def close(self) -> None:
        """End open events, say so and how the stages are, and give the endpoint back."""
        for name, camera in self._cameras.items():
            if camera.report is not None:
                events = camera.detector.close(camera.report.t_ns, "stopped")
                if events:
                    self._publish(
                        camera, Decision(name, None, camera.report.t_ns, "stale", events, None), camera.report
                    )
        self._publish_status()
        self._publisher.close()

    def _publish(self, camera: _Camera, decision: Decision, report: CameraReport) -> None:
        assert camera.open is not None
        common: dict[str, Any] = {
            "fps_in": report.fps_in, "bundle": self._bundle_id, "labels_version": self._table.version,
            "provider": self._encoder.provider, "flags": report.flags, "k": self._settings.publish.topk,
        }  # fmt: skip
        for event in decision.events:
            message = action_message(event, window_s=self._window_s, **common)
            if event.type == "end":
                if camera.open.pop(event.id, None) is not None:
                    self._publisher.publish(topic(decision.camera, "action"), message)
            elif self._publisher.publish(topic(decision.camera, "action"), message) or event.id in camera.open:
                camera.open[event.id] = event
        if decision.state != camera.state:
            camera.state, camera.since_ns = decision.state, decision.t_ns
        message = state_message(decision, since_ns=camera.since_ns, open_events=tuple(camera.open.values()), **common)
        self._publisher.publish(topic(decision.camera, "state"), message)

    def _publish_status(self) -> None:
        summary = self.times.summary()
        stages: dict[str, Mapping[str, Any]] = {
            name: {"state": "running", "progress": row["count"], "p50_ms": row["p50_ms"]}
            for name, row in summary.items()
        }
        processes = self._lifecycles()
        stages.update(processes)
        reports = [camera.report for camera in self._cameras.values() if camera.report is not None]
        for name in self._cameras:
            message = status_message(
                camera=name, version=__version__, stages=stages, cameras=reports,
                counters={**self._counters, **self._publisher.counters}, provider=self._encoder.provider,
                bundle=self._bundle_id, labels_version=self._table.version, labels_count=len(self._table.labels),
            )  # fmt: skip
            for stage, row in (*summary.items(), *processes.items()):
                message["stages"][stage].update(row)
            self._publisher.publish(topic(name, "status"), message)

    @staticmethod
    def _age_ms(t_ns: int) -> float:
        return (time.monotonic_ns() - t_ns) / 1e6


def run_recogniser(task: RecogniserTask, child: Child) -> None:
    """Run until every source ended or the child is told to stop."""
    context = zmq.Context()
    recogniser = Recogniser(task, child.lifecycles)
    poller = zmq.Poller()
    sockets = [report_receiver(context, endpoint) for _, endpoint in task.cameras]
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    child.ready()
    try:
        while not child.stopping and not recogniser.ended():
            for socket, _ in poller.poll(POLL_MS):
                data = socket.recv()
                try:
                    report = unpack(data)
                except ValueError:
                    recogniser.bad_report()
                    continue
                recogniser.take(report)
                child.progress()
            recogniser.tick()
            child.alive()
    finally:
        recogniser.close()
        context.destroy(linger=0)
