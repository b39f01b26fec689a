"""Fit the imitation of MediaPipe's errors to drawn clips, and say how close it comes.

    python -m train sensor --drawn cache/drawn

Every fifth clip is kept apart. A small network learns, on the other clips, to tell windows that MediaPipe saw from the
same windows made in another way, and is asked about those kept apart: an AUC of 0.5 means that it cannot. The model
that is saved is then fitted to all clips.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edge_app.errors import UsageError
from edge_app.window.buffer import resample
from edge_app.window.normalize import VISIBLE, body_scale, normalize
from edge_app.window.skeleton import CORE15, WindowSpec
from train.data.clips import Bank, Clip
from train.synthetic.augment import AugmentConfig, training_windows
from train.synthetic.sensor_noise import FILE, RATE_HZ, Pairs, SensorNoise, align

SPEC = WindowSpec(2.0, RATE_HZ, CORE15)
HELD_OUT = 5
STILL = AugmentConfig(speed=(1, 1), hold=0, yaw=0, pitch=(0, 0), roll=0, mirror=0, lost_frames=0)
"""Today's augmentation without what a camera does not do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--drawn", type=Path, required=True, help="folder that `train draw` filled")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=6, help="of the networks that tell windows apart")
    parser.add_argument("--threads", type=int, default=1)


@dataclass(frozen=True, slots=True)
class DrawnWindows:
    """Windows of drawn clips before `normalize`: float32 `[N, T, 15, 4]` as seen and in truth; the clip of each."""

    seen: np.ndarray
    truth: np.ndarray
    clip: np.ndarray

    def pairs(self) -> Pairs:
        sized = [window[..., :3] / body_scale(window, CORE15) for window in self.truth]
        return align(np.stack(sized), self.seen[..., :3], self.seen[..., 3] >= VISIBLE)


def load_windows(files: list[Path]) -> DrawnWindows:
    """Two windows of every clip, at places that no frame marks; those where MediaPipe lost the person are left out.

    Raises:
        UsageError: there is none.
    """
    seen, truth, numbers, rng = [], [], [], np.random.default_rng(0)
    for n, path in enumerate(files):
        with np.load(path) as saved:
            joints, exact, t_s, off = (saved[name] for name in ("joints", "truth", "t_s", "off"))
        exact = np.concatenate([exact, np.ones_like(exact[..., :1])], axis=-1)
        for i, (first, last) in enumerate(pairwise(off)):
            t_ns = np.round(t_s[first:last].astype(np.float64) * 1e9).astype(np.int64)
            if len(t_ns) < SPEC.length // 2:
                continue
            earliest = int(t_ns[0]) + int((SPEC.length - 1) / RATE_HZ * 1e9)
            if earliest >= t_ns[-1]:
                continue
            for end in rng.integers(earliest, t_ns[-1], 2).tolist():
                window, valid = resample(t_ns, joints[first:last], end, SPEC)
                if valid.all():
                    seen.append(window)
                    truth.append(resample(t_ns, exact[first:last], end, SPEC)[0])
                    numbers.append(n * 1000 + i)
    if not seen:
        raise UsageError(f"--drawn: no clip of {SPEC.seconds} s among {len(files)} files; make some with `train draw`")
    return DrawnWindows(np.stack(seen), np.stack(truth), np.array(numbers))


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    windows = load_windows(sorted(arguments.drawn.glob("?????.npz")))
    pairs = windows.pairs()
    test = windows.clip % HELD_OUT == 0
    noise = SensorNoise.fit(pairs.picked(~test), seed=arguments.seed)
    print(f"{(~test).sum()} windows to fit, {test.sum()} kept apart; seed {arguments.seed}\n")
    _tell_apart(windows, pairs, noise, test, arguments)
    _compare(pairs.picked(test), noise, arguments.seed)
    SensorNoise.fit(pairs, seed=arguments.seed).save(arguments.out)
    print(f"\n{arguments.out}: {arguments.out.stat().st_size / 1000:.0f} kB")


def _tell_apart(
    windows: DrawnWindows, pairs: Pairs, noise: SensorNoise, test: np.ndarray, arguments: argparse.Namespace
) -> None:
    rng = np.random.default_rng(arguments.seed)
    bank = Bank([Clip("drawn", "", "", "", RATE_HZ, False, window) for window in _joined(pairs.truth)])
    made = {
        "the truth": _joined(pairs.truth),
        "truth, today's noise": training_windows(bank, np.arange(len(bank)), SPEC, rng, STILL),
        "truth, this noise": _joined(*noise.apply(pairs.truth, np.ones_like(pairs.truth[..., 0]), rng)),
    }
    real = _normalized(windows.seen)
    print("AUC of telling what MediaPipe saw from\nwindows of           as they are   hidden joints made equal")
    for name, other in made.items():
        equal = np.concatenate([other[..., :3], pairs.seen[..., None]], axis=-1)
        aucs = [separation(real, _normalized(w), ~test, arguments.epochs, arguments.seed) for w in (other, equal)]
        print(f"{name:21}{aucs[0]:8.3f}{aucs[1]:16.3f}")


