"""Put separately trained encoders side by side: with other seeds, and without other sets, they err differently.

    python -m train merge --encoders runs/final-0/encoder.pt runs/final-1/encoder.pt --out runs/final/encoder.pt

Their features are laid end to end, and so are the maps of texts, each to the same mean length: the cosine of the whole
is the mean of the parts' cosines, nearly. A set counts as left out where every part left it out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch.nn import functional

from edge_app.bundles.files import whole
from edge_app.errors import UsageError
from train.data.texts import ConceptTexts
from train.encoder.frozen import load_encoder

SAME = ("window", "withheld", "held_people")
"""What the parts must have in common."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoders", type=Path, nargs="+", required=True, help="encoder.pt of `train encoder`")
    parser.add_argument("--out", type=Path, required=True, help="encoder.pt of them all")


def run(arguments: argparse.Namespace) -> None:
    parts = [load_encoder(path)[2] for path in arguments.encoders]
    first = parts[0]
    for path, part in zip(arguments.encoders, parts, strict=True):
        if any(part[key] != first[key] for key in SAME) or not isinstance(part["config"], dict):
            raise UsageError(f"--encoders {path}: it withheld other data than the first one, or it is merged already")
    concepts = sorted({concept for part in parts for concept in part["concepts"]})
    left_out = sorted(set.intersection(*(set(part["left_out"]) for part in parts)))
    centred = torch.from_numpy(ConceptTexts(concepts).pooled(concepts)) - first["model"]["text_mean"]
    maps = []
    for part in parts:
        mapped = functional.normalize(centred, dim=1) @ part["model"]["text_map.weight"].T
        maps.append(part["model"]["text_map.weight"] / mapped.norm(dim=1).mean())
    model = {
        f"encoder.branches.{i}.{name.removeprefix('encoder.')}": value
        for i, part in enumerate(parts)
        for name, value in part["model"].items()
        if name.startswith("encoder.")
    }
    model["text_map.weight"] = torch.cat(maps)
    model["text_mean"] = first["model"]["text_mean"]
    model["scale"] = torch.stack([part["model"]["scale"] for part in parts]).mean()
    merged = {
        "model": model, "config": [part["config"] for part in parts], "concepts": concepts, "left_out": left_out,
        "settings": first["settings"] | {"leave_out": ",".join(left_out)},
        "metrics": [part["metrics"] for part in parts],
    }  # fmt: skip
    with whole(arguments.out) as partial:
        torch.save(first | merged, partial)
    print(f"{arguments.out}: {len(parts)} encoders side by side")
