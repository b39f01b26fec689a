"""A measurement as two pictures in SVG: how long each stage takes, and how late labels were over time."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np

from edge_app.app.bench.report import Schedule

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 960, 420, 70, 770, 56, 370
LIGHT = ("#2a6fdb", "#d9730d", "#0f7a67", "#b5179e", "#5b6570", "#8d6e00", "#c1121f", "#3f2b96")
DARK = ("#7fb2ff", "#ffab66", "#5fe0c5", "#ff8ae6", "#b8c4d0", "#f0d060", "#ff7b80", "#b3a3ff")


def draw_latencies(delays: Mapping[str, np.ndarray]) -> str:
    """The share of durations (ms, `[N]` by name) that are no longer than what is on the axis; both axes logarithmic.

    Upwards the distance to 100 % shrinks tenfold with every line, so that tails can be seen.
    """
    sorted_ms = {name: np.sort(np.maximum(values, 1e-3)) for name, values in delays.items()}
    low = np.floor(np.log10(min(values[0] for values in sorted_ms.values())))
    high = np.ceil(np.log10(max(values[-1] for values in sorted_ms.values())))
    nines = max(np.ceil(np.log10(max(map(len, sorted_ms.values())))), 1)
    x = lambda ms: LEFT + (RIGHT - LEFT) * (np.log10(ms) - low) / max(high - low, 1)  # noqa: E731
    y = lambda slower: BOTTOM - (BOTTOM - TOP) * -np.log10(slower) / nines  # noqa: E731
    parts = _paper("Share of durations that are no longer, and their median")
    for power in np.arange(low, high + 1):
        parts.append(_line(f"M{x(10**power):.1f} {TOP}V{BOTTOM}", "grid"))
        parts.append(_text(x(10**power), BOTTOM + 20, f"{10**power:g} ms", "middle"))
    for slower in (1.0, 0.5, *10.0 ** -np.arange(1, nines + 1)):
        parts.append(_line(f"M{LEFT} {y(slower):.1f}H{RIGHT}", "grid"))
        parts.append(_text(LEFT - 8, y(slower) + 4, f"{100 * (1 - slower):.6g} %", "end"))
    # Names beside their curves' ends would lie on one another: they stand in a column, the fastest on top.
    for row, (name, values) in enumerate(sorted(sorted_ms.items(), key=lambda item: float(np.median(item[1])))):
        slower = 1 - np.arange(len(values)) / len(values)
        shown = np.unique(np.r_[0, len(values) - np.unique(np.geomspace(1, len(values), 200).astype(int))])
        points = " ".join(f"{x(values[i]):.1f},{y(slower[i]):.1f}" for i in shown)
        parts.append(f'<polyline points="{points}" fill="none" class="c{row % len(LIGHT)}" stroke-width="2"/>')
        middle = f"{escape(name)} {np.median(values):.3g} ms"
        parts.append(
            f'<rect x="{RIGHT + 8}" y="{TOP + 22 * row - 4}" width="12" height="4" class="f{row % len(LIGHT)}"/>'
        )
        parts.append(_text(RIGHT + 26, TOP + 22 * row + 3, middle, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def draw_strip(schedule: Schedule, deadline_ms: float) -> str:
    """Each decision that was due, at its time, as high as its answer was late."""
    end_s, top_ms = max(float(schedule.due_s.max()), 0.1), 1.05 * max(float(schedule.delay_ms.max()), deadline_ms)
    x = lambda s: LEFT + (RIGHT - LEFT) * s / end_s  # noqa: E731
    y = lambda ms: BOTTOM - (BOTTOM - TOP) * ms / top_ms  # noqa: E731
    parts = _paper("From scheduled capture to the label at a subscriber")
    step = 10 ** np.floor(np.log10(top_ms / 2))
    step *= 1 + (top_ms / step > 5) + 3 * (top_ms / step > 10)
    for ms in np.arange(0, top_ms, step):
        parts.append(_line(f"M{LEFT} {y(ms):.1f}H{RIGHT}", "grid"))
        parts.append(_text(LEFT - 8, y(ms) + 4, f"{ms:g} ms", "end"))
    for second in range(0, int(end_s) + 1, max(1, int(end_s) // 10)):
        parts.append(_text(x(second), BOTTOM + 20, f"{second} s", "middle"))
    parts.append(_line(f"M{LEFT} {y(deadline_ms):.1f}H{RIGHT}", "limit"))
    parts.append(_text(RIGHT + 8, y(deadline_ms) + 4, f"next is due, {deadline_ms:g} ms", "start"))
    rows = zip(schedule.due_s, schedule.delay_ms, schedule.made, strict=True)
    parts += [f'<circle cx="{x(s):.1f}" cy="{y(ms):.1f}" r="2" class="f{0 if own else 6}"/>' for s, ms, own in rows]
    for row, (colour, name) in enumerate(((0, "made"), (6, "not made: waited for the next"))):
        parts.append(f'<circle cx="{RIGHT - 330 + 90 * row}" cy="{TOP - 14}" r="4" class="f{colour}"/>')
        parts.append(_text(RIGHT - 320 + 90 * row, TOP - 10, name, "start"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _paper(title: str) -> list[str]:
    """The beginning of a picture that follows its reader's light or dark."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="system-ui, sans-serif" '
        'font-size="13">',
        f"<style>{_style('#ffffff', '#1f2933', '#d5dae0', LIGHT)}"
        f"@media (prefers-color-scheme: dark) {{{_style('#14191f', '#e4e7eb', '#3a444f', DARK)}}}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" class="paper"/>',
        f'<text x="20" y="26" font-size="16" font-weight="600">{title}</text>',
    ]


def _style(paper: str, ink: str, grid: str, colours: tuple[str, ...]) -> str:
    curves = "".join(f".c{i}{{stroke:{colour}}}.f{i}{{fill:{colour}}}" for i, colour in enumerate(colours))
    lines = f".grid{{stroke:{grid};stroke-width:1}}.limit{{stroke:{ink};stroke-width:1;stroke-dasharray:4 4}}"
    return f"text{{fill:{ink}}}.paper{{fill:{paper}}}{lines}{curves}"


def _line(path: str, kind: str) -> str:
    return f'<path d="{path}" fill="none" class="{kind}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'
