"""What the program says about itself: one line an event on stderr, plain or JSON, never too many, nothing unescaped.

`log.warning("…", extra={"kind": "…"})`. Warnings of one kind come at most `BURST` times in `WITHIN_S` seconds; the next
one then tells how many were left out.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from typing import Literal, TextIO

from edge_app.errors import UsageError, printable, redact

Format = Literal["plain", "json"]
BURST, WITHIN_S = 10, 10.0
VARIABLE = "EDGE_APP_LOG"
VERBOSE = "EDGE_APP_VERBOSE"

log = logging.getLogger("edge_app")


def setup(format: Format | None = None, *, verbose: bool = False) -> None:
    """Log in this format, here and in the processes started from here; None: as the environment says, or plain.

    verbose: `log.debug` too; false: as the environment says.
    """
    if format is not None:
        os.environ[VARIABLE] = format
    if verbose:
        os.environ[VERBOSE] = "1"
    handler = _Stderr()
    handler.setFormatter(_Line(as_json=os.environ.get(VARIABLE) == "json"))
    handler.addFilter(_Limit())
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.DEBUG if os.environ.get(VERBOSE) == "1" else logging.INFO)


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what stderr is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:
        pass  # nobody reads stderr any more


class _Limit(logging.Filter):
    """Lets so many records of one kind pass in a while, and counts the others into `left_out` of the next."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        kind, now = getattr(record, "kind", record.levelname.lower()), time.monotonic()
        since, count = self._seen.get(kind, (now, 0))
        record.kind, record.left_out = kind, 0
        if record.levelno >= logging.ERROR:
            return True
        if now - since > WITHIN_S:
            record.left_out, since, count = max(count - BURST, 0), now, 0
        self._seen[kind] = since, count + 1
        return count < BURST


class _Line(logging.Formatter):
    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        text = printable(redact(record.getMessage()))
        left_out = getattr(record, "left_out", 0)
        if not self._as_json:
            return f"edge-app: {text}" + (f" ({left_out} more of the kind left out)" if left_out else "")
        wall = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "time": f"{wall}.{int(record.msecs):03d}Z", "level": record.levelname.lower(),
            "kind": getattr(record, "kind", ""), "process": record.processName, "message": text,
        }  # fmt: skip
        return json.dumps({**line, "left_out": left_out} if left_out else line, ensure_ascii=False)


def say(*lines: object, file: TextIO | None = None) -> None:
    """Print lines for people, as `printable` has each; raises as `put`."""
    put("\n".join(map(printable, lines)), file)


def put(text: str, file: TextIO | None = None) -> None:
    """Print a text at once as it is, on stdout if no other file is named.

    Raises:
        UsageError: it is full, or closed. BrokenPipeError: its reader has gone.
    """
    try:
        print(text, file=file, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise unwritable(error) from None


def unwritable(error: OSError) -> UsageError:
    return UsageError(f"standard output: cannot be written ({error.strerror})")


setup()
