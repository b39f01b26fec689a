"""SCALE on the device: `train/models/scale.py` in numpy, with all that depends on labels alone computed in advance."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from edge_app.ranker.first_pass import MANY, FirstPass
from edge_app.ranker.layers import activate, anchors, centred, gelu, layer_norm, linear, standardized, triangle, unit
from edge_app.ranker.ranker import Energies

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
        x = linear(w, "project.3", gelu(linear(w, "project.1", x)))
        condition = layer_norm(x, w["project.4.weight"], w["project.4.bias"])
        prior = linear(w, "prior", condition)
        self.posterior = centred(condition @ w["posterior_c.weight"].T + w["posterior_x.bias"])
        self.decoder = centred(condition @ w["decoder_c.weight"].T + w["decoder_z.bias"])
        nowhere = np.zeros((len(text), len(w["feature_mean"])), np.float32)
        self.anchor = anchors(w, text) if "text_map.weight" in w else nowhere
        self.anchor_squared = np.square(self.anchor, dtype=np.float64).sum(axis=1).astype(np.float32)
        self.anchor_decoded = self.anchor @ (2 * w["decoder.2.weight"])
        self.prior_mean, log_variance = np.split(prior, 2, axis=1)
        log_variance = log_variance.clip(-4, 4)
        self.prior_precision = np.exp(-log_variance)
        self.prior_spread = (log_variance - 1).sum(axis=1)


class ScaleModel:
    """The default: the ELBO at the posterior mean is the energy, nothing is sampled (METHODS.md 2.3).

    Args:
        weights: the module's state by name, float32, from `ranker-scale.npz`.
        exact: look at every label, however many there are; else `FirstPass` chooses among more than `MANY`.
    """

    kind, parts = "scale", False

    def __init__(self, weights: Mapping[str, np.ndarray], exact: bool = False) -> None:
        w = self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        self.text_width = len(w["text_mean"])
        self._exact = exact
        self._posterior_x, self._decoder_z = centred(w["posterior_x.weight"].T), centred(w["decoder_z.weight"].T)
        self._posterior_last = np.ascontiguousarray(w["posterior.2.weight"].T)
        self._text_head = np.float32(w["text_head"].item() if "text_head" in w else 0.0)
        self._decoder_squared = triangle(w["decoder.2.weight"].T @ w["decoder.2.weight"])

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        """As `EnergyModel.with_texts`."""
        c, w = _Candidates(self._w, texts), self._w
        if self._exact or labels <= MANY:
            return lambda vectors: np.stack([self._energies(standardized(w, v), c) for v in vectors])
        first = FirstPass(self._expected(c)[:labels], len(texts) - labels)

        def energies(vector: np.ndarray) -> np.ndarray:
            x = standardized(w, vector)
            return first.energies(x, partial(self._energies, x, c))

        return lambda vectors: np.stack([energies(vector) for vector in vectors])

    @property
    def macs(self) -> int:
        """Multiply-accumulates for each label and text of the background."""
        squared = (block for _, block in self._decoder_squared)
        weights = (self._posterior_last, self._decoder_z, *squared, self._w["feature_mean"])
        return sum(weight.size for weight in weights)

    def _expected(self, c: _Candidates) -> np.ndarray:
        """The feature that the decoder makes of each text's prior mean: float32 `[K + N, D]`."""
        w = self._w
        hidden = c.prior_mean @ self._decoder_z + c.decoder
        activate(hidden, w["decoder.0.weight"], w["decoder.0.bias"])
        return c.anchor + linear(w, "decoder.2", hidden)

    def _energies(self, x: np.ndarray, c: _Candidates, chosen: np.ndarray | None = None) -> np.ndarray:
        """Of a standardized feature and all candidates, or those with the indices `chosen`, in their order."""
        w = self._w
        hidden_x, y = x @ self._posterior_x, x - w["decoder.2.bias"]
        y_decoded, y_squared, x_squared = 2 * (y @ w["decoder.2.weight"]), y @ y, x @ x
        parts = []
        for i in range(0, len(c.anchor if chosen is None else chosen), CHUNK):
            k = slice(i, i + CHUNK) if chosen is None else chosen[i : i + CHUNK]
            away = y_squared - 2 * (c.anchor[k] @ y) + c.anchor_squared[k]
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
            squares = away + np.einsum("kh,kh->k", rest, hidden)
            apart = mean - c.prior_mean[k]
            apart *= apart
            apart += np.exp(log_variance)
            spread = np.einsum("kz,kz->k", apart, c.prior_precision[k]) - log_variance.sum(axis=1)
            kl = np.float32(0.5 / mean.shape[1]) * (c.prior_spread[k] + spread)
            if self._text_head:
                squares += self._text_head * (x_squared - 2 * (c.anchor[k] @ x) + c.anchor_squared[k])
            parts.append(np.float32(0.5 / len(x)) * squares + kl)
        return np.concatenate(parts)
