"""Who is who from one frame to the next: Poses -> Track."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count, product

import numpy as np

from edge_app.pose.body import Body, describe, overlap
from edge_app.types import Poses, Track


def make_tracker(people: int) -> Tracker | MotionTracker:
    """The tracker for a camera before which so many people are watched."""
    return Tracker() if people == 1 else MotionTracker()


class Tracker:
    """Gives every pose the id of the person it belongs to.

    A pose continues the track whose torso centre is nearest, greedily, if it is within reach (`reach` torso lengths
    and `speed` torso lengths a second since) or their boxes overlap by a third. A person not seen for `max_gap_s`
    comes back under a new id; ids are never used again.
    """

    def __init__(self, *, max_gap_s: float = 1.0, reach: float = 1.5, speed: float = 3.0) -> None:
        self._max_gap_ns = round(max_gap_s * 1e9)
        self._reach, self._speed = reach, speed
        self._people: dict[int, Body] = {}
        self._ids = count(1)

    def reset(self) -> None:
        """Forget everybody, after a camera change; ids go on."""
        self._people.clear()

    def update(self, poses: Poses) -> tuple[Track, ...]:
        """The poses of one frame with their ids, in the order of `poses`. Stamps must not go back."""
        self._people = {i: p for i, p in self._people.items() if poses.t_ns - p.t_ns < self._max_gap_ns}
        seen = [describe(pose, poses.t_ns) for pose in poses.poses]
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

    def _cost(self, before: Body, now: Body) -> float | None:
        seconds = max(now.t_ns - before.t_ns, 0) / 1e9
        distance = float(np.linalg.norm(now.centre - before.centre)) / max(before.torso, now.torso)
        near = distance <= self._reach + self._speed * seconds
        return distance if near or overlap(before.box, now.box) > 1 / 3 else None


@dataclass(frozen=True, slots=True)
class _Moving:
    """A body, and its centre's velocity in pixels a second."""

    body: Body
    velocity: np.ndarray

    def expected(self, t_ns: int) -> np.ndarray:
        """Where the centre is by then; who is out of sight is taken to slow down within a second."""
        seconds = max(t_ns - self.body.t_ns, 0) / 1e9
        return self.body.centre + self.velocity * (1 - np.exp(-seconds))


class MotionTracker:
    """Gives every pose the id of the person it belongs to, among several: by where each was going, not by looks.

    Each person is taken to go on at the velocity of the last moments; poses and people are put together so that the sum
    of distances (in torso lengths, sizes that differ count too) is least. A pose that is farther than `reach` torso
    lengths, and `speed` more for each second since, from where somebody should be is somebody new, and so is a person
    not seen for `max_gap_s`. Ids are never used again.
    """

    def __init__(self, *, max_gap_s: float = 1.5, reach: float = 1.0, speed: float = 2.0) -> None:
        self._max_gap_ns = round(max_gap_s * 1e9)
        self._reach, self._speed = reach, speed
        self._people: dict[int, _Moving] = {}
        self._ids = count(1)

    def reset(self) -> None:
        """Forget everybody, after a camera change; ids go on."""
        self._people.clear()

    def update(self, poses: Poses) -> tuple[Track, ...]:
        """The poses of one frame with their ids, lowest id first. Stamps must not go back."""
        self._people = {i: p for i, p in self._people.items() if poses.t_ns - p.body.t_ns < self._max_gap_ns}
        seen, known = [describe(pose, poses.t_ns) for pose in poses.poses], list(self._people)
        # A column for each person, and one for each pose to be somebody new in, which costs more than any match.
        costs = np.full((len(seen), len(known) + len(seen)), 1e3)
        for (row, now), (column, who) in product(enumerate(seen), enumerate(known)):
            costs[row, column] = self._cost(self._people[who], now)
        tracks = []
        for row, column in enumerate(assign(costs)):
            matched = column < len(known) and costs[row, column] < 1e3
            who = known[column] if matched else next(self._ids)
            self._people[who] = _moved(self._people.get(who), seen[row])
            tracks.append(Track(who, poses.poses[row]))
        return tuple(sorted(tracks, key=lambda track: track.id))

    def _cost(self, person: _Moving, now: Body) -> float:
        seconds = max(now.t_ns - person.body.t_ns, 0) / 1e9
        torso = max(person.body.torso, now.torso)
        distance = float(np.linalg.norm(now.centre - person.expected(now.t_ns))) / torso
        if distance > self._reach + self._speed * seconds:
            return 2e3
        return distance + abs(float(np.log(now.torso / person.body.torso)))


def _moved(before: _Moving | None, now: Body) -> _Moving:
    if before is None:
        return _Moving(now, np.zeros(2))
    seconds = (now.t_ns - before.body.t_ns) / 1e9
    if seconds <= 0:
        return _Moving(now, before.velocity)
    keep = np.exp(-seconds / 0.3)  # a step of a landmark that jitters is no velocity
    return _Moving(now, keep * before.velocity + (1 - keep) * (now.centre - before.body.centre) / seconds)


def assign(costs: np.ndarray) -> list[int]:
    """The column of each row so that the sum of costs is least (the Hungarian method, with shortest paths).

    Args:
        costs: `[R, C]`, finite, R <= C.
    """
    rows, columns = costs.shape
    row_price, price = np.zeros(rows + 1), np.zeros(columns + 1)
    row_of = np.zeros(columns + 1, int)  # rows and columns count from 1; 0: none
    for row in range(1, rows + 1):
        row_of[0], at = row, 0
        least, back = np.full(columns + 1, np.inf), np.zeros(columns + 1, int)
        done = np.zeros(columns + 1, bool)
        while row_of[at]:
            done[at] = True
            slack = costs[row_of[at] - 1] - row_price[row_of[at]] - price[1:]
            better = ~done[1:] & (slack < least[1:])
            least[1:][better], back[1:][better] = slack[better], at
            at = 1 + int(np.argmin(np.where(done[1:], np.inf, least[1:])))
            step = least[at]
            row_price[row_of[done]] += step
            price[done] -= step
            least[~done] -= step
        while at:
            row_of[at], at = row_of[back[at]], int(back[at])
    chosen = [0] * rows
    for column in range(1, columns + 1):
        if row_of[column]:
            chosen[row_of[column] - 1] = column - 1
    return chosen
