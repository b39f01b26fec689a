"""What users write as labels: parsed or refused in one line; and the table of embeddings made of it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import find_action
from edge_app.ranker.labels.label import (
    MAX_BYTES,
    MAX_DESCRIPTION,
    MAX_LABELS,
    MAX_LINE,
    MAX_NAME,
    Label,
    line_of,
    parse_labels,
    parse_lines,
    parse_text,
    read_labels,
)
from edge_app.ranker.labels.table import LabelTable, build_table, texts_for
from edge_app.ranker.labels.text_encoder import TextEncoder

PROFILES = sorted((Path(__file__).parents[3] / "configs" / "labels").glob("*.txt"))


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    return TextEncoder(tmp_path_factory.mktemp("text"))


@pytest.fixture(scope="module")
def table(encoder: TextEncoder) -> LabelTable:
    labels = parse_lines(["wave", "drink = sip: one hand goes to the mouth", "frobnicate"])
    return build_table(labels, encoder, 7)


def test_names_with_commas_between() -> None:
    labels = parse_labels(" wave, fall  down ,drink water,")
    assert [label.name for label in labels] == ["wave", "fall down", "drink water"]
    assert labels[0] == Label("wave")


def test_a_label_file(tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_bytes(
        "\ufeff# my labels\r\n\r\nwave  # hello\r\nsip = have a sip, drink\r\n"
        "C#: a chord: held on a guitar, with one hand\r\nfaint = swoon : sinks\tdown\r\nkiss 😘".encode()
    )
    assert parse_labels(str(file)) == (
        Label("wave"),
        Label("sip", ("have a sip", "drink")),
        Label("C#", (), "a chord: held on a guitar, with one hand"),
        Label("faint", ("swoon",), "sinks down"),
        Label("kiss 😘"),
    )
    assert parse_labels(str(file))[3].texts == ("faint", "swoon", "sinks down")


def test_several_lines_are_read_as_a_file() -> None:
    assert parse_text("wave\nfall: drops quickly, then lies\n")[1].description == "drops quickly, then lies"


def test_text_from_elsewhere_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("secret.txt").write_text("password")
    assert parse_text("./secret.txt")[0].name == "./secret.txt"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "none found"),
        (" , ,", "none found"),
        ("# only a comment\n\n", "none found"),
        ("wave, clap, WAVE", r"label 3: 'WAVE' is there already \(label 1\)"),
        ("wave\n\nｗａｖｅ", r"line 3: .* is there already \(line 1\)"),
        ("x" * (MAX_NAME + 1), "81 characters found, 1 to 80 are allowed"),
        ("x" * 2**20, r"1,048,576 characters found, at most 1,860 are allowed"),
        ("x" * (MAX_BYTES + 1), "at most 8,388,608 are allowed"),
        ("\nwave\nfall: " + "x" * (MAX_DESCRIPTION + 1), "line 3: a description of 401 characters"),
        ("wave\nfall = " + ", ".join("abcdefghijklmnopq"), "line 2: 17 synonyms found, at most 16"),
        ("wave, a\u202eb", r"label 2: character U\+202E found"),
        ("wave\x1b[31m", r"U\+001B found"),
        ("wave\u2028clap", r"U\+2028 found"),
        ("wa\x00ve", r"U\+0000 found"),
        ("wave\ud800", r"U\+D800 found"),
        ("wave: one hand moves, the other hangs", "':' and '=' are allowed only in a label file"),
        ("one\ntwo, three: both", "line 2: the name 'two, three' found"),
        ("one\n= two", "line 2: a name of 0 characters"),
        ("one\ntwo = three,", "line 2: a name of 0 characters"),
        ("one\n: a description", "line 2: a name of 0 characters"),
        ("wave, !?", "need a letter or digit"),
        ("wave, clap @ 1.5", "label 2: threshold '1.5' found; more than 0, at most 1 is allowed"),
        ("wave @ 0", "threshold '0' found"),
        ("one\n@ 0.5", "line 2: a name of 0 characters"),
        ("\n".join(f"label {i}" for i in range(MAX_LABELS + 1)), "more than 10,000 labels found"),
        ("nowhere/at/all.txt", "no file"),
        ("missing.TXT", "no file"),
    ],
    ids=lambda value: ascii(value[:16]),
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        parse_labels(text)
    message = str(caught.value)
    assert message.isprintable() and len(message) < 200, "one short line that a terminal may show"


def test_a_line_is_refused_by_length_before_anything_else() -> None:
    with pytest.raises(UsageError, match="characters found"):
        parse_lines(["\x00" * (MAX_LINE + 1)])


@pytest.mark.fault
def test_A5_ten_thousand_labels_are_allowed() -> None:
    assert len(parse_text("\n".join(f"label {i}" for i in range(MAX_LABELS)))) == MAX_LABELS


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"wave\nclap\nd\xe9j\xe0 vu\n", r"line 3: byte 0xe9 found, must be UTF-8"),
        (b"\x80\x04\x95\x10pickle", "line 1: byte 0x80 found"),
        (b"# " * MAX_BYTES, "larger than the 8 MiB"),
        (b"", "none found"),
    ],
    ids=["latin-1", "pickle", "large", "empty"],
)
def test_files_that_are_refused(tmp_path: Path, data: bytes, says: str) -> None:
    file = tmp_path / "labels.txt"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=says):
        parse_labels(str(file))
    with pytest.raises(UsageError, match="no file"):
        read_labels(tmp_path)


_WILD = st.text(st.one_of(st.characters(), st.sampled_from("\n\r\t,:=# #wav@05\u202e\x00\ud800/.")), max_size=200)


@settings(deadline=None)
@given(_WILD)
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        labels = parse_labels(text)
    except UsageError as error:
        assert "\n" not in str(error)
        return
    assert 0 < len(labels) <= MAX_LABELS
    for label in labels:
        for part in label.texts:
            assert part.isprintable() and part == part.strip() and part
        assert len(label.name) <= MAX_NAME and len(label.description) <= MAX_DESCRIPTION
        assert parse_lines([line_of(label)]) == (label,)


@pytest.mark.parametrize(("line", "label"), [
    ("fall down @ 0.6", Label("fall down", enter=0.6)),
    ("fall down@.6 = collapse: to the floor", Label("fall down", ("collapse",), "to the floor", 0.6)),
    ("meet @ home", Label("meet @ home")),
    ("a @ 0.5 @ 1", Label("a @ 0.5", enter=1.0)),
])  # fmt: skip
def test_a_label_may_have_a_threshold_of_its_own(line: str, label: Label) -> None:
    assert parse_lines([line]) == (label,) and parse_lines([line_of(label)]) == (label,)


@given(st.binary(max_size=300))
def test_any_file_is_parsed_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "wild.txt"
    file.write_bytes(data)
    try:
        assert parse_labels(str(file))
    except UsageError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("Waving your left hand", "wave one hand"),
        ("wave both hands", "wave both hands"),
        ("WAVES", "wave one hand"),
        ("Jogging", "run"),
        ("do push-ups", "push up"),
        ("hopping (one foot jumping)", "hop on one foot"),
        ("sneeze/cough", "sneeze"),
        ("Make a phone call/Answer phone", "phone call"),
        ("touch back (backache)", "touch back"),
        ("sit", "sit still"),
        ("the squat", "squat"),
        ("swing baseball", "baseball swing"),
        ("arm cross", "cross arms"),
    ],
)
def test_names_find_their_entry(name: str, entry: str) -> None:
    found = find_action(name)
    assert found is not None and found.name == entry


NATURAL = {
    "wave one hand": ["right hand wave", "wave with my left hand", "a person waving", "say hello", "wave right"],
    "wave both hands": ["two hand wave", "waving two hands", "wave with both hands"],
    "clap": ["clapping my hands", "two hand front clap"],
    "punch": ["punch right", "left jab", "throw a punch with the left hand", "one hand punching"],
    "boxing": ["two hand punching", "front boxing", "BoxingPunchingBag"],
    "kick forward": ["kick with the left foot", "right leg kick", "soccer penalty"],
    "run": ["jogging in place", "jog on the spot", "running on treadmill"],
    "jump": ["jump in place", "hop both legs"],
    "hop on one foot": ["hop left leg"],
    "walk": ["man walking", "march in place"],
    "draw circle": ["draw circle clockwise", "right hand draw circle clockwise"],
    "draw circle counter clockwise": [
        "draw circle counterclockwise", "draw a circle anti-clockwise", "right hand draw circle counter clockwise",
    ],
    "draw x": ["right hand draw x"],
    "swipe": ["right arm swipe to the left", "swipe right to left"],
    "push": ["two hand push"],
    "bicep curl": ["arm curl two arms", "hammer curl"],
    "sit down": ["Sitdown", "sit down on the sofa", "the person is sitting down"],
    "stand up": ["stand up from a chair", "get up off the couch"],
    "sit down and stand up": ["sit down then stand up"],
    "look to the side": ["look left", "turn my head"],
    "look around": ["look left and right"],
    "brush teeth": ["BrushingTeeth", "brushing_teeth"],
    "skateboard": ["skate boarding", "SkateBoarding"],
    "pull up": ["PullUps", "chinups"],
    "jump rope": ["skipRope", "jump-rope"],
    "take medicine": ["Takepills", "rinsing mouth"],
    "drink water": ["Drink.Frombottle", "sipping coffee"],
    "vacuum": ["hoover the carpet"],
    "draw a picture": ["colouring in", "coloring in"],
    "put on clothes": ["put on a jumper"],
    "yoga": ["practise yoga", "practice yoga"],
    "carry": ["carries a box"],
    "cry": ["cries"],
    "phone call": ["on the phone", "call cellphone"],
    "fencing": ["fencing"],
    "handstand push up": ["HandstandPushups"],
    "zoom out with both hands": ["zoom out"],
}  # fmt: skip


@pytest.mark.parametrize(("entry", "name"), [(entry, name) for entry, names in NATURAL.items() for name in names])
def test_natural_phrasings_find_their_entry(entry: str, name: str) -> None:
    found = find_action(name)
    assert found is not None and found.name == entry


@pytest.mark.parametrize(
    "name",
    [
        "right hand push", "push with one hand", "two hands throw", "throw with both hands in the air sideways",
        "both hands punch", "hop with both legs", "drop left arm", "lift right arm", "raise with the left hand",
        "turn on", "sit in place", "person", "a man", "right hand", "with the left hand", "walk with one leg",
    ],
)  # fmt: skip
def test_another_number_of_limbs_or_half_a_phrase_finds_none(name: str) -> None:
    assert find_action(name) is None


@pytest.mark.parametrize(
    "names",
    [
        ("wave with one hand", "wave with both hands"),
        ("draw circle clockwise", "draw circle counter clockwise"),
        ("sit down", "stand up", "sit down then stand up"),
        ("swipe to the left", "swipe up", "swipe down"),
        ("look up", "look down", "look to the left"),
        ("lean forward", "lean back", "lean to the left"),
        ("walk up and down", "walk in place", "walk backwards", "walk to the side"),
        ("jump in place", "jump forward", "jump down", "hop on the left leg"),
        ("turn around", "walk and turn"),
        ("zoom in", "zoom out"),
        ("lie on the sofa", "lie down on the sofa"),
        ("push up", "wall push up", "knee push up", "handstand push up"),
        ("kick forward", "kick sideways", "kick behind"),
        ("fall down", "fall asleep"),
    ],
    ids=lambda names: names[0],
)
def test_motions_that_differ_stay_apart(names: tuple[str, ...]) -> None:
    found = [action.name if action else name for name in names for action in [find_action(name)]]
    assert len(set(found)) == len(names), found


@pytest.mark.parametrize("name", ["frobnicate", "", "the", "()", "/", "arms raise", "walking a tightrope blindly"])
def test_unknown_names_find_none(name: str) -> None:
    assert find_action(name) is None


def test_the_table_adds_names_and_descriptions() -> None:
    kinds = [text.kind for text in texts_for(Label("wave"))]
    assert kinds[:2] == ["name", "paraphrase"] and kinds[-4:] == ["description", "arms", "legs", "torso"]
    assert texts_for(Label("frobnicate", ("wave",)))[-1] == texts_for(Label("wave"))[-1], "found by the synonym"


def test_the_users_description_replaces_the_tables() -> None:
    texts = texts_for(Label("wave", ("hello",), "the whole crowd stands up and sits down"))
    assert [(text.kind, text.text) for text in texts] == [
        ("name", "wave"), ("paraphrase", "hello"), ("description", "the whole crowd stands up and sits down"),
    ]  # fmt: skip


def test_a_table_has_a_row_for_every_text(table: LabelTable, encoder: TextEncoder) -> None:
    assert table.names == ("wave", "drink", "frobnicate") and table.version == 7 and table.encoder_id == encoder.id
    flat = [text.text for row in table.texts for text in row]
    assert table.vectors.tobytes() == encoder.encode(flat).tobytes()


def test_pooled_is_names_then_description(table: LabelTable, encoder: TextEncoder) -> None:
    pooled = table.pooled()
    assert pooled.shape == (3, 2 * encoder.dim) and pooled.dtype == np.float32
    names, described = np.split(pooled, 2, axis=1)
    np.testing.assert_allclose(np.linalg.norm([names, described], axis=2), 1, atol=1e-6)
    mean = encoder.encode(["drink", "sip"]).mean(axis=0)
    np.testing.assert_allclose(names[1], mean / np.linalg.norm(mean), atol=1e-6)
    np.testing.assert_allclose(described[1], encoder.encode(["one hand goes to the mouth"])[0], atol=1e-6)
    np.testing.assert_array_equal(described[2], names[2])  # no description: the name stands in
    assert not np.allclose(described[0], names[0], atol=0.1)


def test_two_names_of_one_action_are_near_but_differ(encoder: TextEncoder) -> None:
    pooled = build_table(parse_text("wave, waving one arm, drink"), encoder, 1).pooled()
    assert 1.9 < pooled[0] @ pooled[1] < 1.9999 and pooled[0] @ pooled[2] < 1.5


def test_a_label_does_not_depend_on_the_others(encoder: TextEncoder, table: LabelTable) -> None:
    alone = build_table([table.labels[1]], encoder, 1)
    assert alone.pooled()[0].tobytes() == table.pooled()[1].tobytes()


@pytest.mark.fault
def test_A5_bad_tables_are_refused(table: LabelTable) -> None:
    broken = table.vectors.copy()
    broken[2, 5] = np.nan
    for vectors, says in [
        (table.vectors[:-1], "shape"),
        (table.vectors[0], "shape"),
        (broken, "finite"),
        (np.zeros_like(broken), "length 1"),
    ]:
        with pytest.raises(UsageError, match=says):
            replace(table, vectors=vectors)
    with pytest.raises(UsageError, match="there already"):
        replace(table, labels=(*table.labels[:2], Label("Wave")))
    assert LabelTable(1, (), "x", (), np.zeros((0, 4), np.float32)).names == (), "everything is unknown"


def test_an_encoder_is_all_that_is_needed() -> None:
    class OneHot:
        id, dim = "one-hot", 8

        def encode(self, texts: list[str]) -> np.ndarray:
            return np.eye(8, dtype=np.float32)[[len(text) % 8 for text in texts]]

    assert build_table([Label("frobnicate")], OneHot(), 3).pooled().shape == (1, 16)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_label_of_a_profile_is_its_own_entry(profile: Path) -> None:
    labels = parse_labels(str(profile))
    assert 12 <= len(labels) <= 40
    found = [find_action(label.name) for label in labels]
    assert None not in found and len({action.name for action in found if action}) == len(labels)
    assert all(re.fullmatch(r"[a-z ]+", label.name) for label in labels)


def test_the_profiles_are_there() -> None:
    assert {path.stem for path in PROFILES} >= {"default", "home", "gestures", "fitness", "care", "robot"}
