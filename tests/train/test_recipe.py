"""The whole recipe, from sets to a bundle that is measured, on a handful of made-up clips."""

import json

import numpy as np
import pytest
import torch

from edge_app.ranker.labels.actions import actions
from export.__main__ import main as export
from train.__main__ import main as train
from train.data.clips import CORE15_SETS
from train.studies import compare
from train.synthetic.person_clips import generated_clips


@pytest.fixture
def sets(tmp_path, monkeypatch):
    """Six sets of drawn-up clips of six actions, as the real ones are stored."""
    few = actions()[:12]
    monkeypatch.setattr("export.bundle.actions", lambda: few)
    monkeypatch.setattr("train.heads.calibrate.actions", lambda: few)
    picked = [c for c in generated_clips(4, seed=3) if c.name in ("squat", "wave", "clap", "kick", "bow", "jump")]
    monkeypatch.setattr("train.encoder.training_set.generated_clips", lambda count, seed: picked[:count])
    names = sorted({clip.name for clip in picked})
    rows = ["dataset,label,name,concept,clips"]
    for name in CORE15_SETS:
        raw = np.concatenate([np.round(clip.joints[..., :3] * 1000) for clip in picked]).astype(np.int16)
        np.savez(
            tmp_path / f"{name}.npz", X=raw, off=np.cumsum([0, *(len(clip.joints) for clip in picked)]),
            label=np.array([names.index(clip.name) for clip in picked]), names=np.array(names),
            subject=np.array(["a"] * len(picked)), fps=np.float32(24), dim=np.int64(3),
        )  # fmt: skip
        rows += [f"{name},{i},{label},{label},4" for i, label in enumerate(names)]
    (tmp_path / "concepts.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_from_sets_to_a_measured_bundle(sets, capsys):
    data, run = ["--data", str(sets)], sets / "run"
    small = ["--composed", "40", "--composed-batch", "4", "--named", "1", "--generated", "6", "--batch", "8"]
    short = ["--epochs", "2", "--per-epoch", "16", "--cache", str(sets / "cache")]
    unseen = ["--leave-out", "utkinect", "--withhold", "bow,jump"]
    for part in ("0", "1"):
        assert train(["encoder", *data, "--out", str(run / part), *small, *short, *unseen, "--seed", part]) == 0
    log = [json.loads(line) for line in (run / "0" / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in log] == [1, 2]
    assert {"withheld_top1", "utkinect_top1", "loss"} <= set(log[0])
    parts = [str(run / part / "encoder.pt") for part in ("0", "1")]
    assert train(["merge", "--encoders", *parts, "--out", str(run / "encoder.pt")]) == 0
    encoder = ["--encoder", str(run / "encoder.pt")]
    heads = ["--systems", "scale,fdsm,sa_dvae,fs_vae", "--rounds", "1", "--steps", "3", "--batch", "8"]
    assert train(["head", *encoder, *data, "--out", str(run), *heads]) == 0
    assert set(json.loads((run / "metrics.json").read_text())) == {"scale", "fdsm", "sa_dvae", "fs_vae"}
    ablation = ["--out", str(run / "ablation.json"), "--rounds", "1", "--steps", "2", "--batch", "8", "--seeds", "2"]
    assert train(["ablate", *encoder, *data, *ablation]) == 0
    assert len(json.loads((run / "ablation.json").read_text())["found"]["no anchor"]) == 2
    heads = ["--heads", str(run)]
    calibration = str(run / "calibration.json")
    assert train(["calibrate", *encoder, *heads, *data, "--out", calibration, "--lists", "40"]) == 0
    rest = ["--labels", "squat, wave", "--card", "README.md", "--out", str(run / "bundle")]
    assert export(["bundle", *encoder, *heads, "--calibration", calibration, *rest]) == 0
    capsys.readouterr()
    for ranker in ("scale", "fdsm", "sa_dvae", "fs_vae", "scale+fdsm"):
        asked = ["--data", str(sets / "utkinect.npz"), "--ranker", ranker, "--json"]
        assert train(["evaluate", "--bundle", str(run / "bundle"), *asked]) == 0
        result = json.loads(capsys.readouterr().out)
        assert (result["clips"], result["ranker"]) == (24, ranker)
        assert set(result["per_class"]) == {"squat", "wave", "clap", "kick", "bow", "jump"}
        assert 0 <= result["top1_class_mean"] <= 1


def test_a_fold_leaves_sets_out_and_measures_each_of_them(sets, capsys, monkeypatch):
    recipe = (
        f"--composed 20 --composed-batch 4 --named 0 --generated 4 --batch 8 --epochs 1 --per-epoch 8 --cache {sets}"
    )
    folds = [
        "folds",
        "--data",
        str(sets),
        "--out",
        str(sets / "folds"),
        "--sets",
        "utkinect+nw_ucla",
        "--branches",
        "conv-small,attention",
    ]
    assert train([*folds, "--recipe", recipe, "--head", "--rounds 1 --steps 2 --batch 8"]) == 0
    report = json.loads((sets / "folds" / "folds.json").read_text())
    assert [(row["set"], row["seed"], row["classes"]) for row in report["labs"]] == [
        ("utkinect", 0, 6),
        ("nw_ucla", 0, 6),
    ]
    assert "mean of sets" in capsys.readouterr().out
    saved = torch.load(sets / "folds" / "utkinect+nw_ucla-0" / "encoder.pt", weights_only=True)
    assert saved["left_out"] == ["nw_ucla", "utkinect"]
    assert [config["attention"] for config in saved["config"]] == [False, True]
    monkeypatch.setattr(compare, "actions", lambda: actions()[:20])
    systems = ["--systems", "scale,fs_vae", "--seeds", "0,1", "--steps", "3", "--out", str(sets / "systems")]
    assert train(["compare", "--data", str(sets), "--folds", str(sets / "folds"), *systems]) == 0
    made = sorted(path.name for path in (sets / "systems").iterdir())
    assert made == ["systems.json", "systems.md", "systems.png"]
    ways = json.loads((sets / "systems" / "systems.json").read_text())["labs"]["ways"]
    assert list(ways) == ["cosine", "ridge", "devise", "conse", "scale", "fs_vae"]
    assert ways["scale"]["sets"]["utkinect"][1] is not None
    assert "| FS-VAE |" in capsys.readouterr().out
