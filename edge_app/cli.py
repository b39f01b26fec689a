"""The command line: `edge-app VERB`. Every verb is a thin call of the module that does the work."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edge_app import __version__
from edge_app.bridges import add_bridges
from edge_app.client import DEFAULT_ENDPOINT
from edge_app.errors import AppError, SourceError, UsageError
from edge_app.log import log, printable, setup
from edge_app.runtime.session import RUNTIMES
from edge_app.view.door import DEFAULT_PLACE

if TYPE_CHECKING:
    from edge_app.bundle import Bundle
    from edge_app.config import Settings
    from edge_app.encoder import Encoder
    from edge_app.labels import LabelTable
    from edge_app.rankers.base import Ranker
    from edge_app.taught import TaughtFolder

RANKERS = ("scale", "fdsm", "sa_dvae", "fs_vae")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit code of DESIGN.md 5."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    setup(getattr(arguments, "log", None))
    if getattr(arguments, "rerank", None):
        arguments.ranker = f"{arguments.ranker}+{arguments.rerank}"
    try:
        if getattr(arguments, "people", None) is not None:
            arguments.assignments = [*arguments.assignments, _people(arguments.people)]
        return int(arguments.verb_function(arguments))
    except AppError as error:
        log.error("%s", error, extra={"kind": "failed"})
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
    run.add_argument("--record", type=Path, metavar="DIR", help="keep poses and messages here, no pixels")
    run.add_argument("--metrics", metavar="HOST:PORT", help="figures for Prometheus, on loopback only")
    run.add_argument("--log", choices=("plain", "json"), help="how lines on stderr look (default plain)")
    run.add_argument("--control", metavar="ENDPOINT", help="where labels can be changed (default: beside the stream)")
    run.add_argument("--keys", type=Path, metavar="DIR", help="let in by tcp only whom this folder lists")
    _add_view(run)
    run.set_defaults(verb_function=_run)

    view = verbs.add_parser("view", help="the live page of a stream: poses, labels, states, ages")
    view.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    view.add_argument("--listen", default=DEFAULT_PLACE, metavar="HOST:PORT", help=f"default {DEFAULT_PLACE}")
    view.add_argument("--control", default="", metavar="ENDPOINT", help="the app's control socket, to change the words")
    view.add_argument("--keys", type=Path, metavar="DIR", help="a client's folder made by 'edge-app keys new'")
    view.add_argument("--max-age-ms", type=int, default=1000, metavar="MS", help="older labels are not shown as true")
    _add_token(view)
    view.set_defaults(verb_function=_view)

    recognize = verbs.add_parser("recognize", help="name what a file shows; every frame, nothing dropped")
    recognize.add_argument("files", nargs="+", metavar="FILE")
    _add_recognition(recognize)
    recognize.add_argument("--json", action="store_true", help="one JSON object a file")
    recognize.add_argument("--picture", type=Path, metavar="SVG", help="draw the run (of one file) into an SVG file")
    recognize.set_defaults(verb_function=_recognize)

    camera = verbs.add_parser("camera", help="send the poses of a camera here to an app on another machine")
    camera.add_argument("source", metavar="SOURCE")
    camera.add_argument(
        "--to", required=True, metavar="ENDPOINT", help="tcp://HOST:PORT where 'run remote://…' listens"
    )
    camera.add_argument("--keys", type=Path, metavar="DIR", help="a camera's folder made by 'edge-app keys new'")
    _add_settings(camera)
    _add_people(camera)
    camera.set_defaults(verb_function=_camera)

    listen = verbs.add_parser("listen", help="print the labels of a stream")
    listen.add_argument("endpoint", nargs="?", default=DEFAULT_ENDPOINT)
    listen.add_argument("--json", action="store_true", help="one JSON object a line")
    listen.add_argument("--plain", action="store_true", help="lines, on a terminal too")
    listen.add_argument("--count", type=int, metavar="N", help="stop after N messages")
    listen.add_argument("--timeout", type=float, metavar="S", help="stop after S seconds")
    listen.add_argument("--keys", type=Path, metavar="DIR", help="a client's folder made by 'edge-app keys new'")
    listen.set_defaults(verb_function=_listen)

    add_bridges(verbs)

    demo = verbs.add_parser("demo", help="the whole app on the webcam, or on a drawn person where there is none")
    demo.add_argument("--seconds", type=float, metavar="S", help="stop by itself after S seconds")
    demo.add_argument("--json", action="store_true", help="print the stream's messages, one JSON object a line")
    demo.add_argument("--source", metavar="SOURCE", help="instead of the webcam")
    demo.add_argument("--labels", metavar="LABELS", help='a label file, or "a,b,c"')
    _add_people(demo)
    _add_view(demo)
    demo.set_defaults(verb_function=_demo)

    bench = verbs.add_parser("bench", help="measure every stage, and glass to label at a subscriber")
    bench.add_argument("--source", metavar="URI", help="default: the drawn person")
    _add_recognition(bench)
    bench.add_argument("--seconds", type=float, default=60.0, metavar="S", help="after the warm-up (default 60)")
    bench.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON")
    bench.add_argument("--pictures", type=Path, metavar="DIR", help="draw latencies, and latency over time, as SVG")
    bench.add_argument("--compare", type=Path, nargs=2, metavar="JSON", help="ratios of two results; measures nothing")
    bench.set_defaults(verb_function=_bench)

    record = verbs.add_parser("record", help="keep poses and stamps of a source, no pixels")
    record.add_argument("source", metavar="SOURCE")
    record.add_argument("out", type=Path, metavar="OUT")
    record.add_argument("--seconds", type=float, metavar="S")
    _add_people(record)
    record.set_defaults(verb_function=_record)

    replay = verbs.add_parser("replay", help="the events of a recording again, always the same")
    replay.add_argument("recording", metavar="FILE|DIR")
    _add_recognition(replay)
    pace = replay.add_mutually_exclusive_group()
    pace.add_argument("--realtime", action="store_const", dest="pace", const="realtime", help="at its own pace")
    pace.add_argument("--step", action="store_const", dest="pace", const="step", help="Enter for the next decision")
    show = replay.add_mutually_exclusive_group()
    show.add_argument("--json", action="store_const", dest="show", const="json", help="one JSON object an event")
    show.add_argument("--hash", action="store_const", dest="show", const="hash", help="only the SHA-256 of the events")
    replay.set_defaults(verb_function=_replay, pace="fast", show="lines")

    explain = verbs.add_parser("explain", help="why something was decided, in words and as a picture")
    explain.add_argument("recording", metavar="FILE|DIR")
    explain.add_argument("--at", type=float, required=True, metavar="S", help="seconds from the recording's start")
    explain.add_argument("--out", type=Path, metavar="SVG", help="draw the window and its ranking")
    _add_recognition(explain)
    explain.set_defaults(verb_function=_explain)

    doctor = verbs.add_parser("doctor", help="say what is here, what is missing, and how to get it")
    doctor.add_argument("--json", action="store_true")
    doctor.set_defaults(verb_function=_doctor)

    _add_labels(verbs.add_parser("labels", help="show and change the labels of a running app"))
    _add_keys(verbs.add_parser("keys", help="who may read the stream and change the labels over a network"))

    bundle = verbs.add_parser("bundle", help="look at a model bundle").add_subparsers(
        dest="bundle_verb", required=True, metavar="VERB"
    )
    verify = bundle.add_parser("verify", help="check every file against the manifest, and the golden self-test")
    verify.add_argument("folder", type=Path, metavar="DIR")
    verify.add_argument("--key", type=Path, metavar="FILE", help="check the signature with this ed25519 public key")
    verify.set_defaults(verb_function=_bundle_verify)
    sign = bundle.add_parser("sign", help="sign the manifest")
    sign.add_argument("folder", type=Path, metavar="DIR")
    sign.add_argument("--key", type=Path, metavar="FILE", required=True, help="private key of ssh-keygen -t ed25519")
    sign.set_defaults(verb_function=_bundle_sign)
    return parser


def _add_labels(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="op", required=True, metavar="VERB")
    lists = 'names, "a,b,c", a label file, or a list that ships, such as fitness'
    for name, text in (("list", "print them, as lines of a label file"), ("set", lists), ("add", lists),
                       ("remove", "names"), ("describe", "a name, and how the body moves"),
                       ("teach", "show a motion: shots from the camera of a running app, or from clips"),
                       ("forget", "what was taught under a name")):  # fmt: skip
        verb = verbs.add_parser(name, help=text)
        if name in ("teach", "forget"):
            verb.add_argument("name", metavar="NAME")
            verb.add_argument("--bundle", type=Path, metavar="DIR", help="the app's (default: the one that ships)")
        if name == "teach":
            verb.add_argument("--seconds", type=float, default=5.0, metavar="S", help="of a shot (default 5)")
            verb.add_argument("--shots", type=int, default=3, metavar="N", help="how many (default 3)")
            verb.add_argument("--camera", default="", metavar="NAME", help="of the app, where it has several")
            verb.add_argument("--clip", action="append", metavar="FILE", help="a shot from a file instead; repeat it")
        elif name == "describe":
            verb.add_argument("name", metavar="NAME")
            verb.add_argument("description", metavar="TEXT")
        elif name not in ("list", "forget"):
            verb.add_argument("labels", nargs="+", metavar="LABEL", help=text)
        verb.add_argument("--control", metavar="ENDPOINT", help="of the app (default: beside the default stream)")
        verb.add_argument("--keys", type=Path, metavar="DIR", help="a controller's folder made by 'edge-app keys new'")
        verb.add_argument("--json", action="store_true", help="print the reply")
    parser.set_defaults(verb_function=_labels)


def _add_keys(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="keys_verb", required=True, metavar="VERB")
    new = verbs.add_parser("new", help="make the app's own keys, or with --name those of a client")
    new.add_argument("folder", type=Path, metavar="DIR")
    new.add_argument("--name", metavar="N")
    roles = ("reader", "controller", "camera", "server")
    new.add_argument("--role", choices=roles, help="default: server, or reader with a name")
    verbs.add_parser("list", help="role, name and fingerprint of each").add_argument("folder", type=Path, metavar="DIR")
    revoke = verbs.add_parser("revoke", help="cut a client off; a running app notices within a second")
    revoke.add_argument("folder", type=Path, metavar="DIR")
    revoke.add_argument("name", metavar="NAME")
    parser.set_defaults(verb_function=_keys)


def _add_recognition(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--labels", metavar="LABELS", help='a label file, or "a,b,c" (default: the bundle\'s)')
    parser.add_argument("--bundle", type=Path, metavar="DIR", help="a model bundle (default: the one that ships)")
    parser.add_argument("--ranker", choices=RANKERS, default="scale")
    parser.add_argument("--rerank", choices=("fdsm",), help="put the ranker's five best labels in this one's order")
    parser.add_argument("--runtime", default="auto", metavar="NAME", help=f"one of {', '.join(RUNTIMES)}")
    _add_settings(parser)
    _add_people(parser)
    parser.add_argument(
        "--require-gpu", action="append_const", const="runtime.require_gpu=true", dest="assignments",
        help="fail where no GPU runtime passes the self-test",
    )  # fmt: skip


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings in YAML")
    parser.add_argument("--set", action="append", default=[], metavar="A.B=C", dest="assignments", help="one setting")


def _add_people(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--people", metavar="N", help="watch up to N people before each camera (default 1, at most 8)")
    parser.set_defaults(assignments=[])


def _people(count: str) -> str:
    from edge_app.config import MAX_PEOPLE

    if not (count.isdecimal() and 1 <= int(count) <= MAX_PEOPLE):
        raise UsageError(f"--people {count:.40}: a number from 1 to {MAX_PEOPLE} is allowed")
    return f"camera.max_people={int(count)}"


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

    options = (
        ("publish.control", arguments.control),
        ("publish.keys", arguments.keys),
        ("metrics.endpoint", arguments.metrics),
    )
    arguments.assignments = [
        *_poses(arguments), *arguments.assignments,
        *(f"{key}={json.dumps(str(value), ensure_ascii=False)}" for key, value in options if value is not None),
    ]  # fmt: skip
    task = make_task(arguments, arguments.sources, arguments.publish, arguments.record)
    with beside(task, arguments.view, arguments.token):
        return run_app(task)


def _poses(arguments: argparse.Namespace) -> list[str]:
    """The setting that a live page needs."""
    return ["publish.pose=true"] if arguments.view else []


def _view(arguments: argparse.Namespace) -> int:
    from edge_app.view.beside import serve_view
    from edge_app.view.hub import View

    view = View(arguments.endpoint, arguments.control, arguments.max_age_ms, arguments.keys)
    return serve_view(view, arguments.listen, arguments.token)


def _recognize(arguments: argparse.Namespace) -> int:
    from edge_app.recognize import recognize

    if arguments.picture and len(arguments.files) > 1:
        raise UsageError(f"--picture: {len(arguments.files)} files found, one is allowed")
    stages = _stages(arguments)
    code = 0
    for file in arguments.files:
        try:
            result = recognize(file, *stages, picture=arguments.picture)
        except SourceError as error:
            log.error("%s", error, extra={"kind": "source"})
            code = error.exit_code
            continue
        print(json.dumps(result) if arguments.json else _readable(result), flush=True)
    return code


def _stages(arguments: argparse.Namespace) -> tuple[Bundle, Encoder, Ranker, LabelTable, Settings]:
    """What stands between a source and its events, tested."""
    from edge_app.app import prepare
    from edge_app.labels import build_table
    from edge_app.runtime.choose import choose

    bundle, labels, settings = prepare(arguments)
    table = build_table(labels, bundle.text_encoder(), 1)
    chosen = choose(bundle, arguments.runtime, arguments.ranker, settings.runtime)
    if sys.stderr.isatty():
        log.info("%s", chosen.why, extra={"kind": "runtime"})
    return bundle, chosen.encoder, bundle.ranker(arguments.ranker), table, settings


def _replay(arguments: argparse.Namespace) -> int:
    from edge_app.replay import replay

    replay(f"pose://{arguments.recording}", *_stages(arguments), pace=arguments.pace, show=arguments.show)
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    from edge_app.explain import explain

    lines = explain(f"pose://{arguments.recording}", arguments.at, *_stages(arguments), picture=arguments.out)
    print("\n".join(map(printable, lines)))
    return 0


def _readable(result: dict) -> str:
    best = ", ".join(f"{label} {score:.2f}" for label, score in result["ranking"][:3]) or "nobody in view"
    lines = [f"{result['file']}: {best}"]
    lines += [
        f"  {event['onset_s']:7.2f} to {event['offset_s']:7.2f} s  {event['label']} ({event['score']:.2f})"
        for event in result["events"]
    ]
    states = [f"{state} {seconds:.1f} s" for state, seconds in result["states"].items() if seconds]
    return "\n".join([*lines, *(["  " + ", ".join(states)] if states else [])])


def _camera(arguments: argparse.Namespace) -> int:
    from edge_app.config import load_settings
    from edge_app.remote_camera import SenderTask, send_camera

    settings = load_settings(arguments.config, arguments.assignments)
    return send_camera(SenderTask(arguments.source, arguments.to, arguments.keys, settings))


def _listen(arguments: argparse.Namespace) -> int:
    from edge_app.listen import listen

    return listen(
        arguments.endpoint, json_lines=arguments.json, plain=arguments.plain, count=arguments.count,
        timeout_s=arguments.timeout, keys=arguments.keys,
    )  # fmt: skip


def _demo(arguments: argparse.Namespace) -> int:
    from edge_app.demo import demo

    return demo(
        source=arguments.source, labels=arguments.labels, seconds=arguments.seconds, json_lines=arguments.json,
        assignments=[*_poses(arguments), *arguments.assignments], view=arguments.view, token=arguments.token,
    )  # fmt: skip


def _bench(arguments: argparse.Namespace) -> int:
    from edge_app.app import make_task
    from edge_app.bench.report import compare
    from edge_app.bench.run import SOURCE, bench

    if arguments.compare:
        return compare(*arguments.compare)
    source = arguments.source or SOURCE
    arguments.assignments = ["taught.use=false", *arguments.assignments]  # what is measured must not depend on the user
    return bench(
        lambda endpoint: make_task(arguments, [source], endpoint),
        seconds=arguments.seconds, out=arguments.json, pictures=arguments.pictures,
    )  # fmt: skip


def _record(arguments: argparse.Namespace) -> int:
    from edge_app.app import record
    from edge_app.config import load_settings

    return record(arguments.source, arguments.out, arguments.seconds, load_settings(None, arguments.assignments))


def _doctor(arguments: argparse.Namespace) -> int:
    from edge_app.doctor import doctor

    return doctor(as_json=arguments.json)


def _labels(arguments: argparse.Namespace) -> int:
    from edge_app.control import ask
    from edge_app.labels import Label, line_of, parse_labels, parse_text

    if arguments.op in ("teach", "forget"):
        return int((_teach if arguments.op == "teach" else _forget)(arguments))
    lines = None
    if arguments.op == "describe":
        lines = [line_of(Label(arguments.name, (), arguments.description))]
    elif arguments.op == "remove":
        lines = [label.name for label in parse_text(",".join(arguments.labels))]
    elif arguments.op != "list":
        given = arguments.labels
        lines = [line_of(each) for each in (parse_labels(given[0]) if len(given) == 1 else parse_text(",".join(given)))]
    reply = ask(arguments.control, f"labels.{arguments.op}", lines, keys=arguments.keys)
    if arguments.json:
        print(json.dumps(reply))
    elif arguments.op == "list":
        print("\n".join(reply["labels"]))
        for name, shots in reply.get("taught", {}).items():
            print(f"# taught: {name} ({shots} shots)")
    else:
        print(f"version {reply['labels_version']}: {reply['count']} labels")
    return 0


def _teach(arguments: argparse.Namespace) -> int:
    from edge_app import lesson
    from edge_app.config import Settings
    from edge_app.pose_model import ensure_pose_model

    label, app = lesson.one_label(arguments.name), lesson.asking(arguments.control, arguments.keys)

    def say(line: str) -> None:
        print(line, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    if arguments.clip:
        ensure_pose_model()
        bundle, folder = _taught(arguments)
        lesson.teach_from(arguments.clip, label, bundle, Settings(), folder, say)
        reply = lesson.in_force(label, app)
    else:
        how = {"seconds": arguments.seconds, "shots": arguments.shots, "camera": arguments.camera}
        reply = lesson.teach(label, app, say, **how)
    return _taught_reply(arguments, reply)


def _forget(arguments: argparse.Namespace) -> int:
    from edge_app import lesson

    app = lesson.asking(arguments.control, arguments.keys)
    return _taught_reply(arguments, lesson.forget(lesson.one_label(arguments.name), app, _taught(arguments)[1]))


def _taught(arguments: argparse.Namespace) -> tuple[Bundle, TaughtFolder]:
    from edge_app.bundle import DEFAULT, load_bundle
    from edge_app.taught import TaughtFolder, taught_folder

    bundle = load_bundle(arguments.bundle or DEFAULT)
    return bundle, TaughtFolder(taught_folder(), bundle.spec)


def _taught_reply(arguments: argparse.Namespace, reply: dict | None) -> int:
    """reply: of the app; None where none is running."""
    if arguments.json:
        print(json.dumps(reply))
    elif reply is None:
        print("no app answers here: it counts from the next start on")
    else:
        print(f"version {reply['labels_version']}: {reply['count']} labels")
    return 0


def _keys(arguments: argparse.Namespace) -> int:
    from edge_app.keys import listing, new_client, new_server, revoke

    folder, verb = arguments.folder, arguments.keys_verb
    if verb == "revoke":
        revoke(folder, arguments.name)
    elif verb == "new" and arguments.role in (None, "server") and not arguments.name:
        new_server(folder)
    elif verb == "new":
        if not arguments.name or arguments.role == "server":
            raise UsageError("keys new: --role reader, controller and camera need --name, --role server has none")
        home = new_client(folder, arguments.name, arguments.role or "reader")
        print(f"{home}: move this folder to the client, and delete it here")
    print("\n".join(listing(folder)))
    return 0


def _bundle_sign(arguments: argparse.Namespace) -> int:
    from edge_app.bundle import load_bundle
    from edge_app.signing import sign_bundle

    load_bundle(arguments.folder)
    sign_bundle(arguments.folder, arguments.key)
    print(f"{arguments.folder}: signed")
    return 0


def _bundle_verify(arguments: argparse.Namespace) -> int:
    from edge_app.bundle import load_bundle, self_test
    from edge_app.signing import check_signature

    bundle = load_bundle(arguments.folder)
    if arguments.key:
        check_signature(arguments.folder, arguments.key)
    for precision in bundle.networks:
        encoder = bundle.encoder(precision=precision)
        for kind in bundle.manifest["rankers"]:
            self_test(bundle, encoder, kind)
    files = bundle.manifest["files"]
    print(f"{arguments.folder}: {bundle.id}, {len(files)} files as listed, golden rankings hold on {encoder.provider}")
    return 0
