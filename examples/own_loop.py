"""Names what a camera shows, inside a loop of your own.

python examples/own_loop.py 0 "wave, drink water, fall down"      # the first webcam, through OpenCV
python examples/own_loop.py person://wave,squat "wave, squat"     # a drawn person, a file, a network camera
"""

import sys
from collections.abc import Iterator

import cv2
import numpy as np

import edge_app


def main(source: str, labels: str) -> None:
    with edge_app.Recognizer(labels) as recognizer:
        for image, t_ns in images(source):
            decision = recognizer(image, t_ns)  # None while no decision is due
            for event in decision.events if decision else ():
                if event.type != "update":
                    print(event.type, event.label, f"{event.score:.2f}", flush=True)


def images(source: str) -> Iterator[tuple[np.ndarray, int | None]]:
    """Images, and when they were taken: None for now."""
    if source.isdecimal():
        capture = cv2.VideoCapture(int(source))
        if not capture.isOpened():
            sys.exit(f"camera {source} does not open")
        while (read := capture.read())[0]:
            yield read[1], None
        return
    with edge_app.open_source(source, realtime=False) as frames:
        while (frame := frames.read()) is not None:
            yield frame.image, frame.t_ns


if __name__ == "__main__":
    main(*sys.argv[1:])
