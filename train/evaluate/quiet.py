"""More footage in which nothing happens: clips without a person, or with an idle one, altered, through MediaPipe.

    python -m train quiet --videos ../shared/videos --out cache/quiet

Every clip is mirrored, seen from farther and from nearer, darkened, slowed down and sped up. A recording that is there
already is not made again, and appears only when it is whole: a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from edge_app.app.commands.recognize import recognize
from edge_app.bundles.bundle import Bundle
from edge_app.encoder import Encoder
from edge_app.errors import SourceError, UsageError
from edge_app.pose.model_file import ensure_pose_model
from edge_app.ranker.ranker import Ranker
from edge_app.recognizer import Recognizer
from edge_app.types import Frame
from train.data.extract import VIDEOS, extract, parse_shard

NO_PERSON = ("noperson_", "hard_black")
IDLE = ("stand_idle",)
"""Beginnings of the names of quiet footage: nobody there, or somebody who does nothing."""
IDLE_LABEL = "stand still"
"""What may be said of an idle person."""
ALTERED = ("noperson_", "stand_idle")
"""Footage that is altered; a black picture stays black."""


@dataclass(frozen=True, slots=True)
class Variant:
    """zoom: of the picture about its middle; under 1 it is framed in its mean colour. pace: 2 is twice as fast."""

    mirror: bool = False
    zoom: float = 1.0
    light: float = 1.0
    pace: float = 1.0


VARIANTS = {
    "mirror": Variant(mirror=True),
    "far": Variant(zoom=0.6),
    "near": Variant(zoom=1.5),
    "dark": Variant(light=0.35),
    "slow": Variant(pace=0.5),
    "fast": Variant(pace=2.0),
}


def alter(frame: Frame, variant: Variant) -> Frame | None:
    """The frame as the variant shows it; None for one that it passes over."""
    if variant.pace > 1 and frame.index % round(variant.pace):
        return None
    image = frame.image
    if variant.mirror:
        image = np.ascontiguousarray(image[:, ::-1])
    if variant.zoom != 1:
        height, width = image.shape[:2]
        rest = (1 - variant.zoom) / 2
        placed = np.array([[variant.zoom, 0, rest * width], [0, variant.zoom, rest * height]])
        image = cv2.warpAffine(image, placed, (width, height), borderValue=cv2.mean(image)[:3])
    if variant.light != 1:
        image = (image * np.float32(variant.light)).astype(np.uint8)
    return replace(frame, image=image, t_ns=round(frame.t_ns / variant.pace))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--videos", type=Path, required=True, help=f"folder with videos called {', '.join(ALTERED)}…")
    parser.add_argument("--out", type=Path, required=True, help="folder of recordings, VIDEO~VARIANT.mcap")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="do every N-th recording, beginning with I")


def run(arguments: argparse.Namespace) -> None:
    index, count = parse_shard(arguments.shard)
    if not arguments.videos.is_dir():
        raise UsageError(f"--videos {arguments.videos}: no such folder")
    videos = sorted(p for p in arguments.videos.iterdir() if p.suffix.lower() in VIDEOS and p.stem.startswith(ALTERED))
    if not videos:
        raise UsageError(f"--videos {arguments.videos}: no video there is called {' or '.join(ALTERED)}…")
    ensure_pose_model()
    arguments.out.mkdir(parents=True, exist_ok=True)
    jobs = [(video, name) for video in videos for name in VARIANTS][index::count]
    for video, name in tqdm(jobs, desc="quiet recordings", disable=None):
        out = arguments.out / f"{video.stem}~{name}.mcap"
        if out.is_file():
            continue
        try:
            extract(video, out, partial(alter, variant=VARIANTS[name]))
        except SourceError as error:
            print(f"train quiet: {error}; passed over", file=sys.stderr)


def quiet_recordings(folders: Iterable[Path]) -> list[Path]:
    """Recordings of quiet footage, as made by `train extract` and `train quiet`, in the order of their names."""
    return sorted(
        (path for folder in folders for path in folder.glob("*.mcap") if path.stem.startswith(NO_PERSON + IDLE)),
        key=lambda path: path.stem,
    )


def false_events(bundle: Bundle, encoder: Encoder, ranker: Ranker, recordings: Sequence[Path]) -> dict[str, Any]:
    """Events of the default labels where nothing happens, a minute: with nobody there, and with somebody idle."""
    recognizer = Recognizer(bundle=bundle, ranker=ranker, runtime=encoder)
    clips: dict[str, dict[str, Any]] = {}
    for path in tqdm(recordings, desc="quiet footage", disable=None):
        found = recognize(f"pose://{path}", recognizer)
        idle = path.stem.startswith(IDLE)
        said = [event["label"] for event in found["events"] if not (idle and event["label"] == IDLE_LABEL)]
        clips[path.stem] = {"seconds": found["seconds"], "events": said, "states": found["states"]}
    parts = {"no_person": NO_PERSON, "idle": IDLE, "both": NO_PERSON + IDLE}
    return {**{part: _rate(clips, names) for part, names in parts.items()}, "clips": clips}


def _rate(clips: dict[str, dict[str, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    chosen = [clip for name, clip in clips.items() if name.startswith(names)]
    minutes, events = sum(clip["seconds"] for clip in chosen) / 60, sum(len(clip["events"]) for clip in chosen)
    return {
        "clips": len(chosen),
        "minutes": round(minutes, 2),
        "events": events,
        "per_minute": round(events / minutes, 3) if minutes else None,
    }
