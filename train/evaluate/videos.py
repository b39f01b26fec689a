"""The labelled seconds of the public videos, as clips of real MediaPipe poses: a development set, never trained on.

python -m train extract --videos ../shared/videos --out cache/poses
python -m train evaluate --bundle edge_app/bundles/default --videos ../shared/videos --recordings cache/poses
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_app.bundles.bundle import Bundle
from edge_app.camera.recording import read_recording
from edge_app.encoder import Encoder
from edge_app.errors import UsageError
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.ranker import Ranker
from edge_app.recognizer import Recognizer
from edge_app.types import Event, Feature, Pose, Poses, Ranking, Window
from edge_app.window.normalize import lift
from edge_app.window.skeleton import WindowSpec
from train.data.clips import windows_over
from train.evaluate.metrics import (
    TEMPERATURES,
    Span,
    class_mean,
    label_changes,
    match_events,
    mean_energies,
    nll,
    places,
)

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

EVERYDAY = (
    "walk", "run", "jump", "jumping jack", "squat", "push up", "punch", "clap", "wave", "wave both hands", "kick",
    "fall down", "drink", "read", "dance", "golf swing", "sit down", "stand up", "pick up", "eat", "phone call",
)  # fmt: skip
"""A short list of candidates, for the segments that show one of them."""

LEFT_OUT = ("hard_two_people", "beam_two", "street_", "people_", "dog_play", "noperson", "hard_black")
SHORTEST_S = 0.45
DERIVED = "hard_"
"""Beginning of the names of files made from other files: counted apart."""
DERIVED_WEIGHT = 1 / 7
"""Weight of their segments where all are put together: they are seven versions of one clip."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One labelled stretch of one video."""

    video: str
    label: str
    start_s: float
    end_s: float
    poses: tuple[Pose, ...]

    @property
    def derived(self) -> bool:
        return self.video.startswith(DERIVED)


def load_segments(manifest: Path, recordings: Path) -> list[Segment]:
    """Segments of every video whose poses are in `recordings` (made by `train extract`), in the manifest's order.

    Raises:
        UsageError: the manifest cannot be read.
    """
    segments = []
    for name, labels in read_manifest(manifest, "file", "labels"):
        stem = Path(name).stem
        recording = recordings / f"{stem}.mcap"
        if stem.startswith(LEFT_OUT) or not recording.is_file():
            continue
        people = first_poses(recording)
        for what, start, end in re.findall(r"([^;]+?) (\d+\.\d+)-(\d+\.\d+|end)", labels):
            label, end_s = LABELS.get(what.strip()), float("inf") if end == "end" else float(end)
            poses = tuple(p for p in people if float(start) <= p.t_ns / 1e9 <= end_s)
            if label and end_s - float(start) >= SHORTEST_S and len(poses) > 3:
                segments.append(Segment(stem, label, float(start), min(end_s, poses[-1].t_ns / 1e9), poses))
    return segments


def read_manifest(path: Path, *columns: str) -> list[tuple[str, ...]]:
    """Columns of a manifest of videos.

    Raises:
        UsageError: it cannot be read, or has no such column.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [tuple(row[column] for column in columns) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise UsageError(f"{path}: {error}; expected a CSV file with the columns {', '.join(columns)}") from None


def first_poses(recording: Path) -> list[Pose]:
    """The first pose of each frame of a recording that has one."""
    return [pose for item in read_recording(recording) if isinstance(item, Poses) for pose in item.poses[:1]]


def pose_windows(poses: Sequence[Pose], spec: WindowSpec) -> list[Window]:
    """Windows over one person's poses, as `windows_over` cuts them."""
    t_ns = np.array([pose.t_ns for pose in poses], np.int64)
    return windows_over(t_ns, lift(poses, spec.skeleton), spec)


def segment_windows(segment: Segment, spec: WindowSpec) -> list[Window]:
    return pose_windows(segment.poses, spec)


def candidates(segments: Sequence[Segment]) -> list[str]:
    """All labels that occur, the distractors, and the everyday ones."""
    return sorted({segment.label for segment in segments} | {*DISTRACTORS, *EVERYDAY})


