"""Labelled skeleton clips: one flat bank of joints, and windows cut from it as fast as a network can eat them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from edge_app.types import Window
from edge_app.window.buffer import make_window, resample
from edge_app.window.skeleton import CORE15, WindowSpec

MISSING = -32768


@dataclass(frozen=True, slots=True)
class Quirks:
    """What has to be known about a set before it is trained on (train/EXPERIMENTS.md).

    fps: frames a second, where the file's figure cannot be right. swapped: left and right are the viewer's. turned:
    people face away from where a camera would stand. idle: people stand about before and after. most: clips of a label
    to train on, where there are very many that are alike. renamed: raw label -> concept, where `concepts.csv` has
    another motion. falls: raw labels of clips that begin with a fall and go on lying.
    """

    fps: float | None = None
    swapped: bool = False
    turned: bool = False
    idle: bool = False
    most: int | None = None
    renamed: tuple[tuple[str, str], ...] = ()
    falls: tuple[str, ...] = ()


SETS = {
    "kinder_gator": Quirks(idle=True),
    "msr_action3d": Quirks(),
    # At 30 frames a second heads come down to sit in 0.1 s, faster than they fall. 12 is INFERRED: people then sit down
    # in 0.25 s and walk with 1.5 steps a second.
    "nw_ucla": Quirks(fps=12.0),
    "utkinect": Quirks(),
    "bandai_namco": Quirks(turned=True),
    "penn_action": Quirks(swapped=True),
    "msrc12": Quirks(most=150),
    "kard": Quirks(),
    "cdta_gestures": Quirks(most=100),
    "realsense_falls": Quirks(
        turned=True,
        renamed=(
            ("lying on a bed", "lie still"),
            ("lying on the floor", "lie still"),
            ("sitting on a chair", "sit still"),
        ),
        falls=("falling onto a bed", "falling to the floor"),
    ),
    "cmu_subset": Quirks(),
    "deepmimic": Quirks(),
    "mesh2motion": Quirks(),
    "mocapcentral": Quirks(),
    "core_exercises": Quirks(),
}
"""The sets that may be trained on. Florence 3D and mixamo_dev are for measuring alone."""
MEASURED_SETS = ("florence3d", "mixamo_dev")


def listed(option: str | None) -> list[str]:
    """The names in an option of a command line, commas between."""
    return [name.strip() for name in (option or "").split(",") if name.strip()]


def sets_in(folder: Path) -> list[str]:
    """Those of `SETS` that are in a folder, in their order."""
    return [name for name in SETS if (folder / f"{name}.npz").is_file()]


@dataclass(frozen=True, slots=True)
class Clip:
    """One labelled clip.

    joints: float32 `[F, J, 4]`: metres (pixels where `flat`), world frame axes, and visibility.
    flat: two-dimensional; z is 0 and means nothing.
    filmed: what a camera and MediaPipe made of it, with their own errors; not to be turned any more.
    """

    dataset: str
    name: str
    concept: str
    subject: str
    fps: float
    flat: bool
    joints: np.ndarray
    filmed: bool = False


def load_concepts(path: Path) -> dict[tuple[str, str], str]:
    """(data set, raw label) -> concept, from `concepts.csv`."""
    with path.open(newline="", encoding="utf-8") as file:
        return {(row["dataset"], row["name"]): row["concept"] for row in csv.DictReader(file)}


def load_set(path: Path, concepts: dict[tuple[str, str], str] | None = None) -> list[Clip]:
    """A skeleton set in the format of DESIGN.md 8.

    Raises:
        UsageError: a key is missing or has the wrong shape.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            raw, off, label, names = data["X"], data["off"], data["label"], [str(name) for name in data["names"]]
            fps, dim = np.broadcast_to(data["fps"], label.shape), int(data["dim"])
            subject = data["subject"] if "subject" in data else np.zeros(len(label), np.int64)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"skeleton set {path}: {error}; expected an npz with X, off, label, names, fps, dim") from None
    if raw.ndim != 3 or raw.shape[1:] != (15, 3) or len(off) != len(label) + 1:
        raise UsageError(f"skeleton set {path}: X is {raw.shape}, off {off.shape}; expected [F, 15, 3] and [clips + 1]")
    quirks = SETS.get(path.stem, Quirks())
    fps = fps if quirks.fps is None else np.full(label.shape, quirks.fps)
    concepts = {**(concepts or {}), **{(path.stem, name): concept for name, concept in quirks.renamed}}
    joints = np.ones((*raw.shape[:2], 4), np.float32)
    if dim == 3:
        joints[..., :3] = raw.astype(np.float32) / 1000
        joints[..., 3] = (raw != MISSING).all(axis=-1)
    else:
        joints[..., :2] = -raw[..., :2]
        joints[..., 2] = 0
        joints[..., 3] = (raw[..., :2] != 0).any(axis=-1)
    joints[..., :3] *= joints[..., 3:]
    if quirks.swapped:
        joints = joints[:, CORE15.mirror]
    if quirks.turned:
        joints[..., [0, 2]] *= -1
    return [
        Clip(
            dataset=path.stem,
            name=names[label[i]],
            concept=concepts.get((path.stem, names[label[i]]), names[label[i]].lower()),
            subject=f"{path.stem}:{subject[i]}",
            fps=float(fps[i]),
            flat=dim == 2,
            joints=joints[off[i] : off[i + 1]],
        )
        for i in range(len(label))
    ]


