"""How long the stages take: the last durations of each, and their percentiles."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

KEEP = 4096


class StageTimes:
    """Durations in milliseconds by stage name; the newest 4,096 of each."""

    def __init__(self) -> None:
        self._ms: dict[str, deque[float]] = {}

    def add(self, stage: str, ms: float) -> None:
        self._ms.setdefault(stage, deque(maxlen=KEEP)).append(ms)

    @contextmanager
    def measure(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter_ns()
        yield
        self.add(stage, (time.perf_counter_ns() - begun) / 1e6)

    def take(self) -> tuple[tuple[str, float], ...]:
        """Everything measured since the last call, as (stage, ms) pairs; these are then forgotten."""
        taken = tuple((stage, ms) for stage, values in self._ms.items() for ms in values)
        self._ms.clear()
        return taken

    def summary(self) -> dict[str, dict[str, float]]:
        """`{stage: {count, p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms}}`."""
        return {stage: percentiles(values) for stage, values in self._ms.items()}


def percentiles(values: deque[float] | list[float] | np.ndarray) -> dict[str, float]:
    """Count and percentiles of durations in milliseconds, rounded to a microsecond."""
    p50, p90, p99, p99_9 = np.percentile(np.asarray(values), [50, 90, 99, 99.9])
    return {
        "count": len(values),
        "p50_ms": round(float(p50), 3),
        "p90_ms": round(float(p90), 3),
        "p99_ms": round(float(p99), 3),
        "p99_9_ms": round(float(p99_9), 3),
        "max_ms": round(float(np.max(values)), 3),
    }
