"""`train prepare`: every data set from files to prepared npz files, cut off and gone on with, and what it says."""

import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge_app.errors import UsageError
from tests.train.formats import (
    acting,
    body_frames,
    skeleton_text,
    write_kinetics_folder,
    write_ntu_folder,
    write_pku_folder,
)
from train.__main__ import main
from train.data.kinetics import read_clip as read_kinetics
from train.data.ntu import parse_name, read_clip, xset, xsub, xview
from train.data.prepared import ABOUT, read_prepared
from train.data.splits import class_names

ROOT = Path(__file__).parents[3]


def prepare(capsys, dataset: str, root: Path, out: Path, *more: str) -> tuple[int, str, list[str]]:
    """Exit code, the line on stdout, and the lines on stderr that are not of the progress bar."""
    capsys.readouterr()
    code = main(["prepare", "--dataset", dataset, "--root", str(root), "--out", str(out), *more])
    said = capsys.readouterr()
    return code, said.out.strip(), [line for line in said.err.split("\n") if line.startswith("train prepare:")]


@pytest.mark.parametrize("dataset", ["ntu60", "ntu120"])
def test_ntu_comes_out_as_it_went_in(tmp_path, capsys, dataset):
    paths = write_ntu_folder(tmp_path / "ntu/deeper", actions=(1, 55, 61), cameras=(1, 2), frames=20)
    code, line, said = prepare(capsys, dataset, tmp_path / "ntu", tmp_path / "out", "--per-shard", "7")
    paths = sorted(path for path in paths if dataset == "ntu120" or parse_name(path.name).action <= 60)
    classes = 2 if dataset == "ntu60" else 3
    assert (code, line) == (0, f"{tmp_path / 'out'}: {len(paths)} clips, {classes} classes, 4 people; dropped 0")
    assert f"expected in {tmp_path / 'ntu'}, {len(paths)} found, such as {paths[0]}" in said[0]
    found = []
    for shard in read_prepared(tmp_path / "out"):
        assert (shard.dataset, shard.layout, shard.fps) == (dataset, "ntu25", 30.0)
        assert shard.names == class_names(dataset)
        for column, masks in {
            "xsub": xsub(shard.subject), "xview": xview(shard.camera), "xset": xset(shard.setup)
        }.items():  # fmt: skip
            for side, mask in zip(("train", "test"), masks, strict=True):
                if f"{column}_{side}" in shard.parts:
                    assert (shard.in_part[:, shard.parts.index(f"{column}_{side}")] == mask).all()
        for i in range(len(shard)):
            name = parse_name(str(shard.name[i]))
            assert (shard.label[i], shard.subject[i], shard.camera[i], shard.setup[i], shard.replication[i]) == (
                name.label, name.subject, name.camera, name.setup, name.replication,
            )  # fmt: skip
            np.testing.assert_array_equal(shard.clip(i), read_clip(paths[len(found)]))
            found.append(str(shard.name[i]))
    assert found == [path.stem for path in paths]
    assert {part.split("_")[0] for part in shard.parts} == {"xsub", "xview" if dataset == "ntu60" else "xset"}


def test_the_files_say_what_is_in_them(tmp_path, capsys):
    write_ntu_folder(tmp_path / "ntu", actions=(1,), subjects=(1,), frames=12)
    prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "out")
    with np.load(tmp_path / "out/clips-00000.npz", allow_pickle=False) as data:
        assert str(data["about"]) == ABOUT
        assert all(
            key in ABOUT or (key.startswith("dropped_") and "dropped_" in ABOUT) for key in data if key != "about"
        )


def test_what_is_dropped_is_counted_and_named(tmp_path, capsys):
    paths = write_ntu_folder(tmp_path / "ntu", actions=(1,), frames=20)
    paths[0].write_text("3\n1\nbroken")
    paths[1].write_text(skeleton_text([[]] * 5))
    paths[2].write_text(skeleton_text(body_frames(np.zeros((20, 25, 3)))))
    missing = tmp_path / "missing.txt"
    missing.write_text(f"two samples\n{paths[3].stem}\nS017C003P020R002A060\n")
    code, line, said = prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "out", "--missing", str(missing))
    why = "dropped 4: 2 nobody in it, 1 malformed, 1 in the list of missing skeletons"
    assert (code, line) == (0, f"{tmp_path / 'out'}: 12 clips, 1 classes, 4 people; {why}")
    assert f"{paths[0].stem}: {paths[0]}, line 3: 1 values found, 10 expected" in said[1]
    with np.load(tmp_path / "out/clips-00000.npz") as data:
        assert sorted(data["dropped_name"].tolist()) == sorted(path.stem for path in paths[:4])
    code, line, _ = prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "without")
    assert "13 clips" in line and "dropped 3: 2 nobody in it, 1 malformed" in line


