"""Every example reads a real stream, and believes only what is fresh and of this boot."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.bridges.conftest import Stream, stream  # noqa: F401

EXAMPLES = Path(__file__).parents[2] / "examples"
LONGEST = {"subscriber.py": 30, "subscriber.cpp": 60, "subscriber.js": 60}


def python(folder: Path) -> list[str]:
    return [sys.executable, str(EXAMPLES / "subscriber.py")]


def cpp(folder: Path) -> list[str]:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("g++ is not installed")
    source = "#include <nlohmann/json.hpp>\n#include <zmq.hpp>\n"
    headers = subprocess.run([compiler, "-std=c++17", "-fsyntax-only", "-xc++", "-"], input=source, text=True,
                             capture_output=True, timeout=100)  # fmt: skip
    if headers.returncode:
        pytest.skip("a library is not installed (apt-get install libzmq3-dev cppzmq-dev nlohmann-json3-dev)")
    program = folder / "subscriber"
    command = [
        compiler,
        "-std=c++17",
        "-Wall",
        "-Wextra",
        "-Werror",
        str(EXAMPLES / "subscriber.cpp"),
        "-o",
        str(program),
    ]
    subprocess.run([*command, "-lzmq"], check=True, timeout=110)
    return [str(program)]


def javascript(folder: Path) -> list[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    if subprocess.run([node, "-e", "require('zeromq')"], cwd=EXAMPLES, capture_output=True, timeout=60).returncode:
        pytest.skip("zeromq is not installed (npm install --no-package-lock in examples/)")
    return [node, str(EXAMPLES / "subscriber.js")]


@pytest.fixture(scope="module", params=[python, pytest.param(cpp, marks=pytest.mark.slow), javascript])
def command(request, tmp_path_factory) -> list[str]:
    return request.param(tmp_path_factory.mktemp("example"))


@pytest.fixture
def lines(command, stream: Stream) -> Iterator[Iterator[str]]:  # noqa: F811
    with subprocess.Popen([*command, stream.endpoint], stdout=subprocess.PIPE, text=True) as process:
        try:
            yield (line.strip() for line in process.stdout)
        finally:
            process.kill()


def test_it_tells_of_what_is_fresh_and_of_every_end_once(lines, stream):  # noqa: F811
    stream.state("idle")
    assert next(lines) == "state idle"
    stream.state("running")
    assert next(lines) == "state running"
    stream.action("start", 1, label="squat", t_capture_mono_ns=time.monotonic_ns() - 5_000_000_000)
    stream.action("start", 2, label="bow", boot="another")
    stream.action("start", 3, label="clap")
    stream.action("update", 3, label="clap")
    start = next(lines).split()
    assert start[:2] == ["start", "clap"] and start[3:] == ["ms", "old"] and 0 <= float(start[2]) < 1000
    stream.action("end", 3, label="clap")
    stream.action("end", 3, label="clap")
    assert next(lines) == "end clap over"
    stream.action("update", 4, label="wave")  # its start was missed
    assert next(lines).startswith("start wave")
    stream.state("running")  # and so was its end: it is not among the open ones
    assert next(lines) == "end wave lost"


def test_silence_ends_what_is_open(lines, stream):  # noqa: F811
    stream.state("running", open_n=(1,))
    assert next(lines) == "state running"
    stream.action("start", 1, label="clap")
    assert next(lines).startswith("start clap")
    stream.stop()
    assert {next(lines), next(lines)} == {"end clap liveness", "state stale"}


def test_a_new_run_ends_what_the_old_one_left_open(lines, stream):  # noqa: F811
    stream.state("running", open_n=(1,))
    assert next(lines) == "state running"
    stream.action("start", 1, label="clap")
    assert next(lines).startswith("start clap")
    stream.stop()
    stream.start()
    stream.state("running")
    assert next(lines) == "end clap restart"


@pytest.mark.parametrize("name", sorted(LONGEST))
def test_they_stay_short(name):
    lines = (EXAMPLES / name).read_text().splitlines()
    assert len(lines) <= LONGEST[name] and max(map(len, lines)) <= 120
