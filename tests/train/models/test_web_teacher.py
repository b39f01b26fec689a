"""The web teacher: what it is given to see, and that folded for inference it says the same."""

from pathlib import Path

import numpy as np
import pytest
import torch

from edge_app.runtime.session import open_session
from edge_app.window.skeleton import CORE15
from export.to_onnx import export_encoder
from tests.train.models.test_shiftgcn import small
from train.data.clips import SPEC
from train.models.shiftgcn import ShiftConfig, ShiftGCN, load_weights
from train.models.web_teacher import CLIP, FILLED, PELVIS, WebTeacher, standing

SHARED = Path(__file__).parents[3] / "../shared"


def network() -> ShiftGCN:
    """With every kind of unit."""
    return small(ShiftConfig(classes=7, widths=(8, 8, 12), strides=(1, 1, 2)))


def windows(count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    xyz = standing() + 0.1 * torch.randn(count, SPEC.length, 15, 3, generator=generator)
    seen = (torch.rand(count, SPEC.length, 15, 1, generator=generator) > 0.2).float()
    return torch.cat([xyz * seen, seen], dim=-1)


def test_folded_it_says_what_the_network_says_of_a_filled_clip():
    model, x = network(), windows()
    teacher = WebTeacher(model, SPEC.length)
    with torch.inference_mode():
        body = teacher.bodies(x).permute(0, 3, 1, 2)
        nobody = [model.body(torch.zeros(1, 3, CLIP, 25), slot) for slot in (0, 1)]
        feature = (FILLED * model.body(body, 0) + (1 - FILLED) * nobody[0] + nobody[1]) / 2
        torch.testing.assert_close(teacher(x), model.fc(feature).softmax(dim=1), atol=1e-5, rtol=1e-4)


@pytest.mark.slow
def test_onnx_gives_what_torch_gives(tmp_path):
    teacher, x = WebTeacher(network(), SPEC.length).eval(), windows()
    export_encoder(teacher, SPEC, tmp_path / "teacher.onnx")
    with torch.inference_mode():
        expected = teacher(x).numpy()
    np.testing.assert_allclose(open_session(tmp_path / "teacher.onnx").run(x.numpy()), expected, atol=2e-3)


def test_a_body_hangs_at_the_pelvis_in_the_cameras_axes():
    window = torch.cat([standing() + torch.tensor([0.3, 0.9, 0.2]), torch.ones(15, 1)], dim=1).expand(1, 32, 15, 4)
    body = WebTeacher(network(), SPEC.length).bodies(window)[0, 0].numpy()
    np.testing.assert_allclose(body[16], PELVIS, atol=1e-6)
    assert body[0, 1] < body[1, 1] < body[8, 1] < body[7, 1] < body[15, 1] < body[16, 1] < body[19, 1], "y is down"
    assert body[9, 0] < body[12, 0], "who faces the camera has the right shoulder on the picture's left"
    assert body[2, 2] < body[1, 2], "the nose is nearer than the head"
    assert body[23, 2] < body[19, 2], "and the toes are nearer than the ankles"


def test_what_is_not_seen_stands():
    teacher = WebTeacher(network(), SPEC.length)
    seen = windows(1)
    hidden = seen.clone()
    hidden[..., CORE15.joints.index("left_knee"), :] = 0
    knee = teacher.bodies(hidden)[0, :, 21].detach().numpy()
    np.testing.assert_allclose(knee, np.broadcast_to(knee[0], knee.shape), atol=1e-6)
    assert knee[0, 1] > PELVIS[1] + 0.3


@pytest.mark.shared
def test_the_authors_weights_know_a_body_where_it_is_put():
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside the checkout")
    model = load_weights(SHARED / "weights/skeletics152_scratch_ShiftGCN_joint.pt")
    assert model.fc.out_features == 152
    pelvis = model.data_bn.running_mean.reshape(2, 25, 3)[0, 16].numpy() / FILLED
    np.testing.assert_allclose(pelvis, PELVIS, atol=0.005)
