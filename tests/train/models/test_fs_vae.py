"""FS-VAE: enhancement and loss terms agree with formulas written anew, torch with numpy, and nothing is random."""

import dataclasses

import numpy as np
import pytest
import torch

from edge_app.bundles.bundle import Calibration
from edge_app.errors import UsageError
from edge_app.ranker.fs_vae import FsVaeModel
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, Text, build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.layers import dct_matrix
from edge_app.ranker.ranker import Ranker
from train.data.splits import all_splits
from train.data.texts import ConceptTexts
from train.heads.loop import Recipe
from train.heads.vaes import fit_fs_vae
from train.models.fs_vae import FAITHFUL, IMPROVED, ChannelGains, FsVae, TimeGains
from train.models.latents import Weights
from train.papers.heads import SETTINGS, How, Job

SMALL = {"feature": 24, "text": 16, "latent": 10}
PARTS = {"part_feature": 6, "part_text": 8}
TIME = {"steps": 4, "channels": 5}
CALIBRATION = Calibration(temperature=0.1, known_slope=1.0, known_bias=0.0, same_text_threshold=1.3)
ON = Weights(kl_feature=0.3, kl_text=0.2, cross=1.0)
NOTHING = {"reconstruction": 0.0, "kl": 0.0, "cross": 0.0, "contrast": 0.0}


def model(base=FAITHFUL, seed: int = 0, **changes) -> FsVae:
    torch.manual_seed(seed)
    made = FsVae(dataclasses.replace(base, **{**SMALL, **changes}))
    for parameter in made.parameters():
        parameter.data += 0.05 * torch.randn(parameter.shape)
    if base.standardised:
        made.feature_mean.copy_(torch.randn(made.feature_mean.shape))
        made.feature_std.copy_(torch.rand(made.feature_std.shape) + 0.5)
        made.text_mean.copy_(torch.randn(made.text_mean.shape) * 0.1)
        made.text_scale.fill_(4.0)
    return made.eval()


