"""The training loop of all heads: frozen features of named and composed windows, against texts drawn at each step."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from tqdm import tqdm

from edge_app.bundles.files import whole
from train.data.texts import ConceptTexts, FixedTexts
from train.encoder.frozen import Extra
from train.encoder.train import moving_average
from train.synthetic.bank import composed_rivals

Model = TypeVar("Model", bound=nn.Module)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SAVED_EVERY_S = 300.0


@dataclass(frozen=True)
class Batch:
    """What a loss is computed from.

    feature: `[B, D]`; text: `[K, E]`, unit rows; own: int `[B]`, each feature's row of them.
    same: bool `[B, K]`, texts that mean the same as the feature's own and are no rivals; None for named windows, where
        the texts are those of all concepts in their order.
    """

    feature: Tensor
    own: Tensor
    text: Tensor
    same: Tensor | None


@dataclass(frozen=True)
class Samples:
    """What a head learns from.

    features: float32 `[N, D]`; concept: int `[N]`, each one's place among `names`; texts: of all the names.
    extra: composed windows beside the named ones, half as many a step; they count half.
    """

    features: np.ndarray
    concept: np.ndarray
    names: list[str]
    texts: ConceptTexts | FixedTexts
    extra: Extra | None = None


@dataclass(frozen=True)
class Style:
    """How a head is fitted; the defaults are this project's, `train.papers.heads.AUTHORS` has the papers'.

    schedule: of the rate, after `warm_up` steps of a linear rise; "onecycle" has its own. sampling: clips of a step:
    "rare", those of rare classes more often; "epochs", all once in a random order, again and again; "batches", any,
    without repetition within a step. clip: the norm that gradients are held to, 0 for none. averaged: whether the
    exponential average of the weights is what is kept. mixed: texts are drawn anew at each step, else always the same.
    """

    optimiser: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = 1e-3
    schedule: Literal["onecycle", "cosine", "constant"] = "onecycle"
    warm_up: int = 0
    sampling: Literal["rare", "epochs", "batches"] = "rare"
    clip: float = 5.0
    averaged: bool = True
    mixed: bool = True


OURS = Style()


@dataclass
class Keeper:
    """Which of a fit's periods (epochs, or cycles of a schedule) is kept: the best by `score`, or number `wanted`.

    score: of the model as it is, higher is better. number, state: of the period that is kept, from 0.
    """

    score: Callable[[Any], float]
    wanted: int | None = None
    scores: list[float] = field(default_factory=list)
    number: int | None = None
    state: dict[str, Tensor] | None = None

    def look(self, model: nn.Module, number: int) -> None:
        if self.wanted is None:
            training = model.training
            with torch.no_grad():
                found = self.score(model.eval())
            model.train(training)
            best = not self.scores or found > max(self.scores)
            self.scores.append(found)
        if best if self.wanted is None else number == self.wanted:
            self.number = number
            self.state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}


@dataclass(frozen=True)
class Recipe:
    """How long and how fast a head learns. lr: the peak of OneCycle.

    precision: of `DTYPES`, what the network computes in. checkpoint: a file to go on from, if it is there, and to keep
    up to date. period: steps after which `keeper` looks at the model.
    """

    steps: int
    batch: int = 96
    lr: float = 1e-3
    seed: int = 0
    style: Style = OURS
    device: str = "cpu"
    precision: str = "fp32"
    checkpoint: Path | None = None
    period: int = 0
    keeper: Keeper | None = None


def fit(
    model: Model, samples: Samples, recipe: Recipe, loss: Callable[[Batch, int], Tensor], *,
    learned: Sequence[nn.Parameter], slow: Sequence[nn.Parameter] = (),
    before: Callable[[Batch, int], None] | None = None, after: Callable[[Batch, int], None] | None = None,
    no_description: float = 0.15, also: Sequence[torch.optim.Optimizer] = (),
) -> Model:  # fmt: skip
    """Train a head by the recipe's style; returns it, or its exponential average, in evaluation mode on the device.

    Args:
        loss: of a batch at a step.
        learned: parameters that are trained. slow: those of them that learn at a tenth of the rate.
        before, after: called with the named batch of each step, before the model learns from it, and then.
        no_description: how often names stand for the description too (`TextBank.sample`).
        also: optimisers of `before` and `after`, for the checkpoint.
    """
    texts, rows, extra = samples.texts, samples.texts.rows(samples.names), samples.extra
    style, device = recipe.style, torch.device(recipe.device)
    rng = np.random.default_rng(recipe.seed)
    model = model.to(device)
    x, y = torch.from_numpy(samples.features).to(device), torch.from_numpy(samples.concept).to(device)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=moving_average, use_buffers=True)
    groups = [[p for p in learned if all(p is not s for s in slow)], [*slow]]
    optimiser, schedule = _optimiser(groups, recipe)
    scaler = torch.amp.GradScaler(device.type, enabled=recipe.precision == "fp16")
    fixed = None if style.mixed else torch.from_numpy(texts.pooled(samples.names)).to(device)
    picks = _picks(samples.concept, recipe, rng)
    parts = {"model": model, "optimiser": optimiser, "schedule": schedule, "scaler": scaler}
    parts |= {"average": average} if style.averaged else {}
    parts |= {f"also {i}": each for i, each in enumerate(also)}
    begun, saved = _resume(recipe, parts, rng), time.monotonic()
    for step in tqdm(range(recipe.steps), desc=type(model).__name__, disable=None):
        pick = next(picks).to(device)
        if step < begun:
            continue
        text = torch.from_numpy(texts.sample(rows, rng, no_description)).to(device) if fixed is None else fixed
        named = Batch(x[pick], y[pick], text, None)
        if before is not None:
            before(named, step)
        with _mixed(recipe):
            total = loss(named, step)
            if extra is not None:
                some = rng.choice(len(extra.features), recipe.batch // 2, replace=False)
                rivals, same = composed_rivals(extra.composed, extra.clip[some], rng, recipe.batch)
                part, own = torch.from_numpy(extra.features[some]), torch.arange(len(some))
                other = (each.to(device) for each in (part, own, torch.from_numpy(rivals), same))
                total = total + 0.5 * loss(Batch(*other), step)
        optimiser.zero_grad(set_to_none=True)
        scaler.scale(total).backward()
        if style.clip:
            scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(learned, style.clip)
        scaler.step(optimiser)
        scaler.update()
        schedule.step()
        if after is not None:
            after(named, step)
        if style.averaged:
            average.update_parameters(model)
        done = step + 1
        if recipe.keeper is not None and recipe.period and (done % recipe.period == 0 or done == recipe.steps):
            recipe.keeper.look(average.module if style.averaged else model, step // recipe.period)
        if recipe.checkpoint is not None and (time.monotonic() - saved >= SAVED_EVERY_S or done == recipe.steps):
            _save(recipe, parts, rng, done)
            saved = time.monotonic()
    made: Any = average.module if style.averaged else model
    if recipe.keeper is not None and recipe.keeper.state is not None:
        made.load_state_dict(recipe.keeper.state)
    return made.eval()


def _optimiser(groups: list[list[nn.Parameter]], recipe: Recipe) -> tuple[torch.optim.Optimizer, LRScheduler]:
    """groups: parameters of the whole rate, and of a tenth of it."""
    style, lr, steps = recipe.style, recipe.lr, recipe.steps
    rates = [{"params": group, "lr": rate} for group, rate in zip(groups, (lr, 0.1 * lr), strict=True)]
    kind = torch.optim.AdamW if style.optimiser == "adamw" else torch.optim.Adam
    optimiser = kind(rates, lr=lr, weight_decay=style.weight_decay)
    if style.schedule == "onecycle":
        return optimiser, OneCycleLR(optimiser, [lr, 0.1 * lr], total_steps=steps, pct_start=0.1)

    def share(step: int) -> float:
        if step < style.warm_up:
            return step / style.warm_up
        done = (step - style.warm_up) / max(1, steps - style.warm_up)
        return 0.5 * (1 + np.cos(np.pi * done)) if style.schedule == "cosine" else 1.0

    return optimiser, LambdaLR(optimiser, share)


def _picks(concept: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> Iterator[Tensor]:
    """Each step's clips, int `[B]`. An epoch's last batch may be smaller."""
    steps, batch, count = recipe.steps, recipe.batch, len(concept)
    if recipe.style.sampling == "rare":
        chance = 1 / np.sqrt(np.bincount(concept)[concept])
        return iter(torch.from_numpy(rng.choice(count, (steps, batch), p=chance / chance.sum())))
    drawn = (np.random.default_rng([recipe.seed, number]).permutation(count) for number in itertools.count())
    orders = (torch.from_numpy(order) for order in drawn)
    if recipe.style.sampling == "batches":
        return (order[:batch] for order in orders)
    return itertools.chain.from_iterable(order.split(batch) for order in orders)


def _mixed(recipe: Recipe) -> AbstractContextManager[Any]:
    dtype = DTYPES[recipe.precision]
    return nullcontext() if dtype == torch.float32 else torch.autocast(torch.device(recipe.device).type, dtype)


def _save(recipe: Recipe, parts: dict[str, Any], rng: np.random.Generator, done: int) -> None:
    assert recipe.checkpoint is not None
    keeper = recipe.keeper
    content = {name: part.state_dict() for name, part in parts.items()} | {
        "done": done, "rng": rng.bit_generator.state, "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        "keeper": None if keeper is None else (keeper.scores, keeper.number, keeper.state),
    }  # fmt: skip
    recipe.checkpoint.parent.mkdir(parents=True, exist_ok=True)
    with whole(recipe.checkpoint) as partial:
        torch.save(content, partial)


def _resume(recipe: Recipe, parts: dict[str, Any], rng: np.random.Generator) -> int:
    """Steps that are done already; everything is as it was then."""
    if recipe.checkpoint is None or not recipe.checkpoint.is_file():
        return 0
    saved = torch.load(recipe.checkpoint, map_location="cpu", weights_only=True)
    for name, part in parts.items():
        part.load_state_dict(saved[name])
    rng.bit_generator.state = saved["rng"]
    torch.set_rng_state(saved["torch"])
    if torch.cuda.is_available() and saved["cuda"]:
        torch.cuda.set_rng_state_all(saved["cuda"])
    if recipe.keeper is not None and saved["keeper"] is not None:
        recipe.keeper.scores, recipe.keeper.number, recipe.keeper.state = saved["keeper"]
    return int(saved["done"])
