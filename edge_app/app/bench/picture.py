"""A measurement as two pictures in SVG: how long each stage takes, and how late labels were over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_app.app.bench.report import Schedule
from edge_app.app.paper import INK, PAPER, Axis, sheet, text

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
    x: Axis = lambda ms: LEFT + (RIGHT - LEFT) * (np.log10(ms) - low) / max(high - low, 1)  # noqa: E731
    y: Axis = lambda slower: BOTTOM - (BOTTOM - TOP) * -np.log10(slower) / nines  # noqa: E731
    parts: list[str] = []
    for power in np.arange(low, high + 1):
        parts.append(_line(f"M{x(10**power):.1f} {TOP}V{BOTTOM}", "grid"))
        parts.append(text(x(10**power), BOTTOM + 20, f"{10**power:g} ms", "middle"))
    for slower in (1.0, 0.5, *10.0 ** -np.arange(1, nines + 1)):
        parts.append(_line(f"M{LEFT} {y(slower):.1f}H{RIGHT}", "grid"))
        parts.append(text(LEFT - 8, y(slower) + 4, f"{100 * (1 - slower):.6g} %", "end"))
    # Names beside their curves' ends would lie on one another: they stand in a column, the fastest on top.
    for row, (name, values) in enumerate(sorted(sorted_ms.items(), key=lambda item: float(np.median(item[1])))):
        slower = 1 - np.arange(len(values)) / len(values)
        shown = np.unique(np.r_[0, len(values) - np.unique(np.geomspace(1, len(values), 200).astype(int))])
        points = " ".join(f"{x(values[i]):.1f},{y(slower[i]):.1f}" for i in shown)
        parts.append(f'<polyline points="{points}" fill="none" class="c{row % len(LIGHT)}" stroke-width="2"/>')
        middle = f"{name} {np.median(values):.3g} ms"
        parts.append(
            f'<rect x="{RIGHT + 8}" y="{TOP + 22 * row - 4}" width="12" height="4" class="f{row % len(LIGHT)}"/>'
        )
        parts.append(text(RIGHT + 26, TOP + 22 * row + 3, middle))
    return _sheet(parts, "Share of durations that are no longer, and their median")


def draw_strip(schedule: Schedule, deadline_ms: float) -> str:
    """Each decision that was due, at its time, as high as its answer was late."""
    end_s, top_ms = max(float(schedule.due_s.max()), 0.1), 1.05 * max(float(schedule.delay_ms.max()), deadline_ms)
    x: Axis = lambda s: LEFT + (RIGHT - LEFT) * s / end_s  # noqa: E731
    y: Axis = lambda ms: BOTTOM - (BOTTOM - TOP) * ms / top_ms  # noqa: E731
    parts: list[str] = []
    step = 10 ** np.floor(np.log10(top_ms / 2))
    step *= 1 + (top_ms / step > 5) + 3 * (top_ms / step > 10)
    for ms in np.arange(0, top_ms, step):
        parts.append(_line(f"M{LEFT} {y(ms):.1f}H{RIGHT}", "grid"))
        parts.append(text(LEFT - 8, y(ms) + 4, f"{ms:g} ms", "end"))
    for second in range(0, int(end_s) + 1, max(1, int(end_s) // 10)):
        parts.append(text(x(second), BOTTOM + 20, f"{second} s", "middle"))
    parts.append(_line(f"M{LEFT} {y(deadline_ms):.1f}H{RIGHT}", "limit"))
    parts.append(text(RIGHT + 8, y(deadline_ms) + 4, f"next is due, {deadline_ms:g} ms"))
    rows = zip(schedule.due_s, schedule.delay_ms, schedule.made, strict=True)
    parts += [f'<circle cx="{x(s):.1f}" cy="{y(ms):.1f}" r="2" class="f{0 if own else 6}"/>' for s, ms, own in rows]
    for row, (colour, name) in enumerate(((0, "made"), (6, "not made: waited for the next"))):
        parts.append(f'<circle cx="{RIGHT - 330 + 90 * row}" cy="{TOP - 14}" r="4" class="f{colour}"/>')
        parts.append(text(RIGHT - 320 + 90 * row, TOP - 10, name))
    return _sheet(parts, "From scheduled capture to the label at a subscriber")


def _sheet(parts: Sequence[str], title: str) -> str:
    """A picture that follows its reader's light or dark."""
    style = (
        f"{_style(PAPER, INK, '#d5dae0', LIGHT)}"
        f"@media (prefers-color-scheme: dark) {{{_style('#14191f', '#e4e7eb', '#3a444f', DARK)}}}"
    )
    return sheet(parts, WIDTH, HEIGHT, title=title, style=style)


def _style(paper: str, ink: str, grid: str, colours: tuple[str, ...]) -> str:
    curves = "".join(f".c{i}{{stroke:{colour}}}.f{i}{{fill:{colour}}}" for i, colour in enumerate(colours))
    lines = f".grid{{stroke:{grid};stroke-width:1}}.limit{{stroke:{ink};stroke-width:1;stroke-dasharray:4 4}}"
    return f"text{{fill:{ink}}}.paper{{fill:{paper}}}{lines}{curves}"


def _line(path: str, kind: str) -> str:
    return f'<path d="{path}" fill="none" class="{kind}"/>'
