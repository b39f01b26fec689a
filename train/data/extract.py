"""Run MediaPipe over videos once, and keep the poses as recordings.

    python -m train extract --videos ../shared/videos --out cache/poses --shard 0/1

A file that is there already is not done again; a file that cannot be decoded is named and passed over. `--engine ray`
shares the files out among this machine's cores, or with `--ray-address` among a cluster's; what is written is the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import starmap
from pathlib import Path

from tqdm import tqdm

from edge_app.bundles.files import whole
from edge_app.camera import open_source
from edge_app.camera.recording import RecordingFile
from edge_app.errors import SourceError, UsageError
from edge_app.pose.mediapipe import PoseEstimator
from edge_app.pose.model_file import ensure_pose_model
from edge_app.types import Frame
from train.data.ray import spread

VIDEOS = {".mp4", ".avi", ".mkv", ".mov", ".ts", ".webm"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--videos", type=Path, required=True, help="folder of video files")
    parser.add_argument("--out", type=Path, required=True, help="folder of recordings, one for each video")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="do every N-th file, beginning with I")
    parser.add_argument("--engine", choices=("here", "ray"), default="here", help="one file after another, or Ray Data")
    parser.add_argument("--ray-address", metavar="HOST:PORT", help="of a Ray cluster (default: this machine alone)")


def parse_shard(text: str) -> tuple[int, int]:
    """Raises UsageError unless `text` is I/N with 0 <= I < N."""
    index, slash, count = text.partition("/")
    if not (slash and index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise UsageError(f"--shard {text}: expected I/N with 0 <= I < N, for example 0/4")
    return int(index), int(count)


def extract(video: Path | str, out: Path, alter: Callable[[Frame], Frame | None] = lambda frame: frame) -> int:
    """Poses of every frame of a video, or of another source, into `out`, which appears only when it is whole.

    Returns the number of frames. `alter` may change a frame, or pass over it with None.

    Raises:
        SourceError: the video cannot be decoded.
    """
    frames = 0
    with (
        whole(out) as partial,
        open_source(str(video), camera="file", realtime=False) as source,
        PoseEstimator() as estimator,
        RecordingFile(partial) as recorder,
    ):
        while (frame := source.read()) is not None:
            altered = alter(frame)  # type: ignore[arg-type]
            if altered is not None:
                recorder.poses(estimator.estimate(altered))
                frames += 1
    return frames


def run(arguments: argparse.Namespace) -> None:
    index, count = parse_shard(arguments.shard)
    if arguments.ray_address and arguments.engine != "ray":
        raise UsageError("--ray-address: needs --engine ray")
    ensure_pose_model()
    arguments.out.mkdir(parents=True, exist_ok=True)
    videos = sorted(path for path in arguments.videos.iterdir() if path.suffix.lower() in VIDEOS)[index::count]
    pairs = [(video, arguments.out / f"{video.stem}.mcap") for video in videos]
    todo = [(video, out) for video, out in pairs if not out.is_file()]
    done = spread(attempt, todo, arguments.ray_address) if arguments.engine == "ray" else starmap(attempt, todo)
    for problem in tqdm(done, desc="videos", total=len(todo), disable=None):
        if problem:
            print(f"train extract: {problem}; passed over", file=sys.stderr)


def attempt(video: Path, out: Path) -> str:
    """`extract`; why the video was passed over, empty if it was not."""
    try:
        extract(video, out)
    except SourceError as error:
        return str(error)
    return ""
