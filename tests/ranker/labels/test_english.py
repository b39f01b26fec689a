"""Words that the text encoder does not know are refused, and what it may not know is noted."""

from __future__ import annotations

import pytest

from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import listed
from edge_app.ranker.labels.english import read
from edge_app.ranker.labels.label import Label, parse_lines, parse_text
from edge_app.ranker.labels.table import build_table, texts_for
from edge_app.ranker.labels.text_encoder import TextEncoder

ENGLISH = """
answering questions; arranging flowers; baking cookies; brushing a cat; carving pumpkin; cracking neck; licking;
diving cliff; egg hunting; feeding birds; grooming horse; ice climbing; laying bricks; looking at a map; surfing;
making jewelry; opening a present; petting a cat; planting trees; playing chess; pumping gas; roller skating;
shuffling cards; squeezing lemons; sword fighting; texting; weaving basket; whistling; winking; wrapping present;
flap like a bird; pretend to be a penguin; operate a forklift; pick apples; climb a fence; jazz hands; victory;
stocking shelves; tighten a bolt; peek around the corner; hug a tree; sneak away; limbo; slump; milking a cow
"""
# None of them is in the table of names, and none had a part in choosing the limits.
FOREIGN = """
mettre la table; jouer au football; monter à cheval; éplucher des pommes; tondre la pelouse; sortir les poubelles;
claquer des doigts; tourner le volant; giocare a calcio; sbucciare patate; buttare la spazzatura; fare la ruota;
schioccare le dita; sollevare pesi; mettersi gli occhiali; machać ręką; klaskać; upaść; przysiad; gaan zitten;
een deur openen; sitta ner; ta på sig skorna; alkışlamak; ayağa kalkmak; su içmek; vẫy tay; bertepuk tangan
"""
OTHER_LETTERS = ("махать рукой", "تلويح", "हाथ हिलाना", "跑酷", "ゴミを捨てる", "말 타기", "χειροκροτώ", "לנופף")


def test_english_is_never_refused_and_other_languages_never_pass_in_silence() -> None:
    assert [text for text in listed(ENGLISH) if read(text).sure == "no"] == []
    doubted = [text for text in listed(ENGLISH) if read(text).sure == "maybe"]
    assert len(doubted) <= len(listed(ENGLISH)) / 10, doubted
    assert [text for text in listed(FOREIGN) if read(text).sure == "yes"] == []
    assert [text for text in OTHER_LETTERS if read(text).sure != "no"] == []


@pytest.mark.parametrize("text", ["鼓手", "wave, махать", "👋 мах", "mettre la table", "胜利: 双臂举起", "鼓手 = 打鼓"])
def test_what_is_not_understood_is_refused_with_the_hint(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"not understood: it.*write the meaning in English after '=', as in 鼓掌 = clap"
    ):
        parse_text(text)


def test_a_name_of_two_meanings_is_refused() -> None:
    with pytest.raises(UsageError, match="'fall down' in French and 'kick' in Portuguese"):
        parse_text("chute")
    assert parse_text("chute = kick")[0].english == ("kick",)


def test_what_is_doubtful_is_noted_once() -> None:
    notes: list[str] = []
    parse_lines(
        ["wave", "hadouken", "frobnicate", "zwaaien: the hand swings from side to side"], "label", note=notes.append
    )
    (note,) = notes
    assert note.startswith("label 2: 'hadouken' and 1 more may be misunderstood")


@pytest.mark.parametrize(
    ("line", "english"),
    [
        ("鼓掌 = clap", ("clap",)),
        ("我的手势 = fist pump, 胜利", ("fist pump",)),
        ("frobnicate = wave", ("wave",)),
        ("drink water = have a drink", ("drink water", "have a drink")),
        ("👋 wave", ("👋 wave",)),
        ("鼓手 (clap)", ("clap",)),
        ("胜利: both arms are raised above the head", ("both arms are raised above the head",)),
        ("hadouken: both palms push forward", ("hadouken",)),
    ],
)
def test_only_what_is_known_stands_for_a_label(line: str, english: tuple[str, ...]) -> None:
    (label,) = parse_lines([line])
    assert label.english == english
    assert {text.text for text in texts_for(label) if text.kind == "name"} == {english[0]}


@pytest.mark.parametrize(
    "lines", [["clap", "鼓掌"], ["aplaudir", "klatschen"], ["café", "cafe"], ["拍手 = clap", "clap"]]
)
def test_two_labels_of_one_vector_are_refused(lines: list[str]) -> None:
    with pytest.raises(UsageError, match=r"label 2: .* means the same as .* \(label 1\)"):
        parse_lines(lines, "label")
    rows = build_table([*map(Label, lines)] if "=" not in lines[0] else [Label("拍手", ("clap",)), Label("clap")],
                       TextEncoder(cache=False), 1).pooled()  # fmt: skip
    assert rows[0] @ rows[1] > 2 - 1e-6, "they are one and the same to the ranker"


def test_what_was_checked_before_is_read_again_without_a_word() -> None:
    assert parse_lines(["鼓手", "打鼓"], note=None) == (Label("鼓手"), Label("打鼓"))
