"""Where a figure comes from: the command and the revision."""

from __future__ import annotations

import argparse
import shlex
import subprocess
from pathlib import Path
from typing import Any


def command(arguments: argparse.Namespace) -> str:
    words = ["python", "-m", "train", "evaluate"]
    for key, value in vars(arguments).items():
        if key == "verb" or value in (None, False, []):
            continue
        words += [f"--{key.replace('_', '-')}", *map(str, [] if value is True else _list(value))]
    return shlex.join(words)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def git_revision() -> str | None:
    """Of this checkout, with "+" where files differ from it; None outside of one."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        revision = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return revision.stdout.strip() + ("+" if changed.stdout.strip() else "")
