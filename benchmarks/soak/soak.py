"""The whole app for a long time under faults at random: `make soak SECONDS=300`.

Three cameras: a drawn person whose poses are found, and two recordings, all lost and one frozen now and then. At times
drawn from a seed, a stage is killed or stopped, a subscriber comes and goes, or one reads nothing. Beside all that
twenty subscribers check everything they are given, and that none of them missed an end. Ends with 1 where something was
wrong; writes soak.json and soak.svg beside this file. The last quarter goes without faults of stages and readers, so
that each process lives long enough to show whether its memory grows.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from edge_app.bundles.files import write_text
from edge_app.client import Message, Subscriber
from tests.running import SQUATS, Ledger, children, leftovers, repeat, running

HERE = Path(__file__).parent
FAULT_S = 20.0  # between faults of stages: less would spend the restart budget, which is no fault of the app
READERS = 20
LIVE = ("running", "idle", "unknown", "no_person")
CALM = 0.25  # of the time, at the end
SETTLE_S = 30.0  # before slopes are measured


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=HERE)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        result = soak(arguments.seconds, random.Random(arguments.seed), Path(folder))
    result = {"schema": "soak/1", "seed": arguments.seed, **result, "wrong": dict(Counter(result["wrong"]))}
    samples = result.pop("samples")
    write_text(arguments.out / "soak.json", json.dumps(result, indent=1) + "\n")
    write_text(arguments.out / "soak.svg", picture(samples, result["faults"]))
    print(json.dumps({key: value for key, value in result.items() if key != "faults"}, indent=1))
    return 1 if result["wrong"] else 0


def soak(seconds: float, dice: random.Random, folder: Path) -> dict[str, Any]:
    """Run it; everything that was counted."""
    tmp, endpoint = folder / "tmp", f"ipc://{folder}/stream"
    tmp.mkdir()
    recording = repeat(SQUATS, folder / "squats.mcap", seconds + 120)
    after, every = dice.uniform(20, 40), dice.uniform(50, 70)
    drawn = (
        f"fault://lost:after={after:.0f},for=4,every={every:.0f}/fault://freeze:after={after + 25:.0f},for=5,every=90/"
    )
    sources = (
        f"{drawn}person://squat,clap,wave?fps=10&size=320x240",
        f"fault://lost:after=30,for=3,every=45/{recording}",
        f"fault://lost:after=70,for=6,every=150/{recording}",
    )
    more = ("--set", "supervise.restarts=8", "--set", "camera.stride_s=0.2")
    with (
        (folder / "said").open("w") as log,
        running(endpoint, *sources, *more, env={**os.environ, "TMPDIR": str(tmp)}, stderr=log) as app,
    ):
        with ExitStack() as stack:
            readers = [stack.enter_context(Subscriber(endpoint, newest=False)) for _ in range(READERS)]
            outcome = _watch(app, readers, endpoint, seconds, dice)
        app.send_signal(signal.SIGTERM)
        code = app.wait(15)
        said = (folder / "said").read_text()
        left = [str(path) for path in leftovers(tmp, app.pid)]
    wrong = outcome.pop("wrong")
    wrong += [f"exit code {code}"] * bool(code) + [f"left behind: {path}" for path in left]
    wrong += [line for line in said.splitlines() if "Traceback" in line or "internal error" in line]
    return {**outcome, "wrong": wrong, "machine": f"{platform.machine()}, {os.cpu_count()} cores"}


def _watch(
    app: subprocess.Popen, readers: list[Subscriber], endpoint: str, seconds: float, dice: random.Random
) -> dict[str, Any]:
    samples, faults, ages = [], [], []
    stream, *others = readers
    ledger, *ledgers = (Ledger() for _ in readers)
    counts = {"messages": 0, "gaps": 0, "starts": 0, "ends": 0, "local_ends": 0, "visits": 0}
    last_status: dict[str, Any] = {}
    context = zmq.Context()
    idle: zmq.Socket | None = None
    while (message := stream.recv(60)) is None or message.local:
        if app.poll() is not None:
            return {"wrong": ["the app did not start"], "faults": [], "samples": [], **counts}
    begun = time.monotonic()
    due = {"fault": SETTLE_S, "sample": 0.0, "visit": 5.0}
    while (now := time.monotonic() - begun) < seconds and app.poll() is None:
        message = stream.recv(0.05)
        if message is not None:
            ledger.note(message)
            _count(message, counts)
            if message.kind == "status":
                last_status = message.data
            live = message.kind == "state" and message.data["state"] in LIVE and "cached" not in message.data
            if live and message.age_ms is not None:
                ages.append((now, message.age_ms))
        for other, own in zip(others, ledgers, strict=True):
            _drain(other, own)
        if now >= due["sample"]:
            due["sample"] = now + 5
            pids = {**children(app.pid), "supervisor": app.pid}
            samples.append({"s": round(now, 1), **{name: _cost(pid) for name, pid in pids.items()}})
        if now >= due["visit"]:  # a reader that comes, hears what is cached, and goes
            due["visit"] = now + dice.uniform(0.5, 2)
            counts["visits"] += 1
            with Subscriber(endpoint, context=context) as visitor:
                visitor.recv(0.02)
        if now >= due["fault"] and now < seconds * (1 - CALM):
            due["fault"] = now + dice.uniform(0.8, 1.4) * FAULT_S
            kind = dice.choice(["kill", "stop", "abort", "slow"])
            if not (stages := children(app.pid)):
                continue
            name = dice.choice(sorted(stages))
            faults.append({"s": round(now, 1), "fault": kind, "stage": name if kind != "slow" else "a reader"})
            if kind == "slow":
                if idle is not None:
                    idle.close(linger=0)
                idle = context.socket(zmq.SUB)
                idle.subscribe("")
                idle.connect(endpoint)
            else:
                how = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP, "abort": signal.SIGABRT}[kind]
                os.kill(stages[name], how)
    told = set.union(*(own.ended for own in (ledger, *ledgers)))
    _settle(stream, ledger, counts)
    for other, own in zip(others, ledgers, strict=True):
        _drain(other, own)
    context.destroy(linger=0)
    wrong = [line for own in (ledger, *ledgers) for line in own.wrong]
    wrong += ["a reader missed an end"] * sum(not told <= own.ended for own in (ledger, *ledgers))
    wrong += [f"{key} never ended" for key in ledger.open if key[0] != last_status.get("run")]
    wrong += [f"the app ended with {app.poll()}"] * (app.poll() is not None)
    half = [age for at, age in ages if at < seconds / 2], [age for at, age in ages if at >= seconds / 2]
    return {
        "seconds": seconds,
        **counts,
        "restarts": {name: row["restarts"] for name, row in last_status["stages"].items() if "restarts" in row},
        "reconnects": {name: row["reconnects"] for name, row in last_status["cameras"].items()},
        "counters": last_status["counters"],
        "false_freshness": sum("ms ago" in line for line in ledger.wrong),
        "age_p99_ms": [round(float(np.percentile(each, 99)), 1) if each else None for each in half],
        "rss_slope_mb_per_h": _slopes(samples, "rss_mb"),
        "fds": _range(samples, "fds"),
        "threads": _range(samples, "threads"),
        "faults": faults,
        "samples": samples,
        "wrong": wrong,
    }


def _count(message: Message, counts: dict[str, int]) -> None:
    counts["messages"] += not message.local
    counts["gaps"] += message.gap
    if message.kind == "action":
        kind = message.data["type"]
        counts["starts"] += kind == "start"
        counts["ends"] += kind == "end" and not message.local
        counts["local_ends"] += kind == "end" and message.local


def _drain(reader: Subscriber, ledger: Ledger) -> None:
    while (message := reader.recv(0)) is not None:
        ledger.note(message)


def _settle(stream: Subscriber, ledger: Ledger, counts: dict[str, int]) -> None:
    """Hear what is still on its way."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        if (message := stream.recv(0.1)) is not None:
            ledger.note(message)
            _count(message, counts)