def trim_idle(clip: Clip) -> Clip:
    """Cut the still ends off a clip: frames before and after the first and last motion above 15 % of its peak."""
    step = max(1, round(clip.fps / 6))
    if len(clip.joints) <= 4 * step:
        return clip
    moved = np.linalg.norm(clip.joints[step:, :, :3] - clip.joints[:-step, :, :3], axis=-1).mean(axis=1)
    lively = np.flatnonzero(moved > 0.15 * np.quantile(moved, 0.95))
    first, last = lively[0], lively[-1] + step + 1
    return replace(clip, joints=clip.joints[first : last + step])


def split_fall(clip: Clip) -> list[Clip]:
    """A clip that begins with a fall, in two: the fall with half a second after it, and lying still.

    The fall is over when the neck is within a tenth of its whole way from where it is lowest.
    """
    height = clip.joints[:, 1, 1]
    low, high = height.min(), height.max()
    down = int(np.argmax(height <= low + 0.1 * (high - low))) + round(clip.fps / 2)
    lying = replace(clip, concept="lie still", joints=clip.joints[down:])
    return [replace(clip, joints=clip.joints[:down]), *([lying] if len(lying.joints) > clip.fps else [])]


def some(clips: Sequence[Clip], most: int) -> list[Clip]:
    """At most so many of them, the same ones every time."""
    return [clips[i] for i in np.random.default_rng(0).permutation(len(clips))[:most]]


class Bank:
    """Clips laid end to end, for drawing windows from many at once.

    joints: float32 `[F, J, 4]`; clip i is `joints[off[i]:off[i + 1]]`. concept: int `[N]` into `concepts`.
    """

    def __init__(self, clips: Iterable[Clip], concepts: list[str] | None = None) -> None:
        self.clips = list(clips)
        self.concepts = concepts or sorted({clip.concept for clip in self.clips})
        index = {concept: i for i, concept in enumerate(self.concepts)}
        self.joints = np.concatenate([clip.joints for clip in self.clips])
        self.off = np.concatenate([[0], np.cumsum([len(clip.joints) for clip in self.clips])])
        self.fps = np.array([clip.fps for clip in self.clips], np.float32)
        self.flat = np.array([clip.flat for clip in self.clips])
        self.filmed = np.array([clip.filmed for clip in self.clips])
        self.concept = np.array([index[clip.concept] for clip in self.clips])
        self.dataset = np.array([clip.dataset for clip in self.clips])
        self.subject = np.array([clip.subject for clip in self.clips])

    def __len__(self) -> int:
        return len(self.clips)

    def seconds(self) -> np.ndarray:
        """Length of each clip, float `[N]`."""
        return (self.off[1:] - self.off[:-1] - 1) / self.fps

    def windows(
        self, clips: np.ndarray, start_s: np.ndarray, spec: WindowSpec, *, speed: np.ndarray | float = 1.0,
        hold: np.ndarray | bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        """A window of each named clip from `start_s` (of clip time; may lie before its begin) played at `speed`.

        Outside the clip samples are missing, or, where `hold`, its first and last pose held.

        Returns:
            float32 `[B, T, J, 4]` and valid, bool `[B, T]`.
        """
        length = self.off[clips + 1] - self.off[clips]
        seconds = np.arange(spec.length) / spec.rate_hz
        at = (np.asarray(start_s)[:, None] + seconds * np.reshape(speed, (-1, 1))) * self.fps[clips][:, None]
        last = (length - 1)[:, None]
        valid = (at >= -0.5) & (at <= last + 0.5) | np.reshape(hold, (-1, 1))
        at = at.clip(0, last)
        before = np.minimum(at.astype(np.int64), last)
        after = np.minimum(before + 1, last)
        part = (at - before)[..., None, None].astype(np.float32)
        base = self.off[clips][:, None]
        joints = self.joints[base + before] * (1 - part) + self.joints[base + after] * part
        return joints * valid[..., None, None], valid


SPEC = WindowSpec(seconds=2.0, rate_hz=16.0, skeleton=CORE15)


def clip_windows(clip: Clip, spec: WindowSpec) -> list[Window]:
    """Windows over a clip, half a second apart; one for a clip that is shorter than a window."""
    t_ns = np.round(np.arange(len(clip.joints)) * 1e9 / clip.fps).astype(np.int64)
    return windows_over(t_ns, clip.joints, spec, clip.fps)


def read_set(path: Path) -> list[Clip]:
    """A skeleton set, with its concepts where a `concepts.csv` lies beside it.

    Raises:
        UsageError: no such set, nothing in it, or an empty clip.
    """
    table = path.with_name("concepts.csv")
    clips = load_set(path, load_concepts(table) if table.is_file() else None)
    empty = [i for i, clip in enumerate(clips) if not len(clip.joints)]
    if empty or not clips:
        raise UsageError(f"skeleton set {path}: {f'clip {empty[0]} has no frame' if clips else 'no clip in it'}")
    return clips


STEP_S = 0.5


def windows_over(t_ns: np.ndarray, joints: np.ndarray, spec: WindowSpec, fps_in: float = 0.0) -> list[Window]:
    """Windows over a stretch of poses, half a second apart; one for a stretch that is shorter than a window."""
    first = min(t_ns[0] + int(spec.seconds * 1e9), t_ns[-1])
    return [
        make_window(*resample(t_ns, joints, int(end), spec), spec, camera="set", track=1, t_ns=int(end), fps_in=fps_in)
        for end in np.arange(first, t_ns[-1] + 1, int(STEP_S * 1e9))
    ]
