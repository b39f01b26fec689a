"""What the device tells of its own power: Jetson's INA sensors, RAPL of x86 processors, NVML of NVIDIA GPUs.

Whole rails, not our share of them, and with what the device draws when idle. Reading RAPL takes root since 2020.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

NOT_TOLD = "not told by this device"


class Meter:
    """Energy of one rail since it was made, in joules: the sum of what is sampled, so call `sample` often.

    Args:
        watts: reads power now; or
        joules: reads a counter, which begins anew at `wraps_at`.

    Raises:
        OSError, ValueError: the first reading fails.
    """

    def __init__(
        self, name: str, *, watts: Callable[[], float] | None = None, joules: Callable[[], float] | None = None,
        wraps_at: float = 0.0,
    ) -> None:  # fmt: skip
        read = joules or watts
        assert read is not None
        self.name, self._read, self._counts, self._wraps_at = name, read, joules is not None, wraps_at
        self.joules = 0.0
        self._last, self._last_s = read(), time.monotonic()

    def sample(self) -> None:
        """Raises OSError or ValueError where the sensor has gone."""
        now, now_s = self._read(), time.monotonic()
        if self._counts:
            self.joules += now - self._last if now >= self._last else now + self._wraps_at - self._last
        else:
            self.joules += 0.5 * (now + self._last) * (now_s - self._last_s)
        self._last, self._last_s = now, now_s


def find_meters(root: Path = Path("/")) -> list[Meter]:
    """Every rail that can be read. `root`: where `sys` is."""
    return [*_rapl(root), *_ina(root), *_nvml()]


def _rapl(root: Path) -> list[Meter]:
    """Packages (and their memory, where told apart); the zones inside a package are part of it."""
    meters = []
    for zone in sorted((root / "sys/class/powercap").glob("intel-rapl:*")):
        try:
            name = (zone / "name").read_text().strip()
            if not name.startswith(("package", "dram")):
                continue
            most = _number(zone / "max_energy_range_uj") / 1e6
            meters.append(Meter(f"rapl {name}", joules=_reader(zone / "energy_uj", 1e-6), wraps_at=most))
        except (OSError, ValueError):
            continue
    return meters


def _ina(root: Path) -> list[Meter]:
    """The rail that feeds the whole board: VDD_IN or POM_5V_IN; on AGX boards every rail."""
    rails: dict[str, Meter] = {}
    for label in sorted((root / "sys/class/hwmon").glob("hwmon*/in*_label")):
        try:
            if not (label.parent / "name").read_text().startswith("ina3221"):
                continue
            rail, number = label.read_text().strip(), label.name.removeprefix("in").removesuffix("_label")
            rails[rail] = Meter(
                rail, watts=_product(label.parent / f"in{number}_input", label.parent / f"curr{number}_input")
            )
        except (OSError, ValueError):
            continue
    whole = [rails[rail] for rail in ("VDD_IN", "POM_5V_IN") if rail in rails]
    return whole or list(rails.values())


def _nvml() -> list[Meter]:
    """GPUs by NVML's library itself; it counts energy from Volta on, and tells power before."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return []
    count, handle = ctypes.c_uint(), ctypes.c_void_p()
    if library.nvmlInit_v2() or library.nvmlDeviceGetCount_v2(ctypes.byref(count)):
        return []
    meters = []
    for index in range(count.value):
        if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(handle)):
            continue
        device = ctypes.c_void_p(handle.value)
        name = f"gpu {index}"
        try:
            meters.append(
                Meter(name, joules=_ask(library.nvmlDeviceGetTotalEnergyConsumption, device, ctypes.c_ulonglong))
            )
        except OSError:
            try:
                meters.append(Meter(name, watts=_ask(library.nvmlDeviceGetPowerUsage, device, ctypes.c_uint)))
            except OSError:
                continue
    return meters


def _ask(function: Callable[..., int], device: ctypes.c_void_p, kind: type) -> Callable[[], float]:
    """A reading of NVML in mJ or mW as J or W; OSError where it is refused."""

    def read() -> float:
        value = kind()
        if code := function(device, ctypes.byref(value)):
            raise OSError(f"NVML error {code}")
        return value.value / 1000

    return read


def _reader(path: Path, unit: float) -> Callable[[], float]:
    return lambda: _number(path) * unit


def _product(volts: Path, amperes: Path) -> Callable[[], float]:
    """Watts from millivolts and milliamperes."""
    return lambda: _number(volts) * _number(amperes) * 1e-6


def _number(path: Path) -> float:
    return float(path.read_text())
