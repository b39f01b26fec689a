"""Zero-shot heads on the papers' features, with the papers' settings, all fitted and asked in the same way.

`fit_head` gives a head: for the texts of some classes, a function from features to energies. "faithful" is the papers'
settings where METHODS.md has them; "improved" is this project's own variant of each. Either is fitted as this project
does it (AdamW, OneCycle, clips of rare classes more often, an exponential average), or as the papers' codes do
(`AUTHORS`). Seen classes' texts alone are learned from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge_app.errors import UsageError
from train.data.splits import Split
from train.data.texts import ConceptTexts, FixedTexts, RowTexts
from train.heads.fdsm import names_alone
from train.heads.loop import Keeper, Recipe, Samples, Style
from train.heads.systems import SYSTEMS
from train.models import fdsm, fs_vae, sa_dvae
from train.models.baselines import BASELINES
from train.models.fs_vae import FsVae
from train.models.latents import CYCLES
from train.models.sa_dvae import SaDvae
from train.models.scale import ScaleConfig

Head = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Texts `[K, E]` -> (features `[B, D]` -> energies `[B, K]`, lower is better)."""


@dataclass(frozen=True)
class Fitted:
    """A head, and for the faithful FDSM also the same network asked with the rich text (METHODS.md 3.2 d).

    period: number of the epoch or cycle that was kept, from 0; None for the last. scores: of all that were looked at.
    """

    head: Head
    rich: Head | None = None
    period: int | None = None
    scores: tuple[float, ...] = ()


@dataclass(frozen=True)
class How:
    """What a head is, and how it is fitted.

    fit: "ours", or "authors". epoch: the last one, or the best: on the test classes with `select_on_test`, as in the
    papers' codes, else on pseudo-unseen ones. steps: None for the paper's. precision: of `train.heads.loop.DTYPES`.
    targets: for FDSM's gate to learn first, one a class. changes: SYSTEM.FIELD to a value, of a system's config, or its
    rate or batch. checkpoint: where unfinished fits are kept, each with an ending of its own.
    """

    variant: str = "faithful"
    fit: str = "ours"
    epoch: str = "last"
    steps: int | None = None
    seed: int = 0
    select_on_test: bool = False
    device: str = "cpu"
    precision: str = "fp32"
    changes: tuple[tuple[str, Any], ...] = ()
    targets: tuple[float, ...] | None = None
    checkpoint: Path | None = None


VARIANTS = ("faithful", "improved")
SA_DVAE = {
    ("ntu60", "synse"): (160, 8, 3.39e-5, 32, 5),
    ("ntu120", "synse"): (256, 32, 3.478e-5, 32, 4),
    ("ntu60", "random"): (224, 16, 3.596e-5, 32, 7),
    ("ntu120", "random"): (176, 20, 7.361e-5, 32, 12),
    ("pku", "random"): (128, 16, 3.074e-5, 64, 2),
}
"""d_r, d_v, rate, batch, steps for one of the discriminator (METHODS.md 4.3). SynSE's serve PURLS's splits too."""
SA_DVAE_EPOCHS = 10


FAITHFULLY = How()


