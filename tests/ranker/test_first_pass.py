"""Many labels: the first pass finds the labels that exact energies put first, and leaves short lists as they are."""

import numpy as np
import pytest

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.ranker.first_pass import MANY
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.load import RankerConfig, load_ranker
from edge_app.types import Feature

EXACT = RankerConfig(exact=True)


def table(count: int) -> LabelTable:
    """The bundle's own texts, then mixtures of any two of them, which lie where two actions at once would."""
    stored = np.load(DEFAULT / "labels.npy").astype(np.float32)
    pairs = np.random.default_rng(count).integers(len(stored), size=(count, 2))
    pairs[: len(stored)] = np.arange(len(stored))[:count, None]
    vectors = stored[pairs].mean(axis=1)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    return LabelTable(1, labels, "mixed", tuple((Text("name", label.name),) for label in labels), vectors)


@pytest.fixture(scope="module")
def features():
    bundle = load_bundle(DEFAULT)
    encoder = load_encoder(bundle)
    return [Feature(None, encoder.vector(window)) for window in bundle.golden()["windows"]]


def test_of_many_labels_the_first_five_and_their_energies_are_the_exact_ones(features):
    bundle, labels = load_bundle(DEFAULT), table(6000)
    some = load_ranker(bundle, "scale", labels).rank(features)
    every = load_ranker(bundle, "scale", labels, EXACT).rank(features)
    for one, other in zip(some, every, strict=True):
        best = other.order()[:5]
        np.testing.assert_array_equal(one.order()[:5], best)
        np.testing.assert_allclose(one.energies[best], other.energies[best], atol=1e-6)
        assert (np.abs(one.energies - other.energies) > 1e-4).mean() > 0.9, "most are not looked at"
        assert one.energies.mean() == pytest.approx(other.energies.mean(), abs=0.05)
        assert one.scores.sum() == pytest.approx(1, abs=1e-4)
        assert one.scores[best[0]] == pytest.approx(other.scores[best[0]], rel=0.3)
        assert one.known == pytest.approx(other.known, abs=0.01)


def test_short_lists_are_ranked_exactly_bit_for_bit(features):
    bundle, labels = load_bundle(DEFAULT), table(MANY)
    some = load_ranker(bundle, "scale", labels).rank(features[:2])
    every = load_ranker(bundle, "scale", labels, EXACT).rank(features[:2])
    assert [one.energies.tobytes() for one in some] == [other.energies.tobytes() for other in every]
