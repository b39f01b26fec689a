"""PYSKL's pickles of skeletons, with nothing in them ever executed (`train.data.pickled`).

The layout is that of the PYSKL project's data documents, from memory; METHODS.md does not have it. A dict:
    split: {part: [frame_dir, ...]}, such as xsub_train and xsub_val
    annotations: a list of {frame_dir: str, label: int, total_frames: int, keypoint: float [M, T, V, C]}, and for joints
        of a picture (C = 2, pixels) also {keypoint_score: float [M, T, V], img_shape: (height, width)}
V = 25 are Kinect joints in metres in the sensor's axes (C = 3), V = 17 COCO keypoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.errors import UsageError
from train.data.ntu import without_wild
from train.data.pickled import read_pickle

FPS = 30.0
"""NTU's; the files do not say. INFERRED for other data sets."""
LAYOUTS = {(25, 3): "ntu25", (17, 2): "coco17"}
"""Joints and coordinates -> layout."""


@dataclass(frozen=True, slots=True)
class PysklClip:
    """One annotation as it stands in the file.

    keypoint: `[M, T, V, C]`. score: `[M, T, V]`, or None for Kinect joints.
    """

    name: str
    label: int
    keypoint: np.ndarray
    score: np.ndarray | None

    def joints(self) -> np.ndarray:
        """float32 `[M, T, V, 3]`: metres in the sensor's axes, or x and y (down) in pixels and the score.

        A joint that is not finite, or has no score, is zero; a person who is never there is left out.
        """
        if self.score is None:
            joints = without_wild(self.keypoint.astype(np.float32))
        else:
            joints = np.concatenate([self.keypoint, self.score[..., None]], axis=-1).astype(np.float32)
            fine = np.isfinite(joints).all(axis=-1) & (joints[..., 2] > 0)
            joints = np.where(fine[..., None], joints, np.float32(0))
        return joints[joints.any(axis=(1, 2, 3))]


@dataclass(frozen=True, slots=True)
class PysklSet:
    """A whole file. layout: "ntu25" or "coco17". parts: which clips belong to each, by name."""

    layout: str
    parts: dict[str, frozenset[str]]
    clips: list[PysklClip]


def read_pyskl(path: Path) -> PysklSet:
    """Everything in a PYSKL file; it has to fit into memory.

    Raises:
        UsageError: as `read_pickle`, or one line with the annotation, what was found and what is expected.
    """
    tree = read_pickle(path)
    parts, annotations = (tree.get(key) if isinstance(tree, dict) else None for key in ("split", "annotations"))
    if not isinstance(parts, dict) or not isinstance(annotations, list) or not annotations:
        raise UsageError(f"{path}: {type(tree).__name__} found; a dict of split and annotations expected")
    for part, names in parts.items():
        if type(part) is not str or not isinstance(names, list) or not all(type(name) is str for name in names):
            raise UsageError(f"{path}: split {part!r:.40} is no list of names (frame_dir)")
    clips = [_clip(entry, f"{path}: annotation {number}") for number, entry in enumerate(annotations)]
    layouts = {LAYOUTS[clip.keypoint.shape[2:]] for clip in clips}
    names = {clip.name for clip in clips}
    if len(layouts) > 1 or len(names) < len(clips):
        found = f"{len(clips)} clips with {len(names)} names and joints as {', '.join(sorted(layouts))}"
        raise UsageError(f"{path}: {found} found; one layout and a name for each clip expected")
    return PysklSet(layouts.pop(), {part: frozenset(names) for part, names in parts.items()}, clips)


def _clip(entry: Any, place: str) -> PysklClip:
    if not isinstance(entry, dict):
        raise UsageError(f"{place} is {type(entry).__name__}; a dict expected")
    name, label, keypoint, score = (entry.get(key) for key in ("frame_dir", "label", "keypoint", "keypoint_score"))
    if type(name) is not str or not name or type(label) is not int or not 0 <= label < 10_000:
        raise UsageError(
            f"{place}: a frame_dir (text) and a label (from 0) expected, found {', '.join(map(str, entry))}"
        )
    if not isinstance(keypoint, np.ndarray) or keypoint.dtype.kind != "f" or keypoint.ndim != 4:
        raise UsageError(f"{place}: keypoint is {_shape(keypoint)}; floats [M, T, V, C] expected")
    if keypoint.shape[2:] not in LAYOUTS:
        raise UsageError(f"{place}: keypoint is {_shape(keypoint)}; 25 joints of x, y, z or 17 of x, y expected")
    flat = keypoint.shape[3] == 2
    scored = isinstance(score, np.ndarray) and score.dtype.kind == "f" and score.shape == keypoint.shape[:3]
    if flat and not scored:
        raise UsageError(f"{place}: keypoint_score is {_shape(score)}; floats {list(keypoint.shape[:3])} expected")
    if entry.get("total_frames", keypoint.shape[1]) != keypoint.shape[1]:
        raise UsageError(f"{place}: keypoint is {_shape(keypoint)}; as many frames as total_frames says expected")
    return PysklClip(name, label, np.asarray(keypoint), np.asarray(score) if flat else None)


def _shape(value: Any) -> str:
    return f"{value.dtype} {list(value.shape)}" if isinstance(value, np.ndarray) else type(value).__name__
