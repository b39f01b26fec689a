"""Draw generated motion from random views, run MediaPipe over it, and keep what it saw beside the truth.

    python -m train draw --out cache/drawn --clips 2000 --shard 0/2

Clip n is the same whichever shard draws it. Half of the clips act the generator's actions, half composed motion. Files
hold 25 clips each and appear only when whole: a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_app.bundles.files import whole
from edge_app.camera.person.actions import ACTIONS, perform
from edge_app.camera.person.draw import Camera, Look, Painter, Sensor
from edge_app.camera.person.kinematics import Body, core15
from edge_app.camera.person.motion import Style
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.pose.model_file import ensure_pose_model
from edge_app.types import Frame
from edge_app.window.normalize import lift
from edge_app.window.skeleton import CORE15
from train.data.extract import parse_shard
from train.synthetic.bank import DRAWN_FPS
from train.synthetic.compose import compose_whole_body

A_FILE = 25


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="folder of npz files")
    parser.add_argument("--clips", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="number of the first clip; 100,000 for held-out ones")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="do every N-th file, beginning with I")


@dataclass(frozen=True, slots=True)
class Drawn:
    """One clip as MediaPipe saw it, beside the truth.

    seed: of the motion: `compose(seed)` where action is "", else of style and body.
    joints: float32 `[T, 15, 4]`, what `edge_app.window.normalize.lift` makes of the frames where a person was found.
    t_s: float32 `[T]`, their times.
    truth: float32 `[T, 15, 3]`, metres, in the camera's axes (x to the picture's left, y up, z away).
    """

    action: str
    seed: int
    joints: np.ndarray
    t_s: np.ndarray
    truth: np.ndarray


def random_camera(rng: np.random.Generator) -> Camera:
    """Views as people set up cameras: across a room, on a desk, on a shelf; three in ten clips not from the front."""
    near = rng.random() < 0.35
    distance = rng.uniform(1.0, 2.0) if near else rng.uniform(2.2, 5.0)
    height = rng.uniform(1.1, 1.6) if near else rng.choice([rng.uniform(0.5, 1.6), rng.uniform(1.6, 2.6)], p=[0.7, 0.3])
    aim = 1.35 if near else rng.uniform(0.75, 1.05)
    if rng.random() < 0.5:
        yaw = rng.normal(0, 25)
    elif rng.random() < 0.8:
        yaw = rng.uniform(-100, 100)
    else:
        yaw = rng.uniform(-180, 180)
    size = [(640, 480), (640, 360), (360, 640)][rng.choice(3, p=[0.5, 0.3, 0.2])]
    return Camera(
        distance, height, yaw, float(np.degrees(np.arctan2(height - aim, distance))), rng.normal(0, 3),
        rng.uniform(1.0, 1.6) * (1.0 if size[0] > size[1] else 0.75), size,
    )  # fmt: skip


def draw_clip(number: int, estimator: PoseEstimator) -> Drawn:
    """Clip `number`: motion, view, looks and light follow from it alone."""
    rng = np.random.default_rng([number, 11])
    seed = 50_000_000 + number
    if number % 2:
        action = [*ACTIONS][number // 2 % len(ACTIONS)]
        body = Body.random(seed)
        joints = perform(action, rng.uniform(2.0, 4.5), DRAWN_FPS, style=Style.random(seed), body=body)
    else:
        action, body = "", Body.random(seed)
        joints = compose_whole_body(seed, DRAWN_FPS)[1]
    camera = random_camera(rng)
    light = rng.uniform(0.25, 0.6) if rng.random() < 0.25 else rng.uniform(0.6, 1.2)
    sensor = Sensor(light, rng.uniform(0, 18) * (rng.random() < 0.5), rng.uniform(0, 2) * (rng.random() < 0.3))
    painter = Painter(camera, Look.random(seed), body, sensor)
    estimator.reset()
    poses, kept = [], []
    for i, frame in enumerate(joints):
        found = estimator.estimate(Frame("drawn", i, round(i * 1e9 / DRAWN_FPS), painter.draw(frame))).poses
        if found:
            poses.append(found[0])
            kept.append(i)
    seen = lift(poses, CORE15) if poses else np.zeros((0, 15, 4), np.float32)
    truth = core15(camera.view(joints))[kept]
    return Drawn(action, seed, seen, np.array(kept, np.float32) / DRAWN_FPS, truth)


def run(arguments: argparse.Namespace) -> None:
    index, count = parse_shard(arguments.shard)
    ensure_pose_model()
    arguments.out.mkdir(parents=True, exist_ok=True)
    first = arguments.first // A_FILE
    files = range(first + index, first + arguments.clips // A_FILE, count)
    with PoseEstimator() as estimator:
        for n in tqdm(files, desc="files of drawn clips", disable=None):
            path = arguments.out / f"{n:05d}.npz"
            if path.is_file():
                continue
            clips = [draw_clip(n * A_FILE + i, estimator) for i in range(A_FILE)]
            with whole(path) as partial:
                np.savez(
                    partial,
                    joints=np.concatenate([c.joints for c in clips]), truth=np.concatenate([c.truth for c in clips]),
                    t_s=np.concatenate([c.t_s for c in clips]), off=np.cumsum([0, *(len(c.t_s) for c in clips)]),
                    action=np.array([c.action for c in clips]), seed=np.array([c.seed for c in clips]),
                )  # fmt: skip
