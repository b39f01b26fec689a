"""Real Triton servers, by the package nvidia-pytriton in a virtual environment of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ASK = """
import json, pathlib, sys, sysconfig, pytriton, onnxruntime
package = pathlib.Path(pytriton.__file__).parent
print(json.dumps([str(package), sysconfig.get_config_var("LIBDIR"), sys.version_info[:2]]))
"""


@dataclass
class Server:
    process: subprocess.Popen
    grpc: str
    http: str


def python_with_triton() -> tuple[str, list]:
    """The interpreter, and what `ASK` says of it; skips the test where there is none."""
    python = os.environ.get("EDGE_APP_TRITON_PYTHON", str(ROOT / ".venv/triton/bin/python"))
    try:
        found = subprocess.run([python, "-c", ASK], capture_output=True, text=True, timeout=60)
        return python, json.loads(found.stdout)
    except (OSError, ValueError):
        pytest.skip("no Triton server here: `make triton` installs one (nvidia-pytriton) beside .venv")


@contextmanager
def from_repository(repository: Path, work: Path, *options: str) -> Iterator[Server]:
    """`tritonserver` on a repository, which it looks through every second, with our stand-in for its ONNX backend."""
    python, (package, library, version) = python_with_triton()
    home = Path(package) / "tritonserver"
    backends = shutil.copytree(home / "backends", work / "backends")
    stub = home / "python_backend_stubs" / ".".join(map(str, version)) / "triton_python_backend_stub"
    shutil.copy(stub, backends / "python")
    (backends / "onnxruntime").mkdir()
    shutil.copy(Path(__file__).with_name("triton_backend.py"), backends / "onnxruntime" / "model.py")
    packages = Path(package).parent
    environment = {
        **os.environ, "PYTHONPATH": str(packages), "PATH": f"{Path(python).parent}:{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{library}:{packages}/nvidia_pytriton.libs",
    }  # fmt: skip
    grpc, http = free_port(), free_port()
    command = [
        str(home / "bin" / "tritonserver"), f"--model-repository={repository}", f"--backend-directory={backends}",
        "--model-control-mode=poll", "--repository-poll-secs=1", "--grpc-address=127.0.0.1", f"--grpc-port={grpc}",
        "--http-address=127.0.0.1", f"--http-port={http}", "--allow-metrics=false", *options,
    ]  # fmt: skip
    with started(command, environment, grpc, http) as server:
        yield server


@contextmanager
def from_python(bundle: Path) -> Iterator[Server]:
    """examples/triton/serve.py."""
    python, _ = python_with_triton()
    grpc, http = free_port(), free_port()
    command = [python, str(ROOT / "examples/triton/serve.py"), str(bundle), str(grpc), str(http)]
    with started(command, {**os.environ, "PYTHONPATH": str(ROOT)}, grpc, http) as server:
        yield server


@contextmanager
def started(command: list[str], environment: dict[str, str], grpc: int, http: int) -> Iterator[Server]:
    from tritonclient.http import InferenceServerClient

    process = subprocess.Popen(command, env=environment, stdout=sys.stderr, stderr=sys.stderr, start_new_session=True)
    try:
        until = time.monotonic() + 60
        client = InferenceServerClient(f"127.0.0.1:{http}")
        while not ready(client):
            assert process.poll() is None and time.monotonic() < until, "Triton does not start"
            time.sleep(0.2)
        yield Server(process, f"127.0.0.1:{grpc}", f"http://127.0.0.1:{http}")
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def ready(client) -> bool:
    try:
        return client.is_model_ready("edge-encoder")
    except OSError:
        return False


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
