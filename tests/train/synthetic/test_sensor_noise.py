"""The imitation of MediaPipe's errors: what is put into pairs is found again, and applied."""

import numpy as np
import pytest

from edge_app.camera.person.actions import perform
from edge_app.camera.person.kinematics import Body, core15
from edge_app.camera.person.motion import Style
from edge_app.window.skeleton import CORE15
from train.data.clips import Bank, Clip
from train.synthetic.augment import training_windows
from train.synthetic.fit_sensor_noise import SPEC, STILL, load_windows, separation
from train.synthetic.sensor_noise import FILE, NECK, Pairs, SensorNoise, align, view_of

LEFT_LEG = np.array([10, 11])
OFFSET, JITTER, DEEP = 0.04, 0.01, 0.7


def people(count: int, steps: int = 32, seed: int = 0) -> np.ndarray:
    """Waving people seen from every side: float32 `[N, T, 15, 3]`."""
    joints = core15(perform("wave", 6.0, 16.0, style=Style.random(seed), body=Body.random(seed)))
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(count):
        first, yaw = rng.integers(0, len(joints) - steps), rng.uniform(-np.pi, np.pi)
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        out.append(joints[first : first + steps] @ turn.T)
    return np.stack(out).astype(np.float32)


def pairs(count: int, seed: int = 0) -> Pairs:
    """Depth too small; offset and jitter of known size on the left ankle; the left leg hidden in a third of windows."""
    rng, truth = np.random.default_rng(seed), people(count, seed=seed)
    saw, seen = truth.copy(), np.ones(truth.shape[:3], bool)
    saw[..., 2] = truth[:, :, NECK, None, 2] + DEEP * (truth[..., 2] - truth[:, :, NECK, None, 2])
    saw[:, :, 11, :2] += OFFSET * rng.standard_normal((count, 1, 2)) + JITTER * rng.standard_normal((count, 32, 2))
    hidden = rng.random(count) < 1 / 3
    seen[np.ix_(hidden, np.arange(32), LEFT_LEG)] = False
    return align(truth, saw, seen)


@pytest.fixture(scope="module")
def noise() -> SensorNoise:
    return SensorNoise.fit(pairs(600))


@pytest.fixture(scope="module")
def applied(noise):
    truth = people(400, seed=3)
    return truth, *noise.apply(truth, np.ones(truth.shape[:3], np.float32), np.random.default_rng(5))


def test_known_offset_and_jitter_are_found_again(applied):
    truth, out, _ = applied
    # Sides mix near the front and the back, where a window of the one view may be mirrored: both ankles share then.
    error = np.concatenate([(out - truth)[:, :, j, :2] for j in (11, 14)])
    moving = error - error.mean(axis=1, keepdims=True)
    assert np.sqrt((error.mean(axis=1) ** 2).mean()) == pytest.approx(OFFSET / np.sqrt(2), rel=0.25)
    assert np.sqrt((moving**2).mean()) == pytest.approx(JITTER / np.sqrt(2), rel=0.25)
    steps = np.diff(moving, axis=1)
    assert (steps**2).mean() / (moving**2).mean() == pytest.approx(2, rel=0.2)  # white: neighbours do not agree
    assert np.abs((out - truth)[:, :, 5, :2]).mean() < 0.01


def test_a_depth_gain_is_found_again(applied):
    truth, out, _ = applied
    was, now = (xyz[:, :, 6, 2] - xyz[:, :, 3, 2] for xyz in (truth, out))
    assert (was * now).sum() / (was**2).sum() == pytest.approx(DEEP, abs=0.06)


def test_joints_are_hidden_together_and_as_often(applied):
    seen = applied[2]
    legs = seen[:, :, [10, 11, 13, 14]] < 0.5
    assert legs[..., 1].mean() + legs[..., 3].mean() == pytest.approx(1 / 3, abs=0.1)
    assert (legs[..., 0] == legs[..., 1]).all() and (legs[..., 2] == legs[..., 3]).all()
    assert seen[:, :, :9].all()


def test_what_was_not_seen_stays_so_and_inputs_stay_as_they_are(noise):
    truth = people(20)
    seen = np.ones(truth.shape[:3], np.float32)
    seen[:, 5, 7] = 0
    before = truth.copy(), seen.copy()
    out, shown = noise.apply(truth, seen, np.random.default_rng(0))
    assert not shown[:, 5, 7].any()
    assert shown.dtype == seen.dtype and out.dtype == np.float32 and set(np.unique(shown)) <= {0, 1}
    assert (truth == before[0]).all() and (seen == before[1]).all()


