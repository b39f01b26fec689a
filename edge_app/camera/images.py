"""`images://DIR`: a folder of still pictures, in the order of their names, numbers in them as numbers."""

from __future__ import annotations

import logging
from pathlib import Path

import cv2
import numpy as np

from edge_app.bundles.files import by_number, path_of
from edge_app.camera.pace import Pace
from edge_app.camera.uri import parse_options
from edge_app.errors import SourceError, UsageError
from edge_app.types import Frame

log = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


class ImagesSource:
    """`images://DIR[?fps=30]`: every picture once, `fps` a second; those that cannot be read are left out, and counted.

    Raises:
        SourceError: no such folder, or no picture in it; from `read`, not one that can be decoded.
        UsageError: an unknown option, or no folder can have that name.
    """

    def __init__(self, uri: str, *, camera: str, realtime: bool) -> None:
        name, _, query = uri.removeprefix("images://").partition("?")
        options = parse_options(uri, query, {"fps": 30.0})
        if options["fps"] == 0:
            raise UsageError(f"{uri}: fps is 0; allowed: more than 0")
        folder = path_of(name)
        if not folder.is_dir():
            raise SourceError(f"{uri}: no such folder: {name}")
        try:
            self._files = sorted((file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES), key=by_number)
        except OSError as error:
            raise SourceError(f"{uri}: {(error.strerror or str(error)).lower()}: {name}") from None
        if not self._files:
            raise SourceError(f"{uri}: no pictures in the folder; allowed: {' '.join(SUFFIXES)}")
        self.uri, self.live, self.fps = uri, realtime, options["fps"]
        self._camera = camera
        self._pace = Pace(realtime)
        self._next = self._read = self._unreadable = 0

    def read(self) -> Frame | None:
        """The next picture; None after the last or when closed."""
        while self._next < len(self._files) and not self._pace.stopped:
            index, self._next = self._next, self._next + 1
            t_ns = self._pace.stamp(round(index * 1e9 / self.fps), round(1e9 / self.fps))
            if t_ns is None:
                continue
            image = self._decoded(self._files[index])
            if image is not None:
                return Frame(self._camera, index, t_ns, image)
        if self._unreadable and not self._pace.stopped:
            self._tell()
        return None

    def _decoded(self, file: Path) -> np.ndarray | None:
        """The picture; None where it cannot be read, which is told and counted."""
        image, why = None, "cannot be decoded as a picture"
        try:  # a name that is not UTF-8 would crash cv2
            image = cv2.imdecode(np.frombuffer(file.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        except OSError as error:
            why = f"cannot be read ({error.strerror})"
        except cv2.error:  # it is empty, or its header promises an absurd size
            pass
        self._read += image is not None
        self._unreadable += image is None
        if image is None:
            log.warning("%s: %s %s; left out", self.uri, file.name, why, extra={"kind": "picture"})
        return image

    def _tell(self) -> None:
        unreadable, self._unreadable = self._unreadable, 0
        said = f"{self.uri}: {unreadable} of {len(self._files)} pictures could not be read"
        if not self._read:
            raise SourceError(said)
        log.warning("%s", said, extra={"kind": "pictures"})

    def close(self) -> None:
        self._pace.stop()

    def __enter__(self) -> ImagesSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
