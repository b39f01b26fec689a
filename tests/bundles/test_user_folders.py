"""Where a user's files are, also for a user without a home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edge_app.bundles.user_folders import cache_folder, data_folder, runtime_folder, short_folder
from edge_app.errors import UsageError

ROOT = Path(__file__).parents[2]
FOLDERS = [("XDG_CACHE_HOME", cache_folder, ".cache"), ("XDG_DATA_HOME", data_folder, ".local/share")]


@pytest.mark.parametrize(("variable", "folder", "default"), FOLDERS)
def test_the_variable_or_a_folder_in_the_home(monkeypatch, tmp_path, variable, folder, default):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv(variable, str(tmp_path / "named"))
    assert folder("x") == tmp_path / "named" / "edge-app" / "x"
    for ignored in ("relative/is/ignored", ""):
        monkeypatch.setenv(variable, ignored)
        assert folder("x") == tmp_path / "home" / default / "edge-app" / "x"
    monkeypatch.delenv(variable)
    assert folder("x") == tmp_path / "home" / default / "edge-app" / "x"


def as_a_stranger(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run by a user who is in no passwd file and has no HOME."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("XDG_") and key != "HOME"}
    command = [sys.executable, "-c", f"import os; os.getuid = lambda: 54321\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={**clean, "PYTHONPATH": str(ROOT)})


def test_F7_nobodys_home_is_one_line_and_makes_no_folder(tmp_path):
    for name, variable in (("cache_folder", "XDG_CACHE_HOME"), ("data_folder", "XDG_DATA_HOME")):
        code = (
            f"from edge_app.bundles.user_folders import {name}\ntry: {name}('x')\nexcept Exception as e: print(repr(e))"
        )
        done = as_a_stranger(code, tmp_path)
        want = f"user 54321 has no home folder; set HOME, or {variable}, to a folder that it may write"
        assert done.stdout == f"UsageError({want!r})\n", done.stderr
    assert os.listdir(tmp_path) == []


def test_F7_commands_of_a_user_without_a_home_say_so_in_one_line(tmp_path):
    for arguments in (["labels", "forget", "wave", "--control", "ipc:///no/such"], ["recognize", "x.mp4"]):
        done = as_a_stranger(f"from edge_app.app.cli import main\nraise SystemExit(main({arguments}))", tmp_path)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
        assert (
            done.stderr.startswith("edge-app: user 54321 has no home folder; set HOME") and done.stderr.count("\n") == 1
        )
    assert os.listdir(tmp_path) == []


def test_F7_doctor_reports_it(tmp_path):
    done = as_a_stranger("from edge_app.app.cli import main\nraise SystemExit(main(['doctor']))", tmp_path)
    assert "default bundle" in done.stdout and "Traceback" not in done.stderr, done.stderr
    assert os.listdir(tmp_path) == []


def test_F7_a_text_encoder_does_without_a_home(tmp_path):
    code = "from edge_app.ranker.labels.text_encoder import TextEncoder\nprint(TextEncoder().encode(['wave']).shape)"
    done = as_a_stranger(code, tmp_path)
    assert done.stdout == "(1, 384)\n", done.stderr


@pytest.mark.parametrize("name", ["d" * 90, "bad\udcff", "a\nb"])
def test_F11_sockets_do_not_lie_where_none_can(monkeypatch, tmp_path, name):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: f"/var/tmp/{name}")
    assert short_folder(30) == Path("/tmp")
    assert runtime_folder() == Path(f"/tmp/edge-app-{os.getuid()}")
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/var/tmp/d")
    assert short_folder(30) == Path("/var/tmp/d")


@pytest.mark.parametrize("name", ["d" * 90, "bad\udcff"])
def test_F11_a_runtime_folder_where_no_socket_can_lie_is_not_used(monkeypatch, tmp_path, name):
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/tmp")
    folder = tmp_path / name
    folder.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    assert runtime_folder() == Path(f"/tmp/edge-app-{os.getuid()}")


def test_F11_the_runtime_folder_must_be_ones_own(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_folder() == tmp_path
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match=f"XDG_RUNTIME_DIR={tmp_path}: must be a folder of this user"):
        runtime_folder()
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/no/such")
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    made = runtime_folder()
    assert made.parent == tmp_path and made.stat().st_mode & 0o777 == 0o700
    shutil.rmtree(made)
    made.write_text("in the way")
    with pytest.raises(UsageError, match=f"{made}: .*set XDG_RUNTIME_DIR"):
        runtime_folder()
