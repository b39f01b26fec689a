"""The figures of the status message as Prometheus text, on a loopback port; off unless a port is named.

Served by one thread, one reader at a time, from a text that the recognizer renews each second: no reader can hold the
recognizer up.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import accumulate
from typing import Any

from edge_app.app.metrics import BUCKETS_MS, Histogram
from edge_app.errors import PortError, UsageError
from edge_app.stream.endpoint import parse_place

READER_S = 2.0


def loopback_address(endpoint: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, as `parse_place` reads it.

    Raises:
        UsageError: malformed, or reachable from other machines.
    """
    try:
        address, port = parse_place(endpoint)
        if not address.is_loopback:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"metrics endpoint {endpoint!r}: allowed: 127.0.0.1:PORT, [::1]:PORT, localhost:PORT"
        ) from None
    return str(address), port


class Exporter:
    """Serves `text` under `/metrics` until closed. Port 0 takes any free one; `port` is the one taken.

    Raises:
        UsageError: not a loopback address. PortError: in use, or not permitted.
    """

    def __init__(self, endpoint: str) -> None:
        self.text = ""
        address = loopback_address(endpoint)
        exporter = self

        class Reader(BaseHTTPRequestHandler):
            timeout = READER_S

            def do_GET(self) -> None:
                if self.path not in ("/", "/metrics"):
                    self.send_error(404)
                    return
                body = exporter.text.encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def version_string(self) -> str:
                return "edge-app"

            def log_message(self, *_: Any) -> None:
                pass

        class Server(HTTPServer):
            address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET

            def handle_error(self, *_: Any) -> None:
                pass  # a reader that went away

        try:
            self._server = Server(address, Reader)
        except OSError as error:
            raise PortError(f"metrics endpoint {endpoint}: cannot be opened: {error.strerror}") from None
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def render(status: Mapping[str, Any], times: Mapping[str, Histogram], ages: Mapping[str, Histogram]) -> str:
    """Prometheus text of a status message, with the histograms of stages and of label ages by camera."""
    return "\n".join([*_lines(status, times, ages), ""])


def _lines(status: Mapping[str, Any], times: Mapping[str, Histogram], ages: Mapping[str, Histogram]) -> Iterator[str]:
    about = {"version": status["version"], "bundle": status["bundle"], "provider": status["provider"]}
    yield from _family("info", "gauge", "What runs.", [(about, 1)])
    yield from _histogram("stage_seconds", "Time of one piece of work.", "stage", times)
    yield from _histogram("label_age_seconds", "From the capture to the sending of a label.", "camera", ages)
    for name, count in status["counters"].items():
        yield from _family(f"{name}_total", "counter", "As in the status message.", [({}, count)])
    cameras = status["cameras"].items()
    for key in ("frames", "dropped", "misordered", "reconnects", "fps_in", "epoch"):
        name, kind = (f"camera_{key}", "gauge") if key in ("fps_in", "epoch") else (f"camera_{key}_total", "counter")
        samples = [({"camera": camera}, row[key]) for camera, row in cameras if key in row]
        yield from _family(name, kind, "As in the status message.", samples)
    views = [({"camera": camera, "state": row["state"]}, 1) for camera, row in cameras]
    yield from _family("camera_state", "gauge", "1 for the state that the camera is in.", views)
    stages = status["stages"].items()
    states = [({"stage": stage, "state": row["state"]}, 1) for stage, row in stages]
    yield from _family("stage_state", "gauge", "1 for the state that the stage is in.", states)
    restarts = [({"stage": stage}, row["restarts"]) for stage, row in stages if "restarts" in row]
    yield from _family("restarts_total", "counter", "Of the stages that are processes.", restarts)
    recorder = status["recorder"]
    yield from _family("recorder_state", "gauge", "1 for the recorder's state.", [({"state": recorder["state"]}, 1)])
    yield from _family("recorder_dropped_total", "counter", "What went unrecorded.", [({}, recorder["dropped"])])


def _family(name: str, kind: str, about: str, samples: Sequence[tuple[Mapping[str, str], float]]) -> Iterator[str]:
    yield f"# HELP edge_app_{name} {about}"
    yield f"# TYPE edge_app_{name} {kind}"
    for labels, value in samples:
        yield _sample(name, labels, value)


def _histogram(name: str, about: str, label: str, found: Mapping[str, Histogram]) -> Iterator[str]:
    yield from _family(name, "histogram", about, [])
    for key, histogram in found.items():
        below = list(accumulate(histogram.counts))
        for limit, count in zip([*(f"{ms / 1000:g}" for ms in BUCKETS_MS), "+Inf"], below, strict=True):
            yield _sample(f"{name}_bucket", {label: key, "le": limit}, count)
        yield _sample(f"{name}_sum", {label: key}, round(histogram.sum_ms / 1000, 6))
        yield _sample(f"{name}_count", {label: key}, below[-1])


def _sample(name: str, labels: Mapping[str, str], value: float) -> str:
    quoted = ",".join(f'{key}="{_quoted(text)}"' for key, text in labels.items())
    return f"edge_app_{name}{{{quoted}}} {value}" if quoted else f"edge_app_{name} {value}"


def _quoted(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """endpoint: HOST:PORT on loopback where Prometheus may read figures; empty: nowhere."""

    endpoint: str = ""
