"""From energies to scores, and to how far the best label is from "none of these". Shared by every ranker."""

from __future__ import annotations

import numpy as np

from edge_app.bundles.bundle import Calibration


def log_sum_exp(values: np.ndarray) -> np.ndarray:
    """Over the last axis; minus infinity where it is empty."""
    if values.shape[-1] == 0:
        return np.full(values.shape[:-1], -np.inf, np.float32)
    peak = values.max(axis=-1, keepdims=True)
    return (peak + np.log(np.exp(values - peak).sum(axis=-1, keepdims=True)))[..., 0]


def background_mask(labels: np.ndarray, background: np.ndarray, same_text_threshold: float) -> np.ndarray:
    """Which background texts are none of the labels: bool `[N]`.

    Args:
        labels: float32 `[K, E]` and background: float32 `[N, E]`, pooled texts (`LabelTable.pooled`).
        same_text_threshold: bound on their dot product, which is 2 for equal texts.
    """
    return (background @ labels.T).max(axis=1) < same_text_threshold


def calibrate_scores(
    energies: np.ndarray, background: np.ndarray, calibration: Calibration
) -> tuple[np.ndarray, np.ndarray]:
    """Scores `[B, K]`, and `known` `[B]`.

    The background is a bank of other everyday actions. `known` asks whether some label explains the window better than
    everything in the background does; this comparison within one window is ours (energies of different windows cannot
    be compared, METHODS.md 9.15).

    Args:
        energies: float32 `[B, K]` of the labels; background: float32 `[B, N]`, of the foreign background texts.
    """
    logits = -energies / np.float32(calibration.temperature)
    total = log_sum_exp(logits)
    odds = total - log_sum_exp(-background / np.float32(calibration.temperature))
    known = 1 / (1 + np.exp(-np.clip(calibration.known_slope * odds + calibration.known_bias, -30, 30)))
    return np.exp(logits - total[:, None]), known
