"""`images://DIR`: a folder of still pictures, in the order of their names."""

from __future__ import annotations

from pathlib import Path

import cv2

from edge_app.camera.pace import Pace
from edge_app.camera.uri import parse_options
from edge_app.errors import SourceError, UsageError
from edge_app.types import Frame

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class ImagesSource:
    """`images://DIR[?fps=30]`: every picture once, `fps` a second.

    Raises:
        SourceError: no such folder, or no picture in it; from `read`, a picture that cannot be decoded.
        UsageError: an unknown option.
    """

    def __init__(self, uri: str, *, camera: str, realtime: bool) -> None:
        name, _, query = uri.removeprefix("images://").partition("?")
        options = parse_options(uri, query, {"fps": 30.0})
        if options["fps"] == 0:
            raise UsageError(f"{uri}: fps is 0; allowed: more than 0")
        folder = Path(name)
        if not folder.is_dir():
            raise SourceError(f"{uri}: no such folder: {name}")
        self._files = sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES)
        if not self._files:
            raise SourceError(f"{uri}: no pictures in the folder; allowed: {' '.join(SUFFIXES)}")
        self.uri, self.live, self.fps = uri, realtime, options["fps"]
        self._camera = camera
        self._pace = Pace(realtime)
        self._next = 0

    def read(self) -> Frame | None:
        """The next picture; None after the last or when closed."""
        while self._next < len(self._files) and not self._pace.stopped:
            index, self._next = self._next, self._next + 1
            t_ns = self._pace.stamp(round(index * 1e9 / self.fps), round(1e9 / self.fps))
            if t_ns is None:
                continue
            try:
                image = cv2.imread(str(self._files[index]), cv2.IMREAD_COLOR)
            except cv2.error:  # a header that promises an absurd size
                image = None
            if image is None:
                raise SourceError(f"{self.uri}: {self._files[index].name} cannot be decoded as a picture")
            return Frame(self._camera, index, t_ns, image)
        return None

    def close(self) -> None:
        self._pace.stop()

    def __enter__(self) -> ImagesSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
