"""The stream's events as runs of a command: one at a time, no shell, the message as a line of JSON on its stdin.

In its environment: EDGE_APP_EVENT_TYPE, _LABEL, _CAMERA, _TRACK, _ID, _SCORE, _REASON and _AGE_MS, empty where there is
none. A run that takes too long is stopped with everything it started, and so is the one that is going on at the end.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from functools import partial
from typing import NoReturn

from edge_app.app.bridges.outbox import Event, pass_on
from edge_app.app.log import log
from edge_app.errors import UsageError, printable

GRACE_S = 1.0
"""Between being asked to stop and being killed."""
MAX_VALUE = 1000
"""Characters; longer ones are in the JSON alone."""
_KEYS = {
    "TYPE": "type", "LABEL": "label", "CAMERA": "camera", "TRACK": "track", "ID": "event", "SCORE": "score",
    "REASON": "reason",
}  # fmt: skip


def bridge(
    endpoint: str, *, command: Sequence[str], label: Sequence[str], updates: bool, limit_s: float, max_age_ms: float
) -> NoReturn:
    """Run the command for events, for ever.

    Raises:
        UsageError: a malformed endpoint or limit, or no such command.
    """
    if not 0 < limit_s <= 3600:
        raise UsageError(f"--limit {limit_s:g}: more than 0, at most 3600 seconds are allowed")
    if shutil.which(command[0]) is None:
        raise UsageError(
            f"{command[0]!a}: no such command; give it after --, as in: edge-app bridge exec -- notify-send"
        )
    log.info(f"passing {endpoint} on to {command[0]}")
    deliver = partial(run, command, limit_s)
    pass_on(endpoint, deliver, labels=label, updates=updates, max_age_ms=max_age_ms)


def run(command: Sequence[str], limit_s: float, event: Event, stopping: threading.Event) -> None:
    """Run the command for one event, to its end."""
    age_ms = event.age_now_ms()
    told = {**{name: event.data.get(key) for name, key in _KEYS.items()}, "AGE_MS": age_ms}
    environment = {
        f"EDGE_APP_EVENT_{name}": "" if value is None else printable(value)[:MAX_VALUE] for name, value in told.items()
    }
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, env={**os.environ, **environment}, start_new_session=True
    )
    feed = threading.Thread(target=_feed, args=(process, json.dumps(event.data).encode() + b"\n"), daemon=True)
    feed.start()
    until, why = time.monotonic() + limit_s, ""
    while process.poll() is None and not why:
        if stopping.wait(0.02):
            why = "the bridge ends"
        elif time.monotonic() > until:
            why = f"longer than {limit_s:g} s"
    if why:
        _stop(process)
        log.warning(f"stopped {command[0]} for the {event}: {why}", extra={"kind": "stopped"})
    elif process.returncode:
        log.warning(f"{command[0]} ended with {process.returncode} for the {event}", extra={"kind": "command"})


def _feed(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(OSError), process.stdin as pipe:  # it need not read
        pipe.write(line)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Its whole group: it leads one of its own, which is there as long as it has not been waited for."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if number == signal.SIGTERM:
            time.sleep(GRACE_S)
    process.wait()
