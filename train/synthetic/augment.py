"""What a webcam and MediaPipe do to a skeleton, done to clean clips (METHODS.md 8.6; the figures are ours)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from edge_app.window.normalize import normalize
from edge_app.window.skeleton import CORE15, WindowSpec
from train.data.clips import Bank
from train.synthetic.sensor_noise import SensorNoise

ARMS = ((4, 5), (7, 8))
LEGS = (10, 11, 13, 14)
HIPS = (0, 9, 12)


@dataclass(frozen=True)
class AugmentConfig:
    """Probabilities and ranges; angles in degrees, lengths in metres of the standard body.

    pitch: below 0 the head comes nearer, as it seems to from a camera that looks down, and to MediaPipe.
    head: its distance from the neck, times; what a set calls "head" is anything from the chin to the crown.
    camera: windows with the errors of `train.synthetic.sensor_noise` in place of most of the others.
    """

    speed: tuple[float, float] = (0.75, 1.3)
    hold: float = 0.5
    yaw: float = 75.0
    pitch: tuple[float, float] = (-35.0, 15.0)
    roll: float = 8.0
    mirror: float = 0.5
    flatten: float = 0.35
    depth_scale: tuple[float, float] = (0.3, 1.1)
    stretch: float = 0.1
    bone: float = 0.08
    offset: float = 0.02
    head: tuple[float, float] = (0.7, 1.4)
    jitter: float = 0.012
    drift: float = 0.03
    camera: float = 0.5
    no_legs: float = 0.2
    no_hips: float = 0.5
    lost_arm: float = 0.08
    lost_joint: float = 0.02
    lost_frames: float = 0.1


@cache
def sensor() -> SensorNoise:
    return SensorNoise.load()


def draw_starts(
    bank: Bank, clips: np.ndarray, spec: WindowSpec, rng: np.random.Generator, speed: np.ndarray
) -> np.ndarray:
    """Where windows begin: anywhere inside a long clip; a short one lies anywhere inside the window."""
    spare = bank.seconds()[clips] - spec.seconds * speed
    return rng.uniform(0, 1, len(clips)) * spare


def _rotations(rng: np.random.Generator, count: int, config: AugmentConfig) -> np.ndarray:
    ranges = ((-config.yaw, config.yaw), config.pitch, (-config.roll, config.roll))
    yaw, pitch, roll = (np.radians(rng.uniform(*limits, count)) for limits in ranges)
    zero, one = np.zeros(count), np.ones(count)
    around_y = np.array([[np.cos(yaw), zero, np.sin(yaw)], [zero, one, zero], [-np.sin(yaw), zero, np.cos(yaw)]])
    around_x = np.array(
        [[one, zero, zero], [zero, np.cos(pitch), -np.sin(pitch)], [zero, np.sin(pitch), np.cos(pitch)]]
    )
    around_z = np.array([[np.cos(roll), -np.sin(roll), zero], [np.sin(roll), np.cos(roll), zero], [zero, zero, one]])
    return np.einsum("ijb,jkb,klb->bil", around_z, around_x, around_y).astype(np.float32)


def _slow_noise(rng: np.random.Generator, batch: int, steps: int, joints: int) -> np.ndarray:
    """Noise that wanders over about half a second, unit variance: `[B, T, J, 3]`."""
    knots = max(3, steps // 8 + 2)
    points = rng.standard_normal((batch, knots, joints, 3), np.float32)
    at = np.linspace(0, knots - 1.001, steps)
    before = at.astype(int)
    part = (at - before)[None, :, None, None].astype(np.float32)
    return points[:, before] * (1 - part) + points[:, before + 1] * part


PATHS = np.zeros((15, 15), np.float32)
"""Which bones lead from the root to each joint: a row a joint, a column for the bone that ends in each joint."""
for _joint, _parent in enumerate(CORE15.parents):
    PATHS[_joint] = PATHS[_parent]
    PATHS[_joint, _joint] = 1


def _other_proportions(xyz: np.ndarray, rng: np.random.Generator, spread: float) -> np.ndarray:
    """Every bone longer or shorter by a factor, the same left and right: sets define and measure joints differently."""
    factor = np.exp(spread * rng.standard_normal((len(xyz), 15), np.float32))
    factor = 0.5 * (factor + factor[:, CORE15.mirror])
    bones = (xyz - xyz[:, :, CORE15.parents]) * factor[:, None, :, None]
    return xyz[:, :, :1] + np.einsum("jk,btkc->btjc", PATHS, bones)


def training_windows(
    bank: Bank, clips: np.ndarray, spec: WindowSpec, rng: np.random.Generator, config: AugmentConfig = AugmentConfig()
) -> np.ndarray:
    """One augmented window of each named clip, as the encoder reads it: float32 `[B, T, J, 4]`."""
    count, steps, joints = len(clips), spec.length, len(spec.skeleton.joints)
    chance = lambda p, *shape: rng.random((count, *shape), np.float32) < p  # noqa: E731
    speed = rng.uniform(*config.speed, count)
    windows, valid = bank.windows(
        clips, draw_starts(bank, clips, spec, rng, speed), spec, speed=speed, hold=chance(config.hold)
    )
    flat, filmed = bank.flat[clips], bank.filmed[clips]
    xyz, seen = windows[..., :3], windows[..., 3].copy()

    root = xyz[:, :, :1].mean(axis=1, keepdims=True)
    whole = seen.all(axis=(1, 2)) & ~filmed
    xyz[whole] = _other_proportions(xyz[whole], rng, config.bone)
    head = rng.uniform(*config.head, (count, 1, 1)).astype(np.float32)
    xyz[whole, :, 2] = xyz[whole, :, 1] + head[whole] * (xyz[whole, :, 2] - xyz[whole, :, 1])
    shift = config.offset * rng.standard_normal((count, 1, joints, 3), np.float32)
    turn = _rotations(rng, count, config)
    turn[flat | filmed] = np.eye(3, dtype=np.float32)
    xyz = np.einsum("btjc,bdc->btjd", xyz - root, turn)
    mirrored = chance(config.mirror)
    xyz[mirrored] = xyz[mirrored][:, :, CORE15.mirror] * np.array([-1, 1, 1], np.float32)
    seen[mirrored] = seen[mirrored][:, :, CORE15.mirror]
    xyz *= rng.uniform(1 - config.stretch, 1 + config.stretch, (count, 1, 1, 3)).astype(np.float32)

    unit = np.where(flat, np.maximum(np.ptp(xyz[..., 1], axis=(1, 2)), 1e-3) / 1.6, 1.0)[:, None, None, None]
    level = rng.uniform(0.3, 1.7, (count, 1, 1, 1)).astype(np.float32)
    level[filmed] *= 0.3
    camera = ~(flat | filmed) & chance(config.camera)
    if camera.any():
        strength = rng.uniform(0.3, 1.0, int(camera.sum()))
        xyz[camera], seen[camera] = sensor().apply(xyz[camera], seen[camera], rng, strength)
        level[camera] *= 0.3
    xyz += shift * level * unit
    xyz += (config.jitter * level * unit) * rng.standard_normal(xyz.shape, np.float32)
    xyz += (config.drift * level * unit) * _slow_noise(rng, count, steps, joints)
    depth = rng.uniform(*config.depth_scale, count) * ~(flat | chance(config.flatten))
    depth[(filmed | camera) & (depth > 0)] = 1
    xyz[..., 2] *= depth[:, None, None].astype(np.float32)

    no_legs = chance(config.no_legs)
    _hide(seen, no_legs, LEGS)
    _hide(seen, no_legs & chance(config.no_hips), HIPS)
    for arm in ARMS:
        _hide(seen, chance(config.lost_arm), arm)
    seen *= ~chance(config.lost_joint, 1, joints)
    cut = chance(config.lost_frames)
    ends = rng.integers(steps // 4, steps, count)
    valid &= ~(cut[:, None] & (np.arange(steps) < (steps - ends)[:, None]))

    windows = np.concatenate([xyz, seen[..., None]], axis=-1)
    return np.stack([normalize(windows[i], valid[i], spec.skeleton) for i in range(count)])


def _hide(seen: np.ndarray, windows: np.ndarray, joints: Iterable[int]) -> None:
    """Joints of some windows, bool `[B]`, are seen no more: `[B, T, J]`, in place."""
    for joint in joints:
        seen[windows, :, joint] = 0


def plain_windows(bank: Bank, clips: np.ndarray, spec: WindowSpec) -> np.ndarray:
    """Windows without augmentation, three evenly over each clip: float32 `[B, 3, T, J, 4]`."""
    out = []
    for part in (0.25, 0.5, 0.75):
        start = part * (bank.seconds()[clips] - spec.seconds)
        windows, valid = bank.windows(clips, start, spec)
        out.append(np.stack([normalize(w, v, spec.skeleton) for w, v in zip(windows, valid, strict=True)]))
    return np.stack(out, axis=1)
