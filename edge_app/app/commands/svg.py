"""A run or a decision as one picture: the person over time, the ranking, the events. Drawn for people, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_app.app.paper import FAINT, INK, PAPER, Axis, sheet, text
from edge_app.types import Event, Pose, Ranking, Window
from edge_app.window.skeleton import Skeleton, WindowSpec

WIDTH, FIGURE_H, BAND_H, LEFT = 960, 190, 150, 150
FIGURES = 8  # in the picture of one window
COLOURS = ("#2a6fdb", "#d9730d", "#1b998b", "#b5179e", "#6c757d", "#8d6e00")
SIDES = {"left": "#2a6fdb", "right": "#d9730d", "middle": INK}


@dataclass(frozen=True, slots=True)
class Moment:
    """What was known at one decision. `t_s` counts from the start; `state` as in messages, "action" where one is on."""

    t_s: float
    state: str
    pose: Pose | None
    ranking: Ranking | None


def draw_decision(window: Window, ranking: Ranking | None, spec: WindowSpec, enter: float, lines: Sequence[str]) -> str:
    """The SVG text of one decision: `lines`, the window as a row of figures, and the five best labels.

    A label's bar is its score; the dark part is score times `known`, which has to reach `enter`, or what the best label
    has of its own, for a start.
    """
    top = 30 + 20 * len(lines)
    best = [] if ranking is None else list(ranking.order()[:5])
    parts = [text(20, 26 + 20 * row, line, bold=row == 0) for row, line in enumerate(lines)]
    parts += _row_of_figures(window, spec, top)
    if ranking is not None:
        enter = ranking.starts_at(best[0], enter) if best else enter
        parts += _bars(ranking, best, top + FIGURE_H + 10, enter)
    return sheet(parts, WIDTH, top + FIGURE_H + 24 * len(best) + 40)


def _row_of_figures(window: Window, spec: WindowSpec, top: float) -> list[str]:
    """Eight moments of the window, oldest first, all on one floor, as the camera sees them."""
    seen = window.joints[window.valid]
    if not len(seen):
        return [text(LEFT, top + 90, "nobody in view", fill=FAINT)]
    slot = (WIDTH - 40) / FIGURES
    height, width = np.ptp(seen[..., 1]), 2 * np.abs(seen[..., 0] - seen[:, :1, 0]).max()
    scale = min((FIGURE_H - 40) / max(height, 0.1), slot / max(width, 0.1))
    parts = []
    for number, index in enumerate(np.linspace(0, len(window.joints) - 1, FIGURES).round().astype(int)):
        x, joints = 20 + slot * (number + 0.5), window.joints[index]
        ago_s = (len(window.joints) - 1 - index) / spec.rate_hz
        ago = f"{-ago_s:.1f} s" if ago_s else "now"
        parts.append(text(x, top + FIGURE_H - 8, ago, "middle", fill=FAINT))
        if window.valid[index]:
            across, up = joints[:, 0] - joints[spec.skeleton.torso[0], 0], seen[..., 1].max() - joints[:, 1]
            place = np.stack([x - across * scale, top + 10 + up * scale], axis=1)
            parts += _figure(place, joints[:, 3], spec.skeleton)
    return parts


def _bars(ranking: Ranking, best: Sequence[int], top: float, enter: float) -> list[str]:
    left, width, bottom = LEFT + 70, WIDTH - LEFT - 260, top + 10 + 24 * len(best)
    parts = [text(WIDTH - 20, top, "score, energy", "end", fill=FAINT)]
    for row, index in enumerate(best):
        y, score, colour = top + 10 + 24 * row, float(ranking.scores[index]), COLOURS[row]
        parts.append(text(20, y + 15, ranking.labels[index], fill=colour))
        for share, opacity in ((score, 0.3), (score * ranking.known, 1)):
            bar = f'x="{left}" y="{y}" width="{width * share:.1f}" height="20" rx="3"'
            parts.append(f'<rect {bar} fill="{colour}" opacity="{opacity}"/>')
        figures = f"{score:.3f}, {float(ranking.energies[index]):.4f}"
        parts.append(text(WIDTH - 20, y + 15, figures, "end"))
    for name, value in (("starts", enter), ("known", ranking.known)):
        x = left + width * value
        parts.append(f'<path d="M{x:.1f} {top + 6}V{bottom}" stroke="{FAINT}" stroke-dasharray="3 3"/>')
        parts.append(text(x, bottom + 16, f"{name} {value:.2f}", "middle", fill=FAINT))
    return parts


def draw_run(moments: Sequence[Moment], events: Sequence[Event], skeleton: Skeleton, title: str, enter: float) -> str:
    """The SVG text of a run; `moments` in order of time, `enter` as in `EventConfig`."""
    end_s = max(moments[-1].t_s, 0.1)
    x: Axis = lambda t_s: LEFT + (WIDTH - LEFT - 20) * t_s / end_s  # noqa: E731
    labels = _leading(moments)
    colour = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    parts = _figures(moments, skeleton, x, 40)
    parts += _scores(moments, labels, colour, x, 40 + FIGURE_H, enter)
    parts += _timeline(moments, events, colour, x, end_s, 40 + FIGURE_H + BAND_H + 12)
    return sheet(parts, WIDTH, 40 + FIGURE_H + BAND_H + 90, title=title)


def _leading(moments: Sequence[Moment]) -> list[str]:
    """The labels that led most, at most six."""
    counts: dict[str, float] = {}
    for moment in moments:
        if moment.ranking is not None:
            best = int(moment.ranking.order()[0])
            name = moment.ranking.labels[best]
            counts[name] = counts.get(name, 0) + moment.ranking.known
    return sorted(counts, key=lambda name: -counts[name])[: len(COLOURS)]


def _figures(moments: Sequence[Moment], skeleton: Skeleton, x: Axis, top: float) -> list[str]:
    seen = [moment for moment in moments if moment.pose is not None]
    if not seen:
        return [text(LEFT, top + 90, "nobody in view", fill=FAINT)]
    wanted = (np.arange(12) + 0.5) / 12 * moments[-1].t_s
    picked = sorted({int(np.argmin([abs(m.t_s - t) for m in seen])) for t in wanted})
    everywhere = np.concatenate([m.pose.image[:, 1] for m in seen if m.pose is not None])
    size = max(max(float(np.ptp(m.pose.image, axis=0).max()) for m in seen if m.pose is not None), np.ptp(everywhere))
    middle = (everywhere.min() + everywhere.max()) / 2
    parts = [text(20, top + 95, "MediaPipe pose")]
    for index in picked:
        pose = seen[index].pose
        assert pose is not None
        joints = skeleton.from_mediapipe @ pose.image
        origin = np.array([joints[0, 0], middle])  # every figure stands on the same floor
        place = (joints - origin) * (FIGURE_H - 30) / size + np.array([x(seen[index].t_s), top + 95])
        parts += _figure(place, skeleton.from_mediapipe @ pose.visibility, skeleton)
    return parts


def _figure(place: np.ndarray, visible: np.ndarray, skeleton: Skeleton) -> list[str]:
    """One skeleton; `place` `[J, 2]` in the picture, `visible` `[J]`: bones that are hardly seen are left out."""
    parts = []
    for joint, parent in enumerate(skeleton.parents):
        if joint == parent or min(visible[joint], visible[parent]) < 0.3:
            continue
        side = skeleton.joints[joint].partition("_")[0]
        (x1, y1), (x2, y2) = place[parent], place[joint]
        parts.append(
            f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{SIDES.get(side, INK)}" stroke-width="3" '
            'stroke-linecap="round"/>'
        )
    hx, hy = place[2]
    return [*parts, f'<circle cx="{hx:.1f}" cy="{hy:.1f}" r="6" fill="{INK}"/>']


def _scores(
    moments: Sequence[Moment], labels: Sequence[str], colour: Mapping[str, str], x: Axis, top: float, enter: float
) -> list[str]:
    low, high = top + BAND_H, top + 14
    y: Axis = lambda v: low - (low - high) * v  # noqa: E731
    lines = f"M{LEFT} {low}H{WIDTH - 20}M{LEFT} {y(enter):.1f}H{WIDTH - 20}"
    parts = [
        text(20, top + 30, "belief"),
        f'<path d="{lines}" stroke="{FAINT}" stroke-width="0.5"/>',
        text(LEFT - 8, y(enter) + 4, "starts", "end", fill=FAINT),
    ]
    ranked = [(moment.t_s, moment.ranking) for moment in moments if moment.ranking is not None]
    for row, label in enumerate(labels):
        points = " ".join(
            f"{x(t_s):.1f},{y(ranking.known * float(ranking.scores[ranking.labels.index(label)])):.1f}"
            for t_s, ranking in ranked
        )
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour[label]}" stroke-width="2"/>')
        parts.append(text(20, top + 50 + 17 * row, label, fill=colour[label]))
    return parts


def _timeline(
    moments: Sequence[Moment], events: Sequence[Event], colour: Mapping[str, str], x: Axis, end_s: float, top: float
) -> list[str]:
    parts = [text(20, top + 18, "published")]
    ends = {event.id: event for event in events if event.type == "end"}
    for event in events:
        if event.type != "start":
            continue
        end = ends.get(event.id)
        x1, x2 = x(event.t_ns / 1e9), x(min(end.t_ns / 1e9 if end else end_s, end_s))
        fill = colour.get(event.label, INK)
        parts.append(f'<rect x="{x1:.1f}" y="{top}" width="{max(x2 - x1, 2):.1f}" height="26" rx="4" fill="{fill}"/>')
        if x2 - x1 > 7 * len(event.label):
            parts.append(text(x1 + 6, top + 18, event.label, fill=PAPER))
    parts += _states(moments, x, top + 34)
    for second in range(0, int(end_s) + 1, max(1, int(end_s) // 12 + 1)):
        parts.append(text(x(second), top + 68, f"{second} s", "middle", fill=FAINT))
    return parts


def _states(moments: Sequence[Moment], x: Axis, top: float) -> list[str]:
    """A thin line where nobody is there, idle or unknown."""
    shade = {"no_person": "#e4e7eb", "idle": "#cbd2d9", "unknown": "#f3d19c", "action": "#c6f7e2"}
    parts, begin = [], 0
    for i in range(1, len(moments) + 1):
        if i < len(moments) and moments[i].state == moments[begin].state:
            continue
        state, x1 = moments[begin].state, x(moments[begin].t_s)
        x2 = x(moments[min(i, len(moments) - 1)].t_s)
        parts.append(
            f'<rect x="{x1:.1f}" y="{top}" width="{max(x2 - x1, 0):.1f}" height="14" fill="{shade.get(state, FAINT)}"/>'
        )
        if x2 - x1 > 8 * len(state):
            parts.append(f'<text x="{x1 + 4:.1f}" y="{top + 11}" font-size="11">{state}</text>')
        begin = i
    return parts
