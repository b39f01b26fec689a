"""`recognize`: the contract's JSON, the same answer twice, and the right answer for a drawn person."""

import json
import shutil
from importlib.resources import files
from xml.etree import ElementTree

import jsonschema
import pytest

from edge_app.app.cli import main
from tests.running import SQUATS

KEYS = {
    "schema", "file", "seconds", "fps_in", "frames", "pose_found", "body_visibility", "ranker", "bundle", "labels",
    "ranking", "events", "states",
}  # fmt: skip
SMALL = "fps=15&size=320x240&idle=0"
"""Half the frames, and quickly drawn."""


def recognized(capfd, *arguments: str) -> dict:
    assert main(["recognize", "--json", "--runtime", "onnxruntime", *arguments]) == 0
    return json.loads(capfd.readouterr().out)


@pytest.mark.parametrize(("action", "label"), [("squat", "squat"), ("jumping jack", "jumping jack"), ("bow", "bow")])
def test_a_drawn_person_is_recognized_among_everyday_labels(capfd, action, label):
    result = recognized(capfd, f"person://{action}?seconds=4&{SMALL}")
    assert set(result) == KEYS
    schema = json.loads((files("edge_app.stream") / "schemas" / "recognition-1.json").read_text("utf-8"))
    jsonschema.validate(result, schema)
    assert result["ranking"][0][0] == label
    assert sum(score for _, score in result["ranking"]) == pytest.approx(1, abs=1e-3)
    assert len(result["ranking"]) == len(result["labels"])
    assert result["pose_found"] > 0.95


def test_twice_the_same_and_the_picture_is_svg(capfd, tmp_path):
    source = f"person://wave?seconds=3&{SMALL}"
    first = recognized(capfd, source, "--labels", "wave, squat, drink", "--picture", str(tmp_path / "run.svg"))
    assert first["ranking"] and first["events"]
    assert recognized(capfd, source, "--labels", "wave, squat, drink") == first
    assert ElementTree.parse(tmp_path / "run.svg").getroot().tag.endswith("svg")


@pytest.mark.parametrize("name", ["bad\udcff.mcap", "a\nb\x1b[2J.mcap"])
def test_any_file_name_is_told_and_drawn(capfd, tmp_path, name):
    recording, picture = tmp_path / name, tmp_path / f"{name}.svg"
    shutil.copy(SQUATS, recording)
    command = [f"pose://{recording}", "--labels", "squat, wave", "--picture", str(picture)]
    told = recognized(capfd, *command)["file"].encode()
    assert told.endswith(rb"bad\xff.mcap" if "bad" in name else name.encode())
    ElementTree.parse(picture)
    assert main(["recognize", *command]) == 0
    first, *_ = capfd.readouterr().out.splitlines()
    assert first.isprintable() and ".mcap: squat" in first


def test_a_picture_that_cannot_be_written_costs_no_result(capfd):
    command = ["recognize", f"pose://{SQUATS}", "--json", "--labels", "squat, wave", "--picture"]
    assert main([*command, "/dev/full"]) == 2
    said = capfd.readouterr()
    assert json.loads(said.out)["ranking"][0][0] == "squat"
    assert said.err == "edge-app: /dev/full: cannot be written (No space left on device)\n"
    assert main([*command, "/no/such/run.svg"]) == 2
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "edge-app: --picture /no/such/run.svg: no folder /no/such\n")


def test_noise_and_black_show_nobody(capfd):
    for pattern in ("noise", "black"):
        result = recognized(capfd, f"test://{pattern}?seconds=2&fps=15")
        assert result["ranking"] == []
        assert result["events"] == []
        assert result["states"]["no_person"] > 1.5


@pytest.mark.parametrize("fps", [1, 2])
def test_too_few_frames_a_second_are_degraded_and_name_nothing(capfd, fps):
    uri = f"fault://slow:fps={fps}/pose://{SQUATS}"
    result = recognized(capfd, uri, "--labels", "squat, wave")
    assert result["ranking"] == [] and result["events"] == [] and result["fps_in"] == pytest.approx(fps, abs=0.1)
    assert result["states"]["degraded"] > 0.6 * result["seconds"]
    assert main(["recognize", uri, "--labels", "squat, wave"]) == 0
    assert "frames a second, too few to name anything" in capfd.readouterr().out
