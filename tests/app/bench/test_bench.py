"""What a measurement counts, from made-up stamps; then one of the whole app."""

import json
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_app.app.assemble import default_task
from edge_app.app.bench.environment import config_hash
from edge_app.app.bench.picture import draw_latencies, draw_strip
from edge_app.app.bench.power import NOT_TOLD, Meter, find_meters
from edge_app.app.bench.report import Schedule, by_schedule
from edge_app.app.bench.run import bench
from edge_app.app.bench.subscriber import Heard
from edge_app.app.cli import main
from edge_app.app.metrics import TracedTimes, read_trace
from tests.light import light, light_bundle

MS = 1_000_000
STRIDE = 100 * MS


def heard(*labels: tuple[int, int], end: int = 0, until: int = 0) -> Heard:
    """`labels`: capture and arrival in ms."""
    end = end or labels[-1][0] + 1
    told = tuple((captured * MS, received * MS, "idle") for captured, received in labels)
    return Heard(0, end * MS, (until or end) * MS, told, {}, {})


def test_on_time_labels_count_from_their_capture():
    schedule = by_schedule(heard((0, 30), (100, 140), (200, 235)), STRIDE)
    assert schedule.delay_ms.tolist() == [30, 40, 35]
    assert schedule.made.all()


def test_a_dropped_frame_counts_from_when_it_was_due():
    schedule = by_schedule(heard((0, 30), (133, 163), (200, 230)), STRIDE)
    assert schedule.delay_ms.tolist() == [30, 63, 30], "the second answer is for what was due at 100"
    assert schedule.made.all()


def test_a_stall_counts_for_every_decision_that_waited():
    schedule = by_schedule(heard((0, 30), (500, 540), (600, 630)), STRIDE)
    assert (schedule.due_s * 1e3).round().tolist() == [0, 100, 200, 300, 400, 500, 600]
    assert schedule.delay_ms.tolist() == [30, 440, 340, 240, 140, 40, 30]
    assert schedule.made.tolist() == [True, *4 * [False], True, True]


def test_labels_that_come_too_seldom_are_not_counted_twice():
    schedule = by_schedule(heard(*((ms, ms + 50) for ms in range(0, 6000, 160))), STRIDE)
    assert len(schedule.made) <= 60, "ten a second"
    assert (schedule.delay_ms >= 50).all()


def test_what_never_came_waited_to_the_end():
    schedule = by_schedule(heard((0, 30), end=300, until=1300), STRIDE)
    assert schedule.made.tolist() == [True, False, False]
    assert schedule.delay_ms.tolist() == [30, 1200, 1100]


def test_labels_beyond_the_schedule_are_not_counted():
    schedule = by_schedule(heard((0, 30), (33, 60), (66, 90), (100, 130)), STRIDE)
    assert len(schedule.made) <= 3
    assert schedule.delay_ms.max() < 100


def test_a_trace_gives_back_every_duration_within_its_time(tmp_path):
    times = TracedTimes(tmp_path / "trace")
    for ms in (1.0, 2.5):
        times.add("pose", ms)
    assert read_trace(tmp_path / "trace", 0, 2**63)["pose"].tolist() == [1.0, 2.5]
    assert read_trace(tmp_path / "trace", 0, 1) == {}


def test_a_counter_of_energy_may_begin_anew(tmp_path):
    zone = tmp_path / "sys/class/powercap/intel-rapl:0"
    zone.mkdir(parents=True)
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("10000000\n")
    (zone / "energy_uj").write_text("9000000\n")
    meter = next(meter for meter in find_meters(tmp_path) if meter.name == "rapl package-0")
    (zone / "energy_uj").write_text("1500000\n")
    meter.sample()
    assert meter.joules == pytest.approx(2.5)


def test_a_jetson_tells_the_power_of_the_whole_board(tmp_path):
    chip = tmp_path / "sys/class/hwmon/hwmon3"
    chip.mkdir(parents=True)
    (chip / "name").write_text("ina3221\n")
    for number, rail, ma in ((1, "VDD_IN", 1000), (2, "VDD_CPU", 300)):
        (chip / f"in{number}_label").write_text(f"{rail}\n")
        (chip / f"in{number}_input").write_text("5000\n")
        (chip / f"curr{number}_input").write_text(f"{ma}\n")
    names = [meter.name for meter in find_meters(tmp_path) if not meter.name.startswith("gpu")]
    assert names == ["VDD_IN"]


def test_power_is_summed_over_time(monkeypatch):
    now = iter([0.0, 2.0, 3.0])
    monkeypatch.setattr("edge_app.app.bench.power.time.monotonic", lambda: next(now))
    values = iter([4.0, 6.0, 6.0])
    meter = Meter("rail", watts=lambda: next(values))
    meter.sample()
    meter.sample()
    assert meter.joules == pytest.approx(2 * 5 + 6)


def test_a_sensor_that_may_not_be_read_is_left_out(tmp_path):
    (tmp_path / "sys/class/powercap/intel-rapl:0").mkdir(parents=True)
    assert [meter for meter in find_meters(tmp_path) if not meter.name.startswith("gpu")] == []


