"""FDSM: one-step diffusion matching with frequency-aware semantics, on TDSM's diffusion transformer (METHODS.md 3).

A network takes the noise out of a feature while it reads a text; the text under which it succeeds best names the
motion. TDSM gives the transformer of two streams and the triplet loss (3.1); FDSM adds SG-SRM, TASL and the curriculum
from rich texts to sparse ones (3.2). `FAITHFUL` is the authors' code, `IMPROVED` mends it, `EDGE` is small.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from edge_app.errors import UsageError
from edge_app.ranker.layers import dct_matrix, high_pass
from train.models.diffusion import alpha_bars, noise_bank, time_embedding


@dataclass(frozen=True)
class FdsmConfig:
    """Widths, choices and weights. A loss weight of 0 switches its term off. The defaults are the authors' code.

    feature, text: widths of a feature and of one text row. tokens: rows of a text that are tokens.
    pooled: one more row, the last, is the pooled text; else all rows side by side are.
    standardise: features by the seen ones' mean and spread, texts centred and scaled; else both as they come.
    prediction: what the network gives: the noise, or the feature without it.
    one_way: text tokens do not look at the feature, so that they can be computed once for each label.
    anchor: the network gives the difference to the text's own place in feature space, which it also reads; as SCALE's.
    steps, match_at: T of the schedule, and the t of matching. noises, antithetic: the stored bank.
    axes, low, fade: the axes of TASL, how many of them count fully, and gamma of the others (3.2 c).
    negatives: how many other texts each feature is shown. margin: tau of the triplet loss (3.1).
    gate_init: of the gate's layers, torch's own as coded, or Xavier with zero biases as all others.
    listwise, temperature: ours, cross-entropy of the own text among them, with errors as energies (2.6 without bias).
    rich_floor: the share of rich texts that the curriculum ends with. null: the share of features that see no text.
    """

    feature: int = 256
    text: int = 1024
    tokens: int = 35
    pooled: bool = True
    hidden: int = 768
    depth: int = 12
    heads: int = 12
    ratio: int = 4
    time: int = 256
    gate: int = 256
    gate_init: Literal["torch", "xavier"] = "torch"
    standardise: bool = False
    prediction: Literal["epsilon", "sample"] = "epsilon"
    one_way: bool = False
    anchor: bool = False
    steps: int = 50
    match_at: int = 25
    noises: int = 3
    antithetic: bool = False
    axes: Literal["dct", "principal"] = "dct"
    low: int = 5
    fade: float = 1.0
    diffusion: float = 1.0
    spectral: float = 1.0
    triplet: float = 0.0
    margin: float = 1.0
    listwise: float = 0.0
    temperature: float = 0.2
    negatives: int = 1
    rich_floor: float = 0.0
    null: float = 0.0
    text_dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.hidden % self.heads:
            raise UsageError(f"fdsm: hidden {self.hidden} found, must be a multiple of heads, {self.heads}")
        if self.antithetic and self.noises % 2:
            raise UsageError(f"fdsm: noises {self.noises} found, must be even for antithetic pairs")
        if self.anchor and self.prediction != "sample":
            raise UsageError(f"fdsm: prediction {self.prediction!r} found, anchors need 'sample'")
        if not 0 <= self.match_at < self.steps:
            raise UsageError(f"fdsm: match_at {self.match_at} found, must be from 0 to {self.steps - 1}")


FAITHFUL = FdsmConfig()
"""The released code (3.2, 3.3): raw features, noise predicted, DCT over feature channels, triplet loss off, three plain
noises, a gate that is learned with the rest, a curriculum that ends with sparse texts, which matching is then to be
given. What cannot have been meant is not kept: the gate is saved, and so are the noises."""

IMPROVED = FdsmConfig(
    standardise=True, prediction="sample", one_way=True, anchor=True, noises=4, antithetic=True, axes="principal",
    gate_init="xavier", low=32, diffusion=0.1, spectral=0.1, listwise=1.0, negatives=8, rich_floor=0.7, null=0.1,
    text_dropout=0.1,
)  # fmt: skip
"""FAITHFUL, mended; all of it ours or INFERRED (3.3, 3.4).

