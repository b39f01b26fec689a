"""What each verb of the command line does: a thin call of the module that does the work."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from edge_app.app.log import log
from edge_app.encoder import load_encoder
from edge_app.errors import SourceError, UsageError, printable
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.load import load_ranker

if TYPE_CHECKING:
    from edge_app.app.settings import Settings
    from edge_app.bundles.bundle import Bundle
    from edge_app.encoder import Encoder
    from edge_app.ranker.base import Ranker
    from edge_app.ranker.labels.shots import TaughtFolder
    from edge_app.ranker.labels.table import LabelTable


def run(arguments: argparse.Namespace) -> int:
    from edge_app.app.assemble import make_task
    from edge_app.app.processes.supervisor import run_app
    from edge_app.app.view.process import beside

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


def view(arguments: argparse.Namespace) -> int:
    from edge_app.app.view.hub import View
    from edge_app.app.view.process import serve_view

    view = View(arguments.endpoint, arguments.control, arguments.max_age_ms, arguments.keys)
    return serve_view(view, arguments.listen, arguments.token)


def recognize(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.recognize import recognize

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
    """What stands between a source and its events, tested; what was taught counts as it does in a running app."""
    from edge_app.app.assemble import prepare
    from edge_app.app.teaching import Teacher
    from edge_app.ranker.labels.shots import TaughtFolder, taught_folder
    from edge_app.ranker.labels.table import build_table
    from edge_app.recognizer import choose_encoder

    bundle, labels, settings = prepare(arguments)
    teacher = Teacher(TaughtFolder(taught_folder(), bundle.spec), bundle, (), labels, use=settings.taught.use)
    table = build_table(teacher.extended(labels), BundleText(bundle), 1)
    chosen = choose_encoder(bundle, arguments.runtime, arguments.ranker, settings.runtime)
    if sys.stderr.isatty():
        log.info("%s", chosen.why, extra={"kind": "runtime"})
    return bundle, chosen.encoder, teacher.with_examples(load_ranker(bundle, arguments.ranker)), table, settings


def replay(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.replay import replay

    replay(f"pose://{arguments.recording}", *_stages(arguments), pace=arguments.pace, show=arguments.show)
    return 0


def explain(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.explain import explain

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


def camera(arguments: argparse.Namespace) -> int:
    from edge_app.app.processes.sender import SenderTask, send_camera
    from edge_app.app.settings import load_settings

    settings = load_settings(arguments.config, arguments.assignments)
    return send_camera(SenderTask(arguments.source, arguments.to, arguments.keys, settings))


def listen(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.listen import listen

    return listen(
        arguments.endpoint, json_lines=arguments.json, plain=arguments.plain, count=arguments.count,
        timeout_s=arguments.timeout, keys=arguments.keys,
    )  # fmt: skip


def demo(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.demo import demo

    return demo(
        source=arguments.source, labels=arguments.labels, seconds=arguments.seconds, json_lines=arguments.json,
        assignments=[*_poses(arguments), *arguments.assignments], view=arguments.view, token=arguments.token,
    )  # fmt: skip


def bench(arguments: argparse.Namespace) -> int:
    from edge_app.app.assemble import make_task
    from edge_app.app.bench.report import compare
    from edge_app.app.bench.run import SOURCE, bench

    if arguments.compare:
        return compare(*arguments.compare)
    source = arguments.source or SOURCE
    arguments.assignments = ["taught.use=false", *arguments.assignments]  # what is measured must not depend on the user
    return bench(
        lambda endpoint: make_task(arguments, [source], endpoint),
        seconds=arguments.seconds, out=arguments.json, pictures=arguments.pictures,
    )  # fmt: skip


def record(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.record import record
    from edge_app.app.settings import load_settings

    return record(arguments.source, arguments.out, arguments.seconds, load_settings(None, arguments.assignments))


def doctor(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands.doctor import doctor

    return doctor(as_json=arguments.json)


def labels(arguments: argparse.Namespace) -> int:
    from edge_app.ranker.labels.label import Label, line_of, parse_labels, parse_text
    from edge_app.stream.control import ask

    if arguments.op in ("teach", "forget"):
        return teach(arguments) if arguments.op == "teach" else forget(arguments)
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


def teach(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands import teach as lesson
    from edge_app.app.settings import Settings
    from edge_app.pose.model_file import ensure_pose_model

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


def forget(arguments: argparse.Namespace) -> int:
    from edge_app.app.commands import teach as lesson

    app = lesson.asking(arguments.control, arguments.keys)
    return _taught_reply(arguments, lesson.forget(lesson.one_label(arguments.name), app, _taught(arguments)[1]))


def _taught(arguments: argparse.Namespace) -> tuple[Bundle, TaughtFolder]:
    from edge_app.bundles.bundle import DEFAULT, load_bundle
    from edge_app.ranker.labels.shots import TaughtFolder, taught_folder

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


def keys(arguments: argparse.Namespace) -> int:
    from edge_app.stream.keys import listing, new_client, new_server, revoke

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


def bundle_sign(arguments: argparse.Namespace) -> int:
    from edge_app.bundles.bundle import load_bundle
    from edge_app.bundles.signing import sign_bundle

    load_bundle(arguments.folder)
    sign_bundle(arguments.folder, arguments.key)
    print(f"{arguments.folder}: signed")
    return 0


def bundle_verify(arguments: argparse.Namespace) -> int:
    from edge_app.bundles.bundle import load_bundle
    from edge_app.bundles.signing import check_signature
    from edge_app.recognizer import self_test

    bundle = load_bundle(arguments.folder)
    if arguments.key:
        check_signature(arguments.folder, arguments.key)
    for precision in bundle.networks:
        encoder = load_encoder(bundle, precision=precision)
        for kind in bundle.manifest["rankers"]:
            self_test(bundle, encoder, kind)
    files = bundle.manifest["files"]
    print(f"{arguments.folder}: {bundle.id}, {len(files)} files as listed, golden rankings hold on {encoder.provider}")
    return 0
