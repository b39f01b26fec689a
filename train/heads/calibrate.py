"""Fit the temperature and the rejection of a ranker on concepts that its training never saw.

    python -m train calibrate --encoder runs/dev/encoder.pt --heads runs/dev-heads --data ../shared/data \
        --out runs/calibration.json

The run must have withheld concepts (`train encoder --withhold`). Label lists are drawn like those that a user would
write: a few names each, half of the lists with the concept that is shown, half without it. The temperature minimises
the negative log-likelihood of the right label; the rejection is a logistic regression on the log-odds of labels against
background.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.bundle import Calibration
from edge_app.bundles.files import write_text
from edge_app.errors import UsageError
from edge_app.ranker.calibration import background_mask, log_sum_exp
from edge_app.ranker.conse import WebClasses, heard
from edge_app.ranker.fdsm import RIVALS, FdsmModel
from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import LabelTable, build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.load import MODELS
from edge_app.ranker.ranker import Ranker
from train.data.clips import Bank
from train.encoder.frozen import device_network, encode, load_encoder, web_classes
from train.encoder.training_set import load_training_clips
from train.evaluate.metrics import auroc, logistic_regression
from train.heads.systems import load_heads
from train.synthetic.augment import training_windows

NOVEL = 0.3
"""How much lower the energies of labels are made that training did not know, in standard deviations of a window's
energies over labels. Chosen on other laboratories and on the videos; on lists of one laboratory's own concepts, as
here, four times as much would be best."""
CONSE = 0.2
"""Weight of the web teacher, in the same standard deviations; chosen on real clips (train/EXPERIMENTS.md, 32)."""
ALIKE = 1.3
"""Dot product of pooled texts (2 for equal ones) above which a background text stands for a label; chosen by eye."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--heads", type=Path, required=True, help="run folder of `train head`")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lists", type=int, default=6000, help="label lists drawn")
    parser.add_argument("--seed", type=int, default=0)


def fit_temperature(energies: np.ndarray, truth: np.ndarray) -> float:
    """The temperature with the least negative log-likelihood of `truth`, on a fine grid."""
    grid = np.geomspace(0.005, 20.0, 300)
    rows = np.arange(len(truth))
    nll = [np.mean(log_sum_exp(-energies / t) + energies[rows, truth] / t) for t in grid]
    return float(grid[int(np.argmin(nll))])