def test_pku_is_cut_into_its_actions(tmp_path, capsys):
    write_pku_folder(tmp_path / "pku", videos=(2, 3), views="LR")
    (tmp_path / "pku/label/0003-R.txt").unlink()
    (tmp_path / "pku/label/0003-L.txt").write_text("1,1,40,2\n2,500,600,2\n")
    code, line, said = prepare(capsys, "pku", tmp_path / "pku", tmp_path / "out", "--per-shard", "3")
    assert code == 0 and "7 clips, 4 classes, people not named; dropped 2: " in line
    assert "1 labelled beyond the stream" in line and "1 without a label file" in line
    assert "4 and 3 found" in said[0]
    shards = list(read_prepared(tmp_path / "out"))
    names = [str(name) for shard in shards for name in shard.name]
    assert names == ["0002-L/1", "0002-L/2", "0002-L/3", "0002-R/1", "0002-R/2", "0002-R/3", "0003-L/1"]
    assert shards[0].parts == ("xsub_train", "xsub_test", "xview_train", "xview_test")
    assert shards[0].in_part.tolist() == [[True, False, False, True]] * 3 + [[True, False, True, False]] * 3 + [
        [False, True, False, True]
    ]
    assert [shards[0].clip(i).shape for i in range(3)] == [(1, 40, 25, 3), (2, 50, 25, 3), (1, 41, 25, 3)]
    assert len(shards[1]) == 0 and shards[0].label[:3].tolist() == [0, 13, 50]


def test_kinetics_has_its_own_names(tmp_path, capsys):
    write_kinetics_folder(tmp_path / "kinetics")
    (tmp_path / "kinetics/kinetics_val/val_000.json").unlink()
    (tmp_path / "kinetics/kinetics_val/val_001.json").write_text("{")
    code, line, said = prepare(capsys, "kinetics", tmp_path / "kinetics", tmp_path / "out")
    assert code == 0 and "8 clips, 3 classes" in line and "12 clips listed" in said[0] and "11 files" in said[0]
    assert "dropped 4: 2 listed without a skeleton, 1 without a file, 1 malformed" in line
    (shard,) = read_prepared(tmp_path / "out")
    assert shard.names == ("abseiling", "air drumming", "answering questions") and shard.layout == "openpose18"
    assert shard.in_part.sum(axis=0).tolist() == [5, 3]
    np.testing.assert_array_equal(
        shard.clip(1), read_kinetics(tmp_path / f"kinetics/kinetics_train/{shard.name[1]}.json")
    )


@pytest.mark.parametrize("ntu", [True, False])
def test_pyskl_keeps_its_parts(tmp_path, capsys, ntu):
    names = [f"S001C002P003R001A{n:03}" if ntu else f"clip {n}" for n in (1, 2, 61)]
    clips = [
        {"frame_dir": name, "label": label, "total_frames": 9, "keypoint": np.full((1, 9, 17, 2), 5, np.float16),
         "keypoint_score": np.full((1, 9, 17), label < 60, np.float16)}
        for name, label in zip(names, (0, 1, 60), strict=True)
    ]  # fmt: skip
    (tmp_path / "set.pkl").write_bytes(pickle.dumps({"split": {"b": names[1:], "a": names[:1]}, "annotations": clips}))
    for root in (tmp_path / "set.pkl", tmp_path):
        code, line, _ = prepare(capsys, "pyskl", root, tmp_path / "out")
        who = "1 people" if ntu else "people not named"
        assert (code, line) == (0, f"{tmp_path / 'out'}: 2 clips, 2 classes, {who}; dropped 1: 1 nobody in it")
    (shard,) = read_prepared(tmp_path / "out")
    assert shard.layout == "coco17" and shard.parts == ("a", "b") and shard.in_part.tolist() == [[1, 0], [0, 1]]
    assert shard.names == (class_names("ntu120") if ntu else tuple(map(str, range(61))))
    assert shard.camera.tolist() == [2, 2] if ntu else [-1, -1]
    (tmp_path / "set.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    assert prepare(capsys, "pyskl", tmp_path, tmp_path / "evil")[0] == 2


def test_killed_and_run_again_it_ends_with_the_same_bytes(tmp_path, capsys):
    paths = write_ntu_folder(tmp_path / "ntu", actions=(1, 2, 3), frames=12)
    assert prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "whole", "--per-shard", "5")[0] == 0
    stuck = sorted(paths)[22]
    text = stuck.read_text()
    stuck.unlink()
    os.mkfifo(stuck)
    command = [sys.executable, "-m", "train", "prepare", "--dataset", "ntu60", "--per-shard", "5"]
    command += ["--root", str(tmp_path / "ntu"), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with stuck.open("w"):  # returns as soon as the process has come to this clip and waits for it
        process.send_signal(signal.SIGKILL)
        process.communicate()
    stuck.unlink()
    stuck.write_text(text)
    done = sorted(path.name for path in (tmp_path / "out").glob("clips-*.npz"))
    assert done == [f"clips-{n:05}.npz" for n in range(4)]
    with pytest.raises(UsageError, match="4 of 10 files found; run `train prepare` again"):
        list(read_prepared(tmp_path / "out"))
    stamps = {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in done}
    (tmp_path / "out/.part-0123abcd.npz").write_bytes(b"half")
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and "48 clips" in again.stdout and again.stdout.count("\n") == 1
    assert {name: (tmp_path / "out" / name).stat().st_mtime_ns for name in done} == stamps
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    found = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir() if path.name[0] != "."}
    assert found == whole, "what a kill leaves half written is never read"


