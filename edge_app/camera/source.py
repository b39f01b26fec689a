"""What every source of frames is."""

from __future__ import annotations

from typing import Protocol

from edge_app.types import Frame, Poses


class Source(Protocol):
    """Gives frames one by one; made by `edge_app.camera.open_source`, and a context manager.

    live: frames come at the pace of the world and a slow reader loses some; false for files, which give every frame.
    fps: nominal rate in Hz, 0 where the source does not know it.
    """

    uri: str
    live: bool
    fps: float

    def read(self) -> Frame | Poses | None:
        """The next frame (or, from a recording, the next poses); None at the end.

        Raises:
            SourceError: the source is lost. A live source may be read again after it was opened anew.
        """

    def close(self) -> None:
        """Give the device or file back. Safe to call twice, and from another thread while `read` blocks."""

    def __enter__(self) -> Source: ...

    def __exit__(self, *exc: object) -> None: ...
