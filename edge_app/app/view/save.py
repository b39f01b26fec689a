"""The last minute of a stream as a recording: what the page's button saves."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from edge_app.camera.pose_codec import from_json
from edge_app.camera.recording import RecordingFile
from edge_app.client import Message
from edge_app.types import Poses


def as_recording(messages: Iterable[Message]) -> bytes:
    """A file that `edge-app replay` and `explain` read: messages, and poses where the stream has them.

    A message that is not what its schema says, or whose schema this version does not know, is left out.
    """
    known = {path.name for path in (resources.files("edge_app.stream") / "schemas").iterdir()}
    with tempfile.TemporaryDirectory(prefix="edge-app-") as folder:
        path = Path(folder) / "last-minute.mcap"
        with RecordingFile(path) as file:
            for index, message in enumerate(messages):
                with contextlib.suppress(KeyError, TypeError, ValueError):
                    if message.kind == "pose":
                        file.poses(_poses(index, message.data))
                    elif f"{str(message.data['schema']).replace('/', '-')}.json" in known:
                        file.message(message.topic, message.data)
        return path.read_bytes()


def _poses(index: int, data: Mapping[str, Any]) -> Poses:
    t_ns = int(data["t_capture_mono_ns"])
    people = tuple(from_json(person, t_ns) for person in data["people"])
    return Poses(str(data["camera"]), index, t_ns, people)
