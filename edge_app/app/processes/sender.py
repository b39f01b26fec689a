"""`edge-app camera`: the camera and its poses here, everything else on another machine (`edge_app.camera.remote`)."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from edge_app.app.processes.camera import IDLE_REPORT_S, log_state_change
from edge_app.app.processes.child import Board, Child
from edge_app.app.processes.supervisor import Stage, stop_signals, supervise
from edge_app.app.settings import Settings
from edge_app.camera.grab import grab
from edge_app.camera.remote import RemoteSender
from edge_app.errors import SourceError
from edge_app.pose.idle import PoseStage
from edge_app.pose.model_file import ensure_pose_model


@dataclass(frozen=True, slots=True)
class SenderTask:
    """source: a URI. to: where `edge-app run remote://…` listens. keys: a client's folder with a `camera` key."""

    source: str
    to: str
    keys: Path | None
    settings: Settings


def send_camera(task: SenderTask) -> int:
    """Send until the source ends, or SIGINT or SIGTERM arrives. Returns the exit code.

    Raises:
        UsageError: the endpoint or the keys are refused. GaveUpError: the restart budget is spent.
    """
    ensure_pose_model()
    RemoteSender(task.to, task.keys).close()
    with stop_signals() as stop:
        board: Board = {}
        return supervise([Stage("camera", run_sender, task, board, task.settings.supervise, recycle=True)], stop)


def run_sender(task: SenderTask, child: Child) -> None:
    """Run until the source ends or the child is told to stop.

    Raises:
        SourceError: as `run_camera`.
    """
    with ExitStack() as stack:
        sender = stack.enter_context(RemoteSender(task.to, task.keys))
        poser = stack.enter_context(
            PoseStage(
                task.source, task.settings.camera.max_people,
                backend=task.settings.pose.backend, waiting=child.alive,
            )
        )  # fmt: skip
        child.wait_turn()
        grabber = stack.enter_context(grab(task.source, must_open=not child.restarted))
        child.ready()
        before, epoch = grabber.status(), 0
        while not child.stopping:
            item = grabber.newest(IDLE_REPORT_S)
            status = grabber.status()
            child.alive()
            log_state_change("camera", before, status)
            before = status
            if status.epoch != epoch:
                poser.reset()
            epoch = status.epoch
            if item is not None:
                child.progress()
            sender.send(None if item is None else poser.estimate(item), status.state, status.error)
            if status.state == "ended":
                if status.error:
                    raise SourceError(status.error)
                return
