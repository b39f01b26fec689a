"""Labels as people paste them: separators of other scripts, list marks, spaces and marks that are not seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.errors import UsageError
from edge_app.ranker.labels.label import Label, parse_labels, parse_lines, parse_text

THREE = (Label("wave"), Label("clap"), Label("fall down"))


@pytest.mark.parametrize(
    "text",
    [
        "wave; clap; fall down", "wave；clap；fall down", "wave，clap，fall down", "wave、clap、fall down",
        "wave،clap،fall down",
        "- wave\n- clap\n- fall down", "1. wave\n2. clap\n3. fall down", "1) wave, 2) clap, 3) fall down",
        "* wave\n+ clap\n• fall down", "- [ ] wave\n- [x] clap\n1. [X] fall down", "1、wave，2、clap，3、fall down",
        "(1) wave; (2) clap; （3）fall down", "①wave、②clap、③fall down", "wave\rclap\rfall down\r",
        "wave\r\nclap\nfall down",
        "wave, clap\nfall down", "wave; clap\n\n# more\nfall down;",
    ],
    ids=ascii,
)  # fmt: skip
def test_F12_separators_and_list_marks(text: str, tmp_path: Path) -> None:
    assert parse_text(text) == THREE
    (tmp_path / "labels").write_bytes(text.encode())
    assert parse_labels(str(tmp_path / "labels")) == THREE


@pytest.mark.parametrize(
    "text",
    ["fall\u00a0down", "\u200bfall down\u200d", "fall\u3000down\ufeff", "fa\u00adll\u2009down", "fall\u202fdown\u200e"],
    ids=ascii,
)
def test_F12_spaces_and_marks_that_are_not_seen_are_cleaned_with_a_note(text: str) -> None:
    notes: list[str] = []
    assert parse_lines(["wave", text, f"sit\u00a0down{text[:0]}"], note=notes.append)[1] == Label("fall down")
    assert notes == ["line 2 and 1 more: spaces of other kinds, or marks that are not seen, were cleaned away"]


def test_F12_a_line_of_nothing_else_is_refused_but_a_blank_one_is_not() -> None:
    assert parse_text("wave\n\u00a0\nclap") == THREE[:2]
    with pytest.raises(UsageError, match="line 2: only marks that are not seen found"):
        parse_text("wave\n\u200b\nclap")


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("鼓掌 = clap, 跳舞 = dance", (Label("鼓掌", ("clap",)), Label("跳舞", ("dance",)))),
        ("wave, 鼓掌 = clap", (Label("wave"), Label("鼓掌", ("clap",)))),
        ("鼓掌＝clap；跳舞：all moves", (Label("鼓掌", ("clap",)), Label("跳舞", (), "all moves"))),
        ("drink = sip, gulp; wave @ 0.6", (Label("drink", ("sip", "gulp")), Label("wave", enter=0.6))),
        ("agitar la mano @ 0.7 = wave", (Label("agitar la mano", ("wave",), enter=0.7),)),
        ("victory: both arms go up", (Label("victory", (), "both arms go up"),)),
        ("sip\ndrink = have a drink, gulp: the hand, with a cup; goes up",
         (Label("sip"), Label("drink", ("have a drink", "gulp"), "the hand, with a cup; goes up"))),
        ("3 point shot\n- 8-count", (Label("3 point shot"), Label("8-count"))),
    ],
    ids=lambda value: ascii(value)[:30],
)  # fmt: skip
def test_meanings_and_descriptions(text: str, labels: tuple[Label, ...]) -> None:
    assert parse_text(text) == labels


def test_whether_a_label_or_more_words_follow_a_meaning_is_not_guessed_at() -> None:
    with pytest.raises(UsageError, match=r"label 1: found 'drink = sip'; .* or with ';' between the labels"):
        parse_text("drink = sip, gulp")
