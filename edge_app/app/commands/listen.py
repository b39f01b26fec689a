"""Show the label stream on the terminal: a board, readable lines, or one JSON object a line."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections import deque
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_app.client import DEFAULT_ENDPOINT, SELF_TOLD, Message, Subscriber
from edge_app.errors import UsageError, printable

if TYPE_CHECKING:
    pass

REFRESH_S = 0.2


def listen(
    endpoint: str = DEFAULT_ENDPOINT,
    *,
    json_lines: bool = False,
    plain: bool = False,
    count: int | None = None,
    timeout_s: float | None = None,
    keys: Path | None = None,
) -> int:
    """Print what comes until `count` messages were received, `timeout_s` passed, or Ctrl-C.

    json_lines: the data of each message as received; what the reader itself concludes from silence has `"local": true`
    and does not count. Otherwise, on a terminal and where rich is installed, a board of all cameras. Otherwise, or if
    `plain`, a line for each step of an action and each change of state; heartbeats count but print nothing.

    keys: a client's folder made by `edge-app keys new`, for a stream that lets in keys only.

    Returns:
        The exit code: 0, or 4 if the time-out passed and nothing was received.

    Raises:
        UsageError: the endpoint or a key is malformed.
    """
    try:
        stream = Subscriber(endpoint, keys=keys)
    except ValueError as error:
        raise UsageError(str(error)) from None
    received = 0
    shown: dict[tuple[str, str], str] = {}  # topic and action -> what was last said of it
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    board = None if json_lines or plain or not sys.stdout.isatty() else _board()
    with stream, ExitStack() as stack:
        try:
            if board:
                stack.enter_context(board.live)
            while count is None or received < count:
                left_s = min(deadline - time.monotonic(), REFRESH_S if board else math.inf)
                message = stream.recv(None if left_s == math.inf else max(left_s, 0.0))
                if message is None and time.monotonic() >= deadline:
                    return 0 if received else 4
                received += message is not None and not message.local
                if board:
                    board.show(message)
                elif message is None:
                    continue
                elif json_lines:
                    _print(json.dumps({**message.data, "local": True} if message.local else message.data))
                else:
                    line, news = _readable(message)
                    subject = (message.topic, str(message.data.get("event", "")))
                    if shown.get(subject) != news:
                        _print(line)
                    shown[subject] = news
                    if news == "end":
                        del shown[subject]
        except KeyboardInterrupt:
            pass
        except BrokenPipeError:  # the reader of our output has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _board() -> Board | None:
    try:
        pass
    except ImportError:  # of the extra "view"
        return None
    return Board()


def _print(line: str) -> None:
    print(line, flush=True)


def _readable(message: Message) -> tuple[str, str]:
    """A line, and its news: the line is printed only where this differs from before."""
    data = message.data
    wall = data.get("t_capture_wall")
    when = printable(wall)[11:23] if isinstance(wall, str) else "-"
    heading, rest = message.kind, [data.get("provider", ""), data.get("bundle", "")]
    news = printable(rest)
    if message.kind == "action":
        heading = str(data.get("type")).upper()
        rest = [data.get("label"), data.get("score"), *([f"({data['reason']})"] if "reason" in data else [])]
        news = "end" if data.get("type") == "end" else "open"
    elif message.kind == "state":
        rest = [data.get("state")]
        news = printable(data.get("state"))
    if message.age_ms is not None:
        rest.append(f"{message.age_ms:.0f} ms old")
    if message.gap:
        rest.append(f"[{message.gap} missed]")
    return "  ".join(printable(part) for part in (f"{when:12}", data.get("camera", ""), f"{heading:6}", *rest)), news


BAR, EVENTS = 24, 5  # characters, lines
COLOURS = {"running": "green", "idle": "cyan", "unknown": "yellow", "no_person": "blue"}


@dataclass
class Seen:
    """The newest of one camera; `heard_s` is when its state came."""

    state: Message | None = None
    heard_s: float = 0.0
    status: dict[str, Any] = field(default_factory=dict)
    events: deque[Text] = field(default_factory=lambda: deque(maxlen=EVENTS))


class Board:
    """What `note` was given, drawn. Older than `max_age_ms`, or of unknown age and not heard of for as long: grey.

    console: where `live` draws.
    """

    def __init__(self, max_age_ms: float = 1000, console: Console | None = None) -> None:
        self._max_age_ms = max_age_ms
        self._cameras: dict[str, Seen] = {}
        self._drawn_s = 0.0
        self.live = Live(console=console, auto_refresh=False, get_renderable=lambda: self.draw(time.monotonic()))

    def show(self, message: Message | None) -> None:
        """Take a message, and draw if it is time."""
        now_s = time.monotonic()
        if message is not None:
            with contextlib.suppress(LookupError, TypeError, ValueError, AttributeError):  # not of our schema
                self.note(message, now_s)
        if now_s - self._drawn_s >= REFRESH_S:
            self._drawn_s = now_s
            self.live.refresh()

    def note(self, message: Message, now_s: float) -> None:
        """Raises what a message that is not of our schemas makes Python raise; it is then not taken."""
        seen = self._cameras.setdefault(printable(message.data.get("camera", "")), Seen())
        if message.kind == "state":
            self._beliefs(message.data, False)
            seen.state, seen.heard_s = message, now_s
        elif message.kind == "status":
            _stages(message.data)
            seen.status = message.data
        elif message.kind == "action" and message.data.get("type") in ("start", "end"):
            seen.events.append(_event(message.data))

    def draw(self, now_s: float) -> Group | Text:
        if not self._cameras:
            return Text("nothing heard yet", "dim")
        return Group(*(self._camera(name, seen, now_s) for name, seen in sorted(self._cameras.items())))

    def _camera(self, name: str, seen: Seen, now_s: float) -> Panel:
        data = seen.state.data if seen.state else {}
        state = printable(data.get("state", "waiting"))
        silent_ms = (now_s - seen.heard_s) * 1000 if seen.state else float("inf")
        age_ms = seen.state.age_ms + silent_ms if seen.state and seen.state.age_ms is not None else None
        old = (silent_ms if age_ms is None else age_ms) > self._max_age_ms
        grey = old or state in SELF_TOLD or (seen.state is not None and seen.state.local)
        age = "" if not seen.state else "age unknown" if age_ms is None else f"{age_ms:.0f} ms old"
        top = Text.assemble((f" {state} ", "dim" if grey else f"bold {COLOURS.get(state, 'red')}"), f"  {age}")
        if old and seen.state:
            top.append("  OLD: do not act on it", "bold red")
        parts: list[Any] = [top, self._beliefs(data, grey), *seen.events]
        if stages := _stages(seen.status):
            parts.append(stages)
        return Panel(Group(*parts), title=Text(name), title_align="left", border_style="dim" if grey else "")

    def _beliefs(self, data: dict[str, Any], grey: bool) -> Table:
        """Bars of the newest window. Labels and "unknown" share 1, so that what leads is what is believed."""
        known: Any = data.get("known")
        if not _is_number(known):
            return Table.grid()
        open_ = {printable(one.get("label")) for one in data["open"]}
        rows = [(printable(label), score * known) for label, score in data["topk"] if _is_number(score)]
        rows.append(("unknown", 1 - known))
        table = Table.grid(padding=(0, 1))
        for label, share in rows:
            colour = "yellow" if label == "unknown" else "green" if label in open_ else "blue"
            style = "dim" if grey else colour
            full = round(BAR * min(max(share, 0.0), 1.0))
            mark = "▶" if label in open_ and not grey else " "
            bar = Text("█" * full, style) + Text("░" * (BAR - full), "dim")
            table.add_row(Text(mark), Text(label, style), bar, Text(f"{share:.2f}", style))
        return table


def _event(data: dict[str, Any]) -> Text:
    when, score = printable(data.get("t_capture_wall", ""))[11:19], data.get("score")
    kind, label = printable(data["type"]), printable(data.get("label"))
    text = Text(f"{when}  {kind:5}  {label}", "bold" if kind == "start" else "")
    if _is_number(score):
        text.append(f"  {score:.2f}")
    if "reason" in data:
        text.append(f"  ({printable(data['reason'])})")
    return text


def _stages(status: dict[str, Any]) -> Text | None:
    times = {name: row.get("p50_ms") for name, row in status.get("stages", {}).items()}
    shown = [f"{printable(name)} {ms:.1f}" for name, ms in times.items() if _is_number(ms)]
    return Text(f"p50, ms: {' · '.join(shown)}", "dim") if shown else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))
