"""The whole app in processes of its own, and what a test needs to know of it from outside."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edge_app.camera.recording import RecordingFile, read_recording
from edge_app.client import SELF_TOLD, Message, Subscriber
from edge_app.errors import SourceError
from edge_app.stream.control import ask
from edge_app.types import Poses
from tests.light import light

START_S = 60.0
LABELS = "squat, wave one hand, clap, bow, jump"
SQUATS = Path(__file__).parent / "faults" / "squats.mcap"
"""Eight seconds of the drawn person through MediaPipe at 15 fps, without a seam between the end and the beginning."""


@contextmanager
def running(endpoint: str, *arguments: str, **options) -> Iterator[subprocess.Popen]:
    """`edge-app run` in processes of its own; `arguments` may set other labels, another bundle, or other runtimes."""
    usual = ("--labels", LABELS, *light(), "--pose", "onnxruntime")
    command = [sys.executable, "-m", "edge_app", "run", "--publish", endpoint, *usual, *arguments]
    process = subprocess.Popen(command, text=True, **{"stderr": subprocess.PIPE, **options})
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stderr is not None:
            process.stderr.close()


def interruptible() -> None:
    """`preexec_fn` of a process that is sent a signal: a job in the background ignores Ctrl-C, and nohup a hang-up."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_for(
    subscriber: Subscriber, wanted: Callable[[Message], bool], timeout_s: float = START_S, ledger: Ledger | None = None
) -> list[Message]:
    """Everything received up to the first message that is wanted; fails if none comes in time."""
    until, seen = time.monotonic() + timeout_s, []
    while time.monotonic() < until:
        message = subscriber.recv(0.5)
        if message is not None and ledger is not None:
            ledger.note(message)
        if message is None or message.local:
            continue
        seen.append(message)
        if wanted(message):
            return seen
    pytest.fail(f"nothing of the kind in {timeout_s} s; last: {seen[-1].data if seen else None}")


def action(kind: str) -> Callable[[Message], bool]:
    return lambda message: message.topic.endswith("/action") and message.data["type"] == kind


def is_open(message: Message, label: str | None = None) -> bool:
    """An action goes on: a test that connects after its only start hears of it by its updates."""
    return (action("start")(message) or action("update")(message)) and label in (None, message.data["label"])


def state(name: str) -> Callable[[Message], bool]:
    return lambda message: message.kind == "state" and message.data["state"] == name and not message.data.get("cached")


def status(message: Message) -> bool:
    return message.kind == "status" and not message.data.get("cached")


def stage(name: str, wanted: str, restarts: int = 0) -> Callable[[Message], bool]:
    """A status in which a stage is in the wanted state after so many restarts; a busy machine may make them more."""

    def check(message: Message) -> bool:
        row = message.data["stages"].get(name) if message.kind == "status" else None
        return row is not None and row["state"] == wanted and row["restarts"] >= restarts

    return check


def children(parent: int) -> dict[str, int]:
    """Pids of a process's stages by their names, of those that have come so far as to have one."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found[(entry / "comm").read_text().strip()] = int(entry.name)
        except (OSError, ValueError):
            continue
    return {name: pid for name, pid in found.items() if name == "recogniser" or name.startswith("camera-")}


def alive(pid: int) -> bool:
    """False for a zombie too."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def repeat(recording: Path, out: Path, seconds: float) -> str:
    """The URI of a recording that goes over and over another, of one camera, for so many seconds."""
    items = [item for item in read_recording(recording) if isinstance(item, Poses)]
    step_ns = (items[-1].t_ns - items[0].t_ns) // (len(items) - 1)
    with RecordingFile(out) as recorder:
        for index in range(int(seconds * 1e9 / step_ns)):
            recorder.poses(replace(items[index % len(items)], index=index, t_ns=index * step_ns))
    return f"pose://{out}"


def leftovers(tmp: Path, pid: int) -> list[Path]:
    """What the run of a supervisor `pid` with TMPDIR `tmp` has left: folders, sockets, shared memory."""
    return [*tmp.iterdir(), *(path for path in Path("/dev/shm").iterdir() if f"-{pid}-" in path.name)]


class Ledger:
    """Keeps account of all that one subscriber is given (`newest=False`): what should never be lands in `wrong`."""

    def __init__(self, max_age_ms: int = 1000) -> None:
        self.max_age_ms = max_age_ms
        self.wrong: list[str] = []
        self.open: dict[tuple[str, str, str], int] = {}
        self.ended: set[tuple[str, str, str]] = set()
        self.given_up: set[tuple[str, str, str]] = set()
        """Ended by the reader itself: what goes on after a silence comes back as an update."""

    def note(self, message: Message) -> None:
        data = message.data
        kind = data.get("type")
        if message.kind == "action":
            key = (data["run"], message.topic, data["event"])
            if kind == "end":
                if key in self.ended:
                    self.wrong.append(f"{key} ended twice")
                self.ended.add(key)
                self.open.pop(key, None)
                if message.local:
                    self.given_up.add(key)
            elif kind == "update" and key in self.given_up:
                self.given_up.discard(key)
                self.ended.discard(key)
                self.open[key] = time.monotonic_ns()
            elif key in self.ended or (kind == "start" and key in self.open):
                self.wrong.append(f"{key}: {kind} though it had begun or ended")
            else:
                self.open.setdefault(key, time.monotonic_ns())
        live = data.get("state") not in (*SELF_TOLD, None) if message.kind == "state" else kind in ("start", "update")
        if live and not message.local and not 0 <= data["age_ms"] <= self.max_age_ms:
            self.wrong.append(f"{message.topic}: {data.get('state') or kind} of {data['age_ms']} ms ago")


def closed(subscriber: Subscriber, ledger: Ledger, timeout_s: float = 10) -> bool:
    """Whether everything that is open ends, at the latest when the reader hears nothing any more."""
    until = time.monotonic() + timeout_s
    while ledger.open and time.monotonic() < until:
        if (message := subscriber.recv(0.2)) is not None:
            ledger.note(message)
    return not ledger.open


def labels_in_force(control: str, timeout_s: float = 60) -> list[str]:
    """What an app looks for, once it answers; it is asked again while it is not there yet."""
    last = time.monotonic() + timeout_s
    while True:
        try:
            return ask(control, "labels.list")["labels"]
        except SourceError:  # which took two seconds
            if time.monotonic() > last:
                raise
