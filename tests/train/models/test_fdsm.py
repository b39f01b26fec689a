"""FDSM: torch and numpy agree, each loss term agrees with a computation written anew, and nothing is random."""

import dataclasses
import math

import numpy as np
import pytest
import torch

import train.heads.fdsm
from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.fdsm import RIVALS, FdsmModel
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.layers import dct_matrix, high_pass
from edge_app.ranker.ranker import Ranker
from train.data.texts import TextBank
from train.heads.fdsm import device_weights, fit_fdsm, names_alone, rich_share
from train.heads.loop import Recipe, Samples
from train.models.diffusion import alpha_bars, noise_bank, time_embedding
from train.models.fdsm import EDGE, FAITHFUL, IMPROVED, Fdsm, FdsmConfig

SMALL = {"feature": 24, "text": 8, "tokens": 2, "pooled": False, "hidden": 32, "depth": 2, "heads": 2, "ratio": 2}
TOY = dataclasses.replace(IMPROVED, **SMALL, time=16, gate=8, low=6, negatives=4, text_dropout=0.0)
PLAIN = dataclasses.replace(FAITHFUL, **SMALL, time=16, gate=8)
CALIBRATION = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3)


def model(config: FdsmConfig = TOY, seed: int = 0) -> Fdsm:
    """A network whose every part does something: what begins at zero is drawn."""
    torch.manual_seed(seed)
    made = Fdsm(config)
    made.feature_mean.copy_(torch.randn(24))
    made.feature_std.copy_(torch.rand(24) + 0.5)
    made.text_mean.copy_(torch.randn(made.text_mean.shape) * 0.1)
    for parameter in made.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.2)
    return made.eval()


