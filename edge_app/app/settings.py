"""Typed settings: defaults, then a YAML file, then `--set a.b=c`. An unknown key is an error."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from edge_app.app.log import log
from edge_app.app.prometheus import MetricsConfig
from edge_app.app.recorder import RecordConfig
from edge_app.errors import UsageError
from edge_app.events import EventConfig
from edge_app.pose.choose import BACKENDS, PoseConfig
from edge_app.ranker.load import RankerConfig
from edge_app.recognizer import MAX_PEOPLE, CameraConfig
from edge_app.runtime.choose import RuntimeConfig
from edge_app.stream.publisher import PublishConfig

MAX_BYTES = 2**20
RENAMED = {"events.max_wobble": "max_bone_length_variation", "events.firm": "max_variation_to_start"}
"""Settings by their former names, which still work, with a warning."""


@dataclass(frozen=True, slots=True)
class TaughtConfig:
    """use: look for what this user has taught (`edge-app labels teach`) beside the words."""

    use: bool = True


@dataclass(frozen=True, slots=True)
class SuperviseConfig:
    """restarts: of one stage within `within_s` before giving up. progress_s: silence before a stage is restarted.

    grace_s: the same before a stage is ready, while models load and engines are built.
    max_rss_mb: memory of a camera's process at which a fresh one takes over, for MediaPipe may leak; 0: never.
    """

    restarts: int = 5
    within_s: float = 60.0
    progress_s: float = 2.5
    grace_s: float = 600.0
    max_rss_mb: float = 1500.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a file or `--set` may change."""

    camera: CameraConfig = field(default_factory=CameraConfig)
    events: EventConfig = field(default_factory=EventConfig)
    publish: PublishConfig = field(default_factory=PublishConfig)
    supervise: SuperviseConfig = field(default_factory=SuperviseConfig)
    record: RecordConfig = field(default_factory=RecordConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    taught: TaughtConfig = field(default_factory=TaughtConfig)
    ranker: RankerConfig = field(default_factory=RankerConfig)
    runtime: RuntimeConfig = field(default_factory=RuntimeConfig)
    pose: PoseConfig = field(default_factory=PoseConfig)


def load_settings(path: Path | None, assignments: Sequence[str] = ()) -> Settings:
    """Settings from a YAML file and `a.b=c` assignments.

    Raises:
        UsageError: a missing or unreadable file, an unknown key, a wrong type, a number out of range.
    """
    tree = _read_yaml(path) if path else {}
    where = str(path) if path else "--set"
    settings = _build(Settings, tree, "", where)
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        shown = assignment.encode("unicode_escape").decode()[:80]
        if not equals or not key.strip():
            raise UsageError(f"--set {shown}: expected KEY=VALUE, for example events.enter=0.6")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise UsageError(f"--set {shown}: the value cannot be read") from None
        for part in reversed(key.strip().split(".")):
            value = {part: value}
        settings = _build(settings, value, "", "--set")
    return settings


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UsageError(f"{path}: {path.stat().st_size:,} bytes found, at most {MAX_BYTES:,} are allowed")
        text = path.read_text("utf-8")
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise UsageError(f"{path}: a YAML alias (*name) found; aliases are not allowed")
        tree = yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text") from None
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{place}: not YAML ({getattr(error, 'problem', None) or 'too deep'})") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise UsageError(f"{path}: {type(tree).__name__} found, a mapping of settings is expected")
    return tree


def _build(base: Any, tree: Any, prefix: str, where: str) -> Any:
    """`base` (a settings class or an instance) with the values of `tree` put in."""
    current = base() if isinstance(base, type) else base
    if not isinstance(tree, dict):
        raise UsageError(f"{where}: {prefix or 'the file'} must be a mapping, {tree!r:.40} found")
    hints = get_type_hints(type(current))
    changed = {}
    for key, value in tree.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if name in RENAMED:
            log.warning("%s: %s is called %s.%s now", where, name, prefix, RENAMED[name], extra={"kind": "settings"})
            key, name = RENAMED[name], f"{prefix}.{RENAMED[name]}"
        if key not in hints:
            raise UsageError(f"{where}: unknown key {name!r:.80}; allowed here are {', '.join(hints)}")
        old = getattr(current, key)
        changed[key] = (
            _build(old, value, name, where) if dataclasses.is_dataclass(old) else _value(value, old, name, where)
        )
    return dataclasses.replace(current, **changed)


def _value(value: Any, old: Any, name: str, where: str) -> Any:
    wanted = type(old)
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not wanted:
        raise UsageError(f"{where}: {name} must be {wanted.__name__}, {value!r:.40} found")
    if wanted in (int, float) and not (math.isfinite(value) and 0 <= value <= 1e6):
        raise UsageError(f"{where}: {name} must be between 0 and 1,000,000, {value!r:.40} found")
    if name == "runtime.on_error" and value not in ("cpu", "fail"):
        raise UsageError(f"{where}: {name} must be cpu or fail, {value!r:.40} found")
    if name == "pose.backend" and value not in BACKENDS:
        raise UsageError(f"{where}: {name} must be one of {', '.join(BACKENDS)}, {value!r:.40} found")
    if name == "camera.max_people" and not 1 <= value <= MAX_PEOPLE:
        raise UsageError(f"{where}: {name} must be between 1 and {MAX_PEOPLE}, {value!r:.40} found")
    share = name in ("events.enter", "events.exit", "events.still", "events.min_body", "events.min_present")
    if share and value > 1:
        raise UsageError(f"{where}: {name} must be between 0 and 1, {value!r:.40} found")
    return value
