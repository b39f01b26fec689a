"""Draws a run as an animated SVG: a person acts while words light up by their belief. Nothing but the public API.

python examples/animate.py "person://wave,squat,bow" "wave, squat, clap, bow" acting.svg
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import edge_app
from edge_app.recognizer import Step
from edge_app.types import Pose

WIDTH, HEIGHT, STAGE = 900, 400, 420  # pixels; the stage is where the person acts
ROWS_AT, ROW, BAR_AT, BAR = 76, 38, 620, 210
PUBLISHED_AT = HEIGHT - 42
FPS = 12
LIMBS = {"#2a6fdb": ((11, 13, 15), (23, 25, 27, 31)), "#d9730d": ((12, 14, 16), (24, 26, 28, 32))}
TORSO, EARS = (11, 12, 24, 23), (7, 8)  # landmarks of MediaPipe's 33
INK, FAINT, LIT, PAPER = "#1f2933", "#9aa5b1", "#0b8a6f", "#ffffff"
ROUND = 'stroke-linecap="round" stroke-linejoin="round"'
TEXT = f'font-family="system-ui, sans-serif" fill="{INK}"'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", help="a file, a recording or person://…")
    parser.add_argument("labels", help='"wave, squat, clap"')
    parser.add_argument("out", type=Path, help="an SVG file")
    arguments = parser.parse_args()
    with edge_app.Recognizer(arguments.labels) as recognizer:
        steps = [step for step in recognizer.steps(arguments.source) if step.poses is not None]
        arguments.out.write_text(draw(steps, recognizer.labels, recognizer.events.enter))


def draw(steps: Sequence[Step], labels: Sequence[str], enter: float) -> str:
    """The SVG's text. enter: the belief at which a label starts."""
    seconds = steps[-1].poses.t_ns / 1e9
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-size="20" {TEXT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="{PAPER}" stroke="#d5dbe1"/>',
        f'<rect x="14" y="14" width="{STAGE}" height="{HEIGHT - 28}" rx="10" fill="#f3f5f7"/>',
        *_person(steps, seconds),
        *_words([step for step in steps if step.decision], labels, enter, seconds),
        *_published([event for step in steps if step.decision for event in step.decision.events], seconds),
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _animate(attribute: str, values: Sequence[str], times: Sequence[float], seconds: float, mode: str) -> str:
    """An endless loop through values at times in seconds, the first of which is 0."""
    at = ";".join(f"{min(t / seconds, 1):.4f}".rstrip("0").rstrip(".") for t in times)
    return (
        f'<animate attributeName="{attribute}" dur="{seconds:.2f}s" repeatCount="indefinite" calcMode="{mode}" '
        f'keyTimes="{at}" values="{";".join(values)}"/>'
    )


def _person(steps: Sequence[Step], seconds: float) -> list[str]:
    """A figure of thick limbs; where nobody was found, the last that was stays."""
    seen = [step.person for step in steps if step.person is not None]
    pose, poses, times = seen[0], [], []
    for step in steps:
        pose = step.person or pose
        if not times or step.poses.t_ns / 1e9 >= times[-1] + 0.99 / FPS:
            poses.append(pose)
            times.append(step.poses.t_ns / 1e9)
    poses, times = [*poses, poses[-1]], [*times, seconds]
    height = max(pose.image[:, 1].max() for pose in seen) - min(pose.image[:, 1].min() for pose in seen)
    scale, floor = (HEIGHT - 90) / height, max(pose.image[:, 1].max() for pose in seen)
    middle = sum(float(pose.image[[23, 24], 0].mean()) for pose in seen) / len(seen)

    def place(pose: Pose, marks: Sequence[int]) -> list[tuple[float, float]]:
        points = (pose.image[list(marks)] - [middle, floor]) * scale + [14 + STAGE / 2, HEIGHT - 42]
        return [(float(x), float(y)) for x, y in points]

    def path(pose: Pose, chains: Sequence[Sequence[int]], close: str = "") -> str:
        return "".join("M" + "L".join(f"{x:.0f} {y:.0f}" for x, y in place(pose, chain)) + close for chain in chains)

    def shape(style: str, of: Callable[[Pose], str]) -> str:
        values = [of(pose) for pose in poses]
        return f'<path d="{values[0]}" {style}>{_animate("d", values, times, seconds, "linear")}</path>'

    heads = [[sum(each) / 2 for each in zip(*place(pose, EARS), strict=True)] for pose in poses]
    head = "".join(
        _animate(name, [f"{head[axis]:.0f}" for head in heads], times, seconds, "linear")
        for axis, name in enumerate(("cx", "cy"))
    )
    limbs = [
        shape(
            f'fill="none" stroke="{colour}" stroke-width="13" {ROUND}', lambda pose, chains=chains: path(pose, chains)
        )
        for colour, chains in LIMBS.items()
    ]
    return [
        shape(f'fill="{INK}" stroke="{INK}" stroke-width="18" {ROUND}', lambda pose: path(pose, (TORSO,), "Z")),
        *limbs,
        f'<circle cx="{heads[0][0]:.0f}" cy="{heads[0][1]:.0f}" r="22" fill="{INK}">{head}</circle>',
    ]


def _words(decided: Sequence[Step], labels: Sequence[str], enter: float, seconds: float) -> list[str]:
    """Every label, as bright as the belief in it (its score times how known the motion is), with a bar."""
    times = [0.0, *(step.decision.t_ns / 1e9 for step in decided if step.decision.t_ns > 0), seconds]
    x = BAR_AT + BAR * enter
    bottom = ROWS_AT + ROW * len(labels) - 16
    parts = [
        f'<text x="460" y="44" font-size="15" fill="{FAINT}">your words</text>',
        f'<text x="{x:.0f}" y="44" font-size="15" fill="{FAINT}" text-anchor="middle">starts here</text>',
        f'<path d="M{x:.0f} 54V{bottom}" stroke="{FAINT}" stroke-dasharray="3 4"/>',
    ]
    for row, label in enumerate(labels):
        beliefs = [0.0]
        for step in decided:
            ranking = step.decision.ranking
            if step.decision.t_ns > 0:
                beliefs.append(0.0 if ranking is None else ranking.known * float(ranking.scores[row]))
        beliefs.append(beliefs[-1])
        y = ROWS_AT + ROW * row
        bright = _animate(
            "opacity", [f"{0.25 + 0.75 * min(b / enter, 1):.2f}" for b in beliefs], times, seconds, "linear"
        )
        width = _animate("width", [f"{BAR * b:.0f}" for b in beliefs], times, seconds, "linear")
        colour = _animate("fill", [LIT if b >= enter else INK for b in beliefs], times, seconds, "discrete")
        parts.append(
            f'<g opacity="0.25" font-weight="600">{bright}<text x="460" y="{y + 7}">{escape(label)}{colour}</text>'
        )
        parts.append(f'<rect x="{BAR_AT}" y="{y - 10}" width="0" height="20" rx="4">{width}{colour}</rect></g>')
    return parts


def _published(events: Sequence[edge_app.Event], seconds: float) -> list[str]:
    """What a subscriber is sent: the newest start or end, until the next."""
    steps = [event for event in events if event.type != "update"]
    parts = [f'<text x="460" y="{PUBLISHED_AT - 26}" font-size="15" fill="{FAINT}">what is published</text>']
    for event, after in zip(steps, [*steps[1:], None], strict=True):
        begin, end = event.t_ns / 1e9, seconds if after is None else after.t_ns / 1e9
        if begin >= seconds:
            continue
        shown = _animate("visibility", ["hidden", "visible", "hidden"], [0, begin, end], seconds, "discrete")
        score = f"  {event.score:.2f}" if event.type == "start" else f"  ({event.reason})"
        fill = LIT if event.type == "start" else FAINT
        text = f"{begin:5.1f} s  {event.type}  {event.label}{score}"
        parts.append(
            f'<text x="460" y="{PUBLISHED_AT}" font-family="monospace" font-size="18" xml:space="preserve" '
            f'fill="{fill}" visibility="hidden">{escape(text)}{shown}</text>'
        )
    return parts


if __name__ == "__main__":
    main()
