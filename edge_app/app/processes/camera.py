"""The process of one camera: grab, pose, track, window. Pixels never leave it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2

from edge_app.app.log import log
from edge_app.app.metrics import StageTimes
from edge_app.app.processes.child import Child
from edge_app.app.processes.handover import ReportSender
from edge_app.app.recorder import Recorder, Segments
from edge_app.app.settings import Settings
from edge_app.camera.grab import Grabber, GrabStatus, grab
from edge_app.errors import SourceError
from edge_app.pose.idle import PoseStage
from edge_app.recognizer import FrontEnd, Observation
from edge_app.types import CameraReport
from edge_app.window.skeleton import WindowSpec

IDLE_REPORT_S = 0.2


@dataclass(frozen=True, slots=True)
class CameraTask:
    """What a camera process is told: name, source, where its reports go, and a folder to record poses in, if any."""

    name: str
    uri: str
    endpoint: str
    skeleton_window: WindowSpec
    settings: Settings
    record: Path | None = None


def run_camera(task: CameraTask, child: Child) -> None:
    """Run until the source ends or the child is told to stop. A recording needs no pose estimator.

    Raises:
        SourceError: the source cannot be opened at the first start (later it is waited for), or it has an end and
            breaks off before it.
    """
    cv2.setNumThreads(1)  # as every stage; a second one only waits beside pictures of this size
    with ExitStack() as stack:
        sender = stack.enter_context(ReportSender(task.endpoint))
        times = StageTimes()
        people, backend = task.settings.camera.max_people, task.settings.pose.backend
        stage = PoseStage(task.uri, people, times.measure, backend=backend, waiting=child.alive)
        poser = stack.enter_context(stage)
        child.wait_turn()
        recorder = None
        if task.record:
            recorder = stack.enter_context(Recorder(Segments(task.record, task.name, task.settings.record)))
        grabber = stack.enter_context(grab(task.uri, camera=task.name, must_open=not child.restarted))
        child.ready()
        _watch(task, child, grabber, poser, times, sender, recorder)


def _watch(
    task: CameraTask, child: Child, grabber: Grabber, poser: PoseStage, times: StageTimes, sender: ReportSender,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    front = FrontEnd(task.name, task.skeleton_window, task.settings.camera, times.measure)
    before, epoch = grabber.status(), 0
    nothing = seen = Observation(0, (), True, (), 0.0, False)
    while not child.stopping:
        item = grabber.newest(IDLE_REPORT_S)
        status = grabber.status()
        child.alive()
        log_state_change(task.name, before, status)
        before = status
        if status.epoch != epoch:
            epoch = status.epoch
            front.reset()
            poser.reset()
        if item is not None:
            poses = poser.estimate(item, front.due(item.t_ns))
            child.progress()
            if poses is None:
                continue
            if recorder is not None:
                recorder.poses(poses)
            seen = front.update(poses)
            if not seen.due:
                continue
        elif status.state == "running":
            continue
        shown = seen if item is not None else nothing
        sender.send(
            CameraReport(
                camera=task.name,
                state=status.state,
                epoch=epoch,
                t_ns=seen.t_ns,
                fps_in=seen.fps,
                frames=status.frames,
                dropped=status.dropped,
                misordered=status.misordered,
                reconnects=status.reconnects,
                windows=shown.windows,
                flags=(*status.flags, *seen.flags),
                stage_ms=times.take(),
                recorder=recorder.state if recorder else "",
                unrecorded=recorder.dropped if recorder else 0,
                people=shown.tracks,
                pose=poser.chosen.provider if poser.chosen else "",
            )
        )
        if status.state == "ended":
            child.done(SourceError.exit_code if status.error else 0)
            if status.error:
                raise SourceError(status.error)
            return


def log_state_change(camera: str, before: GrabStatus, now: GrabStatus) -> None:
    """One line when the camera's state changes, or its picture another way (such as its size)."""
    if now.state not in (before.state, "ended"):
        why = f" ({now.error})" if now.error else ""
        log.warning("%s: %s%s", camera, now.state, why, extra={"kind": "camera"})
    elif now.size != before.size and before.size:
        sizes = (*now.size, *before.size)
        log.warning("%s: pictures are %dx%d now, %dx%d before", camera, *sizes, extra={"kind": "camera"})
