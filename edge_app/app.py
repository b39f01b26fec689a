"""From a command line to what the app runs: everything is checked here, before a process or a camera starts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from edge_app.bundle import DEFAULT, Bundle, load_bundle
from edge_app.camera import open_source
from edge_app.config import Settings, load_settings
from edge_app.errors import UsageError
from edge_app.exporter import loopback_address
from edge_app.keys import load_keys
from edge_app.labels import Label, parse_labels
from edge_app.log import log
from edge_app.people import pose_backend
from edge_app.pose_model import ensure_pose_model
from edge_app.recorder import Recorder, new_run
from edge_app.recording import RecordingFile
from edge_app.runtime.session import RUNTIMES
from edge_app.security import check_bind
from edge_app.supervisor import AppTask
from edge_app.types import Poses


def prepare(arguments: argparse.Namespace) -> tuple[Bundle, tuple[Label, ...], Settings]:
    """The bundle, the labels and the settings that the arguments name; fetches the pose model if it is not here.

    Raises:
        UsageError: any of them is refused.
    """
    settings = load_settings(arguments.config, arguments.assignments)
    if arguments.runtime not in RUNTIMES:
        raise UsageError(f"--runtime {arguments.runtime}: allowed are {', '.join(RUNTIMES)}")
    bundle = load_bundle(arguments.bundle or DEFAULT)
    for kind in arguments.ranker.split("+"):
        bundle.check_ranker(kind)
    labels = parse_labels(arguments.labels) if arguments.labels is not None else bundle.default_labels
    ensure_pose_model()
    return bundle, labels, settings


def make_task(
    arguments: argparse.Namespace, sources: Sequence[str], publish: str | None, record: Path | None = None
) -> AppTask:
    """What the supervisor runs. Cameras are named cam, or cam1, cam2, … where there are several.

    record: a folder in which this run gets one of its own for its recording.

    Raises:
        UsageError: anything in the arguments is refused.
    """
    bundle, labels, settings = prepare(arguments)
    keys = settings.publish.keys
    if keys:
        load_keys(Path(keys))
    endpoint = check_bind(publish or settings.publish.endpoint, with_keys=bool(keys))
    if settings.publish.control:
        check_bind(settings.publish.control, with_keys=bool(keys))
    if settings.metrics.endpoint:
        loopback_address(settings.metrics.endpoint)
    sources = [_listening(source, keys) for source in sources]
    names = ["cam"] if len(sources) == 1 else [f"cam{i}" for i in range(1, len(sources) + 1)]
    return AppTask(
        sources=tuple(zip(names, sources, strict=True)),
        bundle=bundle.path,
        window=bundle.spec,
        labels=labels,
        ranker=arguments.ranker,
        runtime=arguments.runtime,
        publish=endpoint,
        settings=settings,
        record=new_run(record) if record else None,
    )


def _listening(source: str, keys: str) -> str:
    """A `remote://` source with the keys that guard it."""
    if not source.startswith("remote://") or not keys or "?" in source:
        return source
    return f"{source}?keys={keys}"


def record(source: str, out: Path, seconds: float | None, settings: Settings) -> int:
    """Write the poses of a source to a recording until it ends, `seconds` pass, or Ctrl-C.

    settings: `camera.max_people` says of how many.

    Raises:
        SourceError: the source cannot be opened. UsageError: the file cannot be written.
    """
    ensure_pose_model()
    until = time.monotonic() + seconds if seconds else None
    frames = found = 0
    with (
        open_source(source, realtime=True) as opened,
        pose_backend(settings.camera.max_people) as estimator,
        Recorder(RecordingFile(out)) as recorder,
    ):
        try:
            while (until is None or time.monotonic() < until) and (item := opened.read()) is not None:
                if recorder.full:
                    raise UsageError(recorder.full)
                poses = item if isinstance(item, Poses) else estimator.estimate(item)
                recorder.poses(poses)
                frames += 1
                found += bool(poses.poses)
        except KeyboardInterrupt:
            pass
    log.info("%s: %d frames, somebody in %d of them", out, frames, found)
    return 0


def default_task(source: str, labels: str | None, endpoint: str, assignments: Sequence[str] = ()) -> AppTask:
    """`make_task` with everything else but the `assignments` left at its default."""
    arguments = argparse.Namespace(
        config=None, assignments=assignments, runtime="auto", bundle=None, ranker="scale", labels=labels
    )
    return make_task(arguments, [source], endpoint)
