"""`edge-app status`: what runs on this machine, where it is heard and asked, and what it sees."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Any

from edge_app.app.log import put, say
from edge_app.app.processes.run_folder import Running, all_running
from edge_app.errors import AppError
from edge_app.stream.control import HERE_S, ask

NOTHING = 4
"""The exit code where no app runs, as of `listen` where nothing is heard."""


def main(arguments: argparse.Namespace) -> int:
    """Print what runs; 4 where nothing does."""
    apps = [{**asdict(app), **_asked(app, arguments.keys)} for app in all_running()]
    if arguments.json:
        put(json.dumps({"schema": "running/1", "apps": apps}))
    for app in [] if arguments.json else apps:
        say(*_lines(app))
    if not apps and not arguments.json:
        say("no app of this user runs on this machine; start one with: edge-app run camera://0")
    return 0 if apps else NOTHING


def _asked(app: Running, keys: Path | None) -> dict[str, Any]:
    """What an app says of itself, or why it says nothing."""
    if app.keys and keys is None:
        return {"error": "its control socket needs a controller's key: --keys DIR"}
    try:
        status = ask(app.control, "status", keys=keys if app.keys else None, timeout_s=HERE_S)["status"]
        labels = ask(app.control, "labels.list", keys=keys if app.keys else None, timeout_s=HERE_S)
    except AppError as error:
        return {"error": str(error)}
    return {"status": status, "labels": labels["labels"], "labels_version": labels["labels_version"]}


def _lines(app: dict[str, Any]) -> list[str]:
    status = app.get("status") or {}
    lines = [
        f"process {app['pid']}" + (f", edge-app {status['version']}, {status['provider']}" if status else ""),
        f"  labels come from  {app['publish']}      (edge-app listen {quote(app['publish'])})",
        f"  ask and change at {app['control']}      (edge-app labels list --control {quote(app['control'])})",
    ]
    if "error" in app:
        return [*lines, f"  {app['error']}"]
    lines.append(f"  words, version {app['labels_version']}: " + ("; ".join(app["labels"]) or "none"))
    for name, camera in status.get("cameras", {}).items():
        age = status["label_age"].get(name, {}).get("p50_ms")
        lines.append(
            f"  {name}: {camera['state']}, {camera['fps_in']:.1f} frames a second"
            + (f", labels {age:.0f} ms old" if age is not None else "")
            + "".join(f", {flag}" for flag in camera["flags"])
        )
    return lines
