"""What a teacher of real videos makes of recorded poses, for the encoder to learn from: no labels are needed.

    python -m train extract --videos ../shared/videos --out cache/poses
    python -m train teacher --recordings cache/poses --names ../shared/text/skeletics152.csv --out cache/teacher.npz \\
        --weights ../shared/weights/skeletics152_scratch_ShiftGCN_joint.pt \\
                  ../shared/weights/skeletics152_ntu120_then_ShiftGCN_joint.pt

The teacher is Shift-GCN as "Quo Vadis, Skeleton Action Recognition?" (IJCV 2021, MIT licence) trained it on
Skeletics-152: 152 actions in ordinary web videos, skeletons by VIBE. How poses of MediaPipe are laid out for it is
INFERRED from the weights' own input statistics and from what it then says of videos whose action is known.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from edge_app.bundles.files import whole
from edge_app.camera.recording import read_recording
from edge_app.errors import UsageError
from edge_app.types import Pose, Poses
from edge_app.window.normalize import LEAN_DEG, lift
from edge_app.window.skeleton import CORE15
from train.data.clips import Bank, Clip
from train.data.texts import ConceptTexts
from train.models.shiftgcn import ShiftGCN, frozen, load_weights

RATE_HZ = 30.0
FRAMES = 300
"""That the network reads; what is not filled is zero."""
FILLED = 204
"""Frames to which a shorter clip is repeated: the share that was filled in its training, by `data_bn`'s statistics."""
STRETCH_S, STEP_S, GAP_S = 6.0, 3.0, 0.5
"""The teacher sees six seconds, begun every three; a gap this long begins a new stretch."""
SHORTEST_S = 1.0
PELVIS = (0.0, -0.247, 0.024)
"""Where SMPL's pelvis lies, in metres; the origin that the network knows."""


def vibe_joints(world: np.ndarray) -> np.ndarray:
    """MediaPipe's world landmarks as VIBE's 25 joints in the camera's axes, x to the right, y down, z away.

    Args:
        world: `[F, 33, 3]`, metres, world frame (x to the left, y up, z away).

    Returns:
        float32 `[F, 25, 3]`, the body turned upright by `LEAN_DEG` as `lift` does.
    """
    at = world.swapaxes(0, 1)
    middle = lambda left, right: (at[left] + at[right]) / 2  # noqa: E731
    pelvis, shoulders, ears = middle(23, 24), middle(11, 12), middle(7, 8)
    thorax = shoulders + 0.13 * (ears - shoulders)
    up = ears - thorax
    head = [thorax + 1.68 * up, thorax + 1.37 * up, *at[[0, 2, 5, 7, 8]]]
    trunk = [pelvis + 0.6 * (thorax - pelvis), pelvis]
    body = [
        *head,
        thorax,
        thorax + 0.31 * up,
        *at[[12, 14, 16, 11, 13, 15]],
        *trunk,
        *at[[24, 26, 28, 23, 25, 27, 32, 31]],
    ]
    x, y, z = np.moveaxis(np.stack(body, axis=1) - pelvis[:, None], -1, 0)
    c, s = np.cos(np.radians(LEAN_DEG)), np.sin(np.radians(LEAN_DEG))
    return (np.stack([-x, s * z - c * y, s * y + c * z], axis=-1) + PELVIS).astype(np.float32)


class TeacherNetwork:
    """Shift-GCN over one body in 300 frames, the absent second one added as the constant that it is."""

    def __init__(self, model: ShiftGCN) -> None:
        self._model = frozen(model)
        with torch.inference_mode():
            self._absent = self._model.body(torch.zeros(1, 3, FRAMES, 25), 1)

    @torch.inference_mode()
    def __call__(self, body: np.ndarray) -> np.ndarray:
        """Joints of `vibe_joints`, 30 a second -> shares of the classes, float32 `[classes]`."""
        filled = min(FRAMES, max(FILLED, len(body)))
        clip = np.zeros((FRAMES, 25, 3), np.float32)
        clip[:filled] = body[np.arange(filled) % len(body)]
        feature = (self._model.body(torch.from_numpy(clip).permute(2, 0, 1)[None], 0) + self._absent) / 2
        return self._model.fc(feature)[0].softmax(dim=0).numpy()


def stretches(poses: Sequence[Pose]) -> Iterator[Sequence[Pose]]:
    """Poses of one person, at most `STRETCH_S` at a time, none with a gap in it."""
    t_s = np.array([pose.t_ns for pose in poses]) / 1e9
    for part in np.split(np.arange(len(poses)), np.flatnonzero(np.diff(t_s) > GAP_S) + 1):
        for start in np.arange(t_s[part[0]], max(t_s[part[-1]] - STEP_S, t_s[part[0]]) + 1e-6, STEP_S):
            own = part[(t_s[part] >= start) & (t_s[part] <= start + STRETCH_S)]
            if t_s[own[-1]] - t_s[own[0]] >= SHORTEST_S:
                yield [poses[i] for i in own]


