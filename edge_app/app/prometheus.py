"""The figures of the status message for Prometheus, on a loopback port; off unless a port is named.

Served by one thread, one reader at a time, from figures that the recognizer renews each second: no reader can hold the
recognizer up. `prometheus_client` and the server are loaded only where a port is named.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any, cast

from edge_app.app.metrics import BUCKETS_MS, Histogram
from edge_app.errors import PortError, UsageError
from edge_app.stream.endpoint import parse_host_port

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

READER_S = 2.0

Sample = tuple[Mapping[str, str], float]
"""Labels and a value."""


def loopback_address(endpoint: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, as `parse_host_port` reads it.

    Raises:
        UsageError: malformed, or reachable from other machines.
    """
    try:
        address, port = parse_host_port(endpoint)
        if not address.is_loopback:
            raise ValueError
    except ValueError:
        raise UsageError(
            f"metrics endpoint {endpoint!r}: allowed: 127.0.0.1:PORT, [::1]:PORT, localhost:PORT"
        ) from None
    return str(address), port


class Exporter:
    """Serves `families` under `/metrics` until closed. Port 0 takes any free one; `port` is the one taken.

    Raises:
        UsageError: not a loopback address. PortError: in use, or not permitted.
    """

    def __init__(self, endpoint: str) -> None:
        from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

        from prometheus_client import make_wsgi_app

        self.families: Iterable[Metric] = ()
        host, port = loopback_address(endpoint)
        figures = make_wsgi_app(cast("CollectorRegistry", self))  # of a registry it only calls `collect`

        def serve(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            if environ["PATH_INFO"] in ("/", "/metrics"):
                return figures(environ, start)
            start("404 Not Found", [("Content-Length", "0")])
            return [b""]

        class Server(WSGIServer):
            address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

            def handle_error(self, *_: Any) -> None:
                pass  # a reader that went away

        class Reader(WSGIRequestHandler):
            timeout = READER_S

            def version_string(self) -> str:
                return "edge-app"

            def log_message(self, *_: Any) -> None:
                pass

        try:
            self._server = make_server(host, port, serve, Server, Reader)
        except OSError as error:
            raise PortError(f"metrics endpoint {endpoint}: cannot be opened: {error.strerror}") from None
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def collect(self) -> Iterable[Metric]:
        """The figures of now."""
        return self.families

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def families(status: Mapping[str, Any], times: Mapping[str, Histogram], ages: Mapping[str, Histogram]) -> list[Metric]:
    """The figures of a status message, with the histograms of stages and of label ages by camera."""
    about = {key: status[key] for key in ("version", "bundle", "provider")}
    cameras, stages, recorder = status["cameras"].items(), status["stages"].items(), status["recorder"]
    same = "As in the status message."
    found = [
        _gauge("info", "What runs.", [(about, 1)]),
        _histogram("stage_seconds", "Time of one piece of work.", "stage", times),
        _histogram("label_age_seconds", "From the capture to the sending of a label.", "camera", ages),
        *(_counter(name, same, [({}, count)]) for name, count in status["counters"].items()),
    ]
    for key in ("frames", "dropped", "misordered", "reconnects", "fps_in", "epoch"):
        family = _gauge if key in ("fps_in", "epoch") else _counter
        found.append(
            family(f"camera_{key}", same, [({"camera": camera}, row[key]) for camera, row in cameras if key in row])
        )
    restarts = [({"stage": stage}, row["restarts"]) for stage, row in stages if "restarts" in row]
    return [
        *found,
        _states("camera_state", "1 for the state that the camera is in.", "camera", cameras),
        _states("stage_state", "1 for the state that the stage is in.", "stage", stages),
        _counter("restarts", "Of the stages that are processes.", restarts),
        _gauge("recorder_state", "1 for the recorder's state.", [({"state": recorder["state"]}, 1)]),
        _counter("recorder_dropped", "What went unrecorded.", [({}, recorder["dropped"])]),
    ]


def _states(name: str, about: str, label: str, rows: Iterable[tuple[str, Mapping[str, Any]]]) -> Metric:
    return _gauge(name, about, [({label: key, "state": row["state"]}, 1) for key, row in rows])


def _gauge(name: str, about: str, samples: Sequence[Sample]) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    family = GaugeMetricFamily(f"edge_app_{name}", about, labels=tuple(samples[0][0]) if samples else ())
    for labels, value in samples:
        family.add_metric(tuple(labels.values()), value)
    return family


def _counter(name: str, about: str, samples: Sequence[Sample]) -> Metric:
    """Of a name that gets `_total` behind it."""
    from prometheus_client.core import CounterMetricFamily

    family = CounterMetricFamily(f"edge_app_{name}", about, labels=tuple(samples[0][0]) if samples else ())
    for labels, value in samples:
        family.add_metric(tuple(labels.values()), value)
    return family


def _histogram(name: str, about: str, label: str, found: Mapping[str, Histogram]) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"edge_app_{name}", about, labels=(label,))
    limits = [*(f"{ms / 1000:g}" for ms in BUCKETS_MS), "+Inf"]
    for key, histogram in found.items():
        buckets = list(zip(limits, accumulate(histogram.counts), strict=True))
        family.add_metric((key,), buckets, round(histogram.sum_ms / 1000, 6))
    return family


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """endpoint: HOST:PORT on loopback where Prometheus may read figures; empty: nowhere."""

    endpoint: str = ""
