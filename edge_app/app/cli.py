"""The command line: `edge-app VERB`. What a verb does is in `edge_app.app.commands.VERB`, loaded when it is called."""

from __future__ import annotations

import argparse
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from edge_app import __version__
from edge_app.app.bridges import add_bridges
from edge_app.app.failure import DEBUG, guarded
from edge_app.app.log import setup
from edge_app.app.view.access import DEFAULT_ADDRESS
from edge_app.bundles.files import path_of
from edge_app.bundles.shipped import bundle_folder
from edge_app.client import DEFAULT_ENDPOINT
from edge_app.errors import UsageError
from edge_app.runtime.session import RUNTIMES

RANKERS = ("scale", "fdsm", "sa_dvae", "fs_vae")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code of DESIGN.md 5."""
    return guarded(lambda: _run(_parser().parse_args(argv)))


def _run(arguments: argparse.Namespace) -> int:
    if getattr(arguments, "debug", False):
        os.environ[DEBUG] = "1"
    setup(getattr(arguments, "log", None), verbose=getattr(arguments, "verbose", False))
    if getattr(arguments, "rerank", None):
        arguments.ranker = f"{arguments.ranker}+{arguments.rerank}"
    if getattr(arguments, "people", None) is not None:
        arguments.assignments = [*arguments.assignments, _people(arguments.people)]
    if getattr(arguments, "pose", None) is not None:
        arguments.assignments = [*arguments.assignments, f"pose.backend={_pose(arguments.pose)}"]
    with _stopped_by_signals():
        return int(import_module(f"edge_app.app.commands.{arguments.verb}").main(arguments))


@contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """SIGTERM and a closed terminal stop any verb as Ctrl-C does; what was ignored before, as by `nohup`, stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ours = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in ours:
        signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, signal.SIG_DFL)


