from __future__ import annotations

import itertools
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest

from edge_app.camera import open_source
from edge_app.errors import SourceError
from edge_app.types import Frame

VIDEOS = Path(__file__).parents[2] / "../shared/videos"
BROKEN = ["audio_only", "random_bytes", "text_file", "truncated", "zero_bytes"]


@pytest.fixture
def videos() -> Path:
    if not VIDEOS.is_dir():
        pytest.skip("the shared folder with test videos is not beside the checkout")
    return VIDEOS


def read_all(uri: str) -> list[Frame]:
    frames = []
    with open_source(uri, camera="front", realtime=False) as source:
        while (frame := source.read()) is not None:
            assert isinstance(frame, Frame)
            frames.append(frame)
    return frames


def test_every_frame_of_a_file_with_media_stamps(write_video) -> None:
    path = write_video("a.avi", 20)
    for uri in (str(path), path.as_uri()):
        frames = read_all(uri)
        assert [frame.index for frame in frames] == list(range(20))
        assert [frame.t_ns for frame in frames] == [40_000_000 * index for index in range(20)]
        assert [round(float(frame.image.mean())) for frame in frames] == pytest.approx(
            [20 + 5 * index for index in range(20)], abs=2
        )
    assert frames[0].camera == "front" and frames[0].image.shape == (48, 64, 3)


def test_a_file_says_its_rate_and_ends_for_good(write_video) -> None:
    source = open_source(str(write_video("a.avi", 3)), realtime=False)
    assert source.fps == 25 and not source.live
    assert [source.read() is None for _ in range(5)] == [False, False, False, True, True]
    source.close()
    source.close()
    assert source.read() is None


def test_real_time_paces_a_file_and_skips_what_is_late(write_video) -> None:
    path = write_video("a.avi", 30, fps=100)
    with open_source(str(path), realtime=True) as source:
        assert source.live
        first = source.read()
        assert isinstance(first, Frame)
        source._pace._start_ns -= 150_000_000  # as if 150 ms had gone by
        second = source.read()
    assert isinstance(second, Frame)
    assert second.index >= 14 and second.t_ns - first.t_ns == (second.index * 10 - 150) * 1_000_000


def test_names_that_look_like_patterns_or_protocols_are_plain_files(write_video) -> None:
    path = write_video("clip_%02d.avi", 2)
    assert len(read_all(str(path))) == 2


@pytest.mark.parametrize("content", [b"", b"hello, I am no video\n", b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n", None])
def test_not_a_video_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError) as caught:
        open_source(str(path))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a file"):
        open_source(str(tmp_path))


@pytest.mark.shared
def test_F1_broken_files_are_one_clear_line_and_silent(videos: Path) -> None:
    code = (
        "import sys\nfrom edge_app.camera import open_source\nfrom edge_app.errors import AppError\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        source = open_source(path, realtime=False)\n"
        "        while source.read() is not None: pass\n        print('ok')\n"
        "    except AppError as error:\n        print(error.exit_code, error)\n"
    )
    paths = [str(videos / f"hard_{name}.mp4") for name in BROKEN] + [str(videos / "hard_truncated_stream.ts")]
    run = subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True)
    lines = run.stdout.splitlines()
    assert run.stderr == ""
    assert len(lines) == 6 and lines[-1] == "ok"
    for path, line in zip(paths, lines[:5], strict=False):
        assert line.startswith(f"4 {path}: ")


@pytest.mark.shared
def test_a_truncated_stream_is_read_up_to_the_damage(videos: Path) -> None:
    assert len(read_all(str(videos / "hard_truncated_stream.ts"))) == 72


@pytest.mark.shared
def test_a_variable_rate_keeps_its_own_stamps(videos: Path) -> None:
    stamps = np.array([frame.t_ns for frame in read_all(str(videos / "hard_vfr.mp4"))]) / 1e6
    steps = np.diff(stamps)
    assert len(stamps) == 130 and stamps[0] == 0 and stamps[-1] == pytest.approx(9300, abs=1)
    assert steps.min() == pytest.approx(50, abs=1) and steps.max() >= 99


