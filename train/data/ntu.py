"""NTU RGB+D 60 and 120: `.skeleton` text files as clips, and the official protocols. Formats: METHODS.md 8.1, 8.2.

Files are full of bodies that are none (furniture), of people whose number changes while they act, and of frames with
nobody. `people` sorts that out after CTR-GCN (METHODS.md 7.1, "P2"); `train.data.bodies` has the papers' own ways.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from edge_app.window.skeleton import NTU25

FPS = 30.0
JOINTS = len(NTU25.joints)
REACH_M = 20.0
"""A coordinate beyond this is no place that the sensor can see, and the joint is missing. INFERRED."""
SHORT, WIDE, WIDE_SHARE, MOTION = 11, 0.8, 0.69754, (0.089925, 2.0)
"""Limits of `denoise`, as CTR-GCN's code has them; those of motion stand there behind a return, never reached."""
TRAIN_SUBJECTS = (
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38, 45, 46, 47, 49, 50, 52, 53, 54, 55, 56,
    57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95, 97, 98, 100, 103,
)  # fmt: skip
"""METHODS.md 1.6. Those up to 40 are NTU-60's, which has no others."""
_NAME = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class NtuName:
    """What the name SsssCcccPpppRrrrAaaa of a clip says; every number counts from 1."""

    setup: int
    camera: int
    subject: int
    replication: int
    action: int

    @property
    def label(self) -> int:
        """Index of the class, from 0."""
        return self.action - 1


@dataclass(frozen=True, slots=True)
class Body:
    """What the sensor followed under one number. frames: int `[n]`, rising. joints: float64 `[n, 25, 3]`, metres.

    A missing joint is zero. place: int `[n]`, from 0, in each frame's list of bodies.
    """

    frames: np.ndarray
    joints: np.ndarray
    place: np.ndarray

    @property
    def motion(self) -> float:
        return motion(self.joints)


def motion(joints: np.ndarray) -> float:
    """CTR-GCN's measure: the variance of all points `[..., 3]`, summed over the axes; metres squared."""
    return float(joints.reshape(-1, 3).var(axis=0).sum())


def parse_name(name: str) -> NtuName:
    """Raises UsageError unless `name` (without folder, with or without suffix) is SsssCcccPpppRrrrAaaa, A to 120."""
    found = _NAME.fullmatch(name.removesuffix(".skeleton"))
    numbers = [int(part) for part in found.groups()] if found else [0]
    if min(numbers) < 1 or numbers[-1] > 120:
        raise UsageError(f"NTU clip {name!r:.80}: expected a name like S001C001P001R001A001, with actions up to A120")
    return NtuName(*numbers)


def read_missing(path: Path) -> frozenset[str]:
    """Names of the clips that the authors advise to leave out: 302 of NTU-60, 535 of NTU-120.

    The lists are published with the data sets' code, in the repository shahroudy/NTURGB-D ("samples with missing
    skeletons"), and are not part of this project. Any text in which the names stand will do.

    Raises:
        UsageError: no such file, or no clip named in it.
    """
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"list of missing skeletons {path}: {error.strerror or error}") from None
    names = frozenset(found.group() for found in _NAME.finditer(text))
    if not names:
        raise UsageError(f"list of missing skeletons {path}: no name like S001C001P001R001A001 found in it")
    return names


