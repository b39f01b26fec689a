"""Train rankers on the frozen features of a trained encoder: SCALE, FDSM, SA-DVAE, FS-VAE.

    python -m train head --encoder runs/encoder/encoder.pt --data ../shared/data --out runs/heads --seed 0
    python -m train head --systems scale,fdsm,sa_dvae,fs_vae …

Features of augmented windows are drawn once (`--rounds` times over all clips) and serve all of them. Each leaves
`SYSTEM.pt` in the run folder, and in `metrics.json` what it makes of all that this encoder's training did not see.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_app.bundles.files import whole, write_text
from edge_app.errors import UsageError
from train.encoder.frozen import Frozen, freeze
from train.heads.fdsm import device_weights, fit_fdsm
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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", type=Path, required=True, help="encoder.pt of `train encoder` or `train merge`")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--systems", default="scale", help=f"comma-separated, of {', '.join(SYSTEMS)}")
    parser.add_argument("--rounds", type=int, default=1, help="augmented windows of each clip")
    parser.add_argument("--steps", type=int, help="of training; by default what each system ships with")
    parser.add_argument("--batch", type=int, default=96)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)


def parse_systems(text: str) -> list[str]:
    """Raises UsageError for a system that there is not."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in SYSTEMS]
    if unknown or not names:
        raise UsageError(f"--systems {text}: allowed are {', '.join(SYSTEMS)}, comma-separated")
    return names


def fit_head(
    frozen: Frozen, kind: str, config: Any = None, *, steps: int | None = None, batch: int = 96, lr: float = 1e-3,
    seed: int = 0,
) -> Head:  # fmt: skip
    """Train a system on frozen features, anchored where the encoder's training mapped the texts, if it has anchors."""
    system = SYSTEMS[kind]
    config = system.config if config is None else config
    config = dataclasses.replace(config, feature=frozen.features.shape[1])
    if kind != "fdsm":
        config = dataclasses.replace(config, text=frozen.texts.dim)
    frozen = read_by(kind, frozen)
    if isinstance(frozen.encoder, Detailed):
        config = dataclasses.replace(
            config, steps=STEPS, channels=frozen.encoder.channels, part_feature=frozen.encoder.part,
            part_text=config.text // 2,
        )  # fmt: skip
    anchors = (frozen.saved["model"]["text_map.weight"],) if system.anchored else ()
    return system.fit(
        frozen.features, frozen.concept, frozen.bank.concepts, frozen.texts, config, *anchors, extra=frozen.extra,
        steps=steps or system.steps, batch=batch, lr=lr, seed=seed,
    )  # fmt: skip


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


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    kinds = parse_systems(arguments.systems)
    arguments.out.mkdir(parents=True, exist_ok=True)
    frozen = freeze(arguments.encoder, arguments.data, arguments.rounds, arguments.seed)
    how = {"steps": arguments.steps, "batch": arguments.batch, "lr": arguments.lr, "seed": arguments.seed}
    metrics = {}
    for kind in kinds:
        head = fit_head(frozen, kind, **how)
        save_head(kind, head, arguments.out)
        metrics[kind] = read_by(kind, frozen).unseen(lambda x, text, head=head: -head.energies(x, text))
        print(kind, metrics[kind], flush=True)
    write_text(arguments.out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
