"""Windows: the same motion gives the same window whatever the camera's rate, scale or place."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.camera.person import Style, core15, landmarks33, perform
from edge_app.types import Pose, Track
from edge_app.window.buffer import WindowBuffer, WindowBuffers, make_window, resample
from edge_app.window.normalize import STANDARD_LENGTHS, body_scale, lift, normalize
from edge_app.window.quality import motion
from edge_app.window.skeleton import CORE15, NTU25, WindowSpec

SPEC = WindowSpec(2.0, 16.0, CORE15)


def poses_of(action: str, fps: float, *, seconds: float = 3.0, pixels_per_metre: float = 150.0) -> list[Pose]:
    """A performance seen by an ideal orthographic camera with perfect landmarks."""
    landmarks = landmarks33(perform(action, seconds, fps, style=Style(noise=0.0)))
    image = landmarks[..., :2] * -pixels_per_metre + np.array([320, 400])
    world = landmarks - landmarks[:, [23, 24]].mean(axis=1, keepdims=True)
    return [
        Pose(round(i * 1e9 / fps), im.astype(np.float32), w.astype(np.float32), np.ones(33, np.float32), (640, 480))
        for i, (im, w) in enumerate(zip(image, world, strict=True))
    ]


def window_of(action: str, fps: float, end_s: float = 2.6):
    buffer = WindowBuffer("cam", SPEC)
    for pose in poses_of(action, fps):
        if pose.t_ns <= end_s * 1e9:
            buffer.push(Track(1, pose))
    return buffer.window()


def test_rebuilt_root_shows_that_a_squat_lowers_the_pelvis():
    poses = poses_of("squat", 30)
    joints = lift(poses, CORE15)
    truth = core15(perform("squat", 3.0, 30, style=Style(noise=0.0)))
    drop = joints[:, 0, 1].max() - joints[:, 0, 1].min()
    assert drop == pytest.approx(np.ptp(truth[:, 0, 1]), rel=0.05)
    assert max(abs(pose.world[[23, 24]].mean(axis=0)).max() for pose in poses) < 1e-5


@pytest.mark.parametrize("fps", [10, 15, 60])
def test_a_window_does_not_depend_on_the_frame_rate(fps):
    reference, other = window_of("squat", 30), window_of("squat", fps)
    shift = (other.t_ns - reference.t_ns) / 1e9
    assert abs(shift) < 0.11
    assert other.valid.all()
    assert other.fps_in == pytest.approx(fps, rel=0.02)
    apart = np.abs(
        normalize(other.joints, other.valid, CORE15) - normalize(reference.joints, reference.valid, CORE15)
    ).max()
    assert apart < 0.12, "a tenth of a second of a slow squat is a few centimetres"


def test_resampling_marks_what_is_missing_and_never_invents_it():
    t_ns = np.array([0, 100, 200, 1_500, 1_600], np.int64) * 1_000_000
    joints = np.ones((5, 15, 4), np.float32)
    sampled, valid = resample(t_ns, joints, 1_600_000_000, SPEC)
    times = 1.6 - np.arange(31, -1, -1) / 16
    missing = (times < -0.35) | ((times > 0.55) & (times < 1.15))
    np.testing.assert_array_equal(valid, ~missing)
    assert not sampled[~valid].any()
    assert sampled[valid].all()


@given(
    scale=st.floats(0.2, 400), x=st.floats(-5, 5), y=st.floats(-5, 5), z=st.floats(0.5, 9),
    action=st.sampled_from(["wave", "squat", "jump"]),
)  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_normalized_windows_do_not_depend_on_size_or_place(scale, x, y, z, action):
    joints = np.ones((32, 15, 4), np.float32)
    joints[..., :3] = core15(perform(action, 2.0, 16, style=Style(noise=0.0)))
    moved = joints.copy()
    moved[..., :3] = joints[..., :3] * scale + np.array([x, y, z], np.float32) * scale
    valid = np.ones(32, bool)
    np.testing.assert_allclose(normalize(joints, valid, CORE15), normalize(moved, valid, CORE15), atol=5e-3)


def seen_from(joints: np.ndarray, yaw: float) -> np.ndarray:
    a = np.radians(yaw)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]], np.float32)
    turned = joints.copy()
    turned[..., :3] = joints[..., :3] @ turn.T
    return turned


@given(yaw=st.floats(-180, 180), action=st.sampled_from(["wave", "squat", "kick"]))
@settings(max_examples=25, deadline=None)
def test_normalized_windows_do_not_depend_on_where_the_camera_stands(yaw, action):
    joints = np.ones((32, 15, 4), np.float32)
    joints[..., :3] = core15(perform(action, 2.0, 16, style=Style(noise=0.0)))
    valid = np.ones(32, bool)
    front, aside = normalize(joints, valid, CORE15), normalize(seen_from(joints, yaw), valid, CORE15)
    about_neck = [out[..., :3] - out[:, [1], :3] for out in (front, aside)]
    np.testing.assert_allclose(*about_neck, atol=5e-3)
    assert (front[:, 6, 0] > front[:, 3, 0]).mean() > 0.9, "the right shoulder is to the picture's left"


def test_a_flat_picture_of_a_back_is_turned_round():
    joints = np.ones((32, 15, 4), np.float32)
    joints[..., :3] = core15(perform("wave", 2.0, 16, style=Style(noise=0.0)))
    joints[..., 2] = 0
    behind = seen_from(joints, 180)
    np.testing.assert_allclose(
        normalize(behind, np.ones(32, bool), CORE15), normalize(joints, np.ones(32, bool), CORE15), atol=1e-4
    )


def test_normalized_windows_do_not_depend_on_the_laboratory():
    """Bones of other lengths, and a neck and a pelvis that lie higher: a Kinect's."""
    joints = np.ones((32, 15, 4), np.float32)
    joints[..., :3] = core15(perform("squat", 2.0, 16, style=Style(noise=0.0)))
    other = joints.copy()
    factor = {1: 0.8, 10: 1.2, 13: 1.2, 11: 0.9, 14: 0.9, 9: 0.7, 12: 0.7, 2: 1.4}
    for joint, parent in enumerate(CORE15.parents):
        bone = joints[:, joint, :3] - joints[:, parent, :3]
        other[:, joint, :3] = other[:, parent, :3] + factor.get(joint, 1.0) * bone if joint != parent else bone
    other[:, 1, 1] += 0.1
    other[:, 0, 1] += 0.07
    valid = np.ones(32, bool)
    one, two = normalize(joints, valid, CORE15), normalize(other, valid, CORE15)
    raw = np.linalg.norm(other[..., :3] - other[:, [1], :3] - joints[..., :3] + joints[:, [1], :3], axis=-1)
    left = np.linalg.norm(two[..., :3] - two[:, [1], :3] - one[..., :3] + one[:, [1], :3], axis=-1)
    assert left.max() < 0.03 < raw.mean()


