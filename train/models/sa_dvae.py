"""SA-DVAE (arXiv 2407.13460): a skeleton's latent has a part that text can tell and a part that it cannot.

From the authors' code as METHODS.md 4 describes it. A discriminator that tells pairs of the parts from shuffled ones
keeps the parts independent (total correlation); cross-reconstruction aligns the related part with the text's latent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

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
class SaDvaeConfig:
    """Widths, quirks and weights. A loss weight of 0 switches its term off; the schedule multiplies the others.

    related, irrelevant: widths of the latent's parts (d_r, d_v of 4.3).
    one_epsilon, rectified: quirks of the code (4.1): one random number a sample, drawn for each part of the latent and
        each text by itself; ReLU after decoders and classifier.
    bound: of log-variances, either way; ours.
    redrawn: the discriminator's pairs with texts draw the irrelevant part anew, as coded. discriminator_first: it
        learns from a batch before the autoencoders do, as coded.
    standardised: features by the training's statistics, texts centred; ours.
    schedule: "released" (4.2, first form), or "paper" (4.2, INFERRED from notes) with its `cycles`, and the targets
        `kl_feature` and `kl_text` that it rises to. The discriminator's term has the weight of the text's KL, as coded.
    every: steps of the autoencoders for one of the discriminator (n_d).
    contrast, temperature: ours, cross-entropy over energies.
    """

    feature: int = 256
    text: int = 1024
    related: int = 160
    irrelevant: int = 8
    one_epsilon: bool = True
    rectified: bool = True
    bound: float = math.inf
    redrawn: bool = True
    discriminator_first: bool = True
    standardised: bool = False
    schedule: Literal["released", "paper"] = "released"
    cycles: int = 10
    kl_feature: float = 0.02
    kl_text: float = 0.02
    reconstruction: float = 1.0
    kl: float = 1.0
    cross: float = 1.0
    correlation: float = 1.0
    every: int = 5
    contrast: float = 0.0
    temperature: float = 0.1
    noise: int = 64


FAITHFUL = SaDvaeConfig()
"""NTU-60 by the SynSE splits, as released (4.3)."""
IMPROVED = SaDvaeConfig(
    one_epsilon=False,
    rectified=False,
    bound=8.0,
    redrawn=False,
    discriminator_first=False,
    standardised=True,
    schedule="paper",
    cycles=4,
    contrast=1.0,
)
"""The quirks mended, and a contrast of energies, for our features and texts."""


class SaDvae(nn.Module):
    """Energies of features under texts.

    `feature_mean`, `feature_std`, `text_mean`, `text_scale`: of the seen training features and of texts in general;
    they stay at 0 and 1 unless the config says `standardised`.
    `noise`: `[noise, related]`, standard normal in opposite pairs, which nothing reads any more; saved heads have it.
    """

    feature_mean: Tensor
    feature_std: Tensor
    text_mean: Tensor
    text_scale: Tensor

    def __init__(self, config: SaDvaeConfig = FAITHFUL) -> None:
        super().__init__()
        c = self.config = config
        width = c.related + c.irrelevant
        self.register_buffer("feature_mean", torch.zeros(c.feature))
        self.register_buffer("feature_std", torch.ones(c.feature))
        self.register_buffer("text_mean", torch.zeros(c.text))
        self.register_buffer("text_scale", torch.ones(c.text))
        half = torch.randn(c.noise // 2, c.related, generator=torch.Generator().manual_seed(0))
        self.register_buffer("noise", torch.cat([half, -half]))
        self.feature_encoder = gaussian(c.feature, width)
        self.feature_decoder = linear(width, c.feature)
        self.text_encoder = gaussian(c.text, c.related)
        self.text_decoder = linear(c.related, c.text)
        self.discriminator = nn.Sequential(linear(width, width // 4), nn.ReLU(), linear(width // 4, 1))

    def standardise(self, feature: Tensor) -> Tensor:
        return (feature - self.feature_mean) / self.feature_std

    def text_of(self, text: Tensor) -> Tensor:
        """`[K, text] -> [K, text]`; in, rows of unit length."""
        return (text - self.text_mean) * self.text_scale

    def decode_feature(self, z: Tensor) -> Tensor:
        x = self.feature_decoder(z)
        return x.relu() if self.config.rectified else x

    def decode_text(self, related: Tensor) -> Tensor:
        t = self.text_decoder(related)
        return t.relu() if self.config.rectified else t

    def posterior(self, layer: nn.Linear, x: Tensor) -> tuple[Tensor, Tensor]:
        return posterior(layer, x, self.config.bound)

    def related(self, feature: Tensor) -> Tensor:
        """Mean of the part that text can tell: `[B, feature] -> [B, related]`."""
        return self.posterior(self.feature_encoder, self.standardise(feature))[0][:, : self.config.related]

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        """Closed form, INFERRED (4.4), nothing sampled: `[B, feature], [K, text] -> [B, K]`."""
        return latent_energies(self.related(feature), *self.posterior(self.text_encoder, self.text_of(text)))

    def classifier(self, text: Tensor, **how: Any) -> nn.Module:
        """The paper's classifier for these texts `[K, text]`: `related(feature) -> [B, K]` logits. how: of
        `train_classifier`."""
        of_text = self.posterior(self.text_encoder, self.text_of(text))
        return train_classifier(*of_text, rectified=self.config.rectified, one_epsilon=self.config.one_epsilon, **how)

    def weights(self, step: int, steps: int) -> Weights:
        """The schedule (4.2) at a step of the whole training."""
        c = self.config
        if c.schedule == "released":
            return released_weights(step, steps, 0.8)
        cycle, place = divmod(step * c.cycles / steps, 1)
        risen = max(0.0, 1.5 * (place - 1 / 3))
        return Weights(c.kl_feature * risen, c.kl_text * risen, float(cycle >= 1))

    def draw(self, of_x: tuple[Tensor, Tensor]) -> Tensor:
        """A sample of both parts of the latent: 2 x `[B, related + irrelevant]` -> as much."""
        c = self.config
        return draw(*of_x, c.one_epsilon, (c.related, c.irrelevant))

    def loss(self, feature: Tensor, own: Tensor, text: Tensor, weights: Weights, same: Tensor | None = None) -> Tensor:
        """The autoencoders' loss (4.2).

        Args:
            feature: `[B, feature]`; text: this step's texts `[K, text]`, unit rows; own: int `[B]`, each feature's row
                of them. same: bool `[B, K]`, texts that mean the same as the feature's own and are no rivals.
        """
        c, x, t = self.config, self.standardise(feature), self.text_of(text)
        of_x, of_text = self.posterior(self.feature_encoder, x), self.posterior(self.text_encoder, t)
        of_t, t = (of_text[0][own], of_text[1][own]), t[own]
        z, z_t = self.draw(of_x), draw(*of_t, c.one_epsilon)
        related, irrelevant = z[:, : c.related], z[:, c.related :]

        mse = functional.mse_loss
        total = c.reconstruction * (mse(self.decode_feature(z), x) + mse(self.decode_text(z_t), t))
        total = total + c.kl * (weights.kl_feature * divergence(*of_x) + weights.kl_text * divergence(*of_t))
        if c.cross and weights.cross:
            crossed = mse(self.decode_feature(torch.cat([z_t, irrelevant], 1)), x)
            total = total + c.cross * weights.cross * (mse(self.decode_text(related), t) + crossed)
        if c.correlation and weights.kl_text:
            total = total + c.correlation * weights.kl_text * self.discriminator(z).sigmoid().mean()
        if c.contrast:
            energies = latent_energies(of_x[0][:, : c.related], *of_text)
            total = total + c.contrast * contrast(energies, own, c.temperature, same)
        return total

    def discriminator_loss(self, feature: Tensor, own: Tensor, text: Tensor, weights: Weights) -> Tensor:
        """Pairs of one skeleton or its text against shuffled ones (4.2); only the discriminator gets a gradient."""
        c = self.config
        with torch.no_grad():
            of_x = self.posterior(self.feature_encoder, self.standardise(feature))
            mean, log_variance = self.posterior(self.text_encoder, self.text_of(text))
            z = self.draw(of_x)
            z_t = draw(mean[own], log_variance[own], c.one_epsilon)
            again = self.draw(of_x) if c.redrawn else z
            pairs = []
            for part, irrelevant in ((z[:, : c.related], z[:, c.related :]), (z_t, again[:, c.related :])):
                orders = [torch.randperm(len(z), device=z.device) for _ in range(2)]
                mixed = part[orders[0]], irrelevant[orders[1]]
                pairs += [torch.cat([part, irrelevant], 1), torch.cat(mixed, 1)]
        logits = self.discriminator(torch.stack(pairs))[..., 0]
        real = logits.new_tensor([1.0, 0.0, 1.0, 0.0])[:, None].expand_as(logits)
        return c.correlation * weights.kl_text * functional.binary_cross_entropy_with_logits(logits, real)
