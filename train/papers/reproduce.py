"""The papers' zero-shot tables on NTU RGB+D or PKU-MMD, ours beside theirs, from the raw data set in one command.

    python -m train reproduce --table ntu60 --root nturgb+d_skeletons --out runs/ntu60
    python -m train reproduce --table ntu60 --features sk_feats --splits synse-55-5 --out runs/features

For each split: an encoder, and one that has not seen the pseudo-unseen classes either; features of both; for each
system and seed a head on each, ZSL, and GZSL by the rules of `train.papers.gzsl`. Whatever is chosen (steps, gates,
constants) is chosen on pseudo-unseen classes; `--select-on-test` chooses on the test as the papers do, and every table
says so.

What is done is not done again. Encoders by several GPUs: first run `torchrun … -m train supervised` with the same
options and `--out OUT/encoders/SPLIT-ENCODER` (with `--pseudo`, SPLIT-ENCODER-pseudo); this goes on from there.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
from datetime import datetime, timezone
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import yaml

from edge_app.bundles.files import write_text
from edge_app.errors import UsageError
from train.data import prepare
from train.data.prepared import PLAN, read_prepared
from train.data.preprocess import Clips, load_clips
from train.data.provenance import git_revision
from train.data.splits import CLASSES, Split, all_splits, find_split
from train.heads.loop import DTYPES
from train.models.baselines import BASELINES
from train.papers import encoder as supervised
from train.papers.features import Features, read_features, write_features
from train.papers.gzsl import Gate
from train.papers.heads import NAMES, SETTINGS, VARIANTS, How
from train.papers.protocol import measure
from train.papers.published import all_published
from train.papers.released import find_released, folder_name
from train.papers.report import TEST_CLIPS, report_text
from train.papers.texts import read_targets, read_texts

ENCODERS = {"smie": "st-gcn-narrow", "sa-dvae": "st-gcn"}
"""Of the papers of these splits; all others Shift-GCN (METHODS.md 0.1). SA-DVAE's is mmaction2's own ST-GCN."""
PASSED_ON = ("frames", "epochs", "batch", "precision", "device", "workers", "threads")
"""Options for `train supervised`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--table", choices=CLASSES, required=True)
    parser.add_argument("--root", type=Path, help="the raw data set, or a folder of `train prepare`")
    parser.add_argument("--features", type=Path, help="instead: folders of features as SynSE publishes them")
    parser.add_argument("--out", type=Path, required=True, help="folder to write or to go on with")
    parser.add_argument("--missing", type=Path, help="ntu, raw: the authors' list of clips with missing skeletons")
    parser.add_argument("--systems", default=",".join(NAMES), help="comma-separated; all by default")
    parser.add_argument("--splits", help="comma-separated; all that the papers have figures for by default")
    parser.add_argument("--seeds", default="0,1,2", help="of the heads; the encoder has one")
    parser.add_argument("--variant", choices=VARIANTS, default="faithful", help="the papers' settings, or our own")
    parser.add_argument("--fit", choices=("ours", "authors"), default="ours", help="optimisers, schedules and sampling")
    parser.add_argument(
        "--epoch", choices=("last", "best"), default="last", help="of the heads; the papers keep the best"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SYSTEM.FIELD=VALUE",
        help="a setting, such as fdsm.depth=4",
    )
    parser.add_argument("--head-precision", choices=DTYPES, default="fp32", help="what the heads' networks compute in")
    parser.add_argument("--steps", help="of the heads; of several, comma-separated, one is chosen; else the paper's")
    parser.add_argument("--select-on-test", action="store_true", help="choose on the test classes, as the papers do")
    parser.add_argument(
        "--gate", choices=("mended", "released", "fixed"), default="mended",
        help="GZSL's: temperature and threshold searched, searched with the released code's slip, or as given",
    )  # fmt: skip
    parser.add_argument("--gate-temperature", type=float, default=2.0, help="of --gate fixed; FS-VAE's by default")
    parser.add_argument("--gate-threshold", type=float, default=0.5, help="of --gate fixed; FS-VAE's by default")
    parser.add_argument("--zsl-only", action="store_true", help="no second encoder, no GZSL")
    parser.add_argument(
        "--texts",
        type=Path,
        help="one line a class, or a .csv with a column label, for MiniLM; else our table",
    )
    parser.add_argument(
        "--text-features", type=Path, help="npy `[K, E]` by another text encoder, or `[K, rows, E]`, tokens and pooled"
    )
    parser.add_argument(
        "--rich-texts", type=Path, help="beside --texts, FDSM's second text, such as the authors' _llm.txt"
    )
    parser.add_argument("--rich-features", type=Path, help="beside --text-features, FDSM's second text")
    parser.add_argument("--gate-targets", type=Path, help="FDSM's distilled gate: a number from 0 to 1 for each class")
    parser.add_argument("--encoder", choices=supervised.RECIPES, help="else the one that a split's papers use")
    parser.add_argument(
        "--skeletons",
        choices=("authors", "mended"),
        help="bodies and empty frames as the papers' codes take them, or ours",
    )
    parser.add_argument("--adjacency", choices=("distances", "released"), help="of ST-GCN, as in `train supervised`")
    parser.add_argument("--frames", type=int, help="as in `train supervised`, and so on:")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--precision", choices=supervised.DTYPES, default="fp32")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--threads", type=int)


