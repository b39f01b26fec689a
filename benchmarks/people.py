"""Several people: MediaPipe's own several poses against `edge_app.pose.multi_person`, `people`, and all of the stage.

    python -m benchmarks.people --videos VIDEOS --out benchmarks/people

Every frame of a clip is given to the pose stage and the tracker, nothing dropped. In the frames of `people-truth.json`
poses and people are matched one to one, the nearest first. Times are processor times, which a busy machine changes
less. Writes OUT.md and OUT.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_app.app.bench.environment import environment
from edge_app.bundles.files import write_text
from edge_app.camera import open_source
from edge_app.pose.body import describe
from edge_app.pose.choose import choose_pose
from edge_app.pose.figure import draw_figure
from edge_app.pose.idle import PoseStage
from edge_app.pose.mediapipe import PoseBackend, PoseEstimator
from edge_app.pose.multi_person import PeopleEstimator
from edge_app.track import MotionTracker, Tracker
from edge_app.types import Frame, Poses, Track

TRUTH = Path(__file__).with_name("people-truth.json")
PEOPLE = {
    "hard_two_people_side_by_side": 2, "beam_two_people_cam2": 3, "people_aisle": 3, "worker_walk": 3,
    "street_multi_vtest": 8,
}  # fmt: skip
"""Clip -> `--people`."""


class Stage:
    """What a camera's process runs, a decision due in every third frame. The poses of the last look stand between."""

    def __init__(self, people: int) -> None:
        self._stage = PoseStage("camera://0", people)
        self._last = Poses("cam", 0, 0, ())

    def estimate(self, frame: Frame) -> Poses:
        self._last = self._stage.estimate(frame, frame.index % 3 == 0) or self._last
        return self._last

    def reset(self) -> None:
        self._stage.reset()

    def close(self) -> None:
        self._stage.__exit__()

    def __enter__(self) -> Stage:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


PATHS: dict[str, Callable[[int], PoseBackend]] = {
    "mediapipe": lambda people: PoseEstimator(max_people=people),
    "people": lambda people: PoseEstimator() if people == 1 else PeopleEstimator(people),
    "runtime": lambda people: choose_pose().open(people),
    "stage": Stage,
}
"""MediaPipe's own several poses; landmarkers of MediaPipe, one for each person; what `--pose auto` takes here; the same
as a live camera's process runs it."""

Marked = tuple[str, float, float, float]


@dataclass(frozen=True, slots=True)
class Result:
    """What one path made of one clip.

    marked: people in the marked frames, found: of these, false: poses there that are nobody's.
    switches: how often a person's id was another one than in the marked frame before in which it was found.
    ids: made in the whole clip. poses: mean number in a frame. p50_ms, p95_ms: of a frame.
    """

    clip: str
    path: str
    people: int
    frames: int
    marked: int
    found: int
    false: int
    switches: int
    ids: int
    poses: float
    p50_ms: float
    p95_ms: float


def measure(clip: Path, path: str, people: int, truth: dict[int, list[Marked]]) -> Result:
    """Run a clip through one of `PATHS`."""
    backend = PATHS[path](people)
    tracker = Tracker() if path == "mediapipe" else MotionTracker()
    times, counts, ids = [], [], set()
    found = false = switches = 0
    last: dict[str, int] = {}
    with backend, open_source(str(clip), realtime=False) as source:
        while isinstance(frame := source.read(), Frame):
            begun = time.process_time()
            tracks = tracker.update(backend.estimate(frame))
            times.append(1e3 * (time.process_time() - begun))
            counts.append(len(tracks))
            ids |= {track.id for track in tracks}
            if frame.index not in truth:
                continue
            matched = match(tracks, truth[frame.index])
            found, false = found + len(matched), false + len(tracks) - len(matched)
            for index, number in matched.items():
                who = truth[frame.index][index][0]
                if who:
                    switches += last.get(who, number) != number
                    last[who] = number
    return Result(
        clip=clip.stem, path=path, people=people, frames=len(times), marked=sum(map(len, truth.values())), found=found,
        false=false, switches=switches, ids=len(ids), poses=round(float(np.mean(counts)), 2),
        p50_ms=round(float(np.median(times)), 1), p95_ms=round(float(np.quantile(times, 0.95)), 1),
    )  # fmt: skip


