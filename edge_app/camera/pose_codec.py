"""A pose outside of this process: as bytes, between processes and machines; as JSON, in recordings and messages."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np

from edge_app.types import Pose

LANDMARKS = 33
POSE_BYTES = LANDMARKS * 6 * 4  # of a person: image, world, visibility
MAX_NUMBER = 1e5  # pixels, metres: what comes from outside is refused beyond
METRE_DECIMALS, VISIBILITY_DECIMALS = 4, 3
_COLUMNS = (("image", 2), ("world", 3), ("visibility", 1))


def points_of(pose: Pose) -> bytes:
    """The landmarks as `POSE_BYTES` bytes of float32: image, world and visibility of each."""
    return np.column_stack([pose.image, pose.world, pose.visibility]).astype(np.float32).tobytes()


def pose_at(data: bytes, at: int, t_ns: int, size: tuple[int, int]) -> Pose:
    """What `points_of` made, from byte `at` on. Raises ValueError where there are too few bytes."""
    points = np.frombuffer(data, np.float32, POSE_BYTES // 4, at).reshape(LANDMARKS, 6)
    return Pose(t_ns, points[:, :2], points[:, 2:5], points[:, 5], size)


def with_head(head: dict[str, Any], arrays: bytes) -> bytes:
    """Arrays behind a header: its length, 32 bits, little-endian; the header as JSON; the arrays."""
    text = json.dumps(head).encode()
    return struct.pack("<I", len(text)) + text + arrays


def head_of(data: bytes) -> tuple[Any, int]:
    """The header that `with_head` wrote, whatever JSON it is, and at which byte the arrays begin.

    Raises:
        ValueError: there is none.
    """
    try:
        (size,) = struct.unpack_from("<I", data)
        return json.loads(data[4 : 4 + size]), 4 + size
    except (struct.error, RecursionError) as error:
        raise ValueError(f"no header: {error}") from None


def as_json(pose: Pose, *, pixel_decimals: int, nested: bool) -> dict[str, Any]:
    """`size`, `image` (pixels), `world` (metres) and `visibility`, rounded.

    nested: `[33][2]` and `[33][3]`, as in messages, or else one after the other, as in recordings.
    """
    decimals = (pixel_decimals, METRE_DECIMALS, VISIBILITY_DECIMALS)
    found: dict[str, Any] = {"size": list(pose.size)}
    for (name, columns), digits in zip(_COLUMNS, decimals, strict=True):
        values = getattr(pose, name).astype(np.float64).ravel().tolist()
        rounded = [round(value, digits) for value in values]
        split = nested and columns > 1
        found[name] = [rounded[i : i + columns] for i in range(0, len(rounded), columns)] if split else rounded
    return found


def from_json(person: dict[str, Any], t_ns: int) -> Pose:
    """What `as_json` made, of either kind.

    Raises:
        ValueError: anything else, and coordinates that are no numbers, or beyond `MAX_NUMBER`.
    """
    try:
        width, height = (int(side) for side in person["size"])
        arrays = {}
        for name, columns in _COLUMNS:
            values = np.array(person[name], np.float64)
            if values.size != LANDMARKS * columns or not (np.abs(values) <= MAX_NUMBER).all():
                raise ValueError(f"{name} is not {LANDMARKS * columns} numbers up to {MAX_NUMBER:g}")
            values = values.astype(np.float32)
            arrays[name] = values.reshape(LANDMARKS, columns) if columns > 1 else values.ravel()
        return Pose(t_ns=t_ns, size=(width, height), **arrays)
    except (KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"not a pose ({type(error).__name__}: {error})") from None