def fit_logistic(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and bias of a logistic regression of bool `y` on `x`, with a small ridge."""
    slope, bias = logistic_regression(x[:, None], y, 50, on_weights=1e-3, on_bias=1e-3)
    return float(slope), float(bias)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


@dataclass(frozen=True)
class Sample:
    """Lists of labels, `[N]` in all.

    lists: int columns of the concepts, the answer first where there is one; answers: bool, whether there is.
    apart: bool, which background texts are none of the list's; withheld: bool, whether the clip's concept was.
    novel: bool `[K]`, concepts that training did not know.
    """

    lists: list[np.ndarray]
    answers: np.ndarray
    apart: list[np.ndarray]
    withheld: np.ndarray
    novel: np.ndarray


def calibrate(own: np.ndarray, other: np.ndarray, sample: Sample) -> tuple[dict[str, float], dict[str, Any]]:
    """A ranker's numbers, and how well they do. own: energies of all concepts `[N, K]`; other: of the background."""
    lists, answers, held = sample.lists, sample.answers, sample.withheld
    spared = NOVEL * float(own.std(axis=1).mean())
    own = own - spared * sample.novel
    padded = np.full((len(lists), max(map(len, lists))), 1e9)
    for i, columns in enumerate(lists):
        padded[i, : len(columns)] = own[i, columns]
    temperature = fit_temperature(padded[answers], np.zeros(int(answers.sum()), np.int64))
    odds = np.array([
        log_sum_exp(-own[i, columns][None] / temperature)[0] - log_sum_exp(-other[i, apart][None] / temperature)[0]
        for i, (columns, apart) in enumerate(zip(lists, sample.apart, strict=True))
    ])  # fmt: skip
    slope, bias = fit_logistic(odds, answers)
    right = padded.argmin(1) == 0
    report = {
        "top1_with_answer": round(float(right[answers].mean()), 4),
        "top1_with_answer_withheld": round(float(right[answers & held].mean()), 4),
        "unknown_auroc": _rounded(auroc(odds, answers)),
        "unknown_auroc_withheld": _rounded(auroc(odds[held], answers[held])),
    }
    numbers = {"temperature": temperature, "known_slope": slope, "known_bias": bias, "alike": ALIKE, "novel": spared}
    return numbers, report


def _energies(ranker: Ranker, table: LabelTable, vectors: np.ndarray) -> np.ndarray:
    """float64 `[N, K]` of a table's labels alone."""
    ranker = ranker.with_labels(table)
    count = len(table.labels)
    parts = [ranker.energies(part)[:, :count] for part in np.array_split(vectors, len(vectors) // 50 + 1)]
    return np.concatenate(parts).astype(np.float64)


def _rivals(model: FdsmModel, table: LabelTable, vectors: np.ndarray, apart: list[np.ndarray]) -> np.ndarray:
    """Of the background it matches the nearest foreign ones only; the others are infinitely far: `[N, K]`."""
    found = model.with_texts(table.pooled(), len(table.labels))
    energies = np.full((len(vectors), len(table.labels)), np.inf, np.float32)
    for i, nearest in enumerate(np.argsort(found.away(vectors), axis=1, kind="stable")):
        chosen = nearest[apart[i][nearest]][:RIVALS]
        energies[i, chosen] = found.match(vectors[i], chosen)
    return energies


def _heard(
    web: dict[str, np.ndarray], texts: np.ndarray, background: np.ndarray, sample: Sample, vectors: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """What the web teacher says of each list's labels, and of the background beside them; nothing without one."""
    if not web:
        return []
    classes, found = WebClasses(**web), []
    for columns, apart, vector in zip(sample.lists, sample.apart, vectors, strict=True):
        likeness = classes.likeness(np.concatenate([texts[columns], background[apart]]))
        found.append(tuple(np.split(heard(vector[None], likeness)[0], [len(columns)])))
    return found  # type: ignore[return-value]


def run(arguments: argparse.Namespace) -> None:
    rng = np.random.default_rng(arguments.seed)
    encoder, spec, saved = load_encoder(arguments.encoder)
    if not saved["withheld"]:
        raise UsageError(f"--encoder {arguments.encoder}: no concepts were withheld in its training; nothing to fit on")
    settings = saved["settings"]
    clips = load_training_clips(
        arguments.data,
        sets=settings.get("sets", ""),
        generated=int(settings["generated"]),
        named=0,
        seed=int(settings["motion_seed"]),
    )
    clips = [c for c in clips if c.dataset not in saved["left_out"]]
    bank = Bank(clips)
    novel = np.isin(bank.concepts, saved["withheld"])
    withheld = np.flatnonzero(novel[bank.concept])
    if not len(withheld):
        raise UsageError(
            f"--data {arguments.data}: no clip of a withheld concept ({', '.join(saved['withheld'])}) there"
        )
    seen = np.setdiff1d(np.arange(len(bank)), withheld)
    picked = np.concatenate([rng.choice(withheld, arguments.lists // 2), rng.choice(seen, arguments.lists // 2)])
    vectors = encode(device_network(encoder, spec, saved, detailed=True), training_windows(bank, picked, spec, rng))

    # One pass over all texts; lists are then columns of it.
    concepts = build_table([Label(concept) for concept in bank.concepts], TextEncoder(), 0)
    everyday = build_table([Label(action.name) for action in actions()], TextEncoder(), 0)
    told = everyday.pooled(parts=True).astype(np.float16).astype(np.float32)  # as the bundle stores it
    texts = concepts.pooled()
    background = np.ascontiguousarray(told[:, : texts.shape[1]])
    truth, size = bank.concept[picked], rng.integers(3, min(20, len(bank.concepts)), len(picked))
    lists, answers, apart = [], [], []
    for i, k in enumerate(truth):
        names = rng.choice(np.delete(np.arange(len(bank.concepts)), k), size[i], replace=False)
        present = i % 2 == 0
        lists.append(np.concatenate([[k], names]) if present else names)
        answers.append(present)
        apart.append(background_mask(texts[lists[-1]], background, ALIKE))
    sample = Sample(lists, np.array(answers), apart, np.isin(picked, withheld), novel)
    web = web_classes(saved)
    web_says = _heard(web, texts, background, sample, vectors)
    vectors = vectors[:, : vectors.shape[1] - len(web.get("texts", ()))]
    rankers, fit = {}, {}
    for kind, weights in load_heads(arguments.heads).items():
        plain = Calibration(1.0, 1.0, 0.0, same_text_threshold=-np.inf)
        model = MODELS[kind](weights)
        ranker = Ranker(kind, model, plain, told if model.parts else background)
        own = _energies(ranker, concepts, vectors)
        other = (
            _rivals(model, everyday, vectors, apart)
            if isinstance(model, FdsmModel)
            else _energies(ranker, everyday, vectors)
        )
        heeded = [] if isinstance(model, FdsmModel) else web_says  # which matches a part of the background alone
        weight = CONSE * float(own.std(axis=1).mean())
        for i, (labels, background_own) in enumerate(heeded):
            own[i, lists[i]] -= weight * labels
            other[i, apart[i]] -= weight * background_own
        numbers, fit[kind] = calibrate(own, other, sample)
        rankers[kind] = numbers | ({"conse": weight} if heeded else {})
        print(json.dumps({kind: fit[kind]}))
    how = {"lists": len(lists), "withheld": saved["withheld"], "seed": arguments.seed}
    calibration = {"rankers": rankers, "fit": fit | how}
    write_text(arguments.out, json.dumps(calibration, indent=1) + "\n")
