"""Pose extraction: resumable, and the same bytes by Ray as without."""

from __future__ import annotations

import importlib.util
import os
import sys

import cv2
import pytest

from edge_app.camera import open_source
from train.__main__ import main


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two clips of a drawn person, and one that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for action in ("wave", "squat"):
        writer = cv2.VideoWriter(str(folder / f"{action}.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 30, (640, 480))
        with open_source(f"person://{action}?seconds=0.5&idle=0&fps=10", camera="x", realtime=False) as source:
            while (frame := source.read()) is not None:
                writer.write(frame.image)
        writer.release()
    (folder / "text.mp4").write_text("no video")
    return folder


def extracted(videos, out, *options):
    assert main(["extract", "--videos", str(videos), "--out", str(out), *options]) == 0
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_what_is_there_is_not_done_again_and_what_fails_is_named(videos, tmp_path, capsys):
    (tmp_path / "wave.mcap").write_text("done before")
    made = extracted(videos, tmp_path)
    assert sorted(made) == ["squat.mcap", "wave.mcap"]
    assert made["wave.mcap"] == b"done before"
    assert "text.mp4: cannot be decoded" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--ray-address", "127.0.0.1:1"], ["--engine", "ray"]])
def test_without_ray_it_is_one_line(videos, tmp_path, capsys, monkeypatch, options):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["extract", "--videos", str(videos), "--out", str(tmp_path), *options]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "ray" in error


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="pip install 'edge-app[ray]'")
def test_ray_writes_the_same_bytes_and_goes_on_where_it_stopped(videos, tmp_path, capfd):
    here, spread = extracted(videos, tmp_path / "here"), tmp_path / "spread"
    capfd.readouterr()
    assert extracted(videos, spread, "--engine", "ray") == here
    error = capfd.readouterr().err
    assert error.count("\n") == 1
    assert "text.mp4: cannot be decoded" in error
    (spread / "squat.mcap").unlink()
    os.utime(spread / "wave.mcap", (1, 1))
    assert extracted(videos, spread, "--engine", "ray") == here
    assert (spread / "wave.mcap").stat().st_mtime == 1
    assert main(["extract", "--videos", str(videos), "--out", str(tmp_path / "x"), "--engine", "ray",
                 "--ray-address", "127.0.0.1:1"]) == 2  # fmt: skip
    assert "no Ray there" in capfd.readouterr().err
