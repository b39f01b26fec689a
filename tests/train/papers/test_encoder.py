"""`train supervised`: what it learns from, two real processes against one, killed and resumed, its switches."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.train.formats import write_ntu_folder
from train.__main__ import main
from train.data.preprocess import load_clips
from train.data.splits import all_splits, find_split, pseudo_unseen
from train.models.shiftgcn import ShiftConfig, ShiftGCN
from train.papers.encoder import (
    RECIPES,
    epoch_rows,
    held_groups,
    learning_rate,
    p1,
    parameter_groups,
    recipe_of,
    sign_shift_gradients,
    training_rows,
)

ROOT = Path(__file__).parents[3]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
TINY = ["--split", "synse-55-5", "--frames", "8", "--batch", "8", "--threads", "1"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("ntu")
    write_ntu_folder(folder / "raw", actions=(1, 2, 11, 17, 18), cameras=(1, 2), setups=(1,), frames=12)
    assert main(["prepare", "--dataset", "ntu60", "--root", str(folder / "raw"), "--out", str(folder / "set")]) == 0
    return folder / "set"


def command(prepared: Path, out: Path, *more: str) -> list[str]:
    return ["supervised", "--prepared", str(prepared), "--out", str(out), "--device", "cpu", *TINY, *more]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "encoder.pt", weights_only=True)["model"]


def test_only_seen_classes_and_training_people_are_learned_from(prepared):
    clips, split = load_clips(prepared), find_split("ntu60", "synse-55-5")
    rows = training_rows(clips, split, pseudo=False)
    assert set(clips.label[rows]) == {0, 1, 16, 17} and set(clips.group[rows]) == {"1", "2"}
    further = training_rows(clips, split, pseudo=True)
    assert set(clips.label[further]) == {0, 1, 17} and len(set(clips.group[further])) == 1
    assert not held_groups(clips)[further].any() and held_groups(clips)[clips.train].mean() == 0.5


def test_every_split_has_pseudo_unseen_classes_of_its_own():
    for split in all_splits():
        drawn = pseudo_unseen(split)
        assert drawn and set(drawn) < set(split.seen) and drawn == pseudo_unseen(split)
        if split.name.startswith(("synse", "smie", "sa-dvae")):
            assert len(drawn) == len(split.unseen)


def test_the_schedule_is_the_papers():
    recipe = RECIPES["shift-gcn"]
    rates = [learning_rate(epoch, 140, 0.1, recipe) for epoch in (0, 59, 60, 79, 80, 99, 100, 139)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01, 1e-3, 1e-3, 1e-4, 1e-4])
    assert [learning_rate(epoch, 14, 0.1, recipe) for epoch in (5, 6, 8, 10)] == pytest.approx([0.1, 0.01, 1e-3, 1e-4])


def test_weight_decay_and_shift_gradients_are_the_papers():
    model = ShiftGCN(ShiftConfig(classes=3, joints=5, widths=(8, 12), strides=(1, 2)))
    groups = {group["weight_decay"]: group["params"] for group in parameter_groups(model)}
    count = {decay: sum(p.numel() for p in parameters) for decay, parameters in groups.items()}
    assert count[1e-3] == 3 * 8 + 8 * 12 and count[0.0] == 5 * (3 + 8)
    assert sum(count.values()) == sum(p.numel() for p in model.parameters() if p.requires_grad)
    shift = model.get_submodule("l1.tcn1.shift_in")
    shift.ypos.grad = torch.tensor([3.0, -0.2, 0.0, 1e-9, 0, 0, 0, -7])
    sign_shift_gradients(model)
    torch.testing.assert_close(shift.ypos.grad, torch.tensor([1e-2, -1e-2, 1e-4, 1e-2, 1e-4, 1e-4, 1e-4, -1e-2]))


def test_batches_of_an_epoch_follow_from_seed_and_epoch():
    one, again, other = (np.concatenate(epoch_rows(np.arange(50), 8, 3, epoch)) for epoch in (1, 1, 2))
    assert len(one) == 48 == len(set(one)) and (one == again).all() and (one != other).any()


TWO_PROCESSES = """
import os, sys, torch
from torch import nn
from train.papers import encoder as supervised
from train.__main__ import main
from train.models.shiftgcn import ShiftConfig, ShiftGCN

nn.modules.batchnorm._BatchNorm.train = lambda self, mode=True: nn.Module.train(self, False)
small = lambda n: ShiftGCN(ShiftConfig(classes=n, widths=(8, 12), strides=(1, 2)))
supervised.RECIPES["shift-gcn"] = supervised.Recipe(small, supervised.p1, (0, 4, 2, 3, 1), 8, 2, ())
kept = []
step = supervised.train_step
def stepped(model, *rest):
    kept[:] = [model]
    return step(model, *rest)
