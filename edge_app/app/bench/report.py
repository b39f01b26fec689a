"""From what was measured to `bench/1`, its table, and the ratios of two of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.app.bench.environment import config_hash, environment
from edge_app.app.bench.power import NOT_TOLD
from edge_app.app.bench.subscriber import Heard
from edge_app.app.bench.usage import Usage
from edge_app.app.log import say
from edge_app.app.metrics import percentiles
from edge_app.app.processes.supervisor import AppTask
from edge_app.errors import UsageError, legible, redact

STAGES = ("pose", "window", "encoder", "ranker", "events", "publisher")
COLUMNS = ("p50", "p90", "p99", "p99_9", "max")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Decisions that were due: seconds since the beginning, milliseconds to their answer, and whether it was their own.

    due_s, delay_ms: float64 `[N]`. made: bool `[N]`; false where the next label had to answer, or none came.
    """

    due_s: np.ndarray
    delay_ms: np.ndarray
    made: np.ndarray


def by_schedule(heard: Heard, stride_ns: int) -> Schedule:
    """Each decision due from the first label on, with the delay from its scheduled capture.

    A label less than a stride after its due time is that decision's, and counts from the due time: a frame that was
    dropped makes it older. Where labels are missing, each decision due in the gap waited for the label that ended it;
    the schedule begins anew there, as the app's own does. After the last label, they waited to the end of listening.
    """
    rows: list[tuple[int, int, bool]] = []
    due = heard.labels[0][0]
    for captured, received, _ in heard.labels:
        late = captured - due
        if late < -stride_ns // 2:  # one more than was due
            continue
        missed = max(late // stride_ns, 0)
        rows += [(due + i * stride_ns, received, False) for i in range(missed)]
        rows.append((min(due + missed * stride_ns, captured), received, True))
        due = (captured if missed else min(due, captured)) + stride_ns
    rows += [(when, heard.until_ns, False) for when in range(due, heard.end_ns, stride_ns)]
    kept = [row for row in rows if row[0] < heard.end_ns]
    table = np.array([(when, received) for when, received, _ in kept], np.int64)
    made = np.array([own for _, _, own in kept])
    return Schedule((table[:, 0] - heard.begin_ns) / 1e9, (table[:, 1] - table[:, 0]) / 1e6, made)


def result(
    task: AppTask, heard: Heard, schedule: Schedule, stages: dict[str, np.ndarray], usage: Usage
) -> dict[str, Any]:
    """The `bench/1` object."""
    status, before = heard.after, heard.before
    stride_ms, limit_ms = task.settings.camera.stride_s * 1e3, task.settings.publish.max_age_ms
    ages = [(received - captured) / 1e6 for captured, received, _ in heard.labels]
    claims = [age for age, (_, _, state) in zip(ages, heard.labels, strict=True) if state != "stale"]
    cpu_s, decisions = sum(usage.cpu_s.values()), len(heard.labels)
    energy: dict[str, Any] = {"told": NOT_TOLD}
    if usage.joules:
        energy = {
            "told": "whole rails, idle draw included",
            "watts": {name: round(joules / usage.seconds, 3) for name, joules in usage.joules.items()},
            "joules_per_decision": round(sum(usage.joules.values()) / decisions, 4),
        }
    return {
        "schema": "bench/1",
        "source": legible(redact(task.sources[0][1])),
        "ranker": task.ranker,
        "labels": len(task.labels),
        "seconds": round((heard.end_ns - heard.begin_ns) / 1e9, 1),
        "stages": {name: percentiles(stages[name]) for name in STAGES if name in stages},
        "glass_to_label": percentiles(schedule.delay_ms),
        "age_received": percentiles(ages),
        "decisions": {
            "due": len(schedule.made),
            "missed": int((~schedule.made).sum()),
            "deadline_ms": stride_ms,
            "deadline_misses": int((schedule.delay_ms > stride_ms).sum()),
            "age_limit_ms": limit_ms,
            "age_violations": sum(age > limit_ms for age in claims),
        },
        "frames": {
            name: _growth(before.get("cameras", {}).get("cam", {}), status.get("cameras", {}).get("cam", {}), name)
            for name in ("frames", "dropped")
        },
        "cpu": {
            "ms_per_decision": round(1e3 * cpu_s / decisions, 2),
            "cores": {name: round(s / usage.seconds, 3) for name, s in usage.cpu_s.items()},
            "note": "the camera process also makes the pictures of person:// and test:// sources",
        },
        "rss_mib": {name: round(mib, 1) for name, mib in usage.rss_mib.items()},
        "power": energy,
        "counters": {
            name: _growth(before.get("counters", {}), status["counters"], name) for name in status.get("counters", {})
        },
        "cameras": status.get("cameras", {}),
        "provider": status.get("provider"),
        "bundle": status.get("bundle"),
        "environment": {
            **environment(), "provider": status.get("provider"), "bundle": status.get("bundle"),
            "config": config_hash(task),
        },
    }  # fmt: skip


def _growth(before: dict[str, int], after: dict[str, int], name: str) -> int:
    return after.get(name, 0) - before.get(name, 0)


def print_result(result: dict[str, Any]) -> None:
    say(f"{result['source']}, {result['seconds']:.0f} s, {result['provider']}, {result['environment']['processor']}")
    say(f"{'milliseconds':16}{'count':>8}" + "".join(f"{name.replace('_', '.'):>10}" for name in COLUMNS))
    rows = {**result["stages"], "glass to label": result["glass_to_label"]}
    for name, row in rows.items():
        say(f"{name:16}{row['count']:8d}" + "".join(f"{row[f'{key}_ms']:10.2f}" for key in COLUMNS))
    due, frames, power = result["decisions"], result["frames"], result["power"]
    say(
        f"decisions       {due['due']} due, {due['missed']} not made, {due['deadline_misses']} later than "
        f"{due['deadline_ms']:.0f} ms, {due['age_violations']} older than {due['age_limit_ms']} ms"
    )
    say(f"frames          {frames['frames']} taken, {frames['dropped']} of them dropped for a newer one")
    say("memory          " + ", ".join(f"{name} {mib:.0f} MiB" for name, mib in result["rss_mib"].items()))
    say(f"processor       {result['cpu']['ms_per_decision']:.1f} ms a decision, all processes")
    told = power["told"]
    if "watts" in power:
        told = ", ".join(f"{name} {watts:.2f} W" for name, watts in power["watts"].items())
        told += f"; {power['joules_per_decision']:.3f} J a decision"
    say(f"power           {told}")


def compare(one: Path, other: Path) -> int:
    """Print how many times as long (or large) the second result is; what found the poses may differ, and is named then.

    Raises:
        UsageError: a file is no `bench/1` result, or the two are not of the same environment and source.
    """
    a, b = _read(one), _read(other)
    for place in ("environment", "source", "ranker"):
        difference = _difference(a.get(place), b.get(place), place)
        if difference:
            raise UsageError(f"bench: {other.name} cannot be compared with {one.name}: {difference}")
    if _pose(a) != _pose(b):
        say(f"poses by {_pose(b)} / {_pose(a)}")
    say(f"{other.name} / {one.name}" + "".join(f"{name.replace('_', '.'):>10}" for name in COLUMNS))
    width = len(f"{other.name} / {one.name}")
    rows = {name: (a["stages"][name], b["stages"][name]) for name in a["stages"] if name in b["stages"]}
    rows["glass to label"] = a["glass_to_label"], b["glass_to_label"]
    for name, (first, second) in rows.items():
        say(f"{name:{width}}" + "".join(f"{_ratio(first, second, f'{key}_ms'):>10}" for key in COLUMNS))
    say(f"{'processor':{width}}{_ratio(a.get('cpu', {}), b.get('cpu', {}), 'ms_per_decision'):>10}")
    say(f"{'energy':{width}}{_ratio(a.get('power', {}), b.get('power', {}), 'joules_per_decision'):>10}")
    return 0


def _pose(result: dict[str, Any]) -> str:
    """What found the poses."""
    return str(result.get("cameras", {}).get("cam", {}).get("pose") or "nothing")


def _ratio(a: dict[str, Any], b: dict[str, Any], key: str) -> str:
    return f"{b[key] / a[key]:.2f}" if a.get(key) and b.get(key) else "-"


def _difference(a: Any, b: Any, place: str) -> str | None:
    """The first thing that differs, in words; our own version may."""
    if isinstance(a, dict) and isinstance(b, dict):
        found = (_difference(a.get(key), b.get(key), f"{place}.{key}") for key in sorted({*a, *b}) if key != "edge_app")
        return next(filter(None, found), None)
    return None if a == b else f"{place} is {a!r} in one and {b!r} in the other"


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"bench: {path} cannot be read ({error})") from None
    if not isinstance(data, dict) or data.get("schema") != "bench/1":
        raise UsageError(f"bench: {path} is not a result of edge-app bench; schema 'bench/1' is allowed")
    return data
