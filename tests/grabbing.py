"""What the tests of the grabber share."""

from __future__ import annotations

import time
from collections.abc import Callable

from edge_app.camera.grab import Grabber, GrabStatus


def until(grabber: Grabber, wanted: Callable[[GrabStatus], bool], timeout_s: float = 20) -> GrabStatus:
    """Take what comes until the status is as wanted."""
    deadline = time.monotonic() + timeout_s
    while not wanted(status := grabber.status()):
        assert time.monotonic() < deadline, status
        grabber.newest(0.05)
    return status
