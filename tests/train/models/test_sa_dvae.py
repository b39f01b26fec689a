"""SA-DVAE: each loss term agrees with a computation written anew, torch with numpy, and nothing at test is random."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text
from edge_app.ranker.ranker import Ranker
from edge_app.ranker.sa_dvae import SaDvaeModel
from train.encoder.frozen import Extra
from train.heads.loop import Recipe
from train.heads.vaes import fit_sa_dvae
from train.models import fs_vae
from train.models.latents import Weights, gaussian, posterior
from train.models.sa_dvae import FAITHFUL, IMPROVED, SaDvae

SMALL = {"feature": 24, "text": 16, "related": 10, "irrelevant": 4, "noise": 32}
CALIBRATION = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3)
ON = Weights(kl_feature=0.3, kl_text=0.2, cross=1.0)
NOTHING = {"reconstruction": 0.0, "kl": 0.0, "cross": 0.0, "correlation": 0.0, "contrast": 0.0}


def model(base=FAITHFUL, seed: int = 0, **changes) -> SaDvae:
    torch.manual_seed(seed)
    made = SaDvae(dataclasses.replace(base, **SMALL, **changes))
    if base.standardised:
        made.feature_mean.copy_(torch.randn(24))
        made.feature_std.copy_(torch.rand(24) + 0.5)
        made.text_mean.copy_(torch.randn(16) * 0.1)
        made.text_scale.fill_(4.0)
    return made.eval()


def table(count: int, seed: int = 0) -> LabelTable:
    vectors = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    return LabelTable(1, labels, "made-up", tuple((Text("name", label.name),) for label in labels), vectors)


def ranker_of(made: SaDvae, labels: LabelTable, background: int = 5) -> Ranker:
    model = SaDvaeModel({name: value.numpy() for name, value in made.state_dict().items()})
    return Ranker("sa_dvae", model, CALIBRATION, table(background, seed=9).pooled(), table=labels)


@dataclasses.dataclass(frozen=True)
class Composed:
    """Stands for the bank of composed clips."""

    concept: np.ndarray

    def __len__(self) -> int:
        return len(self.concept)


def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    return torch.randn(8, 24), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2]), torch.nn.functional.normalize(torch.randn(5, 16))


def noise_of_x(one_epsilon: bool) -> np.ndarray:
    """Of both parts of a skeleton's latent: the released code draws one number for each of them."""
    if not one_epsilon:
        return torch.randn(8, 14).numpy()
    return np.concatenate([np.repeat(torch.randn(8, 1).numpy(), width, 1) for width in (10, 4)], 1)


def by_hand(made: SaDvae, seed: int, one_epsilon: bool) -> dict[str, np.ndarray]:
    """Everything that the loss is made of, in numpy, with the noise that torch draws after this seed."""
    w = {name: value.numpy().astype(np.float64) for name, value in made.state_dict().items()}
    feature, own, text = (value.numpy() for value in batch())
    x = (feature - w["feature_mean"]) / w["feature_std"]
    t = ((text - w["text_mean"]) * w["text_scale"])[own]
    q = x @ w["feature_encoder.weight"].T + w["feature_encoder.bias"]
    p = t @ w["text_encoder.weight"].T + w["text_encoder.bias"]
    torch.manual_seed(seed)
    noise_x = noise_of_x(one_epsilon)
    noise_t = torch.randn(8, 1 if one_epsilon else 10).numpy()
    found = {"x": x, "t": t, "x_mean": q[:, :14], "x_log": q[:, 14:], "t_mean": p[:, :10], "t_log": p[:, 10:]}
    found["z"] = found["x_mean"] + np.exp(found["x_log"] / 2) * noise_x
    found["z_t"] = found["t_mean"] + np.exp(found["t_log"] / 2) * noise_t

    def end(value):
        return np.maximum(value, 0) if made.config.rectified else value

    found["to_x"] = lambda z: end(z @ w["feature_decoder.weight"].T + w["feature_decoder.bias"])
    found["to_t"] = lambda z: end(z @ w["text_decoder.weight"].T + w["text_decoder.bias"])
    return found | {"weights": w}


def mse(a, b):
    return ((a - b) ** 2).mean()


def kl(mean, log_variance):
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(1).mean()


def judge(w, z):
    hidden = np.maximum(z @ w["discriminator.0.weight"].T + w["discriminator.0.bias"], 0)
    return 1 / (1 + np.exp(-(hidden @ w["discriminator.2.weight"].T + w["discriminator.2.bias"])[:, 0]))


