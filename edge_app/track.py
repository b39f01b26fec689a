"""Who is who from one frame to the next: Poses -> Track."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, product

import numpy as np

from edge_app.types import Pose, Poses, Track

_SHOULDERS, _HIPS = [11, 12], [23, 24]


@dataclass(frozen=True, slots=True)
class _Person:
    """Where somebody was seen last: torso centre and box in pixels, torso length in pixels."""

    t_ns: int
    centre: np.ndarray
    box: np.ndarray
    torso: float


class Tracker:
    """Gives every pose the id of the person it belongs to.

    A pose continues the track whose torso centre is nearest, greedily, if it is within reach (`reach` torso lengths
    and `speed` torso lengths a second since) or their boxes overlap by a third. A person not seen for `max_gap_s`
    comes back under a new id; ids are never used again.
    """

    def __init__(self, *, max_gap_s: float = 1.0, reach: float = 1.5, speed: float = 3.0) -> None:
        self._max_gap_ns = round(max_gap_s * 1e9)
        self._reach, self._speed = reach, speed
        self._people: dict[int, _Person] = {}
        self._ids = count(1)

    def reset(self) -> None:
        """Forget everybody, after a camera change; ids go on."""
        self._people.clear()

    def update(self, poses: Poses) -> tuple[Track, ...]:
        """The poses of one frame with their ids, in the order of `poses`. Stamps must not go back."""
        self._people = {i: p for i, p in self._people.items() if poses.t_ns - p.t_ns < self._max_gap_ns}
        seen = [_describe(pose, poses.t_ns) for pose in poses.poses]
        costs = []
        for (who, person), (index, now) in product(self._people.items(), enumerate(seen)):
            cost = self._cost(person, now)
            if cost is not None:
                costs.append((cost, who, index))
        ids: dict[int, int] = {}
        for _, who, index in sorted(costs):
            if index not in ids and who not in ids.values():
                ids[index] = who
        for index, now in enumerate(seen):
            if index not in ids:
                ids[index] = next(self._ids)
            self._people[ids[index]] = now
        return tuple(Track(ids[index], pose) for index, pose in enumerate(poses.poses))

    def _cost(self, before: _Person, now: _Person) -> float | None:
        seconds = max(now.t_ns - before.t_ns, 0) / 1e9
        distance = float(np.linalg.norm(now.centre - before.centre)) / max(before.torso, now.torso)
        near = distance <= self._reach + self._speed * seconds
        return distance if near or _overlap(before.box, now.box) > 1 / 3 else None


def _describe(pose: Pose, t_ns: int) -> _Person:
    shoulders, hips = pose.image[_SHOULDERS], pose.image[_HIPS]
    box = np.concatenate([pose.image.min(axis=0), pose.image.max(axis=0)])
    lengths = (
        np.linalg.norm(shoulders.mean(axis=0) - hips.mean(axis=0)),
        np.linalg.norm(shoulders[0] - shoulders[1]),  # a torso seen from its end is short
        np.linalg.norm(box[2:] - box[:2]) / 8,
        1.0,
    )
    return _Person(t_ns, (shoulders.mean(axis=0) + hips.mean(axis=0)) / 2, box, float(max(lengths)))


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Intersection over union of two boxes `left, top, right, bottom`."""
    inner = np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None))
    union = np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - inner
    return float(inner / union) if union > 0 else 0.0
