"""Faults of cameras. Each test: setup, fault, recovery, and what must hold all along."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
import zmq

from edge_app.app.processes.camera import CameraTask, run_camera
from edge_app.app.processes.child import Child, Pulse
from edge_app.app.processes.handover import report_receiver, unpack
from edge_app.app.settings import Settings
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.camera import open_source, opencv
from edge_app.camera.grab import Grabber, grab
from edge_app.errors import SourceError
from edge_app.recognizer import CameraConfig, Recognizer
from edge_app.types import CameraReport
from tests.grabbing import until
from tests.light import light_bundle
from tests.running import LABELS, SQUATS, action, children, repeat, stage, state, status, wait_for

pytestmark = pytest.mark.fault
DEFAULTS = Settings()
RATE_HZ = load_bundle(DEFAULT).spec.rate_hz


@contextmanager
def reports(uri: str, tmp_path: Path, settings: Settings = DEFAULTS) -> Iterator[Callable[[], CameraReport]]:
    """The camera stage in a thread; gives what returns its next report."""
    endpoint, context = f"ipc://{tmp_path}/cam", zmq.Context()
    socket = report_receiver(context, endpoint)
    child = Child(Pulse(go=True), {}, restarted=False)
    task = CameraTask("cam", uri, endpoint, load_bundle(DEFAULT).spec, settings)
    thread = threading.Thread(target=run_camera, args=(task, child))
    thread.start()

    def receive() -> CameraReport:
        assert socket.poll(20_000)
        return unpack(socket.recv())

    try:
        yield receive
    finally:
        child.stopping = True
        thread.join(20)
        context.destroy(linger=0)
        assert not thread.is_alive()


def test_C1_the_window_holds_nothing_from_before_the_loss(squats, tmp_path, capfd):
    with reports(f"fault://lost:after=2,for=1.5/{squats}", tmp_path) as receive:
        while (lost := receive()).state != "camera_lost":
            pass
        assert lost.window is None
        while (back := receive()).window is None:
            pass
        returned_ns = back.t_ns
        while back.t_ns - returned_ns < 1e9:
            assert back.epoch == 1 and back.reconnects == 1
            assert back.window.valid.sum() <= (back.t_ns - returned_ns) / 1e9 * 15 + 8, (
                "a shorter window than a full one"
            )
            back = receive()
    said = capfd.readouterr().err
    assert said.count("camera_lost") == 1 and said.count("running") == 1


def test_C1_a_lost_camera_ends_what_is_open_and_is_found_again(app, squats):
    it = app(f"fault://lost:after=4,for=1,every=6/{squats}")
    start = wait_for(it.stream, action("start"), ledger=it.ledger)[-1].data
    wait_for(it.stream, lambda m: action("end")(m) and m.data["reason"] == "camera_lost", ledger=it.ledger)
    lost = wait_for(it.stream, state("camera_lost"), ledger=it.ledger)
    assert not it.ledger.open and lost[-1].data["open"] == [] and lost[-1].data["topk"] == []
    assert start["event"] in {event for *_, event in it.ledger.ended}
    back = wait_for(it.stream, action("start"), ledger=it.ledger)[-1].data
    assert back["t_capture_mono_ns"] > lost[-1].data["t_publish_mono_ns"] and back["event"] != start["event"]
    said = it.stop()
    assert "cam: camera_lost" in said and "cam: running" in said


@contextmanager
def rtsp_server(port: int = 0, *more: str) -> Iterator[tuple[subprocess.Popen, int]]:
    python = shutil.which("python3", path="/usr/bin:/bin")
    server = Path(__file__).with_name("rtsp_server.py")
    probe = "import gi; gi.require_version('GstRtspServer', '1.0'); from gi.repository import GstRtspServer"
    if python is None or subprocess.run([python, "-c", probe], capture_output=True).returncode:
        pytest.skip("no GStreamer RTSP server: apt-get install python3-gst-1.0 gir1.2-gst-rtsp-server-1.0")
    process = subprocess.Popen([python, server, str(port), *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_C2_an_rtsp_server_that_stops_and_comes_back():
    with rtsp_server() as (server, port):
        grabber = grab(f"rtsp://127.0.0.1:{port}/live", camera="cam")
        with grabber:
            until(grabber, lambda s: s.frames > 5)
            server.kill()
            server.wait()
            until(grabber, lambda s: s.state == "camera_lost")
            assert "not reachable" in until(grabber, lambda s: "not reachable" in s.error).error
            with rtsp_server(port):
                status = until(grabber, lambda s: s.state == "running" and s.reconnects == 1)
                while grabber.newest(5) is None:
                    pass
                assert grabber.status().epoch == 1 and status.error == ""


@pytest.mark.parametrize("pause_s", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_C2_a_half_open_rtsp_connection_is_a_lost_camera(pause_s):
    """The server's machine hangs: the connection stands, and nothing comes. Longer than the time-out of a read, too."""
    with rtsp_server() as (server, port), grab(f"rtsp://127.0.0.1:{port}/live", camera="cam") as grabber:
        until(grabber, lambda s: s.frames > 5)
        server.send_signal(signal.SIGSTOP)
        frozen_at = time.monotonic()
        until(grabber, lambda s: s.state == "camera_lost")
        while time.monotonic() - frozen_at < pause_s:
            assert grabber.status().state == "camera_lost"
            time.sleep(0.1)
        epoch = grabber.status().epoch
        server.send_signal(signal.SIGCONT)
        until(grabber, lambda s: s.state == "running")
        while grabber.newest(5) is None:
            pass
        assert grabber.status().epoch == epoch + 1


