"""Shots of a motion: collected from the windows of a running app, kept for the user, and read by the encoder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_app.app.settings import Settings
from edge_app.bundles.bundle import Bundle
from edge_app.encoder import Encoder, load_encoder
from edge_app.errors import UsageError
from edge_app.events import EventConfig
from edge_app.ranker.labels.actions import fold
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.shots import Taught, TaughtFolder
from edge_app.ranker.load import feature_mean
from edge_app.ranker.prototypes import Prototypes
from edge_app.ranker.ranker import Ranker
from edge_app.types import CameraReport, Window
from edge_app.window.normalize import normalize
from edge_app.window.skeleton import WindowSpec

SPACING_S = 0.5  # between two windows of a shot
MAX_SECONDS = 30.0
LATE_NS = 300_000_000  # what the last window of a shot may take to come

Labels = tuple[Label, ...]
Change = Callable[[Labels], Labels]


def moving_windows(windows: Sequence[Window]) -> list[Window]:
    """The windows of a shot in which the person moves; all, where they never do: a posture can be taught too."""
    return [window for window in windows if window.motion >= EventConfig().idle_motion] or list(windows)


def select_windows(windows: Sequence[Window], seconds: float, spec: WindowSpec) -> list[Window]:
    """What to keep of the windows in which a body was seen, `SPACING_S` apart in a shot of so many seconds.

    Raises:
        UsageError: they are fewer than half of those that there could be.
    """
    most = 1 + int((seconds - spec.seconds) / SPACING_S + 1e-6)
    if 2 * len(windows) < most:
        raise UsageError(
            f"teach: a body was in view in {len(windows)} of the shot's {most} windows, at least half are needed; "
            "nothing of it was kept"
        )
    return moving_windows(windows)


@dataclass(slots=True)
class Shot:
    """A shot that is being taken: windows of one camera, `SPACING_S` apart, in which a body is seen.

    due_ns: when the next window may end. until_ns: when the shot is over.
    """

    label: Label
    camera: str
    seconds: float
    due_ns: int
    until_ns: int
    windows: list[Window] = field(default_factory=list)

    def take(self, report: CameraReport, body_seen: Callable[[Window], bool]) -> None:
        """Keep the window of a report, if it began within the shot and shows a body."""
        if report.camera != self.camera or not report.windows:
            return
        window = report.windows[0]
        if self.due_ns <= window.t_ns <= self.until_ns and body_seen(window):
            self.windows.append(window)
            self.due_ns = max(self.due_ns + int(SPACING_S * 1e9), window.t_ns)

    @property
    def over(self) -> bool:
        return time.monotonic_ns() >= self.until_ns + LATE_NS


class SupportSet:
    """The labels that a user has taught, and how the ranker comes to know their shots.

    The changes of label sets that it gives, `shots`, `extended` and `with_shots` read and write files: they belong to
    the thread that puts label sets together.

    words: those that the app was started with. settings: `taught.use` says whether taught labels are looked for, and
        `events.look_s` how much of a shot's windows.
    """

    def __init__(self, folder: TaughtFolder, bundle: Bundle, words: Labels, settings: Settings) -> None:
        self._folder, self._bundle = folder, bundle
        self._use, self._look_s = settings.taught.use, settings.events.look_s
        self._brought = set(folder.all() if self._use else ()) - {fold(label.name) for label in words}
        self._encoder: Encoder | None = None
        self._encoded: dict[str, tuple[Taught, list[np.ndarray]]] = {}
        self.shots: dict[str, int] = {}
        """By folded name, how many shots each label has for the ranker of the last `with_shots`."""

    def shot(self, label: Label, cameras: Sequence[str], camera: object, seconds: object) -> Shot | None:
        """A shot that begins now, as a request asks for it; None for 0 seconds, which is to read what is stored.

        Raises:
            UsageError: it cannot be taken.
        """
        least = self._bundle.spec.seconds + SPACING_S
        if not self._use:
            raise UsageError("taught labels are turned off (taught.use)")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not math.isfinite(seconds):
            raise UsageError("'seconds' must be a number")
        if seconds == 0:
            return None
        if not least <= seconds <= MAX_SECONDS:
            raise UsageError(f"{seconds:g} seconds found; {least:g} to {MAX_SECONDS:g} are allowed")
        if camera in (None, "") and len(cameras) == 1:
            camera = cameras[0]
        if not isinstance(camera, str) or camera not in cameras:
            raise UsageError(f"camera {ascii(camera)[:40]} found; allowed: {', '.join(cameras)}")
        now_ns = time.monotonic_ns()
        due_ns, until_ns = (now_ns + int(s * 1e9) for s in (self._bundle.spec.seconds, seconds))
        return Shot(label, camera, seconds, due_ns, until_ns)

    def keeping(self, shot: Shot) -> Change:
        """Store a shot that is over, and look for its label."""

        def change(old: Labels) -> Labels:
            self._folder.add(shot.label, select_windows(shot.windows, shot.seconds, self._bundle.spec))
            return self.reading(shot.label)(old)

        return change

    def reading(self, label: Label) -> Change:
        """Look for a label of which shots are stored."""

        def change(old: Labels) -> Labels:
            if fold(label.name) not in self._folder.all():
                raise UsageError(f"nothing is stored for {label.name!a} in {self._folder.path}")
            if fold(label.name) in {fold(each.name) for each in old}:
                return old
            self._brought.add(fold(label.name))
            return (*old, label)

        return change

    def forgetting(self, label: Label) -> Change:
        """Forget a label's shots; it stays in the set as a word if it was one before."""

        def change(old: Labels) -> Labels:
            self._folder.forget(label.name)
            gone = {fold(label.name)} & self._brought
            self._brought -= gone
            return tuple(each for each in old if fold(each.name) not in gone)

        return change

    def extended(self, words: Labels) -> Labels:
        """The words, and after them what was taught and is not among them."""
        taught = self._folder.all() if self._use else {}
        return (*words, *(each.label for name, each in taught.items() if name in self._brought))

    def with_shots(self, ranker: Ranker) -> Ranker:
        """A ranker that knows the stored shots too; the same one where there are none."""
        taught = self._folder.all() if self._use else {}
        self.shots = {name: each.shots for name, each in taught.items()}
        if not taught:
            return ranker
        if self._encoder is None:
            self._encoder = load_encoder(self._bundle)  # a session of its own: this thread must not hold up the loop's
        self._encoded = {
            name: self._encoded[name] if self._encoded.get(name, (None,))[0] is each else (each, self._encode(each))
            for name, each in taught.items()
        }
        shots = {name: features for name, (_, features) in self._encoded.items()}
        return ranker.adjusted(Prototypes.of(shots, feature_mean(self._bundle), ranker.calibration.temperature))

    def _encode(self, taught: Taught) -> list[np.ndarray]:
        assert self._encoder is not None
        vectors = np.stack([
            self._encoder.vector(normalize(joints, taught.spec.latest(valid, self._look_s), taught.spec.skeleton))
            for joints, valid in zip(taught.joints, taught.valid, strict=True)
        ])  # fmt: skip
        return [vectors[taught.shot == shot] for shot in np.unique(taught.shot)]