@lru_cache(maxsize=1)
def clips_of(prepared: Path) -> Clips:
    """The last prepared set that was asked for stays in memory."""
    return load_clips(prepared)


def prepared_for(arguments: argparse.Namespace, encoder: str) -> Path:
    """The prepared set that an encoder reads; made of a raw data set, with the people that its paper's code chooses.

    Raises:
        UsageError: a prepared set of another data set.
    """
    folder: Path = arguments.root
    if not (folder / PLAN).is_file():
        bodies = "mended" if arguments.skeletons == "mended" else encoder.removesuffix("-narrow")
        words: list[Any] = ["--dataset", arguments.table, "--root", arguments.root]
        if arguments.table.startswith("ntu"):
            words += ["--bodies", bodies, *(["--missing", arguments.missing] if arguments.missing else [])]
        folder = arguments.out / ("prepared" + f"-{bodies}" * arguments.table.startswith("ntu"))
        call(prepare, [*words, "--out", folder])
    dataset = next(read_prepared(folder)).dataset
    if dataset != arguments.table:
        raise UsageError(f"--root {arguments.root}: {dataset} found, {arguments.table} expected")
    return folder


def split_features(arguments: argparse.Namespace, split: Split, prepared: Path | None,
                   pseudo: bool) -> Features | None:  # fmt: skip
    """Features of a split: those that are there, else made, with the encoder first. None: published without these."""
    if prepared is None:
        folder = find_released(arguments.features, split, pseudo)
        if folder is None and not pseudo:
            wanted = f"{folder_name(split, False)} or {split.name}/{folder_name(split, False)}"
            raise UsageError(f"--features {arguments.features}: no folder of {split.name}; {wanted} expected")
        return None if folder is None else read_features(folder, split, pseudo)
    name = f"{split.name}-{encoder_of(arguments, split)}"
    folder = arguments.out / "features" / name / folder_name(split, pseudo)
    if not folder.is_dir():
        run_folder = arguments.out / "encoders" / (name + "-pseudo" * pseudo)
        if not (run_folder / "encoder.pt").is_file():
            words = ["--prepared", prepared, "--split", split.name, "--out", run_folder, "--resume"]
            words += ["--encoder", encoder_of(arguments, split), *(["--pseudo"] if pseudo else [])]
            for key in PASSED_ON:
                words += [f"--{key}", getattr(arguments, key)] if getattr(arguments, key) is not None else []
            if arguments.skeletons:
                words += ["--skeletons", arguments.skeletons]
            if arguments.adjacency and encoder_of(arguments, split) != "shift-gcn":
                words += ["--adjacency", arguments.adjacency]
            call(supervised, words)
        device = supervised.pick_device(arguments.device)
        write_features(
            folder,
            clips_of(prepared),
            split,
            pseudo,
            run_folder / "encoder.pt",
            device=device,
            workers=arguments.workers,
        )
    return read_features(folder, split, pseudo)


