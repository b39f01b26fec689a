"""Events of several people: each has its own, and the camera one state."""

import json
from importlib.resources import files

import jsonschema
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.events import EventConfig, EventDetector, PeopleEvents
from edge_app.stream.messages import complete, state_message
from edge_app.types import CameraReport, Decision, Ranking, Window
from edge_app.window.skeleton import CORE15, WindowSpec

SPEC = WindowSpec(2.0, 16.0, CORE15)
LABELS = ("wave", "squat", "jump")
STEP_NS = 100_000_000


def ranking(t_ns: int, track: int, label: int, known: float = 0.95) -> Ranking:
    joints = np.zeros((32, 15, 4), np.float32)
    joints[..., 3] = 1
    window = Window("cam", track, t_ns, joints, np.ones(32, bool), 30.0, 1.0, 1.0)
    scores = np.full(3, 0.02, np.float32)
    scores[label] = 0.96
    return Ranking(window, LABELS, 1, -scores, scores, known)


def step(events: PeopleEvents, number: int, doing: dict[int, int], state: str = "running", **more) -> Decision:
    """One report in which each track of `doing` does a label."""
    t_ns = (number + 1) * STEP_NS
    rankings = [ranking(t_ns, track, label, **more) for track, label in doing.items()]
    windows = [each.window for each in rankings]
    report = CameraReport("cam", state, 0, t_ns, 30.0, number, 0, tuple(windows))  # type: ignore[arg-type]
    return events.update(report, rankings)


def several() -> PeopleEvents:
    return PeopleEvents("cam", SPEC, EventConfig(), 3)


def test_each_person_has_events_of_their_own():
    people, made = several(), []
    for number in range(20):
        decision = step(people, number, {1: 0, 2: 1})
        made += decision.events
    starts = [(e.track, e.label) for e in made if e.type == "start"]
    assert starts == [(1, "wave"), (2, "squat")]
    assert len({e.id for e in made}) == 2 and all(e.id.startswith(f"cam-{e.track}-") for e in made)
    assert decision.state == "running" and decision.track == 1


def test_who_leaves_ends_what_they_did_and_the_others_go_on():
    people, made = several(), []
    for number in range(40):
        decision = step(people, number, {1: 0, 2: 1} if number < 20 else {2: 1})
        made += decision.events
    (end,) = [e for e in made if e.type == "end"]
    assert (end.track, end.label, end.reason) == (1, "wave", "no_person")
    assert decision.state == "running" and decision.track == 2


def test_the_camera_tells_of_who_does_most_and_of_nobody():
    people = several()
    for number in range(20):
        decision = step(people, number, {1: 0} | ({2: 1} if number > 18 else {}), known=0.1)
    assert decision.state == "unknown"
    assert [step(people, number, {}).state for number in range(20, 40)][-1] == "no_person"
    assert step(several(), 0, {}).state == "no_person"


def test_a_lost_camera_ends_everything_and_a_message_of_it_is_valid():
    people = several()
    for number in range(20):
        step(people, number, {1: 0, 2: 1})
    decision = step(people, 20, {}, state="camera_lost")
    assert decision.state == "camera_lost"
    assert [(e.track, e.type, e.reason) for e in decision.events] == [
        (1, "end", "camera_lost"), (2, "end", "camera_lost")
    ]  # fmt: skip
    message = state_message(
        decision, since_ns=1, open_events=decision.events, fps_in=0, bundle="b", labels_version=1, provider="p"
    )
    schema = json.loads((files("edge_app.stream") / "schemas" / "state-1.0.json").read_text("utf-8"))
    jsonschema.validate(complete(message, run="r", seq=1, boot="b", now_ns=10**10, wall=None), schema)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.dictionaries(st.integers(1, 4), st.integers(0, 2), max_size=3),
            st.sampled_from(["running"] * 8 + ["camera_lost", "camera_frozen"]),
        ),
        max_size=80,
    ),
    st.integers(1, 15),
)
def test_every_start_has_one_end_whatever_comes_and_goes(steps, times) -> None:
    people, made = several(), []
    for number in range(len(steps) * times):
        doing, state = steps[number // times]
        made += step(people, number, doing if state == "running" else {}, state).events
    made += people.close(10**12, "stopped")
    starts, ends = ([e.id for e in made if e.type == kind] for kind in ("start", "end"))
    assert sorted(starts) == sorted(ends) and len(set(starts)) == len(starts)
    for event in made:
        assert event.id.split("-")[1] == str(event.track)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=60))
def test_for_one_person_it_is_the_detector_itself(steps) -> None:
    people, alone = PeopleEvents("cam", SPEC, EventConfig(), 1), EventDetector("cam", SPEC)
    for number, (track, label) in enumerate(steps):
        t_ns = (number + 1) * STEP_NS
        rankings = [ranking(t_ns, track, label)] if label < 3 else []
        window = rankings[0].window if rankings else None
        report = CameraReport("cam", "running", 0, t_ns, 30.0, number, 0, (window,) if window else ())
        assert str(people.update(report, rankings)) == str(alone.update(report, rankings[0] if rankings else None))
