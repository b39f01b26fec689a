"""The label set of a running app: changed by requests and by shots, put in force between two decisions."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from edge_app.app.teaching import Change, Labels, Shot, SupportSet
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import fold
from edge_app.ranker.labels.label import Label, checked
from edge_app.ranker.ranker import Ranker
from edge_app.types import CameraReport, Window

MAX_WAITING = 32
"""Requests accepted and not yet answered."""


def _add(old: Labels, given: Labels) -> Labels:
    return (*old, *given)  # a name that is there already is refused by `checked`


def _remove(old: Labels, given: Labels) -> Labels:
    gone = _known(old, given)
    return tuple(label for label in old if fold(label.name) not in gone)


def _describe(old: Labels, given: Labels) -> Labels:
    new = _known(old, given)

    def described(label: Label) -> Label:
        found = new.get(fold(label.name))
        if found is None:
            return label
        enter = label.enter if found.enter is None else found.enter
        return Label(label.name, found.synonyms or label.synonyms, found.description, enter)

    return tuple(map(described, old))


def _known(old: Labels, given: Labels) -> dict[str, Label]:
    """The given labels by folded name.

    Raises:
        UsageError: one of them is not in the set.
    """
    names = {fold(label.name) for label in old}
    for label in given:
        if fold(label.name) not in names:
            raise UsageError(f"label {label.name[:60]!r} is not in the set")
    return {fold(label.name): label for label in given}


CHANGES: dict[str, Callable[[Labels, Labels], Labels]] = {
    "labels.set": lambda old, given: given, "labels.add": _add, "labels.remove": _remove, "labels.describe": _describe,
}  # fmt: skip
TEACHING = ("labels.teach", "labels.forget")


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: a reply once its change is in force, or why it was refused. asker: as in `ask`."""

    asker: Any
    reply: dict[str, Any]
    error: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    asker: Any
    change: Change
    taught: str = ""
    """The folded name of the label that is to have shots then."""


@dataclass(frozen=True, slots=True)
class _Done:
    """Requests whose change is ready, with the ranker that has it; without one, refused: the old set stays."""

    requests: Sequence[_Request]
    ranker: Ranker | None
    shots: dict[str, int]
    error: str = ""


class LabelService:
    """Owns the label set, the shot that is being taken, and the requests that wait for their change.

    All methods belong to the loop that ranks, and none waits: sets are embedded by a thread, each change on the labels
    that the one before it left; what comes while a set is embedded goes into one. The thread starts with the first
    change, and ends with the process.

    Args:
        labels: the first set.
        build: embeds a set, as a ranker of the given version; in the thread, but for the first set.
        support: what has been taught; None where nothing can be.
        cameras: whose windows a shot may be of.

    Raises:
        UsageError: the first set is refused.
    """

    def __init__(
        self, labels: Labels, build: Callable[[Labels, int], Ranker], support: SupportSet | None = None,
        cameras: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.ranker = build(labels, 1)
        """In force. Its table has the labels and their version."""
        self._build, self._support, self._cameras = build, support, tuple(cameras)
        self._shots = dict(support.shots) if support else {}
        self._shot: tuple[_Request, Shot] | None = None
        self._waiting = 0
        self._asked: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[_Done] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closing = False

    @property
    def taught(self) -> dict[str, int]:
        """How many shots each label in force has; those without are left out."""
        return {name: shots for name in self.ranker.table.names if (shots := self._shots.get(fold(name)))}

    def ask(self, asker: Any, op: str, given: Labels, camera: object = None, seconds: object = None) -> None:
        """Take a request, one of `CHANGES` or `TEACHING`; its answer comes out of `answers`.

        Args:
            asker: handed back with the answer.
            given: the labels of the request.
            camera: of a shot; may be left out where there is one only. seconds: how long a shot takes, 0 to read what
                is stored.

        Raises:
            UsageError: it is refused at once.
        """
        if self._waiting >= MAX_WAITING:
            raise UsageError(f"{MAX_WAITING} changes are waiting; try again later")
        if op in CHANGES:
            combine = CHANGES[op]
            self._submit(_Request(asker, lambda old: combine(old, given)))
        elif self._support is None:
            raise UsageError(f"{op}: nothing can be taught here")
        elif len(given) != 1:
            raise UsageError(f"{op}: {len(given)} labels found, one is allowed")
        elif op == "labels.forget":
            self._submit(_Request(asker, self._support.forgetting(given[0])))
        else:
            self._teach(asker, given[0], self._support, camera, seconds)
        self._waiting += 1

    def _teach(self, asker: Any, label: Label, support: SupportSet, camera: object, seconds: object) -> None:
        shot = support.shot(label, self._cameras, camera, seconds)
        name = fold(label.name)
        if shot is None:
            self._submit(_Request(asker, support.reading(label), name))
        elif self._shot is not None:
            raise UsageError("another shot is being taken; try again later")
        else:
            self._shot = _Request(asker, support.keeping(shot), name), shot

    def see(self, report: CameraReport, body_seen: Callable[[Window], bool]) -> None:
        """A report on its way to the ranker; a shot that is being taken may keep its window."""
        if self._shot is not None:
            self._shot[1].take(report, body_seen)

    def answers(self) -> list[Answer]:
        """Put what is ready in force, as `ranker`, and give the answers that this brings; oldest first."""
        if self._shot is not None and self._shot[1].over:
            self._submit(self._shot[0])
            self._shot = None
        answers: list[Answer] = []
        while not self._done.empty():
            done = self._done.get()
            self._waiting -= len(done.requests)
            if done.ranker is not None:
                self.ranker, self._shots = done.ranker, done.shots
            answers += (Answer(request.asker, self._reply(request), done.error) for request in done.requests)
        return answers

    def _reply(self, request: _Request) -> dict[str, Any]:
        table = self.ranker.table
        reply = {"labels_version": table.version, "count": len(table.labels)}
        return reply | ({"shots": self._shots.get(request.taught, 0)} if request.taught else {})

    def close(self) -> None:
        """Let the thread end after what it is doing. Changes that wait are forgotten."""
        self._closing = True
        self._asked.put(None)

    def _submit(self, request: _Request) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, args=(self.ranker,), name="labels", daemon=True)
            self._thread.start()
        self._asked.put(request)

    def _work(self, ranker: Ranker) -> None:
        while not self._closing:
            request = self._asked.get()
            labels: Labels = ranker.table.labels
            accepted: list[_Request] = []
            while request is not None:
                try:
                    labels = checked(request.change(labels))
                    accepted.append(request)
                except Exception as error:
                    self._done.put(_Done([request], None, {}, _reason(error)))
                request = None if self._asked.empty() else self._asked.get()
            if not accepted:
                continue
            try:
                ranker = self._build(labels, ranker.table.version + 1)
            except Exception as error:  # the old set stays, and the thread lives on
                self._done.put(_Done(accepted, None, {}, _reason(error)))
                continue
            shots = dict(self._support.shots) if self._support else {}
            self._done.put(_Done(accepted, ranker, shots))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
