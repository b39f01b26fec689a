from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """Makes a video of grey pictures that get brighter by 5 each frame, and repeat every 40."""

    def write(name: str, frames: int, fps: float = 25.0, size: tuple[int, int] = (64, 48)) -> Path:
        writer = cv2.VideoWriter(str(tmp_path / name), cv2.VideoWriter.fourcc(*"MJPG"), fps, size)
        assert writer.isOpened()
        for index in range(frames):
            writer.write(np.full((size[1], size[0], 3), 20 + 5 * (index % 40), np.uint8))
        writer.release()
        return tmp_path / name

    return write
