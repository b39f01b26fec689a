"""The labelled seconds of the public videos, as clips of real MediaPipe poses: a development set, never trained on.

python -m train extract --videos ../shared/videos --out cache/poses
python -m train evaluate --bundle edge_app/bundles/default --videos ../shared/videos --recordings cache/poses
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundle import Bundle
from edge_app.config import Settings
from edge_app.labels import Label, build_table
from edge_app.recognize import recognize
from edge_app.recorder import read_recording
from edge_app.types import Pose, Poses, Window
from edge_app.window import WindowSpec, lift, make_window, resample

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
STEP_S = 0.5
DERIVED = "hard_"
"""Beginning of the names of files made from other files: counted apart."""
QUIET = ("noperson_*", "hard_black*", "stand_idle*")
"""Recordings in which any event (but for standing still) is false."""


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


def windows_over(t_ns: np.ndarray, joints: np.ndarray, spec: WindowSpec, fps_in: float = 0.0) -> list[Window]:
    """Windows over a stretch of poses, half a second apart; one for a stretch that is shorter than a window."""
    first = min(t_ns[0] + int(spec.seconds * 1e9), t_ns[-1])
    return [
        make_window(*resample(t_ns, joints, int(end), spec), spec, camera="set", track=1, t_ns=int(end), fps_in=fps_in)
        for end in np.arange(first, t_ns[-1] + 1, int(STEP_S * 1e9))
    ]


def segment_windows(segment: Segment, spec: WindowSpec) -> list[Window]:
    t_ns = np.array([pose.t_ns for pose in segment.poses], np.int64)
    return windows_over(t_ns, lift(segment.poses, spec.skeleton), spec)


def evaluate_videos(bundle: Bundle, kind: str, manifest: Path, recordings: Path) -> dict[str, Any]:
    """Top-1 and top-5 of labelled segments, all that occur and the distractors being candidates; false events."""
    segments = load_segments(manifest, recordings)
    names = sorted({segment.label for segment in segments} | set(DISTRACTORS))
    encoder, ranker, text_encoder = bundle.encoder(), bundle.ranker(kind), bundle.text_encoder()
    ranker.set_labels(build_table([Label(name) for name in names], text_encoder, 0))
    places, said = [], []
    for segment in segments:
        vectors = np.stack([f.vector for f in encoder.encode(segment_windows(segment, bundle.spec))])
        order = np.argsort(ranker.energies(vectors)[:, : len(names)].mean(axis=0), kind="stable")
        places.append(int(np.flatnonzero(order == names.index(segment.label))[0]))
        said.append(f"{segment.video} {segment.start_s:g}: {segment.label} -> {names[order[0]]}")
    place = np.array(places)
    derived = np.array([segment.video.startswith(DERIVED) for segment in segments])
    result: dict[str, Any] = {"candidates": len(names), "said": said}
    for part, picked in (("videos", ~derived), ("derived", derived)):
        labels = np.array([segment.label for segment in segments])[picked]
        hits = place[picked] == 0
        result[part] = {
            "segments": int(picked.sum()),
            "top1": round(float(hits.mean()), 4),
            "top5": round(float((place[picked] < 5).mean()), 4),
            "top1_class_mean": round(float(np.mean([hits[labels == label].mean() for label in set(labels)])), 4),
        }
    table = build_table(bundle.default_labels, text_encoder, 0)
    events, seconds = [], 0.0
    for path in sorted(p for pattern in QUIET for p in recordings.glob(f"{pattern}.mcap")):
        found = recognize(f"pose://{path}", bundle, encoder, ranker, table, Settings())
        events += [f"{path.stem}: {event['label']}" for event in found["events"] if event["label"] != "stand still"]
        seconds += found["seconds"]
    result["false_events"] = {"events": events, "minutes": round(seconds / 60, 2)}
    result["false_events"]["per_minute"] = round(len(events) / max(seconds / 60, 1e-9), 3)
    return result
