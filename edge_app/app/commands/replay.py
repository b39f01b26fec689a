"""The events of a recording again: as fast as can be, at its own pace, or decision by decision. Always the same."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Iterator
from typing import Literal

from edge_app.app.assemble import make_recognizer
from edge_app.app.commands.explain import sentence
from edge_app.app.log import put, say
from edge_app.camera.uri import recording_uri
from edge_app.recognizer import Recognizer, Step
from edge_app.stream.messages import Message, action_message

Pace = Literal["fast", "realtime", "step"]
Show = Literal["lines", "json", "hash"]


def main(arguments: argparse.Namespace) -> int:
    """Replay a recording."""
    uri = recording_uri(arguments.recording)
    recognizer, settings = make_recognizer(arguments, [uri])
    replay(uri, recognizer, settings.publish.topk, pace=arguments.pace, show=arguments.show)
    return 0


def replay(uri: str, recognizer: Recognizer, topk: int, *, pace: Pace, show: Show) -> None:
    """Print the events: as readable lines, as the `action/1.0` messages without what only a publisher adds, or nothing
    but their digest, the SHA-256 of those messages, a line each. JSON ends with a line with the digest. topk: labels in
    a message.

    Raises:
        SourceError: no recording.
    """
    digest, count, begun = hashlib.sha256(), 0, time.monotonic()
    for step in recognizer.steps(uri):
        if step.decision is None:
            continue
        if pace == "realtime":
            time.sleep(max(0.0, begun + step.decision.t_ns / 1e9 - time.monotonic()))
        if pace == "step":
            say(f"{step.decision.t_ns / 1e9:7.2f} s  {sentence(step.decision)}")
        for message in messages(step, recognizer, topk):
            line = json.dumps(message, ensure_ascii=False)
            digest.update(line.encode() + b"\n")
            count += 1
            if show != "hash":
                put(line) if show == "json" else say(_readable(message))
        if pace == "step" and not sys.stdin.readline():
            return
    if show == "json":
        put(json.dumps({"events": count, "sha256": digest.hexdigest()}))
    elif show == "hash":
        put(digest.hexdigest())


def messages(step: Step, recognizer: Recognizer, topk: int) -> Iterator[Message]:
    """The step's events as messages, as the publisher is given them."""
    assert step.decision is not None
    fps = step.observation.fps if step.observation else 0.0
    for event in step.decision.events:
        yield action_message(
            event, window_s=recognizer.bundle.spec.seconds, fps_in=fps, bundle=recognizer.bundle.id,
            labels_version=recognizer.ranker.table.version, provider=recognizer.encoder.provider, k=topk,
        )  # fmt: skip


def _readable(message: Message) -> str:
    reason = f" ({message['reason']})" if "reason" in message else ""
    t_s = message["t_capture_mono_ns"] / 1e9
    return f"{t_s:7.2f} s  {message['type']:6}  {message['label']}  {message['score']:.2f}{reason}"
