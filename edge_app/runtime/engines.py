"""The engine cache: engines are built on the device, checked, tried in a child process, and never shipped.

    ~/.cache/edge-app/engines/<onnx sha12>-<gpu>-sm<cc>-trt<version>-<precision>-b<min>_<max>.engine, .json beside it

The side-car has the full key and the engine's hash. It is written before the engine, and each whole or not at all, so
an engine that is there has its side-car. Whatever does not hold is set aside as `*.bad` and built again.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from edge_app.bundles.files import write_bytes, write_text
from edge_app.bundles.user_folders import cache_folder
from edge_app.errors import UsageError
from edge_app.runtime.cuda import Cuda, Gpu
from edge_app.runtime.tensorrt import MAX_BATCH, MIN_BATCH, load_tensorrt, version_of

log = logging.getLogger(__name__)

BUILD_S, PROBE_S, WAIT_S = 1200.0, 120.0, 1200.0
KEEP = 8
"""Engines, and set-aside ones, that stay: those used last."""
CHILD = (sys.executable, "-m", "edge_app.runtime.engine_child")
L4T = Path("/etc/nv_tegra_release")
PORTABLE = Gpu("any", "any")
"""What engines of TensorRT for RTX are for: each GPU's own code is made when one is loaded."""
_POLL_S = 0.1

Waiting = Callable[[], None]
"""Called ten times a second while an engine is built or tried; what it raises ends the work."""


@dataclass(frozen=True, slots=True)
class EngineKey:
    """Everything that an engine depends on."""

    onnx_sha256: str
    gpu: str
    capability: str
    tensorrt: str
    precision: str
    min_batch: int
    max_batch: int
    l4t: str

    @property
    def file(self) -> str:
        gpu = re.sub(r"[^a-z0-9]+", "_", self.gpu.lower()).strip("_")
        return (
            f"{self.onnx_sha256[:12]}-{gpu}-sm{self.capability.replace('.', '')}-trt{self.tensorrt}-"
            f"{self.precision}-b{self.min_batch}_{self.max_batch}.engine"
        )


def engine_key(model: Path, precision: str) -> EngineKey:
    """For this machine.

    Raises:
        UsageError: no TensorRT; or, but for RTX, no GPU.
    """
    trt = load_tensorrt()
    gpu = Cuda().gpu() if trt.__name__ == "tensorrt" else PORTABLE
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    return EngineKey(digest, gpu.name, gpu.capability, version_of(trt), precision, MIN_BATCH, MAX_BATCH, _l4t())


