"""SCALE on the device: `train/models/scale.py` in numpy, with all that depends on labels alone computed in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.calibration import background_mask, rank_each
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.layers import activate, centred, gelu, layer_norm, triangle, unit
from edge_app.types import Feature, Ranking

CHUNK = 512
"""Candidates that are matched at a time: what they need stays in the processor's cache."""


class _Candidates:
    """What the networks make of texts, once for each label set (METHODS.md 2.12).

    The decoder's last layer W is folded in too: |r - W h|² = |r|² - 2 h · Wᵀr + h · WᵀW h needs no row as wide as a
    feature for each label.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], text: np.ndarray) -> None:
        w, text = weights, unit(text)  # of length 1, as training has them
        x = (text - w["text_mean"]) * np.float32(np.sqrt(text.shape[1]))
        x = gelu(x @ w["project.1.weight"].T + w["project.1.bias"])
        x = x @ w["project.3.weight"].T + w["project.3.bias"]
        condition = layer_norm(x, w["project.4.weight"], w["project.4.bias"])
        prior = condition @ w["prior.weight"].T + w["prior.bias"]
        self.posterior = centred(condition @ w["posterior_c.weight"].T + w["posterior_x.bias"])
        self.decoder = centred(condition @ w["decoder_c.weight"].T + w["decoder_z.bias"])
        self.anchor = np.zeros((len(text), len(w["feature_mean"])), np.float32)
        if "text_map.weight" in w:
            direction = unit(text - w["text_mean"]) @ w["text_map.weight"].T
            place = unit(direction) * np.float32(np.sqrt(direction.shape[1]))
            self.anchor = (place - w["feature_mean"]) / w["feature_std"]
        self.anchor_squared = np.square(self.anchor, dtype=np.float64).sum(axis=1).astype(np.float32)
        self.anchor_decoded = self.anchor @ (2 * w["decoder.2.weight"])
        self.prior_mean, log_variance = np.split(prior, 2, axis=1)
        log_variance = log_variance.clip(-4, 4)
        self.prior_precision = np.exp(-log_variance)
        self.prior_spread = (log_variance - 1).sum(axis=1)


class ScaleRanker:
    """The default ranker: the ELBO at the posterior mean is the energy, nothing is sampled (METHODS.md 2.3).

    Args:
        weights: the module's state by name, float32, from `ranker-scale.npz`.
        background: float32 `[N, E]`, text embeddings of other everyday actions.
    """

    kind = "scale"

    def __init__(
        self, weights: Mapping[str, np.ndarray], calibration: Calibration, background: np.ndarray, beta: float = 1.0
    ) -> None:
        self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        self.calibration = calibration
        self._background = background
        self._beta = np.float32(beta)
        w = self._w
        self._posterior_x, self._decoder_z = centred(w["posterior_x.weight"].T), centred(w["decoder_z.weight"].T)
        self._posterior_last = np.ascontiguousarray(w["posterior.2.weight"].T)
        self._decoder_squared = triangle(w["decoder.2.weight"].T @ w["decoder.2.weight"])

    def set_labels(self, table: LabelTable) -> None:
        text = table.pooled()
        if text.shape[1] != self._background.shape[1]:
            raise UsageError(
                f"labels: embeddings are {text.shape[1]} wide, the bundle's are {self._background.shape[1]}"
            )
        others = self._background[background_mask(text, self._background, self.calibration.same_text_threshold)]
        self._candidates = _Candidates(self._w, np.concatenate([text, others]))
        self.table = table

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + N]`: the labels, then the foreign background."""
        return np.stack([self._energies(vector) for vector in vectors])

    def _energies(self, vector: np.ndarray) -> np.ndarray:
        w, c = self._w, self._candidates
        x = (vector[: len(w["feature_mean"])] - w["feature_mean"]) / w["feature_std"]
        hidden_x, y = x @ self._posterior_x, x - w["decoder.2.bias"]
        y_decoded = 2 * (y @ w["decoder.2.weight"])
        away = y @ y - 2 * (c.anchor @ y) + c.anchor_squared
        parts = []
        for i in range(0, len(away), CHUNK):
            k = slice(i, i + CHUNK)
            hidden = activate(c.posterior[k] + hidden_x, w["posterior.0.weight"], w["posterior.0.bias"])
            latent = hidden @ self._posterior_last
            latent += w["posterior.2.bias"]
            mean, log_variance = np.split(latent, 2, axis=1)
            np.clip(log_variance, -6, 4, out=log_variance)
            np.matmul(mean, self._decoder_z, out=hidden)
            hidden += c.decoder[k]
            activate(hidden, w["decoder.0.weight"], w["decoder.0.bias"])
            rest = c.anchor_decoded[k] - y_decoded
            product = np.empty_like(rest)
            for columns, block in self._decoder_squared:
                np.matmul(hidden[:, : columns.stop], block, out=product[:, columns])
            rest += product
            squares = (away[k] + np.einsum("kh,kh->k", rest, hidden)) / np.float32(len(x))
            apart = mean - c.prior_mean[k]
            apart *= apart
            apart += np.exp(log_variance)
            spread = np.einsum("kz,kz->k", apart, c.prior_precision[k]) - log_variance.sum(axis=1)
            kl = np.float32(0.5 / mean.shape[1]) * (c.prior_spread[k] + spread)
            parts.append(np.float32(0.5) * squares + self._beta * kl)
        return np.concatenate(parts)

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        return rank_each(features, self.energies, self.table, self.calibration)