EXPECTED = {
    "reconstruction": lambda h: mse(h["x"], h["to_x"](h["z"])) + mse(h["t"], h["to_t"](h["z_t"])),
    "kl": lambda h: 0.3 * kl(h["x_mean"], h["x_log"]) + 0.2 * kl(h["t_mean"], h["t_log"]),
    "cross": lambda h: (
        mse(h["t"], h["to_t"](h["z"][:, :10])) + mse(h["x"], h["to_x"](np.concatenate([h["z_t"], h["z"][:, 10:]], 1)))
    ),
    "correlation": lambda h: 0.2 * judge(h["weights"], h["z"]).mean(),
}


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED])
@pytest.mark.parametrize("term", EXPECTED)
def test_each_term_is_the_one_in_the_paper(term, base):
    made = model(base, **{**NOTHING, term: 1.0})
    feature, own, text = batch()
    torch.manual_seed(5)
    found = made.loss(feature, own, text, ON).item()
    assert found == pytest.approx(EXPECTED[term](by_hand(made, 5, base.one_epsilon)), rel=1e-4)


def test_the_contrast_is_a_cross_entropy_over_energies():
    made = model(IMPROVED, **{**NOTHING, "contrast": 1.0})
    feature, own, text = batch()
    energies = made.energies(feature, text).detach().numpy()
    p = np.exp(-energies / 0.1)
    expected = -np.log(p[np.arange(8), own] / p.sum(1)).mean()
    assert made.loss(feature, own, text, ON).item() == pytest.approx(expected, rel=1e-4)
    same = torch.zeros(8, 5, dtype=torch.bool)
    same[0, 4] = True
    p[0, 4] = 0
    expected = -np.log(p[np.arange(8), own] / p.sum(1)).mean()
    assert made.loss(feature, own, text, ON, same).item() == pytest.approx(expected, rel=1e-4)


def test_the_discriminator_tells_pairs_from_shuffled_ones_and_teaches_nobody_else():
    made, (feature, own, text) = model(), batch()
    torch.manual_seed(5)
    loss = made.discriminator_loss(feature, own, text, ON)
    h = by_hand(made, 5, True)
    again = h["x_mean"] + np.exp(h["x_log"] / 2) * noise_of_x(True)
    orders = [torch.randperm(8).numpy() for _ in range(4)]
    expected = []
    for i, (part, irrelevant) in enumerate(((h["z"][:, :10], h["z"][:, 10:]), (h["z_t"], again[:, 10:]))):
        real = judge(h["weights"], np.concatenate([part, irrelevant], 1))
        fake = judge(h["weights"], np.concatenate([part[orders[2 * i]], irrelevant[orders[2 * i + 1]]], 1))
        expected += [-np.log(real).mean(), -np.log(1 - fake).mean()]
    assert loss.item() == pytest.approx(0.2 * np.mean(expected), rel=1e-4)
    loss.backward()
    assert {n.split(".")[0] for n, p in made.named_parameters() if p.grad is not None} == {"discriminator"}


def test_the_parts_of_a_latent_have_noise_of_their_own():
    made = model(FAITHFUL)
    of_x = torch.zeros(4000, 14), torch.zeros(4000, 14)
    torch.manual_seed(0)
    related, irrelevant = made.draw(of_x).split([10, 4], 1)
    assert (related == related[:, :1]).all() and (irrelevant == irrelevant[:, :1]).all(), "one number a call"
    assert abs(np.corrcoef(related[:, 0], irrelevant[:, 0])[0, 1]) < 0.05


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED, fs_vae.FAITHFUL, fs_vae.IMPROVED])
def test_only_ours_bounds_log_variances(base):
    layer = gaussian(2, 3)
    layer.bias.data = torch.tensor([0.0, 0, 0, 20, -20, 1])
    found = posterior(layer, torch.zeros(1, 2), base.bound)[1][0].tolist()
    assert found == ([20, -20, 1] if base in (FAITHFUL, fs_vae.FAITHFUL) else [8, -8, 1])


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED])
def test_the_discriminator_learns_first_in_the_released_code(base, toy, monkeypatch):
    asked, plain = [], (SaDvae.loss, SaDvae.discriminator_loss)
    monkeypatch.setattr(SaDvae, "loss", lambda *how: (asked.append("loss"), plain[0](*how))[1])
    monkeypatch.setattr(SaDvae, "discriminator_loss", lambda *how: (asked.append("discriminator"), plain[1](*how))[1])
    fit_sa_dvae(toy.samples, dataclasses.replace(base, **SMALL, every=2), Recipe(4, batch=8))
    both = ["discriminator", "loss"] if base is FAITHFUL else ["loss", "discriminator"]
    assert asked == ["loss", *both] * 2


