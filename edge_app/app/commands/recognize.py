"""Every frame of a file, nothing dropped, the same answer each time: `edge-app recognize`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.app.assemble import make_recognizer
from edge_app.app.commands.svg import Moment, draw_run
from edge_app.app.log import log, say
from edge_app.bundles.files import write_text
from edge_app.camera import redact
from edge_app.errors import SourceError, UsageError, legible
from edge_app.recognizer import Recognizer
from edge_app.types import Event, Ranking, Window


def main(arguments: argparse.Namespace) -> int:
    """Name what each file shows; 4 where one cannot be decoded."""
    if arguments.picture and len(arguments.files) > 1:
        raise UsageError(f"--picture: {len(arguments.files)} files found, one is allowed")
    if arguments.picture and not arguments.picture.absolute().parent.is_dir():
        raise UsageError(f"--picture {arguments.picture}: no folder {arguments.picture.parent}")
    recognizer, _ = make_recognizer(arguments, arguments.files)
    code = 0
    for file in arguments.files:
        drawn: list[str] = []
        try:
            result = recognize(file, recognizer, draw=drawn.append if arguments.picture else None)
        except SourceError as error:
            log.error("%s", error, extra={"kind": "source"})
            code = error.exit_code
            continue
        say(*([json.dumps(result)] if arguments.json else _readable(result)))
        for picture in drawn:  # after the result, which must not be lost by a full disk
            write_text(arguments.picture, picture, parents=False)
    return code


def _readable(result: dict[str, Any]) -> list[str]:
    best = ", ".join(f"{label} {score:.2f}" for label, score in result["ranking"][:3])
    if not best:
        slow = "degraded" in result["states"]
        best = f"only {result['fps_in']:g} frames a second, too few to name anything" if slow else "nobody in view"
    lines = [f"{result['file']}: {best}"]
    lines += [
        f"  {event['onset_s']:7.2f} to {event['offset_s']:7.2f} s  {event['label']} ({event['score']:.2f})"
        + (f"  {event['reps']} times" if event["reps"] else "")
        for event in result["events"]
    ]
    states = [f"{state} {seconds:.1f} s" for state, seconds in result["states"].items() if seconds]
    return [*lines, *(["  " + ", ".join(states)] if states else [])]


def clip_ranking(rankings: Sequence[Ranking], temperature: float) -> list[tuple[str, float]]:
    """Labels over a whole clip, best first, scores summing to 1: the energies' mean over windows, then the softmax."""
    energies = np.mean([ranking.energies for ranking in rankings], axis=0, dtype=np.float64)
    logits = -energies / temperature
    scores = np.exp(logits - logits.max())
    scores /= scores.sum()
    return [(rankings[0].labels[i], round(float(scores[i]), 6)) for i in np.argsort(energies, kind="stable")]


@dataclass
class _Tally:
    """What is counted while a file goes by."""

    frames: int = 0
    found: int = 0
    visibility: list[float] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    states: dict[str, float] = field(
        default_factory=lambda: {"no_person": 0.0, "idle": 0.0, "unknown": 0.0, "action": 0.0}
    )

    def spend(self, state: str, seconds: float) -> None:
        self.states[state] = self.states.get(state, 0.0) + seconds


def recognize(uri: str, recognizer: Recognizer, *, draw: Callable[[str], object] | None = None) -> dict[str, Any]:
    """Run the whole path over one file and return the `recognition/1` object of DESIGN.md 5.

    `ranking` is empty where nobody was in view long enough for a window, or where frames came too slowly for most of
    the file; `states` has `degraded` too where they did. draw: is given the run as SVG, if anything was decided.

    Raises:
        SourceError: the file cannot be decoded.
    """
    tally, spec, state, last_ns = _Tally(), recognizer.bundle.spec, "no_person", 0
    for step in recognizer.steps(uri):
        if step.decision is not None:
            tally.events += step.decision.events
        if step.poses is None:
            continue
        tally.frames += 1
        tally.spend(state, (step.poses.t_ns - last_ns) / 1e9)
        last_ns = step.poses.t_ns
        if step.person is not None:
            tally.found += 1
            tally.visibility.append(float((spec.skeleton.from_mediapipe @ step.person.visibility).mean()))
        if step.decision is None:
            continue
        ranking = step.decision.ranking
        if ranking is not None:
            tally.windows.append(ranking.window)
        state = "action" if step.decision.state == "running" else step.decision.state
        tally.moments.append(Moment(last_ns / 1e9, state, step.person, ranking))
    if tally.frames > 1:
        tally.spend(state, last_ns / 1e9 / (tally.frames - 1))
    if draw is not None and tally.moments:
        draw(draw_run(tally.moments, tally.events, spec.skeleton, Path(uri).name, recognizer.events.enter))
    return _result(uri, tally, _rate(tally.frames, last_ns), recognizer)


def _rate(frames: int, last_ns: int) -> float:
    return (frames - 1) / (last_ns / 1e9) if last_ns else 0.0


def _result(uri: str, tally: _Tally, fps: float, recognizer: Recognizer) -> dict[str, Any]:
    temperature, seconds = recognizer.ranker.calibration.temperature, sum(tally.states.values())
    slow = 2 * tally.states.get("degraded", 0.0) > seconds
    rankings = recognizer.ranker.rank(recognizer.encoder.encode([] if slow else tally.windows))  # of whole windows
    starts = {event.id: event for event in tally.events if event.type == "start"}
    ends = {event.id: event for event in tally.events if event.type == "end"}
    best: dict[str, float] = {}
    cadence: dict[str, float] = {}
    for event in tally.events:
        best[event.id] = max(best.get(event.id, 0.0), event.score)
        if event.cadence_hz is not None:
            cadence[event.id] = event.cadence_hz
    return {
        "schema": "recognition/1",
        "file": legible(Path(uri).name if "://" not in uri else redact(uri)),
        "seconds": round(seconds, 3),
        "fps_in": round(fps, 3),
        "frames": tally.frames,
        "pose_found": round(tally.found / tally.frames, 4) if tally.frames else 0.0,
        "body_visibility": round(float(np.mean(tally.visibility)), 4) if tally.visibility else 0.0,
        "ranker": recognizer.ranker.kind,
        "bundle": recognizer.bundle.id,
        "labels": list(recognizer.labels),
        "ranking": [list(pair) for pair in clip_ranking(rankings, temperature)] if rankings else [],
        "events": [
            {
                "label": start.label,
                "onset_s": round(start.onset_ns / 1e9, 3),
                "offset_s": round(ends[name].t_ns / 1e9, 3),
                "score": round(best[name], 4),
                "reps": ends[name].reps,
                "cadence_hz": round(cadence[name], 3) if name in cadence else None,
            }
            for name, start in starts.items()
        ],
        "states": {state: round(seconds, 3) for state, seconds in tally.states.items()},
    }
