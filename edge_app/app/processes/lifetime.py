"""How a process that was started is stopped, and how often one that falls over is started again."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.process import BaseProcess


class RestartBudget:
    """Starts of one thing, of which at most `restarts` may follow another within `within_s` seconds."""

    def __init__(self, restarts: int, within_s: float) -> None:
        self.restarts, self.within_s = restarts, within_s
        self._starts: deque[float] = deque()

    def started(self) -> None:
        self._starts.append(time.monotonic())

    @property
    def recent(self) -> int:
        """Starts within the last `within_s`."""
        while self._starts and time.monotonic() - self._starts[0] > self.within_s:
            self._starts.popleft()
        return len(self._starts)

    @property
    def spent(self) -> bool:
        """Whether it may not be started again."""
        return self.recent > self.restarts

    def pause_s(self) -> float:
        """How long to wait before the next start: 0.1 s, twice as long after each recent start, at most 2 s."""
        return min(0.1 * 2 ** (self.recent - 1), 2.0)


def stop_all(processes: Sequence[BaseProcess], within_s: float) -> None:
    """Ask them to stop, and kill those that have not after `within_s`. None is left then."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + within_s
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.is_alive():
            process.kill()
            process.join()
