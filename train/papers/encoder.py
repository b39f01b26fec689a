"""Train Shift-GCN or ST-GCN on the seen classes of a split, cross-entropy, as the papers do (METHODS.md 0.1, 7.1, 7.2).

    python -m train supervised --prepared cache/ntu60 --split synse-55-5 --out runs/ntu60-55-5
    torchrun --nproc-per-node 4 -m train supervised --prepared cache/ntu60 --split synse-55-5 --out runs/ntu60-55-5

Reads top to bottom. It learns from seen classes' clips of the cross-subject training part; `--pseudo` keeps the
pseudo-unseen classes from it too, and some of the people. The classifier has an output for every class of the data
set, as SynSE's (0.2). The last epoch is the one that is kept: SynSE keeps the best on seen classes' test clips (9.4),
which we do not choose by. After a kill, `--resume` goes on from the last whole epoch and ends with the same weights.

An encoder here is any module that gives a feature `[B, D]` and logits `[B, classes]`; a `Recipe` says how it reads.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, distributed, nn
from torch.nn import functional
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader
from tqdm import tqdm

from edge_app.bundles.files import whole, write_text
from edge_app.errors import UsageError
from train.data.preprocess import Clips, load_clips, p1, p3
from train.data.provenance import git_revision
from train.data.splits import Split, find_split, pseudo_unseen
from train.models.shiftgcn import ShiftConfig, ShiftGCN, TemporalShift
from train.models.stgcn import NARROW, STGCN, StConfig

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
EVALUATED_EVERY = 10
HELD_PEOPLE = 0.2
ONLY_HOW = ("out", "resume", "device", "workers", "prepared", "verb", "threads")
"""Options that the weights do not depend on."""


@dataclass(frozen=True)
class Recipe:
    """build: classes -> encoder. read: prepared clip, frames, data set -> `[2, frames, 25, 3]`. order: of the axes of
    `[B, 2, T, 25, 3]` as the encoder takes them. drops: epochs at which the rate falls to a tenth."""

    build: Callable[[int], nn.Module]
    read: Callable[[np.ndarray, int, str], np.ndarray]
    order: tuple[int, ...]
    frames: int
    epochs: int
    drops: tuple[int, ...]
    batch: int = 64
    lr: float = 0.1


RECIPES = {
    "shift-gcn": Recipe(
        lambda classes: ShiftGCN(ShiftConfig(classes=classes)), p1, (0, 4, 2, 3, 1), 300, 140, (60, 80, 100)
    ),
    "st-gcn": Recipe(lambda classes: STGCN(StConfig(classes=classes)), p3, (0, 1, 2, 3, 4), 50, 80, (10, 50)),
    "st-gcn-narrow": Recipe(
        lambda classes: STGCN(StConfig(classes=classes, widths=NARROW)), p3, (0, 1, 2, 3, 4), 50, 80, (10, 50)
    ),
}
"""Shift-GCN's from METHODS.md 7.2; ST-GCN's schedule is its authors' for NTU; the narrow one is SMIE's."""


def recipe_of(encoder: str, skeletons: str | None) -> Recipe:
    """An encoder's recipe; with `skeletons` "mended", P1 keeps empty frames in the middle of a clip."""
    recipe = RECIPES[encoder]
    return replace(recipe, read=partial(p1, gaps=True)) if skeletons == "mended" and recipe.read is p1 else recipe