def _cost(pid: int) -> dict[str, float] | None:
    try:
        rss = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
        fds, threads = len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return None
    return {"pid": pid, "rss_mb": round(rss, 2), "fds": fds, "threads": threads}


def _lives(samples: list[dict[str, Any]], key: str) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """(stage, pid) -> (second, value) of what it cost, without its first `SETTLE_S`, while models load."""
    lives: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for sample in samples:
        for name, cost in sample.items():
            if isinstance(cost, dict):
                lives.setdefault((name, cost["pid"]), []).append((sample["s"], cost[key]))
    return {who: [p for p in points if p[0] >= points[0][0] + SETTLE_S] for who, points in lives.items()}


def _slopes(samples: list[dict[str, Any]], key: str) -> dict[str, float]:
    """Of the longest life of each stage, where it is of a minute at least."""
    slopes: dict[str, tuple[float, float]] = {}
    for (name, _), points in _lives(samples, key).items():
        length = points[-1][0] - points[0][0] if points else 0.0
        if length >= 60 and length > slopes.get(name, (0.0, 0.0))[0]:
            slopes[name] = length, float(np.polyfit(*np.array(points).T, 1)[0]) * 3600
    return {f"{name} (over {length:.0f} s)": round(slope, 2) for name, (length, slope) in slopes.items()}


def _range(samples: list[dict[str, Any]], key: str) -> dict[str, list[float]]:
    """Least and most of each stage."""
    found: dict[str, list[float]] = {}
    for (name, _), points in _lives(samples, key).items():
        found.setdefault(name, []).extend(value for _, value in points)
    return {name: [min(values), max(values)] for name, values in found.items() if values}


def picture(samples: list[dict[str, Any]], faults: list[dict[str, Any]]) -> str:
    """Memory of each process over time as SVG; a line where a fault was put in."""
    width, height, top = 800, 300, 1.0
    end = max((sample["s"] for sample in samples), default=1.0) or 1.0
    curves: dict[str, list[tuple[float, float]]] = {}
    for sample in samples:
        for name, cost in sample.items():
            if isinstance(cost, dict):
                curves.setdefault(name, []).append((sample["s"], cost["rss_mb"]))
                top = max(top, cost["rss_mb"])
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height + 40}" font-family="sans-serif" '
        'font-size="12"><rect width="100%" height="100%" fill="white"/>'
    ]
    for fault in faults:
        x = fault["s"] / end * width
        title = f"{fault['fault']} {fault['stage']} at {fault['s']} s"
        parts.append(f'<path d="M{x:.1f} 0V{height}" stroke="#bbb"><title>{title}</title></path>')
    colours = ("#1b6ca8", "#d1495b", "#2e8b57", "#8a5fbf", "#b8860b")
    for index, (name, points) in enumerate(curves.items()):
        colour = colours[index % len(colours)]
        line = " ".join(f"{s / end * width:.1f},{height - mb / top * (height - 20):.1f}" for s, mb in points)
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        parts.append(f'<text x="{10 + 150 * index}" y="{height + 30}" fill="{colour}">{name}</text>')
    parts.append(f'<text x="4" y="12">{top:.0f} MB; grey: faults; {end:.0f} s</text></svg>')
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
