"""Files that we write: whole or not at all, whatever the disk does."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_app.bundles.files import by_number, path_of, put_folder, whole, write_bytes, write_text
from edge_app.errors import UsageError

ROOT = Path(__file__).parents[2]
UNSHARE = ["unshare", "--mount", "--map-root-user", "--user"]


def on_a_small_disk(folder: Path, code: str, then: str = "true") -> str:
    """What `code` prints, which runs on a tmpfs of 64 KiB at `folder`, after the shell command `then`."""
    mount = f"mount -t tmpfs -o size=64k none {folder}"
    if shutil.which("unshare") is None or subprocess.run([*UNSHARE, "sh", "-c", mount], capture_output=True).returncode:
        pytest.skip("no tmpfs may be mounted here")
    command = [*UNSHARE, "sh", "-c", f'{mount} && echo old > {folder}/kept && {then} && exec "$@"', "sh"]
    command += [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("text", ["a\0", "\ud800", "x" * 300])
def test_what_no_file_can_be_called_is_refused(text):
    with pytest.raises(UsageError, match="no file can have that name") as caught:
        path_of(text)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 150


def test_F13_numbers_are_sorted_as_numbers():
    names = ["a", "frame", "frame01", "frame1", "frame2", "frame2b", "frame10", "frame10-2", "frame10-10", "frame²"]
    assert [path.name for path in sorted(map(Path, reversed(names)), key=by_number)] == names


COMMON = """
import os, sys
from pathlib import Path
import numpy as np
from edge_app.bundles.files import whole, write_bytes, write_text
from edge_app.errors import AppError
folder = Path(sys.argv[1])
def attempt(write):
    try:
        write()
    except AppError as error:
        print(error)
    print(sorted(os.listdir(folder)), (folder / "kept").read_text().strip())
"""
WRITERS = [
    "write_bytes(folder / 'kept', bytes(300_000))",
    "write_text(folder / 'kept', 'x' * 300_000)",
    "write_bytes(folder / 'new', bytes(300_000))",
]


@pytest.mark.fault
@pytest.mark.parametrize("write", WRITERS)
def test_F2_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, write: str) -> None:
    said = on_a_small_disk(tmp_path, f"{COMMON}\nattempt(lambda: {write})")
    name = "new" if "new" in write else "kept"
    assert said == f"{tmp_path}/{name}: cannot be written (No space left on device)\n['kept'] old\n"


@pytest.mark.fault
def test_F2_a_library_that_meets_a_full_disk(tmp_path: Path) -> None:
    code = f"""{COMMON}
def save():
    with whole(folder / "kept") as part:
        np.savez(part.open("wb"), a=np.zeros(300_000))
attempt(save)"""
    said = on_a_small_disk(tmp_path, code)
    assert said.startswith(f"{tmp_path}/kept: cannot be written (") and said.endswith("['kept'] old\n")
    assert len(said.splitlines()) == 2


@pytest.mark.fault
@pytest.mark.parametrize("write", WRITERS)
def test_F2_a_disk_that_is_read_only(tmp_path: Path, write: str) -> None:
    said = on_a_small_disk(tmp_path, f"{COMMON}\nattempt(lambda: {write})", f"mount -o remount,ro {tmp_path}")
    assert "cannot be written (Read-only file system)\n['kept'] old\n" in said


@pytest.mark.fault
@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("""
from edge_app.ranker.labels.shots import TaughtFolder
from edge_app.ranker.labels.label import Label
from edge_app.types import Window
from edge_app.window.skeleton import LAYOUTS, WindowSpec
spec = WindowSpec(2.0, 20.0, next(iter(LAYOUTS.values())))
joints = np.zeros((spec.length, len(spec.skeleton.joints), 4), np.float32)
window = Window("cam", 0, 1, joints, np.ones(spec.length, bool), 1.0, 30.0, 1.0)
taught = TaughtFolder(folder, spec)
taught.add(Label("bow"), [window])
attempt(lambda: taught.add(Label("bow"), [window] * 20))
print(taught.all()["bow"].shots)
""", "taught: "),
        ("""
