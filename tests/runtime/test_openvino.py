"""OpenVINO computes what ONNX Runtime does, and tells nobody."""

import os
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.errors import UsageError
from edge_app.recognizer import self_test
from edge_app.runtime.session import open_session

if find_spec("openvino") is None:  # not imported here, which would tell its maker
    pytest.skip("pip install 'edge-app[openvino]'", allow_module_level=True)

QUIET = """
import sys
calls = []
sys.addaudithook(lambda name, _: calls.append(name) if name.startswith(("socket.", "os.fork")) else None)
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
encoder = load_encoder(load_bundle(DEFAULT), "openvino")
assert encoder.provider == "openvino-cpu"
sys.exit(f"it called {calls}" if calls else 0)
"""


def test_it_passes_the_self_test_and_agrees_closely():
    bundle = load_bundle(DEFAULT)
    encoder = load_encoder(bundle, "openvino")
    self_test(bundle, encoder)
    for window in bundle.golden()["windows"]:
        np.testing.assert_allclose(encoder.vector(window), load_encoder(bundle).vector(window), atol=1e-3)


def test_a_result_stays_when_the_next_is_computed():
    bundle = load_bundle(DEFAULT)
    encoder, (first, second) = load_encoder(bundle, "openvino"), bundle.golden()["windows"][:2]
    kept = encoder.vector(first)
    before = kept.copy()
    encoder.vector(second)
    np.testing.assert_array_equal(kept, before)


def test_loading_it_tells_nobody(tmp_path):
    """Its telemetry would send from a forked process, and remember in the home folder that it asked."""
    environment = {**os.environ, "HOME": str(tmp_path), "CI": ""}
    done = subprocess.run([sys.executable, "-c", QUIET], capture_output=True, text=True, timeout=100, env=environment)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("jail", ["", "umount -l /sys && "])
def test_F1_it_prints_nothing(jail):
    unshare = ["unshare", "--mount", "sh", "-c"]
    if jail and subprocess.run([*unshare, f"{jail}true"], capture_output=True).returncode:
        pytest.skip("/sys may not be taken away here")
    command = [*(unshare if jail else ["sh", "-c"]), f'{jail}exec "$@"', "sh", sys.executable, "-c", QUIET]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_file_that_is_no_network_is_one_line(tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"not a network")
    with pytest.raises(UsageError, match=r"x\.onnx: OpenVINO cannot load it") as caught:
        open_session(tmp_path / "x.onnx", "openvino")
    assert "\n" not in str(caught.value)
