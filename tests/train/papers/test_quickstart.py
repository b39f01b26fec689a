"""The researcher's quick start, walked with generated files: a folder of raw NTU clips, and published features."""

import dataclasses
import json
import re
import shlex
from functools import partialmethod
from pathlib import Path

import numpy as np
import pytest

import train.papers.encoder
import train.papers.heads
from tests.train.formats import write_ntu_folder
from train.__main__ import main
from train.data.splits import find_split, pseudo_unseen
from train.models import fdsm
from train.models.fs_vae import FsVae
from train.models.sa_dvae import SaDvae
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.papers.encoder import Recipe, p1

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/quickstart-researcher.md").read_text()
SPLIT = find_split("ntu60", "synse-55-5")
QUICKLY = ["--steps", "11", "--seeds", "0", "--threads", "1", "--device", "cpu"]
SMALL = {"hidden": 16, "heads": 2, "depth": 1, "time": 8, "gate": 4}


def commands() -> list[list[str]]:
    """Of `train reproduce`, in the order of the page."""
    blocks = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.S)
    lines = [line for block in blocks for line in block.splitlines() if "train reproduce" in line]
    return [shlex.split(line.partition("train ")[2], comments=True) for line in lines]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Encoder, FDSM and the VAEs' classifiers would be too slow in the authors' size; all else is as it is."""
    recipe = Recipe(
        lambda n: ShiftGCN(ShiftConfig(classes=n, widths=(8, 16), strides=(1, 2))), p1, (0, 4, 2, 3, 1), 8, 1, ()
    )
    monkeypatch.setitem(train.papers.encoder.RECIPES, "shift-gcn", recipe)
    monkeypatch.setattr(fdsm, "FAITHFUL", dataclasses.replace(fdsm.FAITHFUL, **SMALL))
    for vae in (SaDvae, FsVae):
        monkeypatch.setattr(vae, "classifier", partialmethod(vae.classifier, latents=10, steps=20))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_raw_files(small):
    actions = [k + 1 for k in (*SPLIT.unseen, *pseudo_unseen(SPLIT), 0, 1, 2, 3, 4, 5)]
    write_ntu_folder(small / "nturgb+d_skeletons", actions=actions, cameras=(1,), setups=(1, 2), frames=10)
    assert main([*commands()[0], *QUICKLY]) == 0
    text = (small / "runs/ntu60/reproduce.md").read_text()
    assert "THESE FIGURES MEAN NOTHING" in text, "generated files are no data set, and every table says so"
    for system in ("scale", "fdsm", "fdsm, rich texts", "sa_dvae", "fs_vae", "ridge", "devise", "conse"):
        assert text.count(f"| synse-55-5 | {system} |") >= 2, system
    deviations = [line for line in text.partition("## GZSL")[0].splitlines() if line.startswith("- Deviates: ")]
    for said in ("fitted our way", "our own, by MiniLM", "the last epoch is kept"):
        assert any(said in line for line in deviations), said
    assert "| fs_vae | 1 |" in text and "TDSM's table [PAPER]" in text, "published figures stand beside ours"


def test_from_published_features(small):
    """The folders and files that the page names, as their authors lay them out."""
    rng, home = np.random.default_rng(0), small / "sk_feats"
    hidden = pseudo_unseen(SPLIT)
    for name, unseen, seen, rest in (
        ("shift_5_r", SPLIT.unseen, SPLIT.seen, "gtest"),
        ("shift_val_5_r", hidden, tuple(k for k in SPLIT.seen if k not in hidden), "val"),
    ):
        assert f"sk_feats/{name}/" in PAGE
        label = {"train": np.repeat(seen, 4), "ztest": np.repeat(unseen, 6)}
        label[rest] = np.repeat(seen, 2) if rest == "val" else np.concatenate([np.repeat(seen, 2), label["ztest"]])
        (home / name).mkdir(parents=True)
        for part, own in label.items():
            features = np.eye(256, dtype=np.float32)[own] + 0.1 * rng.normal(size=(len(own), 256)).astype(np.float32)
            np.save(home / name / f"{part}.npy", features)
            np.save(home / name / f"{ {'ztest': 'z', 'gtest': 'g'}.get(part, part) }_label.npy", own)
            np.save(home / name / f"{part}_out.npy", features[:, :60])
    np.save(small / "text.npy", rng.normal(size=(60, 4, 16)).astype(np.float32))
    (words,) = [words for words in commands() if "--features" in words]
    assert {"--text-features", "--fit"} <= set(words)
    assert main([*words, *QUICKLY, "--systems", "fdsm,sa_dvae", "--epoch", "best", "--select-on-test"]) == 0
    report = json.loads((small / "runs/features/reproduce.json").read_text())
    assert {row["system"] for row in report["rows"]} == {"fdsm", "sa_dvae"} and report["fit"] == "authors"
    assert all(row["period"] is not None and len(row["period_scores"]) > row["period"] for row in report["rows"])
    assert any(rule["rule"] == "SynSE gate" for rule in report["rows"][0]["gzsl"])
    text = (small / "runs/features/reproduce.md").read_text()
    assert text.count("SELECTED ON TEST") == 2 and "fitted our way" not in text and "Fit: authors, best epoch." in text
    assert not list((small / "runs/features/unfinished").glob("*")), "what is done is not kept"
