"""Figures for Prometheus: on loopback only, the same as in the status message, and no reader holds anything up."""

from __future__ import annotations

import gzip
import json
import re
import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily

from edge_app.app.cli import main
from edge_app.app.metrics import BUCKETS_MS, StageTimes
from edge_app.app.prometheus import Exporter, families, loopback_address
from edge_app.errors import PortError, UsageError

STATUS = json.loads((Path(__file__).parents[1] / "golden/messages/status-1.1.json").read_text())
SAMPLE = re.compile(r'edge_app_[a-z0-9_]+(\{([a-z]+="(\\.|[^"\\\n])*",?)+\})? -?[0-9.e+-]+')


@pytest.fixture
def exporter():
    opened = Exporter("127.0.0.1:0")
    yield opened
    opened.close()


def read(exporter: Exporter, path: str = "/metrics") -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{exporter.port}{path}", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        return answer.read().decode()


def values(text: str) -> dict[str, float]:
    """Every sample by its name and its labels, these in order: `name{a="1",b="2"}`."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in lines), [line for line in lines if not SAMPLE.fullmatch(line)]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_the_text_says_what_the_status_message_says(exporter: Exporter) -> None:
    times, ages = StageTimes(), StageTimes()
    for ms in (0.5, 1.0, 3.0, 7.0, 5000.0):
        times.add("encoder", ms)
    ages.add("front", 63.0)
    status = {**STATUS, "stages": {**STATUS["stages"], "camera-front": {"state": "running", "restarts": 2}}}
    exporter.families = families(status, times.histograms, ages.histograms)
    found = values(read(exporter))
    assert found['edge_app_camera_frames_total{camera="front"}'] == STATUS["cameras"]["front"]["frames"]
    assert found['edge_app_camera_dropped_total{camera="front"}'] == STATUS["cameras"]["front"]["dropped"]
    assert found['edge_app_camera_state{camera="front",state="running"}'] == 1
    assert found['edge_app_stage_state{stage="ranker",state="ready"}'] == 1
    assert found['edge_app_restarts_total{stage="camera-front"}'] == 2
    assert found['edge_app_recorder_state{state="recording"}'] == 1
    assert found["edge_app_stale_dropped_total"] == STATUS["counters"]["stale_dropped"]
    assert found['edge_app_stage_seconds_count{stage="encoder"}'] == 5
    assert found['edge_app_stage_seconds_sum{stage="encoder"}'] == pytest.approx(5.0115)
    buckets = [found[f'edge_app_stage_seconds_bucket{{le="{ms / 1000:g}",stage="encoder"}}'] for ms in BUCKETS_MS]
    assert buckets == [2, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4]
    assert found['edge_app_stage_seconds_bucket{le="+Inf",stage="encoder"}'] == 5
    assert found['edge_app_label_age_seconds_bucket{camera="front",le="0.1"}'] == 1


def test_names_and_kinds_are_those_they_always_were(exporter: Exporter) -> None:
    exporter.families = families(STATUS, {}, {})
    kinds = dict(line.split()[2:] for line in read(exporter).splitlines() if line.startswith("# TYPE"))
    counters = [*STATUS["counters"], *(f"camera_{key}" for key in ("frames", "dropped", "misordered", "reconnects"))]
    assert kinds == {
        **{f"edge_app_{name}_total": "counter" for name in (*counters, "restarts", "recorder_dropped")},
        **{f"edge_app_{name}": "gauge" for name in ("info", "camera_fps_in", "camera_epoch", "camera_state",
                                                    "stage_state", "recorder_state")},
        "edge_app_stage_seconds": "histogram", "edge_app_label_age_seconds": "histogram",
    }  # fmt: skip


def test_prometheus_may_ask_for_openmetrics_and_gzip(exporter: Exporter) -> None:
    exporter.families = families(STATUS, {}, {})
    wanted = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    asked = urllib.request.Request(f"http://127.0.0.1:{exporter.port}/metrics", headers=wanted)
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
        text = gzip.decompress(answer.read()).decode()
    assert text.endswith("# EOF\n") and "# TYPE edge_app_restarts counter\n" in text


def test_no_name_can_forge_a_line(exporter: Exporter) -> None:
    times = StageTimes()
    times.add('a"} 1\nedge_app_forged 1\\', 1.0)
    exporter.families = families(STATUS, times.histograms, {})
    assert "edge_app_forged" not in values(read(exporter))


def test_a_count_goes_on_where_the_percentiles_forget() -> None:
    times = StageTimes()
    for _ in range(5000):
        times.add("encoder", 1.0)
    assert times.summary()["encoder"]["count"] == 5000


def test_readers_that_say_nothing_or_go_away_hold_nothing_up(exporter: Exporter) -> None:
    exporter.families = [GaugeMetricFamily("edge_app_x", "x", 1)]
    with socket.create_connection(("127.0.0.1", exporter.port)) as silent:
        silent.sendall(b"GET /met")
        exporter.families = [GaugeMetricFamily("edge_app_x", "x", 2)]  # the recognizer only sets this
    assert values(read(exporter)) == {"edge_app_x": 2}
    with pytest.raises(urllib.error.HTTPError, match="404"):
        read(exporter, "/etc/passwd")


@pytest.mark.parametrize(
    "endpoint", ["0.0.0.0:9109", "192.168.0.4:9109", "[::]:9109", "example.org:9109", "9109", ":9109", "127.0.0.1:",
                 "127.0.0.1:70000", "127.0.0.1:x", "tcp://127.0.0.1:9109", "[::ffff:192.168.0.4]:9109", "127.1:9109"],
)  # fmt: skip
def test_only_loopback_is_allowed(endpoint: str) -> None:
    with pytest.raises(UsageError, match=r"allowed: 127\.0\.0\.1:PORT"):
        loopback_address(endpoint)


def test_loopback_in_all_its_forms() -> None:
    assert loopback_address("localhost:9109") == ("127.0.0.1", 9109)
    assert loopback_address("[::1]:9109") == ("::1", 9109)
    assert loopback_address("127.0.0.2:0") == ("127.0.0.2", 0)


def test_the_command_line_refuses(capfd) -> None:
    assert main(["run", "person://wave", "--metrics", "0.0.0.0:9109"]) == 2
    assert "0.0.0.0:9109" in capfd.readouterr().err


def test_a_port_in_use(exporter: Exporter) -> None:
    with pytest.raises(PortError, match="cannot be opened"):
        Exporter(f"127.0.0.1:{exporter.port}")