def test_pictures_are_well_formed_and_know_the_dark():
    rng = np.random.default_rng(0)
    schedule = Schedule(np.arange(0, 6, 0.1), rng.gamma(9, 6, 60), rng.random(60) > 0.1)
    for svg in (
        draw_latencies({"pose": rng.gamma(9, 2, 1000), "a < b": np.array([0.0])}),
        draw_strip(schedule, 100.0),
        draw_strip(Schedule(np.zeros(1), np.ones(1), np.ones(1, bool)), 100.0),
    ):
        ET.fromstring(svg)
        assert "prefers-color-scheme: dark" in svg
        assert "nan" not in svg and "inf" not in svg


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Path:
    """A folder with `bench/1` of the whole app, and its pictures."""
    folder = tmp_path_factory.mktemp("bench")
    source = "person://wave,squat?fps=15&size=320x240"
    code = bench(
        lambda endpoint: replace(default_task(source, "wave, squat, clap", endpoint), bundle=light_bundle()),
        seconds=2, warm_up_s=0.5, out=folder / "a.json", pictures=folder / "pictures",
    )  # fmt: skip
    assert code == 0
    return folder


def test_the_whole_app_is_measured(measured):
    result = json.loads((measured / "a.json").read_text())
    assert result["schema"] == "bench/1"
    assert set(result["stages"]) == {"pose", "window", "encoder", "ranker", "events", "publisher"}
    for row in (*result["stages"].values(), result["glass_to_label"]):
        assert 0 < row["p50_ms"] <= row["p90_ms"] <= row["p99_ms"] <= row["p99_9_ms"] <= row["max_ms"]
    assert result["glass_to_label"]["count"] == result["decisions"]["due"] >= 15
    assert set(result["rss_mib"]) == {"supervisor", "camera-cam", "recogniser"}
    assert result["cpu"]["ms_per_decision"] > 0
    assert result["power"]["told"] == NOT_TOLD or result["power"]["joules_per_decision"] > 0
    assert {"device", "driver", "governor", "power_mode", "bundle", "config", "provider"} <= set(result["environment"])
    for name in ("latency", "strip"):
        ET.parse(measured / "pictures" / f"{name}.svg")


def test_a_result_compared_with_itself_has_ratios_of_one(measured, capsys):
    assert main(["bench", "--compare", str(measured / "a.json"), str(measured / "a.json")]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert rows[0].split() == ["pose", *5 * ["1.00"]]


@pytest.mark.parametrize("key", ["processor", "bundle", "governor"])
def test_results_of_different_environments_are_not_compared(measured, capsys, key):
    other = json.loads((measured / "a.json").read_text())
    other["environment"][key] = "another"
    (measured / "b.json").write_text(json.dumps(other))
    assert main(["bench", "--compare", str(measured / "a.json"), str(measured / "b.json")]) == 2
    assert f"environment.{key}" in capsys.readouterr().err


def test_what_finds_the_poses_may_differ_and_is_named(measured, capsys):
    a = json.loads((measured / "a.json").read_text())
    other = {**a, "cameras": {"cam": {**a["cameras"]["cam"], "pose": "another-pose"}}}
    (measured / "b.json").write_text(json.dumps(other))
    assert main(["bench", "--compare", str(measured / "a.json"), str(measured / "b.json")]) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"poses by another-pose / {a['cameras']['cam']['pose']}"


def test_the_hash_of_what_was_asked_for_leaves_out_what_finds_the_poses():
    asked = ([], ["pose.backend=mediapipe"], ["camera.stride_s=0.2"])
    plain, other, slower = (config_hash(default_task("person://wave", None, "ipc://nowhere", one)) for one in asked)
    assert plain == other != slower


def test_what_is_no_result_is_refused_in_a_line(tmp_path, capsys):
    (tmp_path / "x.json").write_text("[]")
    assert main(["bench", "--compare", str(tmp_path / "x.json"), str(tmp_path / "x.json")]) == 2
    assert "bench/1" in capsys.readouterr().err


def test_a_source_that_cannot_be_opened_is_exit_4(capfd):
    assert main(["bench", "--source", "/no/such.mp4", "--seconds", "1", *light()]) == 4
    assert "/no/such.mp4" in capfd.readouterr().err


def test_F8_a_signal_before_there_is_anything_to_tell_is_no_fault_of_the_source(squats):
    command = [sys.executable, "-m", "edge_app", "bench", *light(), "--source", squats]
    with tempfile.TemporaryDirectory() as short:  # room for a socket
        environment = {**os.environ, "TMPDIR": short}
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        until = time.monotonic() + 60
        while not list(Path(short).glob("edge-app-bench-*/stream")):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.05)
        process.terminate()
        assert process.communicate(timeout=60) == ("", "") and process.returncode == 0


@pytest.mark.parametrize("seconds", ["0", "-1", "nan"])
def test_less_than_a_second_is_refused(capsys, seconds):
    assert main(["bench", "--seconds", seconds]) == 2
    assert "at least 1" in capsys.readouterr().err