@pytest.mark.slow
def test_C2_fifty_losses_leave_no_thread_and_no_descriptor(monkeypatch):
    monkeypatch.setattr("edge_app.camera.grab.RETRY_S", 0.02)
    with rtsp_server() as (_, port):

        def reopen() -> object:
            return open_source(f"fault://lost:after=0.1,for=0.02,every=0.12/rtsp://127.0.0.1:{port}/live")

        def leftovers() -> tuple[int, int]:
            return len(os.listdir("/proc/self/task")), len(os.listdir("/proc/self/fd"))

        with Grabber(None, reopen) as grabber:
            until(grabber, lambda s: s.reconnects >= 2, 60)
        before = leftovers()
        with Grabber(None, reopen) as grabber:
            until(grabber, lambda s: s.reconnects >= 50, 100)
        assert leftovers() <= tuple(value + 1 for value in before)


def test_C2_a_host_that_is_gone_is_looked_for_without_logging_in():
    """A look costs one connection and not a byte: no password is tried twice a second."""
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        opencv.check_reachable(f"rtsp://u:secret@127.0.0.1:{port}/live")
        connection, _ = listener.accept()
        with connection:
            heard.append(connection.recv(100))
    assert heard == [b""]
    with pytest.raises(SourceError, match="not reachable") as caught:
        opencv.check_reachable(f"rtsp://u:secret@127.0.0.1:{port}/live")
    assert "secret" not in str(caught.value)
    for other in ("test://noise", "camera://0", "/a/file.mp4", "rtsp://u:p/w@host/live"):
        try:
            opencv.check_reachable(other)
        except SourceError as error:
            assert "p/w" not in str(error)


def test_C3_frozen_pictures_end_what_is_open_and_are_not_encoded(app):
    def still(message) -> bool:
        return status(message) and message.data["cameras"]["cam"]["state"] == "camera_frozen"

    it = app("fault://freeze:after=5,for=4,every=10/person://squat?seconds=60&idle=0&size=320x240&fps=15")
    wait_for(it.stream, action("start"), ledger=it.ledger)
    frozen = wait_for(it.stream, state("camera_frozen"), ledger=it.ledger)
    assert not it.ledger.open and frozen[-1].data["open"] == []
    seen: list = []
    while not seen or any(m.kind == "state" and m.data["state"] != "camera_frozen" for m in seen):  # of one freeze
        first = wait_for(it.stream, still, ledger=it.ledger)[-1].data
        seen = wait_for(it.stream, still, ledger=it.ledger)
    second = seen[-1].data
    assert first["stages"]["encoder"]["count"] == second["stages"]["encoder"]["count"]
    back = wait_for(it.stream, action("start"), ledger=it.ledger)[-1].data
    assert back["t_capture_mono_ns"] > second["t_publish_mono_ns"]
    it.stop()


@pytest.mark.slow
def test_C4_a_covered_camera_shows_no_person_and_says_that_it_is_dark(app):
    it = app("fault://black:after=6,for=4,every=12/person://squat?seconds=60&idle=0&size=320x240&fps=15")
    wait_for(it.stream, action("start"), ledger=it.ledger)
    wait_for(it.stream, lambda m: state("no_person")(m) and m.data["flags"] == ["dark"], ledger=it.ledger)
    while it.ledger.open:
        wait_for(it.stream, state("no_person"), ledger=it.ledger)
    light = wait_for(it.stream, action("start"), ledger=it.ledger)
    assert "dark" not in light[-1].data["flags"]
    dark = {m.data["state"] for m in light if m.kind == "state" and "dark" in m.data["flags"]}
    assert dark <= {"no_person"}
    it.stop()


@pytest.mark.slow
@pytest.mark.parametrize("how", ["slow:fps=10", "slow:fps=5", "slow:fps=5,after=3,for=3", "jitter:ms=17"])
def test_C5_the_label_does_not_hang_on_the_rate(how, recognize):
    usual, result = recognize(f"pose://{SQUATS}"), recognize(f"fault://{how}/pose://{SQUATS}")
    assert result["ranking"][0][0] == usual["ranking"][0][0] == "squat"
    assert [event["label"] for event in result["events"]] == [event["label"] for event in usual["events"]]
    (onset_s,), (usual_s,) = ([e["onset_s"] for e in r["events"] if e["label"] == "squat"] for r in (result, usual))
    assert abs(onset_s - usual_s) < 0.35


@pytest.fixture(scope="module")
def recognize() -> Callable[[str], dict]:
    from edge_app.app.commands.recognize import recognize

    recognizer = Recognizer(LABELS, bundle=light_bundle(), runtime="onnxruntime")
    return cache(lambda uri: recognize(uri, recognizer))


