"""The lock of tested versions covers each Python and machine that is promised, within the ranges of pyproject.toml."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = [Requirement(line) for line in LINES if not line.startswith("#")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = [
    Requirement(text)
    for texts in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    for text in texts
    if not text.startswith("edge-app[")
]


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_F1_one_version_of_everything_that_is_wanted(python: str, machine: str) -> None:
    here = {
        "python_version": python, "python_full_version": f"{python}.5", "platform_machine": machine,
        "sys_platform": "linux", "platform_python_implementation": "CPython", "implementation_name": "cpython",
    }  # fmt: skip
    pins: dict[str, str] = {}
    for pin in PINS:
        if pin.marker is None or pin.marker.evaluate(here):
            (only,) = pin.specifier
            assert only.operator == "==" and pins.setdefault(canonicalize_name(pin.name), only.version) == only.version
    for wanted in WANTED:
        if wanted.marker is None or wanted.marker.evaluate(here):
            assert wanted.specifier.contains(pins[canonicalize_name(wanted.name)]), wanted


def test_nothing_but_versions() -> None:
    """Neither addresses nor hashes: hashes would keep the project itself from being installed beside."""
    assert PINS and not any(pin.url or pin.extras for pin in PINS)
    assert not any("--" in line for line in LINES)
