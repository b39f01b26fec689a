"""Processor time of one camera, from the picture to the decision: MediaPipe for every frame, against what ships.

    python -m benchmarks.camera_minute [--seconds 60] [--source URI] [--json FILE]

Three paths take the same frames in turn, in one process and on one core: MediaPipe in every frame; our networks in
every frame; and our networks where a live camera's process looks (`edge_app.pose.idle`). Each has a pose stage, windows
and events of its own; they share the encoder and the ranker. The drawing or decoding of pictures is not counted.
Processor time, not time on the clock.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the supervisor has it

import argparse
import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edge_app.app.bench.environment import environment
from edge_app.app.bench.run import SOURCE
from edge_app.bundles.files import write_text
from edge_app.camera import open_source
from edge_app.pose.choose import pose_backend
from edge_app.pose.idle import PoseStage
from edge_app.ranker.labels.actions import actions
from edge_app.recognizer import BackEnd, FrontEnd, Recognizer, decide
from edge_app.types import Frame, Poses

LABELS = 60
WARM_UP_S = 4.0
Estimate = Callable[[Frame, bool], Poses | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S")
    parser.add_argument("--source", default=f"{SOURCE}?loop=1", metavar="URI")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    seconds, paths = measure(arguments.source, arguments.seconds)
    result = {
        "schema": "camera-minute/1", "source": arguments.source, "seconds": seconds, "labels": LABELS, "paths": paths,
        "environment": environment(),
    }  # fmt: skip
    print(json.dumps({"seconds": seconds, "paths": paths}, indent=1))
    if arguments.json:
        write_text(arguments.json, json.dumps(result, indent=1) + "\n")


def measure(source: str, seconds: float) -> tuple[float, dict[str, Any]]:
    """For how long, in seconds, as far as the source goes; and of each path what a camera-minute costs.

    processor_s, pose_s: seconds of processor for a camera-minute, in all and for poses. of_mediapipe and so on: shares
    of the first path. a_look_of_mediapipe: one look at a picture, the median.
    """
    names = [action.name for action in actions()[:LABELS]]
    with ExitStack() as stack:
        stage = stack.enter_context(PoseStage("camera://0", 1))
        poses = {name: stack.enter_context(pose_backend(1, name)) for name in ("mediapipe", "auto")}
        ways: dict[str, Estimate] = {
            "MediaPipe, every frame": lambda frame, due: poses["mediapipe"].estimate(frame),
            "ours, every frame": lambda frame, due: poses["auto"].estimate(frame),
            "ours, as live": stage.estimate,
        }
        recognizer = Recognizer(names)
        encoder, ranker, spec = recognizer.encoder, recognizer.ranker, recognizer.bundle.spec
        paths = [(name, way, FrontEnd("cam", spec), BackEnd(encoder, ranker)) for name, way in ways.items()]
        spent: dict[str, list[tuple[float, float, bool]]] = {name: [] for name in ways}
        opened = stack.enter_context(open_source(source, realtime=False))
        while isinstance(frame := opened.read(), Frame) and frame.t_ns < (WARM_UP_S + seconds) * 1e9:
            for name, estimate, front, back in paths:
                begun = time.process_time()
                found = estimate(frame, front.due(frame.t_ns))
                posed = time.process_time()
                if found is not None:
                    decide(found, front.update(found), back)
                if frame.t_ns >= WARM_UP_S * 1e9:
                    spent[name].append((time.process_time() - begun, posed - begun, found is not None))
            last_ns = frame.t_ns
    measured = last_ns / 1e9 - WARM_UP_S
    rows = {name: np.array(values, float) for name, values in spent.items()}
    first = rows["MediaPipe, every frame"]
    return round(measured, 1), {
        name: {
            "processor_s": round(row[:, 0].sum() / measured * 60, 1),
            "pose_s": round(row[:, 1].sum() / measured * 60, 1),
            "looks_a_second": round(row[:, 2].sum() / measured, 1),
            "of_mediapipe": round(row[:, 0].sum() / first[:, 0].sum(), 3),
            "pose_of_mediapipe": round(row[:, 1].sum() / first[:, 1].sum(), 3),
            "a_look_of_mediapipe": round(float(np.median(row[row[:, 2] > 0, 1]) / np.median(first[:, 1])), 3),
            "ten_second_ratios": [round(a / b, 3) for a, b in zip(tens(row), tens(first), strict=True)],
        }
        for name, row in rows.items()
    }


def tens(row: np.ndarray) -> list[float]:
    """Processor time of each stretch of ten seconds, or of all if there are fewer."""
    return [float(part[:, 0].sum()) for part in np.array_split(row, max(len(row) // 300, 1))]


if __name__ == "__main__":
    main()