def table(count: int, seed: int = 0, parts: bool = False) -> LabelTable:
    kinds = ("name", "arms", "legs", "torso") if parts else ("name",)
    vectors = np.random.default_rng(seed).normal(size=(count * len(kinds), 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = tuple(Label(f"label {i}") for i in range(count))
    return LabelTable(1, labels, "made-up", tuple(tuple(Text(k, k) for k in kinds) for _ in labels), vectors)


def ranker_of(made: FsVae, labels: LabelTable, background: int = 5) -> Ranker:
    model = FsVaeModel({name: value.detach().numpy() for name, value in made.state_dict().items()})
    other = table(background, seed=9, parts=model.parts).pooled(parts=model.parts)
    return Ranker("fs_vae", model, CALIBRATION, other, table=labels)


def batch(width: int = 24) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(3)
    text = torch.nn.functional.normalize(torch.randn(5, 16))
    return torch.randn(8, width), torch.tensor([0, 1, 2, 3, 4, 0, 1, 2]), text


def slow_dct(x: np.ndarray) -> np.ndarray:
    """The DCT-II over the last axis, coefficient by coefficient, and scaled to be orthonormal."""
    size, n = x.shape[-1], np.arange(x.shape[-1])
    out = np.stack([(x * np.cos(np.pi / size * (n + 0.5) * k)).sum(-1) for k in range(size)], -1)
    return out * np.where(n == 0, np.sqrt(1 / size), np.sqrt(2 / size))


def test_the_dct_is_the_textbook_one_and_what_an_fft_gives():
    x = np.random.default_rng(0).normal(size=(3, 24))
    np.testing.assert_allclose(x @ dct_matrix(24).T, slow_dct(x), atol=1e-5)
    mirrored = np.fft.fft(np.concatenate([x, x[:, ::-1]], 1))[:, :24]
    by_fft = (mirrored * np.exp(-1j * np.pi * np.arange(24) / 48)).real / 2
    by_fft *= np.where(np.arange(24) == 0, np.sqrt(1 / 24), np.sqrt(2 / 24))
    np.testing.assert_allclose(x @ dct_matrix(24).T, by_fft, atol=1e-5)


def loop_enhanced(x: np.ndarray, w: np.ndarray, k: float) -> np.ndarray:
    """The released module as METHODS.md 5.2 tells it, band after band."""
    width, spectrum = x.shape[1], slow_dct(x)
    edges = np.floor(np.linspace(0, width - 1, 31)).astype(int)
    for i in range(30):
        low = edges[i + 1] <= 30
        gain = 1 + w[i] * k * (1 - i / 30) if low else 1 - w[i] * k * (1 - (i - 30) / 30)
        spectrum[:, edges[i] : edges[i + 1]] *= gain
    return spectrum @ dct_matrix(width).astype(np.float64)


@pytest.mark.parametrize("width", [24, 256])
def test_enhancement_over_channels_is_the_released_one(width):
    torch.manual_seed(0)
    gains = ChannelGains(width)
    gains.w.data += 0.1 * torch.randn(30)
    x = torch.randn(4, width)
    expected = loop_enhanced(x.numpy().astype(np.float64), gains.w.detach().numpy(), 0.3)
    np.testing.assert_allclose(gains(x).detach().numpy(), expected, atol=1e-4)


def test_the_first_gains_are_those_that_were_measured():
    """1.30, 1.29, 1.28, then 0.43 rising to 0.69, and the last coefficient as it is (METHODS.md 5.2)."""
    gains = ChannelGains(256)
    gain = (1 + gains.w[gains.band] * gains.k * gains.slope).detach().numpy()
    assert gain[[0, 8, 17, 25, 254, 255]] == pytest.approx([1.30, 1.29, 1.28, 0.43, 0.69, 1.0], abs=1e-5)
    wide = ChannelGains(1536)
    assert (1 + wide.w[wide.band] * wide.k * wide.slope)[:-1].max() < 1, "of texts every band is attenuated"


def test_enhancement_over_time_filters_each_channel():
    torch.manual_seed(0)
    gains, x = TimeGains(4), torch.randn(3, 4, 5)
    flat = torch.cat([x.mean(1), x.amax(1)], 1)
    np.testing.assert_allclose(gains(x).detach().numpy(), flat.numpy(), atol=1e-5, err_msg="it begins as nothing")
    gains.w.data = torch.tensor([0.0, 0.5, -0.5, 1.0])
    spectrum = slow_dct(x.numpy().transpose(0, 2, 1)) * (1 + gains.w.detach().numpy())
    over_time = (spectrum @ dct_matrix(4)).transpose(0, 2, 1)
    expected = np.concatenate([over_time.mean(1), over_time.max(1)], 1)
    np.testing.assert_allclose(gains(x).detach().numpy(), expected, atol=1e-5)


def by_hand(made: FsVae, seed: int, one_epsilon: bool) -> dict:
    """The whole body's terms in numpy, with the noise and the order that torch draws after this seed."""
    w = {name: value.detach().numpy().astype(np.float64) for name, value in made.state_dict().items()}
    feature, own, text = (value.numpy() for value in batch())
    x = (feature - w["feature_mean"]) / w["feature_std"]
    t = (text - w["text_mean"]) * w["text_scale"]
    x_in, t_in = x, t
    if "feature_gains.w" in w:
        x_in = loop_enhanced(x, w["feature_gains.w"], w["feature_gains.k"])
        t_in = loop_enhanced(t, w["text_gains.w"], w["text_gains.k"])
    q = x_in @ w["whole.feature_encoder.weight"].T + w["whole.feature_encoder.bias"]
    p = (t_in @ w["whole.text_encoder.weight"].T + w["whole.text_encoder.bias"])[own]
    torch.manual_seed(seed)
    noise = [torch.randn(8, 1 if one_epsilon else 10).numpy() for _ in range(2)]
    if made.config.both_sides:
        other = torch.multinomial((torch.from_numpy(own)[:, None] != torch.from_numpy(own)).float() + 1e-9, 1)[:, 0]
    else:
        other = torch.randperm(8)
    found = {"x": x, "t": t[own], "own": own, "other": other.numpy(), "both": made.config.both_sides}
    found |= {"x_mean": q[:, :10], "x_log": q[:, 10:], "t_mean": p[:, :10], "t_log": p[:, 10:]}
    z, z_t = (found[f"{s}_mean"] + np.exp(found[f"{s}_log"] / 2) * n for s, n in zip("xt", noise, strict=True))

    def decode(side, value):
        out = value @ w[f"whole.{side}_decoder.weight"].T + w[f"whole.{side}_decoder.bias"]
        return np.maximum(out, 0) if made.config.rectified else out

    found |= {"x_from_x": decode("feature", z), "t_from_t": decode("text", z_t)}
    return found | {"x_from_t": decode("feature", z_t), "t_from_x": decode("text", z)}


def kl(mean, log_variance):
    return 0.5 * (mean**2 + np.exp(log_variance) - 1 - log_variance).sum(1).mean()


def calibrated(h: dict) -> float:
    total = 0.0
    for i, j in enumerate(h["other"]):
        text = np.sum((h["t"][i] - h["t_from_x"][i]) ** 2) - np.sum((h["t"][i] - h["t_from_x"][j]) ** 2)
        body = np.sum((h["x"][i] - h["x_from_t"][i]) ** 2)
        body -= np.sum((h["x"][i] - h["x_from_t"][j]) ** 2) if h["both"] else 0
        total += 1 / (1 + np.exp(-text / 100)) + 1 / (1 + np.exp(-body / 100))
    return 100 * total / 8


EXPECTED = {
    "reconstruction": lambda h: ((h["x"] - h["x_from_x"]) ** 2).mean() + ((h["t"] - h["t_from_t"]) ** 2).mean(),
    "kl": lambda h: 0.3 * kl(h["x_mean"], h["x_log"]) + 0.2 * kl(h["t_mean"], h["t_log"]),
    "cross": calibrated,
}


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED])
@pytest.mark.parametrize("term", EXPECTED)
def test_each_term_is_the_one_in_the_code(term, base):
    made, (feature, own, text) = model(base, **{**NOTHING, term: 1.0}), batch()
    torch.manual_seed(5)
    found = made.loss(feature, own, text, ON).item()
    assert found == pytest.approx(EXPECTED[term](by_hand(made, 5, base.one_epsilon)), rel=1e-4)


