"""The examples with the Python API, each run as its docstring says, on a drawn person or a recording."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest

from edge_app.camera import open_source
from edge_app.window.skeleton import NTU25
from tests.running import SQUATS
from train.data.ntu import parse_name, read_clip

EXAMPLES = Path(__file__).parents[2] / "examples"
SQUAT = "person://squat?seconds=2&idle=1&fps=15"
LONGEST = {"own_loop.py": 45, "annotate.py": 60, "animate.py": 170}


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, EXAMPLES / script, *arguments]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=110)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return done.stdout


def drawn_video(uri: str, path: Path) -> None:
    """A video file of what a `person://` source gives."""
    with open_source(uri, realtime=False) as source:
        frame = source.read()
        height, width = frame.image.shape[:2]
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), source.fps, (width, height))
        while frame is not None:
            writer.write(frame.image)
            frame = source.read()
    writer.release()


def test_own_loop_names_what_it_sees():
    first, *_ = run("own_loop.py", SQUAT, "wave, squat, clap").splitlines()
    assert first.startswith("start squat 0.")


def test_own_loop_reads_a_webcam_through_opencv_and_says_when_there_is_none():
    if cv2.VideoCapture(97).isOpened():
        pytest.skip("there is a camera 97")
    done = subprocess.run([sys.executable, EXAMPLES / "own_loop.py", "97", "wave"], capture_output=True, text=True)
    assert done.returncode == 1 and "camera 97 does not open" in done.stderr


def test_F15_a_data_set_in_ntus_format_is_read_as_ntus_is(tmp_path, monkeypatch):
    """Each clip holds one person who faces the sensor and stands upright, whose joints are those of NTU's names."""
    monkeypatch.syspath_prepend(EXAMPLES)
    sample = import_module("ntu_sample")
    monkeypatch.setattr(sample, "ACTIONS", {10: "clap", 23: "wave"})
    sample.main(tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [parse_name(file.stem).action for file in files] == [10, 23, 10, 23]
    for file in files:
        (person,) = read_clip(file)
        at = {name: person[:, i] for i, name in enumerate(NTU25.joints)}
        assert (at["head"][:, 1] > at["spine_base"][:, 1]).all() and (at["left_foot"][:, 1] < -0.5).all()
        assert (at["right_shoulder"][:, 0] > at["left_shoulder"][:, 0]).all()
        assert (at["left_foot"][:, 2] < at["left_ankle"][:, 2]).all(), "toes towards the sensor"
        assert np.ptp(at["right_hand"], axis=0).max() > 0.1, "it moves"


def test_annotate_draws_onto_every_frame(tmp_path):
    run("annotate.py", SQUAT, "wave, squat, clap", tmp_path / "out.mp4")
    written = cv2.VideoCapture(str(tmp_path / "out.mp4"))
    assert written.get(cv2.CAP_PROP_FPS) == 15
    with open_source(SQUAT, realtime=False) as source:
        green = []
        while (frame := source.read()) is not None:
            found, image = written.read()
            assert found and image.shape == frame.image.shape
            green.append([_green(image[120:]), _green(image[:36, :280]), _green(frame.image)])
    assert not written.read()[0]
    bones, label, before = np.array(green).T
    assert before.max() == 0
    assert np.median(bones) > 500, "a skeleton"
    assert label[0] == 0 and label.max() > 100, "the label while it is published"


def _green(image: np.ndarray) -> int:
    """Pixels of the colour that the example draws in, give or take what compression does."""
    blue, green, red = (image[..., i].astype(int) for i in range(3))
    return int(((green > 150) & (green - blue > 50) & (green - red > 80)).sum())


@pytest.mark.slow
def test_animate_draws_an_endless_svg_in_which_the_word_lights_up(tmp_path):
    run("animate.py", f"pose://{SQUATS}", "wave, squat, clap & cheer", tmp_path / "out.svg")
    svg = ElementTree.parse(tmp_path / "out.svg")
    animations = svg.findall(".//{*}animate")
    assert {each.get("repeatCount") for each in animations} == {"indefinite"}
    for each in animations:
        times = list(map(float, each.get("keyTimes").split(";")))
        assert len(times) == len(each.get("values").split(";"))
        assert times[0] == 0 and times == sorted(times) and times[-1] <= 1
        assert each.get("calcMode") == "discrete" or times[-1] == 1
    brightest = [
        max(map(float, each.get("values").split(";"))) for each in animations if each.get("attributeName") == "opacity"
    ]
    assert len(brightest) == 3 and brightest.index(max(brightest)) == 1 and brightest[1] == 1
    assert any("start  squat" in text.text for text in svg.iterfind(".//{*}text"))


def test_the_committed_animation_is_small_enough_for_a_page():
    assert (EXAMPLES.parent / "docs/acting.svg").stat().st_size < 300_000


@pytest.mark.parametrize("name", sorted(LONGEST))
def test_they_stay_short(name):
    lines = (EXAMPLES / name).read_text().splitlines()
    assert len(lines) <= LONGEST[name] and max(map(len, lines)) <= 120
