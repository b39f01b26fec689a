"""How heads are fitted: as the papers' codes do, by loops written anew; cut off and gone on with; on any device."""

import dataclasses
import math

import numpy as np
import pytest
import torch

import train.heads.loop
from edge_app.errors import UsageError
from train.data.splits import find_split
from train.heads.fdsm import fit_fdsm
from train.heads.loop import Keeper, Recipe
from train.heads.scale import fit_scale
from train.heads.vaes import fit_fs_vae, fit_sa_dvae
from train.models import fdsm, fs_vae, sa_dvae
from train.models.fdsm import Fdsm
from train.models.fs_vae import FsVae
from train.models.latents import Weights
from train.models.sa_dvae import SaDvae
from train.models.scale import Scale, ScaleConfig
from train.papers.heads import AUTHORS, How, Job, settings_of

SA_DVAE = dataclasses.replace(sa_dvae.FAITHFUL, feature=24, text=16, related=10, irrelevant=4, noise=32, every=2)
FS_VAE = dataclasses.replace(fs_vae.FAITHFUL, feature=24, text=16, latent=10)
FDSM = dataclasses.replace(fdsm.FAITHFUL, hidden=16, depth=1, heads=2, ratio=2, time=8, gate=4)
SCALE = ScaleConfig(feature=24, text=16, condition=20, latent=6, hidden=18, anchor=False)
FITS = {"scale": (fit_scale, SCALE), "fdsm": (fit_fdsm, FDSM), "sa_dvae": (fit_sa_dvae, SA_DVAE),
        "fs_vae": (fit_fs_vae, FS_VAE)}  # fmt: skip


@pytest.fixture(autouse=True)
def toy_centre(monkeypatch):
    for module in ("fdsm", "scale", "vaes"):
        monkeypatch.setattr(f"train.heads.{module}.centre_of", lambda texts, names: texts.pooled(names).mean(0))


def same(one, other) -> bool:
    own = other.state_dict()
    return all(torch.equal(value, own[name]) for name, value in one.state_dict().items())


def test_sa_dvae_is_fitted_as_its_code_does(toy):
    """Epochs of all clips, Adam at one rate, no average, no bound; the discriminator's step before the others'."""
    recipe = Recipe(8, batch=300, lr=1e-3, seed=4, style=AUTHORS["sa_dvae"])
    found = fit_sa_dvae(toy.samples, SA_DVAE, recipe)
    torch.manual_seed(4)
    model = SaDvae(SA_DVAE)
    judges = [p for name, p in model.named_parameters() if name.startswith("discriminator")]
    others = [p for name, p in model.named_parameters() if not name.startswith("discriminator")]
    judge, rest = torch.optim.Adam(judges, 1e-3), torch.optim.Adam(others, 1e-3)
    x, y, text = (torch.from_numpy(each) for each in (toy.features, toy.concept, toy.texts.vectors[:40]))
    step = 0
    for epoch in range(3):
        order = np.random.default_rng([4, epoch]).permutation(len(x))
        assert sorted(order) == list(range(800))
        for start in range(0, 800, 300):
            if step == 8:
                break
            pick, weights = order[start : start + 300], model.weights(step, 8)
            if step % 2 == 1:
                judge.zero_grad()
                model.discriminator_loss(x[pick], y[pick], text, weights).backward()
                judge.step()
            rest.zero_grad()
            model.loss(x[pick], y[pick], text, weights).backward()
            rest.step()
            step += 1
    assert step == 8
    for name, value in found.state_dict().items():
        torch.testing.assert_close(value, model.state_dict()[name], rtol=1e-5, atol=1e-6)


def test_fdsm_is_fitted_as_its_code_does(toy, monkeypatch):
    """AdamW with a decay of 0.01; the rate rises for 100 steps, then falls as half a cosine."""
    rates, step = [], torch.optim.AdamW.step

    def noted(self, *how, **more):
        rates.append((self.param_groups[0]["lr"], self.param_groups[0]["weight_decay"]))
        return step(self, *how, **more)

    monkeypatch.setattr(torch.optim.AdamW, "step", noted)
    fit_fdsm(toy.samples, FDSM, Recipe(120, batch=4, lr=1e-4, style=AUTHORS["fdsm"]))
    expected = [i / 100 if i < 100 else 0.5 * (1 + math.cos(math.pi * (i - 100) / 20)) for i in range(120)]
    assert [rate for rate, _ in rates] == pytest.approx([1e-4 * share for share in expected])
    assert {decay for _, decay in rates} == {0.01}


def test_fs_vae_draws_a_batch_at_each_step(toy):
    style = AUTHORS["fs_vae"]
    drawn = train.heads.loop._picks(toy.concept, Recipe(5, batch=64, style=style), None)
    picks = [next(drawn).numpy() for _ in range(5)]
    assert all(len(set(pick)) == 64 for pick in picks)
    assert len(set(picks[0]) | set(picks[1])) > 100, "not one after the other from one order"
    assert (style.optimiser, style.schedule, style.averaged, style.clip) == ("adam", "constant", False, 0)


