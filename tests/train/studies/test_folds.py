"""Folds: which there are, and the figures of generalised zero-shot naming."""

import numpy as np
import pytest

from train.data.clips import Clip
from train.encoder.train import held_people
from train.papers.gzsl import seen_and_unseen
from train.studies.folds import Duels, all_folds, harmonic, stacked

CONCEPTS = [f"c{i}" for i in range(30)]


def test_splits_differ_and_do_not_depend_on_how_many_there_are():
    few = all_folds(["a+c", "b"], [0, 1], 2, CONCEPTS)
    many = all_folds(["a+c", "b"], [0, 1], 5, CONCEPTS)
    assert [f.name for f in few] == ["a+c-0", "b-0", "a+c-1", "b-1", "split-0", "split-1"]
    assert few[0].left_out == ("a", "c")
    assert few == many[:6]
    withheld = [f.withheld for f in many if f.withheld]
    assert len(set(withheld)) == 5
    assert all(len(set(w)) == 12 and set(w) <= set(CONCEPTS) for w in withheld)


def test_held_people_are_a_share_of_every_recorded_set_and_of_no_other():
    joints = np.zeros((2, 15, 4), np.float32)
    clips = [
        Clip(name, "x", "x", f"{name}:{i}", 30.0, False, joints)
        for name in ("nw_ucla", "utkinect", "generated") for i in range(10)
    ]  # fmt: skip
    held = held_people(clips, 0.2, 3)
    assert len(held) == 4
    assert {name.split(":")[0] for name in held} == {"nw_ucla", "utkinect"}
    assert held == held_people(clips[::-1], 0.2, 3)
    assert held_people(clips, 0.0, 3) == set()


ENERGIES = np.array([[0.0, 1, 2], [0.0, 1, 2], [1.0, 0, 2], [0.1, 1, 0.2], [0.3, 1, 0.2]])
TRUTH, UNSEEN = np.array([0, 0, 1, 2, 2]), np.array([False, False, True])


def test_raising_seen_energies_trades_seen_for_unseen():
    assert seen_and_unseen(ENERGIES, TRUTH, UNSEEN) == (1.0, 0.5)
    assert seen_and_unseen(ENERGIES, TRUTH, UNSEEN, 0.15) == (1.0, 1.0)
    assert seen_and_unseen(ENERGIES, TRUTH, UNSEEN, 5.0) == (0.0, 1.0)
    assert harmonic(1.0, 0.5) == pytest.approx(2 / 3)
    assert harmonic(0.0, 0.0) == 0.0


def test_duels_give_what_all_energies_give():
    rng = np.random.default_rng(0)
    energies, truth, unseen = rng.normal(size=(300, 9)), rng.integers(0, 9, 300), np.arange(9) % 3 == 0
    duels = Duels.of(energies, truth, unseen)
    for raised in (0.0, 0.4, 1.1, 9.0):
        assert duels.point(raised) == seen_and_unseen(energies, truth, unseen, raised)


def test_the_constant_of_a_split_is_chosen_by_the_others(tmp_path):
    for n, energies in enumerate((ENERGIES, ENERGIES - [[0, 0, 2]])):
        (tmp_path / f"split-{n}").mkdir()
        np.savez(tmp_path / f"split-{n}" / "fold.npz", energies=energies, truth=TRUTH, unseen=UNSEEN)
    first, second = stacked([{"split": 0}, {"split": 1}], tmp_path)
    assert first["stacked"]["raised"] == 0.0, "the other split needs none"
    assert first["stacked"]["harmonic"] == first["gzsl"]["harmonic"] == pytest.approx(2 / 3, abs=1e-4)
    raised = second["stacked"]["raised"]
    assert raised > 0.1, "the first split wants unseen classes helped"
    best = harmonic(*seen_and_unseen(ENERGIES, TRUTH, UNSEEN, raised))
    assert best > first["gzsl"]["harmonic"]
