"""Runs the README's lines that use `edge_app.Recognizer`, on a drawn person in the place of the webcam.

    python tests/examples/ten_lines.py README.md

Run by a test, and by `make release` in an environment that has nothing but the wheel.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

import cv2

import edge_app


def lines_of(readme: Path) -> str:
    """The Python block of the README that makes a recognizer."""
    blocks = re.findall(r"```python\n(.*?)```", readme.read_text("utf-8"), flags=re.S)
    (found,) = [block for block in blocks if "edge_app.Recognizer(" in block]
    return found


def draw(path: Path) -> None:
    """A video of somebody who waves."""
    with edge_app.open_source("person://wave?seconds=5&idle=0&fps=15", realtime=False) as source:
        frame = source.read()
        height, width = frame.image.shape[:2]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (width, height))
        while frame is not None:
            writer.write(frame.image)
            frame = source.read()
        writer.release()


def main() -> None:
    lines = lines_of(Path(sys.argv[1]))
    assert len(lines.strip().splitlines()) <= 10, "ten lines"
    assert "cv2.VideoCapture(0)" in lines, "a webcam"
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder) / "wave.avi")
        exec(lines.replace("cv2.VideoCapture(0)", f"cv2.VideoCapture({str(Path(folder) / 'wave.avi')!r})"), {})


if __name__ == "__main__":
    main()
