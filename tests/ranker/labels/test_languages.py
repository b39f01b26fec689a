"""Names of everyday motions in other languages: complete, of one meaning each, and found as people type them."""

from __future__ import annotations

import pytest

from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import find_action, fold, named_action
from edge_app.ranker.labels.english import read
from edge_app.ranker.labels.label import PROFILES, Label, parse_labels, parse_text, profiles, read_labels
from edge_app.ranker.labels.languages import LANGUAGES, find_label, names
from edge_app.ranker.labels.table import texts_for

AMBIGUOUS = {"chute"}  # to fall in French, a kick in Portuguese


def test_F6_every_label_of_every_profile_has_a_name_in_every_language() -> None:
    wanted = {label.name for profile in profiles() for label in read_labels(PROFILES / f"{profile}.txt")}
    assert wanted <= set(names()) and len(names()) >= 120
    assert all(set(entry) == set(LANGUAGES) and all(entry.values()) for entry in names().values())


def test_F6_every_name_means_its_entry_and_no_other() -> None:
    for label, entry in names().items():
        assert named_action(label) is not None
        for language, own in entry.items():
            assert len(set(own)) == len(own)
            for name in own:
                assert find_label(name)[language] == label
                if name not in AMBIGUOUS:
                    assert read(name).sure == "yes" and find_action(read(name).english) is find_action(label), name


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("agitar la mano", "wave"), ("Agitar  mano", "wave"), ("SENTADILLA", "squat"),
        ("encogerse de hombros", "shrug"),
        ("die Hände in die Hüften stemmen", "hands on hips"), ("Haende hoch", "raise both hands"),
        ("kniebeuge", "squat"),
        ("s’asseoir", "sit down"), ("se lever", "stand up"), ("passer l'aspirateur", "vacuum"), ("tosse", "cough"),
        ("battere le mani", "clap"), ("dancar", "dance"), ("鼓掌", "clap"), ("跳舞", "dance"), ("手をふる", "wave"),
        ("ジャンプ", "jump"), ("ﾊﾟﾝﾁ", "punch"), ("손흔들기", "wave"), ("박수 치기", "clap"),
    ],
)  # fmt: skip
def test_a_name_is_found_as_people_type_it(name: str, label: str) -> None:
    assert set(find_label(name).values()) == {label}


def test_F6_it_is_compared_as_its_english_label_and_shown_as_it_was_written() -> None:
    (label,) = parse_text("agitar la mano @ 0.6")
    assert (label.name, label.english, label.enter) == ("agitar la mano", ("wave",), 0.6)
    assert texts_for(label) == texts_for(Label("wave"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_profile_in_a_language_is_the_profile(language: str) -> None:
    for profile in profiles():
        shown, plain = parse_labels(f"{profile}:{language}"), parse_labels(profile)
        for one, other in zip(shown, plain, strict=True):
            assert [fold(text.text) for text in texts_for(one)] == [fold(text.text) for text in texts_for(other)]
        assert [label.name for label in shown] == [names()[label.name][language][0] for label in plain]


def test_languages_by_their_codes() -> None:
    assert parse_labels("home:es_MX") == parse_labels("home:ES") and parse_labels("home:en") == parse_labels("home")
    with pytest.raises(UsageError, match="language 'xx' found; allowed are en, es, de"):
        parse_labels("home:xx")
