"""Features as their authors publish them: every layout and name, written here and read."""

import numpy as np
import pytest

from edge_app.errors import UsageError
from train.data.splits import find_split, pseudo_unseen
from train.papers.features import read_features
from train.papers.gzsl import Gate
from train.papers.heads import How
from train.papers.protocol import measure
from train.papers.released import find_released
from train.papers.texts import read_texts

SPLIT, RANDOM = find_split("ntu60", "synse-55-5"), find_split("ntu60", "sa-dvae-2")
RNG = np.random.default_rng(0)


def features(label) -> np.ndarray:
    return (np.eye(64)[np.asarray(label)] + 0.1 * RNG.normal(size=(len(label), 64))).astype(np.float16)


def write_folder(folder, unseen, seen, *, pseudo=False, outputs=None):
    """As SynSE writes them; outputs: of the encoder, its classes alone."""
    train, novel = np.repeat(seen, 4), np.repeat(unseen, 6)
    known = "val" if pseudo else "gtest"
    arrays = {"train": features(train), "train_label": train.astype(float), "ztest": features(novel), "z_label": novel}
    both = np.repeat(seen, 6) if pseudo else np.concatenate([np.repeat(seen, 2), novel])
    arrays |= {known: features(both), "val_label" if pseudo else "g_label": both}
    if outputs is not None:
        arrays |= {f"{known}_out": features(both)[:, outputs]}
        arrays |= {"ztest_out": features(novel)[:, outputs]} if pseudo else {}
    folder.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


@pytest.mark.parametrize(
    ("dataset", "split", "name", "pseudo"),
    [
        ("ntu60", "synse-55-5", "shift_5_r", False), ("ntu60", "synse-55-5", "shift_ntu60_val_5_r", True),
        ("ntu120", "synse-96-24", "shift_ntu120_24_r", False),
        ("ntu60", "sa-dvae-1", "stgcn_ntu60_split2_5_r", False),
        ("ntu120", "sa-dvae-3", "stgcn_ntu120_split4_10_r", False),
        ("pku", "sa-dvae-1", "stgcn_pku51_split1_5_r", False),
        ("ntu60", "sa-dvae-1", "stgcn_ntu60_split2_val_5_r", True),
        ("ntu60", "sa-dvae-1", "posec3d_ntu60_split2_5_r", False),
    ],
)  # fmt: skip
def test_folders_are_found_by_the_names_that_their_authors_give_them(tmp_path, dataset, split, name, pseudo):
    wanted = find_split(dataset, split)
    for other in ("shift_ntu60_12_r", "stgcn_ntu60_split3_5_r", "stgcn_ntu60_5", "shift_5_r.zip"):
        (tmp_path / other).mkdir()
    assert find_released(tmp_path, wanted, pseudo) is None
    (tmp_path / name).mkdir()
    assert find_released(tmp_path, wanted, pseudo) == tmp_path / name
    assert find_released(tmp_path, wanted, not pseudo) is None


def test_pseudo_unseen_classes_are_those_of_the_folder(tmp_path):
    """SA-DVAE's own random ones are not ours, and no reason to stop."""
    ours = pseudo_unseen(RANDOM)
    theirs = [k for k in RANDOM.seen if k not in ours][:5]
    write_folder(tmp_path / "a", theirs, [k for k in RANDOM.seen if k not in theirs], pseudo=True)
    assert read_features(tmp_path / "a", RANDOM, True).unseen == tuple(theirs)
    some = list(ours[:3])
    write_folder(tmp_path / "b", some, [k for k in RANDOM.seen if k not in ours], pseudo=True)
    assert read_features(tmp_path / "b", RANDOM, True).unseen == ours, "not every class need have a clip"
    write_folder(tmp_path / "c", [*theirs[:4], RANDOM.unseen[0]], [0, 1], pseudo=True)
    with pytest.raises(UsageError, match=rf"{RANDOM.unseen[0]}\] do not belong"):
        read_features(tmp_path / "c", RANDOM, True)


def test_logits_over_seen_classes_alone_are_put_in_their_columns(tmp_path):
    seen = list(SPLIT.seen)
    write_folder(tmp_path / "a", SPLIT.unseen, seen, outputs=seen)
    hidden = pseudo_unseen(SPLIT)
    learned = [k for k in seen if k not in hidden]
    write_folder(tmp_path / "b", hidden, learned, pseudo=True, outputs=learned)
    main, validation = read_features(tmp_path / "a", SPLIT, False), read_features(tmp_path / "b", SPLIT, True)
    assert main.logits.shape == (len(main.gtest), 60) and np.isneginf(main.logits[:, list(SPLIT.unseen)]).all()
    own = ~np.isin(main.g_label, SPLIT.unseen)
    assert (main.logits[own].argmax(1) == main.g_label[own]).all()
    texts = read_texts("ntu60", None, None)
    row = measure("ridge", SPLIT, main, validation, texts, How(), [None], Gate("fixed", threshold=-1.0))
    gate = next(rule for rule in row["gzsl"] if rule["rule"] == "SynSE gate, fixed")
    assert (gate["seen"], gate["unseen"]) == (1.0, 0.0), "the seen classifier is right about all that the gate lets by"


@pytest.mark.parametrize("named", ["synse-55-5.npz", "synse-55-5/features.npz"])
def test_floras_file_is_read(tmp_path, named):
    seen, unseen = np.array(SPLIT.seen), np.array(SPLIT.unseen)
    both = np.concatenate([seen, unseen])
    (tmp_path / named).parent.mkdir(exist_ok=True)
    np.savez(
        tmp_path / named, train_data=features(seen), train_label=seen, zsl_data=features(unseen), zsl_label=unseen,
        gzsl_data=features(both), gzsl_label=both,
    )  # fmt: skip
    path = find_released(tmp_path, SPLIT, False)
    assert path == tmp_path / named and find_released(tmp_path, SPLIT, True) is None
    found = read_features(path, SPLIT, False)
    assert found.train.dtype == np.float32 and found.g_label.tolist() == both.tolist() and found.logits is None
    assert find_released(path, SPLIT, False) == path, "or the file itself"
    np.savez(tmp_path / named, train_data=features(seen))
    with pytest.raises(UsageError, match="one array train_…label expected"):
        read_features(path, SPLIT, False)


@pytest.mark.parametrize("with_seen", [True, False])
def test_smies_files_are_read(tmp_path, with_seen):
    split = find_split("ntu60", "smie-1")
    folder, seen, unseen = tmp_path / "smie-1", np.repeat(split.seen, 4), np.repeat(split.unseen, 4)
    folder.mkdir()
    parts = {"seen_train": seen, "unseen": unseen, **({"seen_test": seen[::2]} if with_seen else {})}
    for name, label in parts.items():
        np.save(folder / f"{name}_data.npy", features(label))
        np.save(folder / f"{name}_label.npy", label)
    found = read_features(find_released(tmp_path, split, False), split, False)
    assert found.ztest.shape == (20, 64) and len(found.gtest) == 20 + with_seen * len(seen) // 2
    row = measure("ridge", split, found, None, read_texts("ntu60", None, None), How(), [None])
    assert [rule["rule"] for rule in row["gzsl"]] == ["plain"] * with_seen
    np.save(folder / "unseen_data.npy", np.zeros((20, 3, 50, 25, 2)))
    with pytest.raises(UsageError, match="skeletons of shape"):
        read_features(folder, split, False)