def test_negatives_of_the_improved_form_are_of_another_class():
    own = torch.tensor([0, 0, 0, 1, 1, 2])
    torch.manual_seed(0)
    for _ in range(20):
        assert (own[model(IMPROVED).negatives(own)] != own).all()
    assert len(model(IMPROVED).negatives(own * 0)) == 6, "one class alone is no error"


@pytest.mark.parametrize(("dataset", "length", "cross_from"), [("ntu60", 1700, 1400), ("ntu120", 1900, 1500)])
def test_the_schedule_is_the_released_one(dataset, length, cross_from, toy):
    """Iterations of a cycle as the code has them; NTU-120's cycle is longer, and its weights grow no more slowly."""
    split = next(split for split in all_splits() if split.dataset == dataset)
    config, recipe = SETTINGS["fs_vae"](Job(split, toy.samples, How()))
    made = FsVae(dataclasses.replace(config, **SMALL))
    assert recipe.steps == 10 * length
    for cycle, it in ((0, 1050), (0, 1200), (1, length - 1), (2, cross_from - 1), (2, cross_from + 1), (9, length - 1)):
        got = made.weights(cycle * length + it, recipe.steps)
        b2 = max(0, 0.1 * (it - cross_from) / 3000) if cycle >= 2 else 0
        expected = max(0, 0.1 * (it - 1000) / 3000), b2, float(it > cross_from)
        assert (got.kl_feature, got.kl_text, got.cross) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("base", "changes"), [(FAITHFUL, {}), (IMPROVED, {}), (IMPROVED, PARTS), (IMPROVED, {**PARTS, **TIME})]
)
def test_numpy_energies_equal_torch_with_parts_and_without(base, changes):
    made = model(base, **changes)
    labels = table(7, parts="part_text" in changes)
    ranker = ranker_of(made, labels)
    text = labels.pooled(parts="part_text" in changes)
    text[:, :16] /= np.float32(np.sqrt(2))
    for width in sorted({made.config.base, len(made.feature_mean)}):
        feature = torch.randn(6, width)
        with torch.inference_mode():
            expected = made.energies(feature, torch.from_numpy(text)).numpy()
        np.testing.assert_allclose(ranker.energies(feature.numpy())[:, :7], expected, atol=1e-4)


def test_without_parts_the_whole_body_decides_as_if_there_were_none():
    both = model(IMPROVED, **PARTS)
    alone = model(IMPROVED)
    own = {k: v for k, v in both.state_dict().items() if k in alone.state_dict()}
    width = {"feature": 24, "text": 16}
    alone.load_state_dict(
        {k: v[: width[k.split("_")[0]]] if v.ndim == 1 and k[0] in "ft" else v for k, v in own.items()}
    )
    feature, text = torch.randn(4, 24), torch.randn(3, 40)
    assert torch.equal(both.energies(feature, text), alone.energies(feature, text[:, :16]))
    parted = both.energies(torch.cat([feature, torch.randn(4, 18)], 1), text)
    assert not torch.allclose(parted, both.energies(feature, text))


