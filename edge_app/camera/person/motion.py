"""Motion: key poses laid out in time, and the styles they are acted in.

An action is a program that returns a `Phrase`: steps of (seconds to get there, the channels that move). Steps name only
the channels they move, so two phrases on different channels can be laid over each other; see `Timeline.lay`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_app.camera.person.kinematics import CHANNELS, Body, clip_channels, mirror_channels

Pose = Mapping[str, float]
Step = tuple[float, Pose]

# Slow wandering of each channel in degrees: nobody stands or holds a pose quite still.
_WANDER = {
    "bend": 0.8, "lean": 0.7, "twist": 1.2, "nod": 1.6, "look": 2.5, "tilt": 1.2, "shift": 0.7,
    "lift": 1.6, "plane": 2.5, "turn": 2.0, "elbow": 2.5, "palm": 4.0, "wrist": 3.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How an action is acted. The programs use the right side; `side` "left" mirrors the whole person.

    speed: 0.4 to 2.5, how fast. amplitude: 0.5 to 1.4, how far. noise: 0 to 3, how unsteady.
    seed: picks the posture, the variant of the action and the noise; the same style always acts the same.
    """

    seed: int = 0
    speed: float = 1.0
    amplitude: float = 1.0
    side: Literal["right", "left"] = "right"
    noise: float = 1.0

    @classmethod
    def random(cls, seed: int) -> Style:
        r = np.random.default_rng([seed, 2])
        side: Literal["right", "left"] = "left" if r.random() < 0.5 else "right"
        return cls(seed, float(np.exp(r.normal(0, 0.22))), float(r.uniform(0.8, 1.2)), side, float(r.uniform(0.5, 2.0)))


@dataclass(frozen=True, slots=True)
class Phrase:
    """An action as steps: enter, then a beat over and over while time lasts, then back.

    leave: seconds to return to standing at the end; 0 stays in the last pose.
    hold: stay in the last pose until it is time to leave, instead of leaving as soon as the beats are done.
    """

    enter: tuple[Step, ...] = ()
    beat: tuple[Step, ...] = ()
    leave: float = 0.0
    hold: bool = False


Program = Callable[[Style, Body, np.random.Generator], Phrase]
"""Writes an action for a style and a body; the generator picks its variant."""


def resting(style: Style) -> dict[str, float]:
    """Every channel of a person who stands at ease; the posture is the style's own."""
    r = np.random.default_rng([style.seed, 3])
    pose = dict.fromkeys(CHANNELS, 0.0)
    pose |= {"bend": r.uniform(0, 5), "nod": r.uniform(-3, 5), "tilt": r.uniform(-2, 2)}
    apart, toes = r.uniform(2, 5.5), r.uniform(5, 14)
    lift, plane, elbow = r.uniform(9, 14), r.uniform(55, 85), r.uniform(8, 22)
    for side in "rl":
        pose |= {f"{side}_out": apart, f"{side}_toe": toes + r.uniform(-2, 2)}
        pose |= {
            f"{side}_lift": lift + r.uniform(-1, 2), f"{side}_plane": plane, f"{side}_elbow": elbow + r.uniform(-3, 3),
            f"{side}_turn": r.uniform(-20, 0), f"{side}_palm": r.uniform(0, 30), f"{side}_fist": r.uniform(0.1, 0.3),
        }  # fmt: skip
    return {name: float(value) for name, value in pose.items()}


