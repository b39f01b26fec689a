"""Everything that is measured of a bundle, by the device's own code path: window, encoder, ranker, events.

python -m train evaluate --bundle edge_app/bundles/default --data ../shared/data/utkinect.npz --json
python -m train evaluate --bundle edge_app/bundles/default --data ../shared/data --videos ../shared/videos \
    --recordings cache/poses --quiet cache/quiet --drawn cache/drawn-held --streams cache/streams \
    --folds runs/folds/folds.json --out OUT

Sets that the bundle was not trained on, labelled videos, false events on quiet footage, drawn people, the timing of
events, what a score is
worth. One set alone (`--data FILE --json`) prints one flat object; everything else one object with a key for each part.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.shipped import bundle_folder
from edge_app.camera.person import ACTIONS
from edge_app.encoder import Encoder, load_encoder
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import fold
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label, parse_labels
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import load_ranker
from edge_app.ranker.ranker import Ranker
from edge_app.types import Feature, Window
from edge_app.window.skeleton import WindowSpec
from train.data.clips import SETS, Clip, clip_windows, listed, read_set, sets_in, windows_over
from train.evaluate import report
from train.evaluate.label_lists import Item, ask, describe
from train.evaluate.metrics import mean_energies, score, shuffled_top1, split_mean
from train.evaluate.quiet import false_events, quiet_recordings
from train.evaluate.streams import load_streams
from train.evaluate.videos import (
    Segment,
    candidates,
    evaluate_events,
    evaluate_segments,
    load_segments,
    segment_windows,
)
from train.synthetic.person_clips import concept_of

DRAWN_SEEDS = 50_000_000
"""A drawn clip's seed is this and its number (`train.synthetic.draw`)."""
HELD_OUT = 100_000
"""Drawn clips from this number on are never trained on: motion, body, view, looks and light of their own."""
FEWEST_POSES = 12
"""Of a drawn clip; where MediaPipe found fewer there is nothing to name."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=bundle_folder, required=True)
    parser.add_argument("--data", type=Path, help="a skeleton set (DESIGN.md 8), or a folder: its left-out sets")
    parser.add_argument("--left-out", help="sets in the folder that the bundle was not trained on; else its manifest's")
    parser.add_argument("--videos", type=Path, help="folder with manifest.csv, for its labelled seconds")
    parser.add_argument("--recordings", type=Path, default=Path("cache/poses"), help="poses of --videos: train extract")
    parser.add_argument("--quiet", type=Path, help="more recordings in which nothing happens: train quiet")
    parser.add_argument("--drawn", type=Path, help="folder of `train draw` with clips numbered from 100,000 on")
    parser.add_argument("--streams", type=Path, help="folder of `train streams`")
    parser.add_argument("--folds", type=Path, help="folds.json of `train folds`")
    parser.add_argument("--labels", help="candidates: a label file or a comma-separated list; else the set's own names")
    parser.add_argument("--ranker", default="scale", help="scale, fdsm, sa_dvae, fs_vae, or scale+fdsm: re-ranked")
    parser.add_argument("--seen", type=Path, help="text file of the names that training saw, one a line")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of tables")
    parser.add_argument("--out", type=Path, help="folder for recognition.json and recognition.png")


@dataclass(frozen=True, slots=True)
class Model:
    """A bundle with its encoder and a ranker running."""

    bundle: Bundle
    encoder: Encoder
    ranker: Ranker

    def features(self, windows: Iterable[list[Window]], what: str) -> list[list[Feature]]:
        return [self.encoder.encode(own) for own in tqdm(list(windows), desc=what, disable=None)]


def left_out_sets(bundle: Bundle, folder: Path, named: str | None) -> list[Path]:
    """Sets in a folder that the bundle was not trained on, by its manifest, or by `named` (comma-separated).

    Raises:
        UsageError: the manifest says nothing, or contradicts `named`; or none of them is there.
    """
    settings = bundle.manifest["training_data"].get("settings", {})
    stated, only = listed(settings.get("leave_out")), listed(settings.get("sets"))
    trained = [name for name in only or SETS if name not in stated] if settings else []
    wanted = listed(named) or [name for name in sets_in(folder) if only and name not in trained] or stated
    if not wanted:
        raise UsageError(f"--data {folder}: the bundle's manifest names no set that it left out; give --left-out NAMES")
    for name in wanted:
        if name in trained:
            left = ", ".join(name for name in SETS if name not in trained) or "none"
            raise UsageError(f"--left-out {name}: the bundle was trained on it; it left out {left}")
        if not (folder / f"{name}.npz").is_file():
            raise UsageError(f"--data {folder}: no {name}.npz there, a set that the bundle left out")
    return [folder / f"{name}.npz" for name in wanted]


def evaluate_set(
    model: Model, name: str, clips: list[Clip], features: list[list[Feature]], labels: tuple[Label, ...],
    seen: set[str] | None,
) -> dict[str, Any]:  # fmt: skip
    """Accuracy over labelled clips, each clip's `name` being among the labels; and with the texts shuffled.

    Raises:
        UsageError: a clip's name is no label.
    """
    table = build_table(labels, BundleText(model.bundle), 0)
    index = {label: i for i, label in enumerate(table.names)}
    missing = {clip.name for clip in clips} - set(index)
    if missing:
        raise UsageError(f"evaluate: {sorted(missing)[0]!r} occurs in the set but not among the labels")
    energies = mean_energies(features, model.ranker, table)
    truth = np.array([index[clip.name] for clip in clips])
    result = {
        "set": name, "bundle": model.bundle.id, "ranker": model.ranker.kind, "classes": len(np.unique(truth)),
        **score(energies, truth, table.names, seen), "shuffled": shuffled_top1(energies, truth),
    }  # fmt: skip
    trained = set(model.bundle.manifest["training_data"].get("concepts", ()))
    known = {clip.name for clip in clips if clip.concept in trained}
    means = split_mean(result["per_class"], known)
    for part, inside in (("overlap", True), ("novel", False)):
        names = [label for label in result["per_class"] if (label in known) == inside]
        mean = means[inside]
        result[part] = {"classes": len(names), "top1": None if mean is None else round(mean, 4), "names": names}
    return result


def drawn_clips(folder: Path, spec: WindowSpec) -> tuple[list[str], list[list[Window]], int]:
    """Concepts and windows of the held-out drawn clips that act something, and how many were hardly seen.

    Raises:
        UsageError: a file that `train draw` did not make, or no held-out clip.
    """
    concepts, windows, hardly = [], [], 0
    for path in sorted(folder.glob("*.npz")):
        try:
            with np.load(path, allow_pickle=False) as saved:
                joints, t_s, off = saved["joints"], saved["t_s"], saved["off"]
                actions, seeds = saved["action"].tolist(), saved["seed"].tolist()
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"--drawn {path}: {error}; expected a file of `train draw`") from None
        for i, (action, seed) in enumerate(zip(actions, seeds, strict=True)):
            own = slice(off[i], off[i + 1])
            if not action or seed < DRAWN_SEEDS + HELD_OUT:
                continue
            if off[i + 1] - off[i] < FEWEST_POSES:
                hardly += 1
                continue
            t_ns = np.round(t_s[own].astype(np.float64) * 1e9).astype(np.int64)
            concepts.append(concept_of(action))
            windows.append(windows_over(t_ns, joints[own], spec))
    if not concepts:
        raise UsageError(f"--drawn {folder}: no acted clip numbered {HELD_OUT:,} or above; training may use the others")
    return concepts, windows, hardly


def evaluate_drawn(model: Model, folder: Path) -> dict[str, Any]:
    """Held-out drawn people among all the generator's concepts."""
    concepts, windows, hardly = drawn_clips(folder, model.bundle.spec)
    names = tuple(dict.fromkeys(map(concept_of, ACTIONS)))
    table = build_table([Label(name) for name in names], BundleText(model.bundle), 0)
    energies = mean_energies(model.features(windows, "drawn clips"), model.ranker, table)
    truth = np.array([names.index(concept) for concept in concepts])
    return {
        "numbered_from": HELD_OUT, "classes": len(set(concepts)), "candidates": len(names), "hardly_seen": hardly,
        **score(energies, truth, names, None), "shuffled": shuffled_top1(energies, truth),
    }  # fmt: skip


