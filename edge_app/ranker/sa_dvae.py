"""SA-DVAE on the device: `train/models/sa_dvae.py` in numpy, with all that depends on labels alone made in advance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_app.ranker.gaussian_latents import LatentTexts, posterior
from edge_app.ranker.layers import unit
from edge_app.ranker.ranker import Energies


class SaDvaeModel:
    """The energy is minus the likelihood of the skeleton's related latent under each text's posterior; no sampling.

    Args:
        weights: the module's state by name, float32, from `ranker-sa_dvae.npz`.
    """

    kind, parts = "sa_dvae", False

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        w = self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        self.text_width = len(w["text_mean"])
        related = w["text_encoder.bias"].size // 2
        self._weight = (w["feature_encoder.weight"][:related] / w["feature_std"]).T.copy()
        self._bias = w["feature_encoder.bias"][:related] - w["feature_mean"] @ self._weight

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        """As `EnergyModel.with_texts`."""
        w = self._w
        told = LatentTexts(*posterior(w, "text_encoder", (unit(texts) - w["text_mean"]) * w["text_scale"]))

        def energies(vectors: np.ndarray) -> np.ndarray:
            return told.energies(vectors[:, : len(self._weight)] @ self._weight + self._bias)

        return energies
