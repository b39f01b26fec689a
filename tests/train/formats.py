"""Writers of files in the formats of the data sets that are not at hand (METHODS.md 8), for tests.

`write_ntu_folder` makes a small folder in NTU's format that a whole run can learn from: each class has its own limb,
direction and pace. Nothing here is anybody's recording.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

STANDING = np.array([
    [0, 0, 0], [0, 0.28, 0], [0, 0.62, 0], [0, 0.75, 0],
    [-0.18, 0.5, 0], [-0.22, 0.24, 0], [-0.24, 0, 0], [-0.25, -0.07, 0],
    [0.18, 0.5, 0], [0.22, 0.24, 0], [0.24, 0, 0], [0.25, -0.07, 0],
    [-0.09, -0.03, 0], [-0.1, -0.42, 0], [-0.1, -0.8, 0], [-0.1, -0.87, -0.1],
    [0.09, -0.03, 0], [0.1, -0.42, 0], [0.1, -0.8, 0], [0.1, -0.87, -0.1],
    [0, 0.54, 0], [-0.26, -0.14, 0], [-0.22, -0.06, -0.04], [0.26, -0.14, 0], [0.22, -0.06, -0.04],
])  # fmt: skip
"""Somebody who stands and faces the sensor, NTU25: metres, x to their right, y up, the base of the spine the origin."""
LIMBS = {"left_arm": [5, 6, 7, 21, 22], "right_arm": [9, 10, 11, 23, 24], "legs": [13, 14, 17, 18], "head": [2, 3]}


def acting(action: int, frames: int, rng: np.random.Generator, *, x: float = 0.0) -> np.ndarray:
    """Somebody 3 m away who moves as action `action` (from 1) does: float64 `[frames, 25, 3]`, the sensor's axes."""
    limb = list(LIMBS.values())[action % len(LIMBS)]
    axis, speed = action // len(LIMBS) % 3, 0.5 + 0.5 * (action // (3 * len(LIMBS)))
    joints = np.repeat(STANDING[None], frames, axis=0) * rng.uniform(0.9, 1.1)
    swing = 0.25 * np.sin(2 * np.pi * speed * np.arange(frames) / 30 + rng.uniform(0, 6))
    joints[:, limb, axis] += swing[:, None]
    return joints + rng.normal(0, 0.005, joints.shape) + [x + rng.normal(0, 0.1), 0, 3.0]


def skeleton_text(frames: Sequence[Sequence[tuple[int, np.ndarray]]], *, odd: str = "0.5") -> str:
    """A `.skeleton` file: for each frame, its bodies as (number, joints `[25, 3]`). `odd`: depth and colour values."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for number, joints in bodies:
            lines += [f"{number} 0 1 1 0 1 0 0.04 -0.3 2", str(len(joints))]
            lines += [f"{x:.7g} {y:.7g} {z:.7g} {odd} {odd} {odd} {odd} 0 0 0 0 2" for x, y, z in joints]
    return "\n".join(lines) + "\n"


def body_frames(joints: np.ndarray, number: int = 72057594037931101) -> list[list[tuple[int, np.ndarray]]]:
    """One body throughout: what `skeleton_text` takes, of `[F, 25, 3]`."""
    return [[(number, pose)] for pose in joints]


def write_ntu_folder(
    folder: Path, *, actions: Iterable[int] = range(1, 61), subjects: Iterable[int] = (1, 2, 3, 6),
    cameras: Iterable[int] = (1, 2), setups: Iterable[int] = (1, 2), replications: Iterable[int] = (1,),
    frames: int = 40, seed: int = 0,
) -> list[Path]:  # fmt: skip
    """One file for each combination, in NTU's format: two people in A50 to A60 and from A106 on, else one.

    Some of everything that real files have is in them: ghosts, numbers that change, frames with nobody. Subjects 1
    and 2 train in the cross-subject protocol, 3 and 6 are its test. Returns the paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    paths = []
    for setup in setups:
        for camera in cameras:
            for subject in subjects:
                for replication in replications:
                    for action in actions:
                        name = f"S{setup:03}C{camera:03}P{subject:03}R{replication:03}A{action:03}.skeleton"
                        paths.append(folder / name)
                        paths[-1].write_text(skeleton_text(_ntu_frames(action, frames, rng)))
    return paths