Standardised features: else a few large channels are all of the error (2.2). The clean feature is predicted, which
depends less on the noise (3.4). TASL along principal axes of the seen features: the order of channels means nothing,
that of variances does (9.7). A listwise loss takes the place of TDSM's triplet loss, and denoising counts a tenth: its
noise is so mild that the feature can be copied and the text passed over. Rich texts stay, since the device has
descriptions and names alone are weak. Anchors, one-way attention, antithetic noises and a null text are
for the device: the zero-shot knowledge of the encoder, labels folded in advance, and nothing drawn at run time."""

EDGE = dataclasses.replace(
    IMPROVED, text=384, tokens=2, pooled=False, hidden=160, depth=4, heads=5, ratio=2, time=64, gate=64, noises=2
)
"""IMPROVED for the device; a text's two rows are the halves of `LabelTable.pooled`: names, then description. One pair
of noises: two pairs named the same label for each of 600 windows."""


class Stream(nn.Module):
    """One of a block's two streams: projections, MLP and adaLN of its own (3.1)."""

    def __init__(self, c: FdsmConfig) -> None:
        super().__init__()
        self.heads = c.heads
        self.modulation = nn.Linear(c.hidden, 6 * c.hidden)
        self.qkv = nn.Linear(c.hidden, 3 * c.hidden)
        self.out = nn.Linear(c.hidden, c.hidden)
        self.mlp = nn.Sequential(
            nn.Linear(c.hidden, c.ratio * c.hidden), nn.GELU("tanh"), nn.Linear(c.ratio * c.hidden, c.hidden)
        )

    def modulations(self, condition: Tensor) -> tuple[Tensor, ...]:
        """Shift, scale and gate of attention, then of the MLP: `[..., H] -> 6 x [..., 1, H]`."""
        return self.modulation(functional.silu(condition)).unsqueeze(-2).chunk(6, dim=-1)

    def project(self, h: Tensor, m: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Queries, keys and values by heads: `[..., n, H] -> 3 x [..., heads, n, H / heads]`."""
        parts = self.qkv(modulated(h, m[0], m[1])).chunk(3, dim=-1)
        return tuple(part.unflatten(-1, (self.heads, -1)).transpose(-2, -3) for part in parts)

    def attend(self, h: Tensor, m: tuple[Tensor, ...], q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = (q @ k.mT / math.sqrt(q.shape[-1])).softmax(dim=-1)
        return h + m[2] * self.out((weights @ v).transpose(-2, -3).flatten(-2))

    def feed(self, h: Tensor, m: tuple[Tensor, ...]) -> Tensor:
        return h + m[5] * self.mlp(modulated(h, m[3], m[4]))


class Block(nn.Module):
    """Joint attention of the feature's token and the text's, SG-SRM on the feature's, two MLPs.

    Leading dimensions broadcast, so that one-way text tokens never take on those of features.
    """

    high: Tensor

    def __init__(self, c: FdsmConfig, last: bool) -> None:
        super().__init__()
        self.one_way, self.last = c.one_way, last
        self.skeleton, self.text = Stream(c), Stream(c)
        self.register_buffer("high", torch.from_numpy(high_pass(c.hidden)), persistent=False)

    def forward(self, x: Tensor, text: Tensor, condition: Tensor, gate: Tensor) -> tuple[Tensor, Tensor]:
        """`[..., 1, H], [..., L, H], [..., H], [..., 1, 1]` -> both streams; the last block leaves the text's."""
        mx, mt = self.skeleton.modulations(condition), self.text.modulations(condition)
        (qx, kx, vx), (qt, kt, vt) = self.skeleton.project(x, mx), self.text.project(text, mt)
        keys, values = side_by_side(kx, kt), side_by_side(vx, vt)
        x = self.skeleton.attend(x, mx, qx, keys, values)
        x = x + gate * (x @ self.high)
        x = self.skeleton.feed(x, mx)
        if self.last:
            return x, text
        text = self.text.attend(text, mt, qt, kt if self.one_way else keys, vt if self.one_way else values)
        return x, self.text.feed(text, mt)


class Fdsm(nn.Module):
    """Errors of denoising a feature under texts. A text is `[rows, text]`, or the same laid side by side, `[E]`.

    `feature_mean`, `feature_std`, `text_mean`, `axes`: of the seen training data. `noise`: the bank of matching,
    `[R, feature]`. `text_map`: centred unit texts to directions in feature space, the start of the anchors.
    """

    feature_mean: Tensor
    feature_std: Tensor
    text_mean: Tensor
    alpha_bar: Tensor
    axes: Tensor
    noise: Tensor

    def __init__(self, config: FdsmConfig = EDGE) -> None:
        super().__init__()
        c = self.config = config
        rows, h = c.tokens + c.pooled, c.hidden
        self.register_buffer("feature_mean", torch.zeros(c.feature))
        self.register_buffer("feature_std", torch.ones(c.feature))
        self.register_buffer("text_mean", torch.zeros(rows * c.text))
        self.register_buffer("alpha_bar", torch.from_numpy(alpha_bars(c.steps)))
        self.register_buffer("axes", torch.from_numpy(dct_matrix(c.feature)))
        self.register_buffer("noise", noise_bank(c.noises, c.feature, c.antithetic))
        self.x_embed = nn.Linear(c.feature, h)
        time_in, time_out = nn.Linear(c.time, h), nn.Linear(h, h)
        self.time = nn.Sequential(time_in, nn.SiLU(), time_out)
        whole = c.text if c.pooled else rows * c.text
        self.pooled_embed = nn.Sequential(nn.Linear(whole, h), nn.SiLU(), nn.Linear(h, h))
        self.token_embed = nn.Linear(c.text, h)
        self.gate = nn.Sequential(nn.Linear(whole, c.gate), nn.ReLU(), nn.Linear(c.gate, 1))
        blocks = [Block(c, last=i == c.depth - 1) for i in range(c.depth)]
        self.blocks = nn.ModuleList(blocks)
        self.modulation = nn.Linear(h, 2 * h)
        self.final = nn.Linear(h, c.feature)
        self.anchor_embed = nn.Linear(c.feature, h, bias=False) if c.anchor else None
        self.dropout = nn.Dropout(c.text_dropout)
        spared = {*self.gate.modules()} if c.gate_init == "torch" else set()
        for module in self.modules():
            if isinstance(module, nn.Linear) and module not in spared:
                nn.init.xavier_uniform_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        for linear in (time_in, time_out):
            nn.init.normal_(linear.weight, std=0.02)
        streams = [stream for block in blocks for stream in (block.skeleton, block.text)]
        for layer in (*(stream.modulation for stream in streams), self.modulation, self.final):
            nn.init.zeros_(layer.weight)
        self.position = nn.Parameter(0.02 * torch.randn(c.tokens, h))
        self.nothing = nn.Parameter(torch.zeros(rows, c.text)) if c.null else None
        self.text_map = nn.Linear(whole, c.feature, bias=False) if c.anchor else None

    def standardised(self, feature: Tensor) -> Tensor:
        return (feature - self.feature_mean) / self.feature_std if self.config.standardise else feature

    def rows(self, text: Tensor) -> Tensor:
        """Texts as the network reads them: `[K, E]` or `[K, rows, text]` -> `[K, rows, text]`.

        Raises:
            UsageError: texts of another size.
        """
        c = self.config
        shape = (c.tokens + c.pooled, c.text)
        flat = text.flatten(1)
        if flat.shape[1] != shape[0] * shape[1]:
            raise UsageError(f"fdsm: texts of {flat.shape[1]} numbers found, must be {shape[0]} rows of {shape[1]}")
        if c.standardise:
            flat = (flat - self.text_mean) * math.sqrt(flat.shape[1])
        return flat.unflatten(1, shape)

    def pooled(self, rows: Tensor) -> Tensor:
        """The text as a whole: `[..., rows, text] -> [..., text]`, or `[..., rows * text]` without a pooled row."""
        return rows[..., -1, :] if self.config.pooled else rows.flatten(-2)

    def anchor(self, text: Tensor) -> Tensor:
        """Where features of a text should lie, standardised: `[K, E] -> [K, feature]`; zeros without anchors."""
        if self.text_map is None:
            return text.new_zeros(len(text), self.config.feature)
        whole = self.pooled((text.flatten(1) - self.text_mean).unflatten(1, (-1, self.config.text)))
        direction = self.text_map(functional.normalize(whole, dim=-1))
        return self.standardised(functional.normalize(direction, dim=-1) * math.sqrt(self.config.feature))

    def noisy(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """`x_t` of DDPM: `[..., D], [..., D]`, int `[...] -> [..., D]`."""
        alpha = self.alpha_bar[t][..., None]
        return alpha.sqrt() * x + (1 - alpha).sqrt() * noise

    def forward(self, noisy: Tensor, t: Tensor, rows: Tensor, anchor: Tensor) -> Tensor:
        """The noise or the clean feature, as `prediction` has it: `[..., D]`; leading dimensions broadcast.

        Args:
            noisy: `[..., D]`; t: int `[...]`; rows: `[..., rows, text]` of `rows`; anchor: `[..., D]`.
        """
        c, rows = self.config, self.dropout(rows)
        whole = self.pooled(rows)
        condition = self.time(time_embedding(t, c.time)) + self.pooled_embed(whole)
        gate = self.gate(whole).sigmoid().unsqueeze(-2)
        tokens = self.token_embed(rows[..., : c.tokens, :]) + self.position
        x = self.x_embed(noisy)
        if self.anchor_embed is not None:
            x = x + self.anchor_embed(anchor)
        x = x.unsqueeze(-2)
        for block in self.blocks:
            x, tokens = block(x, tokens, condition, gate)
        shift, scale = self.modulation(functional.silu(condition)).chunk(2, dim=-1)
        return anchor + self.final(modulated(x.squeeze(-2), shift, scale))

    def errors(self, predicted: Tensor, x: Tensor, noise: Tensor) -> Tensor:
        """Mean squared error over the feature: `[..., D] -> [...]`."""
        return (predicted - (noise if self.config.prediction == "epsilon" else x)).square().mean(-1)

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        """Matching at t = `match_at` with the stored noises (3.4): `[B, D], [K, E] -> [B, K]`, lower is better.

        The error under the null text is taken off. That changes no ranking, since it is the same for all labels; it
        makes energies of different windows more alike.
        """
        rows, anchor = self.rows(text), self.anchor(text)
        if self.nothing is not None:
            rows, anchor = torch.cat([self.nothing[None], rows]), functional.pad(anchor, (0, 0, 1, 0))
        t = torch.tensor(self.config.match_at, device=feature.device)
        parts = []
        for part in self.standardised(feature).split(32):
            x = part[:, None, None]
            noise = self.noise[None, :, None]
            parts.append(self.errors(self(self.noisy(x, noise, t), t, rows, anchor), x, noise).mean(1))
        energies = torch.cat(parts)
        return energies if self.nothing is None else energies[:, 1:] - energies[:, :1]

    def loss(
        self, feature: Tensor, own: Tensor, sparse: Tensor, rich: Tensor, p_rich: float, same: Tensor | None = None
    ) -> Tensor:
        """Total of 3.2 e, with the triplet term of 3.1; draws times, noises, kinds of text and negatives.

        Args:
            feature: `[B, D]`; own: int `[B]`, each feature's row of the texts.
            sparse, rich: `[K, E]`, two texts of each class; p_rich: probability of the rich one (3.2 d).
            same: bool `[B, K]`, texts that mean the same as the feature's own and are no rivals.
        """
        c, x, k = self.config, self.standardised(feature), len(sparse)
        t = torch.randint(c.steps, (len(x), 1), device=x.device)
        noise = torch.randn_like(x)[:, None]
        is_rich = torch.rand(len(x), 1, device=x.device) < p_rich
        null = torch.rand(len(x), 1, device=x.device) < c.null
        negative = torch.randint(k, (len(x), c.negatives if c.triplet or c.listwise else 0), device=x.device)
        rival = (negative != own[:, None]) & ~null
        if same is not None:
            rival &= ~same.gather(1, negative)
        both = torch.cat([sparse, rich])
        picked = torch.cat([own[:, None], negative], dim=1) + k * is_rich
        rows, anchor = self.rows(both)[picked], self.anchor(both)[picked]
        if self.nothing is not None:
            blind = functional.pad(null, (0, negative.shape[1]))[..., None]
            rows, anchor = torch.where(blind[..., None], self.nothing, rows), anchor.masked_fill(blind, 0.0)
        return self.terms(x[:, None], noise, t, rows, anchor, rival)

    def terms(self, x: Tensor, noise: Tensor, t: Tensor, rows: Tensor, anchor: Tensor, rival: Tensor) -> Tensor:
        """The weighted sum of losses for what was drawn. A feature's own text comes first, then N negatives.

        Args:
            x, noise: `[B, 1, D]`, standardised; t: int `[B, 1]`; rows: `[B, 1 + N, rows, text]`;
            anchor: `[B, 1 + N, D]`; rival: bool `[B, N]`, negatives that count.
        """
        c = self.config
        predicted = self(self.noisy(x, noise, t), t, rows, anchor)
        errors = self.errors(predicted, x, noise)
        total = c.diffusion * errors[:, 0].mean()
        if c.spectral:
            clean, alpha = predicted[:, :1], self.alpha_bar[t][..., None]
            if c.prediction == "epsilon":
                clean = (self.noisy(x, noise, t) - (1 - alpha).sqrt() * clean) / alpha.sqrt()
            weight = torch.arange(c.feature, device=x.device) < c.low
            weight = torch.where(weight, 1.0, c.fade * (1 - t[..., None] / c.steps))
            total = total + c.spectral * (weight * ((x - clean) @ self.axes.T).square()).mean()
        if c.triplet:
            short = (errors[:, :1] - errors[:, 1:] + c.margin).clamp(min=0)
            total = total + c.triplet * (short * rival).mean()
        if c.listwise:
            logits = -errors / c.temperature
            logits[:, 1:] = logits[:, 1:].masked_fill(~rival, -torch.inf)
            total = total - c.listwise * logits.log_softmax(dim=1)[:, 0].mean()
        return total


def modulated(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """adaLN: layer norm without weights of its own, then a condition's scale and shift."""
    return functional.layer_norm(h, h.shape[-1:], eps=1e-6) * (1 + scale) + shift


def side_by_side(one: Tensor, other: Tensor) -> Tensor:
    """Tokens of both streams, `[..., n, d], [..., m, d] -> [..., n + m, d]`; leading dimensions broadcast."""
    lead = torch.broadcast_shapes(one.shape[:-2], other.shape[:-2])
    return torch.cat([part.expand(*lead, *part.shape[-2:]) for part in (one, other)], dim=-2)
