"""What SA-DVAE and FS-VAE share: energies of latents under the posteriors of texts."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_app.ranker.layers import linear


def posterior(w: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and log-variance of latents, `[B, inputs] -> [B, Z]` each, by a layer of 2 Z outputs."""
    mean, log_variance = np.split(linear(w, name, x), 2, axis=1)
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
