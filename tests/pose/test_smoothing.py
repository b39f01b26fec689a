"""The one-euro filter against the source's loop over numbers."""

from __future__ import annotations

import math

import numpy as np

from edge_app.pose.smoothing import OneEuro


class ByTheBook:
    """The source for one number, word for word."""

    def __init__(self, cutoff: float, beta: float) -> None:
        self.cutoff, self.beta, self.frequency, self.last = cutoff, beta, 30.0, -1
        self.raw: float | None = None
        self.speed = self.stored = 0.0

    def alpha(self, cutoff: float) -> float:
        return 1 / (1 + 1 / (2 * math.pi * cutoff) * self.frequency)

    def apply(self, t_ms: int, value: float, scale: float) -> float:
        if self.last >= t_ms:
            return value
        if self.last not in (-1, 0) and t_ms != 0:
            self.frequency = 1e3 / (t_ms - self.last)
        self.last = t_ms
        speed = 0.0 if self.raw is None else (value - self.raw) / scale * self.frequency
        alpha = self.alpha(1.0)
        self.speed = speed if self.raw is None else alpha * speed + (1 - alpha) * self.speed
        alpha = self.alpha(self.cutoff + self.beta * abs(self.speed))
        self.stored = value if self.raw is None else alpha * value + (1 - alpha) * self.stored
        self.raw = value
        return self.stored


def test_an_array_is_filtered_as_its_numbers_are():
    random = np.random.default_rng(0)
    values, stamps = random.normal(size=(20, 5)).cumsum(axis=0), [0, 40, 80, 80, 70, 200, *range(300, 1700, 100)]
    ours, theirs = OneEuro(0.05, 80), [ByTheBook(0.05, 80) for _ in range(5)]
    for row, t_ms in zip(values, stamps, strict=True):
        expected = [one.apply(t_ms, value, 300.0) for one, value in zip(theirs, row, strict=True)]
        assert np.allclose(ours(row, 300.0, t_ms), expected)


def test_what_rests_is_smoothed_and_what_moves_is_not():
    rest, move = OneEuro(0.05, 80), OneEuro(0.05, 80)
    for i in range(1, 100):
        jitter = np.array([0.1 * (-1) ** i])
        still, moving = rest(jitter, 400.0, 33 * i), move(np.array([20.0 * i]), 400.0, 33 * i)
    assert abs(still[0]) < 0.02
    assert abs(moving[0] - 20 * 99) < 2
