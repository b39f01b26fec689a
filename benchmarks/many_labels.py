"""10,000 labels: SCALE's first pass against its exact energies, over windows of recordings.

    python -m train extract --videos VIDEOS --out POSES
    python -m benchmarks.many_labels POSES [--every 2] [--json FILE]

The labels are the entries of the shipped tables, and made-up ones: "polish a lamp slowly", "jump then read". Then
made-up ones alone, against which the background stands. Both rankers rank each window in turn, so that other work on
the machine slows both; the time is the processor's.
"""

from __future__ import annotations

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the supervisor has it

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.app.bench.environment import environment
from edge_app.bundles.bundle import load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import DEFAULT
from edge_app.camera.recording import read_recording
from edge_app.encoder import load_encoder
from edge_app.ranker.labels.actions import actions, more_actions
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import MAX_LABELS, Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import RankerConfig, load_ranker
from edge_app.ranker.ranker import Ranker
from edge_app.recognizer import FrontEnd
from edge_app.types import Feature, Poses, Ranking

VERBS = (
    "polish", "lift", "push", "pull", "carry", "throw", "catch", "roll", "fold", "open", "close", "shake", "turn",
    "hold", "wipe", "paint", "cut", "press", "stack", "drag", "kick", "balance", "fix", "wash", "measure", "point at",
    "reach for", "look at", "pick up", "put down", "hand over", "sit on", "climb", "jump over", "walk around",
)  # fmt: skip
THINGS = (
    "box", "ball", "door", "table", "window", "rope", "ladder", "chair", "lamp", "bottle", "book", "bag", "wheel",
    "hammer", "towel", "plate", "cup", "guitar", "barrow", "fence", "rock", "log", "blanket", "phone", "clock", "shoe",
    "hat", "umbrella", "bicycle", "cart", "bucket", "broom", "tray", "basket", "drum", "flag", "kite", "saw", "net",
)  # fmt: skip
HOW = ("", " slowly", " with both hands", " again and again", " on one knee", " over the head")
PERCENTILES = (1, 50, 99)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("poses", type=Path, help="folder of recordings")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th window (default 1)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    bundle = load_bundle(DEFAULT)
    features, texts = windows(arguments.poses, arguments.every), BundleText(bundle)
    lists = {}
    for name, tables in (("tables and made-up", True), ("made-up", False)):
        table = build_table(names(tables=tables), texts, 1)
        exact = load_ranker(bundle, "scale", table, RankerConfig(exact=True))
        lists[name] = against_exact(load_ranker(bundle, "scale", table), exact, features)
    result = {
        "schema": "many-labels/1", "recordings": len(list(arguments.poses.glob("*.mcap"))), "windows": len(features),
        "lists": lists, "environment": environment(),
    }  # fmt: skip
    print(json.dumps({key: value for key, value in result.items() if key != "environment"}, indent=1))
    if arguments.json:
        write_text(arguments.json, json.dumps(result, indent=1) + "\n")


def windows(folder: Path, every: int) -> list[Feature]:
    """Features of every decision's first person in all recordings."""
    bundle = load_bundle(DEFAULT)
    encoder, found = load_encoder(bundle), []
    for path in sorted(folder.glob("*.mcap")):
        front = FrontEnd(path.stem, bundle.spec)
        found += [w for item in read_recording(path) if isinstance(item, Poses) for w in front.update(item).windows]
    return encoder.encode(found[::every])


def names(*, tables: bool) -> list[Label]:
    """10,000 labels in a fixed order."""
    entries = [action.name for action in (*actions(), *more_actions())]
    random = np.random.default_rng(16)
    made = [f"{verb} a {thing}{how}" for verb, thing, how in itertools.product(VERBS, THINGS, HOW)]
    pairs = [f"{entries[i]} then {entries[j]}" for i, j in random.integers(len(entries), size=(MAX_LABELS, 2))]
    random.shuffle(made)
    mixed = itertools.chain.from_iterable(zip(made, pairs, strict=False))
    chosen = dict.fromkeys([*(entries if tables else ()), *mixed])
    return [Label(name) for name in itertools.islice(chosen, MAX_LABELS)]


def against_exact(ranker: Ranker, exact: Ranker, features: list[Feature]) -> dict[str, Any]:
    """How far the rankings of both agree, and what they take."""
    spent: list[list[float]] = []
    first, five, score, known, energy = [], [], [], [], 0.0
    for feature in features:
        (one, taken), (other, taken_exactly) = timed(ranker, feature), timed(exact, feature)
        spent.append([taken, taken_exactly])
        best, own = other.order()[:5], one.order()[:5]
        first.append(best[0] == own[0])
        five.append((best == own).all())
        score.append(one.scores[best[0]] / other.scores[best[0]])
        known.append(abs(one.known - other.known))
        if five[-1]:
            energy = max(energy, float(np.abs(one.energies[best] - other.energies[best]).max()))
    ms = np.array(spent)
    return {
        "labels": len(ranker.table.labels), "same_first": share(first), "same_first_five": share(five),
        "energy_of_first_five_differs_at_most": energy,
        "score_of_first_ratio_p1_p50_p99": [round(float(v), 3) for v in np.percentile(score, PERCENTILES)],
        "known_differs_at_most": round(float(max(known)), 4),
        "ms_p50": round(float(np.median(ms[:, 0])), 2), "exact_ms_p50": round(float(np.median(ms[:, 1])), 2),
        "ratio_p50": round(float(np.median(ms[:, 0] / ms[:, 1])), 3),
    }  # fmt: skip


def timed(ranker: Ranker, feature: Feature) -> tuple[Ranking, float]:
    begun = time.process_time_ns()
    (ranking,) = ranker.rank([feature])
    return ranking, (time.process_time_ns() - begun) / 1e6


def share(values: list[bool]) -> float:
    return round(float(np.mean(values)), 5)


if __name__ == "__main__":
    main()
