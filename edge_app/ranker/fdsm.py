"""FDSM on the device: `train/models/fdsm.py` in numpy, with all that depends on labels alone computed in advance.

Texts do not look at the feature there (one way), so a label is folded into keys, values and modulations once. What is
left for a window is one token for each label and stored noise, a quarter of the whole network's cost. Of the
background, only the `RIVALS` texts whose anchors lie nearest to the window are matched: `known` asks for the best of
them. (Those nearest to the labels would not do: arms alone on the list, and a squat would find nothing that explains
it.)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from edge_app.ranker.layers import (
    anchors,
    gelu,
    high_pass,
    layer_norm,
    linear,
    sigmoid,
    softmax,
    standardized,
    unit,
)

RIVALS = 24
"""Background texts that are matched for each window; all 473 told unknown motion apart no better."""
CHUNK = 64
"""Labels that are matched at a time: what they need stays in the processor's cache."""


def modulated(h: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """adaLN; `scale` has the one added already."""
    return layer_norm(h, scale, shift, epsilon=1e-6)


class _Read(NamedTuple):
    """What a block makes of the candidates: modulations of the feature's stream, keys and values."""

    modulations: list[np.ndarray]
    keys: np.ndarray
    values: np.ndarray


class _Block:
    """A block's weights."""

    def __init__(self, w: Mapping[str, np.ndarray], prefix: str, heads: int) -> None:
        self.w = {name[len(prefix) :]: value for name, value in w.items() if name.startswith(prefix)}
        self.heads = heads

    def modulations(self, stream: str, condition: np.ndarray) -> list[np.ndarray]:
        """Shift, scale plus one, and gate of attention, then of the MLP: `[N, H] -> 6 x [N, H]`."""
        parts = np.split(linear(self.w, f"{stream}.modulation", condition), 6, axis=1)
        parts[1], parts[4] = parts[1] + 1, parts[4] + 1
        return [np.ascontiguousarray(part) for part in parts]

    def project(self, stream: str, h: np.ndarray) -> list[np.ndarray]:
        """Queries, divided by the root of their width, keys and values: `[..., H] -> 3 x [..., heads, d]`."""
        q, k, v = np.split(linear(self.w, f"{stream}.qkv", h), 3, axis=-1)
        shape = (*h.shape[:-1], self.heads, h.shape[-1] // self.heads)
        return [q.reshape(shape) / np.float32(np.sqrt(shape[-1])), k.reshape(shape), v.reshape(shape)]

    def feed(self, stream: str, h: np.ndarray) -> np.ndarray:
        return linear(self.w, f"{stream}.mlp.2", gelu(linear(self.w, f"{stream}.mlp.0", h)))

    def read(self, condition: np.ndarray, tokens: np.ndarray) -> tuple[_Read, np.ndarray]:
        """Candidates, as silu of conditions `[N, H]` and tokens `[N, L, H]`; and the next block's tokens."""
        m = [part[:, None] for part in self.modulations("text", condition)]
        q, keys, values = self.project("text", modulated(tokens, m[0], m[1]))
        found = _Read(self.modulations("skeleton", condition), keys, values)
        if "text.out.weight" not in self.w:
            return found, tokens
        weights = softmax(np.einsum("nqhd,nkhd->nqhk", q, keys))
        attended = np.einsum("nqhk,nkhd->nqhd", weights, values).reshape(tokens.shape)
        tokens = tokens + m[2] * linear(self.w, "text.out", attended)
        return found, tokens + m[5] * self.feed("text", modulated(tokens, m[3], m[4]))

    def match(
        self, h: np.ndarray, read: _Read, chosen: slice | np.ndarray, gate: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """The feature's token under chosen candidates: `[R, n, H] -> [R, n, H]`."""
        m = [part[chosen] for part in read.modulations]
        q, k, v = self.project("skeleton", modulated(h, m[0], m[1]))
        keys, values = read.keys[chosen], read.values[chosen]
        own = (q * k).sum(axis=-1, keepdims=True)
        others = [(q * keys[:, i]).sum(axis=-1, keepdims=True) for i in range(keys.shape[1])]
        weights = softmax(np.concatenate([own, *others], axis=-1))
        attended = weights[..., :1] * v
        for i in range(keys.shape[1]):
            attended += weights[..., i + 1 : i + 2] * values[:, i]
        h = h + m[2] * linear(self.w, "skeleton.out", attended.reshape(h.shape))
        h = h + gate[chosen] * (h @ high)
        return h + m[5] * self.feed("skeleton", modulated(h, m[3], m[4]))


class FdsmModel:
    """Matching at one step with stored noises; nothing is drawn (METHODS.md 3.4).

    Args:
        weights: arrays by name, from `train.heads.fdsm.device_weights`.
    """

    kind, parts = "fdsm", False

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        w = self.w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        self.text_width = len(w["text_mean"])
        heads = int(weights["heads"])
        depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
        self.blocks = [_Block(w, f"blocks.{i}.", heads) for i in range(depth)]
        self.high = high_pass(len(w["time"]))

    def with_texts(self, texts: np.ndarray, labels: int) -> FdsmEnergies:
        """As `EnergyModel.with_texts`."""
        return FdsmEnergies(self, texts, labels)


class FdsmEnergies:
    """Energies of the labels, then of the `RIVALS` nearest of the background: float32 `[B, D] -> [B, K + n]`."""

    def __init__(self, model: FdsmModel, texts: np.ndarray, labels: int) -> None:
        w = model.w
        self._model, self._labels = model, labels
        text = unit(texts)  # of length 1, as training has them
        nothing = w["nothing"].reshape(1, -1)
        whole = np.concatenate([nothing, (text - w["text_mean"]) * np.float32(np.sqrt(text.shape[1]))])
        # The first candidate is the null text, then come the labels, then the background.
        anchor = anchors(w, text)
        self._anchor = np.concatenate([np.zeros_like(anchor[:1]), anchor])
        self._start = self._anchor @ w["anchor_embed.weight"].T + w["x_embed.bias"]
        hidden = linear(w, "pooled_embed.0", whole)
        condition = w["time"] + linear(w, "pooled_embed.2", hidden * sigmoid(hidden))
        condition = condition * sigmoid(condition)
        self._gate = sigmoid(linear(w, "gate.2", np.maximum(linear(w, "gate.0", whole), 0)))
        tokens = linear(w, "token_embed", whole.reshape(len(whole), *w["nothing"].shape)) + w["position"]
        self._reads = []
        for block in model.blocks:
            read, tokens = block.read(condition, tokens)
            self._reads.append(read)
        self._shift, scale = np.split(linear(w, "modulation", condition), 2, axis=1)
        self._scale = scale + 1

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        return np.stack([self._energies(vector) for vector in vectors])

    def match(self, vector: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Energies of chosen labels for one window: float32 `[D]`, int `[n] -> [n]`."""
        errors = self._errors(standardized(self._model.w, vector), np.concatenate([[0], labels + 1]))
        return errors[1:] - errors[0]

    def away(self, vectors: np.ndarray) -> np.ndarray:
        """How far each label's anchor lies from windows, by which rivals are chosen: `[B, D] -> [B, K]`."""
        anchor = self._anchor[1 : self._labels + 1]
        return np.stack([_away(anchor, standardized(self._model.w, vector)) for vector in vectors])

    def _energies(self, vector: np.ndarray) -> np.ndarray:
        own = self._labels + 1
        x = standardized(self._model.w, vector)
        rivals = own + np.argsort(_away(self._anchor[own:], x), kind="stable")[:RIVALS]
        parts = [self._errors(x, slice(i, min(i + CHUNK, own))) for i in range(0, own, CHUNK)]
        errors = np.concatenate([*parts, self._errors(x, rivals)])
        return errors[1:] - errors[0]

    def _errors(self, x: np.ndarray, chosen: slice | np.ndarray) -> np.ndarray:
        """Mean squared error of the clean feature over stored noises: `[D] -> [n]`, for chosen candidates."""
        w, model = self._model.w, self._model
        noisy = np.sqrt(w["alpha_bar"]) * x + np.sqrt(1 - w["alpha_bar"]) * w["noise"]
        h = (noisy @ w["x_embed.weight"].T)[:, None] + self._start[chosen]
        for block, read in zip(model.blocks, self._reads, strict=True):
            h = block.match(h, read, chosen, self._gate, model.high)
        given = linear(w, "final", modulated(h, self._shift[chosen], self._scale[chosen]))
        rest = (x - self._anchor[chosen]) - given
        return (rest * rest).mean(axis=2).mean(axis=0)


def _away(anchor: np.ndarray, x: np.ndarray) -> np.ndarray:
    gap = anchor - x
    return (gap * gap).mean(axis=1)
