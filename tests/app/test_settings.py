"""Settings: what is wrong is named in one line, with what is allowed."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from edge_app.app.settings import Settings, load_settings
from edge_app.errors import UsageError

DEFAULTS = Path(__file__).parents[2] / "configs/edge/default.yaml"


def write(tmp_path, text: str):
    path = tmp_path / "settings.yaml"
    path.write_text(text, "utf-8")
    return path


def defaults(settings: object) -> dict[str, Any]:
    """All settings as a file would have them."""
    found = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    return {key: defaults(value) if dataclasses.is_dataclass(value) else value for key, value in found.items()}


def test_the_file_of_defaults_says_what_the_code_says():
    tree = yaml.safe_load(DEFAULTS.read_text("utf-8"))
    assert tree == defaults(Settings())
    assert [*tree] == [field.name for field in dataclasses.fields(Settings)]
    for group, settings in tree.items():
        assert [*settings] == [*defaults(Settings())[group]], group
        for key, value in settings.items():
            assert type(value) is type(defaults(Settings())[group][key]), f"{group}.{key}"


def test_every_setting_of_the_file_of_defaults_has_a_comment():
    lines = [line for line in DEFAULTS.read_text("utf-8").splitlines() if line.startswith("  ")]
    assert len(lines) == sum(len(group) for group in defaults(Settings()).values())
    assert [line for line in lines if not line.partition(" # ")[2].strip()] == []


def test_the_file_of_defaults_changes_nothing(caplog):
    assert load_settings(DEFAULTS) == Settings()
    assert load_settings(DEFAULTS, ["events.enter=0.5"]) == load_settings(None, ["events.enter=0.5"])
    assert caplog.records == []


def test_defaults_file_and_assignments_in_this_order(tmp_path):
    path = write(tmp_path, "events:\n  enter: 0.6\n  exit: 0.2\npublish:\n  topk: 3\n")
    settings = load_settings(path, ["events.enter=0.7", "camera.stride_s=1"])
    assert settings.events.enter == 0.7
    assert settings.events.exit == 0.2
    assert settings.publish.topk == 3
    assert settings.camera.stride_s == 1.0
    assert load_settings(None) == Settings()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("evnts:\n  enter: 1\n", ["evnts", "camera, events, publish, supervise"]),
        ("events:\n  entr: 1\n", ["events.entr", "enter"]),
        ("events:\n  enter: high\n", ["events.enter", "float", "high"]),
        ("events:\n  enter: 1.5\n", ["events.enter", "between 0 and 1"]),
        ("events: 3\n", ["events", "mapping"]),
        ("publish:\n  topk: 2.5\n", ["publish.topk", "int"]),
        ("publish:\n  pose: 1\n", ["publish.pose", "bool"]),
        ("camera:\n  stride_s: .nan\n", ["camera.stride_s", "nan"]),
        ("- a\n", ["list", "mapping"]),
        ("events:\n\tenter: 1\n", ["line 2"]),
        ("a: &x [1]\nb: *x\n", ["alias"]),
        ("a: !!python/object/apply:os.system ['true']\n", ["not YAML"]),
        ("[" * 1000, ["not YAML"]),
    ],
)
@pytest.mark.fault
def test_A7_what_is_wrong_is_said_in_one_line(tmp_path, text, words):
    with pytest.raises(UsageError) as caught:
        load_settings(write(tmp_path, text))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "assignment",
    [
        "events.enter",
        "=3",
        "events.enter=[",
        "nothing.here=1",
        "events=1",
        "camera.max_people=0",
        "camera.max_people=9",
        "camera.max_people=2.5",
    ],
)
def test_bad_assignments(assignment):
    with pytest.raises(UsageError):
        load_settings(None, [assignment])


@pytest.mark.fault
def test_A7_a_missing_or_huge_file(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        load_settings(tmp_path / "none.yaml")
    with pytest.raises(UsageError, match="bytes found"):
        load_settings(write(tmp_path, "#" * (2**20 + 1)))
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9")
    with pytest.raises(UsageError, match="UTF-8"):
        load_settings(tmp_path / "latin.yaml")


@pytest.mark.fault
@given(st.text(max_size=200))
def test_A7_any_text_is_settings_or_one_clear_line(text):
    try:
        load_settings(None, [text])
    except UsageError:
        return
    assert "=" in text


@pytest.mark.parametrize(
    ("old", "new"), [("max_wobble", "max_bone_length_variation"), ("firm", "max_variation_to_start")]
)
def test_a_setting_by_its_former_name_works_and_warns(old, new, capsys):
    assert getattr(load_settings(None, [f"events.{old}=0.5"]).events, new) == 0.5
    assert capsys.readouterr().err == f"edge-app: --set: events.{old} is called events.{new} now\n"
