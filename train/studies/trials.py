"""Test sets of a trained fold: a laboratory, or classes, that it never saw."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from train.data.clips import Clip, load_concepts, load_set, sets_in, some


@dataclass(frozen=True)
class Trial:
    """A test set. truth: each clip's index into names, int `[N]`; unseen: bool `[K]`, names withheld from training."""

    clips: list[Clip]
    names: list[str]
    truth: np.ndarray
    unseen: np.ndarray


def lab_trial(name: str, data: Path) -> Trial:
    """Clips of a set under its own names."""
    clips = some(load_set(data / f"{name}.npz", load_concepts(data / "concepts.csv")), CLIPS)
    names = list(dict.fromkeys(clip.name for clip in clips))
    return Trial(clips, names, np.array([names.index(clip.name) for clip in clips]), np.ones(len(names), bool))


def split_trial(saved: dict[str, Any], data: Path) -> Trial:
    """Clips of the concepts that an encoder was withheld, then of others by people whom it never saw."""
    concepts, withheld = load_concepts(data / "concepts.csv"), set(saved["withheld"])
    sets = [name for name in sets_in(data) if name not in saved["left_out"]]
    clips = [clip for name in sets for clip in load_set(data / f"{name}.npz", concepts)]
    names, people = sorted({clip.concept for clip in clips}), set(saved["held_people"])
    unseen = some([clip for clip in clips if clip.concept in withheld], CLIPS)
    known = some([clip for clip in clips if clip.concept not in withheld and clip.subject in people], CLIPS)
    truth = np.array([names.index(clip.concept) for clip in unseen + known])
    return Trial(unseen + known, names, truth, np.isin(names, list(withheld)))


CLIPS = 800
"""At most so many clips are tested."""
