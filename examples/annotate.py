"""Draws the skeleton, the label and the belief in it onto a video.

python examples/annotate.py clip.mp4 "wave, drink water, fall down" annotated.mp4
"""

import sys

import cv2
import numpy as np

import edge_app
from edge_app.types import Track

BONES = ((11, 12), (23, 24), (11, 23), (12, 24), (11, 13), (13, 15), (12, 14), (14, 16),
         (23, 25), (25, 27), (27, 31), (24, 26), (26, 28), (28, 32))  # fmt: skip
GREEN, GREY, WHITE = (110, 200, 30), (150, 150, 150), (255, 255, 255)  # BGR


def main(source: str, labels: str, out: str) -> None:
    decision, label, writer = None, "", None
    with edge_app.Recognizer(labels) as recognizer, edge_app.open_source(source, realtime=False) as frames:
        while (frame := frames.read()) is not None:
            decision = recognizer(frame.image, frame.t_ns) or decision
            for event in decision.events:
                label = "" if event.type == "end" else event.label
            image = frame.image.copy()
            draw_skeletons(image, recognizer.tracks)
            draw_labels(image, decision, label)
            if writer is None:
                height, width = image.shape[:2]
                writer = cv2.VideoWriter(out, cv2.VideoWriter_fourcc(*"mp4v"), frames.fps or 30, (width, height))
            writer.write(image)
    if writer is not None:
        writer.release()


def draw_skeletons(image: np.ndarray, tracks: tuple[Track, ...]) -> None:
    for track in tracks:
        points = track.pose.image.round().astype(int)
        for a, b in BONES:
            if min(track.pose.visibility[[a, b]]) > 0.5:
                cv2.line(image, points[a], points[b], GREEN, 3, cv2.LINE_AA)


def draw_labels(image: np.ndarray, decision: edge_app.Decision, label: str) -> None:
    """What is published, or else the state; below, the belief in the best three labels."""
    cv2.rectangle(image, (0, 0), (280, 120), (40, 40, 40), cv2.FILLED)
    cv2.putText(image, label or decision.state, (10, 32), cv2.FONT_HERSHEY_SIMPLEX, 1, GREEN if label else GREY, 2)
    ranking = decision.ranking
    for row, (name, score) in enumerate(ranking.best(3) if ranking else ()):
        belief, y = ranking.known * score, 60 + 22 * row
        cv2.rectangle(image, (170, y - 12), (170 + round(100 * belief), y), GREEN, cv2.FILLED)
        cv2.putText(image, name, (10, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, WHITE, 1, cv2.LINE_AA)


if __name__ == "__main__":
    main(*sys.argv[1:])
