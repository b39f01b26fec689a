"""The path on one page, from poses to decisions, and the whole of it in one object.

    FrontEnd     poses -> tracks -> windows       one for each camera
    BackEnd      windows -> features -> rankings -> decisions     one for all cameras
    Recognizer   a picture, a file or a camera -> decisions       both of them, with the pose stage before

The program runs the same `FrontEnd` in its camera processes and the same `BackEnd` in its recognizer process.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from edge_app.bundles.bundle import Bundle, load_bundle, sound
from edge_app.bundles.shipped import DEFAULT, bundle_folder
from edge_app.camera import Source, open_source
from edge_app.camera.grab import Grabber
from edge_app.encoder import Encoder
from edge_app.errors import SourceError, UsageError
from edge_app.events import EventConfig, PeopleEvents
from edge_app.pose.choose import ChosenPose, choose_pose, pose_backend
from edge_app.pose.mediapipe import PoseBackend
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label, line_of, parse_labels, parse_lines
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.ranker.ranker import Ranker
from edge_app.runtime.choose import RuntimeConfig, choose
from edge_app.runtime.session import Session
from edge_app.track import make_tracker
from edge_app.types import CameraReport, CameraState, Decision, Frame, Pose, Poses, Ranking, Reason, Track, Window
from edge_app.window.buffer import WindowBuffers
from edge_app.window.skeleton import WindowSpec

log = logging.getLogger(__name__)

MAX_PEOPLE = 8
WAIT_S = 0.2
"""For a live camera's next frame, between looks at how the camera is doing."""

Measure = Callable[[str], AbstractContextManager[object]]
"""Called with a stage's name around its work; `edge_app.app.metrics.StageTimes.measure` is one."""


@dataclass(frozen=True, slots=True)
class CameraConfig:
    """stride_s: seconds between windows. max_people: watched at once, 1 to 8.

    min_fps: frames a second under which nothing is named (state `degraded`, flag `insufficient_rate`).
    """

    stride_s: float = 0.1
    max_people: int = 1
    min_fps: float = 4.0


@dataclass(frozen=True, slots=True)
class Observation:
    """What the front end makes of one frame.

    tracks: everybody in the frame. due: whether a decision is. windows: of everybody who is watched, where a decision
        is due and frames come fast enough. fps: frames a second of late, 0.0 before the second frame.
    slow: fewer frames come than `CameraConfig.min_fps`, so nothing is named.
    """

    t_ns: int
    tracks: tuple[Track, ...]
    due: bool
    windows: tuple[Window, ...]
    fps: float
    slow: bool

    @property
    def flags(self) -> tuple[str, ...]:
        return ("insufficient_rate",) if self.slow else ()


class FrontEnd:
    """Who is who, and the last seconds of each of them: the stages from the pose to the window, for one camera.

    Decisions are due on a grid of `stride_s` that begins with the first frame: at any frame rate there are as many a
    second as frames allow, and live and from a file the same frames give the same windows. After a stall, what was not
    done is not made up for.

    Args:
        camera: the name that windows carry.
        spec: the bundle's window.
        options: stride, people, least frame rate.
        measure: called with "window" around the making of windows.
    """

    def __init__(
        self, camera: str, spec: WindowSpec, options: CameraConfig = CameraConfig(), measure: Measure = nullcontext
    ) -> None:
        self.camera = camera
        self._options, self._measure = options, measure
        self._tracker = make_tracker(options.max_people)
        self._buffers = WindowBuffers(camera, spec, options.max_people)
        self._span_ns = int(spec.seconds * 1e9)
        self._stride_ns = int(options.stride_s * 1e9)
        self._stamps: deque[int] = deque()
        self._due_ns = 0

    def update(self, poses: Poses) -> Observation:
        """Take the poses of the next frame; frames come in the order of their stamps."""
        t_ns = poses.t_ns
        tracks = self._tracker.update(poses)
        self._buffers.push(tracks)
        fps, slow = self._rate(t_ns)
        windows: tuple[Window, ...] = ()
        if due := self.due(t_ns):
            self._due_ns += self._stride_ns
            if self._due_ns <= t_ns:  # the start, or a stall
                self._due_ns = t_ns + self._stride_ns
            with self._measure("window"):
                windows = self._buffers.windows()
        return Observation(t_ns, tracks, due, () if slow else windows, fps, slow)

    def due(self, t_ns: int) -> bool:
        """Whether a decision is, at a frame of that stamp."""
        return t_ns >= self._due_ns

    def _rate(self, t_ns: int) -> tuple[float, bool]:
        """Frames a second over the last window, or between the last two frames; whether that is too few."""
        self._stamps.append(t_ns)
        while len(self._stamps) > 2 and t_ns - self._stamps[0] > self._span_ns:
            self._stamps.popleft()
        span_ns = t_ns - self._stamps[0]
        fps = 1e9 * (len(self._stamps) - 1) / span_ns if span_ns > 0 else 0.0
        return round(fps, 2), fps < self._options.min_fps and 2 * span_ns >= self._span_ns

    def reset(self) -> None:
        """Forget everybody: what was seen before a camera was lost must not be joined to what comes after."""
        self._buffers.clear()
        self._tracker.reset()
        self._stamps.clear()


