"""Composed motions do what their words say."""

import functools
import itertools
import re

import numpy as np
import pytest

from edge_app.window.skeleton import CORE15
from train.synthetic.compose import compose

AT = {name: i for i, name in enumerate(CORE15.joints)}
WRISTS, ANKLES = [AT["left_wrist"], AT["right_wrist"]], [AT["left_ankle"], AT["right_ankle"]]
PELVIS, NECK, HEAD = AT["pelvis"], AT["neck"], AT["head"]
MOVERS = {
    "arms": [AT[f"{side}_{name}"] for side in ("left", "right") for name in ("elbow", "wrist")],
    "legs": [AT[f"{side}_{name}"] for side in ("left", "right") for name in ("knee", "ankle")],
    "torso": [NECK, HEAD],
}
SHOULDERS = [AT["left_shoulder"], AT["right_shoulder"]]
UPRIGHT = ("stand", "sit", "kneel", "kneel one", "floor")


@pytest.fixture(scope="module")
def made():
    return [compose(seed) for seed in range(400)]


@functools.cache
def at_half_the_rate(seed: int):
    """More clips, for words that are rare."""
    return compose(seed, 12.0)


def wrists(clip) -> np.ndarray:
    """Wrists from the neck, metres, `[T, 2, 3]`."""
    return clip.joints[:, WRISTS, :3] - clip.joints[:, NECK, None, :3]


def knee_bend(clip) -> np.ndarray:
    """Degrees from straight, `[T, 2]`."""
    out = []
    for side in ("left", "right"):
        hip, knee, ankle = (clip.joints[:, AT[f"{side}_{name}"], :3] for name in ("hip", "knee", "ankle"))
        a, b = knee - hip, ankle - knee
        cosine = (a * b).sum(-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1)
        out.append(np.degrees(np.arccos(cosine.clip(-1, 1))))
    return np.stack(out, axis=1)


def trunk_lean(clip) -> np.ndarray:
    """Degrees of the trunk from upright, `[T]`."""
    up = clip.joints[:, NECK, :3] - clip.joints[:, PELVIS, :3]
    return np.degrees(np.arccos(up[:, 1] / np.linalg.norm(up, axis=-1)))


def strokes(points: np.ndarray) -> int:
    """How often the main motion of `[T, n]` coordinates turns from one side of its range to the other."""
    best = 0
    for first in range(0, int(0.6 * len(points)), 3):
        part = points[first:] - points[first:].mean(axis=0)
        line = part @ np.linalg.svd(part, full_matrices=False)[2][0]
        low, high = np.quantile(line, [0.03, 0.97])
        sides = [1 if v > 0.66 else -1 for v in (line - low) / max(high - low, 1e-9) if not 0.34 <= v <= 0.66]
        best = max(best, int((np.diff(sides) != 0).sum()))
    return best


def test_shapes_lengths_and_words(made):
    for clip in made:
        texts = clip.texts
        assert clip.joints.dtype == np.float32 and clip.joints.shape[1:] == (15, 4)
        assert 2.0 <= len(clip.joints) / 24 <= 5.05
        assert np.isfinite(clip.joints).all() and (clip.joints[..., 3] == 1).all()
        hash(clip.key)
        assert 1 <= len(texts.name.split()) <= 10, texts.name
        assert 2 <= len(texts.paraphrases) <= 3 and texts.name not in texts.paraphrases
        assert 20 <= len(texts.description.split()) <= 37, texts.description
        for part in ("arms", "legs", "torso"):
            assert 5 <= len(getattr(texts, part).split()) <= 18, getattr(texts, part)
        for text in (texts.name, *texts.paraphrases, texts.description, texts.arms, texts.legs, texts.torso):
            assert not re.search(r"[@~^{}|]|  | ,|(?<!sw)(?<!br)inging\b|\b(\w+) \1\b", text), text
            assert not re.search(r"\b(left|right) (arm|hand|leg|knee|foot)", text), "sides are mirrored in training"


def test_the_same_seed_gives_the_same_and_meanings_vary(made):
    again = compose(17)
    assert again.texts == made[17].texts and np.array_equal(again.joints, made[17].joints)
    keys = {clip.key for clip in made}
    assert len(keys) > 250
    assert len(keys) < len(made), "the same meaning comes up again"
    twins = [clip for clip in made if sum(other.key == clip.key for other in made) > 1]
    first, second = [clip for clip in twins if clip.key == twins[0].key][:2]
    assert not np.array_equal(first.joints, second.joints)


def test_frame_rate():
    slow, fast = compose(3, fps=12.0), compose(3, fps=24.0)
    assert abs(2 * len(slow.joints) - len(fast.joints)) <= 2 and slow.texts == fast.texts


