"""Composed motion in bulk, drawn clips, and what is withheld with a withheld concept."""

import json

import numpy as np
import pytest

from train.__main__ import main
from train.data.texts import TextBank
from train.synthetic.augment import _other_proportions
from train.synthetic.bank import joined, load_composed, load_drawn, seen_clips, shows
from train.synthetic.named_actions import named_clips


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    load_composed(12, 0, folder)
    return folder


def test_what_is_kept_is_what_was_made(cache):
    first, again = load_composed(12, 0, cache), load_composed(12, 0, cache)
    assert len(first.bank) == 12
    assert np.array_equal(first.bank.joints, again.bank.joints)
    rng = np.random.default_rng
    rows = np.arange(12)
    assert np.array_equal(first.texts.sample(rows, rng(0)), again.texts.sample(rows, rng(0)))


def test_kin_of_a_withheld_concept_is_withheld(cache):
    everything = load_composed(12, 0, cache)
    moves = [json.loads(key) for key in everything.bank.concepts]
    assert any(shows(key, "squat") for key in moves)
    without = load_composed(12, 0, cache, ["squat"])
    assert 0 < len(without.bank) < 12
    assert not any(shows(json.loads(key), "squat") for key in without.bank.concepts)
    clips = seen_clips(named_clips(1, 0), [], ["throw"])
    assert not {"throw", "karate chop", "throw underarm"} & {clip.concept for clip in clips}
    assert "bicep curl" in {clip.concept for clip in clips}


def test_joining_keeps_rows_apart():
    one = TextBank([np.eye(4, dtype=np.float32)[:2]], [np.eye(4, dtype=np.float32)[2:]])
    two = TextBank([np.eye(4, dtype=np.float32)[3:]], [np.zeros((0, 4), np.float32)])
    both = TextBank.joined(one, two).sample(np.array([0, 1]), np.random.default_rng(0), no_description=0.0)
    assert np.allclose(np.linalg.norm(both, axis=1), 1, atol=1e-6)
    assert np.allclose(both[0, [2, 3, 4, 5]], 0)
    assert np.allclose(both[1], np.array([0, 0, 0, 1, 0, 0, 0, 1]) / np.sqrt(2)), "names stand in for the description"


@pytest.mark.slow
def test_drawn_clips_are_seen_by_mediapipe_and_a_second_run_does_nothing(tmp_path, monkeypatch, cache):
    monkeypatch.setattr("train.synthetic.draw.A_FILE", 2)
    assert main(["draw", "--out", str(tmp_path), "--clips", "4"]) == 0
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["00000.npz", "00001.npz"]
    stamps = [file.stat().st_mtime_ns for file in files]
    assert main(["draw", "--out", str(tmp_path), "--clips", "4"]) == 0
    assert [file.stat().st_mtime_ns for file in files] == stamps
    acted, composed = load_drawn(files)
    assert 1 <= len(acted) <= 2 and 1 <= len(composed.bank) <= 2
    assert all(clip.filmed and clip.joints.shape[1:] == (15, 4) for clip in acted)
    assert np.isfinite(composed.bank.joints).all()
    together = joined(load_composed(12, 0, cache), composed)
    assert len(together.bank) == 12 + len(composed.bank)
    assert together.texts.sample(np.arange(len(together.bank)), np.random.default_rng(0)).shape[0] == len(together.bank)


def test_other_proportions_keep_the_root_and_the_symmetry():
    rng = np.random.default_rng(0)
    pose = rng.normal(size=(3, 5, 15, 3)).astype(np.float32)
    changed = _other_proportions(pose, rng, 0.2)
    assert np.array_equal(changed[:, :, 0], pose[:, :, 0])
    length = lambda x, a, b: np.linalg.norm(x[:, :, a] - x[:, :, b], axis=-1)  # noqa: E731
    left = length(changed, 4, 5) / length(pose, 4, 5)
    right = length(changed, 7, 8) / length(pose, 7, 8)
    assert np.allclose(left, right, atol=1e-3)
    assert np.allclose(left, left[:, :1], atol=1e-3)
    assert not np.allclose(left, 1, atol=0.01)
    assert np.allclose(_other_proportions(pose, rng, 0.0), pose, atol=1e-5)