def test_C5_F9_under_the_least_rate_nothing_is_named(squats, tmp_path):
    settings = Settings(camera=CameraConfig(min_fps=4))
    with reports(f"fault://slow:fps=2,after=1,for=3/{squats}", tmp_path, settings) as receive:
        while "insufficient_rate" not in (report := receive()).flags:
            assert report.window is None or report.fps_in == 0 or report.fps_in >= 4 or report.window.valid.mean() < 0.5
        assert report.window is None and 0 < report.fps_in < 4
        while "insufficient_rate" in (report := receive()).flags:
            assert report.window is None
        while report.window is None:
            report = receive()


def test_F9_one_frame_a_second_is_flagged(squats, tmp_path):
    """The tracker forgets who was seen a second ago."""
    with reports(f"fault://slow:fps=1/{squats}", tmp_path) as receive:
        while "insufficient_rate" not in (report := receive()).flags:
            pass
        assert 0.5 < report.fps_in < 1.5 and report.window is None


def test_C6_another_picture_size_restarts_the_window_with_one_line(tmp_path, capfd):
    uri = "fault://resize:after=1/person://squat?seconds=60&idle=0&size=320x240&fps=15"
    with reports(uri, tmp_path) as receive:
        while receive().epoch == 0:
            pass
        while (report := receive()).window is None:
            pass
        assert report.epoch == 1
    assert capfd.readouterr().err.count("cam: pictures are 160x120 now, 320x240 before") == 1


def test_C7_bad_stamps_are_dropped_and_counted(squats, tmp_path):
    with reports(f"fault://duplicate:n=4/fault://backwards:n=3,ms=200/{squats}", tmp_path) as receive:
        seen = [receive()]
        while seen[-1].misordered < 10:
            seen.append(receive())
    assert all(a.t_ns < b.t_ns for a, b in pairwise(seen))
    assert {report.state for report in seen} == {"running"} and {report.epoch for report in seen} == {0}


def test_C8_a_busy_camera_is_named_and_tried_again(monkeypatch):
    """The only thing made up here is the device: this machine has none."""
    busy = True

    def fake_open(path: str, flags: int, *more: object) -> int:
        if path == "/dev/video7":
            raise OSError(errno.EBUSY if busy else errno.ENOENT, "")
        return real(path, flags, *more)

    real = os.open
    monkeypatch.setattr(opencv.os, "open", fake_open)
    with pytest.raises(SourceError, match="/dev/video7 is in use by another program"):
        grab("camera://7")
    with grab("camera://7", must_open=False) as grabber:
        assert "in use" in until(grabber, lambda s: "in use" in s.error).error
        busy = False
        assert "no device" in until(grabber, lambda s: "no device" in s.error).error
        assert grabber.status().state == "camera_lost"


def test_C8_a_camera_is_followed_by_its_own_name_not_its_number(tmp_path, monkeypatch):
    monkeypatch.setattr(opencv, "BY_ID", tmp_path)
    (tmp_path / "usb-Maker_Cam_1-video-index0").symlink_to("/dev/video1")
    (tmp_path / "usb-Maker_Cam_2-video-index0").symlink_to("/dev/video0")
    assert opencv.stable_uri("camera://1?fps=15") == f"v4l2://{tmp_path}/usb-Maker_Cam_1-video-index0?fps=15"
    assert opencv.stable_uri("camera://5") == "camera://5"


def test_C9_a_password_that_is_refused_is_shown_nowhere(app):
    refused = app("rtsp://viewer:S3cret-Pa55@127.0.0.1:9/live")
    assert refused.process.wait(60) == 4
    said = refused.process.stderr.read()
    assert "***@127.0.0.1:9" in said and "S3cret" not in said


@pytest.mark.slow
def test_C9_a_password_is_shown_nowhere_while_it_works_nor_when_the_camera_is_lost(app):
    password = "S3cret-Pa55"
    with rtsp_server(0, f"viewer:{password}") as (server, port):
        it = app(f"rtsp://viewer:{password}@127.0.0.1:{port}/live")
        seen = wait_for(it.stream, stage("camera-cam", "running"))
        server.kill()
        seen += wait_for(it.stream, state("camera_lost"))
        seen += wait_for(it.stream, status)
        said = it.stop()
    assert "camera_lost" in said
    assert password not in said and not any(password in str(message) for message in seen)


def test_a_restarted_camera_process_waits_for_a_camera_that_is_gone(app, tmp_path):
    """What would be exit 4 at the start is no reason to end the app later."""
    here, away = tmp_path / "squats.mcap", tmp_path / "away.mcap"
    it = app(repeat(SQUATS, here, 60))
    wait_for(it.stream, state("running"), ledger=it.ledger)
    here.rename(away)
    os.kill(children(it.process.pid)["camera-cam"], signal.SIGKILL)
    wait_for(it.stream, state("camera_lost"), ledger=it.ledger)
    away.rename(here)
    wait_for(it.stream, state("running"), ledger=it.ledger)
    it.stop()