def evenly(t_s: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values `[F, …]` at times `[F]`, linearly at `RATE_HZ`."""
    at = np.arange(t_s[0], t_s[-1] + 1e-6, 1 / RATE_HZ)
    after = np.searchsorted(t_s, at - 1e-6).clip(1, len(t_s) - 1)
    part = ((at - t_s[after - 1]) / (t_s[after] - t_s[after - 1])).clip(0, 1).reshape(-1, *[1] * (values.ndim - 1))
    return (values[after - 1] * (1 - part) + values[after] * part).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Lessons:
    """What `train teacher` kept: stretches as clips, and the teacher's shares of its classes, float32 `[N, C]`."""

    clips: list[Clip]
    shares: np.ndarray
    names: tuple[str, ...]

    def without(self, concepts: Iterable[str]) -> Lessons:
        """Lessons that say nothing of classes that mean the same as one of the concepts."""
        names, others = list(self.names), list(concepts)
        if not others:
            return self
        pooled, told = (ConceptTexts(texts).pooled(texts) for texts in (names, others))
        alike = (pooled @ told.T > SAME).any(axis=1)
        shares = self.shares * ~alike + 1e-9
        kept = (self.shares * ~alike).sum(axis=1) > 0.5
        return Lessons(
            [clip for clip, keep in zip(self.clips, kept, strict=True) if keep],
            (shares / shares.sum(axis=1, keepdims=True))[kept].astype(np.float32),
            self.names,
        )


SAME = 0.97
"""Cosine of pooled texts from which a class of the teacher and a concept are the same."""


def load_lessons(path: Path) -> Lessons:
    """Raises UsageError for what is no file of `train teacher`."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            joints, off, shares = saved["joints"], saved["off"], saved["shares"]
            names, sources = saved["names"].tolist(), saved["source"].tolist()
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"--teacher {path}: {error}; expected a file of `train teacher`") from None
    clips = [
        Clip("lessons", source, source, f"lessons:{source}", RATE_HZ, False, joints[start:end], filmed=True)
        for source, start, end in zip(sources, off[:-1], off[1:], strict=True)
    ]
    return Lessons(clips, shares, tuple(names))


class Distillation:
    """Windows of the lessons' clips, and the cross-entropy of the encoder's text head with the teacher's shares."""

    def __init__(self, lessons: Lessons) -> None:
        self.bank = Bank(lessons.clips)
        self._shares = torch.from_numpy(lessons.shares)
        self._texts = ConceptTexts(lessons.names)

    def texts(self, rng: np.random.Generator) -> np.ndarray:
        """A fresh mixture of each class's texts: float32 `[C, E]`."""
        return self._texts.sample(np.arange(len(self._texts.index)), rng)

    def loss(self, logits: Tensor, picked: np.ndarray) -> Tensor:
        """logits: `[B, C]` over `texts`; picked: int `[B]`, the clip of each."""
        return functional.cross_entropy(logits, self._shares[picked])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--recordings", type=Path, nargs="+", required=True, help="folders of `train extract`")
    parser.add_argument("--weights", type=Path, nargs="+", required=True, help="joint streams; their mean teaches")
    parser.add_argument("--names", type=Path, required=True, help="CSV file with a column name: the classes in order")
    parser.add_argument("--out", type=Path, required=True, help="npz to write")
    parser.add_argument("--threads", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    networks = [TeacherNetwork(load_weights(path)) for path in arguments.weights]
    with arguments.names.open(newline="", encoding="utf-8") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    joints, shares, sources = [], [], []
    files = sorted(path for folder in arguments.recordings for path in folder.glob("[!.]*.mcap"))
    if not files:
        raise UsageError(f"--recordings {' '.join(map(str, arguments.recordings))}: no recording there")
    for path in tqdm(files, "teacher", disable=None):
        poses = [pose for item in read_recording(path) if isinstance(item, Poses) for pose in item.poses[:1]]
        for part in stretches(poses) if poses else ():
            t_s = np.array([pose.t_ns for pose in part]) / 1e9
            body = evenly(t_s, vibe_joints(np.array([pose.world for pose in part])))
            shares.append(np.mean([network(body) for network in networks], axis=0))
            joints.append(evenly(t_s, lift(part, CORE15)))
            sources.append(path.stem)
    if shares and len(shares[0]) != len(names):
        raise UsageError(f"--names {arguments.names}: {len(names)} classes; the weights have {len(shares[0])}")
    with whole(arguments.out) as partial:
        np.savez(
            partial, joints=np.concatenate(joints), off=np.cumsum([0, *map(len, joints)]), shares=np.stack(shares),
            source=np.array(sources), names=np.array(names),
        )  # fmt: skip
    print(f"{arguments.out}: {len(shares)} stretches of {len(set(sources))} recordings")