class _Parser(argparse.ArgumentParser):
    """Knows `--debug`, as all parsers of verbs do that are made from it: before the verb and behind it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="also show the traceback of an error"
        )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="edge-app", description="A camera, plain words, and a trustworthy label stream.")
    parser.add_argument("--version", action="version", version=f"edge-app {__version__}")
    commands = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    run = commands.add_parser("run", help="watch cameras and publish labels")
    run.add_argument("sources", nargs="+", metavar="SOURCE", help="camera://0, rtsp://…, a file, person://wave, …")
    _add_recognition(run)
    _add_pose(run)
    run.add_argument("--publish", metavar="ENDPOINT", help=f"where to publish (default {DEFAULT_ENDPOINT})")
    run.add_argument("--record", type=path_of, metavar="DIR", help="record poses and messages here, no pixels")
    run.add_argument("--metrics", metavar="HOST:PORT", help="metrics for Prometheus, on loopback only")
    run.add_argument("--log", choices=("plain", "json"), help="format of lines on stderr (default plain)")
    run.add_argument("--control", metavar="ENDPOINT", help="where labels can be changed (default: next to the stream)")
    run.add_argument("--keys", type=path_of, metavar="DIR", help="over tcp, accept only clients that this folder lists")
    _add_view(run)

    view = commands.add_parser("view", help="the live page of a stream: poses, labels, states, ages")
    view.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    view.add_argument("--listen", default=DEFAULT_ADDRESS, metavar="HOST:PORT", help=f"default {DEFAULT_ADDRESS}")
    view.add_argument("--control", default="", metavar="ENDPOINT", help="the app's control socket, to change the words")
    view.add_argument("--keys", type=path_of, metavar="DIR", help="a client's folder made by 'edge-app keys new'")
    view.add_argument(
        "--max-age-ms",
        type=int,
        default=1000,
        metavar="MS",
        help="show nothing older as live (default 1000)",
    )
    _add_token(view)

    recognize = commands.add_parser("recognize", help="name what a file shows, every frame of it")
    recognize.add_argument("files", nargs="+", metavar="FILE")
    _add_recognition(recognize)
    _add_pose(recognize)
    recognize.add_argument("--json", action="store_true", help="print one JSON object for each file")
    recognize.add_argument("--picture", type=path_of, metavar="SVG", help="draw the run as an SVG file; one FILE only")

    camera = commands.add_parser("camera", help="send the poses of this machine's camera to an app on another one")
    camera.add_argument("source", metavar="SOURCE")
    camera.add_argument(
        "--to", required=True, metavar="ENDPOINT", help="tcp://HOST:PORT, where 'run remote://…' listens"
    )
    camera.add_argument("--keys", type=path_of, metavar="DIR", help="a camera's folder made by 'edge-app keys new'")
    _add_settings(camera)
    _add_people(camera)
    _add_pose(camera)

    listen = commands.add_parser("listen", help="print the labels of a stream")
    listen.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    listen.add_argument("--json", action="store_true", help="print messages, one JSON object a line")
    listen.add_argument("--plain", action="store_true", help="print lines on a terminal too, instead of the board")
    listen.add_argument("--count", type=int, metavar="N", help="stop after N messages")
    listen.add_argument("--timeout", type=float, metavar="S", help="stop after S seconds")
    listen.add_argument("--keys", type=path_of, metavar="DIR", help="a client's folder made by 'edge-app keys new'")

    add_bridges(commands)

    demo = commands.add_parser("demo", help="try it: on the webcam, or on a drawn person if there is none")
    demo.add_argument("--seconds", type=float, metavar="S", help="stop by itself after S seconds")
    demo.add_argument("--json", action="store_true", help="print the messages of the stream, one JSON object a line")
    demo.add_argument("--source", metavar="SOURCE", help="watch this instead of the webcam")
    demo.add_argument("--labels", metavar="LABELS", help='a label file, or "a,b,c"')
    _add_people(demo)
    _add_pose(demo)
    _add_view(demo)
    _add_verbose(demo)

    bench = commands.add_parser("bench", help="measure every stage, and the time from capture to label at a subscriber")
    bench.add_argument("--source", metavar="URI", help="default: the drawn person")
    _add_recognition(bench)
    _add_pose(bench)
    bench.add_argument("--seconds", type=float, default=60.0, metavar="S", help="after the warm-up (default 60)")
    bench.add_argument("--json", type=path_of, metavar="FILE", help="write the result as JSON")
    bench.add_argument("--pictures", type=path_of, metavar="DIR", help="draw latencies, also over time, as SVG")
    bench.add_argument("--compare", type=path_of, nargs=2, metavar="JSON", help="only print ratios of two results")

    record = commands.add_parser("record", help="record poses and time stamps of a source, no pixels")
    record.add_argument("source", metavar="SOURCE")
    record.add_argument("out", type=path_of, metavar="OUT")
    record.add_argument("--seconds", type=float, metavar="S")
    _add_people(record)
    _add_pose(record)

    replay = commands.add_parser("replay", help="print the events of a recording, always the same")
    replay.add_argument("recording", metavar="FILE|DIR")
    _add_recognition(replay)
    pace = replay.add_mutually_exclusive_group()
    pace.add_argument("--realtime", action="store_const", dest="pace", const="realtime", help="at its own pace")
    pace.add_argument("--step", action="store_const", dest="pace", const="step", help="wait for Enter at each decision")
    show = replay.add_mutually_exclusive_group()
    show.add_argument(
        "--json", action="store_const", dest="show", const="json", help="print a JSON object for each event"
    )
    show.add_argument("--hash", action="store_const", dest="show", const="hash", help="print only the events' SHA-256")
    replay.set_defaults(pace="fast", show="lines")

    explain = commands.add_parser("explain", help="say why something was decided, in words and as a picture")
    explain.add_argument("recording", metavar="FILE|DIR")
    explain.add_argument("--at", type=float, required=True, metavar="S", help="seconds from the recording's start")
    explain.add_argument("--out", type=path_of, metavar="SVG", help="draw the window and its ranking as an SVG file")
    _add_recognition(explain)

    doctor = commands.add_parser("doctor", help="say what is here, what is missing, and how to get it")
    doctor.add_argument("--json", action="store_true")

    status = commands.add_parser("status", help="show which apps run on this machine, where, and what they see")
    status.add_argument("--json", action="store_true", help="print one JSON object")
    status.add_argument("--keys", type=path_of, metavar="DIR", help="a controller's folder made by 'edge-app keys new'")

    _add_labels(commands.add_parser("labels", help="show and change the labels of a running app"))
    _add_keys(commands.add_parser("keys", help="say who may read the stream and change the labels over a network"))

    bundle = commands.add_parser("bundle", help="look at a model bundle").add_subparsers(
        dest="bundle_verb", required=True, metavar="VERB"
    )
    verify = bundle.add_parser("verify", help="check every file against the manifest, and the golden self-test")
    verify.add_argument("folder", type=path_of, metavar="DIR")
    verify.add_argument("--key", type=path_of, metavar="FILE", help="check the signature with this ed25519 public key")
    sign = bundle.add_parser("sign", help="sign the manifest")
    sign.add_argument("folder", type=path_of, metavar="DIR")
    sign.add_argument("--key", type=path_of, metavar="FILE", required=True, help="private key of ssh-keygen -t ed25519")
    return parser


def _add_labels(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="op", required=True, metavar="VERB")
    lists = 'names, "a,b,c", a label file, or a list that ships, such as fitness'
    for name, text in (("list", "print them, as lines of a label file"), ("set", lists), ("add", lists),
                       ("remove", "names"), ("describe", "a name, and how the body moves"),
                       ("teach", "teach a motion by example, before the camera of a running app or from clips"),
                       ("forget", "forget what was taught under a name")):  # fmt: skip
        verb = commands.add_parser(name, help=text)
        if name in ("teach", "forget"):
            verb.add_argument("name", metavar="NAME")
            verb.add_argument("--bundle", type=bundle_folder, metavar="DIR", help="the app's, where it has another")
        if name == "teach":
            verb.add_argument("--seconds", type=float, default=5.0, metavar="S", help="length of a shot (default 5)")
            verb.add_argument("--shots", type=int, default=3, metavar="N", help="how many shots (default 3)")
            verb.add_argument("--camera", default="", metavar="NAME", help="which camera, if the app has several")
            verb.add_argument(
                "--clip", action="append", metavar="FILE", help="a shot from this file instead; repeatable"
            )
        elif name == "describe":
            verb.add_argument("name", metavar="NAME")
            verb.add_argument("description", metavar="TEXT")
        elif name not in ("list", "forget"):
            verb.add_argument("labels", nargs="+", metavar="LABEL", help=text)
        verb.add_argument("--control", metavar="ENDPOINT", help="the app's control socket (default: the usual one)")
        verb.add_argument("--keys", type=path_of, metavar="DIR", help="a controller's folder of 'edge-app keys new'")
        verb.add_argument("--json", action="store_true", help="print the reply")


def _add_keys(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(dest="keys_verb", required=True, metavar="VERB")
    new = commands.add_parser("new", help="make the app's own keys, or with --name those of a client")
    new.add_argument("folder", type=path_of, metavar="DIR")
    new.add_argument("--name", metavar="N")
    roles = ("reader", "controller", "camera", "server")
    new.add_argument("--role", choices=roles, help="default: server, or reader with a name")
    commands.add_parser("list", help="print role, name and fingerprint of each").add_argument(
        "folder", type=path_of, metavar="DIR"
    )
    revoke = commands.add_parser("revoke", help="shut a client out; a running app does so within a second")
    revoke.add_argument("folder", type=path_of, metavar="DIR")
    revoke.add_argument("name", metavar="NAME")


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", metavar="LABELS", help='a label file, or "a,b,c" (default: the bundle\'s)')
    parser.add_argument(
        "--bundle", type=bundle_folder, metavar="DIR", help="default, open, or a folder (default: default)"
    )
    parser.add_argument("--ranker", choices=RANKERS, default="scale", help="what ranks the labels (default scale)")
    parser.add_argument("--rerank", choices=("fdsm",), help="let this ranker reorder the five best labels")
    parser.add_argument("--runtime", default="auto", metavar="NAME", help=f"one of {', '.join(RUNTIMES)}")
    _add_settings(parser)
    _add_people(parser)
    _add_verbose(parser)
    parser.add_argument(
        "--require-gpu", action="append_const", const="runtime.require_gpu=true", dest="assignments",
        help="fail if no GPU runtime passes the self-test",
    )  # fmt: skip


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=path_of, metavar="FILE", help="settings in YAML")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="A.B=C",
        dest="assignments",
        help="one setting; repeatable",
    )


def _add_people(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", metavar="N", help="watch up to N people before each camera (default 1, at most 8)")
    parser.set_defaults(assignments=[])


def _add_pose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--pose", metavar="NAME", help="what finds poses: auto, mediapipe, onnxruntime, openvino, …")


def _pose(name: str) -> str:
    from edge_app.pose.choose import BACKENDS

    if name not in BACKENDS:
        raise UsageError(f"--pose {name:.40}: allowed are {', '.join(BACKENDS)}")
    return name


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-v", "--verbose", action="store_true", help="also say which runtime was chosen, and why")


def _people(count: str) -> str:
    from edge_app.recognizer import MAX_PEOPLE

    if not (count.isdecimal() and 1 <= int(count) <= MAX_PEOPLE):
        raise UsageError(f"--people {count:.40}: a number from 1 to {MAX_PEOPLE} is allowed")
    return f"camera.max_people={int(count)}"


def _add_view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--view",
        nargs="?",
        const=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        help=f"a live page (default {DEFAULT_ADDRESS})",
    )
    _add_token(parser)


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token", default=os.environ.get("EDGE_APP_VIEW_TOKEN", ""),
        help="password of the page; without one, it is made up if other machines can reach the page",
    )  # fmt: skip