def test_the_energy_with_parts_is_a_weighted_mean_of_levels():
    made = model(IMPROVED, **PARTS)
    feature, text = torch.randn(4, 42), torch.randn(3, 40)
    x, t = (feature - made.feature_mean) / made.feature_std, (text - made.text_mean) * made.text_scale
    levels = [(made.whole, x[:, :24], t[:, :16])]
    levels += [(made.parts[i], x[:, 24 + 6 * i : 30 + 6 * i], t[:, 16 + 8 * i : 24 + 8 * i]) for i in range(3)]
    expected = torch.zeros(4, 3)
    for share, (level, of_x, of_t) in zip([0.7, 0.1, 0.1, 0.1], levels, strict=True):
        mean, log_variance = level.text_encoder(of_t).chunk(2, 1)
        normal = torch.distributions.Normal(mean, (log_variance.clamp(-8, 8) / 2).exp())
        z = level.feature_encoder(of_x)[:, :10]
        expected -= share * (normal.log_prob(z[:, None]) + 0.5 * np.log(2 * np.pi)).mean(-1)
    torch.testing.assert_close(made.energies(feature, text), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("base", [FAITHFUL, IMPROVED])
def test_classes_that_training_did_not_see_are_told_apart(base, toy):
    config = dataclasses.replace(base, **SMALL)
    made = fit_fs_vae(toy.samples, config, Recipe(steps=400, batch=64, lr=3e-3))
    feature, text = torch.from_numpy(toy.unseen_features), torch.from_numpy(toy.unseen_texts)
    with torch.inference_mode():
        assert toy.unseen_top1(made.energies(feature, text).numpy()) > 0.5
    guess = made.classifier(text, latents=50, steps=100)(made.latent(feature)).argmax(1).numpy()
    assert (guess == toy.unseen).mean() > 0.3, "chance is 0.125"


def test_parts_and_time_train(toy):
    """Random features beside those of the whole body do no great harm, and every level gets a gradient."""
    config = dataclasses.replace(IMPROVED, **SMALL, **PARTS, **TIME)
    rng = np.random.default_rng(0)
    parts = rng.normal(size=(48, 24)).astype(np.float32) / 5
    texts = dataclasses.replace(toy.texts, vectors=np.concatenate([toy.texts.vectors, parts], 1))
    beside = rng.normal(size=(len(toy.features), 20 + 18)).astype(np.float32)
    features = np.concatenate([toy.features, beside], 1)
    samples = dataclasses.replace(toy.samples, features=features, texts=texts)
    made = fit_fs_vae(samples, config, Recipe(steps=100, batch=64, lr=3e-3))
    assert made.time_gains.w.abs().max() > 0
    with torch.inference_mode():
        feature = torch.from_numpy(np.concatenate([toy.unseen_features, beside[: len(toy.unseen), :20]], 1))
        assert toy.unseen_top1(made.energies(feature, torch.from_numpy(toy.unseen_texts)).numpy()) > 0.3


NAMES = ["wave one hand", "squat", "an action nobody has a name for"]


def test_texts_of_parts_are_the_devices_own():
    known, told = ConceptTexts(NAMES), ConceptTexts(NAMES).with_parts()
    assert (known.dim, told.dim) == (768, 768 + 3 * 384)
    expected = build_table([Label(name) for name in NAMES], TextEncoder(), 0).pooled(parts=True)
    expected[:, :768] /= np.float32(np.sqrt(2))
    np.testing.assert_allclose(told.pooled(NAMES), expected, atol=1e-6)
    assert np.array_equal(known.pooled(NAMES), told.pooled(NAMES)[:, :768])
    rows = known.rows(NAMES)
    drawn = told.sample(rows, np.random.default_rng(0), no_description=0.0)
    assert np.array_equal(drawn[:, :768], known.sample(rows, np.random.default_rng(0), no_description=0.0))
    np.testing.assert_allclose(drawn[:2, 768:], expected[:2, 768:], atol=1e-6)


def test_names_stand_for_parts_that_nobody_describes():
    """As on the device, for words that the shipped table does not know, and in training for a share of the others."""
    told = ConceptTexts(NAMES).with_parts()
    for rows, share in (([2], 0.0), ([0, 1, 2], 1.0)):
        drawn = told.sample(np.array(rows), np.random.default_rng(0), no_description=share)
        for start in (768, 1152, 1536):
            np.testing.assert_allclose(drawn[:, start : start + 384], drawn[:, :384] * np.sqrt(2), atol=1e-6)
    nameless = ConceptTexts(NAMES[2:]).with_parts()
    assert nameless.sample(np.array([0]), np.random.default_rng(0)).shape == (1, nameless.dim)


def test_what_does_not_fit_is_refused(toy):
    with pytest.raises(UsageError, match="20 wide, must be 24 or 42"):
        model(IMPROVED, **PARTS).energies(torch.zeros(1, 20), torch.zeros(2, 40))
    with pytest.raises(UsageError, match="16 wide, must be 40"):
        model(IMPROVED, **PARTS).energies(torch.zeros(1, 42), torch.zeros(2, 16))
    with pytest.raises(UsageError, match="need frequency 'time'"):
        model(FAITHFUL, **TIME)
    with pytest.raises(UsageError, match="go together"):
        model(IMPROVED, part_feature=6)
    ranker = ranker_of(model(IMPROVED), table(3))
    with pytest.raises(UsageError, match="20 wide"):
        ranker.energies(np.zeros((1, 20), np.float32))
    config = dataclasses.replace(IMPROVED, **SMALL)
    with pytest.raises(UsageError, match="the config wants"):
        fit_fs_vae(dataclasses.replace(toy.samples, features=toy.features[:, :9]), config, Recipe(steps=2))
