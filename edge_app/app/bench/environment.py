"""What a measurement was taken on: the device, its drivers and power mode, and the versions of what ran."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from edge_app import __version__
from edge_app.app.processes.supervisor import AppTask

PACKAGES = ("mediapipe", "onnxruntime", "onnxruntime-gpu", "tensorrt", "tensorrt-rtx", "numpy", "pyzmq")


def environment() -> dict[str, Any]:
    """Of this machine now; what it does not tell is None."""
    return {
        "edge_app": __version__,
        "python": platform.python_version(),
        "device": _first("/proc/device-tree/model", "/sys/class/dmi/id/product_name"),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": platform.platform(),
        "driver": _first("/proc/driver/nvidia/version", "/etc/nv_tegra_release"),
        "governor": _first("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "power_mode": _first("/var/lib/nvpmodel/status"),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def config_hash(task: AppTask) -> str:
    """Of everything that was asked for: settings, labels, ranker, runtime; but not what finds the poses."""
    settings = {name: group for name, group in asdict(task.settings).items() if name != "pose"}
    asked = [settings, [asdict(label) for label in task.labels], task.ranker, task.runtime]
    return "sha256:" + hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:12]


def _first(*files: str) -> str | None:
    """The first line of the first of the files that can be read."""
    for file in files:
        try:
            return Path(file).read_text("utf-8", "replace").strip("\0\n ").partition("\n")[0]
        except OSError:
            continue
    return None


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
