"""Few-shot study: 0, 1, 3 and 5 shots of a motion beside its words, by other people than those who are tested.

    python -m train shots --data ../shared/data --folds runs/folds4 --bundle edge_app/bundles/default --out OUT

Each set is seen by an encoder and a SCALE head of `train folds` that never trained on it. For every seed half of its
people teach and the other half is asked. "All": every label is taught. "One": a list of up to ten of the set's labels,
one of them taught; all clips of what is not on the list are strangers, which should stay unknown. Its name is the
set's, or says nothing ("my gesture"). A clip is named by the mean belief (score times `known`) of its windows, as the
event stage has it: at least `EventConfig.enter`, or what the taught label has of its own (`my gesture @ 0.6`). Windows,
ranker, prototypes and their mix are the device's own code.

The constants of the mix (`edge_app.ranker.prototypes.MIX`) are among the best of a small grid on the sets of `--fit`;
all sets are then measured with what is in the code, and those of `--fit` are marked. The report holds the whole grid.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from edge_app.app.teaching import moving_windows
from edge_app.bundles.bundle import Calibration, load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import bundle_folder
from edge_app.errors import UsageError
from edge_app.events import EventConfig
from edge_app.ranker.calibrated_stacking import CalibratedStacking
from edge_app.ranker.calibration import background_mask, calibrate_scores
from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.prototypes import MIX, Mix, mixed, placed, prototype
from edge_app.ranker.ranker import Ranker
from edge_app.ranker.scale import ScaleModel
from train.data.clips import clip_windows
from train.data.provenance import git_revision
from train.encoder.frozen import encode_clips, load_encoder
from train.evaluate.metrics import class_mean, item_means, rounded_mean
from train.evaluate.report import plus_minus
from train.heads.systems import load_heads
from train.studies.trials import lab_trial

SHOTS = (0, 1, 3, 5)
LISTED = 10
NAMELESS = "my gesture"
FIT = "utkinect,nw_ucla"
GRID = [
    Mix(word, like, round(-like * at, 2))
    for word in (0.3, 0.5, 0.7) for like in (12.0, 16.0, 20.0) for at in (0.6, 0.7, 0.8)
]  # fmt: skip
"""`at`: the cosine at which the examples say neither yes nor no."""
CHOICE_SEEDS = 2
OWN = (0.35, 0.5, 0.65, 0.8)
"""Thresholds of the taught label's own."""
REPORT = "msr_action3d,kinder_gator,penn_action"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--folds", type=Path, required=True, help="run folder of `train folds`, with sets left out")
    parser.add_argument("--bundle", type=bundle_folder, required=True, help="whose calibration is used")
    parser.add_argument("--out", type=Path, required=True, help="folder for shots.json and shots.md")
    parser.add_argument("--fit", default=FIT, help="sets that the constants are chosen on")
    parser.add_argument("--report", default=REPORT, help="sets that are reported")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)


@dataclass(frozen=True)
class Asked:
    """A set as an encoder sees it that never trained on it.

    features: float32 `[W, D]` of all windows; clip: int `[W]`; moving: bool `[W]`, windows that a shot keeps.
    words: float32 `[W, K + 1 + N]`, energies of the set's names, of `NAMELESS`, and of the whole background.
    texts: float32 `[K + 1, E]`; background: float32 `[N, E]`. truth: int `[C]`; people: str `[C]`.
    """

    name: str
    names: list[str]
    features: np.ndarray
    clip: np.ndarray
    moving: np.ndarray
    words: np.ndarray
    texts: np.ndarray
    background: np.ndarray
    truth: np.ndarray
    people: np.ndarray
    centre: np.ndarray
    calibration: Calibration

    def windows(self, clips: np.ndarray) -> np.ndarray:
        return np.flatnonzero(np.isin(self.clip, clips))


