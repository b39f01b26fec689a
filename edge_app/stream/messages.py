"""What is said on the wire. Pure functions: dataclasses in, dicts out; the publisher adds run, seq and stamps.

A frame is one ZeroMQ message part: topic, a zero byte, UTF-8 JSON. Topics are `v1/<camera>/<kind>`.

Versions: readers ignore keys they do not know, so a new key raises the minor number of `schema`; a key removed,
renamed or given another type raises the major number and the prefix of the topic (`v2/...`). The JSON Schema files in
`schemas/` describe what is written here.

Stamps are nanoseconds of the monotonic clock of the boot named in `boot`; `age_ms` is the age of the capture when the
message was sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from edge_app.camera.pose_codec import as_json
from edge_app.client import MAX_FRAME, SELF_TOLD, TOPIC, decode
from edge_app.types import CameraReport, Decision, Event, Ranking, Track

__all__ = [
    "action_message", "as_stale", "complete", "decode", "encode", "pose_message", "state_message", "status_message",
    "topic",
]  # fmt: skip

Kind = Literal["action", "state", "status", "pose"]
Message = dict[str, Any]


def topic(camera: str, kind: Kind) -> str:
    """The topic of a camera's messages.

    Raises:
        ValueError: the camera's name is empty, longer than 64 characters, or holds `/` or what cannot be printed.
    """
    if not 0 < len(camera) <= 64 or "/" in camera or not camera.isprintable():
        raise ValueError(f"camera name {camera!r}: allowed are 1 to 64 printable characters without /")
    return f"v1/{camera}/{kind}"


def encode(topic: str, message: Message) -> bytes:
    """The frame of a message.

    Raises:
        ValueError: the topic is malformed, the message holds NaN, infinity or what JSON has not, or is too large.
    """
    if not TOPIC.fullmatch(topic):
        raise ValueError(f"topic {topic!r} is not of the form v1/<camera>/<kind>")
    try:
        body = json.dumps(message, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, RecursionError) as error:
        raise ValueError(f"{topic}: not a message: {error}") from None
    frame = topic.encode() + b"\0" + body.encode()
    if len(frame) > MAX_FRAME:
        raise ValueError(f"{topic}: a message of {len(frame)} bytes; at most {MAX_FRAME} are allowed")
    return frame


def complete(message: Message, *, run: str, seq: int, boot: str, now_ns: int, wall: str | None) -> Message:
    """The message with what only the publisher knows. `wall`: the capture on the wall clock, None where unknown."""
    full = {**message, "run": run, "seq": seq, "boot": boot, "t_publish_mono_ns": now_ns}
    if "t_capture_mono_ns" in message:
        full.setdefault("t_capture_wall", wall)
        full["age_ms"] = age_ms(message, now_ns)
    return full


def age_ms(message: Message, now_ns: int) -> int | None:
    """Milliseconds since the capture, rounded up so that no age looks better than it is; None without a capture."""
    captured = message.get("t_capture_mono_ns")
    return None if captured is None else -((captured - now_ns) // 1_000_000)


def as_stale(message: Message, max_age_ms: int) -> Message:
    """A state message whose capture is too old to say anything about now; open events stay until their `end`.

    States that tell by themselves that the view is lost are given back as they are.
    """
    if message["state"] in SELF_TOLD:
        return message
    captured = message["t_capture_mono_ns"]
    since = message["since_mono_ns"] if captured is None else captured + max_age_ms * 1_000_000
    return {**message, "state": "stale", "since_mono_ns": since, "topk": [], "known": None}


def action_message(
    event: Event, *, window_s: float, fps_in: float, bundle: str, labels_version: int, provider: str,
    flags: Iterable[str] = (), k: int = 5,
) -> Message:  # fmt: skip
    """An `action/1.1` message: one step in the life of an action.

    energy: of the event's label, lower is better. margin: how much lower than the best other label's energy; negative
    where another label is better at this moment, null where there is no other label. Both are null where no ranking is
    behind the step (as in an `end` because the camera is lost). reps: repetitions since the onset. cadence_hz:
    repetitions a second of late, null while nothing is repeated.
    """
    energy, margin = _energy(event)
    message: Message = {
        "schema": "action/1.1", "type": event.type, "camera": event.camera, "track": event.track, "event": event.id,
        "label": event.label, "score": round(float(event.score), 4), "energy": energy, "margin": margin,
        "topk": _topk(event.ranking, k), "t_capture_mono_ns": event.t_ns, "onset_mono_ns": event.onset_ns,
        "window_s": float(window_s), "fps_in": round(float(fps_in), 2), "bundle": bundle,
        "labels_version": labels_version, "provider": provider, "flags": list(flags),
        "reps": event.reps, "cadence_hz": None if event.cadence_hz is None else round(event.cadence_hz, 3),
    }  # fmt: skip
    if event.reason is not None:
        message["reason"] = event.reason
    return message


def state_message(
    decision: Decision, *, since_ns: int, open_events: Sequence[Event] = (), fps_in: float, bundle: str,
    labels_version: int, provider: str, flags: Iterable[str] = (), k: int = 5,
) -> Message:  # fmt: skip
    """A `state/1.0` message: what is true of a camera now.

    since_ns: when the state began. open_events: those without an `end` so far, *after* the decision's own events.
    known: 0 to 1, null without a ranking. A decision's `t_ns` of 0 or less means that no frame has come yet:
    `t_capture_mono_ns` and `age_ms` are then null.
    """
    ranking = decision.ranking
    return {
        "schema": "state/1.0", "camera": decision.camera, "track": decision.track, "state": decision.state,
        "since_mono_ns": since_ns, "t_capture_mono_ns": decision.t_ns if decision.t_ns > 0 else None,
        "open": [
            {"event": event.id, "label": event.label, "track": event.track, "onset_mono_ns": event.onset_ns}
            for event in open_events
        ],
        "topk": _topk(ranking, k), "known": None if ranking is None else round(float(ranking.known), 4),
        "fps_in": round(float(fps_in), 2), "bundle": bundle, "labels_version": labels_version, "provider": provider,
        "flags": list(flags),
    }  # fmt: skip


def status_message(
    *, camera: str, version: str, stages: Mapping[str, Mapping[str, Any]], cameras: Iterable[CameraReport],
    counters: Mapping[str, int], provider: str, bundle: str, labels_version: int, labels_count: int,
    label_age: Mapping[str, Mapping[str, float]], recorder: str, unrecorded: int,
) -> Message:  # fmt: skip
    """A `status/1.2` message: how the application is, the same under the topic of every camera.

    stages: by name, `state` (starting, ready, running, degraded, stopped or failed), `progress` (pieces of work done
    since the start) and `p50_ms` (median time of one piece, null before the first). Those that are processes have
    `restarts` too.
    label_age: by camera, as `StageTimes.summary` gives it. recorder: off, recording or recorder_full.
    """
    return {
        "schema": "status/1.2", "camera": camera, "version": version,
        "stages": {
            name: {**stage, "progress": int(stage["progress"]), "p50_ms": stage.get("p50_ms")}
            for name, stage in stages.items()
        },
        "cameras": {
            report.camera: {
                "state": report.state, "epoch": report.epoch, "fps_in": round(float(report.fps_in), 2),
                "frames": report.frames, "dropped": report.dropped, "misordered": report.misordered,
                "reconnects": report.reconnects, "pose": report.pose, "flags": list(report.flags),
            }
            for report in cameras
        },
        "counters": dict(counters), "provider": provider, "bundle": bundle,
        "labels": {"version": labels_version, "count": labels_count}, "label_age": dict(label_age),
        "recorder": {"state": recorder, "dropped": unrecorded},
    }  # fmt: skip


def pose_message(camera: str, tracks: Iterable[Track], *, t_ns: int) -> Message:
    """A `pose/1.0` message: everybody in one frame, MediaPipe's 33 landmarks each.

    image: `[33][2]` pixels, x right, y down, of a frame of `size` (width, height). world: `[33][3]` metres in the world
    frame, origin at the middle of the hips of this frame. visibility: `[33]`, 0 to 1.
    """
    return {
        "schema": "pose/1.0", "camera": camera, "t_capture_mono_ns": t_ns, "layout": "mediapipe33",
        "people": [
            {"track": track.id, **as_json(track.pose, pixel_decimals=1, nested=True)} for track in tracks
        ],
    }  # fmt: skip


def _topk(ranking: Ranking | None, k: int) -> list[list[Any]]:
    if ranking is None:
        return []
    return [[label, round(score, 4)] for label, score in ranking.best(k)]


def _energy(event: Event) -> tuple[float | None, float | None]:
    ranking = event.ranking
    if ranking is None or event.label not in ranking.labels:
        return None, None
    index = ranking.labels.index(event.label)
    energy = float(ranking.energies[index])
    others = np.delete(ranking.energies, index)
    return round(energy, 6), round(float(others.min()) - energy, 6) if others.size else None