def xsub(subject: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-subject: masks of training and test clips, bool `[N]`, from their subjects. NTU-60 and NTU-120."""
    train = np.isin(subject, TRAIN_SUBJECTS)
    return train, ~train


def xview(camera: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-view, NTU-60: cameras 2 and 3 train, camera 1 is the test."""
    return np.isin(camera, (2, 3)), np.asarray(camera) == 1


def xset(setup: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cross-setup, NTU-120: even setups train."""
    train = np.asarray(setup) % 2 == 0
    return train, ~train


def read_bodies(path: Path) -> tuple[int, list[Body]]:
    """The number of frames of a `.skeleton` file, and every body in it, in the order in which they appear.

    Only x, y and z are read of a joint. One that is not finite, or out of all reach, is missing.

    Raises:
        UsageError: one line with the file, its line, what was found and what is expected there.
    """
    try:
        lines = path.read_text("ascii", errors="replace").rstrip().split("\n")
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    at = 0

    def take(count: int, what: str) -> list[str]:
        nonlocal at
        if at == len(lines):
            raise UsageError(f"{path}: ends after line {at}, where {what} is expected; the file is cut off")
        values = lines[at].split()
        at += 1
        if len(values) != count:
            raise UsageError(f"{path}, line {at}: {len(values)} values found, {count} expected ({what})")
        return values

    def whole(value: str, what: str) -> int:
        if not (value.isascii() and value.isdigit() and len(value) < 20):
            raise UsageError(f"{path}, line {at}: {value!r:.40} found, {what} expected, a whole number")
        return int(value)

    frames = whole(take(1, "the number of frames")[0], "the number of frames")
    seen: dict[tuple[int, int], list[tuple[int, int, list[list[float]]]]] = {}
    for frame in range(frames):
        here: list[int] = []
        for _ in range(whole(take(1, "the number of bodies")[0], "the number of bodies")):
            number = whole(take(10, "a body's number and states")[0], "a body's number")
            joints = whole(take(1, "the number of joints")[0], "the number of joints")
            if joints != JOINTS:
                raise UsageError(f"{path}, line {at}: {joints} joints found, {JOINTS} expected")
            xyz = []
            for _ in range(JOINTS):
                values = take(12, "a joint")
                try:
                    xyz.append([float(value) for value in values[:3]])
                except ValueError:
                    xyz.append([coordinate(value, f"{path}, line {at}") for value in values[:3]])
            seen.setdefault((number, here.count(number)), []).append((frame, len(here), xyz))
            here.append(number)
    if at < len(lines):
        raise UsageError(f"{path}, line {at + 1}: more text found after the last of {frames} frames; nothing expected")
    return frames, [_body(poses) for poses in seen.values()]


def coordinate(value: str, place: str) -> float:
    """A float; what Windows writes for none, such as "-1.#IND" or "-nan(ind)", is NaN.

    Raises:
        UsageError: `place`, and what was found there.
    """
    try:
        return float(value)
    except ValueError:
        if re.fullmatch(r"[-+]?(1\.#\w+|nan(\(\w*\))?)", value, re.IGNORECASE):
            return math.nan
        raise UsageError(f"{place}: {value!r:.40} found, a coordinate in metres expected") from None


def _body(poses: list[tuple[int, int, list[list[float]]]]) -> Body:
    frames, place, xyz = (np.array(each) for each in zip(*poses, strict=True))
    return Body(frames, without_wild(xyz), place)


def without_wild(joints: np.ndarray) -> np.ndarray:
    """Joints `[..., 3]` in metres, with every joint zero that is not finite or farther away than `REACH_M`."""
    fine = (np.abs(joints) < REACH_M).all(axis=-1, keepdims=True)
    return np.where(fine, joints, 0.0)


def denoise(bodies: list[Body]) -> list[Body]:
    """The bodies that are people, the liveliest first: CTR-GCN's rules (METHODS.md 7.1 "P2") and, ours, its limits of
    motion, which its released code never reaches. A single one is kept. `train.data.bodies.ctr_gcn` is as released.

    Out goes what is followed for no more than `SHORT` frames; what is wider than `WIDE` of its height in `WIDE_SHARE`
    of its frames; and what moves too little or too much. A rule that would leave nobody is passed over (INFERRED).
    """
    bodies = [body for body in bodies if body.joints.any()]
    if len(bodies) > 1:
        bodies = [body for body in bodies if len(body.frames) > SHORT] or bodies
    if len(bodies) > 1:
        bodies = [body for body in bodies if wide(body).mean() < WIDE_SHARE] or bodies
    if len(bodies) > 1:
        bodies = [body for body in bodies if MOTION[0] <= body.motion <= MOTION[1]] or bodies
    return sorted(bodies, key=lambda body: -body.motion)


def wide(body: Body) -> np.ndarray:
    """Frames in which a body is wider than `WIDE` of its height, bool `[n]`."""
    across = np.ptp(body.joints, axis=1)
    return across[:, 0] > WIDE * across[:, 1]


def people(frames: int, bodies: list[Body]) -> np.ndarray:
    """At most two people of all the bodies in a clip: float32 `[M, frames, 25, 3]`, M 0 to 2, the livelier first.

    The liveliest bodies are taken that never make it three at once. A body goes on with a person whose own ended
    before, for the sensor gives a person another number when it has lost them; where two could be meant, the one whose
    spine is nearer (INFERRED: CTR-GCN takes the livelier). Where nobody is seen, joints are zero.
    """
    crowd = np.zeros(frames, int)
    kept: list[Body] = []
    for body in denoise(bodies):
        if crowd[body.frames].max() < 2:
            crowd[body.frames] += 1
            kept.append(body)
    spine = NTU25.joints.index("spine_mid")
    found: list[np.ndarray] = []
    for body in sorted(kept, key=lambda body: int(body.frames[0])):
        free = [person for person in found if not person[body.frames].any()]
        if not free and len(found) == 2:
            continue
        if not free:
            free = [np.zeros((frames, JOINTS, 3), np.float32)]
            found += free
        start = body.joints[0, spine]
        away = [np.linalg.norm(person[person.any(axis=(1, 2)), spine][-1:] - start) for person in free]
        free[int(np.argmin(away))][body.frames] = body.joints
    order = sorted(found, key=lambda person: -motion(person[person.any(axis=(1, 2))]))
    return np.stack(order) if order else np.zeros((0, frames, JOINTS, 3), np.float32)


def read_clip(path: Path) -> np.ndarray:
    """The people of a `.skeleton` file: float32 `[M, T, 25, 3]`, M 0 to 2, T its frames, 30 a second.

    Metres, in the sensor's axes: x to the sensor's left, y up, z away from it (METHODS.md 8.6); the sensor is the
    origin. A joint, or a person in a frame, that is not there is all zero. M is 0 where nobody is in the clip.

    Raises:
        UsageError: as `read_bodies`.
    """
    return people(*read_bodies(path))
