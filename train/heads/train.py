"""Train rankers on the frozen features of a trained encoder: SCALE, FDSM, SA-DVAE, FS-VAE.

    python -m train head --encoder runs/encoder/encoder.pt --data ../shared/data --out runs/heads --seed 0
    python -m train head --systems scale,fdsm,sa_dvae,fs_vae …

Features of augmented windows are computed once (`--rounds` times over all clips) and shared by all systems. Each system
is saved as `SYSTEM.pt` in the run folder; `metrics.json` has its accuracy on what the encoder's training did not see.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from edge_app.bundles.files import write_text
from train.encoder.frozen import freeze
from train.heads.loop import Recipe
from train.heads.systems import SYSTEMS, fit_head, logits_of, parse_systems, read_by, save_head


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


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    kinds = parse_systems(arguments.systems)
    arguments.out.mkdir(parents=True, exist_ok=True)
    frozen = freeze(arguments.encoder, arguments.data, arguments.rounds, arguments.seed)
    metrics = {}
    for kind in kinds:
        steps = arguments.steps or SYSTEMS[kind].steps
        head = fit_head(frozen, kind, Recipe(steps, arguments.batch, arguments.lr, arguments.seed))
        save_head(kind, head, arguments.out)
        metrics[kind] = read_by(kind, frozen).unseen(logits_of(head))
        print(kind, metrics[kind], flush=True)
    write_text(arguments.out / "metrics.json", json.dumps(metrics, indent=1) + "\n")
