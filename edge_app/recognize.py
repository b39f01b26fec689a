"""Every frame of a file, nothing dropped, the same answer each time: `edge-app recognize`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundle import Bundle
from edge_app.camera import open_source
from edge_app.config import Settings
from edge_app.encoder import Encoder
from edge_app.events import EventDetector
from edge_app.labels import LabelTable
from edge_app.picture import Moment, draw_run
from edge_app.pose import PoseEstimator
from edge_app.rankers.base import Ranker
from edge_app.track import Tracker
from edge_app.types import CameraReport, Event, Poses, Ranking
from edge_app.window import WindowBuffer


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
    rankings: list[Ranking] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)
    states: dict[str, float] = field(
        default_factory=lambda: {"no_person": 0.0, "idle": 0.0, "unknown": 0.0, "action": 0.0}
    )


def recognize(
    uri: str, bundle: Bundle, encoder: Encoder, ranker: Ranker, table: LabelTable, settings: Settings,
    *, picture: Path | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Run the whole path over one file and return the `recognition/1` object of DESIGN.md 5.

    `ranking` is empty where nobody was in view long enough for a window. `picture`: an SVG file to draw the run into.

    Raises:
        SourceError: the file cannot be decoded.
    """
    ranker.set_labels(table)
    tally, spec = _Tally(), bundle.spec
    buffer, tracker = WindowBuffer("file", spec), Tracker()
    detector = EventDetector("file", spec, settings.events)
    stride_ns, due_ns, last_ns, state = int(settings.camera.stride_s * 1e9), 0, 0, "no_person"
    with open_source(uri, camera="file", realtime=False) as source, PoseEstimator() as estimator:
        while (item := source.read()) is not None:
            poses = item if isinstance(item, Poses) else estimator.estimate(item)
            tally.frames += 1
            tally.states[state] += (poses.t_ns - last_ns) / 1e9
            last_ns = poses.t_ns
            tracks = tracker.update(poses)
            if tracks:
                tally.found += 1
                tally.visibility.append(float((spec.skeleton.from_mediapipe @ tracks[0].pose.visibility).mean()))
                buffer.push(tracks[0])
            if poses.t_ns < due_ns:
                continue
            due_ns = poses.t_ns + stride_ns
            window = buffer.window() if tracks else None
            ranking = ranker.rank(encoder.encode([window]))[0] if window else None
            if window and ranking and detector.body_seen(window):
                tally.rankings.append(ranking)
            report = CameraReport("file", "running", 0, poses.t_ns, source.fps, tally.frames, 0, window)
            decision = detector.update(report, ranking)
            tally.events += decision.events
            state = "action" if decision.state == "running" else decision.state
            tally.moments.append(Moment(poses.t_ns / 1e9, state, tracks[0].pose if tracks else None, ranking))
    tally.events += detector.close(last_ns, "ended")
    if tally.frames > 1:
        tally.states[state] += last_ns / 1e9 / (tally.frames - 1)
    if picture is not None and tally.moments:
        enter = settings.events.enter
        picture.write_text(draw_run(tally.moments, tally.events, spec.skeleton, Path(uri).name, enter), "utf-8")
    return _result(uri, tally, source.fps or _rate(tally.frames, last_ns), bundle, ranker, table)


def _rate(frames: int, last_ns: int) -> float:
    return (frames - 1) / (last_ns / 1e9) if last_ns else 0.0


def _result(uri: str, tally: _Tally, fps: float, bundle: Bundle, ranker: Ranker, table: LabelTable) -> dict[str, Any]:
    temperature = ranker.calibration.temperature
    starts = {event.id: event for event in tally.events if event.type == "start"}
    ends = {event.id: event for event in tally.events if event.type == "end"}
    best: dict[str, float] = {}
    for event in tally.events:
        best[event.id] = max(best.get(event.id, 0.0), event.score)
    return {
        "schema": "recognition/1",
        "file": Path(uri).name if "://" not in uri else uri,
        "seconds": round(sum(tally.states.values()), 3),
        "fps_in": round(fps, 3),
        "frames": tally.frames,
        "pose_found": round(tally.found / tally.frames, 4) if tally.frames else 0.0,
        "body_visibility": round(float(np.mean(tally.visibility)), 4) if tally.visibility else 0.0,
        "ranker": ranker.kind,
        "bundle": bundle.id,
        "labels": list(table.names),
        "ranking": [list(pair) for pair in clip_ranking(tally.rankings, temperature)] if tally.rankings else [],
        "events": [
            {
                "label": start.label,
                "onset_s": round(start.onset_ns / 1e9, 3),
                "offset_s": round(ends[name].t_ns / 1e9, 3),
                "score": round(best[name], 4),
            }
            for name, start in starts.items()
        ],
        "states": {state: round(seconds, 3) for state, seconds in tally.states.items()},
    }
