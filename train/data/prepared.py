"""Prepared sets: what `train prepare` makes of any data set, a folder of npz files that say themselves what is in them.

    for shard in read_prepared(folder):
        test = shard.in_part[:, shard.parts.index("xsub_test")]
        for i in np.flatnonzero(test):
            joints, name = shard.clip(i), shard.names[shard.label[i]]

`prepared.json` says how many npz files belong to the set. A file appears only when it is whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.files import whole, write_text
from edge_app.errors import UsageError

FORMAT = "prepared/1"
PLAN = "prepared.json"
ABOUT = """\
Clips of skeletons. N clips here, F poses in all, V joints, P parts of the data set, K classes of the whole set.
joints float32 [F, V, 3]: poses of clip i are off[i]:off[i + 1], to be read as [people[i], frames[i], V, 3].
  Layout ntu25: metres, right-handed, y up, x to the right of somebody who faces the sensor, z away from the sensor;
  the sensor is the origin. Other layouts: x and y (down) in pixels, and a score. What is not there is all zero.
off int64 [N + 1]; people, frames int64 [N].
label int64 [N]: index into names, str [K]. name str [N]: of the clip, as its data set calls it.
subject, camera, setup, replication int64 [N]: as the data set counts them, -1 where it does not say.
parts str [P], in_part bool [N, P]: which parts of the protocols a clip belongs to.
dropped_name, dropped_why, dropped_detail str [D]: what was left out here.
dataset, layout str; fps float64: poses a second.
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A clip on its way into a prepared set. joints: float32 `[M, T, V, 3]`, M at least 1, as `ABOUT` says."""

    name: str
    label: int
    joints: np.ndarray
    parts: frozenset[str] = frozenset()
    subject: int = -1
    camera: int = -1
    setup: int = -1
    replication: int = -1


@dataclass(frozen=True, slots=True)
class Dropped:
    """A clip that was left out. why: in a few words, the same for all such clips. detail: what is peculiar to this."""

    name: str
    why: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is true of a whole set: its layout of V joints, poses a second, names of classes, parts of its protocols."""

    dataset: str
    layout: str
    joints: int
    fps: float
    names: tuple[str, ...]
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a prepared set; the arrays are those of `ABOUT`."""

    dataset: str
    layout: str
    fps: float
    names: tuple[str, ...]
    parts: tuple[str, ...]
    joints: np.ndarray
    off: np.ndarray
    people: np.ndarray
    frames: np.ndarray
    label: np.ndarray
    name: np.ndarray
    subject: np.ndarray
    camera: np.ndarray
    setup: np.ndarray
    replication: np.ndarray
    in_part: np.ndarray

    def __len__(self) -> int:
        return len(self.label)

    def clip(self, i: int) -> np.ndarray:
        """The joints of a clip, float32 `[M, T, V, 3]`."""
        poses = self.joints[self.off[i] : self.off[i + 1]]
        return poses.reshape(self.people[i], self.frames[i], *poses.shape[1:])


def shard_path(folder: Path, number: int) -> Path:
    return folder / f"clips-{number:05}.npz"


def write_shard(path: Path, kind: Kind, made: Iterable[Record | Dropped]) -> None:
    """Writes a file that appears only when it is whole; the same records make the same bytes."""
    every = list(made)
    records = [entry for entry in every if isinstance(entry, Record)]
    dropped = [entry for entry in every if isinstance(entry, Dropped)]
    poses = [record.joints.reshape(-1, kind.joints, 3) for record in records]
    fields: dict[str, Any] = {
        key: np.array([getattr(record, key) for record in records], np.int64)
        for key in ("label", "subject", "camera", "setup", "replication")
    }
    fields |= {
        f"dropped_{key}": np.array([getattr(entry, key) for entry in dropped], str) for key in ("name", "why", "detail")
    }
    with whole(path) as partial:
        np.savez(
            partial,
            about=np.array(ABOUT), dataset=np.array(kind.dataset), layout=np.array(kind.layout),
            fps=np.float64(kind.fps), names=np.array(kind.names, str), parts=np.array(kind.parts, str),
            joints=np.concatenate([np.zeros((0, kind.joints, 3), np.float32), *poses], dtype=np.float32),
            off=np.cumsum([0, *map(len, poses)], dtype=np.int64),
            people=np.array([record.joints.shape[0] for record in records], np.int64),
            frames=np.array([record.joints.shape[1] for record in records], np.int64),
            name=np.array([record.name for record in records], str),
            in_part=np.array([[part in r.parts for part in kind.parts] for r in records], bool).reshape(
                len(records), len(kind.parts)
            ),
            **fields,
        )  # fmt: skip


def write_plan(folder: Path, shards: int, digest: str) -> None:
    """Says what the folder is going to hold; goes on quietly where it says so already.

    Raises:
        UsageError: the folder holds something else.
    """
    wanted = {"format": FORMAT, "shards": shards, "made_from": digest}
    path = folder / PLAN
    if path.is_file():
        if _read_plan(folder) != wanted:
            raise UsageError(
                f"--out {folder}: holds a set made of other files or settings; an empty folder is expected"
            )
        return
    if folder.is_dir() and any(folder.glob("clips-*.npz")):
        raise UsageError(f"--out {folder}: holds clips but no {PLAN}; an empty folder is expected")
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(wanted, indent=1) + "\n")


def _read_plan(folder: Path) -> dict[str, object]:
    try:
        plan = json.loads((folder / PLAN).read_text("utf-8"))
        if plan["format"] != FORMAT or type(plan["shards"]) is not int:
            raise ValueError(f"format {plan['format']!r:.40}")
        return plan
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"prepared set {folder}: {error}; expected a folder of `train prepare`, {FORMAT}") from None


def shard_paths(folder: Path) -> list[Path]:
    """The files of a prepared set, in order.

    Raises:
        UsageError: no prepared set, or one that is not finished.
    """
    paths = [shard_path(folder, number) for number in range(_read_plan(folder)["shards"])]  # type: ignore[call-overload]
    there = sum(path.is_file() for path in paths)
    if there < len(paths):
        raise UsageError(f"prepared set {folder}: {there} of {len(paths)} files found; run `train prepare` again")
    return paths


def read_prepared(folder: Path) -> Iterator[Shard]:
    """A prepared set, one file in memory at a time.

    Raises:
        UsageError: no prepared set, one that is not finished, or a file that cannot be read.
    """
    for path in shard_paths(folder):
        try:
            with np.load(path, allow_pickle=False) as data:
                arrays = {key: data[key] for key in Shard.__dataclass_fields__}
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{path}: {error}; expected a file of `train prepare`") from None
        fixed = {key: arrays.pop(key) for key in ("dataset", "layout", "fps", "names", "parts")}
        yield Shard(
            dataset=str(fixed["dataset"]), layout=str(fixed["layout"]), fps=float(fixed["fps"]),
            names=tuple(fixed["names"].tolist()), parts=tuple(fixed["parts"].tolist()), **arrays,
        )  # fmt: skip
