"""Simple zero-shot baselines on frozen features: a linear map to text in three ways.

Features `[N, D]`, concept int `[N]` (rows of the texts), concept texts `[K, E]`; energies `[B, K']` of any texts, lower
is better. Nothing is random.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from edge_app.errors import UsageError


@dataclass(frozen=True)
class Standard:
    """Statistics of the training's features, and the mean of its texts."""

    mean: Tensor
    std: Tensor
    text_mean: Tensor

    @classmethod
    def of(cls, feature: Tensor, concept: Tensor, text: Tensor) -> Standard:
        """Raises:
        UsageError: lengths that do not fit, or a concept without a text.
        """
        if feature.ndim != 2 or len(feature) != len(concept) or not len(concept):
            raise UsageError(f"baseline: features of shape {list(feature.shape)} with {len(concept)} concepts")
        if concept.min() < 0 or concept.max() >= len(text):
            raise UsageError(f"baseline: concepts {int(concept.min())} to {int(concept.max())} with {len(text)} texts")
        return cls(feature.mean(0), feature.std(0).clamp(min=1e-6), text.mean(0))

    def features(self, feature: Tensor) -> Tensor:
        return (feature - self.mean) / self.std

    def texts(self, text: Tensor) -> Tensor:
        """Centred, of unit length."""
        return functional.normalize(text - self.text_mean, dim=1)


@dataclass(frozen=True)
class RidgeToText:
    """Least squares with a ridge from features to their texts; minus cosine ranks (Romera-Paredes and Torr 2015)."""

    standard: Standard
    weight: Tensor

    @classmethod
    def fit(cls, feature: Tensor, concept: Tensor, text: Tensor, *, ridge: float = 1.0) -> RidgeToText:
        """ridge: as a share of the number of samples."""
        standard = Standard.of(feature, concept, text)
        x, t = standard.features(feature), standard.texts(text)[concept]
        gram = x.T @ x + ridge * len(x) * torch.eye(x.shape[1])
        return cls(standard, torch.linalg.solve(gram, x.T @ t))

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        mapped = functional.normalize(self.standard.features(feature) @ self.weight, dim=1)
        return -mapped @ self.standard.texts(text).T


@dataclass(frozen=True)
class Devise:
    """A linear map trained with a ranking hinge over all wrong texts; minus dot product ranks (Frome et al. 2013)."""

    standard: Standard
    weight: Tensor

    @classmethod
    def fit(
        cls, feature: Tensor, concept: Tensor, text: Tensor, *, margin: float = 0.1, steps: int = 200, lr: float = 1e-3
    ) -> Devise:
        """Full-batch Adam from zero."""
        standard = Standard.of(feature, concept, text)
        x, t = standard.features(feature), standard.texts(text)
        weight = torch.zeros(x.shape[1], t.shape[1], requires_grad=True)
        optimiser = torch.optim.Adam([weight], lr)
        for _ in range(steps):
            optimiser.zero_grad()
            hinge(x @ weight @ t.T, concept, margin).backward()
            optimiser.step()
        return cls(standard, weight.detach())

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        return -self.standard.features(feature) @ self.weight @ self.standard.texts(text).T


def hinge(similarity: Tensor, own: Tensor, margin: float) -> Tensor:
    """Mean over rows of the sum over wrong texts of max(0, margin - right + wrong): `[B, K]`, int `[B]` -> scalar."""
    gap = (margin - similarity.gather(1, own[:, None]) + similarity).clamp(min=0)
    return gap.scatter(1, own[:, None], 0.0).sum(1).mean()


@dataclass(frozen=True)
class Conse:
    """The mean of the likeliest seen texts, weighted by a softmax classifier; minus cosine (Norouzi et al. 2014)."""

    standard: Standard
    weight: Tensor
    bias: Tensor
    seen: Tensor
    top: int

    @classmethod
    def fit(
        cls, feature: Tensor, concept: Tensor, text: Tensor, *, top: int = 10, ridge: float = 1e-3, steps: int = 200,
        lr: float = 1e-2,
    ) -> Conse:  # fmt: skip
        """Full-batch Adam from zero. top: how many seen texts count; ridge: on the classifier's weights."""
        standard = Standard.of(feature, concept, text)
        x = standard.features(feature)
        weight = torch.zeros(x.shape[1], len(text), requires_grad=True)
        bias = torch.zeros(len(text), requires_grad=True)
        optimiser = torch.optim.Adam([weight, bias], lr)
        for _ in range(steps):
            optimiser.zero_grad()
            loss = functional.cross_entropy(x @ weight + bias, concept) + ridge * weight.square().sum()
            loss.backward()
            optimiser.step()
        return cls(standard, weight.detach(), bias.detach(), standard.texts(text), min(top, len(text)))

    def energies(self, feature: Tensor, text: Tensor) -> Tensor:
        likely, which = (self.standard.features(feature) @ self.weight + self.bias).softmax(1).topk(self.top)
        mixed = (likely[:, :, None] * self.seen[which]).sum(1)
        return -functional.normalize(mixed, dim=1) @ self.standard.texts(text).T


Baseline = RidgeToText | Devise | Conse
BASELINES: dict[str, type[Baseline]] = {"ridge": RidgeToText, "devise": Devise, "conse": Conse}
"""Nothing is random in these, and they have no steps to choose."""
