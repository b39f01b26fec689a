"""Several cameras before one app: decisions a second, age of labels at a reader, processor time.

    python -m benchmarks.cameras [--cameras 1,2,4,8] [--seconds 30] [--json FILE]

Every camera is a recording of the drawn person's poses, which plays in real time with 30 poses a second: what is
measured is all that follows the pose. The app runs as it always does, with a process for each camera; the reader has
its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.app.assemble import default_task
from edge_app.app.bench.environment import environment
from edge_app.app.bench.run import SAMPLE_S, SOURCE
from edge_app.app.bench.usage import Usage
from edge_app.app.processes.supervisor import run_app
from edge_app.bundles.files import write_text
from edge_app.camera import open_source
from edge_app.camera.recording import RecordingFile
from edge_app.client import Subscriber
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.types import Frame, Poses

FPS = 30
SCENE_S = 12
WARM_UP_S = 8.0
START_S = 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cameras", default="1,2,4,8", metavar="N,N")
    parser.add_argument("--seconds", type=float, default=30.0, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="edge-app-cameras-") as folder:
        recording = Path(folder) / "person.mcap"
        record(recording, START_S + WARM_UP_S + arguments.seconds)
        rows = [measure(int(n), recording, Path(folder), arguments.seconds) for n in arguments.cameras.split(",")]
    print(table(rows))
    if arguments.json:
        result = {"schema": "cameras/1", "seconds": arguments.seconds, "rows": rows, "environment": environment()}
        write_text(arguments.json, json.dumps(result, indent=1) + "\n")


def record(out: Path, seconds: float) -> None:
    """The poses of a drawn person, over and over."""
    with open_source(SOURCE, realtime=False) as source, PoseEstimator() as estimator:
        frames = [source.read() for _ in range(SCENE_S * FPS)]
        scene = [estimator.estimate(frame) for frame in frames if isinstance(frame, Frame)]
    with RecordingFile(out) as file:
        for index in range(round(seconds * FPS)):
            t_ns = round(index * 1e9 / FPS)
            poses = tuple(replace(pose, t_ns=t_ns) for pose in scene[index % len(scene)].poses)
            file.poses(Poses("cam", index, t_ns, poses))


def measure(cameras: int, recording: Path, folder: Path, seconds: float) -> dict[str, Any]:
    """One row: the app with so many cameras, for so long after a warm-up."""
    task = default_task(f"pose://{recording}", None, f"ipc://{folder}/stream-{cameras}")
    task = replace(task, sources=tuple((f"cam{i}", f"pose://{recording}") for i in range(1, cameras + 1)))
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    reader = context.Process(target=read, args=(task.publish, cameras, seconds, theirs), daemon=True)
    reader.start()
    usage, stop, heard = Usage(), threading.Event(), []

    def follow() -> None:
        if ours.recv() == "begin":
            usage.begin()
            while not ours.poll(SAMPLE_S):
                usage.sample()
            usage.end()
            heard.append(ours.recv())
        stop.set()

    follower = threading.Thread(target=follow)
    follower.start()
    run_app(task, stop=stop)
    follower.join()
    reader.join()
    ages = {camera: np.array(values) for camera, values in heard[0].items()}
    every = np.concatenate(list(ages.values()))
    recognizer = usage.cpu_s.get("recogniser", 0.0)
    return {
        "cameras": cameras, "decisions_per_s": round(len(every) / seconds, 1),
        "slowest_camera_per_s": round(min(map(len, ages.values())) / seconds, 1) if len(ages) == cameras else 0.0,
        "age_ms": {f"p{q}": round(float(np.percentile(every, q)), 1) for q in (50, 90, 99)},
        "recogniser_cpu_ms": round(1e3 * recognizer / len(every), 2),
        "cpu_ms": round(1e3 * sum(usage.cpu_s.values()) / len(every), 2),
        "rss_mib": round(sum(usage.rss_mib.values())),
    }  # fmt: skip


def read(endpoint: str, cameras: int, seconds: float, pipe: Connection) -> None:
    """Ages of labels in ms by camera, for so long after the warm-up; it begins when every camera has spoken."""
    ages: dict[str, list[float]] = {}
    newest: dict[str, int] = {}
    begin, until = float("inf"), time.monotonic() + START_S
    with Subscriber(endpoint, topics=("v1/",), newest=False) as stream:
        while (now := time.monotonic()) < until:
            message = stream.recv(0.1)
            if begin == float("inf") and len(newest) == cameras:
                begin, until = now + WARM_UP_S, now + WARM_UP_S + seconds
            if begin <= now and not ages:
                pipe.send("begin")
                ages = {camera: [] for camera in newest}
            if message is None or message.local or message.kind != "state" or message.data.get("cached"):
                continue
            camera, captured = message.data["camera"], message.data["t_capture_mono_ns"] or 0
            if captured > newest.get(camera, 0):  # a heartbeat tells of no new capture
                newest[camera] = captured
                if ages:
                    ages[camera].append((time.monotonic_ns() - captured) / 1e6)
    pipe.send(ages)


def table(rows: list[dict[str, Any]]) -> str:
    columns = ("cameras", "decisions a second", "of the slowest", "age p50", "p90", "p99, ms",
               "recogniser, CPU ms a decision", "all, CPU ms a decision", "memory, MiB")  # fmt: skip
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        age = row["age_ms"]
        lines.append(
            f"| {row['cameras']} | {row['decisions_per_s']} | {row['slowest_camera_per_s']} | {age['p50']} | "
            f"{age['p90']} | {age['p99']} | {row['recogniser_cpu_ms']} | {row['cpu_ms']} | {row['rss_mib']} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
