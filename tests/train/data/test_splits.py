"""The published splits: disjoint, complete, within range, and of the classes that METHODS.md names."""

import csv
from pathlib import Path

import pytest

from edge_app.errors import UsageError
from train.data.splits import CLASSES, HERE, all_splits, class_names, find_split

SHARED = Path(__file__).parents[3] / "../shared"
SPLITS = all_splits()


@pytest.mark.parametrize("split", SPLITS, ids=lambda split: f"{split.dataset}-{split.name}")
def test_a_split_is_sound(split):
    classes, names = range(CLASSES[split.dataset]), class_names(split.dataset)
    unseen, seen, pseudo = set(split.unseen), set(split.seen), set(split.pseudo_unseen or ())
    assert len(unseen) == len(split.unseen) and list(split.unseen) == sorted(unseen)
    assert unseen | seen == set(classes) and not unseen & seen
    assert pseudo <= seen and len(pseudo) in (0, len(unseen))
    assert "METHODS.md 1." in split.source
    assert all(names[index] for index in unseen)
    counts = [int(part) for part in split.name.split("-") if part.isdigit() and int(part) > 4]
    assert counts in ([], [len(seen), len(unseen)]), "the name says how many are seen and unseen"


def test_how_many_splits_there_are():
    assert len({(split.dataset, split.name) for split in SPLITS}) == len(SPLITS)
    assert [sum(split.dataset == name for split in SPLITS) for name in CLASSES] == [10, 10, 9]
    expected = {"ntu60": 5, "ntu120": 10, "pku": 5}
    for split in SPLITS:
        if split.name.startswith(("smie", "sa-dvae")):
            assert len(split.unseen) == expected[split.dataset]
    assert {split.name for split in SPLITS if split.pseudo_unseen} == {
        "synse-55-5", "synse-48-12", "synse-110-10", "synse-96-24",
    }  # fmt: skip


NAMED = {
    ("ntu60", "synse-55-5"): "reading, writing, put hat, jump up, touch other pocket",
    ("ntu60", "synse-48-12"): "brush hair, pick up, clapping, tear paper, shoe, sneeze/cough, falling, nausea, "
    "pushing, touch pocket, walking towards, walking apart",
    ("ntu120", "synse-110-10"): "drop, jacket, salute, headache, punch/slap, juggl table tennis balls, "
    "put into bag, cross arms, butt kicks, wield knife",
}  # fmt: skip
"""Classes as METHODS.md 1.1 names them, in words that must occur in the table's names."""


@pytest.mark.parametrize(("dataset", "name"), NAMED)
def test_indices_are_those_of_the_named_classes(dataset, name):
    table, split = class_names(dataset), find_split(dataset, name)
    for index, words in zip(split.unseen, NAMED[dataset, name].split(", "), strict=True):
        for word in words.replace("/", " ").split():
            assert word.lower() in table[index].lower(), (index, words, table[index])


def test_names_are_as_many_as_classes_and_each_once():
    for dataset, count in CLASSES.items():
        assert len(set(class_names(dataset))) == count
    assert class_names("ntu60") == class_names("ntu120")[:60]
    assert class_names("ntu120")[10] == "reading" and class_names("pku")[50] == "writing"
    assert list(class_names("pku")) == sorted(class_names("pku")), "METHODS.md 0.3: alphabetical"
    for file in ("ntu_concepts.csv", "pku_names.csv"):
        with (HERE / file).open(newline="", encoding="utf-8") as rows:
            assert [int(row["index"]) for row in csv.DictReader(rows)] == list(range(120 if "ntu" in file else 51))


@pytest.mark.shared
@pytest.mark.skipif(not (SHARED / "text/ntu120_llm.txt").is_file(), reason="../shared/text is not here")
def test_names_stand_in_the_order_of_the_published_texts():
    """Line i of `ntu120_llm.txt` begins with the name of class i; one of the 120 lost its slash."""
    texts = (SHARED / "text/ntu120_llm.txt").read_text("utf-8").splitlines()
    begins = [text.lstrip('"“').replace("-", " ").lower() for text in texts]
    names = [name.split(" (")[0].replace("-", " ").lower() for name in class_names("ntu120")]
    assert [n for n, text in zip(names, begins, strict=True) if not text.startswith(n[:7])] == ["pick up"]
    with (SHARED / "text/pku51.csv").open(newline="", encoding="utf-8") as rows:
        assert [row["label"] for row in csv.DictReader(rows)] == list(class_names("pku"))


def test_what_is_not_there_is_refused_in_one_line():
    for look_up, given in ((find_split, ("ntu60", "synse-96-24")), (find_split, ("gym", "x")), (class_names, ("gym",))):
        with pytest.raises(UsageError) as caught:
            look_up(*given)
        assert "allowed" in str(caught.value) and "\n" not in str(caught.value)
    assert find_split("ntu60", "synse-55-5").unseen == (10, 11, 19, 26, 56)
