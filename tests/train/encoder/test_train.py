"""The edge encoder: sizes, masks, ONNX parity; and a training that runs end to end on a handful of clips."""

import dataclasses
import math

import numpy as np
import onnx
import pytest
import torch

from edge_app.runtime.session import open_session
from edge_app.window.skeleton import CORE15, WindowSpec
from export.to_onnx import LARGE, export_encoder
from train.data.clips import Bank, Clip
from train.data.texts import ConceptTexts
from train.encoder.frozen import Frozen
from train.encoder.train import named_loss, shown_beside
from train.models.edge import (
    ENCODERS,
    PARTS,
    STEPS,
    Branches,
    Detailed,
    EdgeEncoder,
    EncoderConfig,
)

SPEC = WindowSpec(2.0, 16.0, CORE15)
SMALL = EncoderConfig(trunk_width=16, trunk_strides=(2, 1), feature=10)
KINDS = {"conv": SMALL, "attention": dataclasses.replace(SMALL, attention=True)}


def windows(count: int = 3) -> torch.Tensor:
    torch.manual_seed(0)
    made = torch.randn(count, 32, 15, 4)
    made[..., 3] = 1
    return made


@pytest.mark.parametrize("config", ENCODERS.values(), ids=ENCODERS)
def test_an_encoder_has_at_most_a_million_parameters(config):
    assert sum(p.numel() for p in EdgeEncoder(config).parameters()) <= 1_000_000


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_features_do_not_depend_on_the_batch_or_on_what_hidden_joints_hold(config):
    encoder, batch = EdgeEncoder(config).eval(), windows()
    batch[:, :, [10, 11], 3] = 0
    batch[:, :8, :, 3] = 0
    noisy = batch.clone()
    noisy[..., :3] += torch.randn_like(noisy[..., :3]) * (1 - noisy[..., 3:])
    noisy[:, :, 1, :3] = batch[:, :, 1, :3]
    with torch.inference_mode():
        both = encoder(batch)
        assert both.shape == (3, 10)
        torch.testing.assert_close(encoder(batch[1:2])[0], both[1], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(encoder(noisy), both, atol=1e-4, rtol=1e-3)


def test_what_a_set_does_not_show_is_no_rival_within_it():
    logits, concept = torch.tensor([[2.0, 1.0, 5.0], [0.0, 3.0, 1.0]]), torch.tensor([0, 1])
    beside = torch.tensor([[True, True, False], [True, True, True]])
    own = (math.log(1 + math.exp(-1)) + math.log(1 + math.exp(-3) + math.exp(-2))) / 2
    every = (math.log(1 + math.exp(-1) + math.exp(3)) + math.log(1 + math.exp(-3) + math.exp(-2))) / 2
    assert named_loss(logits, concept, beside, 1.0).item() == pytest.approx(own, rel=1e-5)
    assert named_loss(logits, concept, beside, 0.0).item() == pytest.approx(every, rel=1e-5)
    assert named_loss(logits, concept, beside, 0.25).item() == pytest.approx(0.25 * own + 0.75 * every, rel=1e-5)


def test_a_set_shows_what_its_clips_show():
    clips = [Clip(name, what, what, "a", 15.0, False, np.ones((9, 15, 4), np.float32)) for name, what in (
        ("one", "wave"), ("one", "kick"), ("two", "kick"), ("two", "bow"))]  # fmt: skip
    bank = Bank(clips, ["bow", "kick", "wave"])
    assert shown_beside(bank).astype(int).tolist() == [[0, 1, 1], [0, 1, 1], [1, 1, 0], [1, 1, 0]]


def test_onnx_gives_what_torch_gives_whatever_the_kind(tmp_path):
    """All kinds side by side in the long form, which begins with each one's own feature."""
    encoder, batch, path = Detailed(Branches([*KINDS.values()])).eval(), windows(5), tmp_path / "encoder.onnx"
    export_encoder(encoder, SPEC, path)
    session = open_session(path)
    with torch.inference_mode():
        expected = encoder(batch).numpy()
    found = session.run(batch.numpy())
    for i, kind in enumerate(KINDS):
        own = slice(10 * i, 10 * i + 10)
        np.testing.assert_allclose(found[:, own], expected[:, own], atol=5e-3, err_msg=kind)
    np.testing.assert_allclose(found, expected, atol=2e-2)
    np.testing.assert_allclose(session.run(batch.numpy()[:1]), found[:1], atol=1e-4)
    kept = {w.data_type for w in onnx.load(path).graph.initializer if math.prod(w.dims) >= LARGE}
    assert onnx.TensorProto.FLOAT not in kept
    assert onnx.TensorProto.FLOAT16 in kept
    assert str(tmp_path) not in path.read_bytes().decode("latin-1"), "no path of the building machine in the file"


def details(encoder: EdgeEncoder | Branches, batch: torch.Tensor) -> list[torch.Tensor]:
    """Pooled, over time `[B, STEPS, channels]`, arms, legs, torso."""
    detailed = Detailed(encoder).eval()
    with torch.inference_mode():
        found = detailed(batch)
    assert found.shape == (len(batch), detailed.width)
    widths = [detailed.feature, STEPS * detailed.channels, *[detailed.part] * 3]
    pooled, over_time, *parts = found.split(widths, dim=1)
    return [pooled, over_time.unflatten(1, (STEPS, -1)), *parts]


@pytest.mark.parametrize("config", KINDS.values(), ids=KINDS)
def test_a_detailed_encoder_gives_the_same_feature_and_more(config):
    encoder, batch = EdgeEncoder(config).eval(), windows()
    batch[:, :12, :, 3] = 0
    pooled, over_time, *_ = details(encoder, batch)
    with torch.inference_mode():
        assert torch.equal(pooled, encoder(batch))
        x, present = encoder.over_time(encoder.normalized(batch), batch)
    wide = x.shape[2] // STEPS
    for step in range(STEPS):
        own = [x[1, :, t] for t in range(step * wide, (step + 1) * wide) if present[1, 0, t]]
        expected = torch.stack(own).mean(0) if own else torch.zeros(16)
        torch.testing.assert_close(over_time[1, step], expected)
    assert not over_time[:, 0].any(), "nobody was seen in the first quarter"
    assert over_time[:, -1].any()


def test_branches_lie_side_by_side_over_time_too():
    torch.manual_seed(0)
    both, batch = Branches([KINDS["conv"], KINDS["attention"]]).eval(), windows()
    pooled, over_time, *parts = details(both, batch)
    with torch.inference_mode():
        assert torch.equal(pooled, both(batch))
    one, other = (details(branch, batch) for branch in both.branches)
    assert torch.equal(over_time, torch.cat([one[1], other[1]], dim=2))
    assert all(torch.equal(part, own) for part, own in zip(parts, one[2:], strict=True))


@pytest.mark.parametrize(("joint", "part"), [("left_wrist", 0), ("right_ankle", 1), ("head", 2)])
def test_what_a_part_does_shows_in_its_own_features_only(joint, part):
    encoder, batch = EdgeEncoder(SMALL).eval(), windows()
    moved = batch.clone()
    moved[:, 16:, CORE15.joints.index(joint), :3] += 1
    before, after = details(encoder, batch)[2:], details(encoder, moved)[2:]
    assert [not torch.equal(b, a) for b, a in zip(before, after, strict=True)] == [i == part for i in range(3)]


def test_parts_are_pooled_over_what_was_seen():
    encoder, batch = EdgeEncoder(SMALL).eval(), windows(1)
    batch[:, :8, :, 3] = 0
    legs = details(encoder, batch)[3][0]
    joints = [CORE15.joints.index(name) for name in PARTS[1]]
    with torch.inference_mode():
        x = encoder.normalized(batch)[0, :, 8:, joints].transpose(1, 2).reshape(13 * 6, 24)
    mean, peak = legs.chunk(2)
    torch.testing.assert_close(mean, x.mean(1), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(peak, x.amax(1).clamp(min=0))


class Counting(torch.nn.Module):
    """Counts how often it is asked."""

    asked = 0

    def forward(self, window: torch.Tensor) -> torch.Tensor:
        self.asked += 1
        return window.flatten(1)[:, :10]


def test_what_an_encoder_did_not_see_is_encoded_once():
    rng, none = np.random.default_rng(0), np.zeros(0)
    clips = [
        Clip("lab", name, name, "a", 15.0, False, rng.normal(size=(40, 15, 4)).astype(np.float32))
        for name in ("wave", "squat")
    ]
    encoder, saved = Counting(), {"withheld": ["squat"], "left_out": ["lab"]}
    frozen = Frozen(encoder, SPEC, saved, clips, Bank(clips), ConceptTexts(["wave", "squat"]), 1, 0, none, none, None)
    first = frozen.unseen(lambda x, text: x[:, :2])
    assert list(first) == ["lab_top1"]
    assert encoder.asked == 1
    assert frozen.unseen(lambda x, text: x[:, :2]) == first
    assert frozen.unseen(lambda x, text: -x[:, :2]) == {"lab_top1": 1 - first["lab_top1"]}
    assert encoder.asked == 1


@pytest.mark.parametrize("verb", ["encoder", "head", "evaluate", "extract", "calibrate"])
def test_every_verb_describes_itself(verb, capsys):
    from train.__main__ import main

    with pytest.raises(SystemExit) as left:
        main([verb, "--help"])
    assert left.value.code == 0
    assert "--" in capsys.readouterr().out


def test_arguments_that_are_wrong_are_said_in_one_line(tmp_path, capsys):
    from train.__main__ import main

    assert main(["encoder", "--data", str(tmp_path), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert "concepts.csv" in error
    assert error.count("\n") == 1
