"""Calibrated stacking: what training did not know is spared, and lists that it knew rank as before."""

from __future__ import annotations

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.ranker.calibrated_stacking import CalibratedStacking
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text, known_to
from edge_app.ranker.ranker import Ranker
from edge_app.types import Feature

CALIBRATION = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3, novel=0.2)
FEATURES = [Feature(None, np.zeros(8, np.float32))] * 2


class Fixed:
    """Finds the same energies in everything: of three labels, then of two texts of the background."""

    kind, text_width, parts = "fixed", 8, False

    def with_texts(self, texts: np.ndarray, labels: int):
        assert (len(texts), labels) == (5, 3)
        return lambda vectors: np.tile(np.array([0.5, 0.6, 0.9, 0.7, 0.8], np.float32), (len(vectors), 1))


def ranker(*concepts: str) -> Ranker:
    labels = tuple(Label(name) for name in ("wave", "moonwalk", "kick"))
    table = LabelTable(1, labels, "made-up", tuple((Text("name", x.name),) for x in labels), np.eye(3, 4, dtype="f4"))
    adjustments = [CalibratedStacking(concepts, CALIBRATION.novel)] if concepts else []
    return Ranker("fixed", Fixed(), CALIBRATION, np.zeros((2, 8), np.float32), adjustments, table)


def test_labels_that_training_did_not_know_are_spared():
    found = ranker("wave one hand", "kick forward").energies(np.zeros((2, 8), np.float32))
    np.testing.assert_allclose(found, np.tile([0.5, 0.4, 0.9, 0.7, 0.8], (2, 1)), atol=1e-6)
    ranking = ranker("wave one hand", "kick forward").rank(FEATURES)[0]
    assert ranking.labels[ranking.order()[0]] == "moonwalk"


def test_a_list_that_training_knew_ranks_as_before():
    stacked = ranker("wave", "moonwalk", "kick")
    for one, other in zip(ranker().rank(FEATURES), stacked.rank(FEATURES), strict=True):
        assert one.energies.tobytes() == other.energies.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes()
        assert one.known == other.known


def test_a_label_is_known_by_its_meaning_but_not_under_a_description_of_its_own():
    labels = [Label("waving"), Label("frobnicate"), Label("gruss", ("wave",)), Label("wave", (), "a hand goes round")]
    assert known_to(labels, ["wave", "squat"]) == [True, False, True, False]
    assert known_to(labels, ["Frobnicate"]) == [False, True, False, False]
