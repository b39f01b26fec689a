"""The authors' fits: what stands after the last epoch, and what the test clips would choose."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from train.__main__ import main
from train.data.clips import Bank, Clip
from train.data.texts import FixedTexts
from train.papers.features import Features
from train.papers.heads import How, fit_head
from train.papers.protocol import zsl
from train.papers.texts import Texts
from train.studies import compare, compare_authors
from train.studies.compare_authors import SETTINGS_OF, clip_features, fit_authors, summarise_authors
from train.studies.compare_report import authors_table
from train.studies.trials import Trial

NAMES = tuple(str(k) for k in range(48))


@pytest.fixture
def given(toy):
    """The toy's 40 seen classes, and its 8 unseen ones behind them."""
    label = 40 + toy.unseen
    test = toy.unseen_features, label
    features = Features(tuple(range(40, 48)), toy.features[::4], toy.concept[::4], *test, *test, None)
    return features, Texts(NAMES, FixedTexts(NAMES, toy.texts.vectors), "made up")


def test_last_is_the_finished_head_and_best_the_best_of_all_epochs(given, monkeypatch):
    seen: list[float] = []
    monkeypatch.setattr(
        compare_authors, "zsl", lambda *asked: (found := zsl(*asked), seen.append(found["top1_class_mean"]))[0]
    )
    row = fit_authors("scale", *given, seed=1, most=5)
    features, texts = given
    how = How("faithful", "authors", steps=5, seed=1)
    finished = fit_head("scale", SETTINGS_OF, features.train, features.train_label, NAMES, texts.vectors, how)
    assert row["last"] == zsl(finished.head, features, texts)["top1_class_mean"] == seen[-1]
    assert row["best"] == max(seen) and (row["epochs"], row["steps"], row["published"]) == (5, 5, 20_000)


def test_an_epoch_in_the_middle_may_be_the_best(given, monkeypatch):
    scores = iter([0.1, 0.2, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.4])
    monkeypatch.setattr(compare_authors, "zsl", lambda *asked: {"top1_class_mean": next(scores)})
    row = fit_authors("sa_dvae", *given, seed=0, most=1000)
    assert (row["last"], row["best"], row["best_epoch"], row["epochs"]) == (0.4, 0.7, 3, 10)
    assert row["steps"] == row["published"] == 70, "no more than published"


def rows(way, seed, *pairs):
    more = {"steps": 20, "published": 20_000, "epochs": 5}
    return [
        {"fold": f"split-{i}", "way": way, "seed": seed, "last": last, "best": best, **more}
        for i, (last, best) in enumerate(pairs)
    ]


def ours(kind: str, fold: int, seed: int, top1: float) -> dict:
    return {"way": kind, "fold": f"split-{fold}", "seed": seed, "top1": top1}


def test_the_table_has_means_over_splits_and_spreads_over_seeds():
    found = summarise_authors(
        [
            *rows("fdsm", 0, (0.2, 0.4), (0.4, 0.5)),
            *rows("fdsm", 1, (0.3, 0.4), (0.5, 0.6)),
            *rows("scale", 0, (0.5, 0.5)),
        ],
        [ours("fdsm", 0, 0, 0.44), ours("fdsm", 0, 1, 0.46), ours("scale", 0, 0, 0.45), ours("scale", 9, 0, 0.99)],
    )
    assert (found["folds"], found["seeds"]) == (2, [0, 1])
    fdsm = found["systems"]["fdsm"]
    assert (fdsm["last"], fdsm["best"], fdsm["gain"]) == ([0.35, 0.0707], [0.475, 0.0354], [0.125, 0.0354])
    page = "\n".join(authors_table(found))
    row = "| FDSM | 0.450 ± 0.014 | 0.350 ± 0.071 | 0.475 ± 0.035 | 0.125 ± 0.035 | 20 (20,000) | 5 |"
    assert row in page and "best epoch, SELECTED ON TEST" in page
    assert "worth 0.000 to 0.125" in page and "last epoch: -0.050 to +0.100" in page


