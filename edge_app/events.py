"""From rankings to decisions: no_person, idle, unknown or an action, and the start, update and end of each action."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from edge_app.types import CameraReport, Decision, Event, EventType, Ranking, Reason, State, Window
from edge_app.window.quality import bone_length_variation
from edge_app.window.repetitions import RepetitionCounter, Repetitions
from edge_app.window.skeleton import WindowSpec


@dataclass(frozen=True, slots=True)
class EventConfig:
    """When something counts.

    look_s: how much of a window, up to its end, is ranked: less tells sooner that something else goes on.
    smooth_s: time constant of the exponential average over rankings, seconds.
    enter: a label starts at this share of the belief (all labels and "unknown" share 1), exit: it ends under this one.
        A label with a threshold of its own (`Ranking.enter`) starts there, and ends under it if that is less than exit.
    sudden: a label that means a fall starts at once where one ranking alone believes it this much.
    hold_s: how long a label must lead before it starts; release_s: how long it must be under `exit` before it ends.
    idle_motion: torso lengths per second under which a person is idle, unless a label holds more than `still`.
    min_body: mean visibility of the shoulders and arms under which nobody is taken to be there.
    max_bone_length_variation: bones that change their length by more than this share are nobody's
        (`edge_app.window.quality.bone_length_variation`).
    max_variation_to_start: nothing starts on bones that change by more; those of people do in one window of fifty.
    max_variation_of_falls: in place of both where a fall starts at once: poses of who falls are poor.
    min_present: share of a window that the person must have been in view for a label to start.
    absent_s: how long a person may be missing before open actions end.
    update_s: period of updates of an open action; each repetition brings one too.
    """

    look_s: float = 1.0
    smooth_s: float = 0.35
    enter: float = 0.35
    exit: float = 0.2
    sudden: float = 0.45
    hold_s: float = 0.2
    release_s: float = 0.5
    idle_motion: float = 0.2
    still: float = 0.6
    min_body: float = 0.5
    max_bone_length_variation: float = 0.18
    max_variation_to_start: float = 0.14
    max_variation_of_falls: float = 0.24
    min_present: float = 0.4
    absent_s: float = 0.6
    update_s: float = 0.9


def _upper_body(window: Window) -> float:
    """Mean visibility of the shoulders and arms."""
    return float(window.joints[window.valid][:, 3:9, 3].mean())


@dataclass(slots=True)
class _Open:
    id: str
    label: str
    onset_ns: int
    updated_ns: int
    weak_since_ns: int | None = None
    score: float = 0.0
    repeated: Repetitions = field(default_factory=Repetitions)


class EventDetector:
    """Keeps what is going on for one person before one camera. Every start gets exactly one end.

    numbers: the last part of the ids of events; shared between the detectors of one camera.
    """

    def __init__(
        self, camera: str, spec: WindowSpec, config: EventConfig = EventConfig(), numbers: Iterator[int] | None = None
    ) -> None:
        self._camera = camera
        self._spec = spec
        self._config = config
        self._numbers = numbers or count(1)
        self._track: int | None = None
        self._open: _Open | None = None
        self._version: int | None = None
        self._labels: tuple[str, ...] = ()
        self._forget()

    def _forget(self) -> None:
        self._belief: np.ndarray | None = None
        self._belief_ns = 0
        self._leader: str | None = None
        self._leader_since_ns = 0
        self._present_ns: int | None = None
        self._repetitions = RepetitionCounter(self._spec)

    def update(self, report: CameraReport, ranking: Ranking | None) -> Decision:
        """Decide on one report; `ranking` is of the report's window, None where there is no window to rank."""
        window = report.window
        if report.state != "running":
            events = self.close(report.t_ns, report.state)
            state: State = "stale" if report.state == "ended" else report.state
            return Decision(self._camera, None, report.t_ns, state, events, None, Reason(report.state))
        if "insufficient_rate" in report.flags:
            events, why = self.close(report.t_ns, "degraded"), Reason("insufficient_rate")
            return Decision(self._camera, None, report.t_ns, "degraded", events, None, why)
        if window is None or ranking is None:
            return self._absent(report)
        sudden = self._sudden(window, ranking)
        config = self._config
        most = config.max_bone_length_variation if sudden is None else config.max_variation_of_falls
        loose = self._looseness(window, most)
        return self._absent(report) if loose is None else self._present(window, ranking, loose, sudden)

    def body_seen(self, window: Window) -> bool:
        """Whether enough of a body is in view: MediaPipe also "finds" faces, cartoons and bottles."""
        return self._looseness(window, self._config.max_bone_length_variation) is not None

    def _looseness(self, window: Window, most: float) -> float | None:
        """How much bones change their length; None where it is too much for a body, or too little of one is in view."""
        if not window.valid.any() or _upper_body(window) < self._config.min_body:
            return None
        loose = bone_length_variation(window.joints, window.valid, self._spec.skeleton)
        return loose if loose <= most else None

    def close(self, t_ns: int, reason: str) -> tuple[Event, ...]:
        """End whatever is open, and forget the past."""
        ended = self._end(t_ns, reason, None)
        self._forget()
        return ended

    def _absent(self, report: CameraReport) -> Decision:
        config, window = self._config, report.window
        if window is None or not window.valid.any():
            why = Reason("nobody")
        elif (seen := _upper_body(window)) < config.min_body:
            why = Reason("body", value=seen, limit=config.min_body)
        else:
            loose = bone_length_variation(window.joints, window.valid, self._spec.skeleton)
            why = Reason("bone_length_variation", value=loose, limit=config.max_bone_length_variation)
        gone = self._present_ns is None or report.t_ns - self._present_ns > self._config.absent_s * 1e9
        events = self.close(report.t_ns, "no_person") if gone else ()
        return Decision(self._camera, None, report.t_ns, "no_person", events, None, why)

    def _present(self, window: Window, ranking: Ranking, loose: float, sudden: int | None) -> Decision:
        events: list[Event] = []
        if window.track != self._track:
            events += self.close(window.t_ns, "track_lost")
            self._track = window.track
        if ranking.labels_version != self._version:
            events += self._relabel(window.t_ns, ranking)
        self._present_ns = window.t_ns
        self._repetitions.push(window)
        belief = self._smooth(window.t_ns, ranking)
        top = float(belief.max(initial=0.0))
        label = ranking.labels[int(np.argmax(belief))] if len(belief) else None
        enter, _ = self._limits(ranking, label)
        quiet = window.motion < self._config.idle_motion and top < self._config.still
        present = window.valid.mean() >= self._config.min_present
        leading = present and loose <= self._config.max_variation_to_start and not quiet and top >= enter
        if not leading:
            self._leader = None
        elif label != self._leader:
            self._leader, self._leader_since_ns = label, window.t_ns
        if sudden is not None:
            belief[sudden] = top = float(ranking.scores[sudden] * ranking.known)
            self._leader = label = ranking.labels[sudden]
            self._leader_since_ns = window.t_ns - round(self._config.hold_s * 1e9)

        if self._open is not None:
            events += self._continue(window, ranking, belief, quiet)
        held_ns = window.t_ns - self._leader_since_ns
        if self._leader is not None and held_ns >= self._config.hold_s * 1e9:
            if self._open is not None and self._open.label != self._leader:
                events += self._end(window.t_ns, "replaced", ranking)
            if self._open is None:
                events += self._start(window, ranking, top)
        state: State = "running" if self._open else "idle" if quiet else "unknown"
        why = self._why(window, loose, ranking, label or "", top, quiet, tuple(events))
        return Decision(self._camera, window.track, window.t_ns, state, tuple(events), ranking, why)

    def _sudden(self, window: Window, ranking: Ranking) -> int | None:
        """The label that starts at once, if any."""
        if not ranking.sudden or window.valid.mean() < self._config.min_present:
            return None
        now = ranking.scores * ranking.known * ranking.sudden
        best = int(np.argmax(now))
        return best if now[best] >= self._config.sudden else None

    def _why(
        self, window: Window, loose: float, ranking: Ranking, best: str, belief: float, quiet: bool,
        events: tuple[Event, ...],
    ) -> Reason:  # fmt: skip
        """The rule that made the state what it is; of several, the first that `_present` asks."""
        config, now_ns, (enter, _) = self._config, window.t_ns, self._limits(ranking, best)
        led_s = (now_ns - self._leader_since_ns) / 1e9
        last = events[-1] if events else None
        if last is not None and last.type == "start":
            return Reason("started", best, belief, enter, led_s, config.hold_s)
        if last is not None and last.type == "end" and last.reason == "over":
            _, end = self._limits(ranking, last.label)
            return Reason("over", last.label, last.score, end, config.release_s, config.release_s)
        if last is not None and last.type == "end" and last.reason == "idle":
            return Reason("rest", last.label, window.motion, config.idle_motion, config.release_s, config.release_s)
        if self._open is not None:
            label, since_ns = self._open.label, self._open.weak_since_ns
            _, end = self._limits(ranking, label)
            if since_ns is None:
                return Reason("goes_on", label, self._open.score, end)
            weak_s = (now_ns - since_ns) / 1e9
            if quiet:
                return Reason("resting", label, window.motion, config.idle_motion, weak_s, config.release_s)
            return Reason("fading", label, self._open.score, end, weak_s, config.release_s)
        if quiet:
            return Reason("idle", best, window.motion, config.idle_motion)
        if (present := float(window.valid.mean())) < config.min_present:
            return Reason("present", best, present, config.min_present)
        if loose > config.max_variation_to_start:
            return Reason("variation_to_start", best, loose, config.max_variation_to_start)
        if belief < enter:
            return Reason("belief", best, belief, enter)
        return Reason("hold", best, belief, enter, led_s, config.hold_s)

    def _limits(self, ranking: Ranking, label: str | None) -> tuple[float, float]:
        """The beliefs at which a label starts, and under which it ends."""
        enter = self._config.enter
        if ranking.enter and label in ranking.labels:
            enter = ranking.starts_at(ranking.labels.index(label), enter)
        return enter, min(enter, self._config.exit)

    def _relabel(self, t_ns: int, ranking: Ranking) -> tuple[Event, ...]:
        """Carry on under another label set: what is in both goes on, what is gone ends."""
        events: tuple[Event, ...] = ()
        if self._open is not None and self._open.label not in ranking.labels:
            events = self._end(t_ns, "label_removed", None)
        if self._belief is not None:
            old = dict(zip(self._labels, self._belief, strict=True))
            self._belief = np.array([old.get(label, 0.0) for label in ranking.labels])
        if self._leader not in ranking.labels:
            self._leader = None
        self._version, self._labels = ranking.labels_version, ranking.labels
        return events

    def _smooth(self, t_ns: int, ranking: Ranking) -> np.ndarray:
        """Belief in each label, the rest to one being "unknown": float64 `[K]`."""
        now = ranking.scores.astype(np.float64) * ranking.known
        if self._belief is None:
            self._belief = now
        else:
            keep = np.exp(-(t_ns - self._belief_ns) / 1e9 / self._config.smooth_s)
            self._belief = keep * self._belief + (1 - keep) * now
        self._belief_ns = t_ns
        return self._belief

    def _start(self, window: Window, ranking: Ranking, score: float) -> list[Event]:
        # A ranking shows an action once that fills about half of what is ranked, so it began that much earlier.
        onset_ns = max(self._leader_since_ns - int(self._config.look_s * 0.5e9), 0)
        name = f"{self._camera}-{window.track}-{next(self._numbers)}"
        self._open = _Open(name, self._leader or "", onset_ns, window.t_ns, score=score)
        self._repetitions.start(onset_ns)
        return [self._event("start", window.t_ns, ranking, None)]

    def _continue(self, window: Window, ranking: Ranking, belief: np.ndarray, quiet: bool) -> list[Event]:
        current = self._open
        assert current is not None
        current.score = float(belief[ranking.labels.index(current.label)])
        told, current.repeated = current.repeated.count, self._repetitions.count()
        if current.score >= self._limits(ranking, current.label)[1] and not quiet:
            current.weak_since_ns = None
        elif current.weak_since_ns is None:
            current.weak_since_ns = window.t_ns
        if current.weak_since_ns is not None and window.t_ns - current.weak_since_ns >= self._config.release_s * 1e9:
            return list(self._end(window.t_ns, "idle" if quiet else "over", ranking))
        if current.repeated.count > told or window.t_ns - current.updated_ns >= self._config.update_s * 1e9:
            current.updated_ns = window.t_ns
            return [self._event("update", window.t_ns, ranking, None)]
        return []

    def _end(self, t_ns: int, reason: str, ranking: Ranking | None) -> tuple[Event, ...]:
        if self._open is None:
            return ()
        event = self._event("end", t_ns, ranking, reason)
        self._open = None
        return (event,)

    def _event(self, kind: EventType, t_ns: int, ranking: Ranking | None, reason: str | None) -> Event:
        current = self._open
        assert current is not None
        return Event(
            type=kind, id=current.id, camera=self._camera, track=self._track or 0, label=current.label,
            score=round(current.score, 4), t_ns=t_ns, onset_ns=current.onset_ns, ranking=ranking, reason=reason,
            reps=current.repeated.count, cadence_hz=current.repeated.cadence_hz,
        )  # fmt: skip