def ask(name: str, folds: Path, data: Path, calibration: Calibration, background: np.ndarray) -> Asked:
    """Raises UsageError where no fold left the set out."""
    folders = [path.parent for path in sorted(folds.glob("*/fold.json")) if name in path.parent.name.partition("-")[0]]
    if not folders:
        raise UsageError(f"--folds {folds}: none left {name} out")
    encoder, spec, saved = load_encoder(folders[0] / "encoder.pt")
    weights, trial = load_heads(folders[0])["scale"], lab_trial(name, data)
    cut = [clip_windows(clip, spec) for clip in trial.clips]
    features, clip = encode_clips(encoder, spec, cut)
    table = build_table([*map(Label, trial.names), Label(NAMELESS)], TextEncoder(), 0)
    everything = Calibration(calibration.temperature, 1.0, 0.0, np.inf, calibration.novel)
    stacking = CalibratedStacking(tuple(saved["concepts"]), calibration.novel)
    ranker = Ranker("scale", ScaleModel(weights), everything, background, [stacking], table)
    moving = [bool(w in kept) for own in cut for kept in [{id(w) for w in moving_windows(own)}] for w in map(id, own)]
    return Asked(
        name, trial.names, features, clip, np.array(moving),
        ranker.energies(features), table.pooled(), background, trial.truth,
        np.array([clip.subject for clip in trial.clips]), weights["feature_mean"], calibration,
    )  # fmt: skip