def test_no_bone_is_stretched_beyond_reason_and_hidden_ones_keep_their_length():
    joints = np.ones((32, 15, 4), np.float32)
    joints[..., :3] = core15(perform("stand", 2.0, 16, style=Style(noise=0.0)))
    shin = np.linalg.norm(joints[0, 11, :3] - joints[0, 10, :3])
    joints[:, 11, :3] = joints[:, 10, :3] + 0.1 * (joints[:, 11, :3] - joints[:, 10, :3])
    joints[:, 14, :3] = joints[:, 13, :3] + 0.1 * (joints[:, 14, :3] - joints[:, 13, :3])
    out = normalize(joints, np.ones(32, bool), CORE15)
    assert np.linalg.norm(out[0, 11, :3] - out[0, 10, :3]) < 0.2 * shin
    joints[..., 3] = 0.9
    joints[:, 9:, 3] = 0.1
    assert np.isfinite(normalize(joints, np.ones(32, bool), CORE15)).all()


def test_body_scale_is_one_for_the_standard_lengths_and_ignores_hidden_bones():
    joints = np.zeros((4, 15, 4), np.float32)
    joints[..., 3] = 1
    joints[:, 1, 1] = STANDARD_LENGTHS["pelvis-neck"]
    joints[:, 3, 0], joints[:, 6, 0] = -STANDARD_LENGTHS["shoulders"] / 2, STANDARD_LENGTHS["shoulders"] / 2
    joints[:, [4, 5, 7, 8, 9, 10, 11, 12, 13, 14], 3] = 0
    assert body_scale(joints, CORE15) == pytest.approx(1.0)
    joints[..., :3] *= 2.5
    assert body_scale(joints, CORE15) == pytest.approx(2.5)
    joints[..., 3] = 0
    assert body_scale(joints, CORE15) == 1.0