supervised.train_step = stepped
assert main(sys.argv[2:]) == 0
model = getattr(kept[0], "module", kept[0])
torch.save({n: (p.detach(), p.grad) for n, p in model.named_parameters()}, f"{sys.argv[1]}-{os.environ.get('RANK', 0)}")
"""


@pytest.mark.slow
def test_two_processes_learn_what_one_learns_with_all_of_the_batch(prepared, tmp_path):
    """BatchNorm keeps its statistics here: on the CPU each process has those of its own clips, on GPUs they share."""
    script = tmp_path / "script.py"
    script.write_text(TWO_PROCESSES)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for name, how in (("two", torchrun), ("one", [sys.executable])):
        words = command(prepared, tmp_path / f"run-{name}", "--epochs", "2", "--lr", "0.01")
        done = subprocess.run(
            [*how, str(script), str(tmp_path / name), *words],
            env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    first, second, alone = (torch.load(tmp_path / name) for name in ("two-0", "two-1", "one-0"))
    for name, (value, gradient) in first.items():
        assert torch.equal(value, second[name][0]), name
        torch.testing.assert_close(value, alone[name][0], rtol=1e-4, atol=1e-5)
        if gradient is not None:
            assert torch.equal(gradient, second[name][1]), name
            torch.testing.assert_close(gradient, alone[name][1], rtol=1e-3, atol=1e-5)
    losses = [
        [json.loads(line)["loss"] for line in (tmp_path / f"run-{name}/metrics.jsonl").read_text().splitlines()]
        for name in ("two", "one")
    ]
    assert len(losses[0]) == 2 and losses[0] == pytest.approx(losses[1], rel=1e-3)


@pytest.mark.slow
def test_killed_and_resumed_it_ends_with_the_same_weights(prepared, tmp_path):
    words = ["--encoder", "st-gcn-narrow", "--adjacency", "released", "--epochs", "3", "--lr", "0.01"]
    assert main(command(prepared, tmp_path / "whole", *words)) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "train", *command(prepared, tmp_path / "cut", *words)],
        env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    for line in process.stdout:
        if "'epoch': 1" in line:
            process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "cut/encoder.pt").exists()
    done = len((tmp_path / "cut/metrics.jsonl").read_text().splitlines())
    assert 1 <= done < 3
    assert main(command(prepared, tmp_path / "cut", *words)) == 2
    assert main(command(prepared, tmp_path / "cut", *words, "--resume", "--seed", "1")) == 2
    assert main(command(prepared, tmp_path / "cut", *words, "--resume")) == 0
    whole, cut = weights(tmp_path / "whole"), weights(tmp_path / "cut")
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())
    rows = [json.loads(line) for line in (tmp_path / "cut/metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3] and "seen_test_top1" in rows[-1]
    config = json.loads((tmp_path / "cut/config.json").read_text())
    assert config["encoder"] == "st-gcn-narrow" and config["split"] == "synse-55-5" and "git" in config


def test_mixed_precision_is_a_switch(prepared, tmp_path):
    assert main(command(prepared, tmp_path / "run", "--epochs", "1", "--lr", "0.01", "--precision", "bf16")) == 0
    kept = weights(tmp_path / "run")
    assert all(value.dtype != torch.bfloat16 and value.isfinite().all() for value in kept.values())


def test_mended_skeletons_keep_gaps_and_only_where_there_is_such_a_choice(prepared, tmp_path):
    joints = np.ones((1, 9, 25, 3))
    joints[0, [0, 4]] = 0
    ours, theirs = (recipe_of("shift-gcn", how).read(joints, 8, "ntu60") for how in ("mended", None))
    assert not ours[0, 3].any() and ours.shape == theirs.shape
    assert recipe_of("st-gcn", "mended") is RECIPES["st-gcn"] and recipe_of("shift-gcn", "authors").read is p1
    assert main(command(prepared, tmp_path / "run", "--epochs", "1", "--skeletons", "mended")) == 0
    assert json.loads((tmp_path / "run/config.json").read_text())["skeletons"] == "mended"


def test_wrong_arguments_are_refused(prepared, tmp_path, capsys):
    for more, said in (
        (["--split", "synse-9"], "allowed are synse-55-5"),
        (["--epochs", "0"], "--epochs 0: expected more than 0"),
        (["--frames", "10"], "a multiple of 4 expected"),
        (["--adjacency", "released"], "only of st-gcn and st-gcn-narrow"),
        (["--prepared", str(tmp_path)], "expected a folder of `train prepare`"),
    ):
        assert main(command(prepared, tmp_path / "run", *more)) == 2
        assert said in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main(command(prepared, tmp_path / "run", "--device", "cuda")) == 2
        assert "no CUDA device found" in capsys.readouterr().err
