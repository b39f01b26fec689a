"""Shots of a motion while the app runs: collected from its windows, kept for the user, and read by the encoder."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_app.bundles.bundle import Bundle
from edge_app.encoder import Encoder, load_encoder
from edge_app.errors import UsageError
from edge_app.events import EventConfig
from edge_app.ranker.labels.label import Label, fold
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
class _Shot:
    number: int
    label: Label
    camera: str
    seconds: float
    due_ns: int
    until_ns: int
    windows: list[Window] = field(default_factory=list)


class Teacher:
    """What was taught, and the shot that is being taken, if any: one at a time.

    `begin`, `take` and `finished` belong to the recognizer's loop and never wait. Everything else, and the changes that
    they give, belongs to the thread that puts label sets together.

    use: whether taught labels are looked for. words: those that the app was started with.
    """

    def __init__(
        self, folder: TaughtFolder, bundle: Bundle, cameras: Sequence[str], words: Labels, *, use: bool
    ) -> None:
        self._folder, self._bundle, self._cameras, self._use = folder, bundle, tuple(cameras), use
        self._brought = set(folder.all() if use else ()) - {fold(label.name) for label in words}
        self._shot: _Shot | None = None
        self._encoder: Encoder | None = None
        self._encoded: dict[str, tuple[Taught, list[np.ndarray]]] = {}
        self.shots: dict[str, int] = {}
        """By folded name, how many shots each label has that is in force; replaced as a whole."""

    def begin(self, number: int, label: Label, camera: object, seconds: object) -> Change | None:
        """Begin a shot, whose change comes out of `finished`; with 0 seconds the change that reads what is stored.

        Raises:
            ValueError: it cannot be taken.
        """
        least = self._bundle.spec.seconds + SPACING_S
        if not self._use:
            raise ValueError("taught labels are turned off (taught.use)")
        if not isinstance(seconds, (int, float)) or isinstance(seconds, bool) or not math.isfinite(seconds):
            raise ValueError("'seconds' must be a number")
        if seconds == 0:
            return lambda old: self._stored(old, label)
        if not least <= seconds <= MAX_SECONDS:
            raise ValueError(f"{seconds:g} seconds found; {least:g} to {MAX_SECONDS:g} are allowed")
        if camera in (None, "") and len(self._cameras) == 1:
            camera = self._cameras[0]
        if not isinstance(camera, str) or camera not in self._cameras:
            raise ValueError(f"camera {ascii(camera)[:40]} found; allowed: {', '.join(self._cameras)}")
        if self._shot is not None:
            raise ValueError("another shot is being taken; try again later")
        now_ns = time.monotonic_ns()
        due_ns, until_ns = (now_ns + int(s * 1e9) for s in (self._bundle.spec.seconds, seconds))
        self._shot = _Shot(number, label, camera, seconds, due_ns, until_ns)
        return None

    def take(self, report: CameraReport, body_seen: Callable[[Window], bool]) -> None:
        """A report on its way: the shot keeps windows that began within it and show a body."""
        shot, window = self._shot, report.window
        if shot is None or window is None or report.camera != shot.camera or not shot.due_ns <= window.t_ns:
            return
        if window.t_ns <= shot.until_ns and body_seen(window):
            shot.windows.append(window)
            spacing_ns = int(SPACING_S * 1e9)
            shot.due_ns = max(shot.due_ns + spacing_ns, window.t_ns)

    def finished(self) -> tuple[int, Change] | None:
        """The number of the shot that is over, and the change that keeps it."""
        shot = self._shot
        if shot is None or time.monotonic_ns() < shot.until_ns + LATE_NS:
            return None
        self._shot = None
        return shot.number, lambda old: self._keep(old, shot)

    def extended(self, words: Labels) -> Labels:
        """The words, and after them what was taught and is not among them."""
        taught = self._folder.all() if self._use else {}
        return (*words, *(each.label for name, each in taught.items() if name in self._brought))

    def forget(self, label: Label) -> Change:
        """Forget a label's shots; it stays in the set as a word if it was one before."""

        def change(old: Labels) -> Labels:
            self._folder.forget(label.name)
            gone = {fold(label.name)} & self._brought
            self._brought -= gone
            return tuple(each for each in old if fold(each.name) not in gone)

        return change

    def _keep(self, old: Labels, shot: _Shot) -> Labels:
        self._folder.add(shot.label, select_windows(shot.windows, shot.seconds, self._bundle.spec))
        return self._stored(old, shot.label)

    def _stored(self, old: Labels, label: Label) -> Labels:
        if fold(label.name) not in self._folder.all():
            raise UsageError(f"nothing is stored for {label.name!a} in {self._folder.path}")
        if fold(label.name) in {fold(each.name) for each in old}:
            return old
        self._brought.add(fold(label.name))
        return (*old, label)

    def with_examples(self, ranker: Ranker) -> Ranker:
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
            self._encoder.vector(normalize(joints, valid, taught.spec.skeleton))
            for joints, valid in zip(taught.joints, taught.valid, strict=True)
        ])  # fmt: skip
        return [vectors[taught.shot == shot] for shot in np.unique(taught.shot)]
