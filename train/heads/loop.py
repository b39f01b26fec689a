"""The training loop of all heads: frozen features of named and composed windows, against texts drawn at each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar, cast

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from train.data.texts import ConceptTexts, FixedTexts
from train.encoder.frozen import Extra
from train.encoder.train import moving_average
from train.synthetic.bank import composed_rivals

Model = TypeVar("Model", bound=nn.Module)


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
class Recipe:
    """How long and how fast a head learns. lr: the peak of OneCycle."""

    steps: int
    batch: int = 96
    lr: float = 1e-3
    seed: int = 0


def fit(
    model: Model, samples: Samples, recipe: Recipe, loss: Callable[[Batch, int], Tensor], *,
    learned: Sequence[nn.Parameter], slow: Sequence[nn.Parameter] = (),
    before: Callable[[Batch, int], None] | None = None, after: Callable[[Batch, int], None] | None = None,
    no_description: float = 0.15,
) -> Model:  # fmt: skip
    """Train a head with AdamW and OneCycle; returns its exponential average, in evaluation mode.

    Args:
        loss: of a batch at a step.
        learned: parameters that are trained. slow: those of them that learn at a tenth of the rate.
        before, after: called with the named batch of each step, before the model learns from it, and then.
        no_description: how often names stand for the description too (`TextBank.sample`).
    """
    texts, rows, extra = samples.texts, samples.texts.rows(samples.names), samples.extra
    steps, batch, lr = recipe.steps, recipe.batch, recipe.lr
    rng = np.random.default_rng(recipe.seed)
    x, y = torch.from_numpy(samples.features), torch.from_numpy(samples.concept)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=moving_average, use_buffers=True)
    groups = [[p for p in learned if all(p is not s for s in slow)], [*slow]]
    optimiser = torch.optim.AdamW([{"params": group} for group in groups], lr=lr, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [lr, 0.1 * lr], total_steps=steps, pct_start=0.1)
    chance = 1 / np.sqrt(np.bincount(samples.concept, minlength=len(rows))[samples.concept])
    picks = torch.from_numpy(rng.choice(len(x), (steps, batch), p=chance / chance.sum()))
    for step in tqdm(range(steps), desc=type(model).__name__, disable=None):
        text = torch.from_numpy(texts.sample(rows, rng, no_description))
        named = Batch(x[picks[step]], y[picks[step]], text, None)
        if before is not None:
            before(named, step)
        total = loss(named, step)
        if extra is not None:
            some = rng.choice(len(extra.features), batch // 2, replace=False)
            rivals, same = composed_rivals(extra.composed, extra.clip[some], rng, batch)
            part = torch.from_numpy(extra.features[some])
            total = total + 0.5 * loss(Batch(part, torch.arange(len(some)), torch.from_numpy(rivals), same), step)
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(learned, 5.0)
        optimiser.step()
        schedule.step()
        if after is not None:
            after(named, step)
        average.update_parameters(model)
    return cast(Model, average.module.eval())
