"""Why a decision was taken, in a sentence, in figures and as a picture: `edge-app explain`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from edge_app.app.assemble import make_recognizer
from edge_app.app.commands.svg import draw_decision
from edge_app.app.log import say
from edge_app.bundles.files import write_text
from edge_app.camera.uri import recording_uri
from edge_app.errors import UsageError
from edge_app.events import EventConfig
from edge_app.recognizer import Recognizer, Step
from edge_app.types import Decision

_SENTENCES = {
    "nobody": "nobody is in view",
    "body": "shoulders and arms are visible at {value:.2f} < {limit:.2f}",
    "bone_length_variation": "what was found is no body: its bones change their length by {value:.2f} > {limit:.2f}",
    "idle": "motion {value:.2f} < {limit:.2f} torso lengths a second",
    "present": "the person was in view for {value:.2f} < {limit:.2f} of the window",
    "variation_to_start": "bones change their length by {value:.2f} > {limit:.2f}, too much to start anything",
    "belief": 'best label "{label}" has belief {value:.2f} < {limit:.2f}',
    "hold": '"{label}" leads with {value:.2f} >= {limit:.2f}, so far for {held_s:.2f} of {needed_s:.2f} s',
    "started": 'started "{label}" because it led with {value:.2f} >= {limit:.2f} for {held_s:.2f} >= {needed_s:.2f} s',
    "goes_on": '"{label}" goes on: belief {value:.2f} >= {limit:.2f}',
    "fading": '"{label}" is fading: belief {value:.2f} < {limit:.2f} for {held_s:.2f} of {needed_s:.2f} s',
    "resting": '"{label}" comes to rest: motion {value:.2f} < {limit:.2f} for {held_s:.2f} of {needed_s:.2f} s',
    "over": 'ended "{label}" because its belief stayed under {limit:.2f} for {needed_s:.2f} s (now {value:.2f})',
    "rest": 'ended "{label}" because motion stayed under {limit:.2f} for {needed_s:.2f} s (now {value:.2f})',
    "insufficient_rate": "too few pictures a second to name anything",
    "camera_lost": "the camera is lost",
    "camera_frozen": "the camera is frozen",
    "ended": "the source has ended",
}


def main(arguments: argparse.Namespace) -> int:
    """Explain one moment of a recording."""
    uri = recording_uri(arguments.recording)
    recognizer, _ = make_recognizer(arguments, [uri])
    drawn: list[str] = []
    lines = explain(uri, arguments.at, recognizer, draw=drawn.append if arguments.out else None)
    say(*lines)
    if arguments.out and not drawn:
        raise UsageError(f"--out {arguments.out}: nobody is in view then, so there is nothing to draw")
    for picture in drawn:  # after the words, which must not be lost by a full disk
        write_text(arguments.out, picture, parents=False)
    return 0


def sentence(decision: Decision) -> str:
    """The decision's own reason in words; where no action is on, after its state."""
    reason = decision.reason
    assert reason is not None
    text = _SENTENCES[reason.rule].format(
        label=reason.label, value=reason.value, limit=reason.limit, held_s=reason.held_s, needed_s=reason.needed_s
    )
    return text if decision.state == "running" or reason.rule in ("over", "rest") else f"{decision.state}: {text}"


def explain(
    uri: str, at_s: float, recognizer: Recognizer, *, draw: Callable[[str], object] | None = None
) -> list[str]:  # fmt: skip
    """Lines about the first decision at or after `at_s` seconds from the start.

    draw: is given it as SVG, if somebody is in view.

    Raises:
        UsageError: there is no decision so late.
        SourceError: no recording.
    """
    last_s = 0.0
    for step in recognizer.steps(uri):
        if step.decision is not None and step.poses is not None:
            last_s = step.decision.t_ns / 1e9
            if last_s >= at_s:
                break
    else:
        raise UsageError(f"--at {at_s:g}: the last decision is at {last_s:.2f} s; allowed: 0 to {last_s:.2f}")
    spec, events = recognizer.bundle.spec, recognizer.events
    lines = _about(Path(uri.removeprefix("pose://")).name, step, events)
    if draw is not None and step.window is not None:
        draw(draw_decision(step.window, step.decision.ranking, spec, events.enter, lines))
    ranking = step.decision.ranking
    if ranking is None:
        return lines
    rows = [f"  {ranking.labels[i]:24} {ranking.scores[i]:.3f}  {ranking.energies[i]:.4f}" for i in ranking.order()[:5]]
    return [*lines, f"  {'label':24} score  energy", *rows]


def _about(name: str, step: Step, events: EventConfig) -> list[str]:
    decision, window = step.decision, step.window
    assert decision is not None
    lines = [f"{name} at {decision.t_ns / 1e9:.2f} s: {decision.state}", sentence(decision)]
    if window is not None:
        known = "" if decision.ranking is None else f"known {decision.ranking.known:.2f} · "
        lines.append(
            f"{known}motion {window.motion:.2f} · in view {window.valid.mean():.2f} · "
            f"body {window.body_visibility:.2f} · {window.fps_in:.1f} poses a second"
        )
    lines.append(
        f"thresholds: start {events.enter:g} for {events.hold_s:g} s · end {events.exit:g} for {events.release_s:g} s"
        f" · idle {events.idle_motion:g}"
        f" · belief = score × known by the last {events.look_s:g} s, averaged over {events.smooth_s:g} s"
    )
    return lines
