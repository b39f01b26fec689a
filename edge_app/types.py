"""What the stages hand to each other, in the order of the path.

    camera  ->  pose  ->  track  ->  window  ->  encoder  ->  ranker  ->  events  ->  publisher
    Frame       Poses     Track      Window      Feature      Ranking     Decision    message

Stamps (`t_ns`) are `time.monotonic_ns()` at the grab; a file source counts from 0 by its own frame times.
The world frame is right-handed, in metres: y up, +x = the subject's right when the subject faces the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

CameraState = Literal["running", "camera_lost", "camera_frozen", "ended"]
EventType = Literal["start", "update", "end"]
State = Literal[
    "running", "no_person", "idle", "unknown", "stale", "camera_lost", "camera_frozen", "degraded", "failed"
]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture. `image` is uint8 `[height, width, 3]`, BGR as OpenCV gives it, upright."""

    camera: str
    index: int
    t_ns: int
    image: np.ndarray


@dataclass(frozen=True, slots=True)
class Pose:
    """The landmarks of one person in one frame, in MediaPipe's order of 33.

    image: float32 `[33, 2]`, pixels, x right, y down.
    world: float32 `[33, 3]`, metres in the world frame, origin at the middle of the hips *of this frame*.
    visibility: float32 `[33]`, 0 to 1.
    size: width and height of the frame in pixels.
    """

    t_ns: int
    image: np.ndarray
    world: np.ndarray
    visibility: np.ndarray
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Poses:
    """Everybody found in one frame; nobody found is an empty tuple. A recording holds these instead of frames."""

    camera: str
    index: int
    t_ns: int
    poses: tuple[Pose, ...]


@dataclass(frozen=True, slots=True)
class Track:
    """A pose and the person it belongs to: `id` stays with a person, and is never used again within a run."""

    id: int
    pose: Pose


@dataclass(frozen=True, slots=True)
class Window:
    """The last seconds of one person, at the bundle's rate, ending at `t_ns`.

    joints: float32 `[T, J, 4]`: x, y, z in metres in the world frame, and visibility. The origin is the pelvis in
        the first valid frame, so root motion is kept. Joints of frames with `valid` false are zero.
    valid: bool `[T]`; false where no pose was near enough in time.
    fps_in: poses per second that the window was made from.
    body_visibility: mean visibility of the torso, arms and legs over the valid frames, 0 to 1.
    motion: how far the joints move, in torso lengths per second (mean over joints of the upper half of frames).
    """

    camera: str
    track: int
    t_ns: int
    joints: np.ndarray
    valid: np.ndarray
    fps_in: float
    body_visibility: float
    motion: float


@dataclass(frozen=True, slots=True)
class CameraReport:
    """What a camera process hands to the recognizer: always the newest, never queued.

    state: of the camera. t_ns: stamp of the newest frame. fps_in: frames a second that the pose stage takes.
    windows: of everybody who is watched, lowest track first; empty while nobody is in view.
    dropped: frames overwritten in the one-slot hand-over before the pose stage took them, since the start.
    stage_ms: what each stage of this process took for this report.
    recorder: empty where nothing is recorded. unrecorded: items that it had to drop.
    people: everybody in the newest frame.
    misordered: frames refused for their stamps. reconnects: how often the source was lost and found.
    pose: what finds the poses, for example "onnxruntime-cpu"; empty where they come as they are.
    """

    camera: str
    state: CameraState
    epoch: int
    t_ns: int
    fps_in: float
    frames: int
    dropped: int
    windows: tuple[Window, ...]
    flags: tuple[str, ...] = ()
    stage_ms: tuple[tuple[str, float], ...] = ()
    recorder: Literal["", "recording", "recorder_full"] = ""
    unrecorded: int = 0
    people: tuple[Track, ...] = ()
    misordered: int = 0
    reconnects: int = 0
    pose: str = ""

    @property
    def window(self) -> Window | None:
        """The first window, if any."""
        return self.windows[0] if self.windows else None


