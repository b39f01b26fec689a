"""Events of everybody before one camera: each person has a detector, and the camera has one state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

from edge_app.events import EventConfig, EventDetector
from edge_app.types import CameraReport, Decision, Event, Ranking, Window
from edge_app.window import WindowSpec

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
        alone = replace(report, window=None, others=())
        decisions = []
        for ranking in rankings:
            track = ranking.window.track
            person = self._people.setdefault(track, _Person(self._detector(), report.t_ns))
            person.seen_ns = report.t_ns
            decisions.append(person.detector.update(replace(alone, window=ranking.window), ranking))
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