def call(verb: Any, words: list[Any]) -> None:
    """Another verb of `train`, in this process."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    verb.run(parser.parse_args([str(word) for word in words]))


def encoder_of(arguments: argparse.Namespace, split: Split) -> str:
    return arguments.encoder or ENCODERS.get(split.name.rpartition("-")[0], "shift-gcn")


def check_same(path: Path, settings: dict[str, Any]) -> None:
    """Writes what encoders and features depend on, or raises UsageError where the folder was begun with other ones."""
    if path.is_file():
        before = json.loads(path.read_text("utf-8"))
        for key, value in settings.items():
            if before.get(key) != value:
                raise UsageError(f"--out {path.parent}: begun with {key} {before.get(key)}, {value} asked for")
    write_text(path, json.dumps(settings, indent=1) + "\n")


def read_changes(words: list[str]) -> tuple[tuple[str, Any], ...]:
    """Of `--set`: SYSTEM.FIELD and a value, in order. Raises UsageError for anything else."""
    found = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or name.partition(".")[0] not in SETTINGS or not name.partition(".")[2]:
            raise UsageError(f"--set {word}: SYSTEM.FIELD=VALUE expected, SYSTEM one of {', '.join(SETTINGS)}")
        found[name] = yaml.safe_load(value)
    return tuple(sorted(found.items()))


def run(arguments: argparse.Namespace) -> None:
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if (arguments.root is None) == (arguments.features is None):
        raise UsageError("--root or --features: one of them expected")
    systems = [name for name in arguments.systems.split(",") if name]
    if unknown := set(systems) - set(NAMES):
        raise UsageError(f"--systems: {sorted(unknown)} not known; allowed are {', '.join(NAMES)}")
    try:
        seeds = [int(seed) for seed in arguments.seeds.split(",")]
        steps = [int(count) for count in arguments.steps.split(",")] if arguments.steps else [None]
    except ValueError as error:
        raise UsageError(f"--seeds and --steps: {error}; numbers with commas between expected") from None
    if any(count is not None and count <= 10 for count in steps):
        raise UsageError(f"--steps {arguments.steps}: more than 10 expected")
    changes = read_changes(arguments.set)
    names = arguments.splits.split(",") if arguments.splits else published_splits(arguments.table)
    splits = [find_split(arguments.table, name) for name in names]
    texts = read_texts(
        arguments.table, arguments.texts, arguments.text_features, arguments.rich_texts, arguments.rich_features
    )
    targets = read_targets(arguments.table, arguments.gate_targets)

    prepared: dict[Split, Path] = {}
    if arguments.root is not None:
        of_encoder = {
            name: prepared_for(arguments, name) for name in {encoder_of(arguments, split) for split in splits}
        }
        prepared = {split: of_encoder[encoder_of(arguments, split)] for split in splits}
    plans = [json.loads((folder / PLAN).read_text("utf-8")) for folder in sorted(set(prepared.values()))]
    fixed = {
        key: getattr(arguments, key)
        for key in ("table", "frames", "epochs", "batch", "precision", "adjacency", "skeletons")
    }
    made_from = str(arguments.features) if arguments.root is None else plans
    check_same(arguments.out / "settings.json", fixed | {"made_from": made_from})

    device = str(supervised.pick_device(arguments.device))
    settings = How(
        arguments.variant, arguments.fit, arguments.epoch, select_on_test=arguments.select_on_test, device=device,
        precision=arguments.head_precision, changes=changes, targets=targets,
    )  # fmt: skip
    how = {
        key: getattr(settings, key)
        for key in ("variant", "fit", "epoch", "select_on_test", "precision", "changes", "targets")
    }
    how |= {"steps": steps}
    gate = Gate(arguments.gate, arguments.gate_temperature, arguments.gate_threshold)
    kept = how | {"gate": dataclasses.asdict(gate), "texts": texts.said, "zsl_only": arguments.zsl_only}
    rows = []
    for split in splits:
        encoder = encoder_of(arguments, split) if prepared else "as published"
        digest = hashlib.sha256(json.dumps(kept | {"encoder": encoder}).encode()).hexdigest()[:8]
        paths = {(s, seed): arguments.out / f"results/{split.name}-{s}-{seed}-{digest}.json"
                 for s in systems for seed in ([0] if s in BASELINES else seeds)}  # fmt: skip
        if not all(path.is_file() for path in paths.values()):
            main = split_features(arguments, split, prepared.get(split), False)
            pseudo = None if arguments.zsl_only else split_features(arguments, split, prepared.get(split), True)
            if pseudo is None:
                print(
                    f"train reproduce: {split.name} without pseudo-unseen classes: no rules for GZSL", file=sys.stderr
                )
            for (system, seed), path in paths.items():
                if not path.is_file():
                    unfinished = arguments.out / "unfinished" / path.stem
                    own = dataclasses.replace(settings, seed=seed, checkpoint=unfinished)
                    row = measure(system, split, main, pseudo, texts, own, steps, gate)  # type: ignore[arg-type]
                    write_text(path, json.dumps(row | {"encoder": encoder}, indent=1) + "\n")
                    for done in unfinished.parent.glob(f"{unfinished.name}-*"):
                        done.unlink()
                    print(split.name, system, f"seed {seed}", row["zsl"], flush=True)
        rows += [json.loads(path.read_text("utf-8")) for path in paths.values()]
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    report = {
        "schema": "reproduce/1", "git": git_revision(), "date": date,
        "table": arguments.table, "data": str(arguments.root or arguments.features), "features": not prepared,
        "prepared": arguments.root is not None and (arguments.root / PLAN).is_file(),
        "text_rows": None if texts.rows is None else [texts.rows.count, texts.rows.pair],
        "encoder_options": fixed, "test_clips_expected": TEST_CLIPS[arguments.table], **kept, "rows": rows,
    }  # fmt: skip
    write_text(arguments.out / "reproduce.json", json.dumps(report, indent=1) + "\n")
    write_text(arguments.out / "reproduce.md", report_text(report))
    print(report_text(report))


def published_splits(dataset: str) -> list[str]:
    """Splits that the papers have figures for, each of a benchmark's three among them."""
    known = {cell.split for cell in all_published() if cell.dataset == dataset}
    return [
        split.name
        for split in all_splits()
        if split.dataset == dataset and (split.name in known or split.name.rpartition("-")[0] in known)
    ]
