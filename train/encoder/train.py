"""Train the edge encoder: windows of many sets against the words for what they show, beside a plain classifier.

    python -m train encoder --data ../shared/data --out runs/encoder --seed 0

Reads top to bottom. Texts are sampled anew at every step (name, paraphrase or description), so that the network learns
what they share instead of one sentence by heart. Long training on few names destroys zero-shot recognition (DESIGN.md
9), so each epoch ends with the accuracy on concepts and sets that `--withhold` and `--leave-out` kept from training.
The last epoch is kept: nothing is chosen by these figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from edge_app.bundles.files import whole
from train.data.clips import SETS, SPEC, Bank, Clip, listed
from train.data.texts import ConceptTexts, mean_text
from train.encoder.training_set import load_training_clips
from train.encoder.unseen import unseen_features, unseen_top1
from train.models.edge import ENCODERS, EdgeEncoder, EncoderConfig
from train.synthetic.augment import training_windows
from train.synthetic.bank import composed_rivals, load_generated, seen_clips


class TextAlignedEncoder(nn.Module):
    """The encoder, the map of texts into its feature space, and a plain classifier that only training uses."""

    text_mean: Tensor

    def __init__(self, config: EncoderConfig, concepts: int, text_dim: int) -> None:
        super().__init__()
        self.encoder = EdgeEncoder(config)
        self.text_map = nn.Linear(text_dim, config.feature, bias=False)
        nn.init.orthogonal_(self.text_map.weight)
        self.classifier = nn.Linear(config.feature, concepts)
        self.scale = nn.Parameter(torch.tensor(2.5))
        self.dropout = nn.Dropout(0.1)
        self.register_buffer("text_mean", torch.zeros(text_dim))

    def text_logits(self, feature: Tensor, texts: Tensor) -> Tensor:
        """Scaled cosines to each concept's text: `[B, D], [K, E] -> [B, K]`.

        The mean of all texts is taken out first: sentences about motion are all alike (mean cosine 0.65).
        """
        texts = functional.normalize(self.text_map(functional.normalize(texts - self.text_mean, dim=1)), dim=1)
        return self.scale.exp() * functional.normalize(self.dropout(feature), dim=1) @ texts.T


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="folder of core15 npz sets with concepts.csv")
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--sets", default="", help="data sets to train on, comma-separated; else all that are there")
    parser.add_argument("--leave-out", default="", help="data sets not to train on, comma-separated")
    parser.add_argument("--withhold", default="", help="concepts not to train on, comma-separated")
    parser.add_argument("--hold-people", type=float, default=0.0, help="share of each set's people not to train on")
    parser.add_argument("--generated", type=int, default=40, help="generated clips for each action of the generator")
    parser.add_argument("--named", type=int, default=0, help="composed clips for each action that they can show")
    parser.add_argument("--encoder", choices=ENCODERS, default="conv-small")
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--per-epoch", type=int, default=6000, help="windows an epoch")
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--classifier", type=float, default=0.3, help="weight of the plain classifier")
    parser.add_argument("--within", type=float, default=0.5, help="share of the loss among a set's own concepts only")
    parser.add_argument("--composed", type=int, default=6000, help="composed clips with texts of their own; 0 for none")
    parser.add_argument("--composed-batch", type=int, default=48, help="windows of them a step")
    parser.add_argument("--composed-weight", type=float, default=1.0)
    parser.add_argument("--drawn", type=Path, help="folder of `train draw`")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for what is made once")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--motion-seed", type=int, help="of generated and composed motion; else --seed")
    parser.add_argument("--threads", type=int, default=2)


def moving_average(averaged: Sequence[Tensor], current: Sequence[Tensor], steps: Tensor | int) -> None:
    """Exponential average of weights whose decay grows from 0.1 to 0.998: it follows from the first steps on."""
    decay = min(0.998, (1 + float(steps)) / (10 + float(steps)))
    for old, new in zip(averaged, current, strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def sampling_weights(bank: Bank) -> np.ndarray:
    """Probability of each clip: between uniform over clips and uniform over concepts (square root of counts).

    Composed actions, of which there are many, count 0.4.
    """
    counts = np.bincount(bank.concept, minlength=len(bank.concepts))
    weights = np.where(bank.dataset == "named", 0.4, 1.0) / np.sqrt(counts[bank.concept])
    return weights / weights.sum()


def held_people(clips: Iterable[Clip], share: float, seed: int) -> set[str]:
    """A share of the people of each recorded set; generated motion has no people."""
    by_set: dict[str, set[str]] = {}
    for clip in clips:
        if clip.dataset in SETS:
            by_set.setdefault(clip.dataset, set()).add(clip.subject)
    rng = np.random.default_rng([seed, 23])
    held: set[str] = set()
    for name in sorted(by_set):
        held.update(rng.permutation(sorted(by_set[name]))[: round(share * len(by_set[name]))].tolist())
    return held


def shown_beside(bank: Bank) -> np.ndarray:
    """Which concepts the set of each clip shows: bool `[N, K]`."""
    _, which = np.unique(bank.dataset, return_inverse=True)
    shown = np.zeros((which.max() + 1, len(bank.concepts)), bool)
    shown[which, bank.concept] = True
    return shown[which]


def named_loss(logits: Tensor, concept: Tensor, beside: Tensor, within: float, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy among all concepts and, for the share `within` of it, among those of the window's own set only.

    The latter does not reward telling sets apart, which helps nobody in another laboratory.

    Args:
        logits: `[B, K]`; concept: int `[B]`; beside: bool `[B, K]`, what each window's set shows.
    """
    among_all = functional.cross_entropy(logits, concept, label_smoothing=smoothing)
    among_own = functional.cross_entropy(logits.masked_fill(~beside, -torch.inf), concept)
    return (1 - within) * among_all + within * among_own


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)
    if arguments.motion_seed is None:
        arguments.motion_seed = arguments.seed
    rng = np.random.default_rng(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)

    leave_out = set(listed(arguments.leave_out))
    withhold = set(listed(arguments.withhold))
    clips = load_training_clips(
        arguments.data,
        sets=arguments.sets,
        generated=arguments.generated,
        named=arguments.named,
        seed=arguments.motion_seed,
    )
    composed, filmed = load_generated(
        arguments.composed, arguments.motion_seed, arguments.cache, arguments.drawn, withhold
    )
    clips += filmed
    people = held_people(clips, arguments.hold_people, arguments.seed)
    seen = seen_clips(clips, leave_out, withhold, people)
    held = [clip for clip in clips if clip.dataset not in leave_out and clip.concept in withhold]
    bank = Bank(seen)
    texts = ConceptTexts(bank.concepts)
    print(f"{len(seen)} clips of {len(bank.concepts)} concepts; withheld {len(held)} clips of {len(withhold)} concepts")

    config = ENCODERS[arguments.encoder]
    model = TextAlignedEncoder(config, len(bank.concepts), texts.dim)
    model.text_mean.copy_(torch.from_numpy(mean_text()))
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.lr, weight_decay=0.02)
    steps = arguments.per_epoch // arguments.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, arguments.lr, total_steps=arguments.epochs * steps, pct_start=0.15
    )
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=moving_average, use_buffers=True)
    weights, beside = sampling_weights(bank), shown_beside(bank)
    settings = {key: str(value) for key, value in vars(arguments).items() if key != "run"}
    log = arguments.out / "metrics.jsonl"
    log.write_text("")
    for epoch in range(arguments.epochs):
        model.train()
        begun, losses, hits = time.monotonic(), [], []
        for _ in tqdm(range(steps), desc=f"epoch {epoch + 1}/{arguments.epochs}", leave=False, disable=None):
            picked = rng.choice(len(bank), arguments.batch, p=weights)
            windows = training_windows(bank, picked, SPEC, rng)
            if composed:
                extra = rng.choice(len(composed.bank), arguments.composed_batch, replace=False)
                windows = np.concatenate([windows, training_windows(composed.bank, extra, SPEC, rng)])
            concept = torch.from_numpy(bank.concept[picked])
            every = model.encoder(torch.from_numpy(windows))
            feature, extra_feature = every.tensor_split([len(picked)])
            logits = model.text_logits(feature, torch.from_numpy(texts.sample(np.arange(len(bank.concepts)), rng)))
            rivals = torch.from_numpy(beside[picked])
            plain = named_loss(model.classifier(feature), concept, rivals, arguments.within)
            loss = named_loss(logits, concept, rivals, arguments.within, 0.05) + arguments.classifier * plain
            if composed:
                told, others = composed_rivals(composed, extra, rng)
                found = model.text_logits(extra_feature, torch.from_numpy(told)).masked_fill(others, -torch.inf)
                loss = loss + arguments.composed_weight * functional.cross_entropy(found, torch.arange(len(extra)))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(model)
            losses.append(loss.item())
            hits.append((logits.argmax(1) == concept).float().mean().item())
        row = {
            "epoch": epoch + 1,
            "loss": round(float(np.mean(losses)), 4),
            "train_top1": round(float(np.mean(hits)), 4),
            "seconds": round(time.monotonic() - begun, 1),
        }
        shadow: Any = average.module.eval()
        row |= unseen_top1(unseen_features(shadow.encoder, clips, withhold, leave_out), shadow.text_logits)
        with log.open("a") as file:
            file.write(json.dumps(row) + "\n")
        print(row, flush=True)
        saved = {
            "model": average.module.state_dict(),
            "config": dataclasses.asdict(config),
            "window": {"seconds": SPEC.seconds, "rate_hz": SPEC.rate_hz, "skeleton": SPEC.skeleton.name},
            "concepts": bank.concepts,
            "withheld": sorted(withhold),
            "left_out": sorted(leave_out),
            "held_people": sorted(people),
            "settings": settings,
            "metrics": row,
        }
        with whole(arguments.out / "encoder.pt") as partial:
            torch.save(saved, partial)