def run(arguments: argparse.Namespace) -> None:
    others = (arguments.videos, arguments.drawn, arguments.quiet, arguments.streams, arguments.folds)
    if not arguments.data and not any(others):
        raise UsageError("evaluate: nothing to do; give --data, --videos, --quiet, --drawn, --streams or --folds")
    if arguments.out:
        report.check_drawing()
    bundle = load_bundle(arguments.bundle)
    model = Model(bundle, load_encoder(bundle), load_ranker(bundle, arguments.ranker))
    whole: dict[str, Any] = {**report.about(bundle, model.encoder.provider, arguments), "ranker": arguments.ranker}
    scores: dict[str, Any] = {}
    if arguments.folds:
        whole["folds"] = report.read_folds(arguments.folds)
    if arguments.data:
        whole["sets"] = _sets(model, arguments, scores)
    if arguments.videos:
        whole["videos"] = _videos(model, arguments, scores)
    if arguments.videos or arguments.quiet:
        folders = [folder for folder in (arguments.videos and arguments.recordings, arguments.quiet) if folder]
        recordings = quiet_recordings(folders)
        if arguments.quiet and not recordings:
            raise UsageError(f"--quiet {arguments.quiet}: no quiet recording there; make them with `train quiet`")
        whole["quiet"] = false_events(bundle, model.encoder, model.ranker, recordings)
    if arguments.streams:
        streams = load_streams(arguments.streams, bundle.default_labels)
        whole["streams"] = _events(model, streams, arguments.streams)
    if arguments.drawn:
        whole["drawn"] = evaluate_drawn(model, arguments.drawn)
    if scores:
        whole["scores"] = scores
    if arguments.out:
        report.write(arguments.out, whole)
    alone = arguments.data and not any(others)
    if not arguments.json:
        print(report.tables(whole))
    elif alone and arguments.data.is_file():
        print(json.dumps(whole["sets"][0]))
    else:
        print(json.dumps(whole))