def cost(shown: int, people: int, path: str, frames: int = 60) -> tuple[float, float]:
    """Of a drawn picture with `shown` people and `--people people`: poses a frame, and ms of a frame, means.

    The first half of the frames is left out, in which people are found.
    """
    image = np.full((720, 1280, 3), 190, np.uint8)
    for number in range(shown):
        image[180:540, 320 * number : 320 * number + 320] = cv2.resize(draw_figure()[:, 107:533], (320, 360))
    times, counts = [], []
    with PATHS[path](people) as backend:
        for index in range(frames):
            begun = time.process_time()
            counts.append(len(backend.estimate(Frame("cam", index, index * 33_333_333, image)).poses))
            times.append(1e3 * (time.process_time() - begun))
    return round(float(np.mean(counts[frames // 2 :])), 2), round(float(np.mean(times[frames // 2 :])), 1)


def match(tracks: tuple[Track, ...], marked: list[Marked]) -> dict[int, int]:
    """Index of the marked person -> id of the track that is nearest to it, one to one, within reach."""
    pairs = []
    for index, (_, x, y, reach) in enumerate(marked):
        for track in tracks:
            apart = float(np.linalg.norm(describe(track.pose, 0).centre - (x, y)))
            if apart <= reach:
                pairs.append((apart / reach, index, track.id))
    matched: dict[int, int] = {}
    for _, index, number in sorted(pairs):
        if index not in matched and number not in matched.values():
            matched[index] = number
    return matched


def read_truth() -> dict[str, dict[int, list[Marked]]]:
    """Clip -> frame -> people."""
    tree = json.loads(TRUTH.read_text("utf-8"))
    return {
        clip: {int(frame): [(str(who), *map(float, at)) for who, *at in people] for frame, people in frames.items()}
        for clip, frames in tree.items()
        if isinstance(frames, dict)
    }


def table(results: list[Result]) -> str:
    """The results as Markdown."""
    lines = [
        "| clip | `--people` | path | people found | false | id switches | ids | poses a frame | p50 ms | p95 ms |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in results:
        share = one.found / max(one.marked, 1)
        lines.append(
            f"| {one.clip} | {one.people} | {one.path} | {one.found} of {one.marked} ({share:.2f}) | {one.false} | "
            f"{one.switches} | {one.ids} | {one.poses} | {one.p50_ms} | {one.p95_ms} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--clips", nargs="*", default=list(PEOPLE))
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    truth, results = read_truth(), []
    for clip in arguments.clips:
        for path in PATHS:
            results.append(measure(arguments.videos / f"{clip}.mp4", path, PEOPLE[clip], truth[clip]))
            print(results[-1], flush=True)
    costs = {(shown, path): cost(shown, shown, path) for shown in (1, 2, 3, 4) for path in PATHS}
    searching = cost(1, 2, "runtime")
    lines = [f"| {shown} | {path} | {found} | {ms} |" for (shown, path), (found, ms) in costs.items()]
    text = [
        "# Several people", "", "`python -m benchmarks.people`; columns: `Result` in its source.", "",
        table(results), "", "A drawn picture, 1280x720, `--people` as many as shown, after they were found:", "",
        "| shown | path | poses a frame | ms |", "|---|---|---|---|", *lines,
        f"| 1, one more looked for | runtime | {searching[0]} | {searching[1]} |", "",
    ]  # fmt: skip
    write_text(arguments.out.with_suffix(".md"), "\n".join(text))
    tree = {
        "clips": [asdict(one) for one in results],
        "drawn": [{"shown": s, "path": p, "poses": n, "ms": ms} for (s, p), (n, ms) in costs.items()],
        "searching": {"shown": 1, "people": 2, "poses": searching[0], "ms": searching[1]},
        "environment": environment(),
    }
    write_text(arguments.out.with_suffix(".json"), json.dumps(tree, indent=1) + "\n")


if __name__ == "__main__":
    main()
