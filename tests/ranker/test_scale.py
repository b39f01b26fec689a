"""SCALE's energies, folded, against the plain computation in double precision, with the weights that ship."""

import numpy as np
import pytest

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.files import load_npz
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.layers import triangle
from edge_app.ranker.scale import CHUNK, ScaleModel


def table(count: int) -> LabelTable:
    vectors = np.random.default_rng(count).normal(size=(count, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    return LabelTable(1, labels, "made-up", tuple((Text("name", label.name),) for label in labels), vectors)


def plain(w: dict[str, np.ndarray], x: np.ndarray, text: np.ndarray) -> np.ndarray:
    """`train/models/scale.py` again: the ELBO at the posterior mean, `[D], [K, E] -> [K]`."""

    def linear(name: str, h: np.ndarray) -> np.ndarray:
        return h @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0)

    def norm(name: str, h: np.ndarray) -> np.ndarray:
        h = h - h.mean(axis=1, keepdims=True)
        return h / np.sqrt((h * h).mean(axis=1, keepdims=True) + 1e-5) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def gelu(h: np.ndarray) -> np.ndarray:
        return 0.5 * h * (1 + np.tanh(0.7978845608 * (h + 0.044715 * h**3)))

    def unit(h: np.ndarray) -> np.ndarray:
        return h / np.linalg.norm(h, axis=1, keepdims=True)

    text = unit(text)
    condition = norm("project.4", linear("project.3", gelu(linear("project.1", (text - w["text_mean"]) * 768**0.5))))
    anchor = unit(linear("text_map", unit(text - w["text_mean"]))) * 768**0.5
    anchor = (anchor - w["feature_mean"]) / w["feature_std"]
    x = (x - w["feature_mean"]) / w["feature_std"]
    hidden = linear("posterior_x", x[None]) + linear("posterior_c", condition)
    mean, log = np.split(linear("posterior.2", gelu(norm("posterior.0", hidden))), 2, axis=1)
    prior_mean, prior_log = np.split(linear("prior", condition), 2, axis=1)
    log, prior_log = log.clip(-6, 4), prior_log.clip(-4, 4)
    hidden = linear("decoder_z", mean) + linear("decoder_c", condition)
    rest = x - anchor - linear("decoder.2", gelu(norm("decoder.0", hidden)))
    kl = 0.5 * (prior_log - log + (np.exp(log) + (mean - prior_mean) ** 2) / np.exp(prior_log) - 1).mean(axis=1)
    told = w["text_head"] * 0.5 * ((x - anchor) ** 2).mean(axis=1)
    return 0.5 * (rest * rest).mean(axis=1) + kl + told


@pytest.mark.parametrize("count", [1, 12, CHUNK + 1])
def test_energies_are_those_of_the_plain_computation(count):
    bundle, labels = load_bundle(DEFAULT), table(count)
    stored, encoder = load_npz(DEFAULT / "ranker-scale.npz"), load_encoder(bundle)
    energies = ScaleModel(stored).with_texts(labels.pooled(), count)
    weights = {k: v.astype(np.float64) for k, v in stored.items()}
    for window in bundle.golden()["windows"][:4]:
        vector = encoder.vector(window)[: len(weights["feature_mean"])]
        expected = plain(weights, vector.astype(np.float64), labels.pooled().astype(np.float64))
        np.testing.assert_allclose(energies(vector[None])[0], expected, atol=1e-6)


@pytest.mark.parametrize("size", [3, 4, 10, 256])
def test_a_quadratic_form_by_its_triangle(size):
    random = np.random.default_rng(size)
    root, h = random.normal(size=(size + 1, size)), random.normal(size=(5, size))
    square = root.T @ root
    folded = np.concatenate([h[:, : columns.stop] @ block for columns, block in triangle(square)], axis=1)
    np.testing.assert_allclose((folded * h).sum(axis=1), ((h @ square) * h).sum(axis=1))
