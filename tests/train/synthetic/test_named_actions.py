"""Acted entries of the table are what their names say."""

import numpy as np
import pytest

from edge_app.camera.person import ACTIONS
from edge_app.ranker.labels.actions import find_action
from edge_app.window.skeleton import CORE15
from train.synthetic.named_actions import NAMED, named_clips
from train.synthetic.person_clips import concept_of

AT = {name: i for i, name in enumerate(CORE15.joints)}
WRISTS = [AT["left_wrist"], AT["right_wrist"]]
ANKLES = [AT["left_ankle"], AT["right_ankle"]]


@pytest.fixture(scope="module")
def made():
    clips = named_clips(3, 0)
    return {name: [clip.joints[..., :3] for clip in clips if clip.concept == name] for name in NAMED}


def height(joints, *names):
    return joints[:, [AT[n] for n in names], 1]


def test_concepts_are_entries_of_the_table_and_new():
    acted = {concept_of(action) for action in ACTIONS}
    for concept, meanings in NAMED.items():
        known = find_action(concept)
        assert known and known.name == concept and concept not in acted, concept
        assert meanings and len({meaning.key for meaning in meanings}) == len(meanings), concept


def test_no_two_concepts_share_a_meaning():
    keys = [meaning.key for meanings in NAMED.values() for meaning in meanings]
    assert len(keys) == len(set(keys))


def test_shapes_lengths_and_seeds():
    clips, again, others = named_clips(1, 5), named_clips(1, 5), named_clips(1, 6)
    assert len(clips) == len(NAMED)
    for clip, same, other in zip(clips, again, others, strict=True):
        assert clip.joints.shape[1:] == (15, 4) and clip.joints.dtype == np.float32, clip.name
        assert 2.0 <= len(clip.joints) / clip.fps <= 5.1 and np.isfinite(clip.joints).all(), clip.name
        assert (clip.joints[..., 3] == 1).all() and clip.name == clip.concept
        assert np.array_equal(clip.joints, same.joints)
        assert not np.array_equal(clip.joints, other.joints)


def test_a_knock_moves_one_wrist_again_and_again(made):
    for joints in made["knock on a door"]:
        wrists = joints[len(joints) // 3 :, WRISTS] - joints[len(joints) // 3 :, [AT["neck"]]]
        still, moving = sorted((wrists[:, k] for k in (0, 1)), key=lambda p: float(np.ptp(p[:, 2])))
        assert np.ptp(still, axis=0).max() < 0.06
        path = moving[:, 2] - moving[:, 2].mean()
        assert np.ptp(path) > 0.06 and (np.diff(np.sign(path)) != 0).sum() >= 4


@pytest.mark.parametrize(
    "name", ["plank", "lie still", "lie face down", "crawl", "leg raise", "bench press", "bird dog"]
)
def test_the_trunk_is_horizontal(made, name):
    for joints in made[name]:
        trunk = joints[:, AT["neck"]] - joints[:, AT["pelvis"]]
        assert (np.abs(trunk[:, 1]) / np.linalg.norm(trunk, axis=-1)).max() < 0.6


def test_hands_and_feet_go_where_the_names_say(made):
    for name in ("overhead press", "hang from a bar", "reach up", "clean and jerk"):
        assert all((height(j, "left_wrist", "right_wrist") - height(j, "head")).max() > 0.05 for j in made[name]), name
    for name in ("deadlift", "toe touch"):
        assert all(height(j, "left_wrist", "right_wrist").min() < 0.45 for j in made[name]), name
    for joints in made["rub hands"] + made["put palms together"]:
        assert np.linalg.norm(joints[-24:, WRISTS[0]] - joints[-24:, WRISTS[1]], axis=-1).min() < 0.25
    for joints in made["butt kicks"] + made["high knees"]:
        assert (np.ptp(joints[:, ANKLES, 1], axis=0) > 0.2).all()
    for joints in made["sit still"] + made["kneel still"]:
        assert np.ptp(joints, axis=0).max() < 0.1


@pytest.mark.parametrize(("name", "way"), [("swim", 1), ("butterfly stroke", 1), ("backstroke", -1)])
def test_strokes_go_the_right_way_round(made, name, way):
    for joints in made[name]:
        hands = joints[:, WRISTS] - joints[:, [AT["neck"]]]
        over = (hands[1:, :, 1] > 0.1) & (hands[:-1, :, 1] > 0.1)
        assert way * -np.diff(hands[..., 2], axis=0)[over].sum() > 0
