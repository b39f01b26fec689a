"""Train SCALE on the frozen features of a trained encoder."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import Tensor

from train.data.texts import ConceptTexts, FixedTexts, centre_of
from train.encoder.frozen import Extra
from train.heads.loop import Batch, fit
from train.models.scale import Scale, ScaleConfig


def fit_scale(
    features: np.ndarray, concept: np.ndarray, names: list[str], texts: ConceptTexts | FixedTexts, config: ScaleConfig,
    text_map: Tensor | None = None, extra: Extra | None = None, *, steps: int, batch: int, lr: float, seed: int,
) -> Scale:  # fmt: skip
    """Train a SCALE head; returns its exponential average.

    Args:
        features: float32 `[N, D]`; concept: int `[N]`, each one's row of `names`.
        text_map: `[D, texts.dim]`, where anchors begin.
    """
    torch.manual_seed(seed)
    model = Scale(dataclasses.replace(config, feature=features.shape[1], text=texts.dim))
    x, frozen = torch.from_numpy(features), torch.from_numpy(texts.pooled(names))
    model.feature_mean.copy_(x.mean(0))
    model.feature_std.fill_(float(x.std(0).square().mean().sqrt()))
    model.text_mean.copy_(torch.from_numpy(centre_of(texts, names)))
    if text_map is not None and model.text_map is not None:
        model.text_map.weight.data.copy_(text_map)

    def loss(b: Batch, step: int) -> Tensor:
        warm = min(1.0, step / (0.2 * steps))
        return model.loss(b.feature, b.own, b.text, warm, frozen if b.same is None else b.text, b.same)

    return fit(
        model, features, concept, texts.rows(names), texts, extra, loss, learned=[*model.parameters()],
        slow=[] if model.text_map is None else [model.text_map.weight], steps=steps, batch=batch, lr=lr, seed=seed,
    )  # fmt: skip