@pytest.mark.parametrize("style", ["ours", "authors"])
@pytest.mark.parametrize("system", FITS)
def test_a_fit_that_was_cut_goes_on_and_ends_with_the_same_weights(system, style, toy, tmp_path, monkeypatch):
    fit, config = FITS[system]
    how = {} if style == "ours" else {"style": AUTHORS[system]}
    recipe = Recipe(7, batch=32, seed=1, period=3, **how)

    def keeper():
        return Keeper(lambda model: -float(sum(p.abs().sum() for p in model.parameters())))

    whole = fit(toy.samples, config, dataclasses.replace(recipe, keeper=keeper()))
    cut = dataclasses.replace(recipe, keeper=keeper(), checkpoint=tmp_path / "fit.pt")
    monkeypatch.setattr(train.heads.loop, "SAVED_EVERY_S", 0.0)
    save, done = train.heads.loop._save, []

    def killed(*how):
        save(*how)
        done.append(how[-1])
        if len(done) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(train.heads.loop, "_save", killed)
    with pytest.raises(KeyboardInterrupt):
        fit(toy.samples, config, cut)
    again = dataclasses.replace(cut, keeper=keeper())
    assert same(fit(toy.samples, config, again), whole) and done == [1, 2, 3, 4, 5, 6, 7]
    assert len(again.keeper.scores) == 3, "the first was looked at before it was cut"
    assert same(fit(toy.samples, config, again), whole) and len(done) == 7, "what is done is not done again"


def test_the_best_period_is_kept_or_the_one_that_is_wanted(toy):
    recipe = Recipe(9, batch=32, period=3, style=AUTHORS["sa_dvae"])
    scores = iter([0.2, 0.7, 0.7])
    best = Keeper(lambda model: next(scores))
    found = fit_sa_dvae(toy.samples, SA_DVAE, dataclasses.replace(recipe, keeper=best))
    assert best.number == 1 and best.scores == [0.2, 0.7, 0.7], "the first of equals, as in the papers' code"
    wanted = Keeper(lambda model: 0.0, wanted=1)
    assert same(fit_sa_dvae(toy.samples, SA_DVAE, dataclasses.replace(recipe, keeper=wanted)), found)
    assert not same(fit_sa_dvae(toy.samples, SA_DVAE, recipe), found)


@pytest.mark.parametrize("system", FITS)
def test_mixed_precision_is_a_switch(system, toy):
    fit, config = FITS[system]
    made = fit(toy.samples, config, Recipe(3, batch=32, precision="bf16", style=AUTHORS[system]))
    assert all(value.dtype != torch.bfloat16 and value.isfinite().all() for value in made.state_dict().values())
    assert not same(made, fit(toy.samples, config, Recipe(3, batch=32, style=AUTHORS[system])))


def test_losses_make_everything_where_the_model_is():
    """No GPU is needed to tell: a tensor that is made elsewhere does not mix with those of the meta device."""
    on = Weights(0.1, 0.1, 1.0)
    x, own, text = (each.to("meta") for each in (torch.randn(8, 24), torch.randint(5, (8,)), torch.randn(5, 16)))
    small = dataclasses.replace(FDSM, feature=24, text=8, tokens=2, pooled=False, triplet=1.0)
    scale, vae, wave, drawn = (each.to("meta") for each in (Scale(SCALE), SaDvae(SA_DVAE), FsVae(FS_VAE), Fdsm(small)))
    for loss in (
        scale.loss(x, own, text, 0.5, text), vae.loss(x, own, text, on), vae.discriminator_loss(x, own, text, on),
        wave.loss(x, own, text, on), drawn.loss(x, own, text, text, 0.5),
    ):  # fmt: skip
        assert loss.device.type == "meta" and loss.requires_grad


def test_recipes_are_the_papers(toy):
    """METHODS.md 3.1, 4.3, 5.3: steps, batches, rates, and what a period is."""
    split = find_split("ntu60", "synse-55-5")
    job = Job(split, toy.samples, How(fit="authors"))
    found = {name: settings_of(name, job)[1] for name in AUTHORS}
    assert [(r.steps, r.batch, r.lr, r.period) for r in (found["fdsm"], found["sa_dvae"], found["fs_vae"])] == [
        (50_000, 256, 1e-4, 4), (250, 32, 3.39e-5, 25), (17_000, 64, 1e-4, 1700),
    ]  # fmt: skip
    assert all(found[name].style == AUTHORS[name] for name in AUTHORS)
    changes = (("fs_vae.lr", 1), ("fs_vae.latent", 7), ("fdsm.depth", 2))
    config, recipe = settings_of("fs_vae", Job(split, toy.samples, How(changes=changes)))
    assert (config.latent, recipe.lr, recipe.style.optimiser) == (7, 1.0, "adamw")
    for name, value, said in (("fs_vae.depth", 1, "no such field; allowed are lr, batch, feature"),
                              ("fs_vae.latent", "x", "a value like 100 expected")):  # fmt: skip
        with pytest.raises(UsageError, match=said):
            settings_of("fs_vae", Job(split, toy.samples, How(changes=((name, value),))))
