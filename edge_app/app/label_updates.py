"""A new label set while the app runs: embedded in a thread of its own, put in force between two decisions."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass

from edge_app.errors import UsageError
from edge_app.ranker.labels.label import Label, checked
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.ranker import Ranker

Labels = tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of changes: a table and the ranker that has it, or an error, and then the old set stays."""

    numbers: tuple[int, ...]
    labels: Labels
    version: int
    table: LabelTable | None = None
    ranker: Ranker | None = None
    error: str = ""


class Swapper:
    """Works off changes in their order, each on the labels that the one before it left.

    build: embeds a set, as a table of the given version and a new ranker that has it.

    The thread starts with the first change, and ends with the process.
    """

    def __init__(self, labels: Labels, version: int, build: Callable[[Labels, int], tuple[LabelTable, Ranker]]) -> None:
        self.current: tuple[int, Labels] = (version, labels)
        self._build = build
        self._asked: queue.SimpleQueue[tuple[int, Callable[[Labels], Labels]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = False

    def submit(self, number: int, change: Callable[[Labels], Labels]) -> None:
        """Queue a change; its outcome comes out of `done` under this number."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="labels", daemon=True)
            self._thread.start()
        self._asked.put((number, change))

    def done(self) -> list[Change]:
        """The changes finished since the last call, oldest first. `current` follows what was handed out here."""
        finished: list[Change] = []
        while not self._done.empty():
            change = self._done.get()
            finished.append(change)
            if not change.error:
                self.current = (change.version, change.labels)
        return finished

    def close(self) -> None:
        """Let the thread end after what it is doing. Changes that wait are forgotten."""
        self._closing = True
        self._asked.put(None)

    def _work(self) -> None:
        version, labels = self.current
        while not self._closing:
            task = self._asked.get()
            new, numbers = labels, []
            while task is not None:  # what came while the last set was embedded goes into one
                number, change = task
                try:
                    new = checked(change(new))
                    numbers.append(number)
                except UsageError as error:
                    self._done.put(Change((number,), labels, version, error=str(error)))
                task = None if self._asked.empty() else self._asked.get()
            if not numbers:
                continue
            try:
                table, ranker = self._build(new, version + 1)
            except Exception as error:  # the old set stays, and the thread lives on
                kind = "" if isinstance(error, UsageError) else f"{type(error).__name__}: "
                self._done.put(Change(tuple(numbers), labels, version, error=f"{kind}{error}"))
                continue
            version, labels = version + 1, new
            self._done.put(Change(tuple(numbers), labels, version, table, ranker))
