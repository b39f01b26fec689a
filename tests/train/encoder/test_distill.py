"""The teacher of real videos: what it is given to see, what it says, what is kept."""

import argparse
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_app.camera.recording import RecordingFile
from edge_app.errors import UsageError
from edge_app.types import Pose, Poses
from train.encoder.distill import (
    Distillation,
    Lessons,
    TeacherNetwork,
    add_arguments,
    evenly,
    load_lessons,
    run,
    stretches,
    vibe_joints,
)
from train.models.shiftgcn import ShiftConfig, ShiftGCN, load_weights
from train.synthetic.person_clips import generated_clips

SHARED = Path(__file__).parents[3] / "../shared"


def standing() -> np.ndarray:
    """World landmarks of somebody upright who faces the camera: x to the left, y up, z away."""
    world = np.zeros((33, 3))
    world[[0, 2, 5, 7, 8], 1] = 0.65
    world[0, 2] = -0.12
    for side, left in ((1, 0), (-1, 1)):
        world[11 + left], world[23 + left] = (-0.18 * side, 0.5, 0), (-0.1 * side, 0, 0)
        world[13 + left], world[15 + left] = (-0.2 * side, 0.25, 0), (-0.2 * side, 0, 0)
        world[25 + left], world[27 + left] = (-0.1 * side, -0.45, 0), (-0.1 * side, -0.85, 0)
        world[31 + left] = (-0.1 * side, -0.9, -0.15)
    return world


def poses(seconds: list[float]) -> list[Pose]:
    world, seen = standing().astype(np.float32), np.ones(33, np.float32)
    image = -100 * world[:, :2] + np.float32(320)
    return [Pose(round(t * 1e9), image, world, seen, (640, 480)) for t in seconds]


def test_a_body_hangs_at_the_pelvis_in_the_cameras_axes():
    body = vibe_joints(standing()[None])[0]
    np.testing.assert_allclose(body[16], [0, -0.247, 0.024], atol=1e-6)
    assert body[0, 1] < body[1, 1] < body[8, 1] < body[7, 1] < body[15, 1] < body[16, 1] < body[19, 1], "y is down"
    assert body[9, 0] < body[12, 0], "who faces the camera has the right shoulder on the picture's left"
    assert body[2, 2] < body[1, 2], "the nose is nearer than the head"
    up = body[7] - body[16]
    assert np.degrees(np.arctan2(up[2], -up[1])) == pytest.approx(15, abs=0.1), "turned back by what `lift` turns"


def test_stretches_end_at_gaps_and_short_ones_are_left():
    t = [*np.arange(0, 10, 0.1), *np.arange(12, 12.5, 0.1), *np.arange(20, 24, 0.1)]
    found = [(part[0].t_ns / 1e9, part[-1].t_ns / 1e9) for part in stretches(poses(t))]
    np.testing.assert_allclose(found, [(0, 6), (3, 9), (6, 9.9), (20, 23.9)], atol=1e-6)


def test_values_are_made_even():
    t = np.array([0, 0.1, 0.3])
    np.testing.assert_allclose(evenly(t, t * 2)[:, None], np.arange(10)[:, None] / 15, atol=1e-6)


def test_a_short_clip_is_repeated_to_what_the_training_filled_and_a_long_one_is_cut():
    torch.manual_seed(0)
    model = ShiftGCN(ShiftConfig(classes=5, widths=(8,), strides=(1,))).eval()
    network, body = TeacherNetwork(model), np.random.default_rng(0).normal(size=(400, 25, 3)).astype(np.float32)
    for part, filled in ((body[:50], 204), (body[:250], 250), (body, 300)):
        clip = torch.zeros(1, 3, 300, 25, 2)
        clip[0, :, :filled, :, 0] = torch.from_numpy(part[np.arange(filled) % len(part)]).permute(2, 0, 1)
        with torch.inference_mode():
            shares = model(clip)[1].softmax(dim=1)[0]
        np.testing.assert_allclose(network(part), shares, atol=1e-5)


def test_what_is_kept_is_read_again_and_says_nothing_of_withheld_concepts(tmp_path, monkeypatch):
    with RecordingFile(tmp_path / "a.mcap") as recording:
        for i, pose in enumerate(poses([*np.arange(0, 4, 0.1)])):
            recording.poses(Poses("c", i, pose.t_ns, (pose,)))
    (tmp_path / "names.csv").write_text("index,name\n0,squat\n1,clapping\n2,golf swing\n")
    torch.manual_seed(0)
    model = ShiftGCN(ShiftConfig(classes=3, widths=(8,), strides=(1,))).eval()
    monkeypatch.setattr("train.encoder.distill.load_weights", lambda _: model)
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = ["--recordings", str(tmp_path), "--weights", "-", "--names", str(tmp_path / "names.csv")]
    run(parser.parse_args([*given, "--out", str(tmp_path / "t.npz")]))
    kept = load_lessons(tmp_path / "t.npz")
    assert (len(kept.clips), kept.names) == (1, ("squat", "clapping", "golf swing"))
    np.testing.assert_allclose(kept.shares.sum(axis=1), 1, atol=1e-4)
    lessons = Lessons(kept.clips, np.array([[0.1, 0.2, 0.7]], np.float32), kept.names)
    np.testing.assert_allclose(lessons.without(["clap"]).shares, [[0.125, 0, 0.875]], atol=1e-4)
    assert not lessons.without(["golf swing"]).clips, "of what is left the teacher says next to nothing"
    with pytest.raises(UsageError, match="file of `train teacher`"):
        load_lessons(tmp_path / "names.csv")


def test_the_loss_is_least_for_what_the_teacher_says():
    clips = generated_clips(1, seed=0)[:2]
    lessons = Distillation(Lessons(clips, np.array([[0.9, 0.1], [0.2, 0.8]], np.float32), ("squat", "clap")))
    told, picked = torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log(), np.array([0, 1])
    assert lessons.loss(told, picked) < lessons.loss(told.flip(1), picked)
    assert lessons.loss(told, picked) < lessons.loss(torch.zeros(2, 2), picked)


@pytest.mark.shared
def test_the_authors_weights_know_a_body_where_it_is_put():
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout")
    model = load_weights(SHARED / "weights/skeletics152_scratch_ShiftGCN_joint.pt")
    assert model.fc.out_features == 152
    filled = 204 / 300
    pelvis = model.data_bn.running_mean.reshape(2, 25, 3)[0, 16].numpy() / filled
    np.testing.assert_allclose(pelvis, [0, -0.247, 0.024], atol=0.005)
