"""What was taught, on disk: whole or not at all, for its owner alone, and nothing wild is believed."""

from __future__ import annotations

import io
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_app.errors import UsageError
from edge_app.ranker.labels import shots as module
from edge_app.ranker.labels.label import Label, parse_lines
from edge_app.ranker.labels.shots import MAX_SHOTS, MAX_WINDOWS, TaughtFolder, read, taught_folder
from edge_app.types import Window
from edge_app.window.skeleton import CORE15, WindowSpec

SPEC = WindowSpec(2.0, 16.0, CORE15)


def window(seed: int = 0) -> Window:
    joints = np.random.default_rng(seed).normal(size=(32, 15, 4)).astype(np.float32)
    return Window("cam", 1, seed, joints, np.ones(32, bool), 30.0, 0.9, 1.0)


@pytest.fixture
def folder(tmp_path) -> TaughtFolder:
    return TaughtFolder(tmp_path / "data" / "taught", SPEC)


def test_shots_come_back_as_they_were_taught(folder):
    folder.add(Label("my gesture", (), "both arms swing: wide"), [window(1), window(2)])
    folder.add(Label("MY gesture"), [window(3)])
    (found,) = TaughtFolder(folder.path, SPEC).all().values()
    assert found.label == Label("my gesture", (), "both arms swing: wide") and found.shots == 2
    assert found.shot.tolist() == [0, 0, 1]
    np.testing.assert_array_equal(found.joints, [window(i).joints for i in (1, 2, 3)])
    assert found.valid.all()


def test_files_are_for_their_owner_alone_and_nothing_else_is_left(folder):
    folder.add(Label("bow"), [window()])
    (path,) = folder.path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_F2_a_write_that_fails_leaves_the_old_file(folder, monkeypatch):
    folder.add(Label("bow"), [window(1)])

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match="No space left"):
        folder.add(Label("bow"), [window(2)])
    assert len(list(folder.path.iterdir())) == 1
    assert folder.all()["bow"].shots == 1


def test_the_oldest_of_too_many_shots_goes(folder):
    for seed in range(MAX_SHOTS + 2):
        folder.add(Label("bow"), [window(seed)])
    found = folder.all()["bow"]
    assert found.shots == MAX_SHOTS
    np.testing.assert_array_equal(found.joints[-1], window(MAX_SHOTS + 1).joints)
    np.testing.assert_array_equal(found.joints[0], window(2).joints)


def test_too_much_is_refused(folder, monkeypatch):
    with pytest.raises(UsageError, match="1 to 64"):
        folder.add(Label("bow"), [window()] * (MAX_WINDOWS + 1))
    with pytest.raises(UsageError, match="1 to 64"):
        folder.add(Label("bow"), [])
    monkeypatch.setattr(module, "MAX_LABELS", 1)
    folder.add(Label("bow"), [window()])
    with pytest.raises(UsageError, match="forget one"):
        folder.add(Label("wave"), [window()])


def test_forgetting(folder):
    folder.add(Label("Bow"), [window()])
    folder.forget("bOW")
    assert folder.all() == {}
    with pytest.raises(UsageError, match="nothing was taught as 'bow'; taught are: none"):
        folder.forget("bow")


def test_windows_of_another_bundle_are_said_and_not_used(folder, caplog):
    folder.add(Label("bow"), [window()])
    other = TaughtFolder(folder.path, replace(SPEC, rate_hz=20.0))
    assert other.all() == {} and other.all() == {}
    (line,) = [record.message for record in caplog.records]
    assert "2 s at 16 Hz" in line and "2 s at 20 Hz" in line


def test_another_process_may_teach_and_forget(folder):
    other = TaughtFolder(folder.path, SPEC)
    folder.add(Label("bow"), [window()])
    first = other.all()["bow"]
    assert other.all()["bow"] is first, "what did not change is not read again"
    folder.add(Label("bow"), [window(1)])
    assert other.all()["bow"].shots == 2
    folder.forget("bow")
    assert other.all() == {}


@pytest.mark.parametrize("name", ["../../etc/passwd", "/abs", "a/b", "..", "con.npz", "ünï", "日本", "x" * 80])
def test_no_name_leads_out_of_the_folder(folder, name):
    (label,) = parse_lines([name] if any(map(str.isalnum, name)) else [f"{name}a"], note=None)
    folder.add(label, [window()])
    assert [path.parent for path in folder.path.rglob("*")] == [folder.path]
    assert [each.label for each in folder.all().values()] == [label]


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert taught_folder() == tmp_path / "edge-app" / "taught"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert taught_folder() == tmp_path / ".local" / "share" / "edge-app" / "taught"


@given(st.data())
def test_a_damaged_file_is_one_line_and_the_others_count(tmp_path_factory, data):
    folder = TaughtFolder(tmp_path_factory.mktemp("t"), SPEC)
    folder.add(Label("bow"), [window()])
    (path,) = folder.path.iterdir()
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    folder.add(Label("wave"), [window(1)])
    assert "wave" in folder.all()
    try:
        read(path)
    except UsageError as error:
        assert str(error).isprintable() and len(str(error)) < 400


GOOD = {
    "format": np.array("edge-taught/1"), "label": np.array("bow"), "skeleton": np.array("core15"),
    "window": np.array([2.0, 16.0]), "joints": np.zeros((1, 32, 15, 4), np.float32),
    "valid": np.ones((1, 32), bool), "shot": np.zeros(1, np.int64),
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [
    ("format", np.array("edge-taught/2")), ("format", np.zeros(3)), ("label", np.array("bow\nFORGED")),
    ("label", np.array("\x1b[31m")), ("label", np.array("x" * 9999)), ("label", np.array("")),
    ("label", np.array(["a", "b"])), ("skeleton", np.array(["core15"] * 2)),
    ("skeleton", np.array("core16")), ("window", np.array([np.nan, 16.0])), ("window", np.array([np.inf, 16.0])),
    ("window", np.array([2.0])), ("window", np.array([1e300, 1e300])), ("joints", np.zeros((1, 32, 15, 3), np.float32)),
    ("joints", np.zeros((1, 32, 15, 4))), ("joints", np.full((1, 32, 15, 4), np.nan, np.float32)),
    ("joints", np.full((1, 32, 15, 4), 1e9, np.float32)), ("valid", np.ones((1, 31), bool)),
    ("shot", np.zeros(2, np.int64)),
    ("shot", np.zeros(0, np.int64)), ("shot", np.array([-1])), ("shot", np.array(0)), ("more", np.zeros(1)),
])  # fmt: skip
def test_wild_files_are_refused_in_one_line(tmp_path, key, value):
    data = io.BytesIO()
    np.savez(data, **{**GOOD, key: value})
    path = tmp_path / "a.npz"
    path.write_bytes(data.getvalue())
    with pytest.raises(UsageError) as error:
        read(path)
    assert str(error.value).isprintable() and len(str(error.value)) < 400
    assert TaughtFolder(tmp_path, SPEC).all() == {}


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **{**GOOD, "joints": np.zeros((20_000, 32, 15, 4), np.float32)})
    with pytest.raises(UsageError, match="allowed"):
        read(path)


def test_nobody_elses_file_stops_the_start(tmp_path):
    (tmp_path / "a.npz").mkdir()
    (tmp_path / "b.npz").symlink_to(tmp_path / "nowhere")
    assert TaughtFolder(tmp_path, SPEC).all() == {}
