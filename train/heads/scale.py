"""Train SCALE on the frozen features of a trained encoder."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from train.data.texts import centre_of
from train.heads.loop import Batch, Recipe, Samples, fit
from train.models.scale import Scale, ScaleConfig


def fit_scale(samples: Samples, config: ScaleConfig, recipe: Recipe, text_map: Tensor | None = None) -> Scale:
    """Train a SCALE head; returns its exponential average.

    Args:
        text_map: `[D, texts.dim]`, where anchors begin; without it there is no text head to listen to.
    """
    torch.manual_seed(recipe.seed)
    if text_map is None:
        config = dataclasses.replace(config, text_head=0.0)
    texts, names = samples.texts, samples.names
    width = texts.dim // (config.tokens + 1)
    model = Scale(dataclasses.replace(config, feature=samples.features.shape[1], text=width))
    x, frozen = torch.from_numpy(samples.features), torch.from_numpy(texts.pooled(names)).to(recipe.device)
    model.feature_mean.copy_(x.mean(0))
    model.feature_std.fill_(float(x.std(0).square().mean().sqrt()))
    centre = torch.from_numpy(centre_of(texts, names)) if not config.tokens else model.pooled(frozen.cpu()).mean(0)
    model.text_mean.copy_(centre)
    if text_map is not None and model.text_map is not None:
        model.text_map.weight.data.copy_(text_map)

    def loss(b: Batch, step: int) -> Tensor:
        warm = min(1.0, step / (0.2 * recipe.steps))
        return model.loss(b.feature, b.own, b.text, warm, frozen if b.same is None else b.text, b.same)

    slow = [] if model.text_map is None else [*model.text_map.parameters()]
    return fit(model, samples, recipe, loss, learned=[*model.parameters()], slow=slow)
