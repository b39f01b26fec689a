"""Every single duration, for `edge-app bench`: percentiles of a few thousand do not draw a curve."""

from __future__ import annotations

import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from edge_app.metrics import StageTimes


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
