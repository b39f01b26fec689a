"""The little of the CUDA driver that a session needs, through `ctypes`: every driver has it, and no package is needed.

Names are those of the driver's own documentation. Everything runs in the device's primary context, which TensorRT and
ONNX Runtime use too, and on one stream.
"""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass

import numpy as np

from edge_app.errors import UsageError

LIBRARY = "libcuda.so.1"
_CAPABILITY_MAJOR, _CAPABILITY_MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*
_NON_BLOCKING = 1  # CU_STREAM_NON_BLOCKING
_THREAD_LOCAL = 1  # CU_STREAM_CAPTURE_MODE_THREAD_LOCAL


@dataclass(frozen=True, slots=True)
class Gpu:
    """name: as the driver gives it. capability: "8.7" for an Orin."""

    name: str
    capability: str


class CudaError(RuntimeError):
    """A call of the driver failed: the device is lost, memory is out, …"""


class Cuda:
    """The first GPU. `stream` is a handle that TensorRT takes.

    Raises:
        UsageError: no driver, or no GPU. CudaError: any call that fails later.
    """

    def __init__(self) -> None:
        try:
            self._driver = ctypes.CDLL(LIBRARY)
        except OSError:
            raise UsageError(f"no NVIDIA driver ({LIBRARY} not found)") from None
        device, context, stream = c_int(), c_void_p(), c_void_p()
        try:
            self._call("cuInit", c_uint(0))
            self._call("cuDeviceGet", byref(device), c_int(0))
        except CudaError as error:
            raise UsageError(f"no NVIDIA GPU ({error})") from None
        self._device = device
        self._call("cuDevicePrimaryCtxRetain", byref(context), device)
        self._context = context
        self.use()
        self._call("cuStreamCreate", byref(stream), c_uint(_NON_BLOCKING))
        self.stream: int = stream.value or 0

    def use(self) -> None:
        """Make the device current in the calling thread."""
        self._call("cuCtxSetCurrent", self._context)

    def gpu(self) -> Gpu:
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, c_int(len(name)), self._device)
        parts = []
        for attribute in (_CAPABILITY_MAJOR, _CAPABILITY_MINOR):
            value = c_int()
            self._call("cuDeviceGetAttribute", byref(value), c_int(attribute), self._device)
            parts.append(value.value)
        return Gpu(name.value.decode("utf-8", "replace"), f"{parts[0]}.{parts[1]}")

    def memory(self, size: int) -> int:
        """Address of `size` bytes on the device, kept until the process ends."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), c_size_t(size))
        return address.value

    def pinned(self, shape: tuple[int, ...]) -> np.ndarray:
        """A float32 array in page-locked memory, so that copies need no detour; kept until the process ends."""
        address, size = c_void_p(), 4 * math.prod(shape)
        self._call("cuMemAllocHost_v2", byref(address), c_size_t(size))
        floats = ctypes.cast(address, ctypes.POINTER(ctypes.c_float))
        return np.ctypeslib.as_array(floats, shape)

    def to_device(self, address: int, host: np.ndarray, size: int) -> None:
        self._call("cuMemcpyHtoDAsync_v2", c_uint64(address), c_void_p(host.ctypes.data), c_size_t(size), self._stream)

    def to_host(self, host: np.ndarray, address: int, size: int) -> None:
        self._call("cuMemcpyDtoHAsync_v2", c_void_p(host.ctypes.data), c_uint64(address), c_size_t(size), self._stream)

    def synchronise(self) -> None:
        """Wait for everything on the stream."""
        self._call("cuStreamSynchronize", self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what `work` puts on the stream as a CUDA graph; the result puts all of it there in one call."""
        graph, executable = c_void_p(), c_void_p()
        self._call("cuStreamBeginCapture_v2", self._stream, c_int(_THREAD_LOCAL))
        try:
            work()
        finally:
            self._call("cuStreamEndCapture", self._stream, byref(graph))
        self._call("cuGraphInstantiateWithFlags", byref(executable), graph, c_uint64(0))
        self._call("cuGraphDestroy", graph)
        return lambda: self._call("cuGraphLaunch", executable, self._stream)

    @property
    def _stream(self) -> c_void_p:
        return c_void_p(self.stream)

    def _call(self, name: str, *arguments: object) -> None:
        code = getattr(self._driver, name)(*arguments)
        if code:
            text = c_char_p()
            self._driver.cuGetErrorName(c_int(code), byref(text))
            raise CudaError(f"{name}: {(text.value or b'error').decode()} ({code})")