def test_hidden_joints_are_zero_and_marked():
    joints = np.random.default_rng(0).normal(size=(32, 15, 4)).astype(np.float32)
    joints[..., 3] = 0.9
    joints[:, [10, 11, 13, 14], 3] = 0.2
    out = normalize(joints, np.ones(32, bool), CORE15)
    assert not out[:, [10, 11, 13, 14]].any()
    assert (out[:, [0, 1, 2, 5], 3] == 1).all()


def test_motion_tells_a_still_person_from_a_moving_one():
    quiet, lively = window_of("stand", 30), window_of("jumping jack", 30)
    assert quiet.motion < 0.1
    assert lively.motion > 1.0
    assert motion(np.zeros((32, 15, 4), np.float32), np.zeros(32, bool), SPEC) == 0.0


def test_another_track_or_a_backward_stamp_starts_the_window_anew():
    buffer, poses = WindowBuffer("cam", SPEC), poses_of("wave", 30)
    assert buffer.window() is None
    for pose in poses[:40]:
        buffer.push(Track(1, pose))
    assert buffer.window().valid.sum() > 15
    buffer.push(Track(2, poses[40]))
    assert buffer.window().track == 2
    assert buffer.window().valid.sum() <= 7, "one pose stands for its own neighbourhood only"
    buffer.push(Track(2, poses[10]))
    assert buffer.window().t_ns == poses[10].t_ns


def test_a_window_begins_at_the_pelvis_and_keeps_root_motion():
    window = window_of("jump", 30)
    first = np.argmax(window.valid)
    np.testing.assert_allclose(window.joints[first, 0, :3], 0, atol=1e-6)
    assert np.ptp(window.joints[:, 0, 1]) > 0.2


def test_layouts_are_consistent():
    for skeleton in (CORE15, NTU25):
        count = len(skeleton.joints)
        assert len(skeleton.parents) == count
        assert skeleton.from_mediapipe.shape == (count, 33)
        np.testing.assert_allclose(skeleton.from_mediapipe.sum(axis=1), 1, atol=1e-6)
        np.testing.assert_array_equal(skeleton.mirror[skeleton.mirror], np.arange(count))
        for left, right in skeleton.pairs:
            assert skeleton.joints[left].removeprefix("left") == skeleton.joints[right].removeprefix("right")


def test_make_window_of_nothing_is_calm():
    window = make_window(
        np.zeros((32, 15, 4), np.float32), np.zeros(32, bool), SPEC, camera="c", track=1, t_ns=0, fps_in=0.0
    )
    assert window.body_visibility == 0.0
    assert window.motion == 0.0


def test_each_of_several_people_has_a_window_and_who_is_gone_is_forgotten():
    one, other = poses_of("wave", 30), poses_of("squat", 30)
    buffers, alone = WindowBuffers("cam", SPEC, 2), WindowBuffer("cam", SPEC)
    for a, b in zip(one, other, strict=True):
        buffers.push([Track(3, a), Track(5, b), Track(6, b)])
        alone.push(Track(5, b))
    windows = buffers.windows()
    assert [window.track for window in windows] == [3, 5]
    np.testing.assert_array_equal(windows[1].joints, alone.window().joints)
    later = [replace(a, t_ns=a.t_ns + one[-1].t_ns + 1) for a in one]
    for pose in later:
        buffers.push([Track(3, pose)])
    assert [window.track for window in buffers.windows()] == [3]
    buffers.push([Track(5, replace(later[-1], t_ns=later[-1].t_ns + 1))])
    assert buffers.windows()[0].valid.sum() < 8
    buffers.push([])
    assert buffers.windows() == ()


def test_one_buffer_starts_over_with_every_other_person():
    buffers, alone = WindowBuffers("cam", SPEC), WindowBuffer("cam", SPEC)
    for number, pose in enumerate(poses_of("wave", 30)):
        track = Track(2 if number in (40, 41) else 1, pose)
        buffers.push([track, Track(9, pose)])
        alone.push(track)
        np.testing.assert_array_equal(buffers.windows()[0].joints, alone.window().joints)
