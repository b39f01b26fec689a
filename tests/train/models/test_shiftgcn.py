"""Shift-GCN: its shifts against slow loops, its weights, ONNX; and what the teacher is given to see."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import find_action
from edge_app.runtime.session import open_session
from edge_app.window.skeleton import CORE15, NTU25
from train.data.preprocess import turn_onto
from train.encoder.distill import (
    FROM_CORE15,
    Teacher,
    TeacherNetwork,
    add_arguments,
    digest,
    ntu_concepts,
    prepared,
    run,
)
from train.models.shiftgcn import ShiftConfig, ShiftGCN, TemporalShift, frozen, load_weights, spatial_shift
from train.synthetic.person_clips import generated_clips

SHARED = Path(__file__).parents[3] / "../shared"
SMALL = ShiftConfig(classes=7, joints=5, widths=(8, 12), strides=(1, 2))


def small() -> ShiftGCN:
    """Random weights, statistics and displacements of several frames."""
    torch.manual_seed(0)
    model = ShiftGCN(SMALL).eval()
    for name, value in model.state_dict().items():
        if name.endswith("ypos"):
            value.uniform_(-4, 4)
        elif name.endswith(("running_mean", "Feature_Mask", "bias")):
            value.normal_(0, 0.3)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return model


def clips(count: int = 2, steps: int = 16) -> torch.Tensor:
    return torch.randn(count, 3, steps, SMALL.joints, 2, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("joints", "channels"), [(25, 3), (25, 64), (5, 8)])
def test_the_spatial_shift_sends_each_channel_further_along_the_joints(joints, channels):
    frame = torch.arange(joints * channels)
    shifted = frame[spatial_shift(joints, channels, 1)].reshape(joints, channels)
    for channel in range(channels):
        column = frame.reshape(joints, channels)[:, channel].tolist()
        for _ in range(channel):
            column.append(column.pop(0))
        assert shifted[:, channel].tolist() == column
    there_and_back = frame[spatial_shift(joints, channels, 1)][spatial_shift(joints, channels, -1)]
    assert torch.equal(there_and_back, frame)


@pytest.mark.parametrize("stride", [1, 2])
def test_the_temporal_shift_reads_between_frames_and_zero_outside(stride):
    torch.manual_seed(0)
    shift, x = TemporalShift(9, stride), torch.randn(2, 9, 12, 5)
    shift.ypos.data = torch.tensor([-30.0, -3.7, -2.0, -0.25, 0.0, 0.5, 1.0, 3.3, 30.0])
    expected = np.zeros((2, 9, 12 // stride, 5))
    for channel, moved in enumerate(shift.ypos.tolist()):
        for t in range(12 // stride):
            place = stride * t + moved + (0.5 if stride == 2 else 0)
            for frame in range(12):
                expected[:, channel, t] += max(0.0, 1 - abs(place - frame)) * x[:, channel, frame].numpy()
    np.testing.assert_allclose(shift(x).detach(), expected, atol=1e-5)


def test_displacements_learn():
    shift, x = TemporalShift(1, 1), torch.arange(12.0).reshape(1, 1, 12, 1)
    shift.ypos.data = torch.tensor([0.3])
    shift(x)[:, :, 5].sum().backward()
    assert shift.ypos.grad.item() == pytest.approx(1.0), "on a ramp the slope is 1 a frame"


def test_frozen_shifts_and_bodies_apart_give_the_same():
    model, x = small(), clips()
    with torch.inference_mode():
        feature, logits = model(x)
        assert feature.shape == (2, 12)
        assert logits.shape == (2, 7)
        torch.testing.assert_close(frozen(model)(x)[0], feature, atol=1e-5, rtol=1e-4)
        apart = (model.body(x[..., 0], 0) + model.body(x[..., 1], 1)) / 2
        torch.testing.assert_close(apart, feature, atol=1e-5, rtol=1e-4)
        alone = x.clone()
        alone[..., 1] = 0
        absent = model.body(torch.zeros(1, 3, 16, SMALL.joints), 1)
        torch.testing.assert_close((model.body(x[..., 0], 0) + absent) / 2, model(alone)[0], atol=1e-5, rtol=1e-4)


def test_onnx_gives_what_torch_gives(tmp_path):
    model, x, path = frozen(small()), clips(), tmp_path / "shiftgcn.onnx"
    program = torch.onnx.export(
        model, (x,), input_names=["clip"], output_names=["feature", "logits"], dynamo=True, opset_version=20,
        verbose=False,
    )  # fmt: skip
    program.save(str(path))
    with torch.inference_mode():
        feature, _ = model(x)
    np.testing.assert_allclose(open_session(path).run(x.numpy()), feature.numpy(), atol=1e-4)


def test_weights_that_are_something_else_are_refused_in_one_line(tmp_path):
    torch.save({"fc.bias": torch.zeros(3)}, tmp_path / "other.pt")
    for name in ("other.pt", "missing.pt"):
        with pytest.raises(UsageError) as caught:
            load_weights(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.shared
@pytest.mark.parametrize(("name", "classes"), [("ntu", 60), ("ntu120", 120)])
def test_the_authors_weights_load_strictly(name, classes):
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout")
    model = load_weights(SHARED / f"weights/{name}_ShiftGCN_joint_xsub.pt")
    assert model.fc.out_features == classes
    spine_mid = model.data_bn.running_var[3:6]
    assert spine_mid.max() < 1e-30, "they were trained on bodies centred in every frame"
    with torch.inference_mode():
        feature, logits = model(torch.zeros(1, 3, 64, 25, 2))
    assert feature.shape == (1, 256)
    assert logits.shape == (1, classes)


def test_turning_brings_one_direction_onto_another():
    source = np.array([0.2, -1.0, 0.4])
    turn = turn_onto(source, np.array([0.0, 0.0, 1.0]))
    np.testing.assert_allclose(turn @ source / np.linalg.norm(source), [0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(turn) == pytest.approx(1)
    np.testing.assert_array_equal(turn_onto(np.array([0.0, 0, 2]), np.array([0.0, 0, 1])), np.eye(3))


def test_every_ntu_joint_is_made_and_the_shared_ones_are_the_same():
    np.testing.assert_allclose(FROM_CORE15.sum(axis=1), 1, atol=1e-6)
    for joint in ("left_wrist", "right_knee", "head"):
        assert FROM_CORE15[NTU25.joints.index(joint), CORE15.joints.index(joint)] == 1


def test_a_body_stands_at_the_origin_facing_y():
    clip = next(clip for clip in generated_clips(1, seed=0) if clip.name == "squat")
    body = prepared(clip)
    assert body.dtype == np.float32
    assert abs(len(body) - len(clip.joints) * 30 / clip.fps) <= 2
    assert not body[:, NTU25.joints.index("spine_mid")].any()
    assert body[0, NTU25.joints.index("head"), 2] > 0.3
    right, left = (body[0, NTU25.joints.index(f"{side}_shoulder")] for side in ("right", "left"))
    np.testing.assert_allclose((right - left)[1:], 0, atol=1e-5)
    assert right[0] > left[0]
    knees = body[:, [NTU25.joints.index(f"{side}_knee") for side in ("left", "right")], 1]
    assert knees.max() > 0.15, "knees bend to the front"


def test_clips_with_nobody_or_flat_have_no_teacher():
    clip = generated_clips(1, seed=0)[0]
    assert prepared(replace(clip, flat=True)) is None
    assert prepared(replace(clip, joints=clip.joints * 0)) is None


def test_collapsed_frames_are_passed_over():
    clip = generated_clips(1, seed=0)[0]
    broken = clip.joints.copy()
    broken[[0, 1, 10], :, :3] = 0
    body = prepared(replace(clip, joints=broken))
    assert np.isfinite(body).all()
    assert (np.linalg.norm(body[:, 0] - body[:, 20], axis=1) > 0.3).all()


def test_every_ntu_class_has_known_concepts():
    concepts = ntu_concepts()
    assert len(concepts) == 120
    assert concepts[9] == ("clap",)
    assert {"bow", "throw", "kick sideways"} <= {name for names in concepts for name in names}
    for names in concepts:
        for name in names:
            assert find_action(name).name == name


def test_the_teacher_keeps_clips_by_what_they_hold(tmp_path, monkeypatch, capsys):
    torch.manual_seed(0)
    made = generated_clips(1, seed=0)[:3]
    clips = [*made, replace(made[0], flat=True), replace(made[0], joints=made[0].joints * 0)]
    monkeypatch.setattr("train.encoder.distill.load_training_clips", lambda *_, **__: clips)
    monkeypatch.setattr(
        "train.encoder.distill.load_weights", lambda _: ShiftGCN(ShiftConfig(widths=(8,), strides=(1,))).eval()
    )
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    out = tmp_path / "t.npz"
    given = ["--data", "-", "--weights", "-", "--out", str(out), "--composed", "0", "--frames", "64"]
    arguments = parser.parse_args(given)
    run(arguments)
    kept = Teacher(out)
    assert kept.rows([clips[2], clips[3], clips[4], clips[0]]).tolist() == [2, -1, -1, 0]
    assert (kept.feature.shape, kept.logits.shape, kept.frames) == ((3, 8), (3, 120), 64)
    assert digest(clips[0]) != digest(clips[1])
    run(arguments)
    assert "3 clips, 0 of them new; 1 with nobody" in capsys.readouterr().out
    with pytest.raises(UsageError, match="--frames 64"):
        run(parser.parse_args([*given, "--frames", "128"]))


def test_the_network_repeats_short_bodies_and_reads_long_ones_whole():
    torch.manual_seed(0)
    model = ShiftGCN(ShiftConfig(widths=(8,), strides=(1,))).eval()
    network, body = TeacherNetwork(model, 16), prepared(generated_clips(1, seed=0)[0])
    with torch.inference_mode():
        for part in (body[:5], body[:30]):
            steps = 16 if len(part) == 5 else 32
            whole = torch.zeros(1, 3, steps, 25, 2)
            whole[0, ..., 0] = torch.from_numpy(part[np.arange(steps) % len(part)]).permute(2, 0, 1)
            feature, logits = model(whole)
            for got, wanted in zip(network(part), (feature[0], logits[0]), strict=True):
                np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_weights_begin_as_in_the_authors_code():
    """Spreads of a 60-way joint stream: classifier, temporal mixing, residual of the last stride."""
    torch.manual_seed(0)
    parts = dict(ShiftGCN(ShiftConfig(classes=60)).named_modules())
    found = [parts[name].weight.std().item() for name in ("fc", "l10.tcn1.temporal_linear", "l8.residual.conv")]
    assert found == pytest.approx([0.183, 0.088, 0.088], rel=0.03)
    assert not parts["l8.residual.conv"].bias.any() and not parts["l8.gcn1.down.0"].bias.any()
