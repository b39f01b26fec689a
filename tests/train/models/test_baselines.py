"""Baselines: each agrees with a formula written anew, and tells unseen classes of a linear problem apart."""

import numpy as np
import pytest
import torch

from edge_app.errors import UsageError
from train.models.baselines import Conse, Devise, RidgeToText, hinge


def data(toy) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    return torch.from_numpy(toy.features), torch.from_numpy(toy.concept), torch.from_numpy(toy.texts.vectors[:40])


@pytest.mark.parametrize("kind", [RidgeToText, Devise, Conse])
def test_unseen_classes_are_told_apart_the_same_way_every_time(kind, toy):
    feature, text = torch.from_numpy(toy.unseen_features), torch.from_numpy(toy.unseen_texts)
    first, second = (kind.fit(*data(toy)).energies(feature, text).numpy() for _ in range(2))
    assert first.shape == (160, 8)
    assert first.tobytes() == second.tobytes()
    assert toy.unseen_top1(first) > 0.5


def standard(toy) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Standardised features of both kinds, and centred unit texts of both."""
    mean, std = toy.features.mean(0), toy.features.std(0, ddof=1)
    centre = toy.texts.vectors[:40].mean(0)
    seen, unseen = toy.texts.vectors[:40] - centre, toy.unseen_texts - centre
    texts = [t / np.linalg.norm(t, axis=1, keepdims=True) for t in (seen, unseen)]
    return (toy.features - mean) / std, (toy.unseen_features - mean) / std, *texts


def test_the_ridge_is_the_closed_form(toy):
    x, new, seen, unseen = standard(toy)
    rows = np.concatenate([x, np.sqrt(2.0 * len(x)) * np.eye(24)])
    targets = np.concatenate([seen[toy.concept], np.zeros((24, 16))])
    mapped = new @ np.linalg.lstsq(rows, targets, rcond=None)[0]
    expected = -(mapped / np.linalg.norm(mapped, axis=1, keepdims=True)) @ unseen.T
    made = RidgeToText.fit(*data(toy), ridge=2.0)
    found = made.energies(torch.from_numpy(toy.unseen_features), torch.from_numpy(toy.unseen_texts))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_the_hinge_counts_every_wrong_text():
    similarity = torch.tensor([[0.5, 0.45, 0.1], [0.2, 0.9, 0.85]])
    # row 0, right 0: 0.1 - 0.5 + 0.45 = 0.05 and nothing; row 1, right 2: nothing and 0.1 - 0.85 + 0.9 = 0.15
    assert hinge(similarity, torch.tensor([0, 2]), 0.1).item() == pytest.approx((0.05 + 0.15) / 2)


def test_conse_mixes_the_likeliest_seen_texts(toy):
    made = Conse.fit(*data(toy), top=3)
    _, new, seen, unseen = standard(toy)
    logits = new @ made.weight.numpy() + made.bias.numpy()
    p = np.exp(logits - logits.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    expected = np.empty((len(new), 8))
    for i, row in enumerate(p):
        best = np.argsort(-row)[:3]
        mixed = (row[best, None] * seen[best]).sum(0)
        expected[i] = -unseen @ (mixed / np.linalg.norm(mixed))
    found = made.energies(torch.from_numpy(toy.unseen_features), torch.from_numpy(toy.unseen_texts))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


@pytest.mark.parametrize("kind", [RidgeToText, Devise, Conse])
def test_what_does_not_fit_is_refused(kind, toy):
    feature, concept, text = data(toy)
    with pytest.raises(UsageError, match="with 7 concepts"):
        kind.fit(feature, concept[:7], text)
    with pytest.raises(UsageError, match="0 to 39 with 9 texts"):
        kind.fit(feature, concept, text[:9])
