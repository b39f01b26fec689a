"""`--people` in the whole app: a recording of two people, in real processes, read from the stream."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import jsonschema
import numpy as np

from edge_app.app.cli import main
from edge_app.camera.recording import RecordingFile, read_recording
from edge_app.client import Message, Subscriber
from edge_app.types import Poses
from tests.light import light
from tests.running import SQUATS, Ledger, action, running, wait_for

APART = np.array([400, 0], np.float32)


def two_people(out: Path, both_s: float, one_s: float, rounds: int = 1) -> Path:
    """A recording in which one squats all the time, and another beside them for the first `both_s` seconds of each
    round."""
    items = [item for item in read_recording(SQUATS) if isinstance(item, Poses)]
    step_ns = (items[-1].t_ns - items[0].t_ns) // (len(items) - 1)
    with RecordingFile(out) as recorder:
        for index in range(int(rounds * (both_s + one_s) * 1e9 / step_ns)):
            item, at_s = items[index % len(items)], index * step_ns / 1e9 % (both_s + one_s)
            others = [replace(pose, image=pose.image + APART) for pose in item.poses if at_s < both_s]
            recorder.poses(replace(item, index=index, t_ns=index * step_ns, poses=(*item.poses, *others)))
    return out


def test_two_people_have_events_of_their_own_on_the_stream(tmp_path: Path) -> None:
    recording = two_people(tmp_path / "two.mcap", both_s=5, one_s=2.5, rounds=8)  # who comes late hears the next one

    def both(message: Message) -> bool:
        return message.kind == "state" and len({item["track"] for item in message.data["open"]}) == 2

    endpoint, ledger = f"ipc://{tmp_path}/s", Ledger()
    with (
        Subscriber(endpoint, newest=False) as stream,
        running(endpoint, f"pose://{recording}", "--people", "2"),
    ):
        heard = wait_for(stream, both, ledger=ledger)
        heard += wait_for(stream, lambda m: action("end")(m) and m.data["reason"] == "no_person", ledger=ledger)
        left = heard[-1].data["track"]
        heard += wait_for(stream, lambda m: m.kind == "state" and m.data["track"] not in (left, None), ledger=ledger)
    assert not ledger.wrong
    steps = [m.data for m in heard if m.kind == "action"]  # of which a reader that comes late has missed the starts
    assert len({step["track"] for step in steps if step["label"] == "squat"}) >= 2
    states = [m.data for m in heard if m.kind == "state"]
    schema = json.loads((files("edge_app.stream") / "schemas" / "state-1.0.json").read_text("utf-8"))
    for state in states:
        jsonschema.validate(state, schema)


def test_a_replay_tells_of_two_and_without_people_of_one(tmp_path: Path, capfd) -> None:
    recording = two_people(tmp_path / "two.mcap", both_s=4, one_s=2)
    common = ["replay", str(recording), "--json", *light(), "--labels", "squat, clap, wave"]
    ends = {}
    for people in ("1", "2"):
        assert main([*common, "--people", people]) == 0
        events = [json.loads(line) for line in capfd.readouterr().out.splitlines()[:-1]]
        ends[people] = [(e["track"], e["t_capture_mono_ns"] / 1e9, e["reason"]) for e in events if e["type"] == "end"]
    assert {track for track, _, _ in ends["1"]} == {1}
    assert {track for track, _, _ in ends["2"]} == {1, 2}
    (left,) = [(at_s, reason) for track, at_s, reason in ends["2"] if track == 2]
    assert left[1] == "no_person" and 4.5 < left[0] < 5
