"""Events: every start has exactly one end, and only what holds is started."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.events import EventConfig, EventDetector
from edge_app.types import CameraReport, Ranking, Window
from edge_app.window.skeleton import CORE15, WindowSpec

SPEC = WindowSpec(2.0, 16.0, CORE15)
LABELS = ("wave", "squat", "jump")
STEP_NS = 100_000_000


def window(t_ns: int, *, track: int = 1, motion: float = 1.0, seen: float = 1.0) -> Window:
    joints = np.zeros((32, 15, 4), np.float32)
    joints[..., 3] = seen
    return Window("cam", track, t_ns, joints, np.ones(32, bool), 30.0, seen, motion)


def step(
    detector: EventDetector, number: int, label: int | None, *, known: float = 0.95, version: int = 1,
    state: str = "running", labels: tuple[str, ...] = LABELS, enter: tuple[float | None, ...] = (),
    sudden: tuple[bool, ...] = (), **shape: float,
):  # fmt: skip
    """One report in which `label` has nearly all of the score; None: nobody in view."""
    t_ns = (number + 1) * STEP_NS
    seen = None if label is None else window(t_ns, **shape)
    ranking = None
    if seen is not None:
        scores = np.full(len(labels), 0.02, np.float32)
        scores[label : label + 1] = 0.96
        ranking = Ranking(seen, labels, version, -scores, scores, known, enter, sudden)
    return detector.update(CameraReport("cam", state, 0, t_ns, 30.0, number, 0, (seen,) if seen else ()), ranking)


def run(labels: list[int | None], **shape: float) -> tuple[list, list[str]]:
    detector = EventDetector("cam", SPEC)
    decisions = [step(detector, i, label, **shape) for i, label in enumerate(labels)]
    return [event for d in decisions for event in d.events], [d.state for d in decisions]


def test_an_action_starts_is_updated_and_ends_when_the_person_leaves():
    events, states = run([0] * 29 + [None] * 10)
    assert [e.type for e in events] == ["start", "update", "update", "end"]
    assert {e.label for e in events} == {"wave"}
    assert {e.id for e in events} == {events[0].id}
    assert events[-1].reason == "no_person"
    assert events[0].onset_ns < events[0].t_ns
    assert states[-1] == "no_person"
    assert "running" in states


def test_a_flash_of_another_label_starts_nothing():
    events, _ = run([0] * 15 + [1] + [0] * 15)
    assert {e.label for e in events} == {"wave"}
    assert [e.type for e in events].count("start") == 1


def test_a_fall_starts_with_the_first_ranking_that_is_sure_of_it_and_ends_like_any_other():
    events, _ = run([0] * 15 + [1] + [0] * 15, sudden=(False, True, False))
    order = [(e.type, e.label) for e in events if e.type != "update"]
    assert order == [("start", "wave"), ("end", "wave"), ("start", "squat"), ("end", "squat"), ("start", "wave")]
    assert next(e.t_ns for e in events if e.label == "squat") == 16 * STEP_NS
    assert not run([1] * 2, known=0.4, sudden=(False, True, False))[0], "one that is not sure has to hold"


def test_one_action_after_another_ends_the_first_before_the_second_starts():
    events, _ = run([0] * 15 + [1] * 15)
    order = [(e.type, e.label, e.reason) for e in events if e.type != "update"]
    assert order == [("start", "wave", None), ("end", "wave", "replaced"), ("start", "squat", None)]


def test_what_no_label_explains_is_unknown():
    events, states = run([0] * 20, known=0.2)
    assert not events
    assert states[-1] == "unknown"


def test_a_label_with_a_threshold_of_its_own_starts_there_and_the_others_as_ever():
    def starts(label: int, known: float, own: tuple[float | None, ...]) -> list[str]:
        return [e.label for e in run([label] * 20, known=known, enter=own)[0] if e.type == "start"]

    strict, easy = (0.8, None, None), (0.1, None, None)
    assert starts(0, 0.6, ()) == ["wave"] and starts(0, 0.6, strict) == [] and starts(0, 0.9, strict) == ["wave"]
    assert starts(1, 0.6, strict) == ["squat"]
    assert starts(0, 0.15, ()) == [] and starts(0, 0.15, easy) == ["wave"] and starts(1, 0.15, easy) == []
    detector = EventDetector("cam", SPEC)
    assert step(detector, 0, 0, known=0.6, enter=strict).reason.limit == 0.8
    events, _ = run([0] * 30, known=0.15, enter=easy)
    assert [e.type for e in events].count("end") == 0  # not ended by an exit above its start


def test_a_still_person_is_idle_unless_a_label_is_sure():
    events, states = run([0] * 20, motion=0.05, known=0.5)
    assert not events
    assert states[-1] == "idle"
    events, _ = run([0] * 20, motion=0.05, known=0.99)
    assert [e.label for e in events if e.type == "start"] == ["wave"]


def test_a_body_hardly_in_view_is_nobody():
    events, states = run([0] * 20, seen=0.2)
    assert not events
    assert set(states) == {"no_person"}


def test_a_lost_camera_ends_what_is_open_and_forgets():
    detector = EventDetector("cam", SPEC)
    for i in range(10):
        step(detector, i, 0)
    lost = step(detector, 10, None, state="camera_lost")
    assert [(e.type, e.reason) for e in lost.events] == [("end", "camera_lost")]
    assert lost.state == "camera_lost"
    back = step(detector, 11, 0)
    assert not back.events, "belief from before the loss must not start anything"


def test_another_person_ends_what_is_open():
    detector = EventDetector("cam", SPEC)
    for i in range(10):
        step(detector, i, 0)
    decision = step(detector, 10, 0, track=2)
    assert [(e.type, e.reason) for e in decision.events] == [("end", "track_lost")]


def test_an_action_goes_on_under_new_labels_that_still_have_it():
    detector = EventDetector("cam", SPEC)
    events = [e for i in range(10) for e in step(detector, i, 0).events]
    for i in range(10, 29):
        events += step(detector, i, 1, version=i, labels=("hop", "wave")).events
    assert [e.type for e in events] == ["start", "update", "update"]


def test_an_action_whose_label_is_gone_ends_once_with_that_reason():
    detector = EventDetector("cam", SPEC)
    for i in range(10):
        step(detector, i, 0)
    ends = [e for i in range(10, 20) for e in step(detector, i, 1, version=2, labels=("hop", "squat")).events]
    assert [(e.type, e.label, e.reason) for e in ends[:1]] == [("end", "wave", "label_removed")]
    assert [(e.type, e.label) for e in ends[1:]] == [("start", "squat")]


def test_without_labels_everything_is_unknown():
    detector = EventDetector("cam", SPEC)
    for i in range(10):
        step(detector, i, 0)
    decisions = [step(detector, i, 0, version=2, labels=()) for i in range(10, 20)]
    assert [(e.type, e.reason) for d in decisions for e in d.events] == [("end", "label_removed")]
    assert {d.state for d in decisions} == {"unknown"}
    assert step(detector, 20, 0, version=2, labels=(), motion=0.05).state == "idle"


SETS = ((), LABELS, ("jump", "hop", "wave"), ("wave",))
moments = st.tuples(
    st.sampled_from([None, 0, 1, 2]), st.floats(0, 1), st.floats(0, 2), st.integers(1, 2), st.integers(0, 3),
    st.sampled_from(["running"] * 6 + ["camera_lost", "camera_frozen"]),
)  # fmt: skip


@given(st.lists(moments, max_size=120))
@settings(max_examples=150, deadline=None)
def test_every_start_has_exactly_one_end_whatever_happens(story):
    detector = EventDetector("cam", SPEC, EventConfig(hold_s=0.1, release_s=0.2))
    events = []
    for i, (label, known, motion, track, version, state) in enumerate(story):
        shape = {"labels": SETS[version], "motion": motion, "track": track}
        events += step(detector, i, label, known=known, version=version, state=state, **shape).events
    events += detector.close(len(story) * STEP_NS, "ended")
    open_id = None
    for event in events:
        if event.type == "start":
            assert open_id is None
            open_id = event.id
        else:
            assert event.id == open_id
            if event.type == "end":
                assert event.reason
                open_id = None
    assert open_id is None
    assert len({e.id for e in events if e.type == "start"}) == sum(e.type == "start" for e in events)


def test_bones_that_stretch_are_nobodys():
    detector, rng = EventDetector("cam", SPEC), np.random.default_rng(0)
    person = window(0)
    person.joints[..., :3] = rng.normal(size=(1, 15, 3))
    assert detector.body_seen(person)
    rubber = window(0)
    rubber.joints[..., :3] = person.joints[..., :3] * rng.uniform(0.5, 1.5, (32, 15, 1))
    assert not detector.body_seen(rubber)


def test_bones_that_stretch_a_little_start_nothing_but_a_fall():
    body = np.random.default_rng(0).normal(size=(1, 15, 3))
    scores = np.array([0.96, 0.02, 0.02], np.float32)
    for stretch, sudden, starts in (
        (0.1, (), 1),
        (0.16, (), 0),
        (0.22, (), 0),
        (0.22, (True, False, False), 1),
        (0.3, (True, False, False), 0),
    ):
        detector, events = EventDetector("cam", SPEC), []
        for number in range(1, 20):
            seen = window(number * STEP_NS)
            seen.joints[..., :3] = body * (1 + stretch * np.tile([-1, 1], 16)[:, None, None])
            assert detector.body_seen(seen) == (stretch < 0.2)
            report = CameraReport("cam", "running", 0, number * STEP_NS, 30.0, number, 0, (seen,))
            events += detector.update(report, Ranking(seen, LABELS, 1, -scores, scores, 0.95, (), sudden)).events
        assert [event.type for event in events].count("start") == starts


def test_somebody_who_is_hardly_in_view_starts_nothing():
    detector = EventDetector("cam", SPEC)
    for number in range(20):
        t_ns = (number + 1) * STEP_NS
        seen = window(t_ns)
        seen.valid[:22] = False
        ranking = Ranking(seen, LABELS, 1, np.zeros(3, np.float32), np.array([0.96, 0.02, 0.02], np.float32), 0.95)
        report = CameraReport("cam", "running", 0, t_ns, 30.0, number, 0, (seen,))
        assert not detector.update(report, ranking).events
