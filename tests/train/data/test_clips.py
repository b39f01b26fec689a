"""Clips, windows from banks of clips, augmentation and texts."""

from pathlib import Path

import numpy as np
import pytest

from edge_app.errors import UsageError
from edge_app.window.skeleton import CORE15, WindowSpec
from train.data.clips import MISSING, SETS, Bank, Clip, load_concepts, load_set, split_fall, trim_idle
from train.data.texts import ConceptTexts
from train.synthetic.augment import AugmentConfig, plain_windows, training_windows
from train.synthetic.person_clips import concept_of, generated_clips

SPEC = WindowSpec(2.0, 16.0, CORE15)
SHARED = Path(__file__).parents[3] / "../shared"


def ramp(frames: int, fps: float, *, concept: str = "a", flat: bool = False) -> Clip:
    """x of every joint is the time in seconds."""
    joints = np.ones((frames, 15, 4), np.float32)
    joints[..., :3] = (np.arange(frames) / fps)[:, None, None]
    return Clip("made", concept, concept, "s", fps, flat, joints)


def write_set(path: Path, dim: int = 3, **changes) -> Path:
    raw = np.zeros((50, 15, 3), np.int16 if dim == 3 else np.float32)
    raw[:] = np.arange(50)[:, None, None] * 10
    raw[0, 4] = MISSING if dim == 3 else 0
    arrays = {
        "X": raw, "off": np.array([0, 20, 50]), "label": np.array([1, 0]), "names": np.array(["Sit", "Wave"]),
        "subject": np.array(["s1", "s2"]), "fps": np.float32(15), "dim": np.int64(dim),
    }  # fmt: skip
    np.savez(path, **{**arrays, **changes})
    return path


@pytest.mark.parametrize("dim", [2, 3])
def test_a_set_is_read_as_written(tmp_path, dim):
    clips = load_set(write_set(tmp_path / "made.npz", dim), {("made", "Wave"): "wave one hand"})
    assert [(c.concept, c.subject, len(c.joints)) for c in clips] == [
        ("wave one hand", "made:s1", 20), ("sit", "made:s2", 30),
    ]  # fmt: skip
    assert clips[0].flat == (dim == 2)
    assert clips[0].joints[0, 4, 3] == 0, "a missing joint is masked"
    assert clips[0].joints[1, 4, 3] == 1
    expected = 0.01 if dim == 3 else -10
    assert clips[0].joints[1, 4, 0] == pytest.approx(expected)


def test_a_fall_and_lying_after_it_are_two_clips():
    height = np.concatenate([np.full(10, 1.5), np.linspace(1.5, 0.2, 10), np.full(60, 0.2)])
    clip = ramp(80, 20, concept="fall down")
    clip.joints[:, 1, 1] = height
    fall, lying = split_fall(clip)
    assert (fall.concept, lying.concept) == ("fall down", "lie still")
    assert len(fall.joints) + len(lying.joints) == 80
    assert 10 + 9 + 10 - 2 <= len(fall.joints) <= 10 + 10 + 10


def test_what_is_known_to_be_wrong_with_a_set_is_mended(tmp_path):
    raw = np.zeros((50, 15, 3), np.int16)
    raw[:, :, 0], raw[:, :, 2] = np.arange(15) * 10, 500
    as_it_is = load_set(write_set(tmp_path / "made.npz", X=raw))[0]
    turned = load_set(write_set(tmp_path / "bandai_namco.npz", X=raw))[0]
    np.testing.assert_allclose(turned.joints[..., [0, 2]], -as_it_is.joints[..., [0, 2]])
    swapped = load_set(write_set(tmp_path / "penn_action.npz", X=raw))[0]
    np.testing.assert_allclose(swapped.joints, as_it_is.joints[:, CORE15.mirror])
    assert load_set(write_set(tmp_path / "nw_ucla.npz"))[0].fps == 12.0


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "data/concepts.csv").is_file(), reason="../shared/data is not here")
def test_people_of_every_mended_set_face_the_camera():
    """Seen from the front, as most are, the right shoulder is to the picture's left, where x is higher."""
    for name in ("penn_action", "bandai_namco", "kinder_gator", "utkinect"):
        clips = load_set(SHARED / f"data/{name}.npz")
        if name == "penn_action":
            clips = [clip for clip in clips if clip.name == "jumping jacks"]
        sides = [np.sign(np.median(clip.joints[:, 6, 0] - clip.joints[:, 3, 0])) for clip in clips]
        assert np.mean(np.array(sides) > 0) > 0.8, name


