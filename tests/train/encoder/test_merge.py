"""Encoders side by side: their cosines are averaged, and what differs is refused."""

import dataclasses

import torch
from torch.nn import functional

from train.__main__ import main
from train.data.texts import ConceptTexts
from train.encoder.frozen import load_encoder
from train.encoder.train import TextAlignedEncoder
from train.models.edge import EncoderConfig

SMALL = EncoderConfig(trunk_width=16, trunk_strides=(2,), feature=12)
CONCEPTS = ["wave one hand", "squat", "run"]


def save(path, seed: int, **changes) -> TextAlignedEncoder:
    torch.manual_seed(seed)
    texts = ConceptTexts(CONCEPTS)
    model = TextAlignedEncoder(SMALL, len(CONCEPTS), texts.dim).eval()
    model.text_mean.copy_(torch.from_numpy(texts.pooled(CONCEPTS)).mean(0))
    model.text_map.weight.data *= 1 + seed
    saved = {
        "model": model.state_dict(), "config": dataclasses.asdict(SMALL), "concepts": CONCEPTS, "withheld": [],
        "left_out": [], "held_people": [], "settings": {}, "metrics": {},
        "window": {"seconds": 2.0, "rate_hz": 16.0, "skeleton": "core15"},
    }  # fmt: skip
    torch.save(saved | changes, path)
    return model


def test_the_cosines_of_merged_encoders_are_the_mean(tmp_path):
    parts = [save(tmp_path / f"{seed}.pt", seed, left_out=["msr_action3d", f"set {seed}"]) for seed in (0, 1)]
    paths = [str(tmp_path / "0.pt"), str(tmp_path / "1.pt")]
    assert main(["merge", "--encoders", *paths, "--out", str(tmp_path / "both.pt")]) == 0
    encoder, _, saved = load_encoder(tmp_path / "both.pt")
    assert saved["left_out"] == ["msr_action3d"], "what every part left out"
    windows, texts = torch.randn(4, 32, 15, 4), torch.from_numpy(ConceptTexts(CONCEPTS).pooled(CONCEPTS))
    windows[..., 3] = 1
    with torch.inference_mode():
        each = [part.text_logits(part.encoder(windows), texts) / part.scale.exp() for part in parts]
        feature = encoder(windows)
        assert feature.shape == (4, encoder.feature) == (4, 24)
        torch.testing.assert_close(feature.square().mean(dim=1), torch.ones(4))
        mapped = functional.normalize(texts - saved["model"]["text_mean"], dim=1) @ saved["model"]["text_map.weight"].T
        cosines = functional.normalize(feature, dim=1) @ functional.normalize(mapped, dim=1).T
    torch.testing.assert_close(cosines, (each[0] + each[1]) / 2, atol=0.03, rtol=0.1)


def test_encoders_of_other_data_are_not_merged(tmp_path, capsys):
    save(tmp_path / "0.pt", 0)
    save(tmp_path / "1.pt", 1, withheld=["bow"])
    code = main(
        ["merge", "--encoders", str(tmp_path / "0.pt"), str(tmp_path / "1.pt"), "--out", str(tmp_path / "x.pt")]
    )
    assert code == 2
    assert "1.pt" in capsys.readouterr().err
    assert not (tmp_path / "x.pt").exists()