def evaluate_segments(
    segments: Sequence[Segment], features: Sequence[list[Feature]], bundle: Bundle, ranker: Ranker
) -> dict[str, Any]:
    """Figures of labelled segments: videos, what was made from other videos, and both together (weighted)."""
    names, texts = candidates(segments), BundleText(bundle)
    energies = mean_energies(features, ranker, build_table([Label(name) for name in names], texts, 0))
    table = build_table(bundle.default_labels, texts, 0)
    default = mean_energies(features, ranker, table)
    truth = np.array([names.index(segment.label) for segment in segments])
    place, best = places(energies, truth), energies.argmin(axis=1)
    temperature = ranker.calibration.temperature
    short = [(energies, names, EVERYDAY, "everyday"), (default, list(table.names), table.names, "default")]

    def part(weights: np.ndarray) -> dict[str, Any]:
        picked = np.flatnonzero(weights).tolist()
        if not len(picked):
            return {"segments": 0}
        w, t = weights[picked], truth[picked]
        mean = lambda values: round(float(np.average(values, weights=w)), 4)  # noqa: E731
        losses = {at: mean(nll(energies[picked], t, at)) for at in TEMPERATURES}
        best_at = min(losses, key=losses.__getitem__)
        result: dict[str, Any] = {
            "segments": len(picked),
            "top1": mean(place[picked] == 0),
            "top5": mean(place[picked] < 5),
            "top1_class_mean": round(class_mean(place[picked] == 0, t, w), 4),
            "mean_rank": mean(place[picked] + 1),
            "nll": mean(nll(energies[picked], t, temperature)),
            "nll_best": losses[best_at],
            "temperature": round(temperature, 4),
            "temperature_best": best_at,
        }
        for rows, columns, allowed, key in short:
            inside = [i for i in picked if segments[i].label in allowed]
            chosen = [columns.index(name) for name in allowed]
            hits = [columns[chosen[rows[i, chosen].argmin()]] == segments[i].label for i in inside]
            top1 = round(float(np.average(hits, weights=weights[inside])), 4) if inside else None
            result[key] = {"segments": len(inside), "candidates": len(chosen), "top1": top1}
        return result

    derived = np.array([segment.derived for segment in segments])
    pairs = Counter((s.label, names[b]) for s, b in zip(segments, best, strict=True) if not s.derived)
    return {
        "candidates": len(names),
        "chance": round(1 / len(names), 4),
        "videos": part((~derived).astype(float)),
        "derived": part(derived.astype(float)),
        "together": part(np.where(derived, DERIVED_WEIGHT, 1.0)),
        "confusions": [[label, said, count] for (label, said), count in sorted(pairs.items())],
        "said": [
            f"{s.video} {s.start_s:g}: {s.label} -> {names[b]}" + (f" (right one: place {p + 1})" if p else "")
            for s, b, p in zip(segments, best, place, strict=True)
        ],
    }


@dataclass(frozen=True, slots=True)
class Replay:
    """What the device makes of a recording: every ranking, and every step of every event."""

    rankings: list[Ranking]
    events: list[Event]

    def spans(self) -> list[Span]:
        ends = {event.id: event.t_ns / 1e9 for event in self.events if event.type == "end"}
        return [
            Span(event.label, event.onset_ns / 1e9, ends[event.id], event.t_ns / 1e9)
            for event in self.events
            if event.type == "start"
        ]


def replay(recording: Path, recognizer: Recognizer) -> Replay:
    """`edge-app recognize` over a recording, keeping when each event was announced."""
    decisions = list(recognizer.run(f"pose://{recording}"))
    return Replay(
        [decision.ranking for decision in decisions if decision.ranking is not None],
        [event for decision in decisions for event in decision.events],
    )


def evaluate_events(
    segments: Sequence[Segment], recordings: Path, bundle: Bundle, encoder: Encoder, ranker: Ranker
) -> dict[str, Any]:
    """Events over whole recordings, the bundle's default labels being looked for, against their labelled segments."""
    recognizer, tally = Recognizer(bundle=bundle, ranker=ranker, runtime=encoder), _Tally()
    for video in tqdm(dict.fromkeys(segment.video for segment in segments), desc="events", disable=None):
        own = [segment for segment in segments if segment.video == video]
        found = replay(recordings / f"{video}.mcap", recognizer)
        tally.add(video, own, found, recognizer.labels, bundle.spec)
    return tally.result()


class _Tally:
    """Counts over replays."""

    def __init__(self) -> None:
        self.right = self.wrong = self.hit = self.segments = self.changes = 0
        self.flicker_s = 0.0
        self.delays: list[float] = []
        self.said: list[str] = []

    def add(
        self, video: str, segments: Sequence[Segment], found: Replay, names: Sequence[str], spec: WindowSpec
    ) -> None:
        events = found.spans()
        right, delays = match_events(events, [Span(s.label, s.start_s, s.end_s) for s in segments])
        self.right += sum(right)
        self.wrong += len(right) - sum(right)
        for segment, delay in zip(segments, delays, strict=True):
            self.segments += segment.label in names
            self.hit += delay is not None
            self.delays += [] if delay is None else [delay]
        self.said += [
            f"{video} {event.start_s:.1f}-{event.end_s:.1f}: {event.label}{'' if ok else ' (wrong)'}"
            for event, ok in zip(events, right, strict=True)
        ]
        t_s = np.array([ranking.window.t_ns for ranking in found.rankings]) / 1e9
        best = np.array([ranking.order()[0] for ranking in found.rankings])
        for segment in segments:
            # Before that, half of the window shows what came before.
            changes, seconds = label_changes(t_s, best, segment.start_s + spec.seconds / 2, segment.end_s)
            self.changes += changes
            self.flicker_s += seconds

    def result(self) -> dict[str, Any]:
        return {
            "right": self.right,
            "wrong": self.wrong,
            "segments": self.segments,
            "segments_hit": self.hit,
            "delay_s": round(float(np.median(self.delays)), 2) if self.delays else None,
            "label_changes_per_minute": round(self.changes / self.flicker_s * 60, 1) if self.flicker_s else None,
            "label_minutes": round(self.flicker_s / 60, 2),
            "said": self.said,
        }
