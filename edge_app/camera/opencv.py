"""Cameras, network streams and video files through OpenCV."""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import sys
import threading
import time
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

# Read by OpenCV when it is imported or first opens something: nothing may reach the user's terminal from down there.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", "rtsp_transport;tcp")

import cv2

if os.environ["OPENCV_LOG_LEVEL"] == "SILENT" and hasattr(cv2.utils, "logging"):  # cv2 may have been imported before
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

from edge_app.bundles.files import by_number, path_of
from edge_app.camera.pace import Pace
from edge_app.camera.uri import parse_options
from edge_app.errors import SourceError, UsageError, redact
from edge_app.types import Frame

OPEN_TIMEOUT_MS = 5_000
READ_TIMEOUT_MS = 5_000
PROBE_S = 1.0
PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
BY_ID = Path("/dev/v4l/by-id")
_CSI = (
    "nvarguscamerasrc sensor-id={sensor} ! video/x-raw(memory:NVMM),width={width:.0f},height={height:.0f},"
    "framerate={fps:.0f}/1 ! nvvidconv ! video/x-raw,format=BGRx ! videoconvert ! video/x-raw,format=BGR"
    " ! appsink drop=true max-buffers=1 sync=false"
)


class OpenCVSource:
    """Frames of an opened `cv2.VideoCapture`.

    pace: None for a device or a live stream, which are stamped at the grab and whose end is a loss;
        otherwise the frames have media times and an end.
    """

    def __init__(self, uri: str, capture: cv2.VideoCapture, *, camera: str, pace: Pace | None) -> None:
        self.uri = redact(uri)
        self.live = pace is None or pace.realtime
        fps = capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= 1000 else 0.0
        self._capture, self._camera, self._pace = capture, camera, pace
        self._busy = threading.Lock()  # cv2 crashes when it is released during a read
        self._closed = False
        self._index = -1
        self._first_ms: float | None = None
        self._media_ns = -1
        self._pending = False

    def look_ahead(self) -> bool:
        """Grab the first frame now; false if there is none."""
        self._pending = self._capture.grab()
        return self._pending

    def read(self) -> Frame | None:
        """The next frame; None at the end of a file or when closed.

        Raises:
            SourceError: the camera or stream gives nothing any more.
        """
        while not self._closed:
            with self._busy:
                grabbed = not self._closed and (self._pending or self._capture.grab())
                self._pending = False
                t_ns = time.monotonic_ns()
                self._index += grabbed
                media_ns = self._media_time() if grabbed and self._pace else 0
            if grabbed and self._pace:
                due_ns = self._pace.stamp(media_ns, self._period_ns())
                if due_ns is None:
                    continue
                t_ns = due_ns
            with self._busy:
                ok, image = self._capture.retrieve() if grabbed and not self._closed else (False, None)
            if self._closed:
                break
            if ok and image is not None:
                return Frame(self._camera, self._index, t_ns, image)
            if self._pace is None:
                raise SourceError(f"{self.uri}: no more pictures: the camera or stream is lost")
            if not grabbed:
                return None
        self.close()
        return None

    def _period_ns(self) -> int:
        return round(1e9 / (self.fps or 30.0))

    def _media_time(self) -> int:
        """Media time of the grabbed frame in ns from the first one, strictly increasing whatever the file says."""
        now_ms = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        if self._first_ms is None:
            self._first_ms = now_ms
        media_ns = round((now_ms - self._first_ms) * 1e6)
        if media_ns <= self._media_ns:
            media_ns = self._media_ns + self._period_ns()
        self._media_ns = media_ns
        return media_ns

    def close(self) -> None:
        """Give the device or file back; a read that is under way gives it back when it ends."""
        self._closed = True
        if self._pace:
            self._pace.stop()
        if self._busy.acquire(blocking=False):
            try:
                self._capture.release()
            finally:
                self._busy.release()

    def __enter__(self) -> OpenCVSource:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _capture(name: str, *options: Any) -> cv2.VideoCapture:
    """OpenCV crashes on a name that is not UTF-8; its bytes it takes."""
    try:
        name.encode()
        return cv2.VideoCapture(name, *options)
    except UnicodeEncodeError:
        return cv2.VideoCapture(cast(str, os.fsencode(name)), *options)


def stable_uri(uri: str) -> str:
    """`camera://N` as `v4l2:///dev/v4l/by-id/…` where that link exists, so that a reconnect finds the same camera
    after the numbers have changed; anything else as it is."""
    number, _, query = uri.removeprefix("camera://").partition("?")
    if not uri.startswith("camera://") or not BY_ID.is_dir():
        return uri
    target = Path(f"/dev/video{number}")
    for link in sorted(BY_ID.iterdir()):
        if link.resolve() == target:
            return f"v4l2://{link}" + (f"?{query}" if query else "")
    return uri


def open_device(uri: str, *, camera: str) -> OpenCVSource:
    """`camera://N` or `v4l2:///dev/…`, both with `[?width=&height=&fps=]`.

    Raises:
        SourceError: no such device, no permission, or busy.
        UsageError: N is no number, or an unknown option.
    """
    name, _, query = uri.partition("://")[2].partition("?")
    options = parse_options(uri, query, {"width": 0.0, "height": 0.0, "fps": 0.0})
    target: str | int = name
    if uri.startswith("camera://"):
        if not name.isdecimal():
            raise UsageError(f"{uri}: the camera is {name!r}; allowed: a number, such as camera://0")
        target = f"/dev/video{int(name)}" if sys.platform.startswith("linux") else int(name)
    if isinstance(target, str):
        _check_device(uri, target)
        capture = _capture(target, cv2.CAP_V4L2)
    else:
        capture = cv2.VideoCapture(target)
    if not capture.isOpened():
        raise SourceError(f"{uri}: gives no pictures: in use by another program, or not a camera")
    settings = {"width": cv2.CAP_PROP_FRAME_WIDTH, "height": cv2.CAP_PROP_FRAME_HEIGHT, "fps": cv2.CAP_PROP_FPS}
    for key, prop in settings.items():
        if options[key]:
            capture.set(prop, options[key])
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return OpenCVSource(uri, capture, camera=camera, pace=None)


