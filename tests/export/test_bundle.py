"""Assembling a bundle: it verifies, it works, and nothing that is no bundle is overwritten."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_app.bundles.bundle import load_bundle
from edge_app.encoder import load_encoder as load_bundle_encoder
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.recognizer import self_test
from edge_app.types import Feature
from export.__main__ import main
from export.to_onnx import export_encoder
from train.data.clips import clip_windows
from train.encoder.frozen import load_encoder
from train.models.edge import STEPS, EdgeEncoder, EncoderConfig
from train.models.fs_vae import IMPROVED, FsVae
from train.models.scale import Scale, ScaleConfig
from train.synthetic.person_clips import generated_clips


@pytest.fixture(scope="module")
def exported():
    """`export_encoder`, which writes a network that it has seen before from memory: it is the same one in each test."""
    made = {}

    def once(encoder, spec, path):
        kind = type(encoder)
        if kind not in made:
            count = export_encoder(encoder, spec, path)
            made[kind] = path.read_bytes(), count
        path.write_bytes(made[kind][0])
        return made[kind][1]

    return once


@pytest.fixture
def arguments(tmp_path, monkeypatch, exported) -> list[str]:
    """An export of untrained networks, with a background of a few actions so that it is quick."""
    few = actions()[:12]
    monkeypatch.setattr("export.bundle.actions", lambda: few)
    monkeypatch.setattr("export.bundle.export_encoder", exported)
    torch.manual_seed(0)
    config = EncoderConfig(trunk_width=16, trunk_strides=(2, 1), feature=16)
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
    self_test(bundle, load_bundle_encoder(bundle))
    assert [label.name for label in bundle.default_labels] == ["wave", "squat"]
    (tmp_path / "made" / "left-over").write_text("x")
    assert main(arguments) == 0
    assert not (tmp_path / "made" / "left-over").exists()
    assert not list(tmp_path.glob(".bundle-*")), "no half-made folder stays behind"
    assert "parameters" in capsys.readouterr().out


def add_fs_vae(folder: Path, **changes: int) -> None:
    """An untrained FS-VAE that reads the long vectors of the fixture's encoder, beside SCALE."""
    widths = {"feature": 16, "text": 768, "steps": STEPS, "channels": 16, "part_feature": 156, "part_text": 384}
    config = dataclasses.replace(IMPROVED, latent=8, **{**widths, **changes})
    torch.save({"model": FsVae(config).state_dict(), "config": dataclasses.asdict(config)}, folder / "fs_vae.pt")
    calibration = json.loads((folder / "calibration.json").read_text())
    calibration["rankers"]["fs_vae"] = calibration["rankers"]["scale"]
    (folder / "calibration.json").write_text(json.dumps(calibration))


def test_fs_vae_gets_the_long_vector_and_scale_does_not_notice(arguments, exported, tmp_path):
    assert main(arguments) == 0
    alone = load_bundle(tmp_path / "made")
    encoder, spec, _ = load_encoder(tmp_path / "encoder.pt")
    exported(encoder, spec, tmp_path / "plain.onnx")
    assert (alone.path / "encoder.onnx").read_bytes() == (tmp_path / "plain.onnx").read_bytes()
    assert alone.manifest["encoder"].keys() == {"file", "feature", "parameters"}

    add_fs_vae(tmp_path)
    assert main([*arguments[:-1], str(tmp_path / "both")]) == 0
    both = load_bundle(tmp_path / "both")
    width = 16 + STEPS * 16 + 3 * 156
    assert both.manifest["encoder"] == alone.manifest["encoder"] | {"output": width}
    clip = generated_clips(1, seed=3)[0]
    windows = clip_windows(clip, spec)[:2]
    short, long = load_bundle_encoder(alone).encode(windows), load_bundle_encoder(both).encode(windows)
    assert [f.vector.shape for f in (*short, *long)] == [(16,)] * 2 + [(width,)] * 2
    table = build_table(both.default_labels, BundleText(both), 1)
    rankers = {}
    for kind in ("scale", "fs_vae"):
        self_test(both, load_bundle_encoder(both), kind)
        rankers[kind] = load_ranker(both, kind, table)
        assert [len(ranking.labels) for ranking in rankers[kind].rank(long)] == [2, 2]
    scale = load_ranker(alone, "scale", table)
    cut = [Feature(feature.window, feature.vector[:16].copy()) for feature in long]
    for one, other, near in zip(scale.rank(cut), rankers["scale"].rank(long), scale.rank(short), strict=True):
        assert one.energies.tobytes() == other.energies.tobytes()
        np.testing.assert_allclose(one.energies, near.energies, atol=1e-4)
    vector = long[0].vector[None]
    for part in (slice(16, 16 + STEPS * 16), slice(16 + STEPS * 16, None)):
        other = vector.copy()
        other[:, part] *= 2
        assert not np.array_equal(rankers["fs_vae"].energies(other), rankers["fs_vae"].energies(vector))


def test_a_head_that_reads_what_the_encoder_does_not_give_is_refused(arguments, tmp_path, capsys):
    add_fs_vae(tmp_path, channels=17)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "fs_vae.pt reads 620 numbers of this encoder, 16 or 612 are allowed" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "made").exists()


def test_a_folder_that_is_no_bundle_is_not_replaced(arguments, tmp_path, capsys):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "precious.txt").write_text("x")
    assert main(arguments) == 2
    assert (tmp_path / "made" / "precious.txt").exists()
    assert "is no bundle" in capsys.readouterr().err


def test_the_self_test_refuses_a_runtime_that_computes_something_else(arguments, tmp_path):
    assert main(arguments) == 0
    bundle = load_bundle(tmp_path / "made")
    encoder = load_bundle_encoder(bundle)
    for wrong in (lambda vector: vector * 0, lambda vector: vector * np.nan):
        vector = encoder.vector
        encoder.vector = lambda window, wrong=wrong, vector=vector: wrong(vector(window))
        with pytest.raises(UsageError, match="golden self-test"):
            self_test(bundle, encoder)
        encoder.vector = vector