def test_the_table_joins_the_report_of_our_fit_and_nothing_is_fitted_twice(given, tmp_path, monkeypatch, capsys):
    fold, out = tmp_path / "folds/split-0", tmp_path / "out"
    fold.mkdir(parents=True)
    out.mkdir()
    (fold / "fold.json").write_text('[{"split": 0}]')
    (fold / "encoder.pt").write_bytes(b"a")
    words = ["compare", "--data", "none", "--folds", str(fold.parent), "--out", str(out), "--systems", "scale"]
    words += ["--fit", "authors", "--seeds", "0,1", "--steps", "3", "--threads", "1"]
    monkeypatch.setattr(compare, "clip_features", lambda encoder, data: given)
    assert main(words) == 2
    assert "systems.json: no report there; first run --fit ours" in capsys.readouterr().err

    pair = [0.5, None]
    gzsl = {"seen": pair, "unseen": pair, "harmonic": pair}
    way = {"top1": pair, "top5": pair, "over_folds": pair, "gzsl": gzsl, "stacked": gzsl}
    cost = {"parameters": 1, "macs_12": 1, "ms": {"12": 1.0, "60": 1.0, "1000": 1.0}, "set_labels_ms": {"1000": 1.0}}
    ours = {"splits": {"folds": 1, "chance": 0.1, "ways": {"scale": way}}, "cost": {"scale": cost}}
    (out / "systems.json").write_text(json.dumps({"seeds": [0], "git": "x", "machine": "m", **ours}))
    assert main(words) == 2
    assert "out: no figures of split-0; first run --fit ours on splits" in capsys.readouterr().err
    (out / "folds").mkdir()
    ours_of_it = {"fold": "split-0", "way": "scale", "seed": 0, "top1": 0.4}
    (out / "folds/split-0-ours.json").write_text(json.dumps({"rows": [ours_of_it]}))
    assert main(words) == 0
    report = json.loads((out / "systems.json").read_text())
    assert report["splits"] == ours["splits"] and report["authors"]["seeds"] == [0, 1]
    assert report["authors"]["systems"]["scale"]["ours"] == [0.4, None]
    assert "SELECTED ON TEST" in (out / "systems.md").read_text()
    monkeypatch.setattr(compare, "fit_authors", None)
    assert main(words) == 0
    assert json.loads((out / "systems.json").read_text()) == report
    (fold / "encoder.pt").write_bytes(b"another")
    anew = {"steps": 3, "published": 20_000, "epochs": 1, "last": 0.25, "best": 0.25, "best_epoch": 1}
    monkeypatch.setattr(compare, "fit_authors", lambda *given: anew)
    assert main(words) == 0
    changed = json.loads((out / "systems.json").read_text())["authors"]["systems"]["scale"]
    assert changed["last"] == [0.25, 0.0], "what another encoder gave is not kept"


def test_features_of_a_clip_are_means_over_its_windows_and_the_withheld_classes_alone_are_tested(monkeypatch):
    clips = [Clip("kard", name, name, "a", 20.0, False, np.zeros((2, 15, 4), np.float32)) for name in ("jump", "wave")]
    windows = np.array([[0, 0], [2, 0], [5, 5], [7, 9]], np.float32)
    frozen = SimpleNamespace(bank=Bank(clips), features=windows, saved={}, encoder=None, spec=None)
    names, unseen = ["bow", "jump", "squat", "wave"], np.array([True, False, True, False])
    trial = Trial([clips[0]] * 3, names, np.array([2, 0, 1]), unseen)
    monkeypatch.setattr(compare_authors, "freeze", lambda *how, **more: frozen)
    monkeypatch.setattr(compare_authors, "split_trial", lambda *how: trial)
    monkeypatch.setattr(compare_authors, "clip_windows", lambda clip, spec: clip)
    monkeypatch.setattr(
        compare_authors, "encode_clips", lambda encoder, spec, cut: (windows[: len(cut)] + 1, np.arange(len(cut)))
    )
    features, texts = clip_features(Path("encoder.pt"), Path("data"))
    np.testing.assert_array_equal(features.train, [[1, 0], [6, 7]])
    assert features.train_label.tolist() == [0, 1] and features.unseen == (2, 3)
    np.testing.assert_array_equal(features.ztest, [[1, 1], [3, 1]])
    assert [texts.names[k] for k in features.z_label] == ["squat", "bow"]