KEPT_S = 5.0
"""How long a detector waits for a person who is gone; longer than a tracker keeps an id."""
_ORDER = ("no_person", "idle", "unknown", "running")


@dataclass(slots=True)
class _Person:
    detector: EventDetector
    seen_ns: int


class PeopleEvents:
    """What is going on before one camera. Every start gets exactly one end; ids of events are never used again.

    With `people` 1 it is one `EventDetector`, which whoever is in view shares. With more, an action that is open ends
    with the reason `no_person` when its person has been gone for `absent_s`, though others may be in view.
    """

    def __init__(self, camera: str, spec: WindowSpec, config: EventConfig, people: int) -> None:
        self._camera, self._spec, self._config = camera, spec, config
        self._several = people > 1
        self._count = count(1)
        self._camera_itself = self._detector()
        self._people: dict[int, _Person] = {}

    def _detector(self) -> EventDetector:
        return EventDetector(self._camera, self._spec, self._config, self._count)

    def update(self, report: CameraReport, rankings: Sequence[Ranking]) -> Decision:
        """Decide on one report; `rankings` are of the report's windows, in their order.

        Of several people the decision has the events of all; track, state, ranking and reason are of the one who does
        most: an open action counts more than `unknown`, that more than `idle`; among equals who came first.
        """
        if not self._several:
            return self._camera_itself.update(report, rankings[0] if rankings else None)
        alone = replace(report, windows=())
        decisions = []
        for ranking in rankings:
            track = ranking.window.track
            person = self._people.setdefault(track, _Person(self._detector(), report.t_ns))
            person.seen_ns = report.t_ns
            decisions.append(person.detector.update(replace(alone, windows=(ranking.window,)), ranking))
        here = {ranking.window.track for ranking in rankings}
        for track, person in list(self._people.items()):
            if track not in here:
                decisions.append(person.detector.update(alone, None))
                if report.t_ns - person.seen_ns > KEPT_S * 1e9:
                    del self._people[track]
        decisions = decisions or [self._camera_itself.update(alone, None)]
        shown = max(decisions, key=lambda decision: _ORDER.index(decision.state) if decision.state in _ORDER else 0)
        return replace(shown, events=tuple(event for decision in decisions for event in decision.events))

    def body_seen(self, window: Window) -> bool:
        """As `EventDetector.body_seen`."""
        return self._camera_itself.body_seen(window)

    def close(self, t_ns: int, reason: str) -> tuple[Event, ...]:
        """End whatever is open, and forget the past."""
        detectors = [self._camera_itself, *(person.detector for person in self._people.values())]
        return tuple(event for detector in detectors for event in detector.close(t_ns, reason))
