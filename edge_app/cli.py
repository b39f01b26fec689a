"""The command line: `edge-app VERB`. Every verb is a thin call of the module that does the work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_app import __version__
from edge_app.client import DEFAULT_ENDPOINT
from edge_app.errors import AppError, SourceError, UsageError
from edge_app.view.door import DEFAULT_PLACE

RANKERS = ("scale", "fdsm", "sa_dvae", "fs_vae")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code of DESIGN.md 5."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if getattr(arguments, "rerank", None):
        arguments.ranker = f"{arguments.ranker}+{arguments.rerank}"
    try:
        return int(arguments.verb_function(arguments))
    except AppError as error:
        print(f"edge-app: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing is left to say
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edge-app", description="A camera, plain words, and a trustworthy label stream."
    )
    parser.add_argument("--version", action="version", version=f"edge-app {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")

    run = verbs.add_parser("run", help="watch cameras and publish labels")
    run.add_argument("sources", nargs="+", metavar="SOURCE", help="camera://0, rtsp://…, a file, person://wave, …")
    _add_recognition(run)
    run.add_argument("--publish", metavar="ENDPOINT", help=f"where to publish (default {DEFAULT_ENDPOINT})")
    _add_view(run)
    run.set_defaults(verb_function=_run)

    view = verbs.add_parser("view", help="the live page of a stream: poses, labels, states, ages")
    view.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    view.add_argument("--listen", default=DEFAULT_PLACE, metavar="HOST:PORT", help=f"default {DEFAULT_PLACE}")
    view.add_argument("--control", default="", metavar="ENDPOINT", help="the app's control socket, to change the words")
    view.add_argument("--max-age-ms", type=int, default=1000, metavar="MS", help="older labels are not shown as true")
    _add_token(view)
    view.set_defaults(verb_function=_view)

    recognize = verbs.add_parser("recognize", help="name what a file shows; every frame, nothing dropped")
    recognize.add_argument("files", nargs="+", metavar="FILE")
    _add_recognition(recognize)
    recognize.add_argument("--json", action="store_true", help="one JSON object a file")
    recognize.add_argument("--picture", type=Path, metavar="SVG", help="draw the run (of one file) into an SVG file")
    recognize.set_defaults(verb_function=_recognize)

    listen = verbs.add_parser("listen", help="print the labels of a stream")
    listen.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    listen.add_argument("--json", action="store_true", help="one JSON object a line")
    listen.add_argument("--count", type=int, metavar="N", help="stop after N messages")
    listen.add_argument("--timeout", type=float, metavar="S", help="stop after S seconds")
    listen.set_defaults(verb_function=_listen)

    demo = verbs.add_parser("demo", help="the whole app on the webcam, or on a drawn person where there is none")
    demo.add_argument("--seconds", type=float, metavar="S", help="stop by itself after S seconds")
    demo.add_argument("--json", action="store_true", help="print the stream's messages, one JSON object a line")
    demo.add_argument("--source", metavar="SOURCE", help="instead of the webcam")
    demo.add_argument("--labels", metavar="LABELS", help='a label file, or "a,b,c"')
    _add_view(demo)
    demo.set_defaults(verb_function=_demo)

    bench = verbs.add_parser("bench", help="measure every stage, and glass to label at a subscriber")
    bench.add_argument("--source", metavar="URI", help="default: the drawn person")
    _add_recognition(bench)
    bench.add_argument("--seconds", type=float, default=60.0, metavar="S")
    bench.add_argument("--json", metavar="FILE", help="write the result as JSON")
    bench.set_defaults(verb_function=_bench)

    record = verbs.add_parser("record", help="keep poses and stamps of a source, no pixels")
    record.add_argument("source", metavar="SOURCE")
    record.add_argument("out", type=Path, metavar="OUT")
    record.add_argument("--seconds", type=float, metavar="S")
    record.set_defaults(verb_function=_record)

    replay = verbs.add_parser("replay", help="name what a recording shows, as `recognize` does")
    replay.add_argument("files", nargs=1, metavar="FILE")
    _add_recognition(replay)
    replay.add_argument("--json", action="store_true")
    replay.add_argument("--picture", type=Path, metavar="SVG")
    replay.set_defaults(verb_function=_replay)

    doctor = verbs.add_parser("doctor", help="say what is here, what is missing, and how to get it")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(verb_function=_doctor)

    bundle = verbs.add_parser("bundle", help="look at a model bundle").add_subparsers(
        dest="bundle_verb", required=True, metavar="VERB"
    )
    verify = bundle.add_parser("verify", help="check every file against the manifest, and the golden self-test")
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.set_defaults(verb_function=_bundle_verify)
    return parser


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", metavar="LABELS", help='a label file, or "a,b,c" (default: the bundle\'s)')
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a model bundle (default: the one that ships)")
    parser.add_argument("--ranker", choices=RANKERS, default="scale")
    parser.add_argument("--rerank", choices=("fdsm",), help="put the ranker's five best labels in this one's order")
    parser.add_argument("--runtime", default="auto", metavar="NAME", help="auto or onnxruntime")
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="assignments", help="one setting")


def _add_view(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--view", nargs="?", const=DEFAULT_PLACE, metavar="HOST:PORT", help=f"a live page (default {DEFAULT_PLACE})"
    )
    _add_token(parser)


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--token", default=os.environ.get("EDGE_APP_VIEW_TOKEN", ""),
        help="the page's password; beyond this machine one is made up if none is given",
    )  # fmt: skip


def _run(arguments: argparse.Namespace) -> int:
    from edge_app.app import make_task
    from edge_app.supervisor import run_app
    from edge_app.view.beside import beside

    arguments.assignments[:0] = _poses(arguments)
    task = make_task(arguments, arguments.sources, arguments.publish)
    with beside(task, arguments.view, arguments.token):
        return run_app(task)


def _poses(arguments: argparse.Namespace) -> list[str]:
    """The setting that a live page needs."""
    return ["publish.pose=true"] if arguments.view else []


def _view(arguments: argparse.Namespace) -> int:
    from edge_app.view.beside import serve_view
    from edge_app.view.hub import View

    view = View(arguments.endpoint, arguments.control, arguments.max_age_ms)
    return serve_view(view, arguments.listen, arguments.token)


def _recognize(arguments: argparse.Namespace) -> int:
    from edge_app.app import prepare
    from edge_app.bundle import self_test
    from edge_app.labels import build_table
    from edge_app.recognize import recognize

    if arguments.picture and len(arguments.files) > 1:
        raise UsageError(f"--picture: {len(arguments.files)} files found, one is allowed")
    bundle, labels, settings = prepare(arguments)
    table = build_table(labels, bundle.text_encoder(), 1)
    encoder, ranker = bundle.encoder(arguments.runtime), bundle.ranker(arguments.ranker)
    self_test(bundle, encoder, arguments.ranker)
    code = 0
    for file in arguments.files:
        try:
            result = recognize(file, bundle, encoder, ranker, table, settings, picture=arguments.picture)
        except SourceError as error:
            print(f"edge-app: {error}", file=sys.stderr, flush=True)
            code = error.exit_code
            continue
        print(json.dumps(result) if arguments.json else _readable(result), flush=True)
    return code


def _replay(arguments: argparse.Namespace) -> int:
    arguments.files = [file if "://" in file else f"pose://{file}" for file in arguments.files]
    return _recognize(arguments)


def _readable(result: dict) -> str:
    best = ", ".join(f"{label} {score:.2f}" for label, score in result["ranking"][:3]) or "nobody in view"
    lines = [f"{result['file']}: {best}"]
    lines += [
        f"  {event['onset_s']:7.2f} to {event['offset_s']:7.2f} s  {event['label']} ({event['score']:.2f})"
        for event in result["events"]
    ]
    states = [f"{state} {seconds:.1f} s" for state, seconds in result["states"].items() if seconds]
    return "\n".join([*lines, *(["  " + ", ".join(states)] if states else [])])


def _listen(arguments: argparse.Namespace) -> int:
    from edge_app.listen import listen

    return listen(arguments.endpoint, json_lines=arguments.json, count=arguments.count, timeout_s=arguments.timeout)


def _demo(arguments: argparse.Namespace) -> int:
    from edge_app.demo import demo

    return demo(
        source=arguments.source, labels=arguments.labels, seconds=arguments.seconds, json_lines=arguments.json,
        assignments=_poses(arguments), view=arguments.view, token=arguments.token,
    )  # fmt: skip


def _bench(arguments: argparse.Namespace) -> int:
    from edge_app.app import make_task
    from edge_app.bench import SOURCE, bench

    source, out = arguments.source or SOURCE, Path(arguments.json) if arguments.json else None
    return bench(lambda endpoint: make_task(arguments, [source], endpoint), seconds=arguments.seconds, out=out)


def _record(arguments: argparse.Namespace) -> int:
    from edge_app.app import record

    return record(arguments.source, arguments.out, arguments.seconds)


def _doctor(arguments: argparse.Namespace) -> int:
    from edge_app.doctor import doctor

    return doctor(as_json=arguments.json)


def _bundle_verify(arguments: argparse.Namespace) -> int:
    from edge_app.bundle import load_bundle, self_test

    bundle = load_bundle(arguments.folder)
    encoder = bundle.encoder()
    for kind in bundle.manifest["rankers"]:
        self_test(bundle, encoder, kind)
    files = bundle.manifest["files"]
    print(f"{arguments.folder}: {bundle.id}, {len(files)} files as listed, golden rankings hold on {encoder.provider}")
    return 0
