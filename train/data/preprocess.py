"""Prepared clips as the papers' encoders read them: Shift-GCN's "P1" and the 50 frames of "P3" (METHODS.md 7.1, 8.3).

A prepared clip holds at most two people, already chosen by `train.data.bodies`. Everything is in metres; what is not
there is zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from edge_app.window.skeleton import NTU25
from train.data.prepared import read_prepared

LONGEST = 300
SPINE_BASE, SPINE_MID, NECK, LEFT, RIGHT = (
    NTU25.joints.index(name)
    for name in ("spine_base", "spine_mid", "spine_shoulder", "left_shoulder", "right_shoulder")
)


def p1(joints: np.ndarray, frames: int, dataset: str, gaps: bool = False) -> np.ndarray:
    """Shift-GCN's own: `[M, T, 25, 3]` -> float32 `[2, frames, 25, 3]` (METHODS.md 7.1, "P1").

    Each person begins with their first frame and is repeated to the end. Of a person who is not in the first frame all
    empty frames go, those in the middle too, as in the authors' code; with `gaps`, ours, these stay. The first person's
    SpineMid is the origin of every frame. In the first frame the spine is +z and the shoulders, left to right, are +x.
    """
    clip = np.stack([_repeated(person, frames, gaps) for person in _two(joints)])
    return _turned(_centred(clip, clip[:1, :, SPINE_MID : SPINE_MID + 1])).astype(np.float32)


def p3(joints: np.ndarray, frames: int, dataset: str) -> np.ndarray:
    """AimCLR's and SMIE's, for ST-GCN: `[M, T, 25, 3]` -> float32 `[2, frames, 25, 3]` (METHODS.md 8.3, "P3").

    NTU and PKU-MMD alike: the middle 300 frames up to the last with anybody (INFERRED), each person's SpineShoulder the
    origin of each of their frames, resized in time as OpenCV does it, then each person in each frame turned about y
    until the shoulders, left to right, lie along +x.
    """
    clip = _two(joints)
    there = np.flatnonzero(clip.any(axis=(0, 2, 3)))
    clip = clip[:, : there[-1] + 1] if len(there) else clip
    spare = max(0, clip.shape[1] - LONGEST) // 2
    clip = clip[:, spare : spare + LONGEST]
    clip = resized(clip - clip[:, :, NECK : NECK + 1], frames)
    across = clip[:, :, RIGHT] - clip[:, :, LEFT]
    length = np.hypot(across[..., 0], across[..., 2])
    unit = np.where(length > 1e-6, across.transpose(2, 0, 1) / np.maximum(length, 1e-6), [[[1.0]], [[0.0]], [[0.0]]])
    (cosine, sine), (x, y, z) = unit[::2, :, :, None], clip.transpose(3, 0, 1, 2)
    return np.stack([cosine * x + sine * z, y, cosine * z - sine * x], axis=-1).astype(np.float32)


def resized(clip: np.ndarray, frames: int) -> np.ndarray:
    """`[M, T, ...]` -> `[M, frames, ...]`, linear, the middles of frames being where they are, as in `cv2.resize`."""
    length = clip.shape[1]
    at = ((np.arange(frames) + 0.5) * length / frames - 0.5).clip(0, length - 1)
    before = at.astype(int)
    after, part = np.minimum(before + 1, length - 1), (at - before)[:, None, None]
    return clip[:, before] * (1 - part) + clip[:, after] * part


def _two(joints: np.ndarray) -> np.ndarray:
    """float64 `[2, T, 25, 3]`."""
    two = np.zeros((2, *joints.shape[1:]))
    two[: len(joints)] = joints[:2]
    return two


def _repeated(person: np.ndarray, frames: int, gaps: bool) -> np.ndarray:
    there = np.flatnonzero(person.any(axis=(1, 2)))
    if not len(there):
        return np.zeros((frames, *person.shape[1:]))
    person = person[there[0] : there[-1] + 1] if gaps or there[0] == 0 else person[there]
    return person[np.arange(frames) % len(person)]


def _centred(clip: np.ndarray, origin: np.ndarray) -> np.ndarray:
    return (clip - origin) * clip.any(axis=-1, keepdims=True)


def _turned(clip: np.ndarray) -> np.ndarray:
    clip = clip @ turn_onto(clip[0, 0, SPINE_MID] - clip[0, 0, SPINE_BASE], np.array([0.0, 0.0, 1.0])).T
    return clip @ turn_onto(clip[0, 0, RIGHT] - clip[0, 0, LEFT], np.array([1.0, 0.0, 0.0])).T


@dataclass(frozen=True)
class Clips:
    """A prepared set in memory, cross-subject.

    joints: a clip each, `[M, T, 25, 3]`. label: int `[N]`. train, test: bool `[N]`. group: str `[N]`, who acts, or the
    stream where the data set does not say; clips of one group look alike.
    """

    dataset: str
    names: tuple[str, ...]
    joints: list[np.ndarray]
    label: np.ndarray
    train: np.ndarray
    test: np.ndarray
    group: np.ndarray

    def __len__(self) -> int:
        return len(self.label)


def load_clips(folder: Path) -> Clips:
    """A prepared set, whole in memory: NTU-120 takes some 4 GB.

    Raises:
        UsageError: no prepared set, one of another layout, or one without the lists of the cross-subject protocol.
    """
    joints: list[np.ndarray] = []
    label, train, test, group = [], [], [], []
    for shard in read_prepared(folder):
        if shard.layout != NTU25.name:
            raise UsageError(f"prepared set {folder}: layout {shard.layout} found, {NTU25.name} expected")
        if not {"xsub_train", "xsub_test"} <= set(shard.parts):
            found = ", ".join(shard.parts) or "none"
            raise UsageError(f"prepared set {folder}: parts {found} found, xsub_train and xsub_test expected")
        joints += [shard.clip(i) for i in range(len(shard))]
        label.append(shard.label)
        train.append(shard.in_part[:, shard.parts.index("xsub_train")])
        test.append(shard.in_part[:, shard.parts.index("xsub_test")])
        streams = [str(name).partition("-")[0] for name in shard.name]
        group.append(np.where(shard.subject < 0, streams, shard.subject.astype(str)))
    if not joints:
        raise UsageError(f"prepared set {folder}: no clips found")
    arrays = (np.concatenate(parts) for parts in (label, train, test, group))
    return Clips(shard.dataset, shard.names, joints, *arrays)


def turn_onto(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The smallest rotation, `[3, 3]`, that brings the direction `source` onto the unit vector `target`.

    None where they point the same way or, as in the authors' code, opposite ways.
    """
    axis = np.cross(source, target)
    sine, cosine = float(np.linalg.norm(axis)), float(source @ target)
    if sine < 1e-6:
        return np.eye(3)
    angle, (x, y, z) = np.arctan2(sine, cosine), axis / sine
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
