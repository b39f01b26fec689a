"""The layers that the rankers are made of, in NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def linear(w: Mapping[str, np.ndarray], name: str, x: np.ndarray) -> np.ndarray:
    """A layer over the last axis, as one matrix product: numpy would do one for each leading index."""
    weight = w[f"{name}.weight"]
    return (x.reshape(-1, x.shape[-1]) @ weight.T + w[f"{name}.bias"]).reshape(*x.shape[:-1], len(weight))


def softmax(x: np.ndarray) -> np.ndarray:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def gelu(x: np.ndarray) -> np.ndarray:
    """The tanh form of Hendrycks and Gimpel (2016)."""
    return 0.5 * x * (1 + np.tanh(np.float32(0.7978845608) * (x + np.float32(0.044715) * x * x * x)))


def layer_norm(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, epsilon: float = 1e-5) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(epsilon)) * weight + bias


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def centred(x: np.ndarray) -> np.ndarray:
    """Rows with their mean taken off, worked out in double precision."""
    x = x.astype(np.float64)
    return (x - x.mean(axis=-1, keepdims=True)).astype(np.float32)


def activate(h: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """`gelu(layer_norm(h))` of centred rows, in their place; x (1 + tanh u) / 2 = x / (1 + exp(-2 u))."""
    h *= (1 / np.sqrt(np.einsum("kh,kh->k", h, h) / np.float32(h.shape[1]) + np.float32(1e-5)))[:, None]
    h *= weight
    h += bias
    u = h * h
    u *= np.float32(-2 * 0.7978845608 * 0.044715)
    u -= np.float32(2 * 0.7978845608)
    u *= h
    with np.errstate(over="ignore"):  # of exp(-2 u): the quotient is then 0, as it should be
        np.exp(u, out=u)
    u += 1
    h /= u
    return h


def triangle(square: np.ndarray, blocks: int = 4) -> list[tuple[slice, np.ndarray]]:
    """The form h · Q h of a symmetric matrix as h · U h, U being triangular by blocks: five eighths of the work.

    Returns the columns of each block, and U in these columns, down to the diagonal.
    """
    ends = np.linspace(0, len(square), blocks + 1).astype(int).tolist()
    found = []
    for begin, end in pairwise(ends):
        block = square[:end, begin:end].copy()
        block[:begin] *= 2
        found.append((slice(begin, end), block))
    return found


def standardized(w: Mapping[str, np.ndarray], vector: np.ndarray) -> np.ndarray:
    """The columns of a feature that a model reads, by the mean and deviation of its training: `[D or more] -> [D]`."""
    mean = w["feature_mean"]
    return (vector[: len(mean)] - mean) / w["feature_std"]


def anchors(w: Mapping[str, np.ndarray], text: np.ndarray) -> np.ndarray:
    """Where texts lie among standardized features: `[N, E]` of unit length `-> [N, D]`."""
    direction = unit(unit(text - w["text_mean"]) @ w["text_map.weight"].T)
    return (direction * np.float32(np.sqrt(direction.shape[1])) - w["feature_mean"]) / w["feature_std"]


def dct_matrix(width: int) -> np.ndarray:
    """The orthonormal DCT-II, one frequency a row: float32 `[width, width]`."""
    k, n = np.arange(width)[:, None], np.arange(width)[None]
    rows = np.sqrt(2 / width) * np.cos(np.pi * (n + 0.5) * k / width)
    rows[0] = np.sqrt(1 / width)
    return rows.astype(np.float32)


def high_pass(width: int) -> np.ndarray:
    """SG-SRM's projection on all but the lowest quarter of frequencies, `P` of METHODS.md 3.2: `[width, width]`."""
    high = dct_matrix(width)[width // 4 :]
    return high.T @ high
