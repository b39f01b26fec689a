"""How often a motion is repeated, and how fast: counted while windows slide, with no training.

The period is the lag at which the joints resemble themselves best: the first high peak of the normalized square
difference function (P. McLeod and G. Wyvill, "A smarter way to find pitch", ICMC 2005), here summed over coordinates.
Half a period apart a motion is at its two ends, so the direction in which the body differs most from itself half a
period earlier is the motion's own. Along it that difference swings once there and once back in each repetition, however
long a rest lies between (this step is ours).

Slow motions show few periods, and depth, which a camera guesses, hides them. Where a long stretch has none as a whole,
its heights are asked: for the lag at which the left does what the right did, then for a plain period (ours too).

There and back is one repetition, also of swaying from side to side. Where left and right take turns, as in steps,
punches and lunges, each counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from edge_app.types import Window
from edge_app.window.normalize import VISIBLE
from edge_app.window.skeleton import WindowSpec

HISTORY_S = 18.0
"""What is kept of a person: `SETTLED_S`, and half of the longest period before it."""
LOOKS_S = (2.5, 5.0, 12.0)
"""Stretches up to now in which a period is looked for, in turn; of late ones the best is taken. A period is found up to
six tenths of one, and better if two fit in; where left and right take turns, half a period."""
SETTLED_S = 8.0
"""What was counted this long ago is not counted anew when the motion turns out to be another."""
SHORTEST_S = 0.2
"""The shortest period."""
COORDINATES = 10
"""The liveliest coordinates, which a motion is found from."""
PERIODIC = 0.6
"""Resemblance to itself one period later, 1 for the same, from which on a motion is periodic."""
SURE = 2.5
"""A period of the heights alone must be seen this often: of two bends that are alike, nothing is repeated yet."""
FIRST_PEAK = 0.85
"""The first peak of at least this share of the highest is the period; later ones are its multiples."""
LEAST_M = 0.07
"""The usual size of a swing below which nothing is counted: metres, all coordinates together."""
SWING = 0.35
"""A swing begins and ends at this share of the usual size."""
FULL = 0.7
"""A swing there that has come to this share, and is over, counts before the swing back is seen."""
AGAINST = 0.45
"""Left and right take turns where their heights move against each other by this much, 1 being exactly ..."""
HEIGHTS = 0.06
"""... and are at least this share of all that moves, so that a wave of both hands to one side is no turn."""


@dataclass(frozen=True, slots=True)
class Repetitions:
    """count: since the start. cadence_hz: repetitions a second of late; None while nothing is repeated."""

    count: int = 0
    cadence_hz: float | None = None


@dataclass(frozen=True, slots=True)
class _Motion:
    """likeness: to itself one period later. period: in samples. direction: over the columns of samples, unit length.

    usual: size of a swing, metres. sides: whether left and right take turns.
    """

    likeness: float
    period: float
    direction: np.ndarray
    usual: float
    sides: bool


class RepetitionCounter:
    """Counts for one person: `push` each window, `start` where an action begins, then `count` after each window."""

    def __init__(self, spec: WindowSpec) -> None:
        self._rate, self._skeleton = spec.rate_hz, spec.skeleton
        self._length, self._shortest = round(HISTORY_S * spec.rate_hz), SHORTEST_S * spec.rate_hz
        self._heights = 3 * np.array(spec.skeleton.pairs).T + 1
        self._middle = np.setdiff1d(np.arange(1, 3 * len(spec.skeleton.joints) + 2, 3), self._heights)
        self._forget()
        self.start(0)

    def _forget(self) -> None:
        joints = len(self._skeleton.joints)
        self._samples = np.zeros((0, 3 * joints + 2), np.float32)
        self._seen = np.zeros((0, joints), bool)
        self._first_ns = self._end_ns = 0

    def start(self, t_ns: int) -> None:
        """Count from this stamp on; what went before tells how the motion goes, but is not counted."""
        self._since_ns, self._counted, self._told = t_ns, 0, 0
        self._under_way = False  # whether the side is known to which the first swing goes
        self._looks: list[_Motion | None] = [None] * len(LOOKS_S)
        self._turn, self._due = 0, True
        self._motion: _Motion | None = None

    def push(self, window: Window) -> None:
        """Take what is new in a window; after a gap of a window's length, what was before is forgotten."""
        if not window.valid.any():
            return
        step_ns, rows, seen = 1e9 / self._rate, self._rows(window), window.joints[..., 3] >= VISIBLE
        ahead = (window.t_ns - self._end_ns) / step_ns
        if not len(self._samples) or not 0 <= ahead < len(rows) - 2:
            self._forget()
            self._counted, self._under_way = self._told, False
            self._samples, self._seen, self._end_ns = rows, seen, window.t_ns
            self._first_ns = window.t_ns
            return
        new, known = int(ahead), min(int(len(rows) - 1 - ahead), len(self._samples))
        at = len(rows) - 1 - ahead + np.arange(1 - known, new + 1)
        low = at.astype(int)
        high = np.minimum(low + 1, len(rows) - 1)
        part = (at - low).astype(np.float32)[:, None]
        sampled = rows[low] + part * (rows[high] - rows[low])
        sampled[:, -2:] += (self._samples[-known:, -2:] - sampled[:known, -2:]).mean(axis=0)
        self._samples = np.concatenate([self._samples, sampled[known:]])[-self._length :]
        self._seen = np.concatenate([self._seen, seen[low[known:]]])[-self._length :]
        self._end_ns += round(new * step_ns)

    def _rows(self, window: Window) -> np.ndarray:
        """Joints from the neck, and last where the neck is in the picture's plane: float32 `[T, 3 J + 2]`, metres."""
        held = np.maximum.accumulate(np.where(window.valid, np.arange(len(window.valid)), np.argmax(window.valid)))
        joints = window.joints[held, :, :3]
        neck = joints[:, self._skeleton.torso[1]]
        return np.concatenate([(joints - neck[:, None]).reshape(len(joints), -1), neck[:, :2]], axis=1)

    def _place_of(self, t_ns: int) -> int:
        """The sample of a stamp; the first one of what is older."""
        return max(len(self._samples) - 1 - round((self._end_ns - t_ns) * self._rate / 1e9), 0)

    def count(self) -> Repetitions:
        """What was counted from `start` to the newest window. It never goes down."""
        begin = known = self._place_of(self._since_ns)
        if not self._under_way:
            known = min(begin, self._place_of(self._first_ns))
        if self._motion is None or self._due:  # else every other time, to save time
            stretches = [round(seconds * self._rate) for seconds in LOOKS_S]
            self._turn = (self._turn + 1) % (1 + sum(len(self._samples) - known > length for length in stretches[:-1]))
            self._looks[self._turn] = self._look(max(known, len(self._samples) - stretches[self._turn]))
        self._due = not self._due
        looks = [look for look in self._looks if look]
        if looks:
            best = max(looks, key=lambda look: look.likeness)
            back = self._motion is not None and best.direction @ self._motion.direction < 0
            sides = all(look.sides for look in looks)
            self._motion = replace(best, direction=-best.direction if back else best.direction, sides=sides)
        if self._motion is None:
            return Repetitions()
        cadence_hz = (1 + self._motion.sides) * self._rate / self._motion.period
        count, goes_on = self._swings(self._motion, begin)
        return Repetitions(count, cadence_hz if looks and goes_on else None)

    def _swings(self, motion: _Motion, begin: int) -> tuple[int, bool]:
        """Repetitions up to now, and whether the last period had a swing.

        Those whose samples slide out soon are set down for good.
        """
        place = self._samples @ motion.direction
        earlier = np.arange(begin, len(place)) - round(motion.period / 2)
        swing = place[begin:] - place[np.maximum(earlier, 0 if self._under_way else begin)]
        far = np.flatnonzero(np.abs(swing) >= SWING * motion.usual)
        there = swing[far] > 0
        if not self._under_way and len(far) and not there[0]:  # the first swing is there, not back
            there, motion = ~there, replace(motion, direction=-motion.direction)
        turned = far[1:][there[:-1] != there[1:] if motion.sides else there[:-1] & ~there[1:]]
        other = np.flatnonzero(there != (there[-1] if motion.sides else True)) if len(far) else far
        newest = far[other[-1] + 1 :] if len(other) else far
        full = len(newest) and newest[-1] < len(swing) - 1 and np.abs(swing[newest]).max() >= FULL * motion.usual
        self._told = max(self._told, self._counted + len(turned) + bool(full))
        old = turned[len(place) - begin - turned > SETTLED_S * self._rate]
        if len(old) and len(place) >= LOOKS_S[-1] * self._rate:
            self._motion, self._counted, self._under_way = motion, self._counted + len(old), True
            self._since_ns = self._end_ns - round((len(swing) - 1 - old[-1]) * 1e9 / self._rate)
        return self._told, len(far) > 0 and len(swing) - far[-1] <= motion.period

    def _look(self, begin: int) -> _Motion | None:
        """The motion that is repeated from sample `begin` on, if any is."""
        samples = self._samples[begin:]
        if len(samples) < 4 * self._shortest:
            return None
        shown = np.append(np.repeat(self._seen[begin:].mean(axis=0) >= 0.5, 3), [True, True])
        lively = np.argsort(-samples.std(axis=0) * shown, kind="stable")[:COORDINATES]
        period, likeness = _period(samples[:, lively], self._shortest)
        if likeness >= PERIODIC:
            return self._motion_of(samples, shown, lively, period, likeness)
        if len(samples) <= LOOKS_S[1] * self._rate:
            return None
        heights, signs = self._heights_of(samples, shown)
        half, likeness = _period(heights, self._shortest, signs)
        if likeness >= PERIODIC:
            motion = self._motion_of(samples, shown, lively, 2 * half, likeness)
            if motion and motion.sides:
                return motion
        period, likeness = _period(heights, self._shortest)
        if likeness < PERIODIC or len(samples) < SURE * period:
            return None
        return self._motion_of(samples, shown, lively, period, likeness)

    def _heights_of(self, samples: np.ndarray, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Sums and differences of the heights of left and right; and 1, and -1 for what changes sign in a mirror."""
        left, right = self._heights[:, shown[self._heights].all(axis=0)]
        middle = self._middle[shown[self._middle]]
        alike = np.concatenate([samples[:, left] + samples[:, right], np.sqrt(2) * samples[:, middle]], axis=1)
        signs = np.repeat([1.0, -1.0], [alike.shape[1], len(left)])
        return np.concatenate([alike, samples[:, left] - samples[:, right]], axis=1), signs

    def _motion_of(
        self, samples: np.ndarray, shown: np.ndarray, lively: np.ndarray, period: float, likeness: float
    ) -> _Motion | None:
        """The motion of a period, if it is large enough; `lively` are the columns that its direction is found from."""
        half = round(period / 2)
        moved = (samples[half:] - samples[:-half]) * shown
        direction = np.zeros(samples.shape[1], np.float32)
        direction[lively] = np.linalg.eigh(moved[:, lively].T @ moved[:, lively])[1][:, -1]
        usual = float(np.sort(np.abs(moved @ direction))[int(0.9 * len(moved))])
        left, right = moved[:, self._heights[0]], moved[:, self._heights[1]]
        both = float((left * left).sum() + (right * right).sum())
        sides = -2 * float((left * right).sum()) >= AGAINST * both and both >= HEIGHTS * float((moved * moved).sum())
        return _Motion(likeness, period, direction, usual, sides) if usual >= LEAST_M else None


def _period(samples: np.ndarray, shortest: float, signs: np.ndarray | float = 1.0) -> tuple[float, float]:
    """The period in samples, and how much the motion is like itself one period later, -1 to 1; (0, 0) for none."""
    n = len(samples)
    centred = samples - samples.mean(axis=0)
    lags = np.arange(int(0.6 * n) + 1)
    size = n + len(lags)
    spectrum = np.fft.rfft(centred, size, axis=0)
    product = np.fft.irfft(((spectrum.real**2 + spectrum.imag**2) * signs).sum(axis=1), size)
    power = np.concatenate([[0.0], np.cumsum((centred * centred).sum(axis=1))])
    energy = power[n - lags] + power[n] - power[lags]
    like = 2 * product[lags] / np.maximum(energy, 1e-9)
    apart = np.flatnonzero(like < 0)
    if not len(apart):
        return 0.0, 0.0
    inner = np.arange(max(apart[0], int(np.ceil(shortest))), len(like) - 1)
    peaks = inner[(like[inner] >= like[inner - 1]) & (like[inner] > like[inner + 1]) & (like[inner] > 0)]
    if not len(peaks):
        return 0.0, 0.0
    peak = int(peaks[np.argmax(like[peaks] >= FIRST_PEAK * like[peaks].max())])
    left, top, right = like[peak - 1 : peak + 2]
    shift = 0.5 * (left - right) / min(left - 2 * top + right, -1e-9)
    return peak + float(np.clip(shift, -0.5, 0.5)), float(top)