from edge_app.ranker.labels.label import Label, read_labels, write_labels
write_labels(folder / "labels", [Label("bow")])
attempt(lambda: write_labels(folder / "labels", [Label(f"label {i}") for i in range(20_000)]))
print(len(read_labels(folder / "labels")))
""", ""),
        ("""
from edge_app.stream.keys import listing, new_client, new_server
new_server(folder / "keys")
new_client(folder / "keys", "robot", "reader")
with open(folder / "kept2", "wb", buffering=0) as file:
    try:
        while file.write(bytes(512)): pass
    except OSError: pass
attempt(lambda: new_client(folder / "keys", "other", "reader"))
print(sum("robot" in line or "other" in line for line in listing(folder / "keys")))
""", "keys "),
    ],
    ids=["shots", "labels", "keys"],
)  # fmt: skip
def test_F2_what_was_kept_survives_a_full_disk(tmp_path: Path, code: str, word: str) -> None:
    """Shots that a user has taught above all: a short write used to replace them by half a file."""
    lines = on_a_small_disk(tmp_path, COMMON + code).splitlines()
    assert len(lines) == 3 and "No space left on device" in lines[0] and str(tmp_path) in lines[0]
    assert lines[0].startswith(word)
    assert lines[2] == "1" and ".part" not in lines[1]


@pytest.mark.parametrize("parents", [False, True])
def test_F2_a_folder_that_was_removed(tmp_path: Path, parents: bool) -> None:
    path = tmp_path / "gone" / "file"
    if parents:
        write_text(path, "x")
        assert path.read_text() == "x"
    else:
        with pytest.raises(UsageError, match=r"gone/file: cannot be written \(No such file or directory\)"):
            write_text(path, "x", parents=False)
    with pytest.raises(UsageError, match="No such file"), whole(tmp_path / "later" / "file.npz") as part:
        np.savez(part, a=np.zeros(3))
        shutil.rmtree(tmp_path / "later")


def test_F2_whatever_goes_wrong_the_old_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole(path) as part:
        part.write_text("half")
        assert part.suffix == ".npz" and part.parent == tmp_path
        raise KeyboardInterrupt
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.npz"]


def test_the_mode_is_kept_or_what_was_asked_for(tmp_path: Path) -> None:
    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    mask = os.umask(0o027)
    try:
        write_text(tmp_path / "new", "x")
        assert mode(tmp_path / "new") == 0o640
        (tmp_path / "new").chmod(0o604)
        write_text(tmp_path / "new", "y")
        assert mode(tmp_path / "new") == 0o604
        write_bytes(tmp_path / "private/secret", b"x", mode=0o600)
        assert (mode(tmp_path / "private"), mode(tmp_path / "private/secret")) == (0o700, 0o600)
        write_bytes(tmp_path / "new", b"z", mode=0o666)
        assert mode(tmp_path / "new") == 0o666
    finally:
        os.umask(mask)


def test_F2_a_link_stays_a_link_and_a_device_a_device(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_text(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "new"
    write_text(Path("/dev/null"), "x")
    assert Path("/dev/null").is_char_device()
    with pytest.raises(UsageError, match=r"/dev/full: cannot be written \(No space left on device\)"):
        write_text(Path("/dev/full"), "x")
    with pytest.raises(UsageError, match="Is a directory"):
        write_text(tmp_path, "x")


def test_F2_a_folder_takes_the_place_of_another_or_leaves_it(tmp_path: Path) -> None:
    for name in ("new", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "what").write_text(name)
    with pytest.raises(OSError):
        put_folder(tmp_path / "gone", tmp_path / "there")
    assert (tmp_path / "there/what").read_text() == "there"
    put_folder(tmp_path / "new", tmp_path / "there")
    assert (tmp_path / "there/what").read_text() == "new" and os.listdir(tmp_path) == ["there"]