def _ntu_frames(action: int, frames: int, rng: np.random.Generator) -> list[list[tuple[int, np.ndarray]]]:
    two = 50 <= action <= 60 or action > 105
    actors = [acting(action, frames, rng, x=x) for x in ([-0.5, 0.5] if two else [0.0])]
    number = int(rng.integers(1, 2**56))
    ugly = rng.integers(6)
    if ugly == 0:
        ghost = rng.uniform(-0.2, 0.2, (25, 3)) * [3, 0.5, 1] + [1.5, -0.5, 2.5]
        actors.append(np.repeat(ghost[None], frames, axis=0))
    out = []
    for frame in range(frames):
        switched = ugly == 1 and frame >= frames // 2
        here = [(number + i + 10 * switched, actor[frame]) for i, actor in enumerate(actors)]
        out.append([] if ugly == 2 and frame in (0, frames // 3) else here)
    return out


def write_pku_folder(folder: Path, *, videos: Iterable[int] = (2, 3), views: str = "LMR", frames: int = 200) -> None:
    """Streams, labels and both lists in PKU-MMD's format (METHODS.md 8.3): three actions a stream."""
    skeletons, labels = folder / "skeleton", folder / "label"
    skeletons.mkdir(parents=True)
    labels.mkdir()
    names = [f"{video:04}-{view}" for video in videos for view in views]
    rng = np.random.default_rng(0)
    for n, name in enumerate(names):
        stream = np.zeros((frames, 2, 25, 3))
        stream[:, 0] = acting(n, frames, rng)
        stream[100:150, 1] = acting(n, 50, rng, x=0.6)
        np.savetxt(skeletons / f"{name}.txt", stream.reshape(frames, 150), fmt="%.5f")
        (labels / f"{name}.txt").write_text(f"{n % 51 + 1},1,40,2\n14,101,150,2\n51,160,{frames},1\n")
    train = [name for name in names if name.startswith(f"{min(videos):04}")]
    write_pku_list(folder / "cross-subject.txt", train, [name for name in names if name not in train])
    write_pku_list(folder / "cross-view.txt", [n for n in names if n[-1] != "L"], [n for n in names if n[-1] == "L"])


def write_pku_list(path: Path, train: Sequence[str], validation: Sequence[str]) -> None:
    text = f"Training videos:\n{', '.join(train)}, \n\nValidataion videos:\n{', '.join(validation)}\n"
    path.write_text(text)


def openpose_person(x: float, score: float) -> dict[str, list[float]]:
    """A standing person of OpenPose's 18 keypoints as Kinetics-skeleton has them."""
    places = [
        (0, -0.3), (0, -0.2), (-0.05, -0.2), (-0.06, -0.1), (-0.06, 0), (0.05, -0.2), (0.06, -0.1), (0.06, 0),
        (-0.03, 0), (-0.03, 0.2), (-0.03, 0.4), (0.03, 0), (0.03, 0.2), (0.03, 0.4),
        (-0.01, -0.31), (0.01, -0.31), (-0.02, -0.3), (0.02, -0.3),
    ]  # fmt: skip
    pose = [round(value, 3) for dx, dy in places for value in (x + dx, 0.5 + dy)]
    return {"pose": pose, "score": [score] * 18}


def write_kinetics_folder(folder: Path, *, clips: int = 6, frames: int = 30) -> None:
    """Clips and label files of both parts in the format of Kinetics-skeleton (METHODS.md 8.5)."""
    names = ["abseiling", "air drumming", "answering questions"]
    for part in ("train", "val"):
        home = folder / f"kinetics_{part}"
        home.mkdir(parents=True)
        listed = {}
        for n in range(clips):
            key, empty = f"{part}_{n:03}", n == clips - 1
            label = {"label": names[n % 3], "label_index": n % 3}
            here = [] if empty else [openpose_person(0.3 + 0.01 * n, 0.8), openpose_person(0.7, 0.4)]
            data = [{"frame_index": t, "skeleton": here} for t in range(1, frames + 1)]
            (home / f"{key}.json").write_text(json.dumps({"data": data, **label}))
            listed[key] = {**label, "has_skeleton": not empty}
        (folder / f"kinetics_{part}_label.json").write_text(json.dumps(listed))
