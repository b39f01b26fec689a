"""Kinetics-skeleton: OpenPose's keypoints of web videos, a JSON file a clip, and its label files. METHODS.md 8.5."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from edge_app.errors import UsageError

FPS = 30.0
SIZE = (340, 256)
"""Width and height of the videos in pixels, METHODS.md 8.5."""
OPENPOSE18 = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle",
    "right_eye", "left_eye", "right_ear", "left_ear",
)  # fmt: skip
LISTED, KEPT = 5, 2
"""People read of each frame, and of these, by their scores, kept."""
MAX_FRAMES = 10_000


@dataclass(frozen=True, slots=True)
class KineticsLabel:
    """What the label file says of a clip. index: of the class, from 0."""

    label: str
    index: int
    has_skeleton: bool


def _load(path: Path) -> dict[str, Any]:
    try:
        tree = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON ({str(error).splitlines()[0]:.80})") from None
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: {type(tree).__name__} found, a JSON object expected")
    return tree


def _is_index(value: Any) -> TypeGuard[int]:
    return type(value) is int and 0 <= value < MAX_FRAMES


def _found(entry: Any) -> str:
    """What stands where something else should, in a few words; its inside may be endless."""
    if not isinstance(entry, dict):
        return f"{type(entry).__name__} found"
    return f"{', '.join(f'{key!r:.20} ({type(value).__name__})' for key, value in list(entry.items())[:4])} found"


def read_labels(path: Path) -> dict[str, KineticsLabel]:
    """Clip -> its label, from `kinetics_train_label.json` or `kinetics_val_label.json`.

    Raises:
        UsageError: not such a file; the line names the clip.
    """
    labels = {}
    for name, entry in _load(path).items():
        fields = entry if isinstance(entry, dict) else {}
        label, index, shown = (fields.get(key) for key in ("label", "label_index", "has_skeleton"))
        if not (isinstance(label, str) and _is_index(index) and isinstance(shown, bool)):
            allowed = "label, label_index and has_skeleton expected"
            raise UsageError(f"{path}: clip {name!r:.40}: {_found(entry)}; {allowed}")
        labels[name] = KineticsLabel(label, index, shown)
    return labels


def read_clip(path: Path) -> np.ndarray:
    """The people of a clip: float32 `[M, T, 18, 3]`, M 0 to 2; x and y (down) in pixels, and OpenPose's score.

    Of each frame the first five people are read and the two with the highest sums of scores kept, the higher first:
    nobody is followed from frame to frame (METHODS.md 8.5). Time begins at the first frame listed. Keypoints with score
    0 are zero, as are people who are not there. ST-GCN reads
    x / 340 - 0.5 and y / 256 - 0.5; 2s-AGCN turns y over.

    Raises:
        UsageError: one line with the file, what was found and what is expected.
    """
    data = _load(path).get("data")
    if not isinstance(data, list):
        raise UsageError(f'{path}: "data" is {type(data).__name__}, a list of frames expected')
    frames: dict[int, list[np.ndarray]] = {}
    for number, entry in enumerate(data, 1):
        index = entry.get("frame_index") if isinstance(entry, dict) else None
        skeletons = entry.get("skeleton") if isinstance(entry, dict) else None
        if not _is_index(index) or not isinstance(skeletons, list):
            raise UsageError(f"{path}, frame {number}: {_found(entry)}; frame_index (to 9,999) and skeleton expected")
        if index in frames:
            raise UsageError(f"{path}: frame_index {index} found twice, each frame is allowed once")
        shown = [_person(person, f"{path}, frame_index {index}") for person in skeletons[:LISTED]]
        frames[index] = sorted(shown, key=lambda person: -person[:, 2].sum())[:KEPT]
    first = min(frames, default=0)
    people = np.zeros((KEPT, max(frames, default=-1) - first + 1, len(OPENPOSE18), 3), np.float32)
    for index, shown in frames.items():
        for place, person in enumerate(shown):
            people[place, index - first] = person
    return people[people.any(axis=(1, 2, 3))]


def _person(person: Any, place: str) -> np.ndarray:
    """float32 `[18, 3]` of one person of one frame."""
    try:
        pose, score = person["pose"], person["score"]
        if not all(type(value) in (int, float) for value in (*pose, *score)):
            raise TypeError
        keypoints = np.column_stack([np.array(pose, float).reshape(18, 2) * SIZE, np.array(score, float)])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UsageError(f"{place}: {_found(person)}; a pose of 36 numbers and 18 scores expected") from None
    fine = (np.abs(keypoints) < 1e6).all(axis=1) & (keypoints[:, 2] > 0)
    return (np.where(fine[:, None], keypoints, 0)).astype(np.float32)
