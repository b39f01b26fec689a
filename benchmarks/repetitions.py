r"""How well repetitions are counted: of drawn people, whose number is known, and of videos, counted by eye.

    python -m train extract --videos ../shared/videos --out cache/poses
    python -m train extract --videos ../shared/videos2 --out cache/poses2
    python -m benchmarks.repetitions --poses cache/poses --poses cache/poses2 --drawn cache/drawn \
        --out benchmarks/repetitions

`repetitions.csv` holds what was counted by eye on contact sheets of the frames: there and back is one, and of motions
in which left and right take turns each side is one. A clip with no repetition, or only one, is of the half "nothing
repeated". Two counts are compared with it: `counter`'s, as if an action went on throughout, and what all events of the
clip say together when it is recognized among all motions of its table. The constants were set on the first half alone.
Writes OUT.md.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np

from edge_app.bundles.files import write_text
from edge_app.camera.person.source import PersonSource
from edge_app.camera.recording import read_recording
from edge_app.recognizer import FrontEnd, Recognizer
from edge_app.types import Poses
from edge_app.window.repetitions import RepetitionCounter
from train.data.extract import extract

COUNTED = Path(__file__).with_suffix(".csv")
DRAWN = (
    "wave", "wave both hands", "clap", "clap overhead", "punch", "kick", "kick sideways", "jump", "jumping jack",
    "squat", "bow", "walk in place", "run in place", "march", "lunge", "arm circles", "push up", "brush teeth",
    "drink", "eat", "hop on one leg", "raise knee", "lean sideways", "dance", "push", "beckon", "shrug", "golf swing",
    "throw", "side step",
)  # fmt: skip
BY_TURNS = {"punch", "walk in place", "run in place", "march", "dance"}
"""Drawn actions whose beat is once with the left and once with the right."""
SPEEDS = (1.0, 0.7, 1.5)
"""The first is what the constants were set on."""
HALVES = ("chosen on", "reported", "nothing repeated")


@dataclass(frozen=True, slots=True)
class Clip:
    recording: Path
    motion: str
    start_s: float
    end_s: float
    reps: int
    half: str


def drawn_clips(folder: Path) -> Iterator[Clip]:
    """Twelve seconds of each motion at each speed, in a body, clothes and view of its own; poses are found once."""
    folder.mkdir(parents=True, exist_ok=True)
    for fast, speed in enumerate(SPEEDS):
        for number, action in enumerate(DRAWN):
            uri = (
                f"person://{quote(action)}?seconds=12&idle=2&fps=15&speed={speed}&seed={100 + 50 * fast + number}"
                f"&yaw={(0, 25, -35)[(number + fast) % 3]}"
            )
            recording = folder / f"d{fast}_{number}.mcap"
            if not recording.is_file():
                extract(uri, recording)
            with PersonSource(uri, realtime=False) as source:
                acted = next(segment for segment in source.script if segment.action == action)
            reps = acted.beats * (1 + (action in BY_TURNS))
            yield Clip(recording, f"{action}, speed {speed}", 0.0, np.inf, reps, HALVES[min(fast, 1)])


def counted_clips(folders: Sequence[Path]) -> Iterator[Clip]:
    """The clips of `repetitions.csv` that are in the folders."""
    with COUNTED.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for recording in (folder / f"{row['clip']}.mcap" for folder in folders):
                if recording.is_file():
                    start_s, end_s = float(row["start_s"] or 0), float(row["end_s"] or np.inf)
                    yield Clip(recording, row["motion"], start_s, end_s, int(row["reps"]), row["half"])


def count(clip: Clip, recognizer: Recognizer, times: list[float]) -> int:
    """By the counter, as if an action went on throughout; adds the processor time of each decision, in ms."""
    front, counter, reps = FrontEnd("clip", recognizer.bundle.spec), RepetitionCounter(recognizer.bundle.spec), 0
    counter.start(round(clip.start_s * 1e9))
    for item in read_recording(clip.recording):
        if not isinstance(item, Poses) or item.t_ns > clip.end_s * 1e9:
            continue
        for window in front.update(item).windows:
            began = time.thread_time()
            counter.push(window)
            if window.t_ns >= clip.start_s * 1e9:
                reps = counter.count().count
            times.append(1e3 * (time.thread_time() - began))
    return reps


def in_events(clip: Clip, recognizer: Recognizer) -> int:
    """By all events of the stretch together, whatever their label."""
    reps: dict[str, int] = {}
    for decision in recognizer.run(f"pose://{clip.recording}"):
        for event in decision.events:
            if clip.start_s * 1e9 <= event.t_ns <= clip.end_s * 1e9:
                reps[event.id] = event.reps
    return sum(reps.values())


def table(title: str, clips: Sequence[Clip], recognizer: Recognizer, every: bool) -> tuple[str, list[float]]:
    """The errors of each half, and the rows of all clips if `every`, else of those that are wrong."""
    lines = [
        f"## {title}",
        "",
        "| half | clips | counter: mean error | exact | in events: mean error |",
        "|---|---|---|---|---|",
    ]
    rows, times = ["| motion | half | true | counter | in events |", "|---|---|---|---|---|"], list[float]()
    got = [(clip, count(clip, recognizer, times), in_events(clip, recognizer)) for clip in clips]
    for half in HALVES:
        of = [(clip.reps, one, other) for clip, one, other in got if clip.half == half]
        if not of:
            continue
        if half == "nothing repeated":
            wrong, said = sum(one > 0 for _, one, _ in of), sum(other > 0 for *_, other in of)
            lines.append(f"| {half} | {len(of)} | {wrong} with a count | | {said} with a count |")
            continue
        true, one, other = np.array(of, float).T
        errors, said = np.abs(one - true) / true, np.abs(other - true) / true
        exact = f"{int((one == true).sum())} of {len(of)}"
        lines.append(f"| {half} | {len(of)} | {errors.mean():.3f} | {exact} | {said.mean():.3f} |")
    for clip, one, other in got:
        if every or one != clip.reps:
            rows.append(f"| {clip.motion} (`{clip.recording.stem}`) | {clip.half} | {clip.reps} | {one} | {other} |")
    return "\n".join([*lines, "", "Every clip:" if every else "Those that are not exact:", "", *rows]), times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--poses", type=Path, action="append", required=True, help="recordings of the videos")
    parser.add_argument("--drawn", type=Path, required=True, help="recordings of the drawn people; made if missing")
    parser.add_argument("--out", type=Path, required=True, help="writes OUT.md")
    arguments = parser.parse_args()
    videos = list(counted_clips(arguments.poses))
    labels = ", ".join(dict.fromkeys(clip.motion for clip in videos if clip.motion != "nobody"))
    with Recognizer(labels) as recognizer:
        text, times = table("Videos", videos, recognizer, every=True)
    with Recognizer(", ".join(DRAWN)) as recognizer:
        more, others = table("Drawn people", list(drawn_clips(arguments.drawn)), recognizer, every=False)
    times += others
    cost = f"Processor time of counting, a decision: {np.mean(times):.2f} ms, p99 {np.quantile(times, 0.99):.2f}."
    write_text(
        arguments.out.with_suffix(".md"),
        f"# Repetitions\n\n`python -m benchmarks.repetitions`. {cost}\n\n{text}\n\n{more}\n",
    )


if __name__ == "__main__":
    main()
