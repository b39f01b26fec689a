"""The papers' own heads, fitted as their authors do, on the folds of `train compare`, and what they gain by the test.

The faithful variants of `train.papers.heads` learn from one feature a clip, the mean over its windows, and name the
fold's unseen clips after every epoch of one and the same fit. "Last" is the accuracy after the last epoch, "best" the
highest of all: that epoch is chosen on the very clips that it is measured on, as the papers' codes do. Nothing is
chosen on pseudo-unseen classes, which would need a second encoder for each fold.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from train.data.clips import clip_windows
from train.data.splits import find_split
from train.data.texts import ConceptTexts
from train.encoder.frozen import encode_clips, freeze
from train.evaluate.metrics import item_means
from train.heads.loop import Samples
from train.papers.features import Features
from train.papers.heads import How, Job, fit_head, settings_of
from train.papers.protocol import zsl
from train.papers.texts import Texts
from train.studies.kept_folds import mean_over_seeds
from train.studies.trials import split_trial

SETTINGS_OF = find_split("ntu60", "sa-dvae-1")
"""The split of the papers whose settings are taken: random classes of NTU-60, whose size is nearest (INFERRED)."""
SMALLER = (("fdsm.depth", 3), ("fdsm.hidden", 96))
"""FDSM as published, 260 M parameters, is not for a CPU (docs/papers.md)."""
AFFORDED = ("sa_dvae", "fs_vae", "fdsm")
"""Without SCALE, of which one core does some three steps a second and `train.papers` wants 20,000."""
MOST = {"fs_vae": 2_500, "fdsm": 300}
"""Steps that one core does in less than a minute, unless others are asked for; SA-DVAE's ten epochs are no more."""


def clip_features(encoder: Path, data: Path) -> tuple[Features, Texts]:
    """A fold's seen classes for training and its withheld ones for the test, and what all of them are called."""
    frozen = freeze(encoder, data, rounds=0, seed=0)
    trial = split_trial(frozen.saved, data)
    asked = np.flatnonzero(trial.unseen[trial.truth])
    cut = [clip_windows(trial.clips[i], frozen.spec) for i in asked]
    windows, clip = encode_clips(frozen.encoder, frozen.spec, cut)
    seen, columns = frozen.bank.concepts, np.flatnonzero(trial.unseen)
    label = len(seen) + np.searchsorted(columns, trial.truth[asked])
    test = item_means(windows, clip).astype(np.float32)
    names = (*seen, *(trial.names[i] for i in columns))
    train = frozen.features.reshape(len(frozen.bank), -1, frozen.features.shape[1]).mean(axis=1)
    unseen = tuple(range(len(seen), len(names)))
    features = Features(unseen, train, frozen.bank.concept, test, label, test, label, None)
    return features, Texts(names, ConceptTexts(names), "our own table")


def fit_authors(kind: str, features: Features, texts: Texts, seed: int, most: int | None) -> dict[str, Any]:
    """Class-mean top-1 of unseen clips after the last epoch of a fit, and after the one that is best on these clips.

    most: of steps, else `MOST`; as many as published where these are fewer.
    """
    how = How("faithful", "authors", seed=seed, changes=SMALLER)
    given = features.train, features.train_label
    published = settings_of(kind, Job(SETTINGS_OF, Samples(*given, list(texts.names), texts.vectors), how))[1].steps
    how = dataclasses.replace(how, steps=min(published, most or MOST.get(kind, published)))
    scores = fit_head(
        kind, SETTINGS_OF, *given, texts.names, texts.vectors, how,
        score=lambda head: zsl(head, features, texts)["top1_class_mean"],
    ).scores  # fmt: skip
    return {
        "steps": how.steps, "published": published, "epochs": len(scores), "last": scores[-1], "best": max(scores),
        "best_epoch": 1 + int(np.argmax(scores)),
    }  # fmt: skip


def summarise_authors(rows: Sequence[dict[str, Any]], ours: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of each system mean over splits and spread over seeds of last, best, what the best gains, and our fit's top-1.

    ours: rows of `--fit ours`, of which those of the same splits count.
    """
    folds = {row["fold"] for row in rows}
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(row["way"] for row in rows):
        own = [row | {"gain": row["best"] - row["last"]} for row in rows if row["way"] == kind]
        found[kind] = {key: mean_over_seeds(own, key) for key in ("last", "best", "gain")}
        found[kind] |= {key: round(float(np.mean([r[key] for r in own]))) for key in ("steps", "published", "epochs")}
        found[kind]["ours"] = mean_over_seeds(
            (row for row in ours if row["way"] == kind and row["fold"] in folds), "top1"
        )
    return {"folds": len(folds), "seeds": sorted({row["seed"] for row in rows}), "systems": found}
