"""Memory and processor time of the app's processes, and energy of the device, between two moments."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

from edge_app.app.bench.power import Meter, find_meters


class Usage:
    """Call `begin`, then `sample` a few times a second, then `end`. By name of process: "supervisor" is this one.

    cpu_s: user and system time. rss_mib: the most seen. joules: by rail, of the whole device. seconds: in between.
    A process that the supervisor replaces counts from its start; what the old one used after the last sample is lost.
    """

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}
        self.rss_mib: dict[str, float] = {}
        self.joules: dict[str, float] = {}
        self.seconds = 0.0
        self._cpu_s: dict[int, float] = {}
        self._meters: list[Meter] = []

    def begin(self) -> None:
        self._cpu_s = {pid: _cpu_s(pid) for pid in _processes()}
        self._meters = find_meters()
        self._begun = time.monotonic()

    def sample(self) -> None:
        for pid, name in _processes().items():
            now_s = _cpu_s(pid)
            self.cpu_s[name] = self.cpu_s.get(name, 0.0) + now_s - self._cpu_s.get(pid, 0.0)
            self._cpu_s[pid] = now_s
            self.rss_mib[name] = max(self.rss_mib.get(name, 0.0), _rss_mib(pid))
        for meter in list(self._meters):
            try:
                meter.sample()
            except (OSError, ValueError):  # a sensor that went away in between tells nothing of the whole
                self._meters.remove(meter)

    def end(self) -> None:
        self.sample()
        self.seconds = time.monotonic() - self._begun
        self.joules = {meter.name: meter.joules for meter in self._meters}


def _processes() -> dict[int, str]:
    """The supervisor, and its children that are stages of the app."""
    children = {
        child.pid: child.name
        for child in multiprocessing.active_children()
        if child.name.startswith(("recogniser", "camera-")) and child.pid is not None
    }
    return {os.getpid(): "supervisor", **children}


def _cpu_s(pid: int) -> float:
    """User and system time so far; 0 where /proc does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0.0


def _rss_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
    except OSError:
        return 0.0
