"""Does a pose backend see what MediaPipe sees? Over videos and drawn people, frame by frame and to the end of the path.

    python -m export parity --pose --windows VIDEOS/*.mp4 person://wave person://squat --json pose-parity.json

Three comparisons, for following feeds every frame's error into the next:

* anew: every frame looked at by itself, with the detector.
* next: pairs of frames, the second one followed from the first.
* following: whole clips. Here a region depends on all frames before, and MediaPipe itself strays from itself if one of
  a hundred pixel values differs by 1. That is measured beside it, as "MediaPipe, noise": a backend that strays no
  farther is as good a copy as there can be.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from tqdm import tqdm

from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.files import write_text
from edge_app.camera import open_source
from edge_app.encoder import load_encoder
from edge_app.errors import AppError, UsageError
from edge_app.pose.choose import choose_pose
from edge_app.pose.mediapipe import PoseBackend, PoseEstimator
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.recognizer import BackEnd, FrontEnd, decide
from edge_app.types import Event, Frame, Poses

FOUND, MEDIAN_PX, P99_PX, MEDIAN_M, RANKINGS = 0.99, 0.5, 3.0, 0.005, 0.99
"""The bars: least share of frames found alike; most pixels of a picture 640 wide; most metres; least share of windows
with the same best label."""
STRAY = 1.2
"""While following, a backend may miss a bar if it strays at most so many times as far as MediaPipe with noise."""
PAIR = 10
"""Of so many frames one begins a pair."""
NOISE = 0.01
"""Share of pixel values that are one higher or lower."""


@dataclass
class Differences:
    """Of two sequences of poses. found: whether as many were seen, a frame each. image: pixels of a picture 640 wide,
    world: metres, visibility: a landmark each. labels: whether a window has the same best label. events: of both, and
    how many are the same."""

    found: list[bool] = field(default_factory=list)
    image: list[np.ndarray] = field(default_factory=list)
    world: list[np.ndarray] = field(default_factory=list)
    visibility: list[np.ndarray] = field(default_factory=list)
    labels: list[bool] = field(default_factory=list)
    events: list[tuple[int, int]] = field(default_factory=list)

    def add(self, expected: Poses, seen: Poses) -> None:
        self.found.append(len(expected.poses) == len(seen.poses))
        for one, other in zip(expected.poses[:1], seen.poses[:1], strict=False):
            self.image.append(np.linalg.norm(one.image - other.image, axis=1) * 640 / one.size[0])
            self.world.append(np.linalg.norm(one.world - other.world, axis=1))
            self.visibility.append(np.abs(one.visibility - other.visibility))


@dataclass(frozen=True)
class Row:
    """name: of the backend and the comparison. frames: compared. Shares from 0 to 1, pixels of 640, metres."""

    name: str
    frames: int
    found: float
    image_median: float
    image_p99: float
    world_median: float
    world_p99: float
    visibility_p99: float
    rankings: float | None = None
    events: float | None = None


def run(arguments: argparse.Namespace) -> None:
    """Print the table; `arguments` as `export.parity.add_arguments` makes them.

    Raises:
        UsageError: a bar is missed.
    """
    chosen = choose_pose(arguments.pose)
    end = _end_of_path(load_bundle(arguments.bundle))
    anew, pairs, following, control = (Differences() for _ in range(4))
    with (
        PoseEstimator(video=False) as still, PoseEstimator() as reference,
        chosen.one(video=False) as our_still, chosen.one() as ours,
    ):  # fmt: skip
        for uri in tqdm(arguments.windows, disable=None):
            try:
                frames = _frames(uri, arguments.frames)
            except AppError as error:
                print(error)
                continue
            for frame in frames:
                anew.add(still.estimate(frame), our_still.estimate(frame))
            for i in range(0, len(frames) - 1, PAIR):
                pairs.add(_followed(reference, frames[i : i + 2])[1], _followed(ours, frames[i : i + 2])[1])
            expected = _followed(reference, frames)
            _compare(following, expected, _followed(ours, frames), end)
            _compare(control, expected, _followed(reference, [*_noisy(frames)]), end)
    rows = [
        _row(f"{chosen.provider}, anew", anew),
        _row(f"{chosen.provider}, next", pairs),
        _row(f"{chosen.provider}, following", following),
        _row("MediaPipe, noise, following", control),
    ]
    print(table(rows))
    if arguments.json:
        found = {"schema": "pose-parity/1", "backend": chosen.provider, "rows": [asdict(row) for row in rows]}
        write_text(arguments.json, json.dumps(found, indent=1) + "\n")
    if missed := misses(*rows):
        raise UsageError(f"parity fails: {'; '.join(missed)}")


def misses(anew: Row, pairs: Row, following: Row, control: Row) -> list[str]:
    """What does not hold, in words."""
    bars = [
        (row, what, found, bar)
        for row in (anew, pairs)
        for what, found, bar in (
            ("frames found alike", -row.found, -FOUND), ("px, median", row.image_median, MEDIAN_PX),
            ("px, 99th percentile", row.image_p99, P99_PX), ("m, median", row.world_median, MEDIAN_M),
        )
    ]  # fmt: skip
    bars += [
        (following, "frames not found alike", 1 - following.found, max(1 - FOUND, STRAY * (1 - control.found))),
        (following, "px, median", following.image_median, max(MEDIAN_PX, STRAY * control.image_median)),
        (following, "px, 99th percentile", following.image_p99, max(P99_PX, STRAY * control.image_p99)),
        (following, "m, median", following.world_median, max(MEDIAN_M, STRAY * control.world_median)),
    ]
    if following.rankings is not None and control.rankings is not None:
        allowed = max(1 - RANKINGS, STRAY * (1 - control.rankings))
        bars.append((following, "rankings that differ", 1 - following.rankings, allowed))
    return [
        f"{row.name}: {abs(found):.4g} {what}, allowed {abs(bar):.4g}" for row, what, found, bar in bars if found > bar
    ]


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = [
        "| | frames | found alike | px of 640, median | p99 | world mm, median | p99 | visibility, p99 "
        "| same best label | same events |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = ["" if share is None else f"{100 * share:.2f} %" for share in (row.rankings, row.events)]
        lines.append(
            f"| {row.name} | {row.frames} | {100 * row.found:.2f} % | {row.image_median:.4f} | {row.image_p99:.3f} | "
            f"{1e3 * row.world_median:.3f} | {1e3 * row.world_p99:.2f} | {row.visibility_p99:.4f} | "
            f"{' | '.join(shares)} |"
        )
    return "\n".join(lines)


def _frames(uri: str, most: int) -> list[Frame]:
    with open_source(uri, realtime=False) as source:
        frames: list[Frame] = []
        while len(frames) < most and isinstance(frame := source.read(), Frame):
            frames.append(frame)
        return frames


def _followed(backend: PoseBackend, frames: Sequence[Frame]) -> list[Poses]:
    backend.reset()
    return [backend.estimate(frame) for frame in frames]


def _noisy(frames: Sequence[Frame]) -> Iterator[Frame]:
    random = np.random.default_rng(0)
    for frame in frames:
        steps = random.choice(np.array([0, 1, -1], np.int16), frame.image.shape, p=[1 - NOISE, NOISE / 2, NOISE / 2])
        yield replace(frame, image=np.clip(frame.image + steps, 0, 255).astype(np.uint8))


End = Callable[[Sequence[Poses]], tuple[dict[int, str], list[Event]]]
"""Poses -> the best label by stamp, and the events."""


def _end_of_path(bundle: Bundle) -> End:
    encoder = load_encoder(bundle)
    ranker = load_ranker(bundle, "scale", build_table(bundle.default_labels, BundleText(bundle), 1))

    def run_path(poses: Sequence[Poses]) -> tuple[dict[int, str], list[Event]]:
        best: dict[int, str] = {}
        events: list[Event] = []
        front, back = FrontEnd("file", bundle.spec), BackEnd(encoder, ranker)
        for one in poses:
            decision = decide(one, front.update(one), back).decision
            if decision is not None:
                events += decision.events
                if decision.ranking is not None:
                    best[decision.t_ns] = decision.ranking.labels[decision.ranking.order()[0]]
        return best, events

    return run_path


def _compare(differences: Differences, expected: list[Poses], seen: list[Poses], end: End) -> None:
    for one, other in zip(expected, seen, strict=True):
        differences.add(one, other)
    (labels, events), (other_labels, other_events) = end(expected), end(seen)
    differences.labels += [labels.get(t) == other_labels.get(t) for t in labels.keys() | other_labels.keys()]
    differences.events.append((_equal(events, other_events), max(map(len, map(_starts, (events, other_events))))))


def _starts(events: Sequence[Event]) -> list[tuple[str, float]]:
    return [(event.label, event.onset_ns / 1e9) for event in events if event.type == "start"]


def _equal(events: Sequence[Event], others: Sequence[Event]) -> int:
    """How many have a counterpart: the same label, begun within a quarter of a second."""
    rest, equal = _starts(others), 0
    for label, onset in _starts(events):
        match = next((one for one in rest if one[0] == label and abs(one[1] - onset) <= 0.25), None)
        if match is not None:
            rest.remove(match)
            equal += 1
    return equal


def _row(name: str, differences: Differences) -> Row:
    image, world, visibility = (
        np.concatenate(values) if values else np.array([np.nan])
        for values in (differences.image, differences.world, differences.visibility)
    )
    equal, total = (sum(counts) for counts in zip(*differences.events, strict=True)) if differences.events else (0, 0)
    return Row(
        name, len(differences.found), float(np.mean(differences.found)),
        float(np.median(image)), float(np.quantile(image, 0.99)),
        float(np.median(world)), float(np.quantile(world, 0.99)), float(np.quantile(visibility, 0.99)),
        float(np.mean(differences.labels)) if differences.labels else None, equal / total if total else None,
    )  # fmt: skip
