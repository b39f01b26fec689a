"""SA-DVAE on the device: `train/models/sa_dvae.py` in numpy, with all that depends on labels alone made in advance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.calibration import background_mask, rank_each
from edge_app.ranker.gaussian_latents import LatentTexts, fit_classifier, posterior
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.layers import unit
from edge_app.types import Feature, Ranking


class SaDvaeRanker:
    """Ranks by the likelihood of the skeleton's related latent under each text's posterior; nothing is sampled.

    Args:
        weights: the module's state by name, float32, from `ranker-sa_dvae.npz`.
        background: float32 `[N, E]`, text embeddings of other everyday actions.
        classifier: instead train the paper's classifier whenever labels change (METHODS.md 4.4); energies are then its
            negative logits.
    """

    kind = "sa_dvae"

    def __init__(
        self,
        weights: Mapping[str, np.ndarray],
        calibration: Calibration,
        background: np.ndarray,
        *,
        classifier: bool = False,
    ) -> None:
        w = self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        related = w["text_encoder.bias"].size // 2
        self._weight = (w["feature_encoder.weight"][:related] / w["feature_std"]).T.copy()
        self._bias = w["feature_encoder.bias"][:related] - w["feature_mean"] @ self._weight
        self.calibration = calibration
        self._background = background
        self._classifier = classifier

    def set_labels(self, table: LabelTable) -> None:
        text, w = table.pooled(), self._w
        if text.shape[1] != self._background.shape[1]:
            raise UsageError(
                f"labels: embeddings are {text.shape[1]} wide, the bundle's are {self._background.shape[1]}"
            )
        others = self._background[background_mask(text, self._background, self.calibration.same_text_threshold)]
        text = (unit(np.concatenate([text, others])) - w["text_mean"]) * w["text_scale"]
        of_text = posterior(text, w["text_encoder.weight"], w["text_encoder.bias"])
        if self._classifier:
            weight, bias = fit_classifier(*of_text, w["noise"])
            self._read, self._read_bias = -weight.T, -bias
        else:
            self._texts = LatentTexts(*of_text)
        self.table = table

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + N]`: the labels, then the foreign background."""
        latent = vectors[:, : len(self._weight)] @ self._weight + self._bias
        return latent @ self._read + self._read_bias if self._classifier else self._texts.energies(latent)

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        return rank_each(features, self.energies, self.table, self.calibration)
