"""`train shots` on features made up: three motions apart, two people who teach and two who are asked."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.bundles.bundle import Calibration
from train.studies import few_shot as shots
from train.studies.few_shot import (
    Asked,
    all_taught,
    halves,
    markdown,
    measure,
    one_taught,
    shots_of,
)


@pytest.fixture
def asked() -> Asked:
    rng = np.random.default_rng(0)
    names, people = ["a", "b", "c"], ["p1", "p2", "p3", "p4"]
    truth = np.tile(np.arange(3), 8)
    places = rng.normal(size=(3, 16)) * 3
    clip = np.repeat(np.arange(24), 2)
    features = (places[truth[clip]] + rng.normal(size=(48, 16))).astype(np.float32)
    texts = np.eye(14, dtype=np.float32)
    words = rng.normal(size=(48, 14)).astype(np.float32) * np.float32(0.1)  # that say nothing
    return Asked(
        "toy", names, features, clip, np.ones(48, bool), words, texts[:4], texts[4:], truth,
        np.array(people)[np.arange(24) // 6], np.zeros(16, np.float32), Calibration(0.2, 1.0, 0.0, 1.3),
    )  # fmt: skip


def test_who_teaches_is_never_asked_and_shots_are_of_many_people(asked):
    for seed in range(5):
        teachers, others = halves(asked, seed)
        assert not set(asked.people[teachers]) & set(asked.people[others])
        assert len(teachers) + len(others) == 24
        two = shots_of(asked, teachers, 0, 2, seed)
        assert len(two) == 2
        rows = [np.flatnonzero((asked.features == shot[0]).all(axis=1))[0] for shot in two]
        assert len(set(asked.people[asked.clip[rows]])) == 2
        assert set(asked.truth[asked.clip[rows]]) == {0}


def test_where_words_say_nothing_examples_tell_all(asked):
    found = all_taught(asked, 0)
    assert found[3] > 0.9 > 0.7 > found[0]
    one = one_taught(asked, 0, nameless=True)
    assert one[3]["found"] > 0.9 and one[3]["found"] > one[0]["found"]
    assert one[3]["stolen"] <= one[0]["stolen"] + 0.1


def test_the_tables_hold_every_figure(asked, monkeypatch):
    report = {"seeds": 2, "chosen_on": ["other"], "sets": {"toy": {"labels": 3, "clips": 24, **measure(asked, 2)}}}
    text = markdown(report)
    assert text.count("| toy |") == 2 * len(shots.SHOTS) + len(shots.OWN) and "nan" not in text


def test_a_threshold_of_its_own_makes_a_taught_label_rarer_and_leaves_the_others(asked):
    usual, same, strict = (one_taught(asked, 0, True, (3,), own_enter=at)[3] for at in (None, 0.35, 1.0))
    assert usual == same and usual["found"] > strict["found"] == strict["stolen"] == strict["alarms"] == 0
    assert strict["others"] == usual["others"]


def test_it_is_a_verb():
    from train.__main__ import main

    assert main(["shots", "--data", "none", "--folds", "none", "--out", "none", "--bundle", "none"]) == 2
