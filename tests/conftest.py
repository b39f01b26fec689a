"""For every test."""

from __future__ import annotations

import re

import pytest

from edge_app.app.log import setup
from edge_app.camera import fault

CASE = re.compile(r"test_[CPASXR]\d+_")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that is named after a case of the reliability table is one of `pytest -m fault`."""
    for item in items:
        if CASE.match(item.name):
            item.add_marker("fault")


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """What other tests said counts towards no test's limit of lines."""
    setup()


@pytest.fixture(autouse=True)
def fresh_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """No `fault://` source was opened before."""
    monkeypatch.setattr(fault, "_first_opened_ns", {})
