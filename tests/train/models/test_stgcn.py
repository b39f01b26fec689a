"""ST-GCN: its adjacencies, its convolution against slow loops, its shapes and size; and clips as encoders read them."""

import numpy as np
import pytest
import torch

from edge_app.window.skeleton import NTU25
from tests.train.formats import STANDING, acting
from train.data.preprocess import p1, p3
from train.models.stgcn import STGCN, GraphConvolution, StConfig, adjacency

CHAIN = (0, 0, 1, 2)
"""Four joints in a row."""


def test_the_adjacencies_of_a_chain_are_as_written_by_hand():
    itself, farther, nearer = adjacency(CHAIN, centre=1)
    half, third = np.float32(1 / 2), np.float32(1 / 3)
    np.testing.assert_array_equal(itself, np.diag([half, third, third, half]))
    np.testing.assert_array_equal(farther, [[0, third, 0, 0], [0, 0, 0, 0], [0, third, 0, 0], [0, 0, third, 0]])
    np.testing.assert_array_equal(nearer, [[0, 0, 0, 0], [half, 0, third, 0], [0, 0, 0, half], [0, 0, 0, 0]])


def test_every_joint_of_ntu_takes_from_itself_and_its_neighbours_alone():
    edges = adjacency(NTU25.parents, NTU25.joints.index("spine_shoulder"))
    np.testing.assert_allclose(edges.sum(axis=(0, 1)), 1, rtol=1e-6)
    linked = {(i, i) for i in range(25)} | {(i, p) for i, p in enumerate(NTU25.parents)}
    linked |= {(p, i) for i, p in linked}
    assert set(zip(*np.nonzero(edges.sum(axis=0)), strict=True)) == linked
    assert ((edges > 0).sum(axis=0) <= 1).all()


def test_graph_convolution_is_a_sum_over_neighbours():
    torch.manual_seed(0)
    layer = GraphConvolution(3, 5, 3).double()
    edges = torch.rand(3, 4, 4, dtype=torch.float64)
    x = torch.randn(2, 3, 6, 4, dtype=torch.float64)
    expected = torch.zeros(2, 5, 6, 4, dtype=torch.float64)
    weight, bias = layer.conv.weight[:, :, 0, 0], layer.conv.bias
    for part in range(3):
        own = slice(5 * part, 5 * part + 5)
        for v in range(4):
            for w in range(4):
                passed = torch.einsum("oc,bct->bot", weight[own], x[..., v]) + bias[own, None]
                expected[..., w] += edges[part, v, w] * passed
    torch.testing.assert_close(layer(x, edges), expected)


def test_shapes_and_size():
    model = STGCN()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(3.14e6, rel=0.02)  # METHODS.md 6.4
    small = STGCN(StConfig(classes=7, widths=(8, 12), strides=(1, 2), kernel=3)).eval()
    clips = torch.randn(3, 2, 9, 25, 3)
    feature, logits = small(clips)
    assert feature.shape == (3, 12) and logits.shape == (3, 7) and (feature >= 0).all()
    one, other = (small(torch.stack([person, person], 1))[0] for person in clips.unbind(1))
    torch.testing.assert_close(feature, (one + other) / 2)


def clip(people: int, frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([acting(5, frames, rng, x=x) for x in (0.0, 1.0)[:people]]).astype(np.float32)


@pytest.mark.parametrize("people", [1, 2])
def test_p1_places_the_first_person_and_repeats(people):
    joints = clip(people, 20)
    joints[0, :3] = 0
    joints[0, 15:] = 0
    out = p1(joints, 40, "ntu60")
    assert out.shape == (2, 40, 25, 3) and out.dtype == np.float32
    names = NTU25.joints.index
    np.testing.assert_allclose(out[0, :, names("spine_mid")], 0, atol=1e-6)
    spine = out[0, 0, names("spine_mid")] - out[0, 0, names("spine_base")]
    np.testing.assert_allclose(spine / np.linalg.norm(spine), [0, 0, 1], atol=0.05)  # before the second turn exactly
    across = out[0, 0, names("right_shoulder")] - out[0, 0, names("left_shoulder")]
    np.testing.assert_allclose(across / np.linalg.norm(across), [1, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(out[0, :12], out[0, 12:24])
    lengths = np.linalg.norm(np.diff(joints[0, 3, :4], axis=0), axis=1)
    np.testing.assert_allclose(np.linalg.norm(np.diff(out[0, 0, :4], axis=0), axis=1), lengths, rtol=1e-4)
    assert out[1].any() == (people == 2)


def test_p3_resizes_whole_clips_and_centres_pku_at_the_shoulders():
    joints = np.repeat(STANDING[None, None], 101, axis=1) + np.linspace(0, 1, 101)[:, None, None] * [0.0, 0, 1] + 3
    joints[0, :, 7, 1] += np.linspace(0, 2, 101)
    pku, ntu = p3(joints, 51, "pku"), p3(joints, 51, "ntu60")
    assert pku.shape == ntu.shape == (2, 51, 25, 3) and not pku[1].any() and not ntu[1].any()
    names = NTU25.joints.index
    np.testing.assert_allclose(pku[0, :, names("spine_shoulder")], 0, atol=1e-6)
    np.testing.assert_allclose(ntu[0, :, names("spine_mid")], 0, atol=1e-6)
    np.testing.assert_allclose(np.diff(pku[0, :, 7, 1]), 2 / 50, atol=1e-5)
    across = pku[0, 0, names("right_shoulder")] - pku[0, 0, names("left_shoulder")]
    np.testing.assert_allclose(across, [0.36, 0, 0], atol=1e-5)


def test_a_clip_of_nobody_stays_zero():
    assert not p1(np.zeros((1, 4, 25, 3)), 8, "ntu60").any() and not p3(np.zeros((2, 4, 25, 3)), 8, "pku").any()
