"""The sheet that pictures are drawn on, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from edge_app.errors import printable

INK, FAINT, PAPER = "#1f2933", "#9aa5b1", "#ffffff"

Axis = Callable[[float], float]
"""From a value to where it stands on the sheet."""


def sheet(parts: Sequence[str], width: float, height: float, *, title: str = "", style: str = "") -> str:
    """An SVG text with `parts` on a white sheet, under a title, if any. style: CSS, which may colour `.paper` anew."""
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" '
        f'font-size="13" fill="{INK}">',
        *([f"<style>{style}</style>"] if style else []),
        f'<rect width="{width}" height="{height}" fill="{PAPER}" class="paper"/>',
        *([text(20, 26, title, bold=True)] if title else []),
    ]
    return "\n".join([*head, *parts, "</svg>"]) + "\n"


def text(x: float, y: float, words: str, anchor: str = "start", *, fill: str = "", bold: bool = False) -> str:
    """One line of words, `anchor` ("start", "middle", "end") at `x`, its foot at `y`."""
    how = (f' text-anchor="{anchor}"' if anchor != "start" else "") + (f' fill="{fill}"' if fill else "")
    how += ' font-size="16" font-weight="600"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{how}>{escape(printable(words))}</text>'
