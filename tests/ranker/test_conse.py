"""What web videos teach, beside a ranker."""

import numpy as np

from edge_app.ranker.conse import FLOOR, WebClasses, WithConse

MEAN = np.zeros(8, np.float32)
CLASSES = WebClasses(np.eye(3, 8, dtype=np.float32), MEAN)


class Nothing:
    """A model for which all labels are alike."""

    kind, text_width, parts = "nothing", 8, False

    def with_texts(self, texts, labels):
        return lambda vectors: np.zeros((len(vectors), len(texts)), np.float32)


def energies(texts: np.ndarray, labels: int, shares: list[float]) -> np.ndarray:
    vector = np.concatenate([np.full(5, 9.0), shares]).astype(np.float32)
    return WithConse(Nothing(), CLASSES, 0.5).with_texts(texts.astype(np.float32), labels)(vector[None])[0]


def test_a_label_with_the_name_of_a_class_gets_what_the_network_sees_of_it():
    found = energies(np.eye(8)[[0, 1, 5]], 3, [0.7, 0.3, 0.0])
    expected = -0.5 * np.log(np.array([0.7, 0.3, 0.0]) + FLOOR)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_what_a_class_is_like_in_the_background_is_not_the_labels():
    alone = energies(np.eye(8)[[4, 5]], 2, [0.0, 0.0, 1.0])
    beside = energies(np.eye(8)[[4, 5, 2]], 2, [0.0, 0.0, 1.0])
    np.testing.assert_allclose(alone, -0.5 * np.log(0.5 + FLOOR), atol=1e-4)
    np.testing.assert_allclose(beside[:2], -0.5 * np.log(FLOOR), atol=1e-4)
    assert beside[2] < beside[0]


def test_a_class_is_shared_out_by_likeness_and_texts_of_any_length_are_the_same():
    texts = np.array([[3.0, 0.3, 0, 0, 0, 0, 0, 0], [0.3, 3.0, 0, 0, 0, 0, 0, 0]], np.float32)
    likeness = CLASSES.likeness(texts)
    np.testing.assert_allclose(likeness.sum(axis=1), 1, atol=1e-6)
    assert likeness[0, 0] > 0.99
    assert likeness[1, 1] > 0.99
    np.testing.assert_allclose(CLASSES.likeness(texts * 7), likeness, atol=1e-6)


def test_a_share_below_zero_which_only_a_wrong_engine_gives_counts_as_none():
    with np.errstate(all="raise"):
        found = energies(np.eye(8)[[0, 1]], 2, [-0.5, 1.5, 0.0])
    np.testing.assert_allclose(found[0], energies(np.eye(8)[[0, 1]], 2, [0.0, 1.5, 0.0])[0])
    assert np.isfinite(found).all()