def halves(asked: Asked, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips of the people who teach, and of those who are asked."""
    people = np.random.default_rng([seed, 1]).permutation(np.unique(asked.people))
    teach = np.isin(asked.people, people[: len(people) // 2])
    return np.flatnonzero(teach), np.flatnonzero(~teach)


def shots_of(asked: Asked, teachers: np.ndarray, k: int, count: int, seed: int) -> list[np.ndarray]:
    """Features of so many clips of a label, each of another person as far as there are enough."""
    rng = np.random.default_rng([seed, 2, k])
    own = rng.permutation(teachers[asked.truth[teachers] == k])
    turn = [list(asked.people[own[:i]]).count(asked.people[clip]) for i, clip in enumerate(own)]
    chosen = own[np.argsort(turn, kind="stable")][:count]
    return [asked.features[(asked.clip == clip) & asked.moving] for clip in chosen]


def likeness(asked: Asked, shots: Sequence[np.ndarray], windows: np.ndarray) -> np.ndarray:
    """Cosine of windows with the shots' prototype: `[W]`."""
    direction = prototype(shots, asked.centre)
    return placed(asked.features[windows], asked.centre) @ direction


def listed(asked: Asked, labels: Sequence[int], windows: np.ndarray) -> np.ndarray:
    """Energies of a list's labels and of the background that is foreign to it."""
    labels = list(labels)
    others = np.flatnonzero(
        background_mask(asked.texts[labels], asked.background, asked.calibration.same_text_threshold)
    )
    return asked.words[np.ix_(windows, np.concatenate([labels, others + len(asked.texts)]))]


def beliefs(energies: np.ndarray, labels: int, clips: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Mean over each clip's windows of score times `known`, of `calibrate_scores`: `[C, K]`, clips in order."""
    scores, known = calibrate_scores(energies[:, :labels], energies[:, labels:], calibration)
    scores = scores * known[:, None]
    return item_means(scores, clips)


def all_taught(asked: Asked, seed: int) -> dict[int, float]:
    """Class-mean top-1 of the asked people's clips among the set's names, by how many shots each label has."""
    teachers, others = halves(asked, seed)
    windows, k = asked.windows(others), len(asked.names)
    energies = listed(asked, range(k), windows)
    found = {}
    for count in SHOTS:
        taught = {i: s for i in range(k) if count and (s := shots_of(asked, teachers, i, count, seed))}
        own = energies
        if taught:
            cosine = np.stack([likeness(asked, shots, windows) for shots in taught.values()], axis=1)
            own = mixed(energies, cosine, list(taught), asked.calibration.temperature)
        means = item_means(own[:, :k], asked.clip[windows])
        found[count] = class_mean(means.argmin(axis=1) == asked.truth[others], asked.truth[others])
    return found


def lists(asked: Asked, seed: int) -> Iterator[tuple[int, list[int]]]:
    """Each label in turn, and the others of its list."""
    for k in range(len(asked.names)):
        rest = [i for i in range(len(asked.names)) if i != k]
        rng = np.random.default_rng([seed, 3, k])
        yield k, rng.choice(rest, min(LISTED - 1, len(rest) // 2), replace=False).tolist()


def one_taught(
    asked: Asked,
    seed: int,
    nameless: bool,
    counts: Sequence[int] = SHOTS,
    mix: Mix = MIX,
    own_enter: float | None = None,
) -> dict[int, dict[str, float]]:
    """Mean over labels, each taught alone on a list. Shares of clips, by how many shots.

    own_enter: the taught label's own threshold.
    found: of the taught label's clips. stolen: of other listed labels' clips that are given to it. alarms: of the
    strangers' that are given to it. others: of the other listed labels' clips that are named rightly.
    """
    teachers, tested = halves(asked, seed)
    rows: dict[int, list[list[float]]] = {count: [] for count in counts}
    for k, rest in lists(asked, seed):
        labels = [len(asked.names) if nameless else k, *rest]
        windows = asked.windows(tested)
        clips, energies = asked.clip[windows], listed(asked, labels, windows)
        truth = asked.truth[tested]
        if not (truth == k).any():
            continue
        for count in counts:
            shots = shots_of(asked, teachers, k, count, seed) if count else []
            if count and not shots:
                continue
            own = energies
            if shots:
                cosine = likeness(asked, shots, windows)[:, None]
                own = mixed(energies, cosine, [0], asked.calibration.temperature, mix)
            belief = beliefs(own, len(labels), clips, asked.calibration)
            enter = np.full(len(labels), EventConfig().enter)
            enter[0] = enter[0] if own_enter is None else own_enter
            best = belief.argmax(axis=1)
            said = np.where(belief.max(axis=1) >= enter[best], best, -1)
            here, known = truth == k, np.isin(truth, rest)
            place = np.array([rest.index(t) + 1 if t in rest else -2 for t in truth])
            strangers = ~here & ~known
            taught = said == 0
            rows[count].append([
                hits[where].mean() if where.any() else np.nan
                for hits, where in ((taught, here), (taught, known), (taught, strangers), (said == place, known))
            ])  # fmt: skip
    keys = ("found", "stolen", "alarms", "others")
    return {count: dict(zip(keys, np.nanmean(found, axis=0).tolist(), strict=True)) for count, found in rows.items()}


def choose(sets: Sequence[Asked]) -> list[dict[str, Any]]:
    """Each mix of `GRID` with its `found - 2 (stolen + alarms)`, best first.

    Mean over sets, 1, 3 and 5 shots, `CHOICE_SEEDS` seeds, and both kinds of name.
    """
    rows = []
    for mix in tqdm(GRID, desc="mix", disable=None):
        tried = [
            one_taught(asked, seed, nameless, SHOTS[1:], mix)
            for asked in sets for seed in range(CHOICE_SEEDS) for nameless in (False, True)
        ]  # fmt: skip
        worth = {
            n: float(np.mean([t[n]["found"] - 2 * (t[n]["stolen"] + t[n]["alarms"]) for t in tried])) for n in SHOTS[1:]
        }
        rows.append({**mix._asdict(), "worth": round(float(np.mean(list(worth.values()))), 4),
                     "by_shots": {str(n): round(w, 4) for n, w in worth.items()}})  # fmt: skip
    return sorted(rows, key=lambda row: -row["worth"])


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    bundle = load_bundle(arguments.bundle)
    calibration = Calibration.read(bundle.calibration["rankers"]["scale"])
    background = build_table([Label(action.name) for action in actions()], TextEncoder(), 0).pooled()
    sets = {}
    for name in [*arguments.fit.split(","), *arguments.report.split(",")]:
        sets[name] = ask(name, arguments.folds, arguments.data, calibration, background)
        print(name, len(sets[name].truth), "clips,", len(sets[name].clip), "windows", flush=True)
    chosen = choose([sets[name] for name in arguments.fit.split(",")])
    print("best:", chosen[:3], "in the code:", MIX, flush=True)
    rows = {}
    for name, asked in sets.items():
        rows[name] = {"labels": len(asked.names), "clips": len(asked.truth), **measure(asked, arguments.seeds)}
        print(name, json.dumps(rows[name]), flush=True)
    report = {
        "schema": "shots/1", "git": git_revision(), "seeds": arguments.seeds, "calibration": bundle.id,
        "chosen_on": arguments.fit.split(","), "grid": chosen, "used": MIX._asdict(), "sets": rows,
    }  # fmt: skip
    write_text(arguments.out / "shots.json", json.dumps(report, indent=1) + "\n")
    write_text(arguments.out / "shots.md", markdown(report))


def measure(asked: Asked, seeds: int) -> dict[str, Any]:
    """Mean and deviation over seeds of every figure, by way and number of shots."""
    every = [all_taught(asked, seed) for seed in range(seeds)]
    found: dict[str, Any] = {"all": {str(n): {"top1": rounded_mean([one[n] for one in every], 3)} for n in SHOTS}}
    for way, nameless in (("one", False), ("nameless", True)):
        ones = [one_taught(asked, seed, nameless) for seed in range(seeds)]
        found[way] = {str(n): _over_seeds([one[n] for one in ones]) for n in SHOTS}
    found["own"] = {
        f"{at:g}": _over_seeds([one_taught(asked, seed, False, (3,), own_enter=at)[3] for seed in range(seeds)])
        for at in OWN
    }
    return found


def _over_seeds(ones: Sequence[dict[str, float]]) -> dict[str, list[float | None]]:
    return {key: rounded_mean([one[key] for one in ones], 3) for key in ones[0]}


def markdown(report: dict[str, Any]) -> str:
    """The tables."""
    lines = [
        "# Shots beside words", "",
        f"`python -m train shots`, {report['seeds']} seeds, mean ± deviation; shots of other people than those asked. "
        f"Constants chosen on {' and '.join(report['chosen_on'])}; the other sets chose nothing.", "",
        "All labels taught: class-mean top-1.", "",
        "| set (labels) | " + " | ".join("words only" if n == 0 else f"{n} shot{'s' * (n > 1)}" for n in SHOTS) + " |",
        "|---|" + "---|" * len(SHOTS),
    ]  # fmt: skip
    for name, row in report["sets"].items():
        cells = [plus_minus(row["all"][str(n)]["top1"]) for n in SHOTS]
        lines.append(f"| {_named(name, report)} ({row['labels']}) | {' | '.join(cells)} |")
    for way, title in (("one", "its own name"), ("nameless", f'the name "{NAMELESS}", which says nothing')):
        lines += [
            "", f"One label taught, under {title}, on a list of up to {LISTED} words; shares of clips.", "",
            "| set | shots | found | stolen from listed words | strangers taken for it | listed words still right |",
            "|---|---|---|---|---|---|",
        ]  # fmt: skip
        for name, row in report["sets"].items():
            for n in SHOTS:
                cells = [plus_minus(row[way][str(n)][key]) for key in ("found", "stolen", "alarms", "others")]
                lines.append(f"| {_named(name, report)} | {n} | {' | '.join(cells)} |")
    lines += [
        "", "One label taught by 3 shots under its own name, with a threshold of its own (`my gesture @ 0.5`).", "",
        "| set | threshold | found | stolen from listed words | strangers taken for it | listed words still right |",
        "|---|---|---|---|---|---|",
    ]  # fmt: skip
    for name, row in report["sets"].items():
        for at, figures in row["own"].items():
            cells = [plus_minus(figures[key]) for key in ("found", "stolen", "alarms", "others")]
            lines.append(f"| {_named(name, report)} | {at} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _named(name: str, report: dict[str, Any]) -> str:
    return f"{name} (constants chosen here)" if name in report["chosen_on"] else name
