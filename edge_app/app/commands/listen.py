"""Show the label stream on the terminal: a board, readable lines, or one JSON object a line."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from edge_app.app.log import put
from edge_app.client import DEFAULT_ENDPOINT, Message, Subscriber
from edge_app.errors import UsageError, printable

if TYPE_CHECKING:
    from edge_app.app.commands.board import Board

REFRESH_S = 0.2


def main(arguments: argparse.Namespace) -> int:
    """Listen as the arguments say."""
    return listen(
        arguments.endpoint, json_lines=arguments.json, plain=arguments.plain, count=arguments.count,
        timeout_s=arguments.timeout, keys=arguments.keys,
    )  # fmt: skip


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
                    put(json.dumps({**message.data, "local": True} if message.local else message.data))
                else:
                    line, news = _readable(message)
                    subject = (message.topic, str(message.data.get("event", "")))
                    if shown.get(subject) != news:
                        put(line)
                    shown[subject] = news
                    if news == "end":
                        del shown[subject]
        except KeyboardInterrupt:
            pass
    return 0


def _board() -> Board | None:
    try:
        from edge_app.app.commands.board import Board
    except ImportError:  # of the extra "view"
        return None
    board = Board()
    return None if board.live.console.is_dumb_terminal else board  # where it would draw nothing, ever


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
        rest += [f"{data['reps']} times"] if data.get("reps") else []
        news = "end" if data.get("type") == "end" else "open"
    elif message.kind == "state":
        rest = [data.get("state")]
        news = printable(data.get("state"))
    if message.age_ms is not None:
        rest.append(f"{message.age_ms:.0f} ms old")
    if message.gap:
        rest.append(f"[{message.gap} missed]")
    return "  ".join(printable(part) for part in (f"{when:12}", data.get("camera", ""), f"{heading:6}", *rest)), news