class BackEnd:
    """What windows mean: the stages from the encoder to the events, for all cameras.

    Args:
        encoder: windows to features.
        ranker: features to rankings; it has its labels. May be replaced between two calls.
        events: thresholds of the event stage.
        people: watched before each camera.
        measure: called with "encoder", "ranker" and "events" around their work.
    """

    def __init__(
        self, encoder: Encoder, ranker: Ranker, events: EventConfig = EventConfig(), people: int = 1,
        measure: Measure = nullcontext,
    ) -> None:  # fmt: skip
        self.encoder, self.ranker = encoder, ranker
        self._events, self._people, self._measure = events, people, measure
        self._cameras: dict[str, PeopleEvents] = {}

    def decide(self, *reports: CameraReport) -> list[Decision]:
        """A decision for each report, in their order; the windows of all go through the encoder in one batch.

        The reports are of different cameras.
        """
        rankings = iter(self._rank([window for report in reports for window in report.windows]))
        with self._measure("events"):
            return [
                self._of(report.camera).update(report, [next(rankings) for _ in report.windows]) for report in reports
            ]

    def _rank(self, windows: list[Window]) -> list[Ranking]:
        if not windows:
            return []
        with self._measure("encoder"):
            features = self.encoder.encode(windows, self._events.look_s)
        with self._measure("ranker"):
            return self.ranker.rank(features)

    def close(self, camera: str, t_ns: int, reason: str) -> Decision:
        """End whatever is open before a camera."""
        return Decision(camera, None, t_ns, "stale", self._of(camera).close(t_ns, reason), None, Reason(reason))

    def body_seen(self, window: Window) -> bool:
        """Whether enough of a body is in view: MediaPipe also "finds" faces, cartoons and bottles."""
        return self._of(window.camera).body_seen(window)

    def _of(self, camera: str) -> PeopleEvents:
        if camera not in self._cameras:
            self._cameras[camera] = PeopleEvents(camera, self.encoder.spec, self._events, self._people)
        return self._cameras[camera]


@dataclass(frozen=True, slots=True)
class Step:
    """One frame on its way through the stages.

    poses: in the frame; None once the source has ended. person: the one who is watched; of several, of whom the
        decision tells, or who came first.
    decision: where one was due, else None. The step after the last frame holds what ends with the source.
    window: what was decided on, if anybody was in view. observation: None once the source has ended.
    """

    poses: Poses | None
    person: Pose | None
    decision: Decision | None
    window: Window | None = None
    observation: Observation | None = None


def watch(
    uri: str, front: FrontEnd, people: int, open_pose: Callable[[int], PoseBackend] = pose_backend
) -> Iterator[tuple[Poses, Observation]]:
    """A source through the pose stage and a front end, frame by frame; the poses of a recording are as they are.

    Every frame of a file; the newest of a camera, each time. open_pose: makes what finds so many people.

    Raises:
        SourceError: the source cannot be opened or decoded, or a camera is lost.
        UsageError: an unknown kind of source, or the pose model cannot be had.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_source(uri, camera=front.camera, realtime=False))
        pose: PoseBackend | None = None
        for item in _newest(source) if source.live else _every(source):
            if isinstance(item, Frame):
                pose = pose or stack.enter_context(open_pose(people))
                item = pose.estimate(item)
            yield item, front.update(item)


def _every(source: Source) -> Iterator[Frame | Poses]:
    while (item := source.read()) is not None:
        yield item


def _newest(source: Source) -> Iterator[Frame | Poses]:
    with Grabber(source) as grabber:
        state: CameraState = "running"
        while state != "ended":
            item, status = grabber.newest(WAIT_S), grabber.status()
            state = status.state
            if item is not None:
                yield item
            elif status.error:
                raise SourceError(status.error)


def decide(poses: Poses, seen: Observation, back: BackEnd) -> Step:
    """What the back end makes of one camera's frame."""
    person = seen.tracks[0].pose if seen.tracks else None
    if not seen.due:
        return Step(poses, person, None, None, seen)
    report = CameraReport(poses.camera, "running", 0, seen.t_ns, seen.fps, 0, 0, seen.windows, flags=seen.flags)
    (decision,) = back.decide(report)
    first = seen.windows[0] if seen.windows else None
    shown = next((window for window in seen.windows if window.track == decision.track), first)
    person = next((track.pose for track in seen.tracks if shown and track.id == shown.track), person)
    return Step(poses, person, decision, shown, seen)


