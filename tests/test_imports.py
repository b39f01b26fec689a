"""The device needs no torch, and the client needs nothing but pyzmq and the standard library."""

import os
import subprocess
import sys

EVERYTHING = """
import importlib, pkgutil, sys
import edge_app
for module in pkgutil.walk_packages(edge_app.__path__, "edge_app."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name not in ("cyclonedds", "paho"):  # extras, of one bridge each
                raise
heavy = {"torch", "train", "export", "onnx", "tqdm", "pytest"} & {name.partition(".")[0] for name in sys.modules}
sys.exit(f"imported: {sorted(heavy)}" if heavy else 0)
"""


def test_importing_all_of_edge_app_needs_no_torch():
    done = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_onnx_runtime_reports_to_nobody(tmp_path):
    """Its telemetry leaves a session file in TMPDIR as soon as it is imported, unless it is off."""
    run = [sys.executable, "-c", "import edge_app, onnxruntime"]
    subprocess.run(run, check=True, timeout=100, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []
