"""The shipped table of actions: well-formed, one meaning a name, and every concept of the training sets in it."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_app.ranker.labels import actions as module
from edge_app.ranker.labels.actions import Action, action_key, action_within, actions, find_action, more_actions
from edge_app.ranker.labels.label import MAX_DESCRIPTION, MAX_NAME, Label, fold, parse_lines
from edge_app.ranker.labels.table import texts_for

TRAINED_ON = ("kinder_gator", "msr_action3d", "nw_ucla", "utkinect", "bandai_namco", "penn_action")
SHARED = Path(__file__).parents[3] / "../shared"
TABLE = (*actions(), *more_actions())
NAMES = [(action, name) for action in TABLE for name in (action.name, *action.paraphrases)]
ASKED = [(action, name) for action in TABLE for name in action.asked]


@pytest.fixture
def none_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A table that knows only names and paraphrases."""
    for table in (actions, more_actions):
        bare = tuple(replace(action, asked=()) for action in table())
        monkeypatch.setattr(module, table.__name__, lambda bare=bare: bare)
    module._by.cache_clear()
    yield
    module._by.cache_clear()


@pytest.mark.parametrize("action", TABLE, ids=lambda action: action.name)
def test_an_entry_is_well_formed(action: Action) -> None:
    assert 3 <= len(action.paraphrases) <= 12
    assert 20 <= len(action.description.split()) <= 42 and len(action.description) <= MAX_DESCRIPTION
    assert action.description[0].isupper() and action.description.endswith(".")
    for part in (action.arms, action.legs, action.torso):
        assert 1 <= len(part.split()) <= 18 and part[0].islower() and not part.endswith(".")
    for text in (action.name, *action.paraphrases, action.description, action.arms, action.legs, action.torso):
        assert text.isprintable() and text == " ".join(text.split()) and text
    assert len(parse_lines([action.name, *action.paraphrases])) == 1 + len(action.paraphrases), "usable as labels"
    assert max(map(len, (action.name, *action.paraphrases, *action.asked))) <= MAX_NAME
    assert len(parse_lines([*action.asked], may_be_empty=True)) == len(action.asked)
    assert all(name == " ".join(name.split()) for name in action.asked)


def test_no_name_means_two_actions() -> None:
    owners: dict[str, str] = {}
    for action, name in NAMES:
        assert owners.setdefault(action_key(name), action.name) == action.name, name


def test_every_name_finds_its_own_entry() -> None:
    assert [name for action, name in NAMES if find_action(name) is not action] == []


def test_no_two_entries_are_asked_for_by_the_same_words() -> None:
    owners = {fold(name): action.name for action, name in NAMES}
    for action, name in ASKED:
        assert fold(name) not in owners, name
        owners[fold(name)] = action.name
    keys: dict[str, str] = {}
    for action, name in (*NAMES, *ASKED):
        assert keys.setdefault(action_key(name), action.name) == action.name, name


def test_what_is_asked_finds_its_entry_and_is_embedded_nowhere() -> None:
    assert len(ASKED) > 900
    assert [name for action, name in ASKED if find_action(name) is not action] == []
    for action, name in ASKED:
        told = {text.text for text in texts_for(Label(action.name))}
        assert name not in told, name


def test_nothing_is_asked_that_is_found_without_it(none_asked: None) -> None:
    assert [name for _, name in ASKED if find_action(name) is not None] == []
    assert all((found := find_action(name)) and found.name == action.name for action, name in NAMES)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("flying kick", "kick forward"),
        ("Start jumping-jacks", "jumping jack"),
        ("sitting clap", "clap"),
        ("drop kick", "kick forward"),
        ("wave to the camera happily", "wave one hand"),
        ("standing frobnication", None),
        ("squat", None),
        ("", None),
        ("jump over a small fence and then walk on to the house", None),
    ],
)
def test_part_of_a_name_is_found(name: str, entry: str | None) -> None:
    found = action_within(name)
    assert (found and found.name) == entry


def test_a_name_with_a_known_part_stands_beside_that_entry_alone() -> None:
    assert [text.text for text in texts_for(Label("flying kick"))] == ["flying kick", "kick forward"]
    assert {text.kind for text in texts_for(Label("flying kick"))} == {"name", "paraphrase"}
    assert len(texts_for(Label("flying kick", description="one leg goes up"))) == 2, "what the user says counts alone"


def test_bundles_know_the_first_table_only() -> None:
    assert len(actions()) == 473, "the background that the bundle was made with"
    assert not {action.name for action in actions()} & {action.name for action in more_actions()}


def test_no_two_descriptions_are_equal() -> None:
    counts = Counter(action.description for action in TABLE)
    assert max(counts.values()) == 1 and len(counts) > 400


def test_states_without_motion_are_there() -> None:
    for name in ("standing still", "sitting still", "lying still"):
        assert find_action(name) is not None, name


def test_british_spelling_of_the_body_is_one_vocabulary() -> None:
    text = " ".join(f"{a.description} {a.arms} {a.legs} {a.torso}" for a in TABLE).lower()
    for other in ("thorax", "overhead", "upwards", "downwards", "sideward", "repetitively", "stationary", "ankle"):
        assert f" {other}" not in text, f"'{other}': the table has another word for this"


@pytest.mark.shared
def test_every_concept_of_the_data_sets_is_an_entry() -> None:
    file = SHARED / "data" / "concepts.csv"
    if not file.is_file():
        pytest.skip("the developers' shared folder is not beside the checkout")
    with file.open(encoding="utf-8") as rows:
        concepts = {row["concept"] for row in csv.DictReader(rows) if row["dataset"] in TRAINED_ON}
    assert len(concepts) == 69
    assert sorted(concepts - {action.name for action in actions()}) == []


@pytest.mark.shared
def test_the_labels_of_ntu_and_pku_are_found() -> None:
    folder = SHARED / "text"
    if not folder.is_dir():
        pytest.skip("the developers' shared folder is not beside the checkout")
    lines = (folder / "ntu120_llm.txt").read_text("utf-8").splitlines()
    names = [line.split('"')[1] for line in lines if line.startswith('"')]
    with (folder / "pku51.csv").open(encoding="utf-8") as rows:
        names += [row["label"] for row in csv.DictReader(rows)]
    assert len(names) > 150
    assert [name for name in names if find_action(name) is None] == []
