"""SCALE: torch and numpy agree, each loss term agrees with a computation written anew, and nothing is random."""

import numpy as np
import pytest
import torch

from edge_app.bundles.bundle import Calibration
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.ranker import Ranker
from edge_app.ranker.scale import ScaleModel
from train.models.scale import Scale, ScaleConfig, semantic_bias

CONFIG = ScaleConfig(feature=24, text=16, condition=20, latent=6, hidden=18, text_dropout=0.0, condition_dropout=0.0)
CALIBRATION = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3)


def model(seed: int = 0, **changes) -> Scale:
    torch.manual_seed(seed)
    made = Scale(ScaleConfig(**{**CONFIG.__dict__, **changes}))
    made.feature_mean.copy_(torch.randn(24))
    made.feature_std.copy_(torch.rand(24) + 0.5)
    made.text_mean.copy_(torch.randn(16) * 0.1)
    torch.nn.init.normal_(made.decoder[-1].weight, std=0.2)
    return made.eval()


def table(count: int, seed: int = 0, version: int = 1) -> LabelTable:
    """Labels with made-up embeddings of width 8, so that pooled texts are 16 wide."""
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    return LabelTable(version, labels, "made-up", tuple((Text("name", label.name),) for label in labels), vectors)


def ranker_of(made: Scale, labels: LabelTable, background: int = 5) -> Ranker:
    model = ScaleModel({k: v.numpy() for k, v in made.state_dict().items()})
    return Ranker("scale", model, CALIBRATION, table(background, seed=9).pooled(), table=labels)


def test_numpy_energies_equal_torch():
    made, labels = model(), table(7)
    features = torch.randn(11, 24)
    ranker = ranker_of(made, labels)
    with torch.inference_mode():
        expected = made.energies(features, torch.from_numpy(labels.pooled() / np.float32(np.sqrt(2)))).numpy()
    np.testing.assert_allclose(ranker.energies(features.numpy())[:, :7], expected, atol=2e-5)


def test_the_energy_is_the_elbo_at_the_posterior_mean():
    made, text = model(), torch.from_numpy(table(3).pooled())
    feature = torch.randn(24)
    with torch.inference_mode():
        energies = made.energies(feature[None], text)[0]
        for k in range(3):
            c, x = made.condition(text[k : k + 1])[0], made.standardise(feature)
            q_mean, q_log = made.posterior_of(x, c)
            p_mean, p_log = made.prior_of(c)
            posterior = torch.distributions.Normal(q_mean, (0.5 * q_log).exp())
            prior = torch.distributions.Normal(p_mean, (0.5 * p_log).exp())
            kl = torch.distributions.kl_divergence(posterior, prior).mean()
            anchor = made.anchor(text[k : k + 1])[0]
            rest = 0.5 * (x - made.decode(q_mean, c, anchor)).square().mean()
            told = made.config.text_head * 0.5 * (x - anchor).square().mean()
            assert energies[k].item() == pytest.approx((rest + kl + told).item(), rel=1e-4)


def test_semantic_bias_sums_to_the_number_of_negatives_and_is_flat_without_alpha():
    text = torch.randn(6, 16)
    bias = semantic_bias(text, 2.0)
    for y in range(6):
        others = [k for k in range(6) if k != y]
        assert bias[y, others].exp().sum().item() == pytest.approx(5, rel=1e-4)
        assert bias[y, y] == 0
    assert semantic_bias(text, 0.0).abs().max() < 1e-5


def test_the_listwise_term_is_the_biased_softplus():
    """-log p of METHODS.md 2.6 equals softplus((E_y + m - F) / tau) with F the biased free energy of the negatives."""
    only = {"prototype": 0.0, "uncertain_weight": 0.0, "uncertain_margin": 0.0, "free_bits": 0.0}
    made, text = model(**only), torch.from_numpy(table(5).pooled())
    without = model(**only, listwise=0.0)
    feature, concept = torch.randn(8, 24), torch.randint(0, 5, (8,))
    torch.manual_seed(1)
    full = made.loss(feature, concept, text, 1.0, text)
    torch.manual_seed(1)
    rest = without.loss(feature, concept, text, 1.0, text)
    energies, bias = made.energies(feature, text), semantic_bias(text, 2.0)
    expected = []
    for i, y in enumerate(concept.tolist()):
        others = [k for k in range(5) if k != y]
        free = -0.1 * torch.logsumexp(-energies[i, others] / 0.1 + bias[y, others], 0)
        expected.append(torch.nn.functional.softplus((energies[i, y] + 0.2 - free) / 0.1))
    assert (full - rest).item() == pytest.approx(torch.stack(expected).mean().item(), rel=1e-4)