class Recognizer:
    """Names what people do, in your own loop: no processes and no sockets. A context manager.

    Args:
        labels: what to look for: "wave, drink water", the name of a list that ships ("fitness"), a label file, or a
            sequence of lines of one. None: the bundle's own.
        bundle: a model bundle, its folder, or the name of one that ships: "default" or "open".
        ranker: "scale", "fdsm", "sa_dvae" or "fs_vae", with "+fdsm" to have the best five re-ranked; or one that is
            loaded.
        runtime: "auto" takes the fastest that is here and passes the bundle's self-test; or an encoder that is loaded.
        pose: "auto" takes what finds poses fastest here and passes its self-test; or one of
            `edge_app.pose.choose.BACKENDS`.
        people: how many to watch before the camera, 1 to 8; None: as `camera` says.
        camera: stride, people, least frame rate.
        events: thresholds of the event stage.

    Raises:
        UsageError: a label, the bundle, the ranker, the runtime or the number of people is refused.

    Example:
        >>> import numpy as np
        >>> with Recognizer("wave, drink water") as recognizer:
        ...     decision = recognizer(np.zeros((480, 640, 3), np.uint8), t_ns=0)
        >>> decision.state
        'no_person'
    """

    def __init__(
        self,
        labels: str | Sequence[str | Label] | None = None,
        *,
        bundle: Bundle | Path | str | None = None,
        ranker: Ranker | str = "scale",
        runtime: Encoder | str = "auto",
        pose: str = "auto",
        people: int | None = None,
        camera: CameraConfig = CameraConfig(),
        events: EventConfig = EventConfig(),
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle_folder(bundle or DEFAULT))
        self._camera = camera if people is None else replace(camera, max_people=people)
        if not 1 <= self._camera.max_people <= MAX_PEOPLE:
            raise UsageError(f"people: {self._camera.max_people} found, 1 to {MAX_PEOPLE} are allowed")
        self._events = events
        self._backend = pose
        self._chosen: ChosenPose | None = None
        self._texts = BundleText(self.bundle)
        kind = ranker if isinstance(ranker, str) else ranker.kind
        ranker = load_ranker(self.bundle, kind) if isinstance(ranker, str) else ranker
        self.why = ""
        """Which runtime was taken, and why; empty for an encoder that was given."""
        if isinstance(runtime, str):
            chosen = choose_encoder(self.bundle, runtime, kind, RuntimeConfig())
            runtime, self.why = chosen.encoder, chosen.why
        self._back = BackEnd(runtime, ranker, self._events, self._camera.max_people)
        self._set(_labels(labels, self.bundle))
        self._pose: PoseBackend | None = None
        self._front = FrontEnd("cam", self.bundle.spec, self._camera)
        self._index = 0
        self.tracks: tuple[Track, ...] = ()
        """Everybody in the newest picture, with landmarks in its pixels."""

    def __call__(self, image: np.ndarray, t_ns: int | None = None) -> Decision | None:
        """Take the next picture of a camera.

        Args:
            image: uint8 `[height, width, 3]`, BGR as OpenCV gives it, upright.
            t_ns: when it was taken, in nanoseconds on any clock that does not go back; None: now,
                `time.monotonic_ns()`.

        Returns:
            What is going on now, and the events that just happened; None while no decision is due: there are ten a
            second.

        Raises:
            ValueError: another kind of picture.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(
                f"an image of {image.dtype} {list(image.shape)} found; uint8 [height, width, 3] is allowed"
            )
        frame = Frame(self._front.camera, self._index, time.monotonic_ns() if t_ns is None else t_ns, image)
        self._index += 1
        if self._pose is None:
            self._pose = self._open_pose(self._camera.max_people)
        poses = self._pose.estimate(frame)
        seen = self._front.update(poses)
        self.tracks = seen.tracks
        return decide(poses, seen, self._back).decision

    def _open_pose(self, people: int) -> PoseBackend:
        """Chosen once, and not before it is needed: of recordings, nobody needs to find poses."""
        if self._chosen is None:
            self._chosen = choose_pose(self._backend)
        return self._chosen.open(people)

    def run(self, source: str | Path) -> Iterator[Decision]:
        """Decisions over a whole source.

        Args:
            source: a file ("clip.mp4", every frame, the same answer each time), a recording ("pose://me.mcap", without
                MediaPipe), a camera ("camera://0", always the newest frame), or any other of
                `edge_app.camera.SCHEMES`.

        Returns:
            An iterator over decisions, ten a second; the last one ends what is open.

        Raises:
            SourceError: the source cannot be opened or decoded, or a camera is lost.
            UsageError: an unknown kind of source.

        Example:
            >>> recognizer = Recognizer("wave, squat, clap")
            >>> decisions = recognizer.run("person://squat?seconds=2&fps=15")
            >>> events = [event for decision in decisions for event in decision.events]
            >>> [(event.type, event.label) for event in events if event.type != "update"]
            [('start', 'squat'), ('end', 'squat')]
        """
        for step in self.steps(str(source)):
            if step.decision is not None:
                yield step.decision

    def steps(self, uri: str, *, camera: str = "file") -> Iterator[Step]:
        """As `run`, frame by frame, with the poses and windows; each call is a run of its own.

        Args:
            uri: as `source` of `run`.
            camera: the name that events carry.

        Returns:
            An iterator over steps, one for each frame, and one after the last, which ends what is open.

        Raises:
            SourceError: as `run`.
            UsageError: as `run`.
        """
        front = FrontEnd(camera, self.bundle.spec, self._camera)
        back = BackEnd(self.encoder, self.ranker, self._events, self._camera.max_people)
        t_ns = 0
        for poses, seen in watch(uri, front, self._camera.max_people, self._open_pose):
            t_ns, self.tracks = poses.t_ns, seen.tracks
            back.ranker = self.ranker  # the words may have changed since the last frame
            yield decide(poses, seen, back)
        yield Step(None, None, back.close(camera, t_ns, "ended"))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names that are looked for. Set it at any time, to whatever `Recognizer` takes as labels.

        Returns:
            The names, in their order.

        Raises:
            UsageError: on setting, a label is refused; the old ones stay.

        Example:
            >>> recognizer = Recognizer("wave, clap")
            >>> recognizer.labels = [*recognizer.labels, "victory: both arms are raised above the head"]
            >>> recognizer.labels
            ('wave', 'clap', 'victory')
        """
        return self.ranker.table.names

    @labels.setter
    def labels(self, labels: str | Sequence[str | Label]) -> None:
        self._set(_labels(labels, self.bundle))

    def _set(self, labels: Sequence[Label]) -> None:
        table = build_table(labels, self._texts, self.ranker.table.version + 1)
        self._back.ranker = self.ranker.with_labels(table)

    @property
    def encoder(self) -> Encoder:
        """What turns windows into features; its `provider` is what runs it."""
        return self._back.encoder

    @property
    def ranker(self) -> Ranker:
        """What ranks the labels, with the labels of now."""
        return self._back.ranker

    @property
    def events(self) -> EventConfig:
        """Thresholds of the event stage, as they were given."""
        return self._events

    def close(self) -> None:
        """Give the pose stage's memory back. Safe to call twice."""
        if self._pose is not None:
            self._pose.close()
            self._pose = None

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _labels(labels: str | Sequence[str | Label] | None, bundle: Bundle) -> tuple[Label, ...]:
    if labels is None:
        return bundle.default_labels
    if isinstance(labels, str):
        return parse_labels(labels)
    lines = [line_of(label) if isinstance(label, Label) else label for label in labels]
    parsed = all(isinstance(label, Label) for label in labels)  # and checked then
    return parse_lines(lines, "label", may_be_empty=True, note=None if parsed else log.warning)


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

    def test(session: Session) -> None:
        self_test(bundle, Encoder(session, bundle.spec), ranker)

    chosen = choose(bundle, runtime, config, test, waiting)
    return ChosenEncoder(Encoder(chosen.session, bundle.spec), chosen.why)


def self_test(bundle: Bundle, encoder: Encoder, kind: str = "scale") -> None:
    """The golden windows, through the runtime that will serve: the rankings must be those of the export.

    Raises:
        UsageError: a ranking's best label or an energy differs, or a file of the bundle is malformed.
    """
    kind, _, _ = kind.partition("+")
    with sound(bundle.path):
        table = build_table(bundle.default_labels, BundleText(bundle), 0)
        golden, ranker = bundle.golden(), load_ranker(bundle, kind, table)
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
