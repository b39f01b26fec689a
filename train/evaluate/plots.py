"""A report as one picture: what the videos are taken for, a set's classes, and what a score is worth."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

INK, PALE, BLUE, ORANGE, GREEN = "#22303c", "#c9d1d8", "#2f5d8a", "#c8672c", "#5b8c6e"
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#d5e3ef", BLUE])
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": PALE,
    "xtick.color": INK, "ytick.color": INK, "axes.titlesize": 11.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False,
}  # fmt: skip


def draw(report: dict[str, Any], path: Path) -> None:
    """Draw a report of `train evaluate` into a PNG file of 1600 by 1200 pixels; what was not measured is said to be."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(16, 12), dpi=100, facecolor="white")
        grid = figure.add_gridspec(
            2, 6, height_ratios=[1.95, 1], left=0.115, right=0.975, top=0.872, bottom=0.07, hspace=0.4, wspace=1.6
        )
        figure.text(0.02, 0.962, "What the bundle recognizes", fontsize=18, fontweight="bold")
        figure.text(0.02, 0.938, _origin(report), fontsize=9.5, color="#5c6a76")
        figure.text(0.98, 0.983, _headline(report), fontsize=10.5, ha="right", va="top", linespacing=1.5)
        _confusions(figure.add_subplot(grid[0, :4]), report.get("videos"))
        _classes(figure.add_subplot(grid[0, 4:]), report.get("sets"))
        _reliability(figure.add_subplot(grid[1, :2]), report.get("scores"))
        _risk(figure.add_subplot(grid[1, 2:4]), report.get("scores"))
        _folds(figure.add_subplot(grid[1, 4:]), report.get("folds"))
        figure.savefig(path, format="png")


def _origin(report: dict[str, Any]) -> str:
    bundle = report["bundle"]
    return (
        f"bundle {bundle['name']} {bundle['id']} · ranker {report['ranker']} · git {report['git']} · {report['date']}"
    )


def _headline(report: dict[str, Any]) -> str:
    lines = []
    if "videos" in report and report["videos"]["events"]["videos"]["segments"]:
        events = report["videos"]["events"]["videos"]
        lines.append(
            f"events on videos: {events['right']} right, {events['wrong']} wrong, "
            f"{events['segments_hit']} of {events['segments']} stretches hit"
        )
    if "quiet" in report:
        both = report["quiet"]["both"]
        lines.append(f"quiet footage: {both['events']} false events in {both['minutes']:.1f} minutes")
    if "drawn" in report:
        drawn = report["drawn"]
        lines.append(
            f"drawn people: top-1 {drawn['top1_class_mean']:.2f} class mean, "
            f"n = {drawn['clips']}, chance {drawn['chance']:.2f}"
        )
    return "\n".join(lines)


def _absent(axes: Axes, title: str, why: str) -> None:
    axes.set_title(title)
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", color="#8a97a3", transform=axes.transAxes)


