"""`recognize`: the contract's JSON, the same answer twice, and the right answer for a drawn person."""

import json
import shutil
import subprocess
import sys
from importlib.resources import files
from xml.etree import ElementTree

import cv2
import jsonschema
import numpy as np
import pytest

from edge_app.app.cli import main
from edge_app.app.commands.recognize import recognize
from edge_app.events import EventConfig
from edge_app.recognizer import Recognizer
from tests.light import light, light_bundle
from tests.running import SQUATS

KEYS = {
    "schema", "file", "seconds", "fps_in", "frames", "pose_found", "body_visibility", "ranker", "bundle", "labels",
    "ranking", "events", "states",
}  # fmt: skip
SMALL = "fps=15&size=320x240&idle=0"
"""Half the frames, and quickly drawn."""


ONE_POSE = ("--pose", "onnxruntime")


def recognized(capfd, *arguments: str) -> list[dict]:
    """Of each file."""
    assert main(["recognize", "--json", *light(), *ONE_POSE, *arguments]) == 0
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def test_drawn_people_are_recognized_among_everyday_labels_and_twice_the_same(capfd, tmp_path):
    actions = ("squat", "jumping jack", "bow")
    sources = [f"person://{action}?seconds=3&{SMALL}" for action in actions]
    results = recognized(capfd, *sources)
    schema = json.loads((files("edge_app.stream") / "schemas" / "recognition-1.json").read_text("utf-8"))
    for action, result in zip(actions, results, strict=True):
        assert set(result) == KEYS
        jsonschema.validate(result, schema)
        assert result["ranking"][0][0] == action
        assert sum(score for _, score in result["ranking"]) == pytest.approx(1, abs=1e-3)
        assert len(result["ranking"]) == len(result["labels"])
        assert result["pose_found"] > 0.95
    assert results[0]["events"]
    assert recognized(capfd, sources[0], "--picture", str(tmp_path / "run.svg")) == results[:1]
    assert ElementTree.parse(tmp_path / "run.svg").getroot().tag.endswith("svg")


def test_a_file_is_named_by_whole_windows_however_much_of_them_its_events_look_at():
    asked = {"labels": "squat, clap", "bundle": light_bundle(), "runtime": "onnxruntime"}
    results = [
        recognize(f"pose://{SQUATS}", Recognizer(**asked, events=EventConfig(look_s=seconds))) for seconds in (0.5, 2.0)
    ]
    assert results[0]["ranking"] == results[1]["ranking"]
    assert results[0]["events"] != results[1]["events"]


def test_F4_any_file_name_is_told_and_drawn(capfd, tmp_path):
    name = "a\nb\x1b[2J bad\udcff.mcap"
    recording, picture = tmp_path / name, tmp_path / f"{name}.svg"
    shutil.copy(SQUATS, recording)
    command = [f"pose://{recording}", "--labels", "squat, wave", "--picture", str(picture)]
    (told,) = recognized(capfd, *command)
    assert told["file"].endswith("a\nb\x1b[2J bad\\xff.mcap")
    ElementTree.parse(picture)
    assert main(["recognize", *command, *light()]) == 0
    first, *_ = capfd.readouterr().out.splitlines()
    assert first.isprintable() and ".mcap: squat" in first


def test_F2_F7_a_picture_that_cannot_be_written_costs_no_result(capfd):
    command = ["recognize", f"pose://{SQUATS}", "--json", *light(), "--labels", "squat, wave"]
    command.append("--picture")
    assert main([*command, "/dev/full"]) == 2
    said = capfd.readouterr()
    assert json.loads(said.out)["ranking"][0][0] == "squat"
    assert said.err == "edge-app: /dev/full: cannot be written (No space left on device)\n"
    assert main([*command, "/no/such/run.svg"]) == 2
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "edge-app: --picture /no/such/run.svg: no folder /no/such\n")


def test_F1_only_the_answer_is_printed():
    """MediaPipe, OpenCV and the runtimes are all used."""
    source = "person://wave?seconds=1&fps=10&size=160x120&idle=0"
    command = [sys.executable, "-m", "edge_app", "recognize", "--json", "--pose", "mediapipe", source]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["frames"] > 0


def test_F5_a_picture_that_cannot_be_read_costs_no_result(capfd, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("1.png", "2.jpg", "10.png"):
        cv2.imwrite(str(tmp_path / name), rng.integers(0, 255, (64, 64, 3), np.uint8))
    (tmp_path / "2.jpg").write_bytes((tmp_path / "2.jpg").read_bytes()[:20])
    command = ["recognize", "--json", *light(), *ONE_POSE]
    assert main([*command, f"images://{tmp_path}?fps=10", "test://black?fps=15&seconds=1"]) == 0
    said = capfd.readouterr()
    assert [json.loads(line)["frames"] for line in said.out.splitlines()] == [2, 15]
    assert [line.partition("fps=10: ")[2] for line in said.err.splitlines()] == [
        "2.jpg cannot be decoded as a picture; left out", "1 of 3 pictures could not be read",
    ]  # fmt: skip


def test_F6_a_motion_is_named_in_ones_own_language(capfd):
    shown = ["sentadilla", "agitar la mano", "拍手"]
    (own,) = recognized(capfd, f"pose://{SQUATS}", "--labels", "sentadilla, agitar la mano、拍手")
    (english,) = recognized(capfd, f"pose://{SQUATS}", "--labels", "squat, wave, clap")
    assert own["labels"] == shown
    assert own["ranking"][0] == ["sentadilla", english["ranking"][0][1]] and english["ranking"][0][0] == "squat"
    assert {event["label"] for event in own["events"]} == {"sentadilla"}


def test_noise_and_black_show_nobody(capfd):
    for result in recognized(capfd, *(f"test://{pattern}?seconds=2&fps=15" for pattern in ("noise", "black"))):
        assert result["ranking"] == []
        assert result["events"] == []
        assert result["states"]["no_person"] > 1.5


def test_F9_too_few_frames_a_second_are_degraded_and_name_nothing(capfd):
    slow = [f"fault://slow:fps={fps}/pose://{SQUATS}" for fps in (1, 2)]
    told = recognized(capfd, *slow, "--labels", "squat, wave")
    for fps, result in zip((1, 15 / 8), told, strict=True):  # of fifteen frames a second, for two every eighth
        assert result["ranking"] == [] and result["events"] == [] and result["fps_in"] == pytest.approx(fps, abs=0.1)
        assert result["states"]["degraded"] > 0.6 * result["seconds"]
    assert main(["recognize", slow[0], "--labels", "squat, wave", *light()]) == 0
    assert "frames a second, too few to name anything" in capfd.readouterr().out