@dataclass(frozen=True, slots=True)
class Feature:
    """What the encoder makes of a window: float32 `[D]`.

    In a bundle whose FS-VAE needs them, features over time and of body parts follow; other rankers read the first D.
    """

    window: Window
    vector: np.ndarray


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well each label explains one window, in the order of the labels.

    Attributes:
        window: what was ranked.
        labels: names of the labels, K of them.
        labels_version: counts the changes of the labels.
        energies: float32 `[K]`, lower is better; comparable only within one window.
        scores: float32 `[K]`, sums to 1.
        known: 0 to 1: how far the best label is from "none of these" by the bundle's calibration. A label's belief is
            its score times this.
        enter: the belief at which each label starts, None for that of the settings; empty where no label has its own.

    Example:
        >>> import numpy as np
        >>> joints, valid = np.zeros((32, 15, 4), np.float32), np.ones(32, bool)
        >>> window = Window("cam", 1, 2_000_000_000, joints, valid, fps_in=30.0, body_visibility=0.9, motion=1.2)
        >>> ranking = Ranking(window, ("clap", "wave"), 1, np.float32([0.9, 0.2]), np.float32([0.25, 0.75]), known=0.8)
        >>> [(label, round(score * ranking.known, 2)) for label, score in ranking.best(2)]
        [('wave', 0.6), ('clap', 0.2)]
    """

    window: Window
    labels: tuple[str, ...]
    labels_version: int
    energies: np.ndarray
    scores: np.ndarray
    known: float
    enter: tuple[float | None, ...] = ()

    def order(self) -> np.ndarray:
        """Indices of the labels, best first.

        Returns:
            int `[K]`; of two labels with the same energy, the lower index comes first.
        """
        return np.argsort(self.energies, kind="stable")

    def best(self, count: int = 5) -> list[tuple[str, float]]:
        """The best labels with their scores.

        Args:
            count: how many, at most.

        Returns:
            Pairs of label and score, best first.
        """
        return [(self.labels[i], float(self.scores[i])) for i in self.order()[:count]]

    def starts_at(self, index: int, usual: float) -> float:
        """The belief at which a label starts.

        Args:
            index: of the label.
            usual: the belief at which labels start that have none of their own.

        Returns:
            The label's own threshold, or else `usual`.
        """
        own = self.enter[index] if self.enter else None
        return usual if own is None else own


@dataclass(frozen=True, slots=True)
class Event:
    """A step in the life of one action: one start, updates while it lasts, one end.

    Attributes:
        type: "start", "update" (about one a second) or "end".
        id: the action's, the same from its start to its end.
        camera: name of the camera.
        track: number of the person.
        label: name of the label, as you wrote it.
        score: the belief in it, averaged over the last moments, 0 to 1.
        t_ns: stamp of the newest frame that was looked at.
        onset_ns: when the action is estimated to have begun, on the same clock.
        ranking: of all labels at this moment; None where an end comes without a window.
        reason: why it ended, such as "over", "idle" or "track_lost"; None for a start or an update.
        reps: how often the motion has been repeated since the onset; 0 until it is seen to be periodic.
        cadence_hz: repetitions a second of late; None while nothing is repeated.

    Example:
        >>> event = Event("start", "cam-1-1", "cam", 1, "wave", 0.71, 2_500_000_000, 1_250_000_000, None)
        >>> f"{event.label} began {(event.t_ns - event.onset_ns) / 1e9:.2f} s ago"
        'wave began 1.25 s ago'
    """

    type: EventType
    id: str
    camera: str
    track: int
    label: str
    score: float
    t_ns: int
    onset_ns: int
    ranking: Ranking | None
    reason: str | None = None
    reps: int = 0
    cadence_hz: float | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why the event stage decided as it did: the rule that decided, and what it compared.

    Attributes:
        rule: nobody, body or bone_length_variation (nobody is taken to be there); idle; present, variation_to_start or
            belief (no label may lead); hold (a label leads, not yet long enough); started, goes_on, fading, resting,
            over or rest (of an action); or the camera's state.
        label: the one that the rule is about; empty for none.
        value: what was measured.
        limit: the setting of `EventConfig` that it was compared with.
        held_s: how long the label has led, or been weak.
        needed_s: how long it must.

    Example:
        >>> reason = Reason("hold", "wave", value=0.62, limit=0.35, held_s=0.1, needed_s=0.3)
        >>> f"{reason.label} leads, {reason.needed_s - reason.held_s:.1f} s more and it starts"
        'wave leads, 0.2 s more and it starts'
    """

    rule: str
    label: str = ""
    value: float = 0.0
    limit: float = 0.0
    held_s: float = 0.0
    needed_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What is going on before one camera, ten times a second: the state now, and the events that just happened.

    Attributes:
        camera: name of the camera.
        track: the person that the ranking is of; None where nobody is in view.
        t_ns: stamp of the newest frame that was looked at.
        state: "running" while an action is on; "idle" for somebody who stands still, "unknown" for a motion that is
            none of the labels, "no_person"; "degraded" where frames come too slowly to name anything; and others of a
            camera that fails.
        events: what just happened, in order; mostly empty.
        ranking: of all labels; None where there was nothing to rank.
        reason: why it was decided so.

    Example:
        >>> decision = Decision("cam", None, 0, "no_person", (), None, Reason("nobody"))
        >>> [event.label for event in decision.events], decision.state
        ([], 'no_person')
    """

    camera: str
    track: int | None
    t_ns: int
    state: State
    events: tuple[Event, ...]
    ranking: Ranking | None
    reason: Reason | None = None
