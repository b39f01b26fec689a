"""The events of a recording again: as fast as can be, at its own pace, or decision by decision. Always the same."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Literal

from edge_app.app.assemble import stages
from edge_app.app.commands.explain import sentence
from edge_app.app.settings import Settings
from edge_app.bundles.bundle import Bundle
from edge_app.camera import open_source
from edge_app.encoder import Encoder
from edge_app.errors import printable
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.ranker import Ranker
from edge_app.recognizer import Step, steps
from edge_app.stream.messages import Message, action_message

Pace = Literal["fast", "realtime", "step"]
Show = Literal["lines", "json", "hash"]


def main(arguments: argparse.Namespace) -> int:
    """Replay a recording."""
    replay(f"pose://{arguments.recording}", *stages(arguments), pace=arguments.pace, show=arguments.show)
    return 0


def replay(
    uri: str, bundle: Bundle, encoder: Encoder, ranker: Ranker, table: LabelTable, settings: Settings,
    *, pace: Pace, show: Show,
) -> None:  # fmt: skip
    """Print the events: as readable lines, as the `action/1.0` messages without what only a publisher adds, or nothing
    but their digest, the SHA-256 of those messages, a line each. JSON ends with a line with the digest.

    Raises:
        SourceError: no recording.
    """
    ranker = ranker.with_labels(table)
    digest, count, begun = hashlib.sha256(), 0, time.monotonic()
    with open_source(uri, camera="file", realtime=False) as source:
        for step in steps(source, bundle.spec, encoder, ranker, settings):
            if step.decision is None:
                continue
            if pace == "realtime":
                time.sleep(max(0.0, begun + step.decision.t_ns / 1e9 - time.monotonic()))
            if pace == "step":
                print(printable(f"{step.decision.t_ns / 1e9:7.2f} s  {sentence(step.decision)}"), flush=True)
            for message in messages(step, bundle, table, encoder, settings):
                line = json.dumps(message, ensure_ascii=False)
                digest.update(line.encode() + b"\n")
                count += 1
                if show != "hash":
                    print(line if show == "json" else _readable(message), flush=True)
            if pace == "step" and not sys.stdin.readline():
                return
    if show == "json":
        print(json.dumps({"events": count, "sha256": digest.hexdigest()}))
    elif show == "hash":
        print(digest.hexdigest())


def messages(step: Step, bundle: Bundle, table: LabelTable, encoder: Encoder, settings: Settings) -> Iterator[Message]:
    """The step's events as messages, as the publisher is given them."""
    assert step.decision is not None
    for event in step.decision.events:
        yield action_message(
            event, window_s=bundle.spec.seconds, fps_in=step.window.fps_in if step.window else 0.0, bundle=bundle.id,
            labels_version=table.version, provider=encoder.provider, k=settings.publish.topk,
        )  # fmt: skip


def _readable(message: Message) -> str:
    reason = f" ({message['reason']})" if "reason" in message else ""
    t_s = message["t_capture_mono_ns"] / 1e9
    return printable(f"{t_s:7.2f} s  {message['type']:6}  {message['label']}  {message['score']:.2f}{reason}")
