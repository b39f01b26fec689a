"""Calibrated stacking: what training did not know is spared, and lists that it knew rank as before."""

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.ranker.calibrated_stacking import Stacked
from edge_app.ranker.calibration import make_rankings
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text, known_to
from edge_app.types import Feature


class Fixed:
    """A ranker that finds the same energies in everything: three labels, then two of the background."""

    kind = "fixed"
    calibration = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3, novel=0.2)

    def set_labels(self, table: LabelTable) -> None:
        self.table = table

    def energies(self, vectors: np.ndarray) -> np.ndarray:
        return np.tile(np.array([0.5, 0.6, 0.9, 0.7, 0.8], np.float32), (len(vectors), 1))

    def rank(self, features):
        both = self.energies(np.stack([f.vector for f in features]))
        return make_rankings(features, self.table.names, 1, both[:, :3], both[:, 3:], self.calibration)


def stacked(*concepts: str) -> Stacked:
    labels = tuple(Label(name) for name in ("wave", "moonwalk", "kick"))
    ranker = Stacked(Fixed(), concepts)
    texts = tuple((Text("name", label.name),) for label in labels)
    ranker.set_labels(LabelTable(1, labels, "made-up", texts, np.eye(3, 4, dtype=np.float32)))
    return ranker


def test_labels_that_training_did_not_know_are_spared():
    found = stacked("wave one hand", "kick forward").energies(np.zeros((2, 8), np.float32))
    np.testing.assert_allclose(found, np.tile([0.5, 0.4, 0.9, 0.7, 0.8], (2, 1)), atol=1e-6)
    ranking = stacked("wave one hand", "kick forward").rank([Feature(None, np.zeros(8, np.float32))])[0]
    assert ranking.labels[ranking.order()[0]] == "moonwalk"


def test_a_list_that_training_knew_ranks_as_before():
    features = [Feature(None, np.zeros(8, np.float32))] * 2
    plain, ranker = Fixed(), stacked("wave", "moonwalk", "kick")
    plain.set_labels(ranker._ranker.table)
    for one, other in zip(plain.rank(features), ranker.rank(features), strict=True):
        assert one.energies.tobytes() == other.energies.tobytes()
        assert one.scores.tobytes() == other.scores.tobytes()
        assert one.known == other.known
    assert ranker.rank([]) == []


def test_a_label_is_known_by_its_meaning_but_not_under_a_description_of_its_own():
    labels = [Label("waving"), Label("frobnicate"), Label("gruss", ("wave",)), Label("wave", (), "a hand goes round")]
    assert known_to(labels, ["wave", "squat"]) == [True, False, True, False]
    assert known_to(labels, ["Frobnicate"]) == [False, True, False, False]
