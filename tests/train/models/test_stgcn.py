"""ST-GCN: its adjacencies, its convolution against slow loops, its shapes and size; and clips as encoders read them."""

import cv2
import numpy as np
import pytest
import torch

from edge_app.window.skeleton import NTU25
from tests.train.formats import acting
from train.data.preprocess import p1, p3
from train.models.stgcn import NARROW, STGCN, GraphConvolution, StConfig, adjacency

CHAIN = (0, 0, 1, 2)
"""Four joints in a row."""


def test_the_adjacencies_of_a_chain_are_as_written_by_hand():
    itself, farther, nearer = adjacency(CHAIN, centre=1)
    half, third = np.float32(1 / 2), np.float32(1 / 3)
    np.testing.assert_array_equal(itself, np.diag([half, third, third, half]))
    np.testing.assert_array_equal(farther, [[0, third, 0, 0], [0, 0, 0, 0], [0, third, 0, 0], [0, 0, third, 0]])
    np.testing.assert_array_equal(nearer, [[0, 0, 0, 0], [half, 0, third, 0], [0, 0, 0, half], [0, 0, 0, 0]])


def test_the_released_adjacency_takes_most_nearer_neighbours_for_farther_ones():
    """Its rule written anew: hop distances of a graph of one hop, infinite beyond; the root's and the farther ones'
    lists of hop 1 are added together."""
    parents, centre, size = NTU25.parents, NTU25.joints.index("spine_shoulder"), 25
    hop = np.full((size, size), np.inf)
    for i, p in enumerate(parents):
        hop[i, p] = hop[p, i] = 1
    np.fill_diagonal(hop, 0)
    degree = (hop <= 1).sum(axis=0)
    expected = np.zeros((3, size, size))
    for j in range(size):
        for i in range(size):
            if hop[j, i] == 0:
                expected[0, j, i] = 1 / degree[i]
            elif hop[j, i] == 1:
                expected[1 if hop[j, centre] >= hop[i, centre] else 2, j, i] = 1 / degree[i]
    found, ours = adjacency(parents, centre, released=True), adjacency(parents, centre)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert ((found > 0) != (ours > 0)).any(axis=0).sum() == 16 and (ours > 0).sum() == 73
    made = STGCN(StConfig(classes=3, widths=(8,), strides=(1,)))
    made.take_released_edges()
    np.testing.assert_allclose(made.state_dict()["edges"], expected, rtol=1e-6)


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
    narrow = STGCN(StConfig(widths=NARROW))
    assert sum(p.numel() for n, p in narrow.named_parameters() if not n.startswith("fc.")) == 821_380, "SMIE's"
    small = STGCN(StConfig(classes=7, widths=(8, 12), strides=(1, 2), kernel=3)).eval()
    clips = torch.randn(3, 2, 9, 25, 3)
    feature, logits = small(clips)
    assert feature.shape == (3, 12) and logits.shape == (3, 7) and (feature >= 0).all()
    one, other = (small(torch.stack([person, person], 1))[0] for person in clips.unbind(1))
    torch.testing.assert_close(feature, (one + other) / 2)


def test_weights_begin_as_in_the_authors_code():
    torch.manual_seed(0)
    parts = dict(STGCN().named_modules())
    assert parts["blocks.9.time.2"].weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert not parts["blocks.9.time.2"].bias.any() and parts["blocks.9.graph.conv"].weight.std() < 0.021
    norm = parts["blocks.9.time.0"]
    assert norm.weight.mean().item() == pytest.approx(1, abs=0.01) and 0.015 < norm.weight.std().item() < 0.025


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


def test_p1_takes_all_empty_frames_from_those_who_come_late():
    """Their rule written anew: only if the first frame is empty do the others go; the end is filled from the start."""
    joints = clip(2, 20)
    joints[0, 8:10] = joints[1, :2] = joints[1, 8:10] = joints[:, 18:] = 0
    two = []
    for person in joints.astype(np.float64):
        shown = [frame for frame in person if frame.any()] if not person[0].any() else [*person[:18]]
        two.append([shown[t % len(shown)] for t in range(40)])
    expected = p1(np.array(two), 40, "ntu60")
    np.testing.assert_allclose(p1(joints, 40, "ntu60"), expected, atol=1e-6)
    kept = p1(joints, 40, "ntu60", gaps=True)
    np.testing.assert_array_equal(kept[0], expected[0])
    assert not kept[1, 6:8].any() and expected[1, 6:8].any(), "ours: a gap stays a gap"


def aimclr(joints: np.ndarray, frames: int) -> np.ndarray:
    """AimCLR's steps as its code has them, one person and one frame at a time, resized by OpenCV itself."""
    out = np.zeros((2, frames, 25, 3))
    last = max(t for t in range(joints.shape[1]) if joints[:, t].any())
    for m, person in enumerate(joints[:2, : last + 1].astype(np.float64)):
        start = max(0, len(person) - 300) // 2
        relative = [frame - frame[20] for frame in person[start : start + 300]]
        flat = cv2.resize(np.reshape(relative, (len(relative), 75)), (75, frames), interpolation=cv2.INTER_LINEAR)
        for t, frame in enumerate(flat.reshape(frames, 25, 3)):
            right = frame[8] - frame[4]
            angle = np.arctan2(right[2], right[0]) if right.any() else 0.0
            turn = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
            out[m, t] = frame @ np.transpose(turn)
    return out


@pytest.mark.parametrize("dataset", ["ntu60", "pku"])
@pytest.mark.parametrize("frames", [20, 120, 340])
def test_p3_is_aimclrs_written_anew(dataset, frames):
    joints = clip(2, frames)
    joints[0, :3] = joints[1, 7:12] = joints[:, -2:] = 0
    joints[1, :, :, 2] += np.linspace(0, 1, frames)[:, None]
    np.testing.assert_allclose(p3(joints, 50, dataset), aimclr(joints, 50), atol=1e-5)
    alone = p3(joints[:1], 50, dataset)
    assert alone.shape == (2, 50, 25, 3) and not alone[1].any()
    across = (alone[0, :, 8] - alone[0, :, 4])[10:]
    assert (across[:, 0] > 0.2).all() and np.abs(across[:, 2]).max() < 1e-5, "shoulders along +x in every frame"


def test_a_clip_of_nobody_stays_zero():
    assert not p1(np.zeros((1, 4, 25, 3)), 8, "ntu60").any() and not p3(np.zeros((2, 4, 25, 3)), 8, "pku").any()
