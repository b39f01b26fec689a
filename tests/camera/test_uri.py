from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.camera import SCHEMES, gives_poses, has_end, open_source, redact
from edge_app.camera.opencv import stable_uri
from edge_app.camera.uri import normalized, parse_options
from edge_app.errors import AppError, SourceError, UsageError


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("rtsp://admin:hunter2@10.0.0.5:554/live", "rtsp://***@10.0.0.5:554/live"),
        ("rtsp://admin:hun/t@er2@cam/live", "rtsp://***@cam/live"),
        ("fault://lost:after=1/rtsp://a:hunter2@cam/x", "fault://lost:after=1/rtsp://***@cam/x"),
        ("http://cam/v?user=a&password=hunter2&w=1", "http://cam/v?user=***&password=***&w=1"),
        ("ftp://a:hunter2@cam/x", "ftp://***@cam/x"),
        ("file:///data/a@b.mp4", "file:///data/a@b.mp4"),
        ("camera://0", "camera://0"),
    ],
)
def test_redact(uri: str, shown: str) -> None:
    assert redact(uri) == shown


@given(
    st.sampled_from(["rtsp", "RTSPS", "http", "https"]),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1).map(lambda s: "SECRET" + s),
)
def test_no_login_survives_redaction(scheme: str, password: str) -> None:
    assert "SECRET" not in redact(f"lost: {scheme}://user:{password}@camera.local/stream")


@pytest.mark.parametrize(
    "uri", ["rtsp://u:SECRET@127.0.0.1:1/x", "http://u:SECRET@127.0.0.1:1/x?password=SECRET", "ftp://u:SECRET@h/x",
            "fault://lost/rtsp://u:SECRET@127.0.0.1:1/x", "fault://nosuch/rtsp://u:SECRET@h/x", "rtsp://u:SEC RET@h/x"],
)  # fmt: skip
def test_no_message_holds_credentials(uri: str) -> None:
    with pytest.raises(AppError) as caught:
        open_source(uri)
    assert "SEC" not in str(caught.value) and "RET" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("uri", ["gopher://x", "", "fault://lost", "fault://lost:when=3/test://black", "test://pink",
                                 "test://black?size=0x3", "test://black?fps=0", "test://black?colour=1",
                                 "test://black?fps=-1", "test://black?fps=nan", "camera://front", "camera://0?zoom=2",
                                 "csi://x", "pose://a.mcap?track=1", "file://\0", "file:///a%00.mp4", "pose://\0",
                                 "images://\0", f"images://{'x' * 300}", "\ud800.mp4"])  # fmt: skip
def test_wrong_uris_are_usage_errors(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(uri)
    assert "\n" not in str(caught.value)


def test_unknown_scheme_lists_the_allowed() -> None:
    with pytest.raises(UsageError) as caught:
        open_source("gopher://x")
    assert all(scheme in str(caught.value) for scheme in SCHEMES)


@pytest.mark.parametrize(
    ("uri", "meant"),
    [
        ("CAMERA://0", "camera://0"),
        ("Person://Wave", "person://Wave"),
        ("FAULT://lost:after=1/RTSP://Cam/X", "fault://lost:after=1/rtsp://Cam/X"),
        ("file://localhost/a/B.mp4", "file:///a/B.mp4"),
        ("FILE://LOCALHOST/a.mp4", "file:///a.mp4"),
        ("file:/a.mp4", "file:///a.mp4"),
        ("/dev/video12", "v4l2:///dev/video12"),
        ("file:///a.mp4", "file:///a.mp4"),
        ("file://a.mp4", "file://a.mp4"),
        ("a/b.mp4", "a/b.mp4"),
        ("C:\\a.mp4", "C:\\a.mp4"),
        ("", ""),
    ],
)
def test_F11_schemes_are_of_any_case_and_local_files_local(uri: str, meant: str) -> None:
    assert normalized(uri) == meant == normalized(meant)


def test_F11_what_somebody_writes_is_opened_or_refused_in_words(write_video) -> None:
    for uri in ("TEST://black", f"FILE://LocalHost{write_video('a.avi', 2)}"):
        with open_source(uri) as source:
            assert source.read() is not None
    for uri, hint in (("0", "camera://0"), ("localhost:8080/video", "http://"), ("192.168.1.9:554", "rtsp://")):
        with pytest.raises(SourceError, match=f"no such file; for a .*camera: .*{hint}"):
            open_source(uri)
    with pytest.raises(SourceError, match="not a file; for pictures: images:///dev"):
        open_source("/dev")
    with pytest.raises(SourceError, match="no such file"):
        open_source("/dev/null/a.mp4")


def test_F5_whose_poses_are_made_and_what_has_an_end() -> None:
    made = ["pose://a", "POSE://a", "fault://black/Remote://*:1", "fault://lost/fault://black/pose://a"]
    assert all(map(gives_poses, made)) and not any(map(gives_poses, ["a.mp4", "fault://black/a.mp4", "pose.mp4"]))
    ends = ["a.mp4", "FILE:///a", "images://a", "Pose://a", "fault://black/pose://a", "fault://slow:fps=2//a.mp4"]
    assert all(map(has_end, ends))
    assert not any(map(has_end, ["camera://0", "person://wave", "fault://lost:after=1/pose://a", "http://a/b.mp4"]))


@pytest.mark.parametrize("uri", ["camera://987", "v4l2:///dev/video987"])
def test_missing_device(uri: str) -> None:
    with pytest.raises(SourceError, match=r"no device /dev/video987; found: "):
        open_source(uri)


def test_device_that_is_no_camera() -> None:
    with pytest.raises(SourceError, match="gives no pictures"):
        open_source("v4l2:///dev/null")


def test_camera_number_becomes_its_by_id_link(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge_app.camera.opencv.BY_ID", tmp_path)
    (tmp_path / "usb-Maker_Model-index0").symlink_to("/dev/video3")
    assert stable_uri("camera://3?fps=15") == f"v4l2://{tmp_path}/usb-Maker_Model-index0?fps=15"
    assert stable_uri("camera://1") == "camera://1"
    assert stable_uri("test://black") == "test://black"


def test_options_are_numbers_over_defaults() -> None:
    assert parse_options("u", "a=2&b=0.5", {"a": 1, "b": 1, "c": 3}) == {"a": 2, "b": 0.5, "c": 3}
