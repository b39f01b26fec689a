"""Examples beside words in the ranker, on the bundle that ships."""

from __future__ import annotations

import numpy as np
import pytest

from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.shipped import DEFAULT
from edge_app.encoder import load_encoder
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import feature_mean, load_ranker
from edge_app.ranker.prototypes import MIX, Prototypes, mixed
from edge_app.types import Feature, Window

NAMES = ("drink water", "my gesture", "sit down")


@pytest.fixture(scope="module")
def bundle():
    return load_bundle(DEFAULT)


@pytest.fixture(scope="module")
def features(bundle) -> list[Feature]:
    encoder, golden = load_encoder(bundle), bundle.golden()["windows"]
    window = Window("cam", 1, 0, golden[0].astype(np.float32), np.ones(len(golden[0]), bool), 30.0, 0.9, 1.0)
    return [Feature(window, encoder.vector(one)) for one in golden]


def ranker(bundle, shots: dict):
    made = load_ranker(bundle, "scale", build_table(tuple(map(Label, NAMES)), BundleText(bundle), 1))
    if shots is None:
        return made
    return made.adjusted(Prototypes.of(shots, feature_mean(bundle), made.calibration.temperature))


def test_without_examples_of_its_labels_nothing_changes_bit_for_bit(bundle, features):
    plain = ranker(bundle, None).rank(features)
    for shots in ({}, {"bow": [features[0].vector[None]]}):
        for one, other in zip(plain, ranker(bundle, shots).rank(features), strict=True):
            np.testing.assert_array_equal(one.energies, other.energies)
            assert one.known == other.known


def test_what_was_shown_is_found_and_the_words_keep_their_energies(bundle, features):
    shots = {"my gesture": [features[0].vector[None]]}
    plain, taught = ranker(bundle, None).rank(features), ranker(bundle, shots).rank(features)
    assert taught[0].labels[taught[0].order()[0]] == "my gesture"
    assert taught[0].known > 0.9
    for one, other in zip(plain, taught, strict=True):
        np.testing.assert_array_equal(one.energies[[0, 2]], other.energies[[0, 2]])


def test_the_odds_of_a_taught_label_are_those_of_the_mix():
    energies = np.array([[1.0, 2.0, 0.5]], np.float32)
    out = mixed(energies, np.array([[0.9]], np.float32), [1], 0.5)
    rest = np.logaddexp(-1.0 / 0.5, -0.5 / 0.5)
    odds = MIX.word * (-2.0 / 0.5 - rest) + MIX.like * 0.9 + MIX.bias
    np.testing.assert_allclose(-out[0, 1] / 0.5 - rest, odds, rtol=1e-5)


def test_a_label_with_nothing_to_compare_it_with_stays_finite():
    assert np.isfinite(mixed(np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32), [0], 1.0)).all()
