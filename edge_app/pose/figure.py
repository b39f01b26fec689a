"""A drawn figure that every pose backend can be tried on."""

from __future__ import annotations

import cv2
import numpy as np


def draw_figure() -> np.ndarray:
    """A plain drawn person, uint8 `[480, 640, 3]`."""
    image = np.full((480, 640, 3), 190, np.uint8)
    skin, shirt, trousers = (140, 170, 225), (150, 90, 40), (60, 50, 50)
    for (a, b), colour, width in (
        (((320, 130), (320, 250)), shirt, 70),
        (((285, 125), (255, 195)), shirt, 24), (((355, 125), (385, 195)), shirt, 24),
        (((255, 195), (250, 260)), skin, 18), (((385, 195), (390, 260)), skin, 18),
        (((303, 265), (300, 350)), trousers, 32), (((337, 265), (340, 350)), trousers, 32),
        (((300, 350), (298, 430)), trousers, 26), (((340, 350), (342, 430)), trousers, 26),
        (((320, 75), (320, 110)), skin, 22),
    ):  # fmt: skip
        cv2.line(image, a, b, colour, width, cv2.LINE_AA)
    cv2.ellipse(image, (320, 68), (24, 32), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for x in (311, 329):
        cv2.circle(image, (x, 62), 3, (20, 20, 20), -1, cv2.LINE_AA)
    cv2.ellipse(image, (320, 80), (9, 4), 0, 0, 180, (60, 60, 150), 2, cv2.LINE_AA)
    return image