@dataclass(frozen=True)
class Reader:
    """Clips as an encoder reads them, one at a time, for a `DataLoader`."""

    clips: Clips
    recipe: Recipe
    frames: int

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, row: int) -> tuple[np.ndarray, int]:
        joints = self.recipe.read(self.clips.joints[row], self.frames, self.clips.dataset)
        return joints, int(self.clips.label[row])

    def batches(self, rows: list[np.ndarray], workers: int) -> DataLoader[tuple[np.ndarray, int]]:
        """rows: of each batch."""
        context = "fork" if workers else None
        return DataLoader(self, batch_sampler=rows, num_workers=workers, multiprocessing_context=context)  # type: ignore[arg-type]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--prepared", type=Path, required=True, help="folder of `train prepare`, ntu60, ntu120 or pku")
    parser.add_argument("--split", required=True, help="a split of train/data/splits.yaml, such as synse-55-5")
    parser.add_argument("--pseudo", action="store_true", help="keep the pseudo-unseen classes from training too")
    parser.add_argument("--encoder", choices=RECIPES, default="shift-gcn")
    parser.add_argument(
        "--adjacency", choices=("distances", "released"), help="ST-GCN's: the paper's, or as its code computes it"
    )
    parser.add_argument(
        "--skeletons",
        choices=("authors", "mended"),
        help="how empty frames are read: as the paper's code does, or ours",
    )
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--frames", type=int, help="of a clip; else the paper's")
    parser.add_argument("--epochs", type=int, help="else the paper's; the rate's drops move in proportion")
    parser.add_argument("--batch", type=int, help="clips a step, of all processes together; else the paper's")
    parser.add_argument("--lr", type=float, help="else the paper's")
    parser.add_argument("--precision", choices=DTYPES, default="fp32")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=0, help="processes that read clips, for each training process")
    parser.add_argument("--threads", type=int, help="of each process, on the CPU")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, or begin it")
    parser.add_argument("--seed", type=int, default=0)


def held_groups(clips: Clips) -> np.ndarray:
    """Clips of a fifth of the training part's people, at least one, kept from `--pseudo` training: bool `[N]`.

    They show what the encoder makes of pseudo-seen classes without a look at test clips (INFERRED: METHODS.md 0.2 does
    not say which clips SynSE took).
    """
    groups = np.unique(clips.group[clips.train])
    count = max(1, round(HELD_PEOPLE * len(groups)))
    return np.isin(clips.group, np.random.default_rng(29).permutation(groups)[:count])


def training_rows(clips: Clips, split: Split, pseudo: bool) -> np.ndarray:
    """Seen classes' clips of the training part, int `[n]`.

    Raises:
        UsageError: none are left.
    """
    hidden = (*split.unseen, *(pseudo_unseen(split) if pseudo else ()))
    chosen = clips.train & ~np.isin(clips.label, hidden)
    if pseudo:
        chosen &= ~held_groups(clips)
    if not chosen.any():
        raise UsageError(f"split {split.name} of {clips.dataset}: no clip of a seen class found in xsub_train")
    return np.flatnonzero(chosen)


def parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Weight decay 1e-4; 1e-3 on Shift-GCN's spatial linear weights, none on its masks (METHODS.md 7.2)."""
    decays: dict[float, list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        decay = 1e-3 if "Linear_weight" in name else 0.0 if "Feature_Mask" in name else 1e-4
        if parameter.requires_grad:
            decays.setdefault(decay, []).append(parameter)
    return [{"params": parameters, "weight_decay": decay} for decay, parameters in decays.items()]


def sign_shift_gradients(model: nn.Module) -> None:
    """Shift-GCN's own: a displacement's gradient is its sign times 0.01, or 0.0001 where it is zero (METHODS.md 7.2).

    The sign is of the mean over all processes, so that their number does not matter.
    """
    for module in model.modules():
        if isinstance(module, TemporalShift) and module.ypos.grad is not None:
            gradient = module.ypos.grad
            gradient.copy_(torch.where(gradient == 0, torch.full_like(gradient, 1e-4), 0.01 * gradient.sign()))


def learning_rate(epoch: int, epochs: int, lr: float, recipe: Recipe) -> float:
    """A tenth after each of the recipe's drops, which move in proportion to `epochs`."""
    return lr * 0.1 ** sum(epoch >= round(drop * epochs / recipe.epochs) for drop in recipe.drops)


def epoch_rows(rows: np.ndarray, batch: int, seed: int, epoch: int) -> list[np.ndarray]:
    """The batches of an epoch, which seed and epoch alone decide; the last clips that fill none are left out."""
    order = np.random.default_rng([seed, epoch]).permutation(rows)
    return [order[start : start + batch] for start in range(0, len(order) - batch + 1, batch)]


@torch.inference_mode()
def extract(
    encoder: nn.Module, reader: Reader, rows: np.ndarray, device: torch.device, workers: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Features `[n, D]` and logits `[n, classes]` of clips, float32, in evaluation mode."""
    encoder.eval()
    features, logits = [], []
    parts = [rows[start : start + 64] for start in range(0, len(rows), 64)]
    for joints, _ in tqdm(reader.batches(parts, workers), desc="features", leave=False, disable=None):
        feature, found = encoder(joints.permute(reader.recipe.order).to(device))
        features.append(feature.float().cpu().numpy())
        logits.append(found.float().cpu().numpy())
    return np.concatenate(features), np.concatenate(logits)


def pick_device(name: str) -> torch.device:
    """Raises UsageError where CUDA is asked for and is not there."""
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no CUDA device found; allowed here: cpu")
    kind = "cuda" if name != "cpu" and torch.cuda.is_available() else "cpu"
    return torch.device(kind, int(os.environ.get("LOCAL_RANK", 0))) if kind == "cuda" else torch.device(kind)


def board(folder: Path) -> Any:
    """A TensorBoard writer, or None where the package is missing."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        print("train supervised: no TensorBoard, pip install tensorboard; metrics.jsonl has the same", flush=True)
        return None
    return SummaryWriter(folder)


def save(path: Path, content: dict[str, Any]) -> None:
    """A file that appears only when it is whole."""
    with whole(path) as partial:
        torch.save(content, partial)


def load_checkpoint(path: Path, resume: bool, settings: dict[str, Any]) -> dict[str, Any] | None:
    """Raises UsageError where the folder holds a run that is not to be gone on with, or one with other settings."""
    if not path.is_file():
        return None
    if not resume:
        raise UsageError(f"--out {path.parent}: holds a run; --resume goes on with it")
    saved = torch.load(path, map_location="cpu", weights_only=True)
    for key, value in settings.items():
        if saved["settings"].get(key) != value:
            raise UsageError(f"--out {path.parent}: its run has {key} {saved['settings'].get(key)}, {value} asked for")
    return saved


def run(arguments: argparse.Namespace) -> None:
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    device = pick_device(arguments.device)
    recipe = recipe_of(arguments.encoder, arguments.skeletons)
    for name in ("frames", "epochs", "batch", "lr"):
        if getattr(arguments, name) is None:
            setattr(arguments, name, getattr(recipe, name))
        if getattr(arguments, name) <= 0:
            raise UsageError(f"--{name} {getattr(arguments, name)}: expected more than 0")
    if arguments.encoder == "shift-gcn" and arguments.frames % 4:
        raise UsageError(f"--frames {arguments.frames}: Shift-GCN halves them twice, a multiple of 4 expected")
    if arguments.adjacency and arguments.encoder == "shift-gcn":
        raise UsageError(f"--adjacency {arguments.adjacency}: only of st-gcn and st-gcn-narrow, shift-gcn has no graph")
    clips = load_clips(arguments.prepared)
    split = find_split(clips.dataset, arguments.split)
    rows = training_rows(clips, split, arguments.pseudo)
    batch = min(arguments.batch, len(rows)) // world * world
    if not batch or (batch != arguments.batch and len(rows) >= arguments.batch):
        raise UsageError(f"--batch {arguments.batch}: must be a multiple of {world} processes")
    settings = {key: value for key, value in vars(arguments).items() if key not in ONLY_HOW}
    settings |= {"dataset": clips.dataset, "clips": len(rows)}
    checkpoint = load_checkpoint(arguments.out / "checkpoint.pt", arguments.resume, settings)

    torch.manual_seed(arguments.seed)
    encoder = recipe.build(len(clips.names)).to(device)
    if arguments.adjacency == "released" and isinstance(encoder, STGCN):
        encoder.take_released_edges()
    reader = Reader(clips, recipe, arguments.frames)
    if world > 1:
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
        if device.type == "cuda":
            torch.cuda.set_device(device)
            encoder = nn.SyncBatchNorm.convert_sync_batchnorm(encoder)
    model = DistributedDataParallel(encoder) if world > 1 else encoder
    optimiser = torch.optim.SGD(parameter_groups(encoder), lr=arguments.lr, momentum=0.9, nesterov=True)
    scaler = torch.amp.GradScaler(device.type, enabled=arguments.precision == "fp16")
    metrics: list[dict[str, Any]] = []
    if checkpoint is not None:
        encoder.load_state_dict(checkpoint["model"])
        optimiser.load_state_dict(checkpoint["optimiser"])
        scaler.load_state_dict(checkpoint["scaler"])
        metrics = checkpoint["metrics"]
    writer = None
    if rank == 0:
        arguments.out.mkdir(parents=True, exist_ok=True)
        config = settings | {"git": git_revision(), "processes": world, "device": str(device)}
        write_text(arguments.out / "config.json", json.dumps(config, indent=1, default=str) + "\n")
        writer = board(arguments.out / "tensorboard")
        print(f"{len(rows)} clips of {len(np.unique(clips.label[rows]))} classes, {world} x {device}", flush=True)

    for epoch in range(len(metrics), arguments.epochs):
        torch.manual_seed((arguments.seed * 100_003 + epoch) * world + rank)
        lr = learning_rate(epoch, arguments.epochs, arguments.lr, recipe)
        for group in optimiser.param_groups:
            group["lr"] = lr
        mine = [part[rank::world] for part in epoch_rows(rows, batch, arguments.seed, epoch)]
        begun, losses, hits = time.monotonic(), [], []
        model.train()
        bar = tqdm(
            reader.batches(mine, arguments.workers), desc=f"epoch {epoch + 1}/{arguments.epochs}", leave=False,
            disable=True if rank else None,
        )  # fmt: skip
        for joints, label in bar:
            joints, label = joints.permute(recipe.order).to(device), label.to(device)
            loss, right = train_step(model, optimiser, scaler, joints, label, DTYPES[arguments.precision])
            losses.append(loss)
            hits.append(right)
        means = torch.stack([torch.stack(losses).mean(), torch.stack(hits).mean()]) / world
        if world > 1:
            distributed.all_reduce(means)
        row = {"epoch": epoch + 1, "lr": lr, "loss": round(float(means[0]), 5), "train_top1": round(float(means[1]), 4)}
        metrics.append(row)
        if rank == 0:
            row["seconds"] = round(time.monotonic() - begun, 1)
            last = epoch + 1 == arguments.epochs
            seen = np.flatnonzero(clips.test & np.isin(clips.label, np.unique(clips.label[rows])))
            if len(seen) and (last or (epoch + 1) % EVALUATED_EVERY == 0):
                logits = extract(encoder, reader, seen, device, arguments.workers)[1]
                row["seen_test_top1"] = round(float((logits.argmax(axis=1) == clips.label[seen]).mean()), 4)
            state = {"model": encoder.state_dict(), "optimiser": optimiser.state_dict(), "scaler": scaler.state_dict()}
            save(arguments.out / "checkpoint.pt", state | {"settings": settings, "metrics": metrics})
            write_text(arguments.out / "metrics.jsonl", "".join(json.dumps(one) + "\n" for one in metrics))
            if writer:
                for key in set(row) - {"epoch"}:
                    writer.add_scalar(key, row[key], epoch + 1)
            print(row, flush=True)
    if rank == 0:
        save(arguments.out / "encoder.pt", {"model": encoder.state_dict(), "settings": settings, "metrics": metrics})
    if writer:
        writer.close()
    if world > 1:
        distributed.barrier()
        distributed.destroy_process_group()


def train_step(
    model: nn.Module, optimiser: torch.optim.Optimizer, scaler: torch.amp.GradScaler, joints: Tensor, label: Tensor,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """One step of SGD on a batch; its loss and its share of right answers, scalars on the device."""
    mixed = torch.autocast(joints.device.type, dtype) if dtype != torch.float32 else nullcontext()
    with mixed:
        logits = model(joints)[1]
        loss = functional.cross_entropy(logits.float(), label)
    optimiser.zero_grad(set_to_none=True)
    scaler.scale(loss).backward()
    scaler.unscale_(optimiser)
    sign_shift_gradients(model)
    scaler.step(optimiser)
    scaler.update()
    return loss.detach(), (logits.detach().argmax(1) == label).float().mean()
