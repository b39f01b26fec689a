from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.camera import SCHEMES, open_source, redact
from edge_app.camera.opencv import stable_uri
from edge_app.camera.uri import parse_options
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
                                 "csi://x", "pose://a.mcap?track=1"])  # fmt: skip
def test_wrong_uris_are_usage_errors(uri: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_source(uri)
    assert "\n" not in str(caught.value)


def test_unknown_scheme_lists_the_allowed() -> None:
    with pytest.raises(UsageError) as caught:
        open_source("gopher://x")
    assert all(scheme in str(caught.value) for scheme in SCHEMES)


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