def test_other_files_do_not_go_into_the_same_folder(tmp_path, capsys):
    write_ntu_folder(tmp_path / "ntu", actions=(1,), subjects=(1,), frames=12)
    assert prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "out")[0] == 0
    write_ntu_folder(tmp_path / "ntu", actions=(2,), subjects=(1,), frames=12)
    code, _, said = prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "out")
    assert code == 2 and "an empty folder is expected" in said[-1]
    (tmp_path / "out/prepared.json").unlink()
    assert prepare(capsys, "ntu60", tmp_path / "ntu", tmp_path / "out")[0] == 2
    for wrong in ("{", "{}", '{"format": "prepared/2", "shards": 1}', "[]"):
        (tmp_path / "out/prepared.json").write_text(wrong)
        with pytest.raises(UsageError, match="a folder of `train prepare`"):
            list(read_prepared(tmp_path / "out"))


@pytest.mark.parametrize(
    ("dataset", "said"),
    [
        ("ntu60", r"56,880 files .* 0 found; an example: .*S001C001P001R001A001\.skeleton"),
        ("ntu120", r"114,480 files .* 0 found"),
        ("pku", r"1,076 streams .* 0 and 0 found; examples: .*0002-L\.txt"),
        ("kinetics", r"2 label files expected, 0 found; an example: .*kinetics_train_label\.json"),
        ("pyskl", r"1 file of PYSKL expected, 0 \.pkl files found"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(tmp_path, capsys, dataset, said):
    (tmp_path / "empty").mkdir()
    code, out, lines = prepare(capsys, dataset, tmp_path / "empty", tmp_path / "out")
    assert code == 2 and not out and len(lines) == 1 and not (tmp_path / "out").exists()
    assert re.search(said, lines[0])
    assert "no such file or folder" in prepare(capsys, dataset, tmp_path / "none", tmp_path / "out")[2][0]


def test_wrong_arguments_are_refused(tmp_path, capsys):
    write_ntu_folder(tmp_path, actions=(1,), subjects=(1,), frames=12)
    assert "only for ntu60" in prepare(capsys, "pku", tmp_path, tmp_path / "o", "--missing", "x")[2][0]
    for count in ("-1", "0"):
        assert "expected 1 or more" in prepare(capsys, "ntu60", tmp_path, tmp_path / "o", "--per-shard", count)[2][-1]
    (tmp_path / "file").touch()
    code, _, said = prepare(capsys, "ntu60", tmp_path, tmp_path / "file")
    assert code == 2 and said[-1].startswith(f"train prepare: --out {tmp_path / 'file'}: ")
    (tmp_path / "twice").mkdir()
    (tmp_path / "twice/S001C001P001R001A001.skeleton").write_text("0")
    assert "found twice" in prepare(capsys, "ntu60", tmp_path, tmp_path / "o")[2][0]
    (tmp_path / "twice/S001C001P001R001A001.skeleton").rename(tmp_path / "copy of S001C001P001R001A001.skeleton")
    assert "expected a name like" in prepare(capsys, "ntu60", tmp_path, tmp_path / "o")[2][0]


def test_a_clip_of_one_frame_survives(tmp_path, capsys):
    (tmp_path / "S001C001P001R001A001.skeleton").write_text(
        skeleton_text(body_frames(acting(1, 1, np.random.default_rng(0))))
    )
    assert prepare(capsys, "ntu60", tmp_path, tmp_path / "out")[0] == 0
    (shard,) = read_prepared(tmp_path / "out")
    assert shard.clip(0).shape == (1, 1, 25, 3)


def test_no_usable_clip_at_all_is_an_error(tmp_path, capsys):
    (tmp_path / "S001C001P001R001A001.skeleton").write_text("broken")
    code, line, said = prepare(capsys, "ntu60", tmp_path, tmp_path / "out")
    assert (code, line) == (2, "") and "dropped 1: 1 malformed; at least one clip expected" in said[-1]