@pytest.mark.parametrize("term", ["listwise", "prototype"])
def test_each_switch_changes_the_loss(term):
    text = torch.from_numpy(table(5).pooled())
    feature, concept = torch.randn(8, 24), torch.randint(0, 5, (8,))
    losses = []
    for weight in (0.0, 1.0):
        torch.manual_seed(2)
        losses.append(model(**{term: weight}).loss(feature, concept, text, 1.0, text).item())
    assert losses[1] > losses[0]


def test_training_separates_classes_that_the_text_tells_apart():
    torch.manual_seed(0)
    text = torch.from_numpy(table(6).pooled())
    centres = torch.randn(6, 24) * 2
    made = Scale(CONFIG).train()
    optimiser = torch.optim.AdamW(made.parameters(), 3e-3)
    for _ in range(150):
        concept = torch.randint(0, 6, (64,))
        loss = made.loss(centres[concept] + torch.randn(64, 24), concept, text, 1.0, text)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    made.eval()
    concept = torch.randint(0, 6, (300,))
    guess = made.energies(centres[concept] + torch.randn(300, 24), text).argmin(1)
    assert (guess == concept).float().mean() > 0.9


def test_the_summed_elbo_is_that_of_the_books():
    """Over the feature's width: half the squared error plus the KL, both summed."""
    made, text, feature = model(summed=True, text_head=0.0), torch.from_numpy(table(3).pooled()), torch.randn(2, 24)
    with torch.inference_mode():
        x, c = made.standardise(feature), made.condition(text)
        mean, log_variance = made.posterior_of(x[:, None], c[None])
        rest = 0.5 * (x[:, None] - made.decode(mean, c[None], made.anchor(text)[None])).square().sum(-1)
        prior_mean, prior_log = made.prior_of(c)
        kl = torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, (log_variance / 2).exp()),
            torch.distributions.Normal(prior_mean[None], (prior_log[None] / 2).exp()),
        ).sum(-1)
        torch.testing.assert_close(made.energies(feature, text), (rest + kl) / 24, rtol=1e-4, atol=1e-5)


def test_matched_prototypes_are_each_candidates_own():
    off = {"listwise": 0.0, "prototype": 1.0, "condition_dropout": 0.0, "beta": 0.0, "text_dropout": 0.0}
    texts, own, x = torch.from_numpy(table(5).pooled()), torch.tensor([0, 3, 2, 1]), torch.randn(4, 24)
    found = {}
    for prototypes in ("null", "matched"):
        for weight in (0.0, 1.0):
            made = model(**{**off, "prototypes": prototypes, "prototype": weight})
            torch.manual_seed(1)
            found[prototypes, weight] = made.loss(x, own, texts, 1.0, texts).item()
    c = made.condition(texts)
    logits = torch.zeros(4, 5)
    for k in range(5):
        latent = made.posterior_of(made.standardise(x), c[k])[0]
        logits[:, k] = torch.nn.functional.cosine_similarity(latent, made.prior_of(c[k])[0][None]) / 0.1
    expected = torch.nn.functional.cross_entropy(logits, own).item()
    assert found["matched", 1.0] - found["matched", 0.0] == pytest.approx(expected, rel=1e-4)
    assert found["null", 1.0] != pytest.approx(found["matched", 1.0], rel=1e-3)


def test_token_attention_weighs_rows_as_written():
    made = model(tokens=3)
    text = torch.randn(5, 4 * 16)
    rows = torch.nn.functional.normalize(text.reshape(5, 4, 16), dim=-1)
    w, v = made.attention[0].weight, made.attention[2].weight[0]
    joined = torch.stack([
        sum(a * row for a, row in zip(torch.softmax(torch.tanh(own[:3] @ w.T) @ v, 0), own[:3], strict=True))
        for own in rows
    ])  # fmt: skip
    both = torch.cat([rows[:, 3] - made.text_mean, joined], 1) * 4
    torch.testing.assert_close(made.condition(text), made.project(both), rtol=1e-4, atol=1e-5)
    loss = made.loss(torch.randn(3, 24), torch.tensor([0, 1, 2]), text, 1.0, text)
    loss.backward()
    assert made.attention[0].weight.grad.abs().sum() > 0
