"""The rankers that are trained: how each is fitted, kept and read back, in one table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edge_app.bundles.files import whole
from edge_app.errors import UsageError
from train.data.clips import listed
from train.encoder.frozen import Frozen
from train.heads.fdsm import device_weights, fit_fdsm
from train.heads.loop import Recipe, Samples
from train.heads.scale import fit_scale
from train.heads.vaes import fit_fs_vae, fit_sa_dvae
from train.models import fdsm, fs_vae, sa_dvae
from train.models.edge import STEPS, Detailed
from train.models.fdsm import Fdsm
from train.models.fs_vae import FsVae
from train.models.sa_dvae import SaDvae
from train.models.scale import Scale, ScaleConfig

Head = Scale | Fdsm | SaDvae | FsVae


@dataclasses.dataclass(frozen=True)
class System:
    """config: as it ships. steps: of training, unless `--steps` says otherwise. anchored: begins at `text_map`.

    detailed: learns from features over time and of body parts too, and from texts of the parts (`Frozen.detailed`).
    """

    fit: Callable[..., Any]
    model: type[Head]
    config: Any
    steps: int
    anchored: bool = False
    detailed: bool = False


SYSTEMS = {
    "scale": System(fit_scale, Scale, ScaleConfig(), 100, anchored=True),
    "fdsm": System(fit_fdsm, Fdsm, fdsm.EDGE, 40, anchored=True),
    "sa_dvae": System(fit_sa_dvae, SaDvae, sa_dvae.IMPROVED, 300),
    "fs_vae": System(fit_fs_vae, FsVae, fs_vae.IMPROVED, 100, detailed=True),
}


def parse_systems(text: str) -> list[str]:
    """Raises UsageError for a system that there is not."""
    names = listed(text)
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown or not names:
        raise UsageError(f"--systems {text}: allowed are {', '.join(SYSTEMS)}, comma-separated")
    return names


def fit_head(frozen: Frozen, kind: str, recipe: Recipe, config: Any = None) -> Head:
    """Train a system on frozen features, anchored where the encoder's training mapped the texts, if it has anchors."""
    system = SYSTEMS[kind]
    config = dataclasses.replace(config or system.config, feature=frozen.features.shape[1])
    if kind != "fdsm":
        config = dataclasses.replace(config, text=frozen.texts.dim)
    frozen = read_by(kind, frozen)
    if isinstance(frozen.encoder, Detailed):
        config = dataclasses.replace(
            config, steps=STEPS, channels=frozen.encoder.channels, part_feature=frozen.encoder.part,
            part_text=config.text // 2,
        )  # fmt: skip
    samples = Samples(frozen.features, frozen.concept, frozen.bank.concepts, frozen.texts, frozen.extra)
    anchors = (frozen.saved["model"]["text_map.weight"],) if system.anchored else ()
    return system.fit(samples, config, recipe, *anchors)


def logits_of(head: Head) -> Callable[[Tensor, Tensor], Tensor]:
    """Minus energies: features `[B, D]` and texts `[K, E]` to `[B, K]`."""
    return lambda x, text: -head.energies(x, text)


def read_by(kind: str, frozen: Frozen) -> Frozen:
    """What a system learns from, and is asked with."""
    return frozen.detailed if SYSTEMS[kind].detailed else frozen


def save_head(kind: str, head: Head, folder: Path) -> None:
    saved = {"system": kind, "model": head.state_dict(), "config": dataclasses.asdict(head.config)}
    with whole(folder / f"{kind}.pt") as partial:
        torch.save(saved, partial)


def load_heads(folder: Path) -> dict[str, dict[str, np.ndarray]]:
    """The heads in a run folder as their rankers read them: kind -> arrays by name.

    Raises:
        UsageError: no head there.
    """
    found = {}
    for kind, system in SYSTEMS.items():
        if not (folder / f"{kind}.pt").is_file():
            continue
        saved = torch.load(folder / f"{kind}.pt", map_location="cpu", weights_only=True)
        head = system.model(type(system.config)(**saved["config"]))
        head.load_state_dict(saved["model"])
        found[kind] = arrays(head.eval())
    if not found:
        raise UsageError(f"--heads {folder}: none of {', '.join(f'{kind}.pt' for kind in SYSTEMS)} is there")
    return found


def arrays(head: Head) -> dict[str, np.ndarray]:
    """What the ranker on the device reads."""
    if isinstance(head, Fdsm):
        return device_weights(head)
    return {name: value.numpy() for name, value in head.state_dict().items()}
