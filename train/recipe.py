"""Train by a recipe, a YAML file: encoders one after the other, laid side by side, then heads, then the calibration.

    python -m train recipe configs/train/default.yaml --data ../shared/data --out runs/final

`parts` lists the encoders. Every other section holds options of the verb of its name, without dashes; `encoder` has
those that all parts share. Without a section `calibrate`, nothing is calibrated. All options are checked before the
first step begins. What is done is not done again: after a kill, the same command goes on with the step that was cut.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from edge_app.bundles.files import write_text
from edge_app.errors import UsageError
from train.encoder import merge
from train.encoder import train as encoder
from train.heads import calibrate
from train.heads import train as head

VERBS = {"encoder": encoder, "merge": merge, "head": head, "calibrate": calibrate}
SECTIONS = ("encoder", "parts", "merge", "head", "calibrate")
DONE = "recipe.json"
"""In the run folder: the options of each step that is done."""


@dataclass(frozen=True)
class Step:
    """options: what the recipe says, by name. arguments: the verb's, with these and with where things are."""

    name: str
    verb: str
    options: dict[str, str]
    arguments: argparse.Namespace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, help="YAML file, such as configs/train/default.yaml")
    parser.add_argument("--data", type=Path, required=True, help="folder of core15 npz sets with concepts.csv")
    parser.add_argument("--out", type=Path, required=True, help="run folder to write or to go on with")


def run(arguments: argparse.Namespace) -> None:
    steps = read_steps(arguments.recipe, arguments.data, arguments.out)
    kept = arguments.out / DONE
    done = json.loads(kept.read_text("utf-8")) if kept.is_file() else {}
    for step in steps:
        if done.get(step.name, step.options) != step.options:
            raise UsageError(f"--out {arguments.out}: {step.name} was done with other options; give an empty folder")
    arguments.out.mkdir(parents=True, exist_ok=True)
    for step in steps:
        if step.name in done:
            continue
        print(f"{step.name}: train {step.verb} {json.dumps(step.options)}", flush=True)
        VERBS[step.verb].run(step.arguments)
        done[step.name] = step.options
        write_text(kept, json.dumps(done, indent=1) + "\n")


def read_steps(path: Path, data: Path, out: Path) -> list[Step]:
    """The steps of a recipe, in order.

    Raises:
        UsageError: one line: no such file, or a section or option that there is not.
    """
    try:
        recipe = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"recipe {path}: {' '.join(str(error).split()):.200}") from None
    if not isinstance(recipe, dict) or not {"parts", "head"} <= set(recipe) <= set(SECTIONS):
        found = ", ".join(map(str, recipe)) if isinstance(recipe, dict) else type(recipe).__name__
        raise UsageError(f"recipe {path}: {found} found; parts and head are needed, {', '.join(SECTIONS)} allowed")
    parts = recipe["parts"] if isinstance(recipe["parts"], list) else []
    if not parts:
        raise UsageError(f"recipe {path}: parts: a list of encoders expected, each with its options")
    encoders, merged = [out / f"part-{i}" / "encoder.pt" for i in range(len(parts))], out / "encoder.pt"
    steps = []
    for file, part in zip(encoders, parts, strict=True):
        name, common = file.parent.name, recipe.get("encoder")
        options = _options(path, "encoder", common) | _options(path, name, part)
        steps.append(_step(path, name, "encoder", options, data=data, out=file.parent))
    merging = _options(path, "merge", recipe.get("merge"))
    steps.append(_step(path, "merge", "merge", merging, encoders=encoders[0], out=merged))
    steps[-1].arguments.encoders = encoders
    steps.append(
        _step(path, "head", "head", _options(path, "head", recipe["head"]), encoder=merged, data=data, out=out)
    )
    if "calibrate" in recipe:
        options = _options(path, "calibrate", recipe["calibrate"])
        places = {"encoder": merged, "heads": out, "data": data, "out": out / "calibration.json"}
        steps.append(_step(path, "calibrate", "calibrate", options, **places))
    return steps


def _options(path: Path, section: str, found: Any) -> dict[str, str]:
    """A section's options as a command line has them; lists are joined by commas. An empty section has none."""
    if found is not None and not isinstance(found, dict):
        raise UsageError(f"recipe {path}: {section}: options with names expected, {type(found).__name__} found")
    return {str(k): ",".join(map(str, v)) if isinstance(v, list) else str(v) for k, v in (found or {}).items()}


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}")


def _step(path: Path, name: str, verb: str, options: dict[str, str], **places: Path) -> Step:
    parser = _Parser(f"recipe {path}: {name}", allow_abbrev=False)
    VERBS[verb].add_arguments(parser)
    where = [f"--{key}={value}" for key, value in places.items()]
    allowed = [key for key in vars(parser.parse_args(where)) if key not in places]
    for key in options:
        if key not in allowed:
            raise UsageError(f"recipe {path}: {name}: {key!r} is no option; allowed are {', '.join(allowed)}")
    words = [f"--{key.replace('_', '-')}={value}" for key, value in options.items()]
    return Step(name, verb, options, parser.parse_args([*where, *words]))
