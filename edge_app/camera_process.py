"""The process of one camera: grab, pose, track, window. Pixels never leave it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edge_app.camera.grab import Grabber, grab
from edge_app.config import Settings
from edge_app.link import ReportSender
from edge_app.metrics import StageTimes
from edge_app.pose import PoseEstimator
from edge_app.process import Child
from edge_app.recorder import Recorder, Segments
from edge_app.track import Tracker
from edge_app.types import CameraReport, Frame, Poses
from edge_app.window import WindowBuffer, WindowSpec

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
    """Run until the source ends or the child is told to stop.

    Raises:
        SourceError: the source cannot be opened at the start.
    """
    sender = ReportSender(task.endpoint)
    recorder = Recorder(Segments(task.record, task.name, task.settings.record)) if task.record else None
    try:
        with (
            grab(task.uri, camera=task.name) as grabber,
            PoseEstimator(max_people=task.settings.camera.max_people) as estimator,
        ):
            child.ready()
            _watch(task, child, grabber, estimator, sender, recorder)
    finally:
        if recorder is not None:
            recorder.close()
        sender.close()


def _watch(
    task: CameraTask, child: Child, grabber: Grabber, estimator: PoseEstimator, sender: ReportSender,
    recorder: Recorder | None,
) -> None:  # fmt: skip
    buffer, tracker, times = WindowBuffer(task.name, task.skeleton_window), Tracker(), StageTimes()
    stride_ns = int(task.settings.camera.stride_s * 1e9)
    epoch, due_ns, done, window, seen_ns = 0, 0, 0, None, 0
    while not child.stopping:
        item = grabber.newest(IDLE_REPORT_S)
        status = grabber.status()
        child.progress()
        if status.epoch != epoch:
            epoch = status.epoch
            buffer.clear()
            tracker.reset()
            estimator.reset()
        if item is not None:
            poses = _estimate(item, estimator, times)
            done += 1
            if recorder is not None:
                recorder.poses(poses)
            tracks = tracker.update(poses)
            if tracks:
                buffer.push(tracks[0])
            seen_ns = poses.t_ns
            if poses.t_ns < due_ns:
                continue
            due_ns += stride_ns
            if due_ns <= poses.t_ns:  # the start, or a stall: what was not done is not made up for
                due_ns = poses.t_ns + stride_ns
            with times.measure("window"):
                window = buffer.window() if tracks else None
        elif status.state == "running":
            continue
        sender.send(
            CameraReport(
                camera=task.name,
                state=status.state,
                epoch=epoch,
                t_ns=seen_ns,
                fps_in=window.fps_in if window else 0.0,
                frames=status.frames,
                dropped=status.dropped,
                window=window if item is not None else None,
                flags=status.flags,
                stage_ms=times.take(),
                recorder=recorder.state if recorder else "",
                unrecorded=recorder.dropped if recorder else 0,
                people=tracks if item is not None else (),
            )
        )
        if status.state == "ended":
            return


def _estimate(item: Frame | Poses, estimator: PoseEstimator, times: StageTimes) -> Poses:
    if isinstance(item, Poses):
        return item
    with times.measure("pose"):
        return estimator.estimate(item)