@pytest.mark.shared
def test_a_rotation_flag_is_honoured(videos: Path) -> None:
    def first(name: str) -> np.ndarray:
        with open_source(str(videos / name), realtime=False) as source:
            frame = source.read()
        assert isinstance(frame, Frame)
        return cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY).astype(float).ravel()

    assert np.corrcoef(first("hard_rotate_flag.mp4"), first("hard_dim.mp4"))[0, 1] > 0.9


@pytest.mark.shared
def test_one_frame_is_one_frame(videos: Path) -> None:
    assert len(read_all(str(videos / "hard_one_frame.mp4"))) == 1


@pytest.mark.parametrize(
    "names",
    [("000", "001", "002"), ("frame1", "frame2", "frame10"), ("s2-9", "s2-10", "s11-1"), ("a1b", "a01c", "b")],
)
def test_F13_images_in_the_order_of_their_names_and_numbers(tmp_path: Path, names: tuple[str, ...]) -> None:
    for index in (2, 0, 1):
        cv2.imwrite(str(tmp_path / f"{names[index]}.png"), np.full((8, 8, 3), 50 * index, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    frames = read_all(f"images://{tmp_path}?fps=10")
    assert [int(frame.image[0, 0, 0]) for frame in frames] == [0, 50, 100]
    assert [frame.t_ns for frame in frames] == [0, 100_000_000, 200_000_000]


def test_F5_images_that_are_not_there_or_broken(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match="no such folder"):
        open_source(f"images://{tmp_path}/nothing")
    with pytest.raises(SourceError, match="no pictures"):
        open_source(f"images://{tmp_path}")
    (tmp_path / "b.png").write_bytes(os.urandom(100))
    with pytest.raises(SourceError, match="1 of 1 pictures could not be read"):
        read_all(f"images://{tmp_path}")
    capfd.readouterr()
    (tmp_path / "c.png").touch()
    (tmp_path / "d.png").mkdir()
    for name in ("a.jpg", "e.jpg"):
        cv2.imwrite(str(tmp_path / name), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8))
    assert [frame.index for frame in read_all(f"images://{tmp_path}")] == [0, 4]
    lines = capfd.readouterr().err.splitlines()
    words = [
        "b.png cannot be decoded",
        "c.png cannot be decoded",
        "d.png cannot be read (Is a directory)",
        "3 of 5 pict",
    ]
    assert all(word in line for word, line in zip(words, lines, strict=True)), lines


@pytest.mark.parametrize("name", ["bad\udcff", "m\udcfcller", "\udcf0\udc9f("])
def test_F4_any_bytes_are_a_file_name(write_video, tmp_path: Path, name: str) -> None:
    """A stray byte, Latin-1, and half a character: OpenCV would crash on each as text."""
    video, folder = tmp_path / f"{name}.avi", tmp_path / name
    write_video("a.avi", 3).rename(video)
    folder.mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "a.png").rename(folder / f"{name}.png")
    (folder / "no video").write_text("text")
    assert len(read_all(str(video))) == len(read_all("file://" + quote(os.fsencode(video)))) == 3
    assert len(read_all(f"images://{folder}")) == 1
    for source in (folder / "no video", f"v4l2://{video}", f"rtsp://127.0.0.1:9/{name}", f"http://127.0.0.1:9/{name}"):
        with pytest.raises(SourceError):
            open_source(str(source))


def test_patterns() -> None:
    black = read_all("test://black?fps=10&size=32x16&seconds=1")
    frozen = read_all("test://frozen?fps=10&size=32x16&seconds=1")
    noise = read_all("test://noise?fps=10&size=32x16&seconds=1")
    assert len(black) == len(frozen) == len(noise) == 10
    assert all(frame.image.shape == (16, 32, 3) and not frame.image.any() for frame in black)
    assert frozen[0].image.any() and all(np.array_equal(frame.image, frozen[0].image) for frame in frozen)
    assert all(not np.array_equal(a.image, b.image) for a, b in itertools.pairwise(noise))
    assert [frame.t_ns for frame in noise] == [100_000_000 * index for index in range(10)]
    assert len(read_all("test://noise?fps=1&size=4x4")) == 10
