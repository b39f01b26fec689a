"""`train reproduce`: from raw files to tables, features as SynSE has them, what is chosen by what, the papers' own."""

import json
from argparse import Namespace

import numpy as np
import pytest
import torch

import train.papers.encoder
import train.papers.heads
import train.papers.protocol
import train.papers.reproduce
from edge_app.errors import UsageError
from edge_app.ranker.labels.text_encoder import TextEncoder
from tests.train.formats import write_ntu_folder
from train.__main__ import main
from train.data.splits import CLASSES, Split, all_splits, class_names, find_split
from train.data.texts import FixedTexts
from train.evaluate.metrics import harmonic
from train.heads.fdsm import distil_gate
from train.models.fdsm import EDGE, FAITHFUL, Fdsm
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.papers.encoder import Recipe, p1
from train.papers.features import FILES, Features, read_features
from train.papers.heads import Fitted, How, fit_head, ranker
from train.papers.protocol import measure
from train.papers.published import all_published, find_published
from train.papers.released import find_released
from train.papers.report import report_text
from train.papers.reproduce import encoder_of, published_splits
from train.papers.texts import Texts, read_targets, read_texts

TINY = Split("ntu60", "tiny", unseen=(2, 5), pseudo_unseen=(3, 6), source="this test")
SMALL = Recipe(
    lambda n: ShiftGCN(ShiftConfig(classes=n, widths=(8, 16), strides=(1, 2))), p1, (0, 4, 2, 3, 1), 8, 1, ()
)
SELECTED = "SELECTED ON TEST"
REPORT = {
    "table": "ntu60", "data": "made up", "features": True, "encoder_options": {}, "test_clips_expected": 16_487,
    "texts": "made up", "steps": [None], "select_on_test": False, "zsl_only": False, "variant": "faithful",
    "fit": "ours", "epoch": "last", "precision": "fp32", "changes": [], "targets": None, "gate": {"kind": "mended"},
    "text_rows": None, "prepared": False,
}  # fmt: skip


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    folder = tmp_path_factory.mktemp("raw")
    write_ntu_folder(folder, actions=range(1, 9), cameras=(1, 2), setups=(1, 2), frames=10)
    return folder


@pytest.fixture
def tiny(monkeypatch):
    for module in (train.papers.reproduce, train.papers.encoder):
        monkeypatch.setattr(module, "find_split", lambda dataset, name: TINY)
    monkeypatch.setitem(train.papers.encoder.RECIPES, "shift-gcn", SMALL)


def reproduce(raw, out, *more: str) -> int:
    source = [] if "--features" in more else ["--root", str(raw)]
    words = ["--table", "ntu60", *source, "--out", str(out), "--splits", "tiny", "--threads", "1"]
    words += ["--systems", "scale,ridge", "--seeds", "0,1", "--steps", "12", "--variant", "improved", "--batch", "16"]
    return main(["reproduce", *words, *more])


