"""The labelled seconds of the public videos, as clips of real MediaPipe poses: a development set, never trained on."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from edge_app.recorder import read_recording
from edge_app.types import Pose, Poses

LABELS = {
    "arm circles": "arm circles", "bicep curl": "bicep curl", "bird dog": "bird dog", "box jump": "box jump",
    "burpee": "burpee", "butt kicks (jogging on the spot)": "butt kicks", "deadlift": "deadlift",
    "front arm raise": "front raise", "plank": "plank", "pull-up": "pull up", "push-up": "push up",
    "barbell squat": "squat", "squat (stand-squat repetitions)": "squat", "walking on a balance beam": "walk",
    "walking": "walk", "bending down": "bend down", "standing": "stand still", "standing still": "stand still",
    "falling": "fall down", "falling/sitting down on floor": "fall down", "lying": "lie still", "sitting": "sit still",
    "sitting down": "sit down", "standing up": "stand up", "raising arms sideways": "raise both arms to the sides",
    "picking up from floor": "pick up", "phone call": "phone call", "reading": "read", "eating": "eat",
    "waving both hands overhead": "wave both hands", "jumping down": "jump",
}  # fmt: skip
"""What the manifest says -> the label we give. Two-person footage and what shows no single action is left out."""

DISTRACTORS = (
    "run", "jumping jack", "punch", "clap", "wave", "kick", "drink", "dance", "golf swing", "throw", "bow", "point",
)  # fmt: skip
"""Candidates that no video shows."""

LEFT_OUT = ("hard_two_people", "beam_two", "street_", "people_", "dog_play", "noperson", "hard_black")
SHORTEST_S = 0.45


@dataclass(frozen=True, slots=True)
class Segment:
    """One labelled stretch of one video."""

    video: str
    label: str
    start_s: float
    end_s: float
    poses: tuple[Pose, ...]


def load_segments(manifest: Path, recordings: Path) -> list[Segment]:
    """Segments of every video whose poses are in `recordings` (made by `train extract`), in the manifest's order."""
    segments = []
    with manifest.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        stem = Path(row["file"]).stem
        recording = recordings / f"{stem}.mcap"
        if stem.startswith(LEFT_OUT) or not recording.is_file():
            continue
        people = [p for item in read_recording(recording) if isinstance(item, Poses) for p in item.poses[:1]]
        for name, start, end in re.findall(r"([^;]+?) (\d+\.\d+)-(\d+\.\d+|end)", row["labels"]):
            label, end_s = LABELS.get(name.strip()), float("inf") if end == "end" else float(end)
            poses = tuple(p for p in people if float(start) <= p.t_ns / 1e9 <= end_s)
            if label and end_s - float(start) >= SHORTEST_S and len(poses) > 3:
                segments.append(Segment(stem, label, float(start), min(end_s, poses[-1].t_ns / 1e9), poses))
    return segments
