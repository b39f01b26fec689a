"""A TensorRT session against a driver compiled from `driver.c`, which checks every call's signature as C sees it."""

import ctypes
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edge_app.errors import UsageError
from edge_app.runtime import cuda
from edge_app.runtime.cuda import Cuda, CudaError, Gpu
from edge_app.runtime.engines import engine_key
from edge_app.runtime.session import open_session
from edge_app.runtime.tensorrt import TensorRtSession, load_tensorrt, version_of


@pytest.fixture
def driver(tmp_path, monkeypatch):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler here")
    library = tmp_path / "libcuda.so.1"
    source = Path(__file__).with_name("driver.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", library, source], check=True)
    monkeypatch.setattr(cuda, "LIBRARY", str(library))
    return ctypes.CDLL(str(library))


@pytest.fixture
def tensorrt(driver, monkeypatch):
    """A module `tensorrt` whose engines double what they are given."""

    class Context:
        def __init__(self):
            self.addresses, self.launched = {}, 0

        def set_tensor_address(self, name, address):
            self.addresses[name] = address

        def set_input_shape(self, name, shape):
            assert name == "window"
            self.size = 4 * int(np.prod(shape))

        def execute_async_v3(self, stream):
            self.launched += 1
            put = driver.test_double
            put.argtypes = [ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_size_t]
            return put(stream, self.addresses["feature"], self.addresses["window"], self.size) == 0

    class Runtime:
        def __init__(self, logger):
            pass

        def deserialize_cuda_engine(self, data):
            if data != b"good":
                return None
            return SimpleNamespace(
                create_execution_context=Context,
                get_tensor_name=["window", "feature"].__getitem__,
                get_tensor_shape=lambda name: (-1, 3, 4),
            )

    logger = lambda severity: None  # noqa: E731
    logger.ERROR = 1
    module = SimpleNamespace(__name__="tensorrt", __version__="10.3.0.30", Logger=logger, Runtime=Runtime)
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    return module


def test_batches_of_any_size_and_graphs_that_are_replayed(tensorrt):
    session = TensorRtSession(b"good", "fp16")
    assert session.provider == "tensorrt-fp16"
    assert session.shape == (3, 4)
    rng = np.random.default_rng(0)
    kept = []
    for size in (1, 1, 3, 64, 1, 3, 64):
        batch = rng.normal(size=(size, 3, 4)).astype(np.float32)
        kept.append((batch, session.run(batch)))
    for batch, result in kept:
        np.testing.assert_array_equal(result, 2 * batch)
    assert session._context.launched == 2 * 3, "for each size once to warm up and once to capture"


def test_an_engine_that_cannot_be_loaded(tensorrt):
    with pytest.raises(UsageError, match="cannot load the engine"):
        TensorRtSession(b"bad")


@pytest.mark.fault
def test_P9_a_lost_device_is_an_error_with_the_drivers_own_name(tensorrt, driver):
    session = TensorRtSession(b"good")
    batch = np.ones((1, 3, 4), np.float32)
    session.run(batch)
    driver.test_fail(719)
    with pytest.raises(CudaError, match=r"cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED \(719\)"):
        session.run(batch)


def test_the_key_names_gpu_capability_and_version(tensorrt, tmp_path):
    (tmp_path / "x.onnx").write_bytes(b"x")
    key = engine_key(tmp_path / "x.onnx", "fp16")
    assert (key.gpu, key.capability, key.tensorrt) == ("Stand-in GPU", "8.7", "10.3.0.30")
    assert key.file == "2d711642b726-stand_in_gpu-sm87-trt10.3.0.30-fp16-b1_64.engine"
    assert Cuda().gpu() == Gpu("Stand-in GPU", "8.7")


def test_an_old_tensorrt_is_refused_with_the_version_found(tensorrt):
    tensorrt.__version__ = "8.6.1"
    with pytest.raises(UsageError, match=r"8\.6\.1 found, at least 10\.3"):
        load_tensorrt()


def test_rtx_is_taken_where_there_is_no_tensorrt(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    rtx = SimpleNamespace(__name__="tensorrt_rtx", __version__="1.7.1")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", rtx)
    assert load_tensorrt() is rtx
    assert version_of(rtx) == "rtx1.7.1"
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(UsageError, match="--system-site-packages"):
        load_tensorrt()


def test_without_a_driver_it_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(cuda, "LIBRARY", str(tmp_path / "none.so"))
    with pytest.raises(UsageError, match="no NVIDIA driver"):
        open_session(tmp_path / "x.onnx", "tensorrt")
