"""The process that turns windows of all cameras into published labels: encoder, ranker, events, publisher."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zmq

from edge_app import __version__
from edge_app.app.control import Control
from edge_app.app.label_service import LabelService
from edge_app.app.log import log
from edge_app.app.metrics import StageTimes, TracedTimes
from edge_app.app.processes.child import Child
from edge_app.app.processes.handover import report_receiver, unpack
from edge_app.app.processes.run_folder import Running, announce
from edge_app.app.prometheus import Exporter, families
from edge_app.app.recorder import Recorder, Segments
from edge_app.app.settings import Settings
from edge_app.app.teaching import SupportSet
from edge_app.bundles.bundle import load_bundle
from edge_app.camera.recording import MESSAGES
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label, read_labels, write_labels
from edge_app.ranker.labels.shots import TaughtFolder
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.ranker.ranker import Ranker
from edge_app.recognizer import BackEnd, choose_encoder
from edge_app.stream.auth import Gate
from edge_app.stream.control import control_beside
from edge_app.stream.messages import action_message, pose_message, state_message, status_message, topic
from edge_app.stream.publisher import Publisher
from edge_app.types import CameraReport, Decision, Event

POLL_MS = 50
BATCH_MS = 5  # that a camera's report may wait for others
STATUS_S = 1.0
LAST_REPORT_NS = 300_000_000  # that the last report of a camera process which has finished may take to come
POSE_NS = 60_000_000  # between two published poses of a camera; 30 frames a second become 15


@dataclass(frozen=True, slots=True)
class RecognizerTask:
    """What the recognizer is told. `cameras`: name -> endpoint of its reports.

    remember: a file for the label set in force, which a recognizer started anew goes on with.
    record: a folder for messages. trace: a file for every duration. taught: the folder of what the user has taught.
    """

    bundle: Path
    labels: tuple[Label, ...]
    ranker: str
    runtime: str
    publish: str
    cameras: tuple[tuple[str, str], ...]
    settings: Settings
    remember: Path | None = None
    record: Path | None = None
    trace: Path | None = None
    taught: Path | None = None


@dataclass(slots=True)
class _Camera:
    """What is remembered of one camera between reports."""

    report: CameraReport | None = None
    heard_ns: int = 0
    state: str = ""
    since_ns: int = 0
    open: dict[str, Event] = field(default_factory=dict)
    posed_ns: int = 0
    finished_ns: int = 0

    @property
    def ended(self) -> bool:
        return self.report is not None and self.report.state == "ended"


class RecognizerProcess:
    """The stages after the window, without the process around them.

    waiting: called now and then while runtimes are tried, which takes long where an engine is built first.

    Raises:
        UsageError: the bundle or the labels are refused. PortError: the endpoint cannot be bound.
    """

    def __init__(
        self,
        task: RecognizerTask,
        context: zmq.Context[Any],
        waiting: Callable[[], None] = lambda: None,
        lifecycles: Callable[[], Mapping[str, Mapping[str, Any]]] = dict,
    ) -> None:
        self._settings, self._lifecycles = task.settings, lifecycles
        bundle = load_bundle(task.bundle)
        chosen = choose_encoder(bundle, task.runtime, task.ranker, task.settings.runtime, waiting)
        self._why = chosen.why
        text, blank = BundleText(bundle), load_ranker(bundle, task.ranker, config=task.settings.ranker)

        support: SupportSet | None = None
        if task.taught is not None:
            folder = TaughtFolder(task.taught, bundle.spec)
            support = SupportSet(folder, bundle, task.labels, task.settings)

        def build(labels: tuple[Label, ...], version: int) -> Ranker:
            table = build_table(labels, text, version)
            ranker = (support.with_shots(blank) if support else blank).with_labels(table)
            if task.remember is not None:
                write_labels(task.remember, labels)
            return ranker

        labels = support.extended(task.labels) if support else task.labels
        if task.remember is not None and task.remember.exists():
            labels = read_labels(task.remember, may_be_empty=True, note=None)
        self._labels = LabelService(labels, build, support, [name for name, _ in task.cameras])
        self._window_s = bundle.spec.seconds
        self._bundle_id = bundle.id
        self.times, self._ages = TracedTimes(task.trace) if task.trace else StageTimes(), StageTimes()
        events, people = task.settings.events, task.settings.camera.max_people
        self._back = BackEnd(chosen.encoder, self._labels.ranker, events, people, self.times.measure)
        self._counters = {"decisions": 0, "late_reports": 0, "bad_reports": 0}
        self._cameras = {name: _Camera() for name, _ in task.cameras}
        publish = task.settings.publish
        self._recorder = Recorder(Segments(task.record, MESSAGES, task.settings.record)) if task.record else None
        self._gate = Gate(context, Path(publish.keys) if publish.keys else None, publish.max_readers)
        self._publisher = Publisher(
            task.publish,
            max_age_ms=publish.max_age_ms,
            heartbeat_s=publish.heartbeat_s,
            context=context,
            tap=self._recorder.message if self._recorder else None,
            gate=self._gate,
        )
        control = publish.control or control_beside(self._publisher.endpoint)
        self._control = Control(context, control, self._labels, lambda: self._status, self._gate)
        if task.remember is not None:
            keyed = bool(publish.keys) and self._control.endpoint.startswith("tcp:")
            announce(
                task.remember.parent, Running(os.getppid(), self._publisher.endpoint, self._control.endpoint, keyed)
            )
        self._exporter = Exporter(task.settings.metrics.endpoint) if task.settings.metrics.endpoint else None
        self._status: dict[str, Any] = {}
        self._status_due_ns = 0

    def take(self, *reports: CameraReport) -> None:
        """Reports of different cameras through encoder, ranker, events and publisher; their windows in one batch."""
        reports = tuple(report for report in reports if self._note(report))
        for report, decision in zip(reports, self._back.decide(*reports), strict=True):
            with self.times.measure("publisher"):
                self._publish(self._cameras[report.camera], decision, report)
            if report.state == "running":
                self._ages.add(report.camera, self._age_ms(report.t_ns))
            self._counters["decisions"] += 1

    def _note(self, report: CameraReport) -> bool:
        """What a report tells of its camera; whether it is young enough to be decided on."""
        if self._why:  # said once a camera works, so that of an app that ends at once only the error is heard
            log.debug("%s", self._why, extra={"kind": "runtime"})
            self._why = ""
        camera = self._cameras[report.camera]
        camera.report, camera.heard_ns = report, time.monotonic_ns()
        for stage, ms in report.stage_ms:
            self.times.add(stage, ms)
        if report.state == "running" and self._age_ms(report.t_ns) > self._settings.publish.max_age_ms:
            self._counters["late_reports"] += 1
            return False
        if self._settings.publish.pose and report.state == "running" and report.t_ns - camera.posed_ns >= POSE_NS:
            camera.posed_ns = report.t_ns
            message = pose_message(report.camera, report.people, t_ns=report.t_ns)
            self._publisher.publish(topic(report.camera, "pose"), message)
        self._labels.see(report, self._back.body_seen)
        return True

    def tick(self) -> None:
        """Readers, heartbeat, silent cameras, status; called at least ten times a second."""
        now = time.monotonic_ns()
        for name, camera in self._cameras.items():
            silent_ms = (now - camera.heard_ns) / 1e6
            if camera.open and silent_ms > self._settings.publish.max_age_ms and camera.report is not None:
                self._publish(camera, self._back.close(name, camera.report.t_ns, "stale"), camera.report)
            if not camera.ended and self._finished(name, camera, now):
                t_ns = camera.report.t_ns if camera.report else 0
                self.take(CameraReport(name, "ended", 0, t_ns, 0.0, 0, 0, ()))
        self._serve()
        if now >= self._status_due_ns:
            self._status_due_ns = now + int(STATUS_S * 1e9)
            self._publish_status()

    def _serve(self) -> None:
        """Readers and controllers: who may connect, what they ask for, and a new label set between two decisions."""
        revoked = self._gate.poll()
        if "reader" in revoked:
            self._publisher.reopen()
        if "controller" in revoked:
            self._control.reopen()
        self._publisher.poll()
        self._control.poll()
        self._back.ranker = self._labels.ranker

    def _finished(self, name: str, camera: _Camera, now: int) -> bool:
        """Whether the supervisor saw the camera's process finish a while ago: its last report may have been lost."""
        if self._lifecycles().get(f"camera-{name}", {}).get("state") != "stopped":
            return False
        camera.finished_ns = camera.finished_ns or now
        return now - camera.finished_ns >= LAST_REPORT_NS

    def bad_report(self) -> None:
        self._counters["bad_reports"] += 1

    def ended(self) -> bool:
        """Whether every source has come to its end."""
        return all(camera.ended for camera in self._cameras.values())

    def close(self) -> None:
        """End open events, say so and how the stages are, and give the endpoint back."""
        for name, camera in self._cameras.items():
            if camera.report is not None:
                decision = self._back.close(name, camera.report.t_ns, "stopped")
                if decision.events:
                    self._publish(camera, decision, camera.report)
        self._publish_status()
        self._publisher.close()
        self._control.close()
        self._labels.close()
        self._gate.close()
        if self._recorder is not None:
            self._recorder.close()
        if self._exporter is not None:
            self._exporter.close()

    def _publish(self, camera: _Camera, decision: Decision, report: CameraReport) -> None:
        common: dict[str, Any] = {
            "fps_in": report.fps_in, "bundle": self._bundle_id, "labels_version": self._back.ranker.table.version,
            "provider": self._back.encoder.provider, "flags": report.flags, "k": self._settings.publish.topk,
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
        stages: dict[str, Mapping[str, Any]] = {
            name: {"state": "running", "progress": row["count"], **row} for name, row in self.times.summary().items()
        }
        counters = {
            **self._counters,
            **self._publisher.counters,
            **self._control.counters,
            **self._gate.counters,
        }
        stages["gate"] = {"state": self._gate.state, "progress": counters["peers_accepted"], "p50_ms": None}
        stages.update(self._lifecycles())
        reports = [camera.report for camera in self._cameras.values() if camera.report is not None]
        recorders = [(report.recorder, report.unrecorded) for report in reports]
        if self._recorder is not None:
            recorders.append((self._recorder.state, self._recorder.dropped))
        recorder = max((state for state, _ in recorders if state), key="recorder_full".__eq__, default="off")
        unrecorded, ages = sum(dropped for _, dropped in recorders), self._ages.summary()
        table = self._back.ranker.table
        for name in self._cameras:
            message = status_message(
                camera=name, version=__version__, stages=stages, cameras=reports,
                counters=counters, provider=self._back.encoder.provider,
                bundle=self._bundle_id, labels_version=table.version, labels_count=len(table.labels),
                label_age=ages, recorder=recorder, unrecorded=unrecorded,
            )  # fmt: skip
            self._status = message
            self._publisher.publish(topic(name, "status"), message)
        if self._exporter is not None:
            self._exporter.families = families(message, self.times.histograms, self._ages.histograms)

    @staticmethod
    def _age_ms(t_ns: int) -> float:
        return (time.monotonic_ns() - t_ns) / 1e6


def _gather(poller: zmq.Poller, cameras: int) -> Iterable[bytes]:
    """A report of each camera that has one; the first waits a moment for others, which then share its batch."""
    found: dict[Any, bytes] = {}
    wait_ms, until = POLL_MS, 0.0
    while wait_ms > 0 and (ready := poller.poll(wait_ms)):
        found |= {socket: socket.recv() for socket, _ in ready}
        until = until or time.monotonic() + BATCH_MS / 1e3
        wait_ms = int(1e3 * (until - time.monotonic())) if len(found) < cameras else 0
    return found.values()


def run_recognizer(task: RecognizerTask, child: Child) -> None:
    """Run until every source ended or the child is told to stop."""

    def waiting() -> None:
        child.alive()
        if child.stopping:
            sys.exit(0)

    context = zmq.Context()
    recognizer = RecognizerProcess(task, context, waiting, child.lifecycles)
    poller = zmq.Poller()
    sockets = [report_receiver(context, endpoint) for _, endpoint in task.cameras]
    for socket in sockets:
        poller.register(socket, zmq.POLLIN)
    child.ready()
    try:
        while not child.stopping and not recognizer.ended():
            reports = []
            for data in _gather(poller, len(sockets)):
                try:
                    reports.append(unpack(data))
                except ValueError:
                    recognizer.bad_report()
            if reports:
                recognizer.take(*reports)
                child.progress()
            recognizer.tick()
            child.alive()
        if not child.stopping:
            child.done()
    finally:
        recognizer.close()
        context.destroy(linger=0)
