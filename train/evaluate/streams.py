"""Streams in which a drawn person does one thing after another, idle in between: when is what said, and how steadily?

    python -m train streams --out cache/streams
    python -m train evaluate --bundle edge_app/bundles/default --streams cache/streams

Stream n is the same on every machine: person, view, light and the order of actions follow from its number. The actions
are the generator's, so that what is measured here is timing, not how well new motion is recognized.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_app.bundles.files import whole
from edge_app.camera.person import ACTIONS
from edge_app.camera.person.source import PersonSource
from edge_app.camera.person.source import Segment as Acted
from edge_app.errors import UsageError
from edge_app.pose.model_file import ensure_pose_model
from edge_app.ranker.labels.label import Label
from train.data.extract import extract, parse_shard
from train.evaluate.videos import Segment, first_poses
from train.synthetic.person_clips import concept_of

TRUTH = "streams.csv"
COUNT, LENGTH = 12, 6
"""Streams, and actions in each."""
WHERE = {"stand": "stand still", "get up": "stand up"}
"""What the generator does between actions, as labels."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help=f"folder of recordings and {TRUTH}")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="do every N-th stream, beginning with I")


def stream_uri(number: int) -> str:
    """`person://` URI of a stream: six actions, each 4 s long and followed by 3 s of standing about."""
    rng = np.random.default_rng([number, 41])
    actions = rng.choice([name for name in ACTIONS if name != "stand"], LENGTH, replace=False)
    view = rng.choice(["full", "knees", "waist"], p=[0.6, 0.2, 0.2])
    return (
        f"person://{','.join(actions)}?seconds=4&idle=3&seed={60_000_000 + number}&view={view}"
        f"&yaw={rng.normal(0, 20):.0f}&light={rng.uniform(0.4, 1.2):.2f}&noise={rng.uniform(0, 12):.0f}"
    )


def run(arguments: argparse.Namespace) -> None:
    index, count = parse_shard(arguments.shard)
    ensure_pose_model()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for number in tqdm(range(index, COUNT, count), desc="streams", disable=None):
        out = arguments.out / f"stream_{number}.mcap"
        if not out.is_file():
            extract(stream_uri(number), out)
    with whole(arguments.out / TRUTH) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("stream", "action", "start_s", "end_s"))
        for number in range(COUNT):
            for acted in script(stream_uri(number)):
                table.writerow((f"stream_{number}", acted.action, f"{acted.t0_s:.3f}", f"{acted.t1_s:.3f}"))


def script(uri: str) -> list[Acted]:
    with PersonSource(uri, realtime=False) as source:
        return source.script


def load_streams(folder: Path, labels: tuple[Label, ...]) -> list[Segment]:
    """Every stretch of every stream in a folder, under the label that means it; without one, under its own name.

    Raises:
        UsageError: not a folder of `train streams`, or one that was cut off.
    """
    by_concept = {concept_of(label.name): label.name for label in labels}
    segments = []
    try:
        with (folder / TRUTH).open(newline="", encoding="utf-8") as file:
            rows = [(r["stream"], r["action"], float(r["start_s"]), float(r["end_s"])) for r in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise UsageError(f"--streams {folder}: {error}; make it with `train streams`") from None
    for stream in dict.fromkeys(row[0] for row in rows):
        recording = folder / f"{stream}.mcap"
        if not recording.is_file():
            raise UsageError(f"--streams {folder}: no {recording.name} there; `train streams` goes on where it stopped")
        people = first_poses(recording)
        for _, action, start_s, end_s in (row for row in rows if row[0] == stream):
            concept = concept_of(WHERE.get(action, action))
            poses = tuple(p for p in people if start_s <= p.t_ns / 1e9 < end_s)
            segments.append(Segment(stream, by_concept.get(concept, concept), start_s, end_s, poses))
    return segments
