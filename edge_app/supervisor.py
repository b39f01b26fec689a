"""Starts the stages as processes, watches their progress, restarts them within a budget, stops them cleanly."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from edge_app.camera_process import CameraTask, run_camera
from edge_app.config import Settings, SuperviseConfig
from edge_app.errors import GaveUpError, PortError, SourceError, UsageError
from edge_app.labels import Label
from edge_app.log import log
from edge_app.process import run_child
from edge_app.recogniser import RecogniserTask, run_recogniser
from edge_app.window import WindowSpec

WATCH_S = 0.05
STOP_S = 3.0
_FATAL = {error.exit_code for error in (UsageError, PortError, SourceError)}


@dataclass(frozen=True, slots=True)
class AppTask:
    """Everything that `edge-app run` runs: sources by camera name, and what to do with them.

    record: the folder of this run's recording, if any.
    """

    sources: tuple[tuple[str, str], ...]
    bundle: Path
    window: WindowSpec
    labels: tuple[Label, ...]
    ranker: str
    runtime: str
    publish: str
    settings: Settings
    record: Path | None = None
    trace: Path | None = None


class Stage:
    """One process and its history."""

    def __init__(self, name: str, body: Callable[..., None], task: Any) -> None:
        self.name, self._body, self._task = name, body, task
        self._context = multiprocessing.get_context("spawn")
        self._starts: deque[float] = deque()
        self.finished = False

    def start(self) -> None:
        self._ready = self._context.Value("q", 0, lock=False)
        self._progress = self._context.Value("q", time.monotonic_ns(), lock=False)
        self._starts.append(time.monotonic())
        self.process = self._context.Process(
            target=run_child, name=f"edge-app-{self.name}",
            args=(self._body, self._task, self._ready, self._progress, os.getpid()),
        )  # fmt: skip
        self.process.start()

    @property
    def was_ready(self) -> bool:
        return self._ready.value > 0

    def silent_s(self) -> float:
        """Seconds since the last progress."""
        return (time.monotonic_ns() - self._progress.value) / 1e9

    def restart(self, config: SuperviseConfig) -> None:
        """Start anew after a pause that grows with the number of recent starts.

        Raises:
            GaveUpError: more restarts than allowed.
        """
        now = time.monotonic()
        while self._starts and now - self._starts[0] > config.within_s:
            self._starts.popleft()
        if len(self._starts) > config.restarts:
            raise GaveUpError(
                f"{self.name}: failed {len(self._starts)} times in {config.within_s:.0f} s, "
                f"{config.restarts} restarts are allowed; giving up"
            )
        time.sleep(min(0.1 * 2 ** (len(self._starts) - 1), 2.0))
        self.start()


def run_app(task: AppTask, *, stop: threading.Event | None = None, seconds: float | None = None) -> int:
    """Run until the sources end, `stop` is set, `seconds` pass, or SIGINT or SIGTERM arrives. Returns the exit code.

    Raises:
        GaveUpError: a stage's restart budget is spent.
    """
    stop = stop or threading.Event()
    # Stages share the cores: a ranker whose second thread waits for one takes ten times as long.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    folder = tempfile.mkdtemp(prefix="edge-app-")
    restore = _handle_signals(stop)
    stages = _stages(task, folder)
    until = time.monotonic() + seconds if seconds else None
    try:
        for stage in stages:
            stage.start()
        while not stop.is_set():
            if all(stage.finished for stage in stages) or (until and time.monotonic() >= until):
                return 0
            for stage in stages:
                code = _check(stage, task.settings.supervise)
                if code is not None:
                    return code
            stop.wait(WATCH_S)
        return 0
    finally:
        _stop_all(stages)
        shutil.rmtree(folder, ignore_errors=True)
        restore()


def _stages(task: AppTask, folder: str) -> list[Stage]:
    endpoints = tuple((name, f"ipc://{folder}/{i}") for i, (name, _) in enumerate(task.sources))
    recogniser = RecogniserTask(
        bundle=task.bundle, labels=task.labels, ranker=task.ranker, runtime=task.runtime, publish=task.publish,
        cameras=endpoints, settings=task.settings, remember=Path(folder) / "labels.txt", record=task.record,
        trace=task.trace,
    )  # fmt: skip
    stages = [Stage("recogniser", run_recogniser, recogniser)]
    for (name, uri), (_, endpoint) in zip(task.sources, endpoints, strict=True):
        camera = CameraTask(name, uri, endpoint, task.window, task.settings, task.record)
        stages.append(Stage(f"camera-{name}", run_camera, camera))
    return stages


def _check(stage: Stage, config: SuperviseConfig) -> int | None:
    """Look after one stage; the exit code of the whole app if it must end now."""
    if stage.finished:
        return None
    code = stage.process.exitcode
    if code == 0:
        stage.finished = True
    elif code is not None:
        if code in _FATAL and not stage.was_ready:
            return code
        _say(f"{stage.name} ended with {_reason(code)}; restarting it")
        stage.restart(config)
    elif stage.silent_s() > (config.progress_s if stage.was_ready else config.grace_s):
        _say(f"{stage.name} made no progress for {stage.silent_s():.1f} s; restarting it")
        stage.process.kill()
        stage.process.join()
        stage.restart(config)
    return None


def _stop_all(stages: Sequence[Stage]) -> None:
    running = [stage.process for stage in stages if hasattr(stage, "process")]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + STOP_S
    for process in running:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()


def _handle_signals(stop: threading.Event) -> Callable[[], None]:
    """SIGINT and SIGTERM set `stop`; returns what puts the old handlers back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    old = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, previous in old.items():
            signal.signal(number, previous)

    return restore


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


def _say(text: str) -> None:
    log.warning("%s", text, extra={"kind": "restart"})
