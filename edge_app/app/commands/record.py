"""`edge-app record`: keep the poses and stamps of a source."""

from __future__ import annotations

import argparse
import time
from contextlib import suppress
from pathlib import Path

from edge_app.app.log import log
from edge_app.app.recorder import Recorder, finish
from edge_app.app.settings import Settings, load_settings
from edge_app.camera import open_source
from edge_app.camera.recording import RecordingFile
from edge_app.errors import UsageError
from edge_app.pose.choose import choose_pose
from edge_app.pose.model_file import ensure_pose_model
from edge_app.types import Poses


def main(arguments: argparse.Namespace) -> int:
    """Record until the source ends, or for `--seconds`."""
    return record(arguments.source, arguments.out, arguments.seconds, load_settings(None, arguments.assignments))


def record(source: str, out: Path, seconds: float | None, settings: Settings) -> int:
    """Write the poses of a source to a recording until it ends, `seconds` pass, or a signal to stop.

    settings: `camera.max_people` says of how many, `pose.backend` what finds them.

    Raises:
        SourceError: the source cannot be opened. UsageError: the file cannot be written.
    """
    if (kept := finish(out.with_name(f"{out.name}.part"))) is not None:
        log.warning("a recording of that name was not finished; what it held is in %s", kept)
    ensure_pose_model()
    frames = found = 0
    file: RecordingFile | None = None
    with (
        open_source(source, realtime=True) as opened,
        choose_pose(settings.pose.backend).open(settings.camera.max_people) as estimator,
        suppress(KeyboardInterrupt),
        Recorder(file := RecordingFile(out)) as recorder,
    ):
        until = time.monotonic() + seconds if seconds else None  # once all is loaded
        while (until is None or time.monotonic() < until) and (item := opened.read()) is not None:
            if recorder.full:
                break
            poses = item if isinstance(item, Poses) else estimator.estimate(item)
            recorder.poses(poses)
            frames += 1
            found += bool(poses.poses)
    if file is not None and file.full:
        raise UsageError(file.full)
    log.info("%s: %d frames, with somebody in %d of them", out, frames, found)
    return 0
