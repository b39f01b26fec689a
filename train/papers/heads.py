"""Zero-shot heads on the papers' features, with the papers' settings, all fitted and asked in the same way.

`fit_head` gives a head: for the texts of some classes, a function from features to energies. "faithful" is the papers'
settings where METHODS.md has them; "improved" is this project's own variant of each. Fitting is this project's in both
(AdamW, OneCycle, clips of rare classes more often, an exponential average). Seen classes' texts alone are learned from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train.data.splits import Split
from train.data.texts import ConceptTexts, FixedTexts
from train.heads.fdsm import fit_fdsm
from train.heads.scale import fit_scale
from train.heads.vaes import fit_fs_vae, fit_sa_dvae
from train.models import fdsm, fs_vae, sa_dvae
from train.models.baselines import Conse, Devise, RidgeToText
from train.models.scale import ScaleConfig

Head = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Texts `[K, E]` -> (features `[B, D]` -> energies `[B, K]`, lower is better)."""
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
    """concept: int `[N]`, each feature's row of the seen classes' `names`. steps: None for the paper's."""

    split: Split
    variant: str
    features: np.ndarray
    concept: np.ndarray
    names: list[str]
    texts: ConceptTexts | FixedTexts
    steps: int | None
    seed: int

    def data(self, texts: ConceptTexts | FixedTexts | None = None) -> tuple:
        return self.features, self.concept, self.names, texts or self.texts

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        text = torch.from_numpy(self.texts.pooled(self.names))
        return torch.from_numpy(self.features), torch.from_numpy(self.concept), text


def _scale(job: Job) -> Head:
    """METHODS.md 2.2, 2.9 (INFERRED); anchors, which are ours, in the improved variant."""
    config = ScaleConfig(feature=job.features.shape[1], text=job.texts.dim, anchor=job.variant == "improved")
    model = fit_scale(*job.data(), config, steps=job.steps or 20_000, batch=256, lr=3e-4, seed=job.seed)
    return lambda text: lambda x: model.energies(x, text)


def _fdsm(job: Job) -> Head:
    """METHODS.md 3.1, 3.2; its text is two tokens. The faithful variant has some 260 M parameters, not for a CPU."""
    config = fdsm.EDGE if job.variant == "improved" else fdsm.FAITHFUL
    own = isinstance(job.texts, ConceptTexts)
    texts = job.texts if own else job.texts.twice()  # type: ignore[union-attr]
    model = fit_fdsm(*job.data(texts), config, steps=job.steps or 50_000, batch=256, lr=1e-4, seed=job.seed)
    return lambda text: lambda x: model.energies(x, text if own else torch.cat([text, text], dim=1) / 2**0.5)


def _sa_dvae(job: Job) -> Head:
    """METHODS.md 4.3. Faithful: the classifier of latents that the paper trains for each set of candidates (4.4)."""
    random = job.split.dataset == "pku" or job.split.name.startswith(("smie", "sa-dvae"))
    related, irrelevant, lr, batch, every = SA_DVAE[job.split.dataset, "random" if random else "synse"]
    config = dataclasses.replace(
        sa_dvae.IMPROVED if job.variant == "improved" else sa_dvae.FAITHFUL,
        feature=job.features.shape[1], text=job.texts.dim, related=related, irrelevant=irrelevant, every=every,
    )  # fmt: skip
    steps = job.steps or max(1, SA_DVAE_EPOCHS * len(job.features) // batch)
    model = fit_sa_dvae(*job.data(), config, steps=steps, batch=batch, lr=lr, seed=job.seed)
    if job.variant == "improved":
        return lambda text: lambda x: model.energies(x, text)
    return lambda text: _by_classifier(model.classifier(text, seed=job.seed), model.related)


def _fs_vae(job: Job) -> Head:
    """METHODS.md 5.1, 5.3, with NTU-60's settings for PKU-MMD (INFERRED). Faithful: the classifier, as SA-DVAE's."""
    large = job.split.dataset == "ntu120"
    config = dataclasses.replace(
        fs_vae.IMPROVED if job.variant == "improved" else fs_vae.FAITHFUL,
        feature=job.features.shape[1], text=job.texts.dim,
    )  # fmt: skip
    if job.variant == "faithful":
        cycle = 1500 / 1900 if large else 1400 / 1700
        config = dataclasses.replace(
            config, latent=200 if large else 100, cross=0.1 if large else 0.5, cross_from=cycle
        )
    steps = job.steps or (19_000 if large else 17_000)
    model = fit_fs_vae(*job.data(), config, steps=steps, batch=64, lr=1e-4, seed=job.seed)
    if job.variant == "improved":
        return lambda text: lambda x: model.energies(x, text)
    return lambda text: _by_classifier(model.classifier(text, seed=job.seed), model.latent)


def _by_classifier(classifier: torch.nn.Module, latent: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    return lambda x: -classifier(latent(x))


def _ridge(job: Job) -> Head:
    model = RidgeToText.fit(*job.tensors())
    return lambda text: lambda x: model.energies(x, text)


def _devise(job: Job) -> Head:
    model = Devise.fit(*job.tensors())
    return lambda text: lambda x: model.energies(x, text)


def _conse(job: Job) -> Head:
    model = Conse.fit(*job.tensors())
    return lambda text: lambda x: model.energies(x, text)


SYSTEMS: dict[str, Callable[[Job], Head]] = {
    "scale": _scale, "fdsm": _fdsm, "sa_dvae": _sa_dvae, "fs_vae": _fs_vae,
    "ridge": _ridge, "devise": _devise, "conse": _conse,
}  # fmt: skip
CLOSED = ("ridge", "devise", "conse")
"""Nothing is random in these, and they have no steps to choose."""


def fit_head(
    system: str, split: Split, features: np.ndarray, label: np.ndarray, names: tuple[str, ...],
    texts: ConceptTexts | FixedTexts, *, variant: str, steps: int | None, seed: int,
) -> Head:  # fmt: skip
    """Fit one of `SYSTEMS` on seen classes' features.

    Args:
        features: float32 `[N, D]`; label: int `[N]`, index into `names`, those of all classes; texts: know them all.
    """
    seen, concept = np.unique(label, return_inverse=True)
    return SYSTEMS[system](Job(split, variant, features, concept, [names[k] for k in seen], texts, steps, seed))


@torch.no_grad()
def ranker(head: Head, texts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A head for texts `[K, E]`: features `[N, D]` -> energies `[N, K]`. The VAEs' classifiers are trained here."""
    of = head(torch.from_numpy(texts))

    @torch.no_grad()
    def energies(features: np.ndarray) -> np.ndarray:
        return torch.cat([of(part) for part in torch.from_numpy(features).split(256)]).numpy()

    return energies