def test_the_schedules_are_those_of_the_code_and_of_the_paper():
    faithful, improved = model(), model(IMPROVED)
    length = 100  # ten cycles of this length
    for cycle, i in ((0, 50), (1, 99), (2, 59), (3, 81), (9, 99)):
        got = faithful.weights(cycle * length + i, 10 * length)
        b2 = max(0, 0.1 * (i - 0.8 * length) / (1.765 * length)) if cycle >= 2 else 0
        expected = max(0, 0.1 * (i - 0.588 * length) / (1.765 * length)), b2, float(i > 0.8 * length)
        assert (got.kl_feature, got.kl_text, got.cross) == pytest.approx(expected)
    for cycle, i in ((0, 99), (1, 10), (1, 60), (3, 99)):
        got = improved.weights(cycle * length + i, 4 * length)
        risen = max(0, 1.5 * (i / length - 1 / 3)) * 0.02
        assert (got.kl_feature, got.kl_text, got.cross) == pytest.approx((risen, risen, float(cycle > 0)))


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED])
def test_numpy_energies_equal_torch_and_are_likelihoods(base):
    made, labels = model(base), table(7)
    feature, text = torch.randn(6, 24), torch.from_numpy(labels.pooled() / np.float32(np.sqrt(2)))
    ranker = ranker_of(made, labels)
    with torch.inference_mode():
        expected = made.energies(feature, text).numpy()
        mean, log_variance = made.text_encoder(made.text_of(text)).chunk(2, 1)
        normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
        likelihood = normal.log_prob(made.related(feature)[:, None]).mean(-1) + 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(ranker.energies(feature.numpy())[:, :7], expected, atol=1e-4)
    np.testing.assert_allclose(expected, -likelihood.numpy(), atol=1e-5)


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED])
def test_classes_that_training_did_not_see_are_told_apart(base, toy):
    config = dataclasses.replace(base, **SMALL)
    steps = 600 if base is FAITHFUL else 200
    made = fit_sa_dvae(toy.samples, config, Recipe(steps, batch=64, lr=3e-3))
    feature, text = torch.from_numpy(toy.unseen_features), torch.from_numpy(toy.unseen_texts)
    with torch.inference_mode():
        assert toy.unseen_top1(made.energies(feature, text).numpy()) > 0.5
        state = torch.random.get_rng_state()
        guess = made.classifier(text, latents=50, steps=100)(made.related(feature)).argmax(1).numpy()
    assert torch.equal(state, torch.random.get_rng_state())
    assert (guess == toy.unseen).mean() > 0.3, "chance is 0.125"


def test_composed_windows_are_learned_from_too(toy):
    """Their texts alone tell unseen classes apart, when the named features are noise."""
    config = dataclasses.replace(IMPROVED, **SMALL)
    noise = np.random.default_rng(0).normal(size=toy.features.shape).astype(np.float32)
    composed = SimpleNamespace(bank=Composed(np.arange(40)), texts=toy.texts)
    extra = Extra(composed, toy.features, toy.concept)
    samples = dataclasses.replace(toy.samples, features=noise, extra=extra)
    made = fit_sa_dvae(samples, config, Recipe(steps=150, batch=64, lr=3e-3))
    with torch.inference_mode():
        energies = made.energies(torch.from_numpy(toy.unseen_features), torch.from_numpy(toy.unseen_texts))
    assert toy.unseen_top1(energies.numpy()) > 0.4


def test_what_does_not_fit_is_refused(toy):
    config = dataclasses.replace(IMPROVED, **SMALL)
    good, recipe = toy.samples, Recipe(steps=2)
    with pytest.raises(UsageError, match=r"\(800, 20\).*24"):
        fit_sa_dvae(dataclasses.replace(good, features=toy.features[:, :20]), config, recipe)
    with pytest.raises(UsageError, match="0 to 4"):
        fit_sa_dvae(dataclasses.replace(good, names=toy.names[:5]), config, recipe)
    with pytest.raises(UsageError, match="16 wide, the config wants 12"):
        fit_sa_dvae(good, dataclasses.replace(config, text=12), recipe)