def _sets(model: Model, arguments: argparse.Namespace, scores: dict[str, Any]) -> list[dict[str, Any]]:
    folder = arguments.data.is_dir()
    if folder and arguments.labels:
        raise UsageError("--labels: goes with one set; the sets of a folder are asked for their own names")
    paths = left_out_sets(model.bundle, arguments.data, arguments.left_out) if folder else [arguments.data]
    seen = _lines(arguments.seen) if arguments.seen else None
    found = []
    for path in paths:
        clips = read_set(path)
        names = list(dict.fromkeys(clip.name for clip in clips))
        labels = parse_labels(arguments.labels) if arguments.labels else tuple(map(Label, names))
        features = model.features((clip_windows(clip, model.bundle.spec) for clip in clips), path.stem)
        found.append(evaluate_set(model, path.stem, clips, features, labels, seen))
        if folder:
            items = [Item(clip.name, own) for clip, own in zip(clips, features, strict=True)]
            scores[path.stem] = _scores(model, items, names)
    return found


def _videos(model: Model, arguments: argparse.Namespace, scores: dict[str, Any]) -> dict[str, Any]:
    segments = load_segments(arguments.videos / "manifest.csv", arguments.recordings)
    if not segments:
        raise UsageError(f"--recordings {arguments.recordings}: no labelled video's poses there; run `train extract`")
    features = model.features((segment_windows(s, model.bundle.spec) for s in segments), "segments")
    result = evaluate_segments(segments, features, model.bundle, model.ranker)
    result["events"] = {
        part: _events(model, [s for s in segments if s.derived == derived], arguments.recordings)
        for part, derived in (("videos", False), ("derived", True))
    }
    items = [Item(s.label, own) for s, own in zip(segments, features, strict=True) if not s.derived]
    if items:
        scores["videos"] = _scores(model, items, candidates(segments))
    return result


def _events(model: Model, segments: list[Segment], recordings: Path) -> dict[str, Any]:
    return evaluate_events(segments, recordings, model.bundle, model.encoder, model.ranker)


def _scores(model: Model, items: list[Item], names: list[str]) -> dict[str, Any]:
    """Lists are drawn from the items' own names, and from the bundle's default labels."""
    everything = (*(label.name for label in model.bundle.default_labels), *names)
    pool = {fold(name): name for name in everything}
    return describe(ask(items, [*pool.values()], model.bundle, model.ranker), len(items))


def _lines(path: Path) -> set[str]:
    try:
        return set(path.read_text("utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--seen {path}: {error}") from None
