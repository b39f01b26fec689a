"""Train SA-DVAE and FS-VAE on the frozen features of a trained encoder."""

from __future__ import annotations

import torch
from torch import Tensor

from edge_app.errors import UsageError
from edge_app.ranker.labels.table import PARTS
from train.data.texts import centre_of
from train.heads.loop import Batch, Recipe, Samples, fit
from train.models.fs_vae import FsVae, FsVaeConfig
from train.models.sa_dvae import SaDvae, SaDvaeConfig


def fit_sa_dvae(samples: Samples, config: SaDvaeConfig, recipe: Recipe) -> SaDvae:
    """Train an SA-DVAE head; returns its exponential average, in evaluation mode.

    AdamW and OneCycle are this project's; the authors' code has Adam at a constant rate (METHODS.md 4.3). The
    discriminator learns at that constant rate, every `config.every` steps, before the autoencoders or after them.

    Raises:
        UsageError: features or texts that do not fit the config.
    """
    _check(samples, config.feature, config.text)
    torch.manual_seed(recipe.seed)
    model = SaDvae(config)
    if config.standardised:
        _standardise(model, samples, [config.feature], [config.text])
    model = model.to(recipe.device)
    optimiser = torch.optim.Adam(model.discriminator.parameters(), recipe.lr)

    def loss(b: Batch, step: int) -> Tensor:
        return model.loss(b.feature, b.own, b.text, model.weights(step, recipe.steps), b.same)

    def discriminate(b: Batch, step: int) -> None:
        if config.correlation and step % config.every == config.every - 1:
            optimiser.zero_grad(set_to_none=True)
            model.discriminator_loss(b.feature, b.own, b.text, model.weights(step, recipe.steps)).backward()
            optimiser.step()

    learned = [p for name, p in model.named_parameters() if not name.startswith("discriminator.")]
    before, after = (discriminate, None) if config.discriminator_first else (None, discriminate)
    return fit(model, samples, recipe, loss, learned=learned, before=before, after=after, also=[optimiser])


def fit_fs_vae(samples: Samples, config: FsVaeConfig, recipe: Recipe) -> FsVae:
    """Train an FS-VAE head; returns its exponential average, in evaluation mode.

    Features are `[N, D]` as `FsVae` lays them out; with parts, the texts are those of `TextBank.with_parts`.

    Raises:
        UsageError: features or texts that do not fit the config.
    """
    width = config.base + len(PARTS) * config.part_feature
    _check(samples, width, config.text + len(PARTS) * config.part_text)
    torch.manual_seed(recipe.seed)
    model = FsVae(config)
    if config.standardised:
        over_time, parts = [config.base - config.feature] if config.steps else [], len(PARTS) if config.part_text else 0
        levels = [config.feature, *over_time, *[config.part_feature] * parts]
        _standardise(model, samples, levels, [config.text, *[config.part_text] * parts])

    def loss(b: Batch, step: int) -> Tensor:
        return model.loss(b.feature, b.own, b.text, model.weights(step, recipe.steps), b.same)

    return fit(model, samples, recipe, loss, learned=[*model.parameters()])


def _standardise(model: SaDvae | FsVae, samples: Samples, levels: list[int], text_levels: list[int]) -> None:
    """Features to mean 0 and root mean square 1, centred texts to about that; levels: widths with a scale each."""
    x = torch.from_numpy(samples.features)
    scales = [part.std(0).square().mean().sqrt().expand(part.shape[1]) for part in x.split(levels, 1)]
    model.feature_mean.copy_(x.mean(0))
    model.feature_std.copy_(torch.cat(scales))
    model.text_mean.copy_(torch.from_numpy(centre_of(samples.texts, samples.names)))
    model.text_scale.copy_(torch.cat([torch.full((width,), width**0.5) for width in text_levels]))


def _check(samples: Samples, width: int, text_width: int) -> None:
    shape, concept, names = samples.features.shape, samples.concept, samples.names
    if len(shape) != 2 or shape[1] != width:
        raise UsageError(f"fit: features have shape {shape}, the config wants [N, {width}]")
    if len(concept) != len(samples.features) or not len(concept) or concept.min() < 0 or concept.max() >= len(names):
        raise UsageError(f"fit: {shape[0]} features need as many concepts, each 0 to {len(names) - 1}")
    if samples.texts.dim != text_width:
        raise UsageError(f"fit: texts are {samples.texts.dim} wide, the config wants {text_width}")
