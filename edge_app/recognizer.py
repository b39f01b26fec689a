"""The path on one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edge_app.bundles.bundle import Bundle, sound
from edge_app.camera import Source
from edge_app.encoder import Encoder
from edge_app.errors import UsageError
from edge_app.events import PeopleEvents
from edge_app.pose.multi_person import pose_backend
from edge_app.ranker.base import Ranker
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.runtime.choose import RuntimeConfig, choose
from edge_app.track import make_tracker
from edge_app.types import CameraReport, Decision, Pose, Poses, Reason, Window
from edge_app.window.buffer import WindowBuffers
from edge_app.window.skeleton import WindowSpec

if TYPE_CHECKING:
    from edge_app.app.settings import Settings

MAX_PEOPLE = 8


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """stride_s: seconds between windows. max_people: watched at once, 1 to 8.

    min_fps: poses a second under which nothing is named (state `degraded`, flag `insufficient_rate`).
    """

    stride_s: float = 0.1
    max_people: int = 1
    min_fps: float = 4.0


@dataclass(frozen=True, slots=True)
class Step:
    """One frame on its way through the stages.

    poses: in the frame; None once the source has ended. person: the one who is watched; of several, of whom the
        decision tells, or who came first.
    decision: where one was due, else None. The step after the last frame holds what ends with the source.
    window: what was decided on, if anybody was in view.
    """

    poses: Poses | None
    person: Pose | None
    decision: Decision | None
    window: Window | None = None


def steps(source: Source, spec: WindowSpec, encoder: Encoder, ranker: Ranker, settings: Settings) -> Iterator[Step]:
    """Every frame of a source that is not live, through all stages but the publisher; the ranker has its labels.

    Raises:
        SourceError: the source cannot be decoded.
    """
    people = settings.camera.max_people
    buffers, tracker = WindowBuffers("file", spec, people), make_tracker(people)
    detector = PeopleEvents("file", spec, settings.events, people)
    stride_ns, due_ns, frames, last_ns = int(settings.camera.stride_s * 1e9), 0, 0, 0
    with pose_backend(people) as estimator:
        while (item := source.read()) is not None:
            poses = item if isinstance(item, Poses) else estimator.estimate(item)
            frames, last_ns = frames + 1, poses.t_ns
            tracks = tracker.update(poses)
            person = tracks[0].pose if tracks else None
            buffers.push(tracks)
            if poses.t_ns < due_ns:
                yield Step(poses, person, None)
                continue
            due_ns = poses.t_ns + stride_ns
            windows = buffers.windows()
            rankings = ranker.rank(encoder.encode(windows)) if windows else []
            first, others = (windows[0], windows[1:]) if windows else (None, ())
            report = CameraReport("file", "running", 0, poses.t_ns, source.fps, frames, 0, first, others=others)
            decision = detector.update(report, rankings)
            shown = next((window for window in windows if window.track == decision.track), first)
            person = next((track.pose for track in tracks if shown and track.id == shown.track), person)
            yield Step(poses, person, decision, shown)
    ended = detector.close(last_ns, "ended")
    yield Step(None, None, Decision("file", None, last_ns, "stale", ended, None, Reason("ended")))


@dataclass(frozen=True, slots=True)
class ChosenEncoder:
    """why: one line on what runs, how fast, and what else was tried."""

    encoder: Encoder
    why: str


def choose_encoder(
    bundle: Bundle, runtime: str, ranker: str, config: RuntimeConfig, waiting: Callable[[], None] = lambda: None
) -> ChosenEncoder:
    """The encoder on the fastest runtime that passes the self-test, and a line that says which and why.

    Raises:
        UsageError: as `edge_app.runtime.choose.choose`.
    """
    chosen = choose(
        bundle, runtime, config, lambda session: self_test(bundle, Encoder(session, bundle.spec), ranker), waiting
    )
    return ChosenEncoder(Encoder(chosen.session, bundle.spec), chosen.why)


def self_test(bundle: Bundle, encoder: Encoder, kind: str = "scale") -> None:
    """The golden windows, through the runtime that will serve: the rankings must be those of the export.

    Raises:
        UsageError: a ranking's best label or an energy differs, or a file of the bundle is malformed.
    """
    kind, _, _ = kind.partition("+")
    with sound(bundle.path):
        golden, ranker = bundle.golden(), load_ranker(bundle, kind)
        ranker.set_labels(build_table(bundle.default_labels, BundleText(bundle), 0))
        labels = golden[f"energies_{kind}"].shape[1]
        vectors = np.stack([encoder.vector(window) for window in golden["windows"]])
        energies = ranker.energies(vectors)[:, :labels]
        expected = golden[f"energies_{kind}"]
        wrong = int((energies.argmin(axis=1) != expected.argmin(axis=1)).sum())
        far = float(np.abs(energies - expected).max()) if np.isfinite(energies).all() else float("nan")
    if wrong or not far < 2e-2:
        raise UsageError(
            f"bundle {bundle.path}: {encoder.provider} fails the golden self-test "
            f"({wrong} of {len(expected)} best labels differ, energies by up to {far:.3g}; 0.02 is allowed)"
        )