def test_from_raw_files_to_tables(raw, tiny, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    assert reproduce(raw, out) == 0
    text = (out / "reproduce.md").read_text()
    assert capsys.readouterr().out.strip().endswith(text.strip())
    assert text.count("Selection: whatever was chosen was chosen on pseudo-unseen classes") == 2
    assert text.count("\n## ") == 3, "and what is published, which nobody chose anything for"
    assert text.count("THESE FIGURES MEAN NOTHING") == text.count("our own table by the class names") == 2
    assert text.count(f"{raw}, 64 test clips") == 2 and SELECTED not in text
    report = json.loads((out / "reproduce.json").read_text())
    assert [(row["system"], row["seed"]) for row in report["rows"]] == [("scale", 0), ("scale", 1), ("ridge", 0)]
    for row in report["rows"]:
        assert row["clips"] == {"train": 48, "ztest": 16, "gtest": 64} and row["chance"] == 0.5
        assert [rule["rule"] for rule in row["gzsl"]] == ["plain", "stacking", "energy gate", "SynSE gate"]
        assert not any(rule["selected_on_test"] for rule in row["gzsl"]) and 0 <= row["zsl"]["top1"] <= 1
        for rule in row["gzsl"]:
            assert rule["harmonic"] == pytest.approx(harmonic(rule["seen"], rule["unseen"]))
    assert "| tiny | scale | 2 |" in text and " ± " in text and "| tiny | ridge | 1 |" in text

    assert sorted(path.name for path in out.glob("prepared*")) == ["prepared-shift-gcn"]
    used = {split.name.split("-")[0]: encoder_of(Namespace(encoder=None), split) for split in all_splits()}
    assert (used["smie"], used["sa"], used["synse"]) == ("st-gcn-narrow", "st-gcn", "shift-gcn")

    gates = ("--systems", "ridge", "--gate", "fixed", "--gate-temperature", "3")
    assert reproduce(raw, out, *gates) == 0
    gate = json.loads((out / "reproduce.json").read_text())["rows"][0]["gzsl"][-1]
    assert (gate["rule"], gate["constants"]) == ("SynSE gate, fixed", {"temperature": 3.0, "threshold": 0.5})

    monkeypatch.setattr(train.papers.reproduce, "measure", None)
    assert reproduce(raw, out) == 0, "what is done is not done again"


def test_what_was_selected_on_the_test_is_said_in_every_table(raw, tiny, tmp_path, capsys):
    out = tmp_path / "out"
    assert reproduce(raw, out, "--systems", "ridge") == 0
    honest = json.loads((out / "reproduce.json").read_text())["rows"]
    encoder = out / "encoders/tiny-shift-gcn/encoder.pt"
    stamp = encoder.stat().st_mtime_ns
    assert reproduce(raw, out, "--systems", "ridge", "--select-on-test") == 0
    text = (out / "reproduce.md").read_text()
    assert text.count(SELECTED) == 2 == text.count("\n## ") - 1 and "| the test |" in text
    assert encoder.stat().st_mtime_ns == stamp and len(list((out / "results").iterdir())) == 2

    again = ("--systems", "ridge", "--features", str(out / "features/tiny-shift-gcn"))
    assert reproduce(raw, tmp_path / "from", *again) == 0
    found = json.loads((tmp_path / "from/reproduce.json").read_text())
    assert found["rows"][0]["gzsl"] == honest[0]["gzsl"] and found["rows"][0]["encoder"] == "as published"
    assert "published features in" in (tmp_path / "from/reproduce.md").read_text()
    assert reproduce(raw, out, "--epochs", "2") == 2
    assert "begun with epochs None, 2 asked for" in capsys.readouterr().err


def test_wrong_arguments_are_refused(raw, tmp_path, capsys):
    (tmp_path / "texts.txt").write_text("one\ntwo\n")
    for more, said in (
        (["--systems", "scale,clip"], "['clip'] not known; allowed are scale, fdsm"),
        (["--splits", "synse-9"], "allowed are synse-55-5"),
        (["--set", "clip.depth=3"], "SYSTEM one of scale, fdsm"),
        (["--seeds", "a"], "numbers with commas between expected"),
        (["--steps", "10"], "--steps 10: more than 10 expected"),
        (["--texts", str(tmp_path / "texts.txt")], "60 rows expected, one a class of ntu60"),
        (["--texts", str(tmp_path / "none")], "expected 60 lines of text"),
        (["--features", str(tmp_path), "--splits", "synse-55-5"], "shift_ntu60_5_r or synse-55-5/shift_ntu60_5_r"),
    ):
        words = [] if "--features" in more else ["--root", str(raw)]
        assert main(["reproduce", "--table", "ntu60", "--out", str(tmp_path / "out"), *words, *more]) == 2
        assert said in capsys.readouterr().err
    assert main(["reproduce", "--table", "ntu60", "--out", str(tmp_path / "out")]) == 2


def test_texts_of_other_encoders_are_of_unit_length_and_named(tmp_path):
    rows = np.arange(1.0, 181).reshape(60, 3)
    np.save(tmp_path / "clip.npy", rows)
    texts = read_texts("ntu60", None, tmp_path / "clip.npy")
    np.testing.assert_allclose(np.linalg.norm(texts.pooled(np.arange(60)), axis=1), 1, rtol=1e-5)
    assert texts.said.startswith("clip.npy (sha256 ") and "[60, 3] made elsewhere" in texts.said
    np.save(tmp_path / "bad.npy", rows * np.nan)
    with pytest.raises(UsageError, match="not finite"):
        read_texts("ntu60", None, tmp_path / "bad.npy")


def one_hot(unseen: tuple[int, ...], seen: tuple[int, ...], mark: float) -> Features:
    """Features that are their class; `mark` tells training of this set from that of another."""
    label = np.repeat([*seen, *unseen], 8)
    features = np.eye(60, dtype=np.float32)
    train, z_label = np.repeat(seen, 8), np.repeat(unseen, 8)
    logits = features[label]
    return Features(unseen, features[train] * mark, train, features[z_label], z_label, logits, label, logits)


@pytest.mark.parametrize("select_on_test", [False, True])
def test_steps_are_chosen_on_pseudo_unseen_classes(monkeypatch, select_on_test):
    def fake(system, split, features, label, names, texts, how):
        good = how.steps == (20 if features.max() == 1 else 10)
        return Fitted(lambda text: lambda x: (-1 if good else 1) * x @ text.T)

    monkeypatch.setattr(train.papers.protocol, "fit_head", fake)
    main_set = one_hot((2, 5), (0, 1, 3, 4, 6, 7), 1)
    pseudo = one_hot((3, 6), (0, 1, 4, 7), 2)
    texts = Texts(class_names("ntu60"), FixedTexts(class_names("ntu60"), np.eye(60, dtype=np.float32)), "one-hot")
    how = How(select_on_test=select_on_test)
    row = measure("scale", TINY, main_set, pseudo, texts, how, [10, 20])
    assert row["steps"] == (20 if select_on_test else 10)
    assert row["zsl"]["top1"] == (1.0 if select_on_test else 0.0)
    with pytest.raises(UsageError, match="no pseudo-unseen classes to choose by"):
        measure("scale", TINY, main_set, None, texts, How(), [10, 20])
    assert [rule["rule"] for rule in measure("ridge", TINY, main_set, None, texts, how, [None])["gzsl"]] == (
        ["plain", "stacking"] if select_on_test else ["plain"]
    )


@pytest.mark.parametrize("select_on_test", [False, True])
def test_the_best_epoch_is_looked_for_after_the_steps_are_chosen(tmp_path, select_on_test):
    main_set, pseudo = one_hot((2, 5), (0, 1, 3, 4, 6, 7), 1), one_hot((3, 6), (0, 1, 4, 7), 2)
    texts = Texts(class_names("ntu60"), FixedTexts(class_names("ntu60"), np.eye(60, dtype=np.float32)), "one-hot")
    how = How(fit="authors", epoch="best", select_on_test=select_on_test, checkpoint=tmp_path / "fit")
    row = measure("scale", TINY, main_set, pseudo, texts, how, [11, 12])
    assert row["steps"] in (11, 12) and len(row["period_scores"]) == row["steps"]
    assert row["period"] == int(np.argmax(row["period_scores"])), "the first of the best"
    with pytest.raises(UsageError, match="--epoch best, but no pseudo-unseen classes"):
        measure("scale", TINY, main_set, None, texts, How(epoch="best"), [11])


@pytest.mark.parametrize("system", ["scale", "fdsm", "sa_dvae", "fs_vae", "ridge", "devise", "conse"])
def test_every_system_is_fitted_on_seen_texts_alone(toy, system, monkeypatch):
    class SeenOnly(FixedTexts):
        def rows(self, names):
            assert max(map(int, names)) < 40, "an unseen class's text was looked at"
            return super().rows(names)

    small = {"hidden": 16, "heads": 2, "depth": 1, "time": 8, "gate": 4, "negatives": 2}
    monkeypatch.setattr(train.papers.heads.fdsm, "EDGE", train.papers.heads.dataclasses.replace(EDGE, **small))
    names = tuple(str(k) for k in range(48))
    texts = SeenOnly(names, toy.texts.vectors)
    monkeypatch.setattr(FixedTexts, "twice", lambda self: SeenOnly(names, np.tile(self.vectors, 2) / 2**0.5))
    variant = "improved" if system == "fdsm" else "faithful"
    split = find_split("ntu60", "synse-55-5")
    head = fit_head(system, split, toy.features, toy.concept, names, texts, How(variant, steps=3))
    found = ranker(head.head, toy.unseen_texts)(toy.unseen_features)
    assert found.shape == (160, 8) and np.isfinite(found).all()
    if system == "ridge":
        assert toy.unseen_top1(found) > 0.5, "chance is 0.125"


@pytest.mark.parametrize("variant", ["faithful", "improved"])
def test_fdsm_as_released_is_asked_with_the_sparse_text_and_once_more_with_the_rich_one(monkeypatch, variant):
    """Their inference has the sparse text alone. Ours has descriptions, as the device has."""
    small = {"hidden": 16, "heads": 2, "depth": 1, "time": 8, "gate": 4}
    for name, config in (("FAITHFUL", FAITHFUL), ("EDGE", EDGE)):
        monkeypatch.setattr(train.papers.heads.fdsm, name, train.papers.heads.dataclasses.replace(config, **small))
    asked = []
    energies = Fdsm.energies
    monkeypatch.setattr(Fdsm, "energies", lambda self, x, text: (asked.append(text), energies(self, x, text))[1])
    texts = read_texts("ntu60", None, None)
    row = measure(
        "fdsm", TINY, one_hot((2, 5), (0, 1, 3, 4, 6, 7), 1), None, texts, How(variant), [12],
    )  # fmt: skip
    names, description = asked[0].chunk(2, dim=1)
    assert torch.equal(names, description) == (variant == "faithful") == ("rich" in row)
    text = report_text(REPORT | {"variant": variant, "rows": [row | {"encoder": "as published"}]})
    assert text.count("| fdsm, rich texts |") == 2 * (variant == "faithful"), "a row of its own in both tables"
    if variant == "faithful":
        rich = torch.from_numpy(texts.pooled(np.arange(60)))
        assert any(len(t) == 60 and torch.allclose(t, rich) for t in asked)
        assert row["rich"].keys() == {"zsl", "gzsl"}


def test_features_of_others_are_found_and_checked(tmp_path):
    split = find_split("ntu60", "synse-55-5")
    rng = np.random.default_rng(0)
    labels = {"train_label": [0, 1, 2], "z_label": [10, 56], "g_label": [0, 10, 56]}
    folder = tmp_path / "shift_5_r"
    folder.mkdir()
    for name, label in labels.items():
        np.save(folder / f"{name}.npy", np.array(label, float))
        part = {"train_label": "train", "z_label": "ztest", "g_label": "gtest"}[name]
        np.save(folder / f"{part}.npy", rng.normal(size=(len(label), 256)))
    assert find_released(tmp_path, split, False) == folder and find_released(tmp_path, split, True) is None
    found = read_features(folder, split, False)
    assert found.train.shape == (3, 256) and found.train.dtype == np.float32 and found.logits is None
    assert found.g_label.tolist() == [0, 10, 56] and found.unseen == split.unseen
    for name, content, said in (
        ("gtest_out", np.zeros((3, 55)), r"\(3, 60\) expected, one for every class, or \(3, 3\)"),
        ("z_label", np.array([10, 12]), r"labels \[12\] do not belong"),
        ("train_label", np.array([0, 11, 1]), r"labels \[11\] do not belong"),
        ("train", np.zeros((2, 256)), "as many rows as labels"),
    ):
        before = np.load(folder / f"{name}.npy") if (folder / f"{name}.npy").exists() else np.zeros((3, 60))
        np.save(folder / f"{name}.npy", content)
        with pytest.raises(UsageError, match=said):
            read_features(folder, split, False)
        np.save(folder / f"{name}.npy", before)
    (folder / "ztest.npy").unlink()
    with pytest.raises(UsageError, match=r"no ztest\.npy found"):
        read_features(folder, split, False)
    assert set(FILES) >= {path.stem for path in folder.iterdir()}


def test_every_published_figure_has_a_provenance():
    cells = all_published()
    assert len(cells) > 100 and len({(c.measure, c.dataset, c.split, c.system) for c in cells}) == len(cells)
    known = {(split.dataset, split.name) for split in all_splits()}
    for cell in cells:
        assert cell.tag in ("PAPER", "2ND", "CODE") and cell.source, "tags are METHODS.md's"
        assert (cell.dataset, cell.split) in known or cell.split in ("smie", "sa-dvae")
        assert len(cell.values) == {"zsl": 1, "gzsl": 3}[cell.measure] and all(0 < v < 100 for v in cell.values)
        if cell.measure == "gzsl":
            assert harmonic(*cell.values[:2]) == pytest.approx(cell.values[2], abs=0.2)
    assert find_published("zsl", "ntu60", "synse-48-12", "scale").values == (50.0,)
    assert find_published("zsl", "ntu60", "synse-55-5", "scale") is None, "its last digits are cut off"
    assert find_published("gzsl", "ntu60", "synse-55-5", "fs_vae").values == (77.0, 74.5, 75.7)


def test_every_deviation_is_printed_with_each_table_and_none_that_was_not_active():
    row = {"split": "synse-55-5", "system": "fdsm", "seed": 0, "steps": None, "chance": 0.2, "gzsl": [],
           "encoder": "as published", "zsl": {"top1": 0.5}, "clips": {"gtest": 16_487}}  # fmt: skip
    systems = [row, row | {"system": "sa_dvae"}]
    ours = report_text(REPORT | {"rows": systems})
    for said in (
        "fdsm: fitted our way", "sa_dvae: fitted our way", "35 tokens and the pooled row", "the gate is learned",
        "the curriculum does nothing", "the last epoch is kept", "--gate released",
    ):  # fmt: skip
        assert sum(said in line for line in ours.splitlines()) == 2, said
    theirs = {"fit": "authors", "epoch": "best", "select_on_test": True, "text_rows": [36, True], "targets": [0.5],
              "gate": {"kind": "released"}, "rows": systems[:1]}  # fmt: skip
    assert "Deviates" not in report_text(REPORT | theirs)
    changed = report_text(REPORT | theirs | {"changes": [["fdsm.depth", 2]], "precision": "bf16"})
    assert changed.count("Deviates: --set fdsm.depth=2") == 2 == changed.count("Deviates: fdsm: computed in bf16")
    assert "Epochs or cycles of the heads, the best on the unseen test clips: 3 to 3." in report_text(
        REPORT | theirs | {"rows": [row | {"period": 2}]}
    )


def test_published_figures_stand_with_their_sources_and_what_they_used():
    row = {"split": "synse-110-10", "system": "ridge", "seed": 0, "steps": None, "chance": 0.1, "gzsl": [],
           "encoder": "as published", "zsl": {"top1": 0.5}, "clips": {"gtest": 50_906}}  # fmt: skip
    text = report_text(REPORT | {"table": "ntu120", "test_clips_expected": 50_906, "rows": [row]})
    table = text.partition("## Published on these splits")[2]
    assert "| synse-110-10 | ZSL | fdsm | 75.24 | arXivLens on FDSM, 2604.09063 [2ND] | best epoch on the test" in table
    assert "posebridge | 80.3 |" in table and "from RGB |" in table and "adapts at test time |" in table
    figures = [float(line.split("|")[4]) for line in table.splitlines() if "| ZSL |" in line]
    assert figures == sorted(figures, reverse=True) and "synse-96-24" not in table


@pytest.mark.parametrize("dataset", CLASSES)
def test_the_splits_of_a_table_are_those_with_figures(dataset):
    found = published_splits(dataset)
    assert {f"{kind}-{n}" for kind in ("smie", "sa-dvae") for n in (1, 2, 3)} <= set(found)
    assert ("synse-55-5" in found) == (dataset == "ntu60") and not any(name.startswith("star") for name in found)


TOKENS = {"hidden": 16, "heads": 2, "depth": 1, "time": 8, "gate": 4}


def test_fdsm_reads_tokens_and_a_pair_as_its_code_does(tmp_path, monkeypatch):
    """35 tokens and the pooled row of both texts as they come, asked with the sparse ones, then with the rich ones."""
    config = train.papers.heads.dataclasses.replace(FAITHFUL, **TOKENS)
    monkeypatch.setattr(train.papers.heads.fdsm, "FAITHFUL", config)
    rng = np.random.default_rng(0)
    sparse, rich = (5 * rng.normal(size=(60, 4, 8)).astype(np.float32) for _ in range(2))
    np.save(tmp_path / "sparse.npy", sparse)
    np.save(tmp_path / "rich.npy", rich)
    texts = read_texts("ntu60", None, tmp_path / "sparse.npy", None, tmp_path / "rich.npy")
    given, loss, energies = [], Fdsm.loss, Fdsm.energies
    monkeypatch.setattr(Fdsm, "loss", lambda self, *how: (given.append((self, *how)), loss(self, *how))[1])
    asked = []
    monkeypatch.setattr(Fdsm, "energies", lambda self, x, text: (asked.append(text), energies(self, x, text))[1])
    targets = tmp_path / "targets.txt"
    targets.write_text("0.5\n" * 60)
    how = How(fit="authors", steps=3, targets=read_targets("ntu60", targets))
    row = measure("fdsm", TINY, one_hot((2, 5), (0, 1, 3, 4, 6, 7), 1), None, texts, how, [3])
    model, _, _, of_sparse, of_rich, *_ = given[0]
    assert (model.config.tokens, model.config.pooled, model.config.text) == (3, True, 8)
    seen = [0, 1, 3, 4, 6, 7]
    np.testing.assert_array_equal(of_sparse.reshape(6, 4, 8), sparse[seen])
    np.testing.assert_array_equal(of_rich.reshape(6, 4, 8), rich[seen])
    first, *_, last = [text.reshape(2, 4, 8) for text in asked if len(text) == 2]
    np.testing.assert_array_equal(first, sparse[[2, 5]])
    np.testing.assert_array_equal(last, rich[[2, 5]])
    assert "rich" in row
    unit = sparse[:, -1] / np.linalg.norm(sparse[:, -1], axis=1, keepdims=True)
    np.testing.assert_allclose(texts.of("sa_dvae", how).pooled(np.arange(60)), unit, rtol=1e-5)
    tokens = texts.of("scale", How(changes=(("scale.tokens", 3),)))
    assert tokens.pooled(np.arange(60)).shape == (60, 32)
    scale = measure(
        "scale", TINY, one_hot((2, 5), (0, 1, 3, 4, 6, 7), 1), None, texts, How(changes=(("scale.tokens", 3),)), [12]
    )
    assert 0 <= scale["zsl"]["top1"] <= 1


def test_the_gate_is_distilled_and_then_left_alone():
    torch.manual_seed(0)
    gate = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
    x = torch.randn(60, 8)
    goal = (x[:, 0] > 0).float()
    before = torch.nn.functional.mse_loss(gate(x)[:, 0].sigmoid(), goal).item()
    distil_gate(gate, x, goal, 0)
    assert torch.nn.functional.mse_loss(gate(x)[:, 0].sigmoid(), goal).item() < before - 0.001


def test_the_authors_csv_and_llm_files_are_read_as_a_pair(tmp_path, capsys):
    (tmp_path / "a.csv").write_text("idx,label\n" + "".join(f'{i},"move, {i}"\n' for i in range(60)))
    (tmp_path / "a.txt").write_text("".join(f"it means {i}\n" for i in range(60)))
    texts = read_texts("ntu60", tmp_path / "a.csv", None, tmp_path / "a.txt")
    assert (texts.rows.count, texts.rows.pair, texts.rows.width) == (1, True, 384)
    expected = TextEncoder().encode(["move, 7", "it means 7"])
    np.testing.assert_allclose(texts.rows.pooled([class_names("ntu60")[7]])[0], expected.reshape(-1), atol=1e-5)
    for wrong in ((None, None, tmp_path / "a.txt"), (tmp_path / "a.csv", tmp_path / "a.txt")):
        with pytest.raises(UsageError, match=r"expected|goes with"):
            read_texts("ntu60", *wrong)
    (tmp_path / "t.txt").write_text("2\n" * 60)
    with pytest.raises(UsageError, match="60 numbers from 0 to 1 expected"):
        read_targets("ntu60", tmp_path / "t.txt")
