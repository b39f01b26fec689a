"""FDSM on the device: `train/models/fdsm.py` in numpy, with all that depends on labels alone computed in advance.

Texts do not look at the feature there (one way), so a label is folded into keys, values and modulations once. What is
left for a window is one token for each label and stored noise, a quarter of the whole network's cost. Of the
background, only the `RIVALS` texts whose anchors lie nearest to the window are matched: `known` asks for the best of
them. (Those nearest to the labels would not do: arms alone on the list, and a squat would find nothing that explains
it.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.calibration import background_mask, rank_each
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.layers import gelu, high_pass, linear, sigmoid, softmax, unit
from edge_app.types import Feature, Ranking

RIVALS = 24
"""Background texts that are matched for each window; all 473 told unknown motion apart no better."""
CHUNK = 64
"""Labels that are matched at a time: what they need stays in the processor's cache."""


def modulated(h: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """adaLN; `scale` has the one added already."""
    centred = h - h.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(1e-6)) * scale + shift


class _Block:
    """A block's weights, and what its text stream makes of the candidates."""

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

    def read(self, condition: np.ndarray, tokens: np.ndarray) -> np.ndarray:
        """Fold candidates in: silu of conditions `[N, H]`, tokens `[N, L, H]`; gives the next block's tokens."""
        self.m = self.modulations("skeleton", condition)
        m = [part[:, None] for part in self.modulations("text", condition)]
        q, self.keys, self.values = self.project("text", modulated(tokens, m[0], m[1]))
        if "text.out.weight" not in self.w:
            return tokens
        weights = softmax(np.einsum("nqhd,nkhd->nqhk", q, self.keys))
        attended = np.einsum("nqhk,nkhd->nqhd", weights, self.values).reshape(tokens.shape)
        tokens = tokens + m[2] * linear(self.w, "text.out", attended)
        return tokens + m[5] * self.feed("text", modulated(tokens, m[3], m[4]))

    def match(self, h: np.ndarray, chosen: slice | np.ndarray, gate: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The feature's token under chosen candidates: `[R, n, H] -> [R, n, H]`."""
        m = [part[chosen] for part in self.m]
        q, k, v = self.project("skeleton", modulated(h, m[0], m[1]))
        keys, values = self.keys[chosen], self.values[chosen]
        own = (q * k).sum(axis=-1, keepdims=True)
        others = [(q * keys[:, i]).sum(axis=-1, keepdims=True) for i in range(keys.shape[1])]
        weights = softmax(np.concatenate([own, *others], axis=-1))
        attended = weights[..., :1] * v
        for i in range(keys.shape[1]):
            attended += weights[..., i + 1 : i + 2] * values[:, i]
        h = h + m[2] * linear(self.w, "skeleton.out", attended.reshape(h.shape))
        h = h + gate[chosen] * (h @ high)
        return h + m[5] * self.feed("skeleton", modulated(h, m[3], m[4]))


class FdsmRanker:
    """Matching at one step with stored noises; nothing is drawn (METHODS.md 3.4).

    Args:
        weights: arrays by name, from `train.heads.fdsm.device_weights`.
        background: float32 `[N, E]`, text embeddings of other everyday actions, `LabelTable.pooled`.

    Raises:
        UsageError: the background's embeddings are not as wide as the model's texts.
    """

    kind = "fdsm"

    def __init__(self, weights: Mapping[str, np.ndarray], calibration: Calibration, background: np.ndarray) -> None:
        w = self._w = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        self._check_width(background, "background")
        heads = int(weights["heads"])
        depth = 1 + max(int(name.split(".")[1]) for name in w if name.startswith("blocks."))
        self._blocks = [_Block(w, f"blocks.{i}.", heads) for i in range(depth)]
        self._high = high_pass(len(w["time"]))
        self.calibration = calibration
        self._background = background

    def set_labels(self, table: LabelTable) -> None:
        text, w = table.pooled(), self._w
        self._check_width(text, "labels")
        others = self._background[background_mask(text, self._background, self.calibration.same_text_threshold)]
        text = unit(np.concatenate([text, others]))  # of length 1, as training has them
        direction = unit(unit(text - w["text_mean"]) @ w["text_map.weight"].T)
        place = direction * np.float32(np.sqrt(direction.shape[1]))
        nothing = w["nothing"].reshape(1, -1)
        whole = np.concatenate([nothing, (text - w["text_mean"]) * np.float32(np.sqrt(text.shape[1]))])
        # The first candidate is the null text, then come the labels, then the background.
        self._anchor = (place - w["feature_mean"]) / w["feature_std"]
        self._anchor = np.concatenate([np.zeros_like(self._anchor[:1]), self._anchor])
        self._start = self._anchor @ w["anchor_embed.weight"].T + w["x_embed.bias"]
        hidden = linear(w, "pooled_embed.0", whole)
        condition = w["time"] + linear(w, "pooled_embed.2", hidden * sigmoid(hidden))
        condition = condition * sigmoid(condition)
        self._gate = sigmoid(linear(w, "gate.2", np.maximum(linear(w, "gate.0", whole), 0)))
        tokens = linear(w, "token_embed", whole.reshape(len(whole), *w["nothing"].shape)) + w["position"]
        for block in self._blocks:
            tokens = block.read(condition, tokens)
        self._shift, scale = np.split(linear(w, "modulation", condition), 2, axis=1)
        self._scale = scale + 1
        self.table = table

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        """float32 `[B, D] -> [B, K + n]`: the labels, then the `RIVALS` nearest of the foreign background."""
        return np.stack([self._energies(vector) for vector in vectors])

    def match(self, vector: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Energies of chosen labels for one window: float32 `[D]`, int `[n] -> [n]`."""
        errors = self._errors(self._standardised(vector), np.concatenate([[0], labels + 1]))
        return errors[1:] - errors[0]

    def away(self, vectors: np.ndarray) -> np.ndarray:
        """How far each label's anchor lies from windows, by which rivals are chosen: `[B, D] -> [B, K]`."""
        anchors = self._anchor[1 : len(self.table.labels) + 1]
        return np.stack([_away(anchors, self._standardised(vector)) for vector in vectors])

    def _standardised(self, vector: np.ndarray) -> np.ndarray:
        mean = self._w["feature_mean"]
        return (vector[: len(mean)] - mean) / self._w["feature_std"]

    def rank(self, features: Sequence[Feature]) -> list[Ranking]:
        return rank_each(features, self.energies, self.table, self.calibration)

    def _energies(self, vector: np.ndarray) -> np.ndarray:
        own = len(self.table.labels) + 1
        x = self._standardised(vector)
        rivals = own + np.argsort(_away(self._anchor[own:], x), kind="stable")[:RIVALS]
        parts = [self._errors(x, slice(i, min(i + CHUNK, own))) for i in range(0, own, CHUNK)]
        errors = np.concatenate([*parts, self._errors(x, rivals)])
        return errors[1:] - errors[0]

    def _errors(self, x: np.ndarray, chosen: slice | np.ndarray) -> np.ndarray:
        """Mean squared error of the clean feature over stored noises: `[D] -> [n]`, for chosen candidates."""
        w = self._w
        noisy = np.sqrt(w["alpha_bar"]) * x + np.sqrt(1 - w["alpha_bar"]) * w["noise"]
        h = (noisy @ w["x_embed.weight"].T)[:, None] + self._start[chosen]
        for block in self._blocks:
            h = block.match(h, chosen, self._gate, self._high)
        given = linear(w, "final", modulated(h, self._shift[chosen], self._scale[chosen]))
        rest = (x - self._anchor[chosen]) - given
        return (rest * rest).mean(axis=2).mean(axis=0)

    def _check_width(self, text: np.ndarray, what: str) -> None:
        if text.shape[1] != len(self._w["text_mean"]):
            raise UsageError(
                f"{what}: embeddings are {text.shape[1]} wide, the bundle's are {len(self._w['text_mean'])}"
            )


def _away(anchors: np.ndarray, x: np.ndarray) -> np.ndarray:
    gap = anchors - x
    return (gap * gap).mean(axis=1)
