"""`edge-app bench`: what every stage costs, and how old a label is when a subscriber in this process reads it.

The app runs as it always does, under its supervisor, in processes of its own. Ages are from the capture stamp to the
moment of reading, on the one monotonic clock of the machine.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from edge_app import __version__
from edge_app.client import Subscriber
from edge_app.errors import SourceError
from edge_app.metrics import percentiles
from edge_app.supervisor import AppTask, run_app

SOURCE = "person://wave,squat,clap,walk in place,jumping jack,bow"
STAGES = ("pose", "window", "encoder", "ranker", "events", "publisher")
START_S = 60.0


def bench(task_at: Callable[[str], AppTask], *, seconds: float, out: Path | None) -> int:
    """Measure for `seconds` after the first label message; print a table, and write `bench/1` JSON to `out`.

    task_at: what to run, given the endpoint where it is to publish.

    Raises:
        SourceError: no message came.
    """
    with tempfile.TemporaryDirectory(prefix="edge-app-bench-") as folder:
        endpoint = f"ipc://{Path(folder) / 'stream'}"
        task = task_at(endpoint)
        stop, outcome = threading.Event(), {}
        listener = threading.Thread(target=lambda: outcome.update(_listen(endpoint, seconds, stop)))
        listener.start()
        code = run_app(task, stop=stop)
        stop.set()
        listener.join()
    source = task.sources[0][1]
    if code or not outcome["ages"]:
        if code:
            return code
        raise SourceError(f"bench: no message from {source} within {START_S:.0f} s")
    result = _result(source, task.ranker, seconds, outcome)
    _print(result)
    if out is not None:
        out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    return 0


def _listen(endpoint: str, seconds: float, stop: threading.Event) -> dict[str, Any]:
    """Ages in ms of every state message, and the last status."""
    ages: list[float] = []
    status: dict[str, Any] = {}
    until, begun = time.monotonic() + START_S, False
    with Subscriber(endpoint, newest=False) as subscriber:
        while time.monotonic() < until and not stop.is_set():
            message = subscriber.recv(0.2)
            if message is None or message.local:
                continue
            if message.topic.endswith("/status"):
                status = message.data
            elif message.topic.endswith("/state") and not message.data.get("cached"):
                captured = message.data["t_capture_mono_ns"]
                if captured is None:
                    continue
                if not begun:
                    begun, until = True, time.monotonic() + seconds
                ages.append((time.monotonic_ns() - captured) / 1e6)
    stop.set()
    return {"ages": ages, "status": status}


def _result(source: str, ranker: str, seconds: float, outcome: dict[str, Any]) -> dict[str, Any]:
    status = outcome["status"]
    keys = ("count", "p50_ms", "p90_ms", "p99_ms", "max_ms")
    stages = {
        name: {key: row[key] for key in keys} for name in STAGES if "p99_ms" in (row := status["stages"].get(name, {}))
    }
    return {
        "schema": "bench/1",
        "source": source,
        "ranker": ranker,
        "seconds": seconds,
        "stages": stages,
        "glass_to_label": percentiles(outcome["ages"]),
        "counters": status["counters"],
        "cameras": status["cameras"],
        "provider": status["provider"],
        "bundle": status["bundle"],
        "environment": {
            "edge_app": __version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "packages": {name: version(name) for name in ("mediapipe", "onnxruntime", "numpy", "pyzmq")},
        },
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _print(result: dict[str, Any]) -> None:
    print(f"{result['source']}, {result['seconds']:.0f} s, {result['provider']}, {result['environment']['processor']}")
    print(f"{'stage':16}{'count':>8}{'p50 ms':>10}{'p90 ms':>10}{'p99 ms':>10}{'max ms':>10}")
    rows = {**result["stages"], "glass to label": result["glass_to_label"]}
    for name, row in rows.items():
        print(f"{name:16}{row['count']:8d}" + "".join(f"{row[f'{k}_ms']:10.2f}" for k in ("p50", "p90", "p99", "max")))
    sys.stdout.flush()