def _joined(xyz: np.ndarray, seen: np.ndarray | None = None) -> np.ndarray:
    seen = np.ones_like(xyz[..., 0]) if seen is None else seen
    return np.concatenate([xyz, seen[..., None]], axis=-1).astype(np.float32)


def _normalized(windows: np.ndarray) -> np.ndarray:
    valid = np.ones(windows.shape[1], bool)
    return np.stack([normalize(window, valid, CORE15) for window in windows])


class _Judge(nn.Module):
    """Windows `[B, T, J, 4]` -> a score `[B]`, from places, first and second differences, and hidden joints."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(150), nn.Conv1d(150, 64, 3, padding=1), nn.ReLU(),
            nn.Conv1d(64, 64, 5, padding=2), nn.ReLU(), nn.Conv1d(64, 64, 5, padding=2), nn.ReLU(),
        )  # fmt: skip
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(128, 1))

    def forward(self, windows: Tensor) -> Tensor:
        xyz, seen = windows[..., :3], windows[..., 3:]
        first = (xyz[:, 1:] - xyz[:, :-1]) * seen[:, 1:] * seen[:, :-1]
        second = first[:, 1:] - first[:, :-1]
        steps = xyz.shape[1] - 2
        x = torch.cat([xyz[:, 2:], first[:, 1:], second, seen[:, 2:]], dim=-1).reshape(len(xyz), steps, -1)
        y = self.body(x.transpose(1, 2))
        return self.head(torch.cat([y.mean(-1), y.amax(-1)], dim=1))[:, 0]


def separation(real: np.ndarray, made: np.ndarray, learn: np.ndarray, epochs: int, seed: int) -> float:
    """AUC, on the rows not in `learn`, of a network that learned on the others to tell `real` from `made`."""
    torch.manual_seed(seed)
    rng, judge = np.random.default_rng(seed), _Judge()
    x = torch.from_numpy(np.concatenate([real[learn], made[learn]]))
    y = torch.cat([torch.ones(int(learn.sum())), torch.zeros(int(learn.sum()))])
    steps = epochs * (len(x) // 64)
    optimiser = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=max(steps, 2))
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(0, len(x), 64))
        loss = nn.functional.binary_cross_entropy_with_logits(judge(x[rows]), y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    judge.eval()
    with torch.inference_mode():
        high, low = (judge(torch.from_numpy(w[~learn])).numpy() for w in (real, made))
    return float((high[:, None] > low).mean() + 0.5 * (high[:, None] == low).mean())


def _compare(pairs: Pairs, noise: SensorNoise, seed: int) -> None:
    """Errors of each joint: what stays for a window, what moves, how much of that remains 1/16 s later."""
    made, hidden = noise.apply(pairs.truth, np.ones_like(pairs.truth[..., 0]), np.random.default_rng(seed))
    rows = {"seen": pairs, "made": align(pairs.truth, made, hidden > 0)}
    print("\nerrors, mm      constant:   x    y    z moving: x    y    z   again: x    y    z  hidden  runs")
    for j, joint in enumerate(CORE15.joints):
        for name, pair in rows.items():
            constant, moving, again = _errors(pair, j)
            share, run = _hidden(pair.seen[:, :, j])
            cells = [joint if name == "seen" else "", name, *(f"{1000 * v:.0f}" for v in (*constant, *moving))]
            cells += [*(f"{v:.2f}" for v in again), f"{share:.3f}", f"{run:.1f}"]
            print("{:15}{:9}{:>5}{:>5}{:>5}{:>9}{:>5}{:>5}{:>10}{:>5}{:>5}{:>8}{:>6}".format(*cells))


def _errors(pair: Pairs, joint: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = pair.seen[:, :, joint].mean(axis=1) > 0.5
    error = (pair.saw - pair.truth)[rows, :, joint]
    moving = error - error.mean(axis=1, keepdims=True)
    variance = (moving**2).mean(axis=(0, 1))
    again = (moving[:, 1:] * moving[:, :-1]).mean(axis=(0, 1)) / np.maximum(variance, 1e-9)
    return error.mean(axis=1).std(axis=0), np.sqrt(variance), again


def _hidden(seen: np.ndarray) -> tuple[float, float]:
    """Share of samples hidden, and the mean length of a stretch of hidden samples."""
    hidden = ~seen
    starts = hidden[:, 0].sum() + (hidden[:, 1:] & ~hidden[:, :-1]).sum()
    return float(hidden.mean()), float(hidden.sum() / max(int(starts), 1))
