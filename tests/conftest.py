"""For every test."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
import zmq
from hypothesis import settings

from benchmarks.reliability import cases_of
from edge_app.app.log import setup
from edge_app.camera import fault
from tests.running import SQUATS, repeat

# No deadline: how long an example takes says more of what else the machine does than of the code.
settings.register_profile("quick", max_examples=30, deadline=None)
settings.register_profile("thorough", max_examples=500, deadline=None)
settings.load_profile("quick")  # pytest --hypothesis-profile=thorough overrules it


# What an example leaves behind when it is cut short is collected at any later time, the context maybe before its
# sockets: ending it would then wait for them for ever, in whatever test runs by then.
zmq.Context.__del__ = lambda self: None  # type: ignore[method-assign]


LIVE = ("app", "examples", "faults", "pipeline", "security", "stream", "test_docs.py")
"""Where tests watch processes and sockets. They come first: in a worker that has trained networks before, some died."""


LONGEST = ("test_style.py", "train/encoder/test_train.py", "train/test_recipe.py")
"""Files that come next: at the end, one worker would wait for the other to be done with them."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that is named after a case of the reliability table is one of `pytest -m fault`; live ones come first."""
    for item in items:
        if cases_of(item.name):
            item.add_marker("fault")
    items.sort(key=turn)


def turn(item: pytest.Item) -> int:
    """Which files come first: `LIVE`, `LONGEST`, the others."""
    path = item.path.relative_to(Path(__file__).parent)
    return 0 if path.parts[0] in LIVE else 1 if str(path) in LONGEST else 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What a test logged of a file name that is not UTF-8 could not be sent from a worker."""
    report = yield
    report.sections = [(name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """What other tests said counts towards no test's limit of lines."""
    setup()


@pytest.fixture(autouse=True)
def fresh_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """No `fault://` source was opened before."""
    monkeypatch.setattr(fault, "_first_opened_ns", {})


@pytest.fixture(scope="session")
def squats(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A recording of a minute of squats."""
    return repeat(SQUATS, tmp_path_factory.mktemp("recording") / "squats.mcap", 60)
