"""How long the stages take: the last durations of each and their percentiles, and all of them as a histogram."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

KEEP = 4096
BUCKETS_MS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)


@dataclass(slots=True)
class Histogram:
    """Durations since the start: how many in each bucket (upper ends `BUCKETS_MS`, then all longer), and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_MS) + 1))
    sum_ms: float = 0.0

    def add(self, ms: float) -> None:
        self.counts[bisect_left(BUCKETS_MS, ms)] += 1
        self.sum_ms += ms


class StageTimes:
    """Durations in milliseconds by stage name; the newest 4,096 of each, and a histogram of all."""

    def __init__(self) -> None:
        self._ms: dict[str, deque[float]] = {}
        self.histograms: dict[str, Histogram] = {}

    def add(self, stage: str, ms: float) -> None:
        self._ms.setdefault(stage, deque(maxlen=KEEP)).append(ms)
        self.histograms.setdefault(stage, Histogram()).add(ms)

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
        """`{stage: {count, p50_ms, p90_ms, p99_ms, p99_9_ms, max_ms}}`; the count is of all since the start."""
        return {
            stage: {**percentiles(values), "count": sum(self.histograms[stage].counts)}
            for stage, values in self._ms.items()
        }


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


class TracedTimes(StageTimes):
    """Also appends each duration to a file: the moment it was told (monotonic ns), the stage, milliseconds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def add(self, stage: str, ms: float) -> None:
        super().add(stage, ms)
        self._file.write(f"{time.monotonic_ns()} {stage} {ms:.4f}\n")


def read_trace(path: Path, begin_ns: int, end_ns: int) -> dict[str, np.ndarray]:
    """Durations told from `begin_ns` to `end_ns`, in ms: stage -> float64 `[N]`."""
    found: dict[str, list[float]] = defaultdict(list)
    for line in path.read_text("utf-8").splitlines():
        at, _, rest = line.partition(" ")
        stage, _, ms = rest.partition(" ")
        if begin_ns <= int(at) < end_ns:
            found[stage].append(float(ms))
    return {stage: np.array(values) for stage, values in found.items()}