class Timeline:
    """Keys of every channel, filled from left to right; `t` is where the next step begins, in seconds."""

    def __init__(self, style: Style, start: Pose | None = None) -> None:
        self.style = style
        self.rest = resting(style)
        self.t = 0.0
        self._tracks = {name: [(0.0, value)] for name, value in {**self.rest, **(start or {})}.items()}

    def step(self, seconds: float, pose: Pose) -> None:
        """Move some channels to new values; the others hold theirs."""
        end = self.t + seconds
        for name, value in pose.items():
            track = self._tracks[name]
            if track[-1][0] < self.t - 1e-9:
                track.append((self.t, track[-1][1]))
            track.append((end, float(value)))
        self.t = end

    def pause(self, seconds: float) -> None:
        self.t += seconds

    def stand(self, seconds: float) -> None:
        """Return every channel that is away to rest. A turn of the whole person is kept to the nearest full turn."""
        away = {n: v for n, v in self.rest.items() if abs(self._tracks[n][-1][1] - v) > 1e-9}
        if "yaw" in away:
            away["yaw"] = 360.0 * round(self._tracks["yaw"][-1][1] / 360.0)
        self.step(seconds, away)

    def lay(self, phrase: Phrase, seconds: float, rng: np.random.Generator) -> int:
        """Act a phrase for about `seconds`: as many beats as fit, at least one; the tempo of each beat varies a little.

        To lay a second phrase beside it, set `t` back to where this one began.

        Returns:
            How many beats were laid: 0 of a phrase that has none.
        """
        beats, speed = 0, self.style.speed
        start = self.t
        for duration, pose in phrase.enter:
            self.step(duration / speed, pose)
        beat = sum(duration for duration, _ in phrase.beat) / speed
        if beat > 0:
            beats = max(1, int((seconds - (self.t - start) - phrase.leave / speed) / beat + 0.15))
            for _ in range(beats):
                tempo = speed * float(np.exp(rng.normal(0, 0.03) * min(self.style.noise, 2)))
                for duration, pose in phrase.beat:
                    self.step(duration / tempo, pose)
        held = start + seconds - phrase.leave / speed - self.t
        if held > 0 and phrase.hold:
            self.pause(held)
        if phrase.leave:
            self.stand(phrase.leave / speed)
        self.t = max(self.t, start + seconds)
        return beats

    def channels(self, times: np.ndarray, period: float) -> np.ndarray:
        """The channels at some times `[T]`, float64 `[T, C]`, with breathing and wandering that repeat every period."""
        values = np.stack([_through(self._tracks[name], times) for name in CHANNELS], axis=1)
        values += self.style.noise * _wandering(times, period, self.style.seed)
        return clip_channels(mirror_channels(values) if self.style.side == "left" else values)


def _through(track: list[tuple[float, float]], times: np.ndarray) -> np.ndarray:
    """A smooth curve through keys that never overshoots them, level at turning points and at the ends.

    Monotone cubic Hermite interpolation: F. N. Fritsch and J. Butland, SIAM J. Sci. Stat. Comput. 5 (1984), the
    weighted harmonic mean of the slopes on both sides.
    """
    t, v = np.array(track).T
    if len(t) == 1:
        return np.full(len(times), v[0])
    h = np.maximum(np.diff(t), 1e-6)
    slope = np.diff(v) / h
    tangent = np.zeros(len(t))
    before, after = slope[:-1], slope[1:]
    same = before * after > 0
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    tangent[1:-1][same] = ((w1 + w2)[same]) / (w1[same] / before[same] + w2[same] / after[same])
    i = np.clip(np.searchsorted(t, times, "right") - 1, 0, len(h) - 1)
    u = np.clip((times - t[i]) / h[i], 0, 1)
    return (
        (1 + 2 * u) * (1 - u) ** 2 * v[i]
        + u * (1 - u) ** 2 * h[i] * tangent[i]
        + u**2 * (3 - 2 * u) * v[i + 1]
        - u**2 * (1 - u) * h[i] * tangent[i + 1]
    )


def _wandering(times: np.ndarray, period: float, seed: int) -> np.ndarray:
    """Degrees to add, `[T, C]`: sines of 0.05 to 0.7 Hz with random phases, and one breath every four seconds."""
    r = np.random.default_rng([seed, 5])
    cycles = np.arange(1, max(3, int(0.7 * period)) + 1)
    cycles = cycles[cycles >= 0.05 * period][:40]
    strength = 1.0 / cycles
    strength /= np.sqrt(0.5 * (strength**2).sum())
    angle = 2 * np.pi * times[:, None] / period * cycles
    out = np.zeros((len(times), len(CHANNELS)))
    breath = np.sin(2 * np.pi * max(1, round(period / 4)) * times / period)
    for column, name in enumerate(CHANNELS):
        phases = r.uniform(0, 2 * np.pi, len(cycles))
        size = _WANDER.get(name.removeprefix("r_").removeprefix("l_"), 0.0)
        if size:
            out[:, column] = size * np.sin(angle + phases) @ strength
        if name.endswith("shrug"):
            out[:, column] = 1.2 * breath
        elif name == "bend":
            out[:, column] -= 0.5 * breath
    return out
