"""`edge-app labels teach` and `forget`: shot after shot from the camera of a running app, or one from each clip."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from edge_app.app.log import log, put, say
from edge_app.app.settings import Settings
from edge_app.app.teaching import SPACING_S, select_windows
from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.errors import AppError, SourceError, UsageError
from edge_app.events import EventDetector
from edge_app.pose.choose import pose_backend
from edge_app.pose.model_file import ensure_pose_model
from edge_app.ranker.labels.label import Label, Note, line_of, parse_lines
from edge_app.ranker.labels.shots import MAX_SHOTS, MAX_WINDOWS, TaughtFolder, taught_folder
from edge_app.recognizer import FrontEnd, watch
from edge_app.stream.control import ask
from edge_app.types import Window
from edge_app.window.skeleton import WindowSpec

COUNTDOWN_S = 3.0
ANSWER_S = 60.0  # to read what was taught and put the labels together
NOBODY_S = 3.0  # after which no app is taken to be running

Ask = Callable[..., dict[str, Any]]


def main(arguments: argparse.Namespace) -> int:
    """Teach or forget a label, and print the reply of the app, if one is running."""
    app = asking(arguments.control, arguments.keys)
    label = one_label(arguments.name, None if arguments.op == "forget" else log.warning)
    if arguments.op == "forget":
        reply = forget(label, app, _taught(arguments)[1])
    elif arguments.clip:
        ensure_pose_model()
        bundle, folder = _taught(arguments)
        teach_from(arguments.clip, label, bundle, Settings(), folder, _say(arguments))
        reply = in_force(label, app)
    else:
        how = {"seconds": arguments.seconds, "shots": arguments.shots, "camera": arguments.camera}
        reply = teach(label, app, _say(arguments), **how)
    if arguments.json:
        put(json.dumps(reply))
    elif reply is None:
        say("no app answers here: it counts from the next start on")
    else:
        say(f"version {reply['labels_version']}: {reply['count']} labels")
    return 0


def _say(arguments: argparse.Namespace) -> Callable[[str], None]:
    return lambda line: say(line, file=sys.stderr if arguments.json else sys.stdout)


def _taught(arguments: argparse.Namespace) -> tuple[Bundle, TaughtFolder]:
    bundle = load_bundle(arguments.bundle or DEFAULT)
    return bundle, TaughtFolder(taught_folder(), bundle.spec)


def one_label(line: str, note: Note | None = log.warning) -> Label:
    """A name, or a line of a label file with one.

    Raises:
        UsageError: anything else.
    """
    labels = parse_lines([line], "label", note=note)
    if len(labels) != 1:
        raise UsageError(f"{len(labels)} labels found, one is allowed; its name has no ',' and no ';'")
    return labels[0]


def teach(
    label: Label, ask_app: Ask, say: Callable[[str], None], *, seconds: float, shots: int, camera: str = "",
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:  # fmt: skip
    """Have a running app take shots, after a countdown each; gives its last reply.

    Raises:
        UsageError: it refuses one; the shots before are kept. SourceError: no app answers.
    """
    if not 1 <= shots <= MAX_SHOTS:
        raise UsageError(f"--shots {shots}: allowed are 1 to {MAX_SHOTS}")
    reply = ask_app("labels.list", None)  # before anybody moves for an app that is not there
    for number in range(1, shots + 1):
        say(f"shot {number} of {shots}: begin in {COUNTDOWN_S:g} s …")
        sleep(COUNTDOWN_S)
        say(f"shot {number} of {shots}: now, for {seconds:g} s")
        request = {"camera": camera, "seconds": seconds, "timeout_s": seconds + ANSWER_S}
        try:
            reply = ask_app("labels.teach", [line_of(label)], **request)
        except AppError as error:
            raise type(error)(f"{error} ({number - 1} of {shots} shots kept)") from None
        say(f"shot {number} of {shots}: kept; version {reply['labels_version']}")
    return reply


def teach_from(
    clips: Sequence[str], label: Label, bundle: Bundle, settings: Settings, folder: TaughtFolder,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Keep a shot from each clip.

    Raises:
        SourceError: a clip cannot be decoded. UsageError: it shows too little of a body, or nothing can be written.
            The shots before are kept.
    """
    for number, clip in enumerate(clips, 1):
        windows, seconds = seen_in(clip, bundle.spec, settings)
        taught = folder.add(label, select_windows(windows, seconds, bundle.spec)[:MAX_WINDOWS])
        say(f"shot {number} of {len(clips)}: kept, {clip}; {taught.shots} in all")


def seen_in(clip: str, spec: WindowSpec, settings: Settings) -> tuple[list[Window], float]:
    """Windows of a file in which a body is seen, `SPACING_S` apart, and how long the file is, at least one window."""
    front, detector = FrontEnd("file", spec, settings.camera), EventDetector("file", spec, settings.events)
    due_s, last_s = spec.seconds, 0.0
    found: list[Window] = []
    newest: Window | None = None
    find = partial(pose_backend, backend=settings.pose.backend)
    for poses, seen in watch(clip, front, settings.camera.max_people, find):
        last_s = poses.t_ns / 1e9
        if not seen.due:
            continue
        newest = seen.windows[0] if seen.windows else None
        if newest is not None and last_s >= due_s - 0.5 / spec.rate_hz:
            due_s = last_s + SPACING_S
            if detector.body_seen(newest):
                found.append(newest)
    if last_s < spec.seconds and newest is not None and detector.body_seen(newest):
        found = found or [newest]  # a clip shorter than a window is one
    return found, max(last_s, spec.seconds)


def in_force(label: Label, ask_app: Ask) -> dict[str, Any] | None:
    """Have a running app read what is stored for a label; None where no app answers.

    Raises:
        UsageError: it refuses.
    """
    try:
        return ask_app("labels.teach", [line_of(label)], seconds=0, timeout_s=NOBODY_S)
    except SourceError:
        return None


def forget(label: Label, ask_app: Ask, folder: TaughtFolder) -> dict[str, Any] | None:
    """Forget a label in a running app, or in this user's folder where none answers (None then).

    Raises:
        UsageError: nothing was taught under this name.
    """
    try:
        return ask_app("labels.forget", [label.name], timeout_s=NOBODY_S)
    except SourceError:
        folder.forget(label.name)
        return None


def asking(control: str | None, keys: Path | None) -> Ask:
    """`edge_app.stream.control.ask` of one app."""
    return lambda op, lines, **more: ask(control, op, lines, keys=keys, **more)
