"""TensorRT, or TensorRT for RTX, which has the same interface: build an engine from ONNX, and run one.

Networks are strongly typed: the precision is the ONNX file's own, so that versions 10 and 11 build the same thing.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.files import write_bytes
from edge_app.errors import UsageError

MIN_BATCH, MAX_BATCH = 1, 64
OLDEST = (10, 3)  # of `tensorrt`: what JetPack 6 has


def load_tensorrt() -> Any:
    """The module `tensorrt`, or `tensorrt_rtx`.

    Raises:
        UsageError: neither is installed, or it is too old or broken.
    """
    for name in ("tensorrt", "tensorrt_rtx"):
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError:
            continue
        except (ImportError, OSError) as error:
            raise UsageError(f"{name} is installed but cannot be loaded ({str(error)[:160]})") from None
        if name == "tensorrt" and tuple(map(int, module.__version__.split(".")[:2])) < OLDEST:
            raise UsageError(f"tensorrt {module.__version__} found, at least {'.'.join(map(str, OLDEST))} is needed")
        return module
    raise UsageError(
        "TensorRT is not installed; on a Jetson make the virtual environment with --system-site-packages, "
        "for RTX cards: pip install 'edge-app[tensorrt]'"
    )


def version_of(trt: Any) -> str:
    """As it stands in file names: "10.3.0.30", or "rtx1.7.1.116"."""
    return trt.__version__ if trt.__name__ == "tensorrt" else f"rtx{trt.__version__}"


def build_engine(model: Path, timings: Path | None = None) -> bytes:
    """A serialised engine for batches of 1 to 64.

    timings: TensorRT's own cache of what it measured, read and written; TensorRT for RTX measures nothing.

    Raises:
        UsageError: TensorRT is not here, or refuses the network.
    """
    trt = load_tensorrt()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse(model.read_bytes()):
        raise UsageError(f"{model.name}: TensorRT cannot parse it ({parser.get_error(0).desc()[:200]})")
    entry = network.get_input(0)
    one, most = ((batch, *tuple(entry.shape)[1:]) for batch in (MIN_BATCH, MAX_BATCH))
    profile = builder.create_optimization_profile()
    profile.set_shape(entry.name, one, one, most)
    config = builder.create_builder_config()
    config.add_optimization_profile(profile)
    timings = timings if trt.__name__ == "tensorrt" else None
    if timings:
        known = timings.read_bytes() if timings.is_file() else b""
        config.set_timing_cache(config.create_timing_cache(known), ignore_mismatch=False)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise UsageError(f"{model.name}: TensorRT cannot build an engine from it")
    if timings:
        write_bytes(timings, config.get_timing_cache().serialize())
    return bytes(engine)


class TensorRtSession:
    """An engine on the first GPU, with pinned buffers, a stream of its own, and a CUDA graph for each batch size met.

    Batches of at most 64; `shape` is that of one window.

    Raises:
        UsageError: no TensorRT, no GPU, or an engine that cannot be loaded here.
    """

    def __init__(self, engine: bytes, precision: str = "fp32") -> None:
        from edge_app.runtime.cuda import Cuda

        trt = load_tensorrt()
        self._cuda = Cuda()
        self._logger = trt.Logger(trt.Logger.ERROR)
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._runtime.deserialize_cuda_engine(engine)
        if self._engine is None:
            raise UsageError("TensorRT cannot load the engine")
        self._context = self._engine.create_execution_context()
        self._entry, self._exit = (self._engine.get_tensor_name(i) for i in range(2))
        self._host_in, self._device_in = self._buffers(self._entry)
        self._host_out, self._device_out = self._buffers(self._exit)
        self.shape = self._host_in.shape[1:]
        self._launchers: dict[int, Callable[[], None]] = {}
        self.provider = f"{trt.__name__.replace('_', '-')}-{precision}"

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Raises CudaError where the device fails."""
        self._cuda.use()
        count = len(batch)
        self._host_in[:count] = batch
        if count not in self._launchers:
            self._launchers[count] = self._prepare(count)
        self._launchers[count]()
        self._cuda.synchronise()
        return self._host_out[:count].copy()

    def _buffers(self, name: str) -> tuple[np.ndarray, int]:
        shape = (MAX_BATCH, *tuple(self._engine.get_tensor_shape(name))[1:])
        address = self._cuda.memory(4 * math.prod(shape))
        self._context.set_tensor_address(name, address)
        return self._cuda.pinned(shape), address

    def _prepare(self, count: int) -> Callable[[], None]:
        """What copies, runs and copies back. The first run, outside any graph, is where TensorRT sets itself up."""

        self._context.set_input_shape(self._entry, (count, *self.shape))

        def work() -> None:
            self._cuda.to_device(self._device_in, self._host_in, self._host_in[:count].nbytes)
            if not self._context.execute_async_v3(self._cuda.stream):
                raise RuntimeError("TensorRT cannot run the engine")
            self._cuda.to_host(self._host_out, self._device_out, self._host_out[:count].nbytes)

        work()
        self._cuda.synchronise()
        capturable = getattr(self._context, "is_stream_capturable", None)  # TensorRT for RTX cannot always be captured
        return self._cuda.capture(work) if capturable is None or capturable(self._cuda.stream) else work
