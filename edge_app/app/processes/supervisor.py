"""Starts the stages as processes, watches their progress, restarts them within a budget, stops them cleanly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from types import FrameType
from typing import Any

from edge_app.app.log import log
from edge_app.app.processes.camera import CameraTask, run_camera
from edge_app.app.processes.child import STATES, STOP_SIGNALS, Board, Pulse, Row, run_child, start
from edge_app.app.processes.lifetime import RestartBudget, stop_all
from edge_app.app.processes.recognizer import RecognizerTask, run_recognizer
from edge_app.app.processes.run_folder import run_folder
from edge_app.app.processes.systemd import Notifier
from edge_app.app.settings import Settings, SuperviseConfig
from edge_app.errors import GaveUpError, PortError, SourceError, UsageError
from edge_app.pose.native_stderr import last_words, memory_file
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.shots import taught_folder
from edge_app.stream.control import control_beside
from edge_app.stream.endpoint import check_free
from edge_app.window.skeleton import WindowSpec

WATCH_S = 0.05
STOP_S = 3.0
CLOSE_S = 10.0  # for a process whose work is done
MEMORY_S = 1.0  # between looks at a stage's memory
IDLE_S = 1.0  # without work a running stage is called degraded
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


class Run:
    """One process of a stage. `said` holds what its native code printed."""

    def __init__(self, process: SpawnProcess, pulse: Pulse, said: Connection) -> None:
        self.process, self.pulse, self.said = process, pulse, said
        self.silent_s = 0.0
        """Seconds without a beat, of the time in which the supervisor was looking."""
        self._beat_ns = 0

    def exitcode(self, elapsed_s: float) -> int | None:
        """None while it lives; one that is done and does not end is killed, and has the code that it would have had.

        elapsed_s: since the last call.
        """
        if self.process.exitcode is not None:
            return self.process.exitcode
        changed = self.pulse.beat_ns != self._beat_ns
        self._beat_ns, self.silent_s = self.pulse.beat_ns, 0.0 if changed else self.silent_s + elapsed_s
        if self.pulse.code < 0 or self.silent_s <= CLOSE_S:
            return None
        self.end()
        return self.pulse.code

    def memory_mb(self) -> float:
        """Resident memory in MB; 0 where the system does not tell."""
        try:
            pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def end(self) -> None:
        self.process.kill()
        self.process.join()


class Stage:
    """A process, those that came before it, and the one that will follow it.

    Args:
        board: where the row of this stage goes; every process of every stage can read it.
        recycle: whether a process that has grown over `max_rss_mb` is replaced by one that has loaded its models
            before the old one is stopped.
    """

    def __init__(
        self, name: str, body: Callable[..., None], task: Any, board: Board, config: SuperviseConfig, *,
        recycle: bool = False,
    ) -> None:  # fmt: skip
        self.name, self._body, self._task, self._board, self._config = name, body, task, board, config
        self._context = multiprocessing.get_context("spawn")
        self._recycle = recycle
        self._budget = RestartBudget(config.restarts, config.within_s)
        self._run: Run | None = None
        self._next: Run | None = None
        self._due = self._memory_due = 0.0
        self._row: Row = RawValue(Row)
        board[name] = self._row
        self.finished = self.was_ready = False
        self.code = 0

    def start(self) -> None:
        self._run = self._spawn(go=True)

    def _spawn(self, *, go: bool) -> Run:
        self._budget.started()
        pulse: Pulse = RawValue(Pulse)
        pulse.go, pulse.code = go, -1
        said = Connection(memory_file())  # what can be handed to a spawned process
        process = self._context.Process(
            target=run_child, name=self.name,
            args=(self._body, self._task, pulse, self._board, self.was_ready, os.getpid(), said),
        )  # fmt: skip
        start(process)
        return Run(process, pulse, said)

    def look(self, elapsed_s: float) -> int | None:
        """Look after it once; the exit code of the whole app if it must end now. Never waits.

        Raises:
            GaveUpError: more restarts than allowed.
        """
        try:
            return self._look(elapsed_s)
        finally:
            run = self._run
            self._row.state = STATES.index(self.state())
            self._row.progress = run.pulse.work if run else 0

    def _look(self, elapsed_s: float) -> int | None:
        run = self._run
        if self.finished:
            return None
        if run is None:
            if time.monotonic() >= self._due:
                self.start()
            return None
        self.was_ready = self.was_ready or run.pulse.ready_ns > 0
        code = run.exitcode(elapsed_s)
        if code is None and run.pulse.code < 0:
            silent_s = run.silent_s
            if silent_s > (self._config.progress_s if run.pulse.ready_ns else self._config.grace_s):
                run.end()
                self._follow(f"made no progress for {silent_s:.1f} s")
            elif self._recycle:
                self._look_at_memory(run)
        elif code is None:
            pass  # it closes what it had opened
        elif code in _FATAL and not self.was_ready:
            return code
        elif code in (0, SourceError.exit_code):  # a source has ended, or broken off: to start again would not help
            self.finished, self.code = True, code
            if self._next is not None:
                self._next.end()
        elif self._next is not None and self._next.pulse.loaded:
            self._follow("")
        else:
            words = last_words(run.said.fileno()) if code == -signal.SIGABRT else ""
            self._follow(f"ended with {_reason(code)}" + (f" ({words})" if words else ""))
        return None

    def _follow(self, why: str) -> None:
        """The process is gone: its successor goes on, or another one is started after a pause, which grows with the
        number of recent starts."""
        if why:
            log.warning("%s %s; restarting it", self.name, why, extra={"kind": "restart"})
        self._row.restarts += 1
        self._run, self._next = self._next, None
        if self._run is not None:
            self._run.pulse.go = True
            return
        self._check_budget()
        self._due = time.monotonic() + self._budget.pause_s()

    def _look_at_memory(self, run: Run) -> None:
        limit = self._config.max_rss_mb
        now = time.monotonic()
        if self._next is not None:
            if self._next.process.exitcode is not None:
                self._next = None
            elif self._next.pulse.loaded:
                run.process.terminate()
        elif limit and run.pulse.ready_ns and now >= self._memory_due:
            self._memory_due = now + MEMORY_S
            if (used := run.memory_mb()) > limit:
                log.warning(
                    "%s uses %.0f MB, supervise.max_rss_mb is %.0f; replacing it", self.name, used, limit,
                    extra={"kind": "restart"},
                )  # fmt: skip
                self._check_budget()
                self._next = self._spawn(go=False)

    def _check_budget(self) -> None:
        budget = self._budget
        if budget.spent:
            raise GaveUpError(
                f"{self.name}: failed {budget.recent} times in {budget.within_s:.0f} s, "
                f"{budget.restarts} restarts are allowed; giving up"
            )

    def state(self) -> str:
        """Where in its life the stage is: one of `STATES`. Running is who works, not who is merely alive."""
        if self.finished:
            return "stopped"
        if self._run is None or self._run.process.exitcode is not None:
            return "failed"
        pulse = self._run.pulse
        if not pulse.ready_ns:
            return "starting"
        if not pulse.work_ns:
            return "ready"
        return "running" if time.monotonic_ns() - pulse.work_ns <= IDLE_S * 1e9 else "degraded"

    def processes(self) -> list[SpawnProcess]:
        return [run.process for run in (self._run, self._next) if run is not None]


def run_app(task: AppTask, *, stop: threading.Event | None = None, seconds: float | None = None) -> int:
    """Run until the sources end, `stop` is set, `seconds` pass, or a signal to stop arrives. Returns the exit code.

    Raises:
        GaveUpError: a stage's restart budget is spent. PortError: where it is to listen is taken.
    """
    for endpoint in _listening(task):
        check_free(endpoint)
    with stop_signals(stop) as stop, run_folder() as folder:
        return supervise(_stages(task, folder), stop, seconds)


def _listening(task: AppTask) -> list[str]:
    """The endpoints that the app will open."""
    publish, metrics = task.settings.publish, task.settings.metrics.endpoint
    any_port = task.publish.endswith((":*", ":0"))  # the control socket will be named after the one that is taken
    control = publish.control or ("" if any_port else control_beside(task.publish))
    return [task.publish, *([control] if control else []), *([f"tcp://{metrics}"] if metrics else [])]


def supervise(stages: Sequence[Stage], stop: threading.Event, seconds: float | None = None) -> int:
    """Start the stages and look after them; when it returns, none of their processes is left.

    Raises:
        GaveUpError: a stage's restart budget is spent.
    """
    notifier = Notifier()
    begun = looked = time.monotonic()
    greeted = False
    try:
        for stage in stages:
            stage.start()
        while not stop.is_set():
            now = time.monotonic()
            if all(stage.finished for stage in stages) or (seconds and now - begun >= seconds):
                return max(stage.code for stage in stages)
            elapsed_s, looked = min(now - looked, 10 * WATCH_S), now  # what we slept through ourselves is no silence
            for stage in stages:
                code = stage.look(elapsed_s)
                if code is not None:
                    return code
            if not greeted and all(stage.was_ready for stage in stages):
                greeted = True
                notifier.send("READY=1")
            notifier.status(", ".join(f"{stage.name} {stage.state()}" for stage in stages))
            notifier.watchdog()
            time.sleep(WATCH_S)  # who waits on an event holds its lock, which the signal's `set` needs
        return 0
    finally:
        notifier.send("STOPPING=1")
        stop_all([process for stage in stages for process in stage.processes()], STOP_S)


def _stages(task: AppTask, folder: Path) -> list[Stage]:
    endpoints = tuple((name, f"ipc://{folder}/{i}") for i, (name, _) in enumerate(task.sources))
    recognizer = RecognizerTask(
        bundle=task.bundle, labels=task.labels, ranker=task.ranker, runtime=task.runtime, publish=task.publish,
        cameras=endpoints, settings=task.settings, remember=Path(folder) / "labels.txt", record=task.record,
        trace=task.trace, taught=taught_folder(),
    )  # fmt: skip
    board: Board = {}
    config = task.settings.supervise
    stages = [Stage("recogniser", run_recognizer, recognizer, board, config)]
    for (name, uri), (_, endpoint) in zip(task.sources, endpoints, strict=True):
        camera = CameraTask(name, uri, endpoint, task.window, task.settings, task.record)
        stages.append(Stage(f"camera-{name}", run_camera, camera, board, config, recycle=True))
    return stages


@contextmanager
def stop_signals(stop: threading.Event | None = None) -> Iterator[threading.Event]:
    """An event (`stop`, if given) that `STOP_SIGNALS` set meanwhile; outside the main thread nothing does.

    What was ignored before stays ignored: a hang-up by `nohup`, Ctrl-C in a script's background job.
    """
    stop = stop or threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handler(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    old = {number: signal.signal(number, handler) for number in heeded}
    try:
        yield stop
    finally:
        for number, previous in old.items():
            signal.signal(number, previous)


def _reason(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