@pytest.mark.parametrize("steps", [16, 32, 48])
def test_any_length_of_window(noise, steps):
    truth = people(3, steps)
    out, shown = noise.apply(truth, np.ones(truth.shape[:3]), np.random.default_rng(0))
    assert out.shape == truth.shape and shown.shape == truth.shape[:3] and np.isfinite(out).all()


def test_missing_joints_at_the_origin_do_no_harm(noise):
    out, shown = noise.apply(np.zeros((2, 32, 15, 3), np.float32), np.zeros((2, 32, 15)), np.random.default_rng(0))
    assert np.isfinite(out).all() and not shown.any()


def test_the_same_rng_gives_the_same_noise_and_another_does_not(noise):
    truth = people(5)
    seen = np.ones(truth.shape[:3])
    one, two, other = (noise.apply(truth, seen, np.random.default_rng(s))[0] for s in (1, 1, 2))
    assert (one == two).all() and not np.allclose(one, other)


def test_place_and_depth_of_the_person_do_not_matter(noise):
    truth = people(40)
    seen, moved = np.ones(truth.shape[:3]), np.array([1.0, -0.5, 4.0], np.float32)
    here, there = (noise.apply(xyz, seen, np.random.default_rng(0))[0] for xyz in (truth, truth + moved))
    # Rounding may pick another case for a window now and then.
    assert np.mean(np.abs(there - here - moved).max(axis=(1, 2, 3)) < 1e-4) > 0.7


def test_saved_and_loaded_it_does_the_same(noise, tmp_path):
    noise.save(tmp_path / "sensor.npz")
    truth = people(5)
    one, two = (
        model.apply(truth, np.ones(truth.shape[:3]), np.random.default_rng(0))[0]
        for model in (noise, SensorNoise.load(tmp_path / "sensor.npz"))
    )
    assert (one == two).all()


def test_the_shipped_model_keeps_a_standing_person_standing():
    assert FILE.stat().st_size < 200_000
    truth = people(60)
    out, shown = SensorNoise.load().apply(truth, np.ones(truth.shape[:3], np.float32), np.random.default_rng(0))
    error = np.linalg.norm(out - truth, axis=-1)[shown > 0]
    assert 0.01 < np.median(error) < 0.15
    assert shown[:, :, [1, 2, 3, 6]].mean() > 0.95 and 0.05 < 1 - shown[:, :, [11, 14]].mean() < 0.6


def test_views():
    facing = np.zeros((1, 2, 15, 3), np.float32)
    facing[:, :, [6, 12], 0] = 0.3
    assert view_of(facing) == pytest.approx(0)
    assert view_of(facing[:, :, CORE15.mirror]) == pytest.approx(180)


def test_drawn_clips_are_read_as_pairs(tmp_path):
    truth = people(2, 48)
    joints = np.concatenate([1.3 * truth, np.ones((*truth.shape[:3], 1), np.float32)], axis=-1)
    np.savez(
        tmp_path / "00000.npz", joints=joints.reshape(-1, 15, 4), truth=truth.reshape(-1, 15, 3),
        t_s=np.tile(np.arange(48) / 15, 2).astype(np.float32), off=np.array([0, 48, 96]),
    )  # fmt: skip
    windows = load_windows([tmp_path / "00000.npz"])
    found = windows.pairs()
    assert len(windows.clip) == 4 and found.truth.shape == (4, 32, 15, 3)
    np.testing.assert_allclose(found.saw, found.truth, atol=0.02)


def test_windows_that_only_a_camera_changes_are_neither_turned_nor_mirrored():
    joints = np.ones((33, 15, 4), np.float32)
    joints[..., :3] = core15(perform("wave", 2.1, 16.0, style=Style.random(0), body=Body.random(0)))[:33]
    bank = Bank([Clip("drawn", "", "", "", 16.0, False, joints)])
    rng = np.random.default_rng(0)
    windows = training_windows(bank, np.zeros(40, int), SPEC, rng, STILL)
    assert windows.shape == (40, 32, 15, 4) and np.isfinite(windows).all()
    across = windows[:, :, 6, 0] - windows[:, :, 3, 0]
    assert (across > 0).mean() > 0.9, "the right shoulder stays to the right of the left one"


def test_a_judge_tells_noise_from_none_but_not_like_from_like():
    rng = np.random.default_rng(0)
    windows = np.concatenate([people(120), np.ones((120, 32, 15, 1), np.float32)], axis=-1)
    learn = np.arange(120) < 80
    noisy = windows.copy()
    noisy[..., :3] += 0.05 * rng.standard_normal(noisy[..., :3].shape)
    assert separation(windows, noisy, learn, 8, 0) > 0.9
    assert separation(windows, windows.copy(), learn, 2, 0) == pytest.approx(0.5)
