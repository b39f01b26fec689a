"""`edge-app bench`: what every stage costs, and how old a label is when a subscriber in another process reads it.

The source plays in real time whether we keep up or not (open loop), and a decision is due every `stride_s` of it. Each
one counts from the moment when its frame was due, also where it came late or never: its answer is then the next label.
So a stall shows as every decision that waited for its end, not as one slow one.

The app runs as it always does, under its supervisor, in processes of its own; the subscriber has one too. All stamps
are on the one monotonic clock of the machine.
"""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

from edge_app.app.bench.picture import draw_latencies, draw_strip
from edge_app.app.bench.report import by_schedule, print_result, result
from edge_app.app.bench.subscriber import Heard, subscribe
from edge_app.app.bench.usage import Usage
from edge_app.app.metrics import read_trace
from edge_app.app.processes.supervisor import AppTask, run_app
from edge_app.bundles.files import write_text
from edge_app.bundles.user_folders import short_folder
from edge_app.errors import SourceError, UsageError

SOURCE = "person://wave,squat,clap,walk in place,jumping jack,bow"
WARM_UP_S = 5.0
SAMPLE_S = 0.2


def bench(
    task_at: Callable[[str], AppTask], *, seconds: float, out: Path | None, pictures: Path | None,
    warm_up_s: float = WARM_UP_S,
) -> int:  # fmt: skip
    """Measure for `seconds` after the warm-up; print a table, write `bench/1` JSON to `out` and SVG into `pictures`.

    task_at: what to run, given the endpoint where it is to publish.

    Raises:
        SourceError: no label came after the warm-up. UsageError: less than a second; a file cannot be written.
    """
    if not seconds >= 1:
        raise UsageError(f"--seconds {seconds:g}: at least 1 is allowed")
    with tempfile.TemporaryDirectory(prefix="edge-app-bench-", dir=short_folder(40)) as folder:
        trace = Path(folder) / "trace"
        task = replace(task_at(f"ipc://{Path(folder) / 'stream'}"), trace=trace)
        code, heard, usage, stopped = _measure(task, warm_up_s, seconds)
        if code:
            return code
        if heard is None or not heard.labels or heard.labels[0][0] >= heard.end_ns:
            if stopped:
                return 0
            raise SourceError(f"bench: no label from {task.sources[0][1]} after the warm-up; is the source too short?")
        stages = read_trace(trace, heard.begin_ns, heard.end_ns)
    schedule = by_schedule(heard, round(task.settings.camera.stride_s * 1e9))
    measured = result(task, heard, schedule, stages, usage)
    print_result(measured)
    if out is not None:
        write_text(out, json.dumps(measured, indent=1) + "\n", parents=False)
    if pictures is not None:
        delays = {**stages, "glass to label": schedule.delay_ms}
        write_text(pictures / "latency.svg", draw_latencies(delays))
        write_text(pictures / "strip.svg", draw_strip(schedule, task.settings.camera.stride_s * 1e3))
    return 0


def _measure(task: AppTask, warm_up_s: float, seconds: float) -> tuple[int, Heard | None, Usage, bool]:
    """Run the app with a subscriber beside it; its exit code, what was heard, what it used, and whether a signal
    stopped it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    subscriber = context.Process(target=subscribe, args=(task.publish, warm_up_s, seconds, theirs), daemon=True)
    subscriber.start()
    theirs.close()
    usage, stop, outcome = Usage(), threading.Event(), []

    def follow() -> None:
        try:
            outcome.append(_follow(ours, usage))
        finally:
            stop.set()

    follower = threading.Thread(target=follow)
    follower.start()
    stopped = False
    try:
        code = run_app(task, stop=stop)
        stopped = stop.is_set() and not outcome
    finally:
        with suppress(OSError):  # where it has told all, it has gone
            ours.send("stop")
        follower.join()
        subscriber.join()
    return code, outcome[0], usage, stopped


def _follow(pipe: Connection, usage: Usage) -> Heard | None:
    """Watch what the app uses while the subscriber listens."""
    try:
        said = pipe.recv()
        if said == "begin":
            usage.begin()
            while not pipe.poll(SAMPLE_S):
                usage.sample()
            usage.end()
            said = pipe.recv()
        return said
    except EOFError:  # the subscriber died
        return None
