"""FS-VAE (arXiv 2506.22179): latents of frequency-enhanced features, aligned with texts of several levels.

From the authors' code as METHODS.md 5 describes it (`FAITHFUL`), and mended towards the paper's idea (`IMPROVED`):
enhancement over time instead of over channels, and body parts with latents of their own beside the whole body.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_app.errors import UsageError
from edge_app.ranker.fs_vae import BANDS, frequency_bands
from edge_app.ranker.labels.table import PARTS
from edge_app.ranker.layers import dct_matrix
from train.models.latents import (
    Weights,
    contrast,
    divergence,
    draw,
    gaussian,
    latent_energies,
    linear,
    posterior,
    released_weights,
    train_classifier,
)


@dataclass(frozen=True)
class FsVaeConfig:
    """Widths, quirks and weights. A loss weight of 0 switches its term off; the schedule multiplies the others.

    feature, text, latent: widths of the whole body's level.
    frequency: "channels" as coded (5.2), "time" over `steps` x `channels` features of the encoder (INFERRED from the
        paper's idea; with `steps` 0 there is nothing to enhance), or "none".
    part_feature, part_text: widths of each of arms, legs and torso; 0 for the whole body alone.
    part_weight: share of the parts in loss and energy, where features of parts are given.
    one_epsilon, rectified, bound, standardised: as in SA-DVAE.
    cross_from, kl_from, rise: of `released_weights`, shares of a cycle.
    calibration: lambda of 5.3. cross: alpha. both_sides: also the feature's error is set against a negative, and
        negatives are of another class; as coded, they are any sample, and the feature's error has none.
    contrast, temperature: ours, cross-entropy over energies.
    """

    feature: int = 256
    text: int = 1536
    latent: int = 100
    frequency: Literal["channels", "time", "none"] = "channels"
    steps: int = 0
    channels: int = 0
    part_feature: int = 0
    part_text: int = 0
    part_weight: float = 0.3
    one_epsilon: bool = True
    rectified: bool = True
    bound: float = math.inf
    standardised: bool = False
    reconstruction: float = 1.0
    kl: float = 1.0
    cross: float = 0.5
    calibration: float = 100.0
    cross_from: float = 1400 / 1700
    kl_from: float = 0.588
    rise: float = 1.765
    both_sides: bool = False
    contrast: float = 0.0
    temperature: float = 0.1

    @property
    def base(self) -> int:
        """Width of a feature vector without parts: the pooled feature, then `steps` x `channels`."""
        return self.feature + self.steps * self.channels


FAITHFUL = FsVaeConfig(kl_from=1000 / 1700, rise=3000 / 1700)
"""NTU-60 as released (5.3): cycles of 1,700 iterations."""
NTU120 = dataclasses.replace(
    FAITHFUL, latent=200, cross=0.1, cross_from=1500 / 1900, kl_from=1000 / 1900, rise=3000 / 1900
)
"""NTU-120 as released: cycles of 1,900."""
IMPROVED = FsVaeConfig(
    latent=200,
    frequency="time",
    one_epsilon=False,
    rectified=False,
    bound=8.0,
    standardised=True,
    cross=0.1,
    both_sides=True,
    contrast=1.0,
)
"""The quirks mended, and a contrast of energies, for our features and texts."""


class ChannelGains(nn.Module):
    """The enhancement as coded: gains of 30 bands of a DCT over the feature axis (5.2), `[B, width] -> [B, width]`."""

    dct: Tensor
    band: Tensor
    slope: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        band, slope = frequency_bands(width)
        self.register_buffer("dct", torch.from_numpy(dct_matrix(width)), persistent=False)
        self.register_buffer("band", torch.from_numpy(band), persistent=False)
        self.register_buffer("slope", torch.from_numpy(slope), persistent=False)
        self.w = nn.Parameter(torch.ones(BANDS))
        self.k = nn.Parameter(torch.tensor(0.3))

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.dct.T * (1 + self.w[self.band] * self.k * self.slope)) @ self.dct


class TimeGains(nn.Module):
    """INFERRED: a learned gain for each frequency over time (the paper's "only w_i", but over time), then pooling.

    `[B, steps, channels] -> [B, 2 * channels]`, the mean and the peak over time; the mean alone would see no frequency
    but the lowest.
    """

    dct: Tensor

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.register_buffer("dct", torch.from_numpy(dct_matrix(steps)), persistent=False)
        self.w = nn.Parameter(torch.zeros(steps))

    def forward(self, x: Tensor) -> Tensor:
        x = self.dct.T @ ((1 + self.w)[:, None] * (self.dct @ x))
        return torch.cat([x.mean(1), x.amax(1)], dim=1)


class Level(nn.Module):
    """The autoencoders of a body, or of a part of it: features on one side, their texts on the other."""

    def __init__(self, inputs: int, feature: int, text: int, latent: int, rectified: bool) -> None:
        super().__init__()
        self.feature_encoder, self.text_encoder = gaussian(inputs, latent), gaussian(text, latent)
        self.feature_decoder, self.text_decoder = linear(latent, feature), linear(latent, text)
        self.end = nn.ReLU() if rectified else nn.Identity()

    def decode_feature(self, z: Tensor) -> Tensor:
        return self.end(self.feature_decoder(z))

    def decode_text(self, z: Tensor) -> Tensor:
        return self.end(self.text_decoder(z))


class FsVae(nn.Module):
    """Energies of features under texts.

    A feature vector is the pooled feature, then the features over time, if the config has them, then, if the encoder
    gives them, those of arms, legs and torso; a text vector is the whole text, then those of the parts. Without the
    parts' features the whole body decides alone.

    `feature_mean`, `feature_std`, `text_mean`, `text_scale`: for all of these, at 0 and 1 unless `standardised`.
    """

    feature_mean: Tensor
    feature_std: Tensor
    text_mean: Tensor
    text_scale: Tensor

    def __init__(self, config: FsVaeConfig = FAITHFUL) -> None:
        super().__init__()
        c = self.config = config
        if c.steps and c.frequency != "time":
            raise UsageError(f"FS-VAE: {c.steps} steps over time need frequency 'time', found '{c.frequency}'")
        if bool(c.part_feature) != bool(c.part_text):
            raise UsageError("FS-VAE: part_feature and part_text go together, found one of them 0")
        count = len(PARTS) if c.part_feature else 0
        width, self.text_width = c.base + count * c.part_feature, c.text + count * c.part_text
        self.register_buffer("feature_mean", torch.zeros(width))
        self.register_buffer("feature_std", torch.ones(width))
        self.register_buffer("text_mean", torch.zeros(self.text_width))
        self.register_buffer("text_scale", torch.ones(self.text_width))
        self.register_buffer("part_weight", torch.tensor(c.part_weight))
        self.whole = Level(c.feature + 2 * c.channels, c.feature, c.text, c.latent, c.rectified)
        self.parts = nn.ModuleList(
            Level(c.part_feature, c.part_feature, c.part_text, c.latent, c.rectified) for _ in range(count)
        )
        coded = c.frequency == "channels"
        self.feature_gains = ChannelGains(c.feature) if coded else None
        self.text_gains = ChannelGains(c.text) if coded else None
        self.time_gains = TimeGains(c.steps) if c.steps else None

    def posterior(self, layer: nn.Linear, x: Tensor) -> tuple[Tensor, Tensor]:
        return posterior(layer, x, self.config.bound)

    def levels(self, feature: Tensor, text: Tensor) -> list[tuple[Level, Tensor, Tensor, Tensor, Tensor]]:
        """Of each level that the feature has: level, what goes in, what should come out, text in, text out.

        Raises:
            UsageError: features or texts of a width that the config does not know.
        """
        c, width = self.config, feature.shape[1]
        if width not in (c.base, len(self.feature_mean)):
            raise UsageError(f"FS-VAE: features are {width} wide, must be {c.base} or {len(self.feature_mean)}")
        if text.shape[1] not in (c.text, self.text_width) or (width > c.base and text.shape[1] == c.text):
            raise UsageError(f"FS-VAE: texts are {text.shape[1]} wide, must be {self.text_width}")
        x = (feature - self.feature_mean[:width]) / self.feature_std[:width]
        t = (text - self.text_mean[: text.shape[1]]) * self.text_scale[: text.shape[1]]
        pooled, whole = x[:, : c.feature], t[:, : c.text]
        inputs, text_inputs = pooled, whole
        if self.feature_gains is not None and self.text_gains is not None:
            inputs, text_inputs = self.feature_gains(pooled), self.text_gains(whole)
        if self.time_gains is not None:
            over_time = x[:, c.feature : c.base].unflatten(1, (c.steps, c.channels))
            inputs = torch.cat([pooled, self.time_gains(over_time)], dim=1)
        found: list[tuple[Any, Tensor, Tensor, Tensor, Tensor]] = [(self.whole, inputs, pooled, text_inputs, whole)]
        if width > c.base:
            split = zip(x[:, c.base :].split(c.part_feature, 1), t[:, c.text :].split(c.part_text, 1), strict=True)
            found += [(level, xp, xp, tp, tp) for level, (xp, tp) in zip(self.parts, split, strict=True)]
        return found

    def shares(self, levels: int) -> list[float]:
        """What the whole body and each part count for; they sum to 1."""
        if levels == 1:
            return [1.0]
        part = self.config.part_weight
        return [1 - part, *[part / (levels - 1)] * (levels - 1)]

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        """Closed form as in SA-DVAE, INFERRED (4.4), nothing sampled: `[B, D], [K, E] -> [B, K]`."""
        levels = self.levels(feature, text)
        total = torch.zeros((), device=feature.device)
        for share, (level, x, _, t, _) in zip(self.shares(len(levels)), levels, strict=True):
            latent, _ = self.posterior(level.feature_encoder, x)
            total = total + share * latent_energies(latent, *self.posterior(level.text_encoder, t))
        return total

    def latent(self, feature: Tensor) -> Tensor:
        """Mean latent of the whole body, which the classifier reads: `[B, D] -> [B, latent]`."""
        level, x, *_ = self.levels(feature, self.text_mean[None])[0]
        return self.posterior(level.feature_encoder, x)[0]

    def classifier(self, text: Tensor, **how: Any) -> nn.Module:
        """The papers' classifier for these texts (4.4): `latent(feature) -> [B, K]` logits. how: of
        `train_classifier`."""
        level, _, _, t, _ = self.levels(self.feature_mean[None], text)[0]
        of_text = self.posterior(level.text_encoder, t)
        return train_classifier(*of_text, rectified=self.config.rectified, one_epsilon=self.config.one_epsilon, **how)

    def weights(self, step: int, steps: int) -> Weights:
        """The schedule (5.3) at a step of the whole training."""
        c = self.config
        return released_weights(step, steps, c.cross_from, c.kl_from, c.rise)

    def loss(self, feature: Tensor, own: Tensor, text: Tensor, weights: Weights, same: Tensor | None = None) -> Tensor:
        """Total of 5.3, over levels.

        Args:
            feature: `[B, D]`; text: this step's texts `[K, E]`, unit rows; own: int `[B]`, each feature's row of them.
            same: bool `[B, K]`, texts that mean the same as the feature's own and are no rivals.
        """
        c, levels = self.config, self.levels(feature, text)
        total = torch.zeros((), device=feature.device)
        for share, (level, inputs, x, text_inputs, t) in zip(self.shares(len(levels)), levels, strict=True):
            of_x, of_text = (
                self.posterior(level.feature_encoder, inputs),
                self.posterior(level.text_encoder, text_inputs),
            )
            of_t, own_text = (of_text[0][own], of_text[1][own]), t[own]
            z, z_t = draw(*of_x, c.one_epsilon), draw(*of_t, c.one_epsilon)
            mse = functional.mse_loss
            loss = c.reconstruction * (mse(level.decode_feature(z), x) + mse(level.decode_text(z_t), own_text))
            loss = loss + c.kl * (weights.kl_feature * divergence(*of_x) + weights.kl_text * divergence(*of_t))
            if c.cross and weights.cross:
                loss = loss + c.cross * weights.cross * self._calibrated(level, x, own_text, z, z_t, own)
            if c.contrast:
                loss = loss + c.contrast * contrast(latent_energies(of_x[0], *of_text), own, c.temperature, same)
            total = total + share * loss
        return total

    def _calibrated(self, level: Level, x: Tensor, t: Tensor, z: Tensor, z_t: Tensor, own: Tensor) -> Tensor:
        """lambda (C_t + C_s) of 5.3."""
        other = self.negatives(own)
        of_text, of_feature = level.decode_text(z), level.decode_feature(z_t)
        text_gap = (t - of_text).square().sum(1) - (t - of_text[other]).square().sum(1)
        feature_gap = (x - of_feature).square().sum(1)
        if self.config.both_sides:
            feature_gap = feature_gap - (x - of_feature[other]).square().sum(1)
        scale = self.config.calibration
        return scale * (torch.sigmoid(text_gap / scale).mean() + torch.sigmoid(feature_gap / scale).mean())

    def negatives(self, own: Tensor) -> Tensor:
        """A row to set against each row: a random order, or of another class where there is one."""
        if not self.config.both_sides:
            return torch.randperm(len(own), device=own.device)
        return torch.multinomial((own[:, None] != own).float() + 1e-9, 1)[:, 0]
