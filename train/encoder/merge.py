"""Put separately trained encoders side by side: with other seeds, and without other sets, they err differently.

    python -m train merge --encoders runs/final-0/encoder.pt runs/final-1/encoder.pt --out runs/final/encoder.pt

With `--web`, the weights of a network that learned from web videos go along: it speaks beside the encoder
(`train.models.web_teacher`), and the rankers hear it (`edge_app.ranker.conse`).

Their features are laid end to end, and so are the maps of texts, each to the same mean length: the cosine of the whole
is the mean of the parts' cosines, nearly. A set counts as left out where every part left it out.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from edge_app.bundles.files import whole
from edge_app.errors import UsageError
from train.data.texts import ConceptTexts
from train.encoder.frozen import load_encoder
from train.models.shiftgcn import load_weights

SAME = ("window", "withheld", "held_people")
"""What the parts must have in common."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoders", type=Path, nargs="+", required=True, help="encoder.pt of `train encoder`")
    parser.add_argument("--out", type=Path, required=True, help="encoder.pt of them all")
    parser.add_argument("--web", type=Path, help="Shift-GCN's joint stream of Skeletics-152, to speak beside them")
    parser.add_argument("--web-names", type=Path, help="CSV file with a column name: its classes in order")


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
    if arguments.web:
        merged["web"] = read_web(arguments.web, arguments.web_names)
    with whole(arguments.out) as partial:
        torch.save(first | merged, partial)
    print(f"{arguments.out}: {len(parts)} encoders side by side")


def read_web(weights: Path, names: Path | None) -> dict[str, Any]:
    """The web teacher as a checkpoint keeps it.

    Raises:
        UsageError: no such weights or names, or not one name a class.
    """
    model = load_weights(weights)
    try:
        if names is None:
            raise UsageError("--web: its classes are named by --web-names FILE")
        with names.open(newline="", encoding="utf-8") as file:
            found = [row["name"] for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError) as error:
        raise UsageError(f"--web-names {names}: {error}; expected a CSV file with a column name") from None
    if len(found) != model.config.classes:
        raise UsageError(f"--web-names {names}: {len(found)} names found; the weights have {model.config.classes}")
    return {"model": model.state_dict(), "names": found}
