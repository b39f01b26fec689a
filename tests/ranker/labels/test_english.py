"""Words that the text encoder does not know are refused, and what it may not know is noted."""

from __future__ import annotations

import pytest

from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import listed
from edge_app.ranker.labels.english import read
from edge_app.ranker.labels.label import Label, parse_lines, parse_text
from edge_app.ranker.labels.table import build_table, texts_for
from edge_app.ranker.labels.text_encoder import TextEncoder

# Written after the limits had been chosen, on other phrases; docs/labels.md has the figures.
ENGLISH = """
put a letter in the mailbox; leash a dog; pour coffee; swat a fly; sharpen a pencil; water the lawn; blow out candles;
wave a flag; spin around; shovel snow; paint a wall; hang a picture; feed a baby; change a diaper; push a wheelchair;
lean on a cane; wring a towel; open an umbrella; plug in a charger; flip a pancake; swing a racket; sneak; gallop;
hitchhike; air guitar; chest bump; arm wrestle; skip stones; roll dice; peel an orange; stack cups; clean a
whiteboard; rake leaves; ring a doorbell; drag a suitcase; load a truck; unload pallets; hop over a puddle; crack
knuckles; polish shoes; slide to the left; drop to the ground; hide under a table; throw confetti; look at the sky;
carry a child; bow and arrow; pat the belly; lift one knee; nap
"""
FOREIGN = """
se caler dans le fauteuil; arroser la pelouse; peindre un mur; promener le chien; faire ses lacets; souffler les
bougies; gonfler un ballon; dipingere una parete; portare a spasso il cane; gonfiare un palloncino; allacciarsi la
cintura; versare il caffè; appendere un quadro; passear com o cão; pintar a parede; encher um balão; amarrar os
cadarços; soprar as velas; pasear al perro; atarse los cordones; soplar las velas; inflar un globo; pintar la pared;
den Hund ausführen; Schuhe zubinden; Kerzen auspusten; Wand streichen; Kaffee einschenken; de hond uitlaten; koffie
inschenken; muur verven; gulvvask; lufte hunden; male veggen; vaske hendene; ulkoiluttaa koiraa; maalata seinä; spacer
z psem; malować ścianę; zavázat boty; malovat zeď; sétáltatni a kutyát; falat festeni; köpeği gezdirmek; duvar
boyamak; mengajak anjing jalan; mengecat dinding; dắt chó đi dạo; sơn tường; plimbarea câinelui; a picta peretele; gå
tur med hunden
"""
OTHER_LETTERS = ("махать рукой", "تلويح", "हाथ हिलाना", "跑酷", "ゴミを捨てる", "말 타기", "χειροκροτώ", "לנופף")


def test_F6_english_is_not_refused_and_other_languages_hardly_pass_in_silence() -> None:
    english, foreign = ({text: read(text).sure for text in listed(texts)} for texts in (ENGLISH, FOREIGN))
    assert "no" not in english.values() and list(english.values()).count("maybe") <= 2
    assert [text for text, sure in foreign.items() if sure == "yes"] == ["male veggen"]
    assert list(foreign.values()).count("no") >= 30
    assert [text for text in OTHER_LETTERS if read(text).sure != "no"] == []


def test_english_words_that_other_languages_have_too_speak_for_none() -> None:
    texts = ("figure skating", "play the viola", "stare", "eat a pie", "solo dance", "tour a museum")
    assert [text for text in texts if read(text).sure != "yes"] == []


@pytest.mark.parametrize(
    "text", ["鼓手", "wave, махать", "👋 мах", "mettre la table", "胜利: 双臂举起", "wave: 手を振る", "鼓手 = 打鼓"]
)
def test_F6_what_is_not_understood_is_refused_with_the_hint(text: str) -> None:
    with pytest.raises(
        UsageError, match=r"not understood: it.*write the meaning in English after '=', as in 鼓掌 = clap"
    ):
        parse_text(text)


def test_a_name_of_two_meanings_is_refused() -> None:
    with pytest.raises(UsageError, match="'fall down' in French and 'kick' in Portuguese"):
        parse_text("chute")
    assert parse_text("chute = kick")[0].english == ("kick",)


def test_F6_what_is_doubtful_is_noted_once() -> None:
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
def test_F6_only_what_is_known_stands_for_a_label(line: str, english: tuple[str, ...]) -> None:
    (label,) = parse_lines([line])
    assert label.english == english
    assert {text.text for text in texts_for(label) if text.kind == "name"} == {english[0]}


@pytest.mark.parametrize(
    "lines", [["clap", "鼓掌"], ["aplaudir", "klatschen"], ["café", "cafe"], ["拍手 = clap", "clap"]]
)
def test_F6_two_labels_of_one_vector_are_refused(lines: list[str]) -> None:
    with pytest.raises(UsageError, match=r"label 2: .* means the same as .* \(label 1\)"):
        parse_lines(lines, "label")
    rows = build_table([*map(Label, lines)] if "=" not in lines[0] else [Label("拍手", ("clap",)), Label("clap")],
                       TextEncoder(cache=False), 1).pooled()  # fmt: skip
    assert rows[0] @ rows[1] > 2 - 1e-6, "they are one and the same to the ranker"


def test_what_was_checked_before_is_read_again_without_a_word() -> None:
    assert parse_lines(["鼓手", "打鼓"], note=None) == (Label("鼓手"), Label("打鼓"))
