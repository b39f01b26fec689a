"""A stand-in for the child process that builds and loads engines: loading needs a GPU, and a bad one may crash it."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from edge_app.runtime.engines import EngineCache, EngineKey

CHILD = """
import os, signal, sys, time
from pathlib import Path
_, log, parent, verb, *paths = sys.argv
with open(log, "a") as file:
    file.write(verb + "\\n")
if verb == "build":
    Path(paths[1]).write_bytes(b"half")
    if Path(paths[0]).read_bytes() == b"slow":
        time.sleep(600)
    Path(paths[1]).write_bytes(b"ENGINE 10.3.0 " + 4000 * b"x")
elif Path(paths[0]).read_bytes() != b"ENGINE 10.3.0 " + 4000 * b"x":
    os.kill(os.getpid(), signal.SIGSEGV)
"""
KEY = EngineKey("a" * 64, "Orin (nvgpu)", "8.7", "10.3.0", "fp32", 1, 64, "36.4.3")


class Workshop:
    """An engine cache whose child is the stand-in, and a log of what it did."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        (folder / "child.py").write_text(CHILD)
        self.model = folder / "encoder.onnx"
        self.model.write_bytes(b"quick")
        self.command = (sys.executable, str(folder / "child.py"), str(self.log))
        self.cache = EngineCache(folder / "engines", self.command)
        self.path = folder / "engines" / KEY.file

    def obtain(self, **changes) -> bytes:
        return self.cache.obtain(replace(KEY, **changes), self.model)

    def done(self) -> list[str]:
        return self.log.read_text().split()

    def left(self) -> set[str]:
        return {path.name for path in self.cache.folder.iterdir()} - {"lock"}


@pytest.fixture
def workshop(tmp_path) -> Workshop:
    return Workshop(tmp_path)
