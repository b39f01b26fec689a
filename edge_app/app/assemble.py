"""From a command line to what the app runs: everything is checked here, before a process or a camera starts."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from edge_app.app.log import log
from edge_app.app.processes.supervisor import AppTask
from edge_app.app.prometheus import loopback_address
from edge_app.app.recorder import new_run
from edge_app.app.settings import Settings, load_settings
from edge_app.app.teaching import SupportSet
from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.files import path_of
from edge_app.bundles.shipped import DEFAULT
from edge_app.camera import gives_poses
from edge_app.camera.uri import normalized
from edge_app.errors import UsageError
from edge_app.pose.model_file import ensure_pose_model
from edge_app.ranker.labels.label import Label, parse_labels
from edge_app.ranker.labels.shots import TaughtFolder, taught_folder
from edge_app.ranker.load import check_ranker, load_ranker
from edge_app.recognizer import Recognizer, choose_encoder
from edge_app.runtime.session import RUNTIMES
from edge_app.stream.endpoint import check_bind
from edge_app.stream.keys import load_keys


def prepare(arguments: argparse.Namespace, sources: Sequence[str]) -> tuple[Bundle, tuple[Label, ...], Settings]:
    """The bundle, the labels and the settings that the arguments name; fetches the pose model if a source needs it.

    Raises:
        UsageError: any of them is refused.
    """
    settings = load_settings(arguments.config, arguments.assignments)
    if arguments.runtime not in RUNTIMES:
        raise UsageError(f"--runtime {arguments.runtime}: allowed are {', '.join(RUNTIMES)}")
    bundle = load_bundle(arguments.bundle or DEFAULT)
    for kind in arguments.ranker.split("+"):
        check_ranker(bundle, kind)
    labels = parse_labels(arguments.labels) if arguments.labels is not None else bundle.default_labels
    if not all(map(gives_poses, sources)):
        ensure_pose_model()
    return bundle, labels, settings


def make_recognizer(arguments: argparse.Namespace, sources: Sequence[str]) -> tuple[Recognizer, Settings]:
    """What names files, without processes; what was taught counts as it does in a running app.

    Raises:
        UsageError: anything in the arguments is refused.
    """
    bundle, labels, settings = prepare(arguments, sources)
    support = SupportSet(TaughtFolder(taught_folder(), bundle.spec), bundle, labels, settings)
    chosen = choose_encoder(bundle, arguments.runtime, arguments.ranker, settings.runtime)
    log.debug("%s", chosen.why, extra={"kind": "runtime"})
    ranker = support.with_shots(load_ranker(bundle, arguments.ranker, config=settings.ranker))
    recognizer = Recognizer(
        support.extended(labels), bundle=bundle, ranker=ranker, runtime=chosen.encoder,
        pose=settings.pose.backend, camera=settings.camera, events=settings.events,
    )  # fmt: skip
    return recognizer, settings


def make_task(
    arguments: argparse.Namespace, sources: Sequence[str], publish: str | None, record: Path | None = None
) -> AppTask:
    """What the supervisor runs. Cameras are named cam, or cam1, cam2, … where there are several.

    record: a folder in which this run gets one of its own for its recording.

    Raises:
        UsageError: anything in the arguments is refused.
    """
    bundle, labels, settings = prepare(arguments, sources)
    keys = settings.publish.keys
    if keys:
        load_keys(path_of(keys))
    endpoint = check_bind(publish or settings.publish.endpoint, with_keys=bool(keys))
    if settings.publish.control:
        check_bind(settings.publish.control, with_keys=bool(keys))
    if settings.metrics.endpoint:
        loopback_address(settings.metrics.endpoint)
    sources = [_listening(normalized(source), keys) for source in sources]
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


def default_task(source: str, labels: str | None, endpoint: str, assignments: Sequence[str] = ()) -> AppTask:
    """`make_task` with everything else but the `assignments` left at its default."""
    arguments = argparse.Namespace(
        config=None, assignments=assignments, runtime="auto", bundle=None, ranker="scale", labels=labels
    )
    return make_task(arguments, [source], endpoint)
