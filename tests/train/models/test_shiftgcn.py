"""Shift-GCN: its shifts against slow loops, its weights, ONNX."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edge_app.errors import UsageError
from edge_app.runtime.session import open_session
from train.data.preprocess import turn_onto
from train.models.shiftgcn import ShiftConfig, ShiftGCN, TemporalShift, frozen, load_weights, spatial_shift

SHARED = Path(__file__).parents[3] / "../shared"
SMALL = ShiftConfig(classes=7, joints=5, widths=(8, 12), strides=(1, 2))


def small(config: ShiftConfig = SMALL) -> ShiftGCN:
    """Random weights, statistics and displacements of several frames."""
    torch.manual_seed(0)
    model = ShiftGCN(config).eval()
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


@pytest.mark.slow
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


def test_weights_begin_as_in_the_authors_code():
    """Spreads of a 60-way joint stream: classifier, temporal mixing, residual of the last stride."""
    torch.manual_seed(0)
    parts = dict(ShiftGCN(ShiftConfig(classes=60)).named_modules())
    found = [parts[name].weight.std().item() for name in ("fc", "l10.tcn1.temporal_linear", "l8.residual.conv")]
    assert found == pytest.approx([0.183, 0.088, 0.088], rel=0.03)
    assert not parts["l8.residual.conv"].bias.any() and not parts["l8.gcn1.down.0"].bias.any()
