"""Fit SA-DVAE and FS-VAE on frozen features, as `train/heads/scale.py` fits SCALE."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from edge_app.errors import UsageError
from edge_app.ranker.labels.table import PARTS
from train.data.texts import ConceptTexts, FixedTexts, centre_of
from train.encoder.frozen import Extra
from train.heads.loop import Batch, fit
from train.models.fs_vae import FsVae, FsVaeConfig
from train.models.sa_dvae import SaDvae, SaDvaeConfig


def fit_sa_dvae(
    features: np.ndarray, concept: np.ndarray, names: list[str], texts: ConceptTexts | FixedTexts, config: SaDvaeConfig,
    extra: Extra | None = None, *, steps: int, batch: int, lr: float, seed: int,
) -> SaDvae:  # fmt: skip
    """Train an SA-DVAE head; returns its exponential average, in evaluation mode.

    AdamW and OneCycle are this project's; the authors' code has Adam at a constant rate (METHODS.md 4.3). The
    discriminator learns at that constant rate, every `config.every` steps.

    Args:
        features: float32 `[N, feature]`; concept: int `[N]`, each one's row of `names`.
        extra: composed windows beside the named ones; they count half.

    Raises:
        UsageError: features or texts that do not fit the config.
    """
    _check(features, concept, names, config.feature)
    _check_texts(texts.dim, config.text)
    torch.manual_seed(seed)
    model = SaDvae(config)
    if config.standardised:
        _standardise(model, features, centre_of(texts, names), [config.feature], [config.text])
    optimiser = torch.optim.Adam(model.discriminator.parameters(), lr)

    def loss(b: Batch, step: int) -> Tensor:
        return model.loss(b.feature, b.own, b.text, model.weights(step, steps), b.same)

    def discriminate(b: Batch, step: int) -> None:
        if config.correlation and step % config.every == config.every - 1:
            optimiser.zero_grad(set_to_none=True)
            model.discriminator_loss(b.feature, b.own, b.text, model.weights(step, steps)).backward()
            optimiser.step()

    learned = [p for name, p in model.named_parameters() if not name.startswith("discriminator.")]
    return fit(
        model, features, concept, texts.rows(names), texts, extra, loss, learned=learned, after=discriminate,
        steps=steps, batch=batch, lr=lr, seed=seed,
    )  # fmt: skip


def fit_fs_vae(
    features: np.ndarray, concept: np.ndarray, names: list[str], texts: ConceptTexts | FixedTexts, config: FsVaeConfig,
    extra: Extra | None = None, *, steps: int, batch: int, lr: float, seed: int,
) -> FsVae:  # fmt: skip
    """Train an FS-VAE head; returns its exponential average, in evaluation mode.

    Arguments and errors as in `fit_sa_dvae`; features are `[N, D]` as `FsVae` lays them out, and with parts the texts
    are those of `TextBank.with_parts`.
    """
    _check(features, concept, names, config.base + len(PARTS) * config.part_feature)
    _check_texts(texts.dim, config.text + len(PARTS) * config.part_text)
    torch.manual_seed(seed)
    model = FsVae(config)
    if config.standardised:
        over_time, parts = [config.base - config.feature] if config.steps else [], len(PARTS) if config.part_text else 0
        levels = [config.feature, *over_time, *[config.part_feature] * parts]
        text_levels = [config.text, *[config.part_text] * parts]
        _standardise(model, features, centre_of(texts, names), levels, text_levels)

    def loss(b: Batch, step: int) -> Tensor:
        return model.loss(b.feature, b.own, b.text, model.weights(step, steps), b.same)

    return fit(
        model, features, concept, texts.rows(names), texts, extra, loss, learned=[*model.parameters()],
        steps=steps, batch=batch, lr=lr, seed=seed,
    )  # fmt: skip


def _standardise(
    model: SaDvae | FsVae, features: np.ndarray, centre: np.ndarray, levels: list[int], text_levels: list[int]
) -> None:
    """Features to mean 0 and root mean square 1, centred texts to about that; levels: widths with a spread each."""
    x = torch.from_numpy(features)
    spreads = [part.std(0).square().mean().sqrt().expand(part.shape[1]) for part in x.split(levels, 1)]
    model.feature_mean.copy_(x.mean(0))
    model.feature_std.copy_(torch.cat(spreads))
    model.text_mean.copy_(torch.from_numpy(centre))
    model.text_scale.copy_(torch.cat([torch.full((width,), width**0.5) for width in text_levels]))


def _check(features: np.ndarray, concept: np.ndarray, names: list[str], width: int) -> None:
    if features.ndim != 2 or features.shape[1] != width:
        raise UsageError(f"fit: features have shape {features.shape}, the config wants [N, {width}]")
    if len(concept) != len(features) or not len(concept) or concept.min() < 0 or concept.max() >= len(names):
        raise UsageError(f"fit: {len(features)} features need as many concepts, each 0 to {len(names) - 1}")


def _check_texts(found: int, wanted: int) -> None:
    if found != wanted:
        raise UsageError(f"fit: texts are {found} wide, the config wants {wanted}")
