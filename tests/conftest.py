"""For every test."""

from __future__ import annotations

import pytest

from edge_app.log import setup


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """What other tests said counts towards no test's limit of lines."""
    setup()