class EngineCache:
    """command: what builds and tries engines, as `edge_app.runtime.engine_child` does."""

    def __init__(self, folder: Path | None = None, command: tuple[str, ...] = CHILD) -> None:
        self.folder = folder or cache_folder("engines")
        self._command = command

    def obtain(self, key: EngineKey, model: Path, waiting: Waiting = lambda: None) -> bytes:
        """An engine that was built whole, is for this key, and runs; built first where there is none.

        Raises:
            UsageError: it cannot be built, what was built does not run, or another process builds for too long.
        """
        with self._locked(waiting):
            path = self.folder / key.file
            if path.exists():
                problem = _problem(path, key) or self._try(path, waiting)
                if not problem:
                    return self._used(path)
                set_aside(path, problem)
            self._make(key, model, waiting)
            problem = self._try(path, waiting)
            if problem:
                set_aside(path, problem)
                raise UsageError(f"a new engine does not run: {problem}")
            return self._used(path)

    def build(self, key: EngineKey, model: Path, waiting: Waiting = lambda: None) -> Path:
        """The path of an engine that is built whole, but not tried: that needs the GPU that it is for."""
        with self._locked(waiting):
            path = self.folder / key.file
            problem = path.exists() and _problem(path, key)
            if problem:
                set_aside(path, problem)
            if not path.exists():
                self._make(key, model, waiting)
            self._used(path)
            return path

    def _make(self, key: EngineKey, model: Path, waiting: Waiting) -> None:
        log.info("building a TensorRT engine, just once; it is kept in %s", self.folder, extra={"kind": "engine"})
        with tempfile.TemporaryDirectory(prefix=".build-", dir=self.folder) as folder:
            made = Path(folder) / key.file
            timings = self.folder / f"timings-trt{key.tensorrt}-sm{key.capability}.cache"
            problem = self._run(("build", str(model), str(made), str(timings)), BUILD_S, waiting)
            if problem:
                raise UsageError(problem)
            engine = made.read_bytes()
            side_car = json.dumps({**asdict(key), "sha256": hashlib.sha256(engine).hexdigest()}, indent=1) + "\n"
            write_text((self.folder / key.file).with_suffix(".json"), side_car)
            write_bytes(self.folder / key.file, engine)

    def _try(self, path: Path, waiting: Waiting) -> str:
        return self._run(("probe", str(path)), PROBE_S, waiting)

    def _run(self, arguments: tuple[str, ...], limit_s: float, waiting: Waiting) -> str:
        """Why the child failed; empty if it did not."""
        command = [*self._command, str(os.getpid()), *arguments]
        with tempfile.TemporaryFile() as said, subprocess.Popen(command, stdout=said, stderr=said) as child:
            until = time.monotonic() + limit_s
            try:
                while child.poll() is None:
                    if time.monotonic() > until:
                        return f"{arguments[0]}: not done after {limit_s:.0f} s"
                    waiting()
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.wait(_POLL_S)
            finally:
                child.kill()
            said.seek(0)
            lines = said.read()[-2000:].decode("utf-8", "replace").strip().splitlines()
        if child.returncode == 0:
            return ""
        return f"{arguments[0]}: " + (lines[-1][:200] if lines else f"the child process ended with {child.returncode}")

    def _used(self, path: Path) -> bytes:
        """The engine, marked as used now; those not used for long go."""
        os.utime(path)
        engine = path.read_bytes()
        kept = sorted(
            (*self.folder.glob("*.engine"), *self.folder.glob("*.bad")), key=lambda file: file.stat().st_mtime
        )
        for old in kept[:-KEEP]:
            old.unlink()
            if old.suffix == ".engine":
                old.with_suffix(".json").unlink(missing_ok=True)
        for left in self.folder.glob(".build-*"):  # of a process that was killed: we have the lock
            shutil.rmtree(left, ignore_errors=True)
        return engine

    @contextlib.contextmanager
    def _locked(self, waiting: Waiting) -> Iterator[None]:
        """One process at a time; the others wait. What the disk refuses becomes one line."""
        until = time.monotonic() + WAIT_S
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / "lock").open("w") as lock:
                while not _taken(lock):
                    if time.monotonic() > until:
                        raise UsageError(f"engine cache: another process builds, for over {WAIT_S:.0f} s")
                    waiting()
                    time.sleep(_POLL_S)
                yield
        except OSError as error:
            raise UsageError(f"engine cache {self.folder}: {error.strerror or error}") from None


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def set_aside(path: Path, problem: str) -> None:
    """Quarantine an engine, out of the way of the next one."""
    log.warning("engine %s is set aside as .bad: %s", path.name, problem, extra={"kind": "engine"})
    os.replace(path, path.with_suffix(".bad"))
    path.with_suffix(".json").unlink(missing_ok=True)


def _problem(path: Path, key: EngineKey) -> str:
    """Why the engine must not be opened; empty if it may."""
    try:
        side_car = json.loads(path.with_suffix(".json").read_text("utf-8"))
        expected = {**asdict(key), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    except (OSError, ValueError) as error:
        return f"its side-car cannot be read ({error})"
    if not isinstance(side_car, dict):
        return "its side-car is no object"
    wrong = [name for name, value in expected.items() if side_car.get(name) != value]
    if wrong:
        return f"its side-car has another {wrong[0]}: {str(side_car.get(wrong[0]))[:40]!r}"
    return ""


def _l4t() -> str:
    """The release of Jetson Linux: "36.4.3", empty elsewhere."""
    try:
        found = re.search(r"R(\d+).*?REVISION: ([\d.]+)", L4T.read_text("utf-8", "replace"))
    except OSError:
        return ""
    return f"{found[1]}.{found[2]}" if found else ""
