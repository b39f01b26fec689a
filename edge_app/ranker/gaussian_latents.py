"""What the SA-DVAE and FS-VAE rankers share: energies of latents, and a classifier of them."""

from __future__ import annotations

import numpy as np

from edge_app.errors import UsageError
from edge_app.ranker.calibration import log_sum_exp


def posterior(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of latents, `[B, inputs] -> [B, Z]` each, by a layer of 2 Z outputs."""
    mean, log_variance = np.split(x @ weight.T + bias, 2, axis=1)
    return mean, log_variance.clip(-8, 8)


class LatentTexts:
    """Posteriors of texts, once for each label set. mean, log_variance: float32 `[K, Z]`."""

    def __init__(self, mean: np.ndarray, log_variance: np.ndarray) -> None:
        self._mean = mean
        self._precision = np.exp(-log_variance)
        self._constant = log_variance.mean(axis=1)

    def energies(self, latent: np.ndarray) -> np.ndarray:
        """INFERRED (METHODS.md 4.4): minus the mean log-likelihood of latents, `[B, Z] -> [B, K]`."""
        gap = latent[:, None] - self._mean
        return np.float32(0.5) * ((gap * gap * self._precision).mean(axis=2) + self._constant)


MOST_SAMPLES = 4096
"""Latents that a classifier learns from, over all labels; so it can know half as many labels."""


def fit_classifier(
    mean: np.ndarray, log_variance: np.ndarray, noise: np.ndarray, steps: int = 6, ridge: float = 1e-3
) -> tuple[np.ndarray, np.ndarray]:
    """Multinomial logistic regression on latents drawn from the posteriors of texts: weight `[K, Z]`, bias `[K]`.

    The paper's classifier (METHODS.md 4.4) without its random numbers: latents come from a stored bank, and Newton
    steps with Böhning's fixed bound on the curvature (1992) and Nesterov's momentum replace Adam. They begin at the
    discriminant rule of normals that share their mean variance.

    Args:
        mean, log_variance: float32 `[K, Z]`. noise: float32 `[n, Z]`, its second half minus the first; each label takes
            as many opposite pairs as there are, or as keep all latents within 4,096.
        steps: few, since with so few latents more steps learn them by heart.
        ridge: added to the curvature, as a share of its mean diagonal.

    Raises:
        UsageError: more than 2,048 labels.
    """
    if len(mean) > MOST_SAMPLES // 2:
        raise UsageError(
            f"labels: the classifier can know {MOST_SAMPLES // 2:,} with the background, {len(mean):,} found"
        )
    labels, pairs = len(mean), min(len(noise) // 2, MOST_SAMPLES // (2 * len(mean)))
    noise = np.concatenate([noise[:pairs], noise[len(noise) // 2 :][:pairs]])
    x = (mean[:, None] + np.exp(np.float32(0.5) * log_variance)[:, None] * noise).reshape(-1, mean.shape[1])
    own = np.repeat(np.arange(labels), len(noise))
    x = np.concatenate([x, np.ones((len(x), 1), np.float32)], axis=1)
    precision = 1 / np.exp(log_variance).mean(axis=0)
    start = -0.5 * (mean * mean * precision).sum(axis=1, keepdims=True)
    weight = np.concatenate([mean * precision, start], axis=1)
    curvature = x.T @ x / 2
    curvature[np.diag_indices_from(curvature)] += ridge * curvature.diagonal().mean()
    inverse = np.linalg.inv(curvature.astype(np.float64)).astype(np.float32)
    rows, before = np.arange(len(x)), weight
    for step in range(steps):
        ahead = weight + np.float32(step / (step + 3)) * (weight - before)
        logits = x @ ahead.T
        residual = -np.exp(logits - log_sum_exp(logits)[:, None])
        residual[rows, own] += 1
        weight, before = ahead + residual.T @ x @ inverse, weight
    return weight[:, :-1].copy(), weight[:, -1].copy()
