"""What comes after the pose, against the pose, on one core: processor time of a second with 30 frames and 10 decisions.

    python -m benchmarks.after_pose [--labels 120] [--seconds 20] [--json FILE]

A drawn person, drawn before the clock starts, is watched with the parts that `edge-app run` runs: MediaPipe for each
frame; then for each decision the window, the hand-over between processes, and the recognizer's encoder, ranker, events
and publisher, with a subscriber that reads. Processor time, not time on the clock, and no label is ever too old: other
work on the machine disturbs little. Then the ranker alone over lists of labels.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the supervisor has it

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import zmq

from edge_app.app.bench.environment import environment
from edge_app.app.bench.run import SOURCE
from edge_app.app.processes.handover import pack, unpack
from edge_app.app.processes.recognizer import RecognizerProcess, RecognizerTask
from edge_app.app.settings import Settings
from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import DEFAULT
from edge_app.camera import open_source
from edge_app.client import Subscriber
from edge_app.encoder import load_encoder
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.load import load_ranker
from edge_app.recognizer import FrontEnd
from edge_app.stream.publisher import PublishConfig
from edge_app.types import CameraReport, Feature, Frame

FPS, STRIDE = 30, 3
WARM_UP = 2 * FPS
SIZES = (12, 60, 120, 1000, 10_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=int, default=120, metavar="N")
    parser.add_argument("--seconds", type=float, default=20.0, metavar="S")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    bundle = load_bundle(DEFAULT)
    result = {
        "schema": "after-pose/1", "labels": arguments.labels, "seconds": arguments.seconds,
        "path": path(bundle, arguments.labels, arguments.seconds), "ranker_ms": rankers(bundle, SIZES),
        "environment": environment(),
    }  # fmt: skip
    print(json.dumps({key: value for key, value in result.items() if key != "environment"}, indent=1))
    if arguments.json:
        write_text(arguments.json, json.dumps(result, indent=1) + "\n")


def path(bundle: Bundle, labels: int, seconds: float) -> dict[str, Any]:
    """Medians in ms of processor time, and the ratio of a second's decisions to its poses, with its quartiles.

    The quartiles are over stretches of one second: what their decisions took to what their poses took.
    """
    with open_source(SOURCE, realtime=False) as source:
        frames = [source.read() for _ in range(12 * FPS)]
    names = [Label(action.name) for action in actions()[:labels]]
    settings = Settings(publish=PublishConfig(max_age_ms=10**7))
    spent: dict[str, list[int]] = {"pose": [], "window": [], "hand-over": [], "recogniser": []}
    front = FrontEnd("cam", bundle.spec)
    with tempfile.TemporaryDirectory() as folder, PoseEstimator() as estimator, zmq.Context() as context:
        endpoint = f"ipc://{folder}/stream"
        task = RecognizerTask(DEFAULT, tuple(names), "scale", "auto", endpoint, (("cam", ""),), settings)
        recognizer = RecognizerProcess(task, context)
        with Subscriber(endpoint) as subscriber:
            start_ns = time.monotonic_ns()
            for index in range(WARM_UP + round(seconds * FPS)):
                frame = frames[index % len(frames)]
                assert isinstance(frame, Frame)
                t_ns = start_ns + round(index * 1e9 / FPS)
                time.sleep(max(t_ns - time.monotonic_ns(), 0) / 1e9)
                begun = time.process_time_ns()
                poses = estimator.estimate(replace(frame, index=index, t_ns=t_ns))
                spent["pose"].append(time.process_time_ns() - begun)
                stamps = [time.process_time_ns()]
                seen = front.update(poses)
                stamps.append(time.process_time_ns())
                if not seen.due:
                    continue
                report = CameraReport("cam", "running", 0, t_ns, seen.fps, index, 0, seen.windows)
                report = unpack(pack(report))
                stamps.append(time.process_time_ns())
                recognizer.take(report)
                recognizer.tick()
                stamps.append(time.process_time_ns())
                for stage, ns in zip(("window", "hand-over", "recogniser"), np.diff(stamps), strict=True):
                    spent[stage].append(int(ns))
                while subscriber.recv(0) is not None:
                    pass
        recognizer.close()
    pose = np.array(spent.pop("pose")[WARM_UP:]) / 1e6
    after = {stage: np.array(values[WARM_UP // STRIDE :]) / 1e6 for stage, values in spent.items()}
    whole = sum(after.values())
    ratios = [
        whole[i * FPS // STRIDE : (i + 1) * FPS // STRIDE].sum() / pose[i * FPS : (i + 1) * FPS].sum()
        for i in range(len(pose) // FPS)
    ]
    inside = {name: row["p50_ms"] for name, row in recognizer.times.summary().items()}
    return {
        "pose_ms": _round(np.median(pose)),
        "after_ms": {stage: _round(np.median(values)) for stage, values in after.items()},
        "recogniser_clock_ms": inside,
        "decision_ms": _round(np.median(whole)),
        "ratio": _round(np.median(ratios)),
        "ratio_quartiles": [_round(value) for value in np.percentile(ratios, [25, 75])],
    }


def rankers(bundle: Bundle, sizes: tuple[int, ...]) -> dict[str, float]:
    """Median processor time of one ranking, by number of labels; these have made-up embeddings."""
    blank, encoder = load_ranker(bundle, "scale"), load_encoder(bundle)
    features = [Feature(None, encoder.vector(window)) for window in bundle.golden()["windows"]]  # type: ignore[arg-type]
    found = {}
    for size in sizes:
        ranker = blank.with_labels(made_up(size))
        spent = []
        for turn in range(60 if size <= 1000 else 12):
            begun = time.process_time_ns()
            ranker.rank([features[turn % len(features)]])
            spent.append(time.process_time_ns() - begun)
        found[str(size)] = _round(np.median(spent) / 1e6)
    return found


def made_up(size: int) -> LabelTable:
    vectors = np.random.default_rng(size).normal(size=(size, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(size))
    return LabelTable(1, labels, "made-up", tuple((Text("name", label.name),) for label in labels), vectors)


def _round(value: float) -> float:
    return round(float(value), 4)


if __name__ == "__main__":
    main()
