"""FS-VAE on the device: `train/models/fs_vae.py` in numpy, with all that depends on labels alone made in advance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_app.errors import UsageError
from edge_app.ranker.gaussian_latents import LatentTexts, posterior
from edge_app.ranker.labels.table import PARTS
from edge_app.ranker.layers import dct_matrix, unit
from edge_app.ranker.ranker import Energies

BANDS = 30
SPLIT = 30


def frequency_bands(width: int) -> tuple[np.ndarray, np.ndarray]:
    """Band of each coefficient, int `[width]`, and slope s in its gain 1 + w_band k s, float32 `[width]`.

    METHODS.md 5.2. The last coefficient has slope 0: the released edges leave it out.
    """
    edges = np.linspace(0, width - 1, BANDS + 1).astype(np.int64)
    band = np.clip(np.searchsorted(edges, np.arange(width), side="right") - 1, 0, BANDS - 1)
    low = edges[band + 1] <= SPLIT
    slope = np.where(low, 1 - band / BANDS, -(1 - (band - SPLIT) / BANDS))
    slope[-1] = 0
    return band, slope.astype(np.float32)


def channel_filter(w: np.ndarray, k: np.ndarray, width: int) -> np.ndarray:
    """The enhancement over channels as one symmetric matrix, float32 `[width, width]`."""
    band, slope = frequency_bands(width)
    dct = dct_matrix(width)
    return dct.T * (1 + w[band] * k * slope) @ dct


class FsVaeModel:
    """The energy is minus the likelihood of the skeleton's latents under each text's posterior; nothing is sampled.

    Args:
        weights: the module's state by name, float32, from `ranker-fs_vae.npz`.
    """

    kind = "fs_vae"

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        w = self._w = {name: np.array(value, np.float32) for name, value in weights.items()}
        self._feature, self._text = len(w["whole.feature_decoder.bias"]), len(w["whole.text_decoder.bias"])
        self._steps = len(w.get("time_gains.w", ()))
        self._levels = ["whole", *(f"parts.{i}" for i in range(len(PARTS)) if f"parts.{i}.text_encoder.bias" in w)]
        self._parts = len(self._levels) - 1
        self.parts, self.text_width = self._parts > 0, len(w["text_mean"])
        part = w["parts.0.feature_decoder.bias"].size if self._parts else 0
        self._base = len(w["feature_mean"]) - self._parts * part
        for side, width in (("feature", self._feature), ("text", self._text)):
            if f"{side}_gains.w" in w:
                w[f"whole.{side}_encoder.weight"] = w[f"whole.{side}_encoder.weight"] @ channel_filter(
                    w[f"{side}_gains.w"], w[f"{side}_gains.k"], width
                )
        self._dct = dct_matrix(self._steps) if self._steps else np.zeros((0, 0), np.float32)

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        """As `EnergyModel.with_texts`. The energies refuse features of a width that the model does not know
        (UsageError); those without parts are welcome.
        """
        w, texts = self._w, texts.copy()
        texts[:, : self._text] = unit(texts[:, : self._text])
        texts = (texts - w["text_mean"]) * w["text_scale"]
        told = [
            LatentTexts(*posterior(w, f"{level}.text_encoder", own))
            for level, own in zip(self._levels, self._split(texts, self._text), strict=True)
        ]
        return lambda vectors: self._energies(vectors, told)

    def _split(self, x: np.ndarray, base: int) -> list[np.ndarray]:
        """The whole body's columns, then each part's, as far as they are there."""
        return [x[:, :base], *(np.split(x[:, base:], self._parts, axis=1) if x.shape[1] > base else [])]

    def _energies(self, vectors: np.ndarray, told: list[LatentTexts]) -> np.ndarray:
        w, width = self._w, vectors.shape[1]
        if width not in (self._base, len(w["feature_mean"])):
            raise UsageError(f"FS-VAE: features are {width} wide, must be {self._base} or {len(w['feature_mean'])}")
        x = (vectors - w["feature_mean"][:width]) / w["feature_std"][:width]
        found = []
        for level, inputs, texts in zip(self._levels, self._split(x, self._base), told, strict=False):
            if level == "whole" and self._steps:
                inputs = self._over_time(inputs)
            latent, _ = posterior(w, f"{level}.feature_encoder", inputs)
            found.append(texts.energies(latent))
        if len(found) == 1:
            return found[0]
        share = w["part_weight"]
        return (1 - share) * found[0] + share / len(found[1:]) * np.sum(found[1:], axis=0)

    def _over_time(self, x: np.ndarray) -> np.ndarray:
        """Pooled features and, from those over time, mean and peak of what the learned gains leave."""
        steps = x[:, self._feature :].reshape(len(x), self._steps, -1)
        gains = self._dct.T * (1 + self._w["time_gains.w"]) @ self._dct
        steps = gains @ steps
        return np.concatenate([x[:, : self._feature], steps.mean(axis=1), steps.max(axis=1)], axis=1)