@pytest.mark.parametrize(
    "changes", [{"off": np.array([0, 50])}, {"X": np.zeros((50, 25, 3), np.int16)}, {"names": np.array([{}], object)}]
)
def test_a_malformed_set_is_refused_in_one_line(tmp_path, changes):
    with pytest.raises(UsageError) as caught:
        load_set(write_set(tmp_path / "made.npz", **changes))
    assert "\n" not in str(caught.value)


def test_windows_follow_time_not_frames():
    for fps in (10.0, 30.0):
        bank = Bank([ramp(int(5 * fps), fps)])
        windows, valid = bank.windows(np.array([0]), np.array([1.0]), SPEC, speed=2.0)
        assert valid[0][: int(1.9 * 16)].all()
        np.testing.assert_allclose(windows[0, :16, 0, 0], 1 + 2 * np.arange(16) / 16, atol=1e-3)


def test_outside_the_clip_is_missing_or_held():
    bank = Bank([ramp(10, 10.0)])
    windows, valid = bank.windows(np.array([0, 0]), np.array([-0.5, -0.5]), SPEC, hold=np.array([False, True]))
    assert not valid[0, 0]
    assert not windows[0, 0].any()
    assert valid[1].all()
    assert windows[1, -1, 0, 0] == pytest.approx(0.9)


def test_trim_cuts_the_still_ends():
    still_part = np.zeros((60, 15, 4), np.float32)
    joints = np.concatenate([still_part, ramp(30, 30.0).joints, still_part + 1])
    joints[..., 3] = 1
    trimmed = trim_idle(Clip("d", "n", "c", "s", 30.0, False, joints))
    assert 30 <= len(trimmed.joints) <= 50


def test_training_windows_are_finite_masked_and_repeatable():
    clips = [*generated_clips(1, seed=1)[:6], ramp(40, 20.0, flat=True)]
    bank, picked = Bank(clips), np.arange(7)
    first = training_windows(bank, picked, SPEC, np.random.default_rng(5))
    again = training_windows(bank, picked, SPEC, np.random.default_rng(5))
    assert first.shape == (7, 32, 15, 4)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, again)
    assert set(np.unique(first[..., 3])) <= {0.0, 1.0}
    assert not first[..., :3][first[..., 3] == 0].any()


def test_no_legs_hides_the_legs():
    bank = Bank(generated_clips(1, seed=1)[:4])
    config = AugmentConfig(no_legs=1.0, no_hips=0.0, lost_joint=0.0, lost_arm=0.0)
    windows = training_windows(bank, np.arange(4), SPEC, np.random.default_rng(0), config)
    assert not windows[:, :, [10, 11, 13, 14], 3].any()
    assert windows[:, :, [0, 1, 2, 5, 8], 3].any(axis=1).all()


def test_plain_windows_cover_the_clip():
    bank = Bank([ramp(100, 20.0)])
    assert plain_windows(bank, np.array([0]), SPEC).shape == (1, 3, 32, 15, 4)


def test_generated_clips_repeat_by_seed_and_meet_the_table_of_actions():
    first, again, other = generated_clips(1, 3), generated_clips(1, 3), generated_clips(1, 4)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.joints, b.joints)
    assert any(
        a.joints.shape != b.joints.shape or (a.joints != b.joints).any() for a, b in zip(first, other, strict=True)
    )
    assert concept_of("wave") == "wave one hand"
    assert concept_of("fall backward") == "fall down"


def test_texts_are_sampled_around_what_the_device_uses():
    texts = ConceptTexts(["wave one hand", "squat", "an action nobody has a name for"])
    names = ["squat", "wave one hand", "an action nobody has a name for"]
    pooled, rng = texts.pooled(names), np.random.default_rng(0)
    np.testing.assert_allclose(np.linalg.norm(pooled, axis=1), 1, atol=1e-4)
    sampled = np.stack([texts.sample(texts.rows(names), rng) for _ in range(20)])
    np.testing.assert_allclose(np.linalg.norm(sampled, axis=2), 1, atol=1e-4)
    assert np.ptp(sampled[:, 0], axis=0).max() > 0.01
    own = np.einsum("nke,ke->nk", sampled, pooled)
    assert (own[:, 0] > np.einsum("ne,e->n", sampled[:, 0], pooled[1])).all()


@pytest.mark.shared
def test_the_shared_sets_have_the_counts_that_the_documents_give():
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout")
    concepts = load_concepts(SHARED / "data/concepts.csv")
    clips = load_set(SHARED / "data/utkinect.npz", concepts)
    assert len(clips) == 199
    assert len({concept for (name, _), concept in concepts.items() if name in SETS}) == 186
    assert {clip.concept for clip in clips} <= set(concepts.values())