def test_above_the_head_means_a_wrist_above_the_head(made):
    said = [c for c in made if "above the head" in c.texts.description and c.key[0] in UPRIGHT]
    assert len(said) > 12
    for clip in said:
        over = (clip.joints[:, WRISTS, 1] - clip.joints[:, HEAD, None, 1]).max()
        assert over > 0.05, (over, clip.texts.description)


def test_still_legs_stay(made):
    said = [c for c in made if "legs stay still" in c.texts.description or "stay still" in c.texts.legs]
    assert len(said) > 120
    for clip in said:
        moved = np.ptp(clip.joints[:, ANKLES, :3], axis=0).max()
        assert moved < 0.07, (moved, clip.texts.description)


def test_bent_knees_bend(made):
    deep = [
        c for c in made if re.search(r"knees? (are |is )?bent deeply|knees bend deeply|bent knees and", c.texts.legs)
    ]
    slight = [
        c for c in made if re.search(r"both knees (bend|are bent) slightly", c.texts.legs) and c.key[0] == "stand"
    ]
    assert len(deep) > 8 and len(slight) > 4
    for clip in deep:
        assert knee_bend(clip).max() > 65, clip.texts.description
    for clip in slight:
        assert 25 < knee_bend(clip).max() < 80, clip.texts.description


@pytest.mark.parametrize("part", ["arms", "legs", "torso"])
def test_repeatedly_means_two_times_there_and_back(made, part):
    said = [c for c in made if re.search("repeatedly|again and again", getattr(c.texts, part)) and c.key[0] in UPRIGHT
            and "very small" not in getattr(c.texts, part)]  # fmt: skip
    assert len(said) > 25
    for clip in said:
        if part == "torso" and "head turns" in clip.texts.torso:
            continue  # the middle of the ears stays where it is
        turns = part == "torso" and "turn" in clip.texts.torso
        points = clip.joints[:, SHOULDERS if turns else MOVERS[part], :3].astype(float)
        root = clip.joints[:, NECK if part == "arms" else PELVIS, None, :3]
        points -= root * ([1, 1, 1] if part == "arms" else [1, 0, 1])
        assert strokes(points.reshape(len(points), -1)) >= 3, (getattr(clip.texts, part), clip.key)


def test_the_other_arm_hangs_still(made):
    said = [c for c in made if "other arm hangs" in c.texts.description and c.texts.torso == "the torso stays upright and still"
            and c.key[2] == ()]  # fmt: skip
    assert len(said) > 20
    for clip in said:
        moved = np.ptp(wrists(clip), axis=0).max(axis=-1)
        assert moved.min() < 0.1, (moved, clip.texts.description)
        quiet = int(np.argmin(moved))
        assert wrists(clip)[:, quiet, 1].max() < -0.35, "it hangs"


@pytest.mark.parametrize(
    ("words", "holds"),
    [
        (r"straight arms? (is|are) (lifted|held) forward (at|up to) shoulder height", lambda w, c: w[..., 2].min() < -0.35),
        (r"straight arms? (is|are) (lifted|held) to the side (at|up to) shoulder height", lambda w, c: abs(w[..., 0]).max() > 0.42),
        (r"backward behind the hips", lambda w, c: w[..., 2].max() > 0.15),
        (r"to the mouth|at the mouth", lambda w, c: to_head(c) < 0.26),
        (r"(to|at) the ear", lambda w, c: to_head(c) < 0.33),
        (r"hands? (is|are) (brought|held) (to|on) the hip", lambda w, c: abs(w[..., 1] + 0.42).min() < 0.12),
        (r"behind the back", lambda w, c: w[..., 2].max() > 0.1),
        (r"torso (bends|is bent) forward deeply", lambda w, c: trunk_lean(c).max() > 35),
        (r"torso leans (to one side|from side to side|backward)", lambda w, c: trunk_lean(c).max() > 10),
        (r"feet leave the floor|jump apart", lambda w, c: airborne(c) > 0.03),
        (r"lifted in front (up )?to hip height", lambda w, c: knee_height(c) > -0.2),
        (r"lies still|Lying|Face down on", lambda w, c: trunk_lean(c).max() > 60),
    ],
)  # fmt: skip
def test_words_of_place_are_true(made, words, holds):
    clips = itertools.chain(made, map(at_half_the_rate, range(1000, 2600)))
    said = list(itertools.islice((clip for clip in clips if re.search(words, clip.texts.description)), 4))
    assert len(said) >= 3
    for clip in said:
        assert holds(wrists(clip), clip), clip.texts.description


def to_head(clip) -> float:
    return float(np.linalg.norm(clip.joints[:, WRISTS, :3] - clip.joints[:, HEAD, None, :3], axis=-1).min())


def airborne(clip) -> float:
    lowest = clip.joints[:, ANKLES, 1].min(axis=1)
    return float(lowest.max() - lowest.min())


def knee_height(clip) -> float:
    knees = clip.joints[:, [AT["left_knee"], AT["right_knee"]], 1]
    return float((knees - clip.joints[:, PELVIS, None, 1]).max())
