"""What a stream says, as a board on the terminal: a panel a camera. Needs rich, of the extra "view"."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from edge_app.client import SELF_TOLD, Message
from edge_app.errors import printable

REFRESH_S = 0.2
BAR, EVENTS = 24, 5  # characters, lines
COLOURS = {"running": "green", "idle": "cyan", "unknown": "yellow", "no_person": "blue"}


@dataclass
class Seen:
    """The newest of one camera; `heard_s` is when its state came."""

    state: Message | None = None
    heard_s: float = 0.0
    status: dict[str, Any] = field(default_factory=dict)
    reps: dict[str, int] = field(default_factory=dict)  # of the open actions
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
            self._beliefs(message.data, False, {})
            seen.state, seen.heard_s = message, now_s
        elif message.kind == "status":
            _stages(message.data)
            seen.status = message.data
        elif message.kind == "action":
            self._action(message.data, seen)

    def _action(self, data: dict[str, Any], seen: Seen) -> None:
        kind, label, reps = data.get("type"), printable(data.get("label")), data.get("reps")
        if kind in ("start", "end"):
            seen.events.append(_event(data))
            seen.reps.pop(label, None)
        if kind != "end" and isinstance(reps, int) and reps > 0:
            seen.reps[label] = reps

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
        parts: list[Any] = [top, self._beliefs(data, grey, seen.reps), *seen.events]
        if stages := _stages(seen.status):
            parts.append(stages)
        return Panel(Group(*parts), title=Text(name), title_align="left", border_style="dim" if grey else "")

    def _beliefs(self, data: dict[str, Any], grey: bool, reps: dict[str, int]) -> Table:
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
            times = f"{share:.2f}  {reps[label]} times" if label in open_ and label in reps else f"{share:.2f}"
            table.add_row(Text(mark), Text(label, style), bar, Text(times, style))
        return table


def _event(data: dict[str, Any]) -> Text:
    when, score = printable(data.get("t_capture_wall", ""))[11:19], data.get("score")
    kind, label = printable(data["type"]), printable(data.get("label"))
    text = Text(f"{when}  {kind:5}  {label}", "bold" if kind == "start" else "")
    if _is_number(score):
        text.append(f"  {score:.2f}")
    if isinstance(data.get("reps"), int) and data["reps"] > 0:
        text.append(f"  {data['reps']} times")
    if "reason" in data:
        text.append(f"  ({printable(data['reason'])})")
    return text


def _stages(status: dict[str, Any]) -> Text | None:
    times = {name: row.get("p50_ms") for name, row in status.get("stages", {}).items()}
    shown = [f"{printable(name)} {ms:.1f}" for name, ms in times.items() if _is_number(ms)]
    return Text(f"p50, ms: {' · '.join(shown)}", "dim") if shown else None


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float))
