"""The pose landmarker's networks as ONNX files, from the one pose model.

    python -m export pose --out runs/pose
    python -m export pose --golden edge_app/pose/golden.npz

The app makes what it needs by itself; this is for whoever wants the files elsewhere.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edge_app.bundles.files import whole
from edge_app.errors import UsageError
from edge_app.pose.figure import draw_figure
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.pose.networks import NETWORKS, ensure_network
from edge_app.types import Frame


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, metavar="DIR", help="write the networks here")
    parser.add_argument("--golden", type=Path, metavar="NPZ", help="what MediaPipe sees in the self-test's figure")


def run(arguments: argparse.Namespace) -> None:
    if not (arguments.out or arguments.golden):
        raise UsageError("nothing to write; allowed: --out DIR, --golden NPZ")
    for kind, precision in NETWORKS if arguments.out else ():
        path = ensure_network(kind, precision, arguments.out)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")
    if arguments.golden:
        with PoseEstimator(video=False) as estimator:
            (pose,) = estimator.estimate(Frame("figure", 0, 0, draw_figure())).poses
        with whole(arguments.golden) as partial:
            np.savez(partial, image=pose.image, world=pose.world, visibility=pose.visibility)
        print(arguments.golden)