def table(count: int, seed: int = 0) -> LabelTable:
    """Labels, each with a name and a description, of made-up embeddings of width 8."""
    vectors = np.random.default_rng(seed).normal(size=(2 * count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    texts = tuple((Text("name", label.name), Text("description", "it moves")) for label in labels)
    return LabelTable(1, labels, "made-up", texts, vectors)


def unit_texts(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(table(count, seed).pooled() / np.float32(np.sqrt(2)))


def ranker_of(made: Fdsm, labels: LabelTable, background: int = 40) -> Ranker:
    model = FdsmModel(device_weights(made))
    return Ranker("fdsm", model, CALIBRATION, table(background, seed=9).pooled(), table=labels)


def drawn(made: Fdsm, batch: int = 6, negatives: int = 3) -> tuple[torch.Tensor, ...]:
    """Arguments of `terms`: x, noise, t, rows, anchor, rival."""
    torch.manual_seed(5)
    picked = torch.stack([torch.randperm(9)[: 1 + negatives] for _ in range(batch)])
    text = unit_texts(9)
    return (
        torch.randn(batch, 1, 24), torch.randn(batch, 1, 24), torch.randint(50, (batch, 1)),
        made.rows(text)[picked], made.anchor(text)[picked], torch.rand(batch, negatives) < 0.7,
    )  # fmt: skip


def total(config: FdsmConfig, **weights: float) -> tuple[float, torch.Tensor, tuple[torch.Tensor, ...]]:
    """`terms` with some weights and the others 0; what the network gave; what was drawn."""
    off = {"diffusion": 0.0, "spectral": 0.0, "triplet": 0.0, "listwise": 0.0}
    made = model(dataclasses.replace(config, **(off | weights)))
    x, noise, t, rows, anchor, rival = drawn(made)
    with torch.inference_mode():
        predicted = made(made.noisy(x, noise, t), t, rows, anchor)
        return made.terms(x, noise, t, rows, anchor, rival).item(), predicted, (x, noise, t, rival)


def test_the_dct_is_the_orthonormal_dct_of_the_books():
    try:
        from scipy.fft import dct

        expected = dct(np.eye(12), axis=0, norm="ortho")
    except ImportError:
        expected = np.array([
            [math.sqrt((1 if k == 0 else 2) / 12) * math.cos(math.pi * (2 * n + 1) * k / 24) for n in range(12)]
            for k in range(12)
        ])  # fmt: skip
    np.testing.assert_allclose(dct_matrix(12), expected, atol=1e-6)


def test_the_projection_is_a_gain_on_all_but_the_lowest_quarter_of_frequencies():
    h, gate = np.random.default_rng(0).normal(size=(5, 32)), 0.3
    spectrum = h @ dct_matrix(32).T.astype(np.float64)
    spectrum[:, 8:] *= 1 + gate
    np.testing.assert_allclose(h + gate * h @ high_pass(32), spectrum @ dct_matrix(32), atol=1e-5)


def test_the_schedule_has_the_values_that_were_measured():
    alphas, product = alpha_bars(50), 1.0
    for t in range(50):
        root = math.sqrt(0.00085) + (math.sqrt(0.012) - math.sqrt(0.00085)) * t / 49
        product *= 1 - root * root
        assert alphas[t] == pytest.approx(product, rel=1e-6)
    assert [round(float(alphas[t]), 3) for t in (0, 10, 25, 49)] == [0.999, 0.984, 0.934, 0.764]  # METHODS.md 3.1


def test_times_are_cosines_then_sines():
    found = time_embedding(torch.tensor([0, 25]), 6)
    rates = [1, 10_000 ** (-1 / 3), 10_000 ** (-2 / 3)]
    expected = [math.cos(25 * r) for r in rates] + [math.sin(25 * r) for r in rates]
    assert found[1].tolist() == pytest.approx(expected, abs=1e-4)
    assert found[0].tolist() == [1, 1, 1, 0, 0, 0]


def test_stored_noises_are_antithetic_orthogonal_and_kept_by_a_checkpoint(tmp_path):
    bank = noise_bank(4, 24, antithetic=True)
    assert torch.equal(bank[2:], -bank[:2])
    assert bank.sum(0).abs().max() < 1e-6
    torch.testing.assert_close(bank[:2] @ bank[:2].T, 24 * torch.eye(2), atol=1e-4, rtol=0)
    made = model()
    made.noise.add_(1)
    torch.save(made.state_dict(), tmp_path / "fdsm.pt")
    other = Fdsm(TOY)
    other.load_state_dict(torch.load(tmp_path / "fdsm.pt", weights_only=True))
    assert torch.equal(other.noise, made.noise)
    feature, text = torch.randn(3, 24), unit_texts(4)
    with torch.inference_mode():
        assert torch.equal(made.energies(feature, text), other.eval().energies(feature, text))


@pytest.mark.parametrize("config", [PLAIN, TOY], ids=["faithful", "improved"])
def test_the_diffusion_term_is_the_error_under_the_own_text(config):
    found, predicted, (x, noise, _, _) = total(config, diffusion=2.0)
    target = noise if config.prediction == "epsilon" else x
    expected = [((predicted[i, 0] - target[i, 0]) ** 2).mean().item() for i in range(6)]
    assert found == pytest.approx(2 * np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("config", [PLAIN, TOY], ids=["faithful", "improved"])
def test_the_spectral_term_fades_high_frequencies_with_time(config):
    found, predicted, (x, noise, t, _) = total(config, spectral=1.0)
    axes, expected = dct_matrix(24), []
    for i in range(6):
        a = float(alpha_bars(50)[int(t[i])])
        one, clean = x[i, 0].numpy(), predicted[i, 0].numpy()
        if config.prediction == "epsilon":
            clean = one + math.sqrt((1 - a) / a) * (noise[i, 0].numpy() - clean)
        apart = (axes @ one - axes @ clean) ** 2
        weight = [1.0 if k < config.low else 1 - int(t[i]) / 50 for k in range(24)]
        expected.append(np.mean(weight * apart))
    assert found == pytest.approx(np.mean(expected), rel=1e-4)


def test_the_triplet_term_is_a_hinge_on_errors_of_true_rivals():
    found, predicted, (x, _, _, rival) = total(TOY, triplet=1.0)
    errors = ((predicted - x) ** 2).mean(-1).tolist()
    hinges = [max(e[0] - e[1 + j] + 1, 0) * float(rival[i, j]) for i, e in enumerate(errors) for j in range(3)]
    assert found == pytest.approx(np.mean(hinges), rel=1e-5)


def test_the_listwise_term_is_a_softplus_of_the_own_error_over_the_rivals_free_energy():
    found, predicted, (x, _, _, rival) = total(TOY, listwise=1.0)
    expected = []
    for (own, *others), counts in zip(((predicted - x) ** 2).mean(-1).tolist(), rival.tolist(), strict=True):
        weights = [math.exp(-e / 0.2) for e, counted in zip(others, counts, strict=True) if counted]
        free = -0.2 * math.log(sum(weights)) if weights else math.inf
        expected.append(math.log1p(math.exp((own - free) / 0.2)))
    assert found == pytest.approx(np.mean(expected), rel=1e-4)


@pytest.mark.parametrize("term", ["triplet", "listwise"])
def test_a_loss_passes_over_texts_that_mean_the_same(term):
    only = dataclasses.replace(TOY, **({"diffusion": 0.0, "spectral": 0.0, "listwise": 0.0} | {term: 1.0}))
    made, text, same = model(only), unit_texts(5), torch.ones(8, 5, dtype=torch.bool)
    feature, own = torch.randn(8, 24), torch.randint(0, 5, (8,))
    assert made.loss(feature, own, text, text, 1.0) > 0
    assert made.loss(feature, own, text, text, 1.0, same) == 0


def test_the_curriculum_goes_from_rich_to_sparse():
    assert [rich_share(s, 100) for s in (0, 50, 100)] == pytest.approx([1, 0.5, 0])
    assert rich_share(100, 100, 0.7) == pytest.approx(0.7)
    made, text = model(), unit_texts(5)
    sparse, feature, own = names_alone(text), torch.randn(8, 24), torch.arange(8) % 5

    def seeded(sparse: torch.Tensor, rich: torch.Tensor, share: float) -> float:
        torch.manual_seed(3)
        return made.loss(feature, own, sparse, rich, share).item()

    assert seeded(sparse, text, 1.0) == seeded(text, text, 0.5) != seeded(sparse, text, 0.0)


def test_matching_is_the_mean_error_over_stored_noises_less_that_under_no_text():
    made, text, feature = model(), unit_texts(3), torch.randn(24)
    t, found = torch.tensor(25), []
    with torch.inference_mode():
        x = made.standardised(feature)
        rows = [made.nothing, *made.rows(text)]
        anchors = [torch.zeros(24), *made.anchor(text)]
        for row, anchor in zip(rows, anchors, strict=True):
            given = [made(0.96658 * x + 0.25637 * noise, t, row, anchor) for noise in made.noise]
            found.append(np.mean([((x - g) ** 2).mean().item() for g in given]))
        energies = made.energies(feature[None], text)[0]
    np.testing.assert_allclose(energies, np.array(found[1:]) - found[0], atol=1e-4)


def test_one_way_texts_do_not_see_the_feature_and_two_way_texts_do():
    for config, alike in ((TOY, True), (PLAIN, False)):
        made = model(config)
        texts = []
        made.blocks[0].register_forward_hook(lambda _, __, out, texts=texts: texts.append(out[1]))
        with torch.inference_mode():
            for seed in (1, 2):
                feature = torch.randn(1, 24, generator=torch.Generator().manual_seed(seed))
                made(feature, torch.tensor(25), made.rows(unit_texts(1)), torch.zeros(1, 24))
        assert torch.equal(*texts) == alike


def test_numpy_energies_equal_torch():
    made, labels = model(), table(70)
    ranker, features = ranker_of(made, labels), torch.randn(5, 24)
    with torch.inference_mode():
        expected = made.energies(features, unit_texts(70)).numpy()
    found = ranker.energies(features.numpy())
    assert found.shape == (5, 70 + RIVALS)
    np.testing.assert_allclose(found[:, :70], expected, atol=1e-4)
    some = np.array([3, 66])
    alone = FdsmModel(device_weights(made)).with_texts(labels.pooled(), 70)
    np.testing.assert_allclose(alone.match(features[0].numpy(), some), expected[0, some], atol=1e-4)


def test_the_background_that_is_matched_is_the_nearest_to_the_window():
    made = model()
    ranker, feature = ranker_of(made, table(3)), torch.randn(1, 24)
    text = unit_texts(40, seed=9)
    with torch.inference_mode():
        near = (made.anchor(text) - made.standardised(feature)).square().mean(1).argsort()[:RIVALS]
        expected = made.energies(feature, text[near])[0].numpy()
    np.testing.assert_allclose(ranker.energies(feature.numpy())[0, 3:], expected, atol=1e-4)


@pytest.mark.parametrize("config", [PLAIN, TOY], ids=["faithful", "improved"])
def test_training_names_classes_that_were_never_shown(config):
    torch.manual_seed(0)
    text = unit_texts(72, seed=1)
    centre = text @ torch.randn(16, 24)
    made = Fdsm(config).train()
    made.text_mean.copy_(text.mean(0))
    optimiser = torch.optim.AdamW(made.parameters(), 3e-3)
    for _ in range(80):
        own = torch.randint(0, 64, (64,))
        loss = made.loss(centre[own] + 0.2 * torch.randn(64, 24), own, text[:64], text[:64], 1.0)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    own = torch.randint(64, 72, (200,))
    with torch.inference_mode():
        guess = made.eval().energies(centre[own] + 0.2 * torch.randn(200, 24), text[64:]).argmin(1) + 64
    assert (guess == own).float().mean() > 0.5, "chance is 0.125"


def test_sizes_are_those_of_the_authors_code_and_of_the_edge():
    one, two = (
        sum(p.numel() for p in Fdsm(dataclasses.replace(FAITHFUL, depth=depth)).parameters()) for depth in (1, 2)
    )
    assert one + 11 * (two - one) == pytest.approx(259.6e6 + 0.263e6, rel=2e-4)  # METHODS.md 6.4
    assert sum(array.size for array in device_weights(Fdsm(EDGE)).values()) * 2 < 7e6, "bytes in float16"


def test_the_gate_begins_as_torch_makes_it_and_ours_as_all_other_layers():
    """The gate's head stands outside the authors' initialisation."""
    for config, first, last in ((FAITHFUL, 0.0180, 0.0361), (IMPROVED, 0.0396, 0.0806)):
        torch.manual_seed(0)
        wide = {"text": 1024, "tokens": 35, "pooled": True, "hidden": 32, "depth": 1, "heads": 2, "gate": 256}
        gate = Fdsm(dataclasses.replace(config, **wide)).gate
        assert (gate[0].weight.std().item(), gate[2].weight.std().item()) == pytest.approx((first, last), rel=0.1)
        assert (gate[0].bias == 0).all() == (config is IMPROVED)


def test_bad_input_is_refused_in_one_line():
    for wrong in ({"heads": 5}, {"antithetic": True, "noises": 3}, {"anchor": True}, {"match_at": 50}):
        with pytest.raises(UsageError, match="found"):
            dataclasses.replace(FAITHFUL, **wrong)
    with pytest.raises(UsageError, match="2 rows of 8"):
        model().energies(torch.randn(1, 24), torch.randn(3, 17))
    with pytest.raises(UsageError, match="one-way"):
        device_weights(model(PLAIN))


class Words(TextBank):
    """Made-up texts of concepts, as `ConceptTexts` has real ones."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__([pair[:1] for pair in vectors], [pair[1:] for pair in vectors])

    def rows(self, concepts: list[str]) -> np.ndarray:
        return np.array([int(concept) for concept in concepts])


def test_fitting_on_frozen_features_gives_a_model_that_the_device_runs(monkeypatch):
    text, vectors = unit_texts(30, seed=1), table(30, seed=1).vectors.reshape(30, 2, 8)
    monkeypatch.setattr(train.heads.fdsm, "centre_of", lambda *_: text.mean(0).numpy())
    rng = np.random.default_rng(0)
    mapped = rng.normal(size=(16, 24)).astype(np.float32)
    concept = rng.integers(0, 30, 600)
    given = text.numpy()[concept] @ mapped + 0.2 * rng.normal(size=(600, 24)).astype(np.float32)
    names, words = [str(i) for i in range(30)], Words(vectors)
    made = fit_fdsm(Samples(given, concept, names, words), TOY, Recipe(steps=40, batch=48, lr=3e-3))
    assert not made.training
    torch.testing.assert_close(made.axes @ made.axes.T, torch.eye(24), atol=1e-4, rtol=0)
    spread = (made.standardised(torch.from_numpy(given)) @ made.axes.T).var(0)
    assert (spread.diff() <= 1e-5).all(), "axes come by variance"
    ranker = ranker_of(made, table(30, seed=1))
    assert (ranker.energies(given[:100])[:, :30].argmin(1) == concept[:100]).mean() > 0.5, "chance is 0.03"