def _confusions(axes: Axes, videos: dict[str, Any] | None) -> None:
    if not videos or not videos["confusions"]:
        return _absent(axes, "Labelled videos", "not measured: --videos")
    counts = {(label, said): count for label, said, count in videos["confusions"]}
    rows = sorted({label for label, _ in counts})
    columns = [*rows, *sorted({said for _, said in counts} - set(rows))]
    matrix = np.array([[counts.get((row, column), 0) for column in columns] for row in rows])
    total = matrix.sum(axis=1)
    axes.imshow(matrix / total[:, None], cmap=SHADES, aspect="auto", vmin=0, vmax=1)
    for r, c in zip(*np.nonzero(matrix), strict=True):
        dark = matrix[r, c] / total[r] > 0.7
        axes.text(c, r, str(matrix[r, c]), ha="center", va="center", color="white" if dark else INK, fontsize=9)
    for i in range(len(rows)):
        axes.add_patch(Rectangle((i - 0.5, i - 0.5), 1, 1, fill=False, edgecolor=BLUE, linewidth=1.1, zorder=3))
    axes.set_xticks(range(len(columns)), map(_short, columns), rotation=55, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(rows)), [f"{_short(row)}  {n}" for row, n in zip(rows, total, strict=True)])
    axes.tick_params(length=0)
    axes.set_xticks(np.arange(len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color="#edf0f3", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    for tick in axes.get_xticklabels()[len(rows) :]:
        tick.set_color(ORANGE)
    own, many = videos["videos"], videos["candidates"]
    axes.set_title(
        "Labelled stretches of videos (rows, with their number) and what was said of them\n"
        f"n = {own['segments']}, {many} candidates: top-1 {own['top1']:.2f}, chance {videos['chance']:.2f}"
    )


def _short(name: str) -> str:
    return textwrap.shorten(name, 20, placeholder="…")


def _classes(axes: Axes, sets: list[dict[str, Any]] | None) -> None:
    if not sets:
        return _absent(axes, "A set that the bundle never saw", "not measured: --data")
    one = sets[0]
    names = sorted(one["per_class"], key=lambda name: one["per_class"][name])
    values = [one["per_class"][name] for name in names]
    novel = set(one["novel"]["names"])
    colours = [ORANGE if name in novel else BLUE for name in names]
    axes.barh(range(len(names)), values, color=colours, height=0.68)
    for i, value in enumerate(values):
        axes.text(max(value, one["chance"]) + 0.015, i, f"{value:.2f}", va="center", fontsize=8.5)
    axes.axvline(one["chance"], color=INK, linewidth=1, linestyle=":")
    axes.set_yticks(range(len(names)), map(_short, names), fontsize=9.5 if len(names) <= 26 else 7)
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.set_xlim(0, 1.1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.set_xlabel(
        "share right; dotted: chance" + ("; orange: concept never trained on" if 0 < len(novel) < len(names) else "")
    )
    axes.set_title(
        f"{one['set']}: n = {one['clips']}, {one['classes']} classes\n"
        f"top-1 {one['top1_class_mean']:.2f}, chance {one['chance']:.2f}"
        + ("" if one["shuffled"] is None else f", shuffled {one['shuffled']:.2f}")
    )


def _reliability(axes: Axes, scores: dict[str, Any] | None) -> None:
    if not scores:
        return _absent(axes, "Is a score a probability?", "not measured: --videos, or --data FOLDER")
    axes.plot([0, 1], [0, 1], color=PALE, linewidth=1.2)
    for (name, own), colour in zip(scores.items(), (BLUE, ORANGE, GREEN, INK), strict=False):
        confidence, accuracy, count = zip(*own["reliability"], strict=True)
        axes.plot(confidence, accuracy, color=colour, linewidth=1.6, label=f"{name}, {own['lists']:,} lists")
        axes.scatter(confidence, accuracy, s=12 + 260 * np.array(count) / own["lists"], color=colour, zorder=3)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="score shown", ylabel="share right")
    axes.legend(loc="upper left", fontsize=9)
    eces = ", ".join(f"{own['ece']:.2f}" for own in scores.values())
    axes.set_title(f"Is a score a probability? ECE {eces}\n(lists of 20, half without the answer)")


def _risk(axes: Axes, scores: dict[str, Any] | None) -> None:
    if not scores:
        return _absent(axes, 'Saying "unknown"', "not measured: --videos, or --data FOLDER")
    parts = (("with_answer", "-"), ("half_without", "--"))
    for (name, own), colour in zip(scores.items(), (BLUE, ORANGE, GREEN, INK), strict=False):
        for part, line in parts:
            curve = own["risk_coverage"][part]
            axes.plot(
                curve["coverage"], curve["risk"], line, color=colour, linewidth=1.6, label=name if line == "-" else None
            )
    axes.axhline(0.95, color=INK, linewidth=1, linestyle=":")
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="share of them wrong")
    axes.set_xlabel(
        "share answered, the highest scores first\n— all lists have the answer   - - half of them do   ··· chance"
    )
    axes.legend(loc="upper left", bbox_to_anchor=(0, 0.94), fontsize=9)
    rocs = ", ".join("-" if own["auroc_unknown"] is None else f"{own['auroc_unknown']:.2f}" for own in scores.values())
    axes.set_title(f'Saying "unknown": AUROC {rocs}\n(lists of 20)')


def _folds(axes: Axes, folds: dict[str, Any] | None) -> None:
    if not folds:
        return _absent(axes, "Each set as another lab", "not measured: --folds")
    rows = [row for row in folds["sets"][::-1] if row["top1_class_mean"]]
    for i, row in enumerate(rows):
        mean, spread = row["top1_class_mean"]
        axes.barh(i, mean, color=BLUE, height=0.62, xerr=spread, error_kw={"ecolor": INK, "elinewidth": 1.2})
        axes.text(mean + (spread or 0) + 0.02, i, f"{mean:.2f}", va="center", fontsize=9)
        if row["chance"] is not None:
            axes.plot([row["chance"]] * 2, [i - 0.36, i + 0.36], color=INK, linewidth=1.2, linestyle=":")
    axes.set_yticks(range(len(rows)), [f"{row['set']}" for row in rows])
    axes.tick_params(axis="y", length=0)
    axes.set(xlim=(0, 1), xlabel="class-mean top-1, ± s.d. over seeds; dotted: chance")
    axes.set_title(f"Each set as another lab\n({len(rows)} sets, {folds['mean']['seeds']} seeds)")
