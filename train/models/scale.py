"""SCALE: class-conditional energy ranking with a text-conditioned variational autoencoder.

The paper's full text was not at hand: its abstract and secondary sources fix the idea (a frozen text sets both the
prior and the decoder; the ELBO at the posterior mean is the energy; listwise loss with semantic bias and uncertainty;
latent prototypes). Every formula below is INFERRED (METHODS.md 2.2 to 2.8), and each term has a switch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True)
class ScaleConfig:
    """Widths and weights. A loss weight of 0 switches its term off.

    anchor: the decoder adds to the text's own place in feature space, which training of the encoder has found; ours.
    text_head: weight in the energy of the encoder's own text head, the distance to that place; ours.
    semantic: alpha, the strength of the semantic bias among negatives (2.6).
    uncertain_margin, uncertain_weight: lambda_m and lambda_r (2.6). prototype: lambda_P (2.7).
    summed: the ELBO of the books, over the feature's width, so that margin and temperature keep their meaning; else the
        means of 2.3, in which the KL weighs feature / latent times as much.
    prototypes: "null", of the posterior without a text (2.7 a), or "matched", of each candidate's own (2.7 b), which is
        class-conditional as the paper's posterior is.
    tokens: rows of a text before its pooled one, which a learned attention joins to it (2.2); 0 for the pooled alone.
    """

    feature: int = 256
    text: int = 768
    condition: int = 256
    latent: int = 64
    hidden: int = 256
    beta: float = 1.0
    temperature: float = 0.1
    margin: float = 0.2
    listwise: float = 1.0
    semantic: float = 2.0
    uncertain_margin: float = 0.5
    uncertain_weight: float = 0.5
    prototype: float = 0.3
    prototype_temperature: float = 0.1
    condition_dropout: float = 0.1
    free_bits: float = 0.02
    text_dropout: float = 0.1
    summed: bool = False
    prototypes: Literal["null", "matched"] = "null"
    tokens: int = 0
    anchor: bool = True
    text_head: float = 0.5


class Scale(nn.Module):
    """Energies of features under texts.

    `feature_mean`, `feature_std`: of the seen training features; the decoder works on standardised features (2.2).
    `text_map`: of the encoder's training, centred unit texts to directions in feature space; the start of the anchors.
    """

    feature_mean: Tensor
    feature_std: Tensor
    text_mean: Tensor
    text_head: Tensor
    uncertainty_mean: Tensor
    uncertainty_std: Tensor

    def __init__(self, config: ScaleConfig = ScaleConfig()) -> None:
        super().__init__()
        c = self.config = config
        self.register_buffer("feature_mean", torch.zeros(c.feature))
        self.register_buffer("feature_std", torch.ones(c.feature))
        self.register_buffer("text_mean", torch.zeros(c.text))
        self.register_buffer("text_head", torch.tensor(c.text_head if c.anchor else 0.0))
        self.text_map = nn.Linear(c.text, c.feature, bias=False) if c.anchor else None
        self.attention = (
            nn.Sequential(nn.Linear(c.text, c.text, bias=False), nn.Tanh(), nn.Linear(c.text, 1, bias=False))
            if c.tokens
            else None
        )
        self.project = nn.Sequential(
            nn.Dropout(c.text_dropout), nn.Linear(c.text * (2 if c.tokens else 1), c.condition), nn.GELU("tanh"),
            nn.Linear(c.condition, c.condition), nn.LayerNorm(c.condition),
        )  # fmt: skip
        self.prior = nn.Linear(c.condition, 2 * c.latent)
        self.posterior_x = nn.Linear(c.feature, c.hidden)
        self.posterior_c = nn.Linear(c.condition, c.hidden, bias=False)
        self.posterior = nn.Sequential(nn.LayerNorm(c.hidden), nn.GELU("tanh"), nn.Linear(c.hidden, 2 * c.latent))
        self.decoder_z = nn.Linear(c.latent, c.hidden)
        self.decoder_c = nn.Linear(c.condition, c.hidden, bias=False)
        last = nn.Linear(c.hidden, c.feature)
        self.decoder = nn.Sequential(nn.LayerNorm(c.hidden), nn.GELU("tanh"), last)
        if c.anchor:
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.nothing = nn.Parameter(torch.zeros(c.condition))
        self.register_buffer("uncertainty_mean", torch.zeros(()))
        self.register_buffer("uncertainty_std", torch.ones(()))

    def standardise(self, feature: Tensor) -> Tensor:
        return (feature - self.feature_mean) / self.feature_std

    def pooled(self, text: Tensor) -> Tensor:
        """The pooled row of texts that have tokens, of unit length; others as they are: `[K, E] -> [K, text]`."""
        return functional.normalize(text[:, -self.config.text :], dim=-1) if self.config.tokens else text

    def condition(self, text: Tensor) -> Tensor:
        """`[K, E] -> [K, condition]`; the bank's mean is taken out first, since all sentences are alike."""
        scale = math.sqrt(self.config.text)
        whole = (self.pooled(text) - self.text_mean) * scale
        if self.attention is None:
            return self.project(whole)
        rows = functional.normalize(text.unflatten(1, (-1, self.config.text))[:, :-1], dim=-1)
        joined = (self.attention(rows).softmax(1) * rows).sum(1)
        return self.project(torch.cat([whole, joined * scale], dim=1))

    def prior_of(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = self.prior(condition).chunk(2, dim=-1)
        return mean, log_variance.clamp(-4, 4)

    def posterior_of(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Standardised features and conditions that broadcast -> mean and log-variance of z."""
        mean, log_variance = self.posterior(self.posterior_x(x) + self.posterior_c(condition)).chunk(2, dim=-1)
        return mean, log_variance.clamp(-6, 4)

    def anchor(self, text: Tensor) -> Tensor:
        """Where features of a text should lie, standardised: `[K, text] -> [K, feature]`."""
        if self.text_map is None:
            return text.new_zeros(len(text), self.config.feature)
        direction = self.text_map(functional.normalize(self.pooled(text) - self.text_mean, dim=-1))
        return self.standardise(functional.normalize(direction, dim=-1) * math.sqrt(self.config.feature))

    def decode(self, z: Tensor, condition: Tensor, anchor: Tensor) -> Tensor:
        return anchor + self.decoder(self.decoder_z(z) + self.decoder_c(condition))

    def divergence(self, mean: Tensor, log_variance: Tensor, prior: tuple[Tensor, Tensor]) -> Tensor:
        """KL of two diagonal normals for each latent dimension (2.3, before the mean)."""
        prior_mean, prior_log_variance = prior
        spread = (log_variance.exp() + (mean - prior_mean) ** 2) / prior_log_variance.exp()
        return 0.5 * (prior_log_variance - log_variance + spread - 1)

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        """`E(x, c)` of 2.3 at the posterior mean, and the text head's: `[B, feature], [K, text] -> [B, K]`.

        Distances to anchors differ from the encoder's own cosines by a factor and a constant alone, since all features
        are of one length: with no other term, the ranking is the text head's.
        """
        return self._energies(self.standardise(feature), self.condition(text), self.anchor(text))[0]

    def _energies(self, x: Tensor, condition: Tensor, anchor: Tensor) -> tuple[Tensor, Tensor]:
        x, c = x[:, None], condition[None]
        mean, log_variance = self.posterior_of(x, c)
        rest = 0.5 * ((x - self.decode(mean, c, anchor[None])) ** 2).mean(-1)
        kl = self._over_latent(self.divergence(mean, log_variance, self.prior_of(c)))
        away = 0.5 * ((x - anchor[None]) ** 2).mean(-1)
        return rest + self.config.beta * kl + self.text_head * away, log_variance.mean(-1)

    def _over_latent(self, kl: Tensor) -> Tensor:
        return kl.sum(-1) / self.config.feature if self.config.summed else kl.mean(-1)

    def loss(
        self, feature: Tensor, own: Tensor, text: Tensor, warm: float, frozen_text: Tensor, same: Tensor | None = None
    ) -> Tensor:
        """Total of 2.8.

        Args:
            feature: `[B, feature]`; text: this step's texts `[K, text]`; own: int `[B]`, each feature's row of them.
            warm: 0 to 1, weight of the KL in the generative term (2.4).
            frozen_text: `[K, text]`, for the semantic similarity (2.6).
            same: bool `[B, K]`, texts that mean the same as the feature's own and are no rivals.
        """
        k, c, anchor = self.config, self.condition(text), self.anchor(text)
        x = self.standardise(feature)
        rows = torch.arange(len(x), device=x.device)
        passed_over = torch.zeros(len(x), len(text), dtype=torch.bool, device=x.device) if same is None else same

        condition = c[own]
        dropped = torch.rand(len(x), 1, device=x.device) < k.condition_dropout
        condition = torch.where(dropped, self.nothing.expand_as(condition), condition)
        mean, log_variance = self.posterior_of(x, condition)
        z = mean + (0.5 * log_variance).exp() * torch.randn_like(mean)
        kl = self._over_latent(self.divergence(mean, log_variance, self.prior_of(condition)).clamp(min=k.free_bits))
        decoded = self.decode(z, condition, torch.where(dropped, torch.zeros_like(x), anchor[own]))
        total = (0.5 * ((x - decoded) ** 2).mean(-1) + k.beta * warm * kl).mean()

        if k.listwise:
            energies, spread = self._energies(x, c, anchor)
            uncertain = self._uncertainty(spread[rows, own].detach().float())
            bias = semantic_bias(self.pooled(frozen_text), k.semantic)[own]
            margin = k.margin * (1 - k.uncertain_margin * uncertain)
            logits = -energies / k.temperature + bias
            logits = logits.index_put((rows, own), -(energies[rows, own] + margin) / k.temperature)
            weight = (-k.uncertain_weight * uncertain).exp()
            logits = logits.masked_fill(passed_over, -torch.inf)
            listwise = functional.cross_entropy(logits, own, reduction="none")
            total = total + k.listwise * (weight / weight.mean() * listwise).mean()
        if k.prototype:
            prototypes, _ = self.prior_of(c)
            if k.prototypes == "matched":
                each, _ = self.posterior_of(x[:, None], c[None])
                cosine = functional.cosine_similarity(each, prototypes[None], dim=-1, eps=1e-12)
            else:
                blind, _ = self.posterior_of(x, self.nothing.expand(len(x), -1))
                cosine = functional.normalize(blind, dim=-1) @ functional.normalize(prototypes, dim=-1).T
            logits = (cosine / k.prototype_temperature).masked_fill(passed_over, -torch.inf)
            total = total + k.prototype * functional.cross_entropy(logits, own)
        return total

    def _uncertainty(self, spread: Tensor) -> Tensor:
        """2.5: posterior log-variance against its running mean and spread, through a sigmoid: 0 to 1."""
        if self.training:
            self.uncertainty_mean.lerp_(spread.mean(), 0.01)
            self.uncertainty_std.lerp_(spread.std().clamp(min=1e-3), 0.01)
        return torch.sigmoid((spread - self.uncertainty_mean) / self.uncertainty_std)


def semantic_bias(text: Tensor, alpha: float) -> Tensor:
    """`b_yk` of 2.6: log-softmax of alpha times centred cosine over the negatives, plus log(K - 1); 0 at k = y."""
    centred = functional.normalize(text - text.mean(0), dim=-1)
    own = torch.eye(len(text), dtype=torch.bool, device=text.device)
    similarity = (alpha * centred @ centred.T).masked_fill(own, -torch.inf)
    return (similarity.log_softmax(-1) + math.log(max(len(text) - 1, 1))).masked_fill(own, 0.0)
