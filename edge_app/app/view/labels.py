"""The labels of the running app, read and changed over its control socket."""

from __future__ import annotations

from typing import Any

from edge_app.app.view.hub import View
from edge_app.errors import SourceError
from edge_app.ranker.labels.label import parse_lines
from edge_app.stream.control import ask, control_beside

_READ_S, _WRITE_S = 2.0, 30.0


def get_labels(view: View) -> dict[str, Any]:
    """`{"labels": lines of a label file, "labels_version": n, "taught": name -> shots}` of the running app.

    Raises:
        SourceError: the app has no control socket. UsageError: it refuses.
    """
    return _ask(view, "labels.list", None, _READ_S)


def set_labels(view: View, lines: list[str]) -> dict[str, Any]:
    """Put these labels in force; `{"labels_version": n, "count": n}` once they are.

    Raises:
        SourceError: the app has no control socket. UsageError: they are refused; a line is named by its number.
    """
    parse_lines(lines, may_be_empty=True)
    return _ask(view, "labels.set", lines, _WRITE_S)


def teach(view: View, line: str, camera: str, seconds: float) -> dict[str, Any]:
    """Take one shot of a label; `{"labels_version": n, "count": n, "shots": n}` once it is in force.

    Raises:
        SourceError: the app has no control socket. UsageError: it refuses the shot.
    """
    return _ask(view, "labels.teach", [line], seconds + _WRITE_S, camera=camera, seconds=seconds)


def forget(view: View, name: str) -> dict[str, Any]:
    """Forget what was taught under a name; `{"labels_version": n, "count": n}` once that is in force.

    Raises:
        SourceError: the app has no control socket. UsageError: nothing was taught under this name.
    """
    return _ask(view, "labels.forget", [name], _WRITE_S)


def _ask(view: View, op: str, lines: list[str] | None, timeout_s: float, **more: object) -> dict[str, Any]:
    where = view.control or control_beside(view.stream)
    try:
        return ask(where, op, lines, keys=view.keys, timeout_s=timeout_s, **more)
    except SourceError:
        raise SourceError(f"the app does not answer at {where}") from None
