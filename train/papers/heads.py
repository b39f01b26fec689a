"""Zero-shot heads on the papers' features, with the papers' settings, all fitted and asked in the same way.

`fit_head` gives a head: for the texts of some classes, a function from features to energies. "faithful" is the papers'
settings where METHODS.md has them; "improved" is this project's own variant of each. Fitting is this project's in both
(AdamW, OneCycle, clips of rare classes more often, an exponential average). Seen classes' texts alone are learned from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from train.data.splits import Split
from train.data.texts import ConceptTexts, FixedTexts
from train.heads.fdsm import names_alone
from train.heads.loop import Recipe, Samples
from train.heads.systems import SYSTEMS
from train.models import fdsm, fs_vae, sa_dvae
from train.models.baselines import BASELINES
from train.models.fs_vae import FsVae
from train.models.sa_dvae import SaDvae
from train.models.scale import ScaleConfig

Head = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Texts `[K, E]` -> (features `[B, D]` -> energies `[B, K]`, lower is better)."""


@dataclass(frozen=True)
class Fitted:
    """A head, and for the faithful FDSM also the same network asked with the rich text (METHODS.md 3.2 d)."""

    head: Head
    rich: Head | None = None


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


@dataclass(frozen=True)
class Job:
    """What is learned from, seen classes alone, and how. steps: None for the paper's."""

    split: Split
    variant: str
    samples: Samples
    steps: int | None
    seed: int

    @property
    def improved(self) -> bool:
        return self.variant == "improved"

    @property
    def widths(self) -> dict[str, Any]:
        return {"feature": self.samples.features.shape[1], "text": self.samples.texts.dim}

    def recipe(self, steps: int, batch: int, lr: float) -> Recipe:
        return Recipe(self.steps or steps, batch, lr, self.seed)


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
    return config, job.recipe(max(1, SA_DVAE_EPOCHS * len(job.samples.features) // batch), batch, lr)


def _fs_vae(job: Job) -> tuple[fs_vae.FsVaeConfig, Recipe]:
    """METHODS.md 5.1, 5.3, with NTU-60's settings for PKU-MMD (INFERRED)."""
    large = job.split.dataset == "ntu120"
    recipe = job.recipe(19_000 if large else 17_000, batch=64, lr=1e-4)
    if job.improved:
        return dataclasses.replace(fs_vae.IMPROVED, **job.widths), recipe
    return dataclasses.replace(fs_vae.NTU120 if large else fs_vae.FAITHFUL, **job.widths), recipe


SETTINGS: dict[str, Callable[[Job], tuple[Any, Recipe]]] = {
    "scale": _scale, "fdsm": _fdsm, "sa_dvae": _sa_dvae, "fs_vae": _fs_vae,
}  # fmt: skip
"""The papers' settings, or our own variant's, of `train.heads.systems.SYSTEMS`."""
NAMES = (*SETTINGS, *BASELINES)


def fit_head(
    system: str, split: Split, features: np.ndarray, label: np.ndarray, names: tuple[str, ...],
    texts: ConceptTexts | FixedTexts, *, variant: str, steps: int | None, seed: int,
) -> Fitted:  # fmt: skip
    """Fit one of `NAMES` on seen classes' features.

    Args:
        features: float32 `[N, D]`; label: int `[N]`, index into `names`, those of all classes; texts: know them all.
    """
    seen, concept = np.unique(label, return_inverse=True)
    samples = Samples(features, concept, [names[k] for k in seen], texts)
    if system in BASELINES:
        text = torch.from_numpy(texts.pooled(samples.names))
        baseline = BASELINES[system].fit(torch.from_numpy(features), torch.from_numpy(concept), text)
        return Fitted(lambda text: lambda x: baseline.energies(x, text))
    twice = False
    if system == "fdsm" and isinstance(texts, FixedTexts):
        twice, samples = True, dataclasses.replace(samples, texts=texts.twice())
    config, recipe = SETTINGS[system](Job(split, variant, samples, steps, seed))
    model = SYSTEMS[system].fit(samples, config, recipe)
    if twice:
        return Fitted(lambda text: lambda x: model.energies(x, torch.cat([text, text], dim=1) / 2**0.5))
    if variant == "faithful" and isinstance(model, SaDvae | FsVae):
        return Fitted(lambda text: _by_classifier(model, text, seed))
    whole: Head = lambda text: lambda x: model.energies(x, text)  # noqa: E731
    if variant == "faithful" and system == "fdsm":
        return Fitted(lambda text: whole(names_alone(text)), rich=whole)
    return Fitted(whole)


def _by_classifier(model: SaDvae | FsVae, text: Tensor, seed: int) -> Callable[[Tensor], Tensor]:
    """Minus the logits of the classifier that the papers train for each set of candidates (METHODS.md 4.4)."""
    classifier = model.classifier(text, seed=seed)
    latent = model.related if isinstance(model, SaDvae) else model.latent
    return lambda x: -classifier(latent(x))


@torch.no_grad()
def ranker(head: Head, texts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A head for texts `[K, E]`: features `[N, D]` -> energies `[N, K]`. The VAEs' classifiers are trained here."""
    of = head(torch.from_numpy(texts))

    @torch.no_grad()
    def energies(features: np.ndarray) -> np.ndarray:
        return torch.cat([of(part) for part in torch.from_numpy(features).split(256)]).numpy()

    return energies