def _check_device(uri: str, path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except FileNotFoundError:
        links = sorted(BY_ID.iterdir(), key=by_number) if BY_ID.is_dir() else []
        found = [*links, *sorted(Path("/dev").glob("video*"), key=by_number)]
        raise SourceError(f"{uri}: no device {path}; found: {', '.join(map(str, found)) or 'no camera'}") from None
    except PermissionError:
        raise SourceError(f"{uri}: {path} may not be opened; add this user to the group 'video'") from None
    except OSError as error:
        why = "is in use by another program" if error.errno == errno.EBUSY else f"cannot be opened: {error.strerror}"
        raise SourceError(f"{uri}: {path} {why}") from None


def open_csi(uri: str, *, camera: str) -> OpenCVSource:
    """`csi://N[?width=1280&height=720&fps=30]`: a Jetson's own camera, through GStreamer.

    Raises:
        SourceError: no picture.
        UsageError: N is no number, or an unknown option.
    """
    sensor, _, query = uri.removeprefix("csi://").partition("?")
    if not sensor.isdecimal():
        raise UsageError(f"{uri}: the sensor is {sensor!r}; allowed: a number, such as csi://0")
    options = parse_options(uri, query, {"width": 1280.0, "height": 720.0, "fps": 30.0})
    capture = cv2.VideoCapture(_CSI.format(sensor=int(sensor), **options), cv2.CAP_GSTREAMER)
    if not capture.isOpened():
        raise SourceError(f"{uri}: gives no pictures: needs a Jetson, its camera, and an OpenCV built with GStreamer")
    return OpenCVSource(uri, capture, camera=camera, pace=None)


def open_network(uri: str, *, camera: str, realtime: bool) -> OpenCVSource:
    """`rtsp://…` (over TCP) or `http(s)://…`. A stream with a known length is a file, and is paced like one.

    Raises:
        SourceError: nothing there, refused, or silent for 5 s; never with the credentials.
    """
    try:
        _ = urlsplit(uri).port
    except ValueError as error:
        raise UsageError(f"{redact(uri)}: {str(error).lower()}") from None
    parameters = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, OPEN_TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, READ_TIMEOUT_MS]
    capture = _capture(uri, cv2.CAP_FFMPEG, parameters)
    if not capture.isOpened():
        raise SourceError(f"{redact(uri)}: no stream: not reachable within {OPEN_TIMEOUT_MS / 1000:g} s, or refused")
    finite = not uri.lower().startswith("rtsp") and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
    return OpenCVSource(uri, capture, camera=camera, pace=Pace(realtime) if finite else None)


def check_reachable(uri: str) -> None:
    """Whether the host of a network source takes connections: a look that costs no login, and at most a second where
    to open the stream would take five. Says nothing about any other source.

    Raises:
        SourceError: it does not.
    """
    parts = urlsplit(uri)
    if parts.scheme.lower() not in PORTS or (parts.scheme.lower() != "rtsp" and "http_proxy" in os.environ):
        return
    try:
        address = parts.hostname or "", parts.port or PORTS[parts.scheme.lower()]
        socket.create_connection(address, timeout=PROBE_S).close()
    except (OSError, ValueError, UnicodeError) as error:
        why = "no answer" if isinstance(error, TimeoutError) else str(getattr(error, "strerror", None) or error)
        raise SourceError(f"{redact(uri)}: not reachable: {why.lower()}") from None


def _meant(uri: str) -> str:
    """What somebody may have meant by a path where no file is."""
    if uri.isdecimal():
        return f"; for a camera: camera://{uri}"
    return "; for a network camera: rtsp://… or http://…" if re.match(r"[\w.-]+:\d+(/|$)", uri) else ""


def open_file(uri: str, *, camera: str, realtime: bool) -> OpenCVSource:
    """A path, or `file://…`. Upright by its rotation flag; read up to the damage where it is damaged.

    Raises:
        SourceError: no such file, or not one picture can be decoded.
        UsageError: no file can have that name.
    """
    local = uri.startswith("file://")
    path = path_of(unquote(uri.removeprefix("file://"), errors="surrogateescape") if local else uri)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceError(f"{path}: not a file" + (f"; for pictures: images://{path}" if path.is_dir() else ""))
        with path.open("rb") as file:
            empty = not file.read(1)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(f"{path}: no such file{_meant(uri)}") from None
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
    if empty:
        raise SourceError(f"{path}: the file is empty")
    # An absolute name cannot be taken for a protocol or a numbered pattern.
    capture = _capture(str(path.resolve()), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        raise SourceError(f"{path}: cannot be decoded as video; allowed: a file with pictures, such as mp4 or avi")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    source = OpenCVSource(str(path), capture, camera=camera, pace=Pace(realtime))
    if not source.look_ahead():
        source.close()
        raise SourceError(f"{path}: holds no picture that can be decoded")
    return source