@dataclass(frozen=True)
class Job:
    """What is learned from, seen classes alone, and how."""

    split: Split
    samples: Samples
    how: How

    @property
    def improved(self) -> bool:
        return self.how.variant == "improved"

    @property
    def widths(self) -> dict[str, Any]:
        return {"feature": self.samples.features.shape[1], "text": self.samples.texts.dim}

    def recipe(self, steps: int, batch: int, lr: float) -> Recipe:
        how = self.how
        return Recipe(
            how.steps or steps, batch, lr, how.seed, device=how.device, precision=how.precision,
            checkpoint=how.checkpoint, period=self.epoch(batch),
        )  # fmt: skip

    def epoch(self, batch: int) -> int:
        """Steps of an epoch, the last of which may be smaller."""
        return -(-len(self.samples.features) // batch)


def _scale(job: Job) -> tuple[ScaleConfig, Recipe]:
    """METHODS.md 2.2, 2.9 (INFERRED); anchors, which are ours, in the improved variant."""
    return ScaleConfig(**job.widths, anchor=job.improved), job.recipe(20_000, batch=256, lr=3e-4)


def _fdsm(job: Job) -> tuple[fdsm.FdsmConfig, Recipe]:
    """METHODS.md 3.1, 3.2. The faithful variant has some 260 M parameters, not for a CPU."""
    return fdsm.EDGE if job.improved else fdsm.FAITHFUL, job.recipe(50_000, batch=256, lr=1e-4)


def _sa_dvae(job: Job) -> tuple[sa_dvae.SaDvaeConfig, Recipe]:
    """METHODS.md 4.3, and 4.4 for the faithful variant."""
    random = job.split.dataset == "pku" or job.split.name.startswith(("smie", "sa-dvae"))
    related, irrelevant, lr, batch, every = SA_DVAE[job.split.dataset, "random" if random else "synse"]
    config = dataclasses.replace(
        sa_dvae.IMPROVED if job.improved else sa_dvae.FAITHFUL,
        **job.widths, related=related, irrelevant=irrelevant, every=every,
    )  # fmt: skip
    return config, job.recipe(SA_DVAE_EPOCHS * job.epoch(batch), batch, lr)


def _fs_vae(job: Job) -> tuple[fs_vae.FsVaeConfig, Recipe]:
    """METHODS.md 5.1, 5.3, with NTU-60's settings for PKU-MMD (INFERRED)."""
    large = job.split.dataset == "ntu120"
    recipe = job.recipe(19_000 if large else 17_000, batch=64, lr=1e-4)
    recipe = dataclasses.replace(recipe, period=-(-recipe.steps // CYCLES))
    if job.improved:
        return dataclasses.replace(fs_vae.IMPROVED, **job.widths), recipe
    return dataclasses.replace(fs_vae.NTU120 if large else fs_vae.FAITHFUL, **job.widths), recipe


SETTINGS: dict[str, Callable[[Job], tuple[Any, Recipe]]] = {
    "scale": _scale, "fdsm": _fdsm, "sa_dvae": _sa_dvae, "fs_vae": _fs_vae,
}  # fmt: skip
"""The papers' settings, or our own variant's, of `train.heads.systems.SYSTEMS`."""
NAMES = (*SETTINGS, *BASELINES)
AUTHORS = {
    "scale": Style("adamw", 1e-4, "cosine", 1000, "epochs", mixed=False),
    "fdsm": Style("adamw", 1e-2, "cosine", 100, "epochs", 0, False, False),
    "sa_dvae": Style("adam", 0, "constant", 0, "epochs", 0, False, False),
    "fs_vae": Style("adam", 0, "constant", 0, "batches", 0, False, False),
}
"""As the papers' codes fit (METHODS.md 3.1, 4.3, 5.3). SCALE has no public code: its is INFERRED (2.9), and keeps our
bound on gradients and our average."""
RECIPE_FIELDS = ("lr", "batch")


def settings_of(system: str, job: Job) -> tuple[Any, Recipe]:
    """A system's config and recipe, with all changes.

    Raises:
        UsageError: a change of what there is not.
    """
    config, recipe = SETTINGS[system](job)
    if job.how.fit == "authors":
        recipe = dataclasses.replace(recipe, style=AUTHORS[system])
    for name, value in job.how.changes:
        owner, _, key = name.partition(".")
        if owner != system:
            continue
        if key in RECIPE_FIELDS:
            recipe = dataclasses.replace(recipe, **{key: type(getattr(recipe, key))(value)})
            continue
        fields = [each.name for each in dataclasses.fields(config)]
        if key not in fields:
            raise UsageError(f"--set {name}: no such field; allowed are {', '.join([*RECIPE_FIELDS, *fields])}")
        before = getattr(config, key)
        value = float(value) if type(before) is float and type(value) is int else value
        if type(value) is not type(before):
            raise UsageError(f"--set {name}={value}: a value like {before} expected")
        config = dataclasses.replace(config, **{key: value})
    return config, recipe


def fit_head(
    system: str, split: Split, features: np.ndarray, label: np.ndarray, names: tuple[str, ...],
    texts: ConceptTexts | FixedTexts, how: How = FAITHFULLY, *, score: Callable[[Head], float] | None = None,
    wanted: int | None = None,
) -> Fitted:  # fmt: skip
    """Fit one of `NAMES` on seen classes' features.

    Args:
        features: float32 `[N, D]`; label: int `[N]`, index into `names`, those of all classes; texts: know them all.
        score: of a head, higher is better; the best epoch or cycle is kept. wanted: that one is kept instead.
    """
    seen, concept = np.unique(label, return_inverse=True)
    samples = Samples(features, concept, [names[k] for k in seen], texts)
    if system in BASELINES:
        text = torch.from_numpy(texts.pooled(samples.names))
        baseline = BASELINES[system].fit(torch.from_numpy(features), torch.from_numpy(concept), text)
        return Fitted(lambda text: lambda x: baseline.energies(x, text))
    twice = system == "fdsm" and isinstance(texts, FixedTexts) and not isinstance(texts, RowTexts)
    if twice:
        samples = dataclasses.replace(samples, texts=texts.twice())  # type: ignore[union-attr]

    def heads(model: Any) -> Fitted:
        return _heads(system, model, how, texts, twice)

    config, recipe = settings_of(system, Job(split, samples, how))
    keeper = None
    if score is not None or wanted is not None:
        keeper = Keeper(lambda model: score(heads(model).head) if score else 0.0, wanted)
    more: dict[str, Any] = {}
    if system == "fdsm" and how.targets is not None:
        more = {"targets": np.array([how.targets[k] for k in seen])}
    model = SYSTEMS[system].fit(samples, config, dataclasses.replace(recipe, keeper=keeper), **more)
    fitted = heads(model)
    if keeper is None:
        return fitted
    return dataclasses.replace(fitted, period=keeper.number, scores=tuple(keeper.scores))


def _heads(system: str, model: Any, how: How, texts: ConceptTexts | FixedTexts, twice: bool) -> Fitted:
    """How a fitted model is asked."""

    def asked(of: Callable[[Tensor], Tensor] = lambda text: text) -> Head:
        def head(text: Tensor) -> Callable[[Tensor], Tensor]:
            own = of(text.to(how.device))
            return lambda x: model.energies(x.to(how.device), own).cpu()

        return head

    if system == "fdsm" and isinstance(texts, RowTexts):
        rich = asked(lambda text: texts.both(text)[1]) if texts.pair else None
        return Fitted(asked(lambda text: texts.both(text)[0]), rich)
    if twice:
        return Fitted(asked(lambda text: torch.cat([text, text], dim=1) / 2**0.5))
    if how.variant == "faithful" and isinstance(model, SaDvae | FsVae):
        return Fitted(lambda text: _by_classifier(model, text.to(how.device), how))
    if how.variant == "faithful" and system == "fdsm":
        return Fitted(asked(names_alone), rich=asked())
    return Fitted(asked())


def _by_classifier(model: SaDvae | FsVae, text: Tensor, how: How) -> Callable[[Tensor], Tensor]:
    """Minus the logits of the classifier that the papers train for each set of candidates (METHODS.md 4.4)."""
    classifier = model.classifier(text, seed=how.seed)
    latent = model.related if isinstance(model, SaDvae) else model.latent
    return lambda x: -classifier(latent(x.to(how.device))).cpu()


@torch.no_grad()
def ranker(head: Head, texts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A head for texts `[K, E]`: features `[N, D]` -> energies `[N, K]`. The VAEs' classifiers are trained here."""
    of = head(torch.from_numpy(texts))

    @torch.no_grad()
    def energies(features: np.ndarray) -> np.ndarray:
        return torch.cat([of(part) for part in torch.from_numpy(features).split(256)]).numpy()

    return energies
