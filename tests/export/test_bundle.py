"""Assembling a bundle: it verifies, it works, and nothing that is no bundle is overwritten."""

import dataclasses
import json

import numpy as np
import pytest
import torch

from edge_app.bundle import load_bundle, self_test
from edge_app.errors import UsageError
from edge_app.labels import actions
from export.__main__ import main
from train.models.edge import EdgeEncoder, EncoderConfig
from train.models.scale import Scale, ScaleConfig


@pytest.fixture
def arguments(tmp_path, monkeypatch) -> list[str]:
    """An export of untrained networks, with a background of a few actions so that it is quick."""
    few = actions()[:12]
    monkeypatch.setattr("export.bundle.actions", lambda: few)
    torch.manual_seed(0)
    config = EncoderConfig(graph_widths=(8, 12), trunk_width=16, feature=16)
    encoder = {f"encoder.{name}": value for name, value in EdgeEncoder(config).state_dict().items()}
    torch.save(
        {
            "model": encoder, "config": dataclasses.asdict(config), "concepts": ["a"], "withheld": [], "left_out": [],
            "window": {"seconds": 2.0, "rate_hz": 16.0, "skeleton": "core15"}, "settings": {}, "metrics": {},
        },
        tmp_path / "encoder.pt",
    )  # fmt: skip
    scale = ScaleConfig(feature=16, condition=16, latent=4, hidden=16)
    torch.save({"model": Scale(scale).state_dict(), "config": dataclasses.asdict(scale)}, tmp_path / "scale.pt")
    calibration = {"temperature": 0.1, "known_slope": 1.0, "known_bias": 0.0, "alike": 1.3}
    (tmp_path / "calibration.json").write_text(json.dumps({"rankers": {"scale": calibration}}))
    (tmp_path / "card.md").write_text("# Card\n")
    return [
        "bundle", "--encoder", str(tmp_path / "encoder.pt"), "--heads", str(tmp_path), "--calibration",
        str(tmp_path / "calibration.json"), "--labels", "wave, squat", "--card", str(tmp_path / "card.md"),
        "--out", str(tmp_path / "made"),
    ]  # fmt: skip


def test_an_exported_bundle_verifies_and_is_replaced_as_a_whole(arguments, tmp_path, capsys):
    assert main(arguments) == 0
    bundle = load_bundle(tmp_path / "made")
    self_test(bundle, bundle.encoder())
    assert [label.name for label in bundle.default_labels] == ["wave", "squat"]
    (tmp_path / "made" / "left-over").write_text("x")
    assert main(arguments) == 0
    assert not (tmp_path / "made" / "left-over").exists()
    assert not list(tmp_path.glob(".bundle-*")), "no half-made folder stays behind"
    assert "parameters" in capsys.readouterr().out


def test_a_folder_that_is_no_bundle_is_not_replaced(arguments, tmp_path, capsys):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "precious.txt").write_text("x")
    assert main(arguments) == 2
    assert (tmp_path / "made" / "precious.txt").exists()
    assert "is no bundle" in capsys.readouterr().err


def test_the_self_test_refuses_a_runtime_that_computes_something_else(arguments, tmp_path):
    assert main(arguments) == 0
    bundle = load_bundle(tmp_path / "made")
    encoder = bundle.encoder()
    for wrong in (lambda vector: vector * 0, lambda vector: vector * np.nan):
        vector = encoder.vector
        encoder.vector = lambda window, wrong=wrong, vector=vector: wrong(vector(window))
        with pytest.raises(UsageError, match="golden self-test"):
            self_test(bundle, encoder)
        encoder.vector = vector
