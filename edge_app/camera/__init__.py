"""Sources of frames: `open_source` turns a URI into one."""

from __future__ import annotations

from edge_app.camera.source import Source
from edge_app.camera.uri import normalized
from edge_app.errors import UsageError, redact

__all__ = ["SCHEMES", "Source", "gives_poses", "has_end", "open_source", "redact"]

SCHEMES = (
    "camera://N",
    "v4l2:///dev/…",
    "csi://N",
    "rtsp://…",
    "http(s)://…",
    "a file path or file://…",
    "images://DIR",
    "pose://FILE",
    "remote://HOST:PORT",
    "person://ACTION",
    "test://black|frozen|noise",
    "fault://KIND/SOURCE",
)


def gives_poses(uri: str) -> bool:
    """Whether a source is a recording, or on another machine: its poses need no estimating."""
    return _behind_faults(normalized(uri)).startswith(("pose://", "remote://"))


def has_end(uri: str) -> bool:
    """Whether a source is made of files: what cannot be read of it now cannot be read later either."""
    uri = normalized(uri)
    if uri.startswith("fault://lost"):  # it plays a camera that comes back
        return False
    uri = _behind_faults(uri)
    return "://" not in uri or uri.startswith(("file://", "images://", "pose://"))


def _behind_faults(uri: str) -> str:
    while uri.startswith("fault://"):
        uri = uri.removeprefix("fault://").partition("/")[2]
    return uri


def open_source(uri: str, *, camera: str = "cam", realtime: bool = True) -> Source:
    """Open a source of frames, or of poses where it is a recording.

    Args:
        uri: one of `SCHEMES`.
        camera: the name that its frames carry.
        realtime: for files and made pictures: true paces them by the clock, as a camera would, and skips what is
            late (stamps are `time.monotonic_ns()`); false gives every frame at once, with stamps from 0.
            Cameras and live streams always run in real time.

    Returns:
        A context manager whose `read()` gives the next `Frame` (or `Poses`), and None at the end.

    Raises:
        UsageError: an unknown scheme or option.
        SourceError: a source that is not there, or cannot be decoded. No message holds credentials.

    Example:
        >>> with open_source("person://wave?seconds=1", realtime=False) as source:
        ...     frame = source.read()
        >>> frame.image.shape, frame.t_ns
        ((480, 640, 3), 0)
    """
    uri = normalized(uri)
    scheme, separator, _ = uri.partition("://")
    scheme = scheme if separator else ""
    if scheme in ("camera", "v4l2"):
        from edge_app.camera.opencv import open_device

        return open_device(uri, camera=camera)
    if scheme == "csi":
        from edge_app.camera.opencv import open_csi

        return open_csi(uri, camera=camera)
    if scheme in ("rtsp", "rtsps", "http", "https"):
        from edge_app.camera.opencv import open_network

        if len(uri.split()) != 1:
            raise UsageError(f"{redact('%20'.join(uri.split()))}: a space in the address; write it as %20")
        return open_network(uri, camera=camera, realtime=realtime)
    if scheme in ("", "file"):
        from edge_app.camera.opencv import open_file

        if not uri:
            raise UsageError(f"no source given; allowed: {', '.join(SCHEMES)}")
        return open_file(uri, camera=camera, realtime=realtime)
    if scheme == "images":
        from edge_app.camera.images import ImagesSource

        return ImagesSource(uri, camera=camera, realtime=realtime)
    if scheme == "pose":
        from edge_app.camera.recording import RecordingSource

        return RecordingSource(uri, camera=camera, realtime=realtime)
    if scheme == "remote":
        from edge_app.camera.remote import RemoteSource

        return RemoteSource(uri, camera=camera)
    if scheme == "person":
        from edge_app.camera.person.source import PersonSource

        return PersonSource(uri, camera=camera, realtime=realtime)
    if scheme == "test":
        from edge_app.camera.patterns import PatternSource

        return PatternSource(uri, camera=camera, realtime=realtime)
    if scheme == "fault":
        from edge_app.camera.fault import FaultSource

        return FaultSource(uri, lambda inner: open_source(inner, camera=camera, realtime=realtime))
    raise UsageError(f"{redact(uri)}: unknown kind of source {scheme!r}; allowed: {', '.join(SCHEMES)}")
