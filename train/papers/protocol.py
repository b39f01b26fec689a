"""ZSL and GZSL of one system on one split (METHODS.md 0.1, 2.11, 5.4, 5.5)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from edge_app.errors import UsageError
from train.data.splits import Split
from train.evaluate.metrics import class_mean, places
from train.models.baselines import BASELINES
from train.papers.features import Features
from train.papers.gzsl import HELD_OUT, MENDED, Gate, Scores, energy_gate, plain, stacking, synse_gate
from train.papers.heads import Fitted, Head, How, fit_head, ranker
from train.papers.texts import Texts

NORMALISED_BY = 2000
"""Training clips, at most, that energies are normalized by (METHODS.md 2.11)."""


def measure(
    system: str, split: Split, main: Features, pseudo: Features | None, texts: Texts, how: How, steps: list[int | None],
    gate: Gate = MENDED,
) -> dict[str, Any]:  # fmt: skip
    """Figures of one system on one split.

    Where a head can also be asked with rich texts, "rich" has the figures of that.

    Args:
        pseudo: features by an encoder without the pseudo-unseen classes; None leaves GZSL's rules out.
        steps: of them, those that do best on pseudo-unseen classes are taken, or on the test with `select_on_test`; and
            so is the best epoch, if `how` wants it.

    Raises:
        UsageError: something is to be chosen on pseudo-unseen classes, and there are none.
    """

    texts = texts.of(system, how)

    def fit(features: Features, count: int | None, **keep: Any) -> Fitted:
        own = dataclasses.replace(how, steps=count)
        if how.checkpoint is not None:
            part = "main" if features is main else "pseudo"
            name = f"{how.checkpoint.name}-{part}-{count}{'-kept' if keep else ''}.pt"
            own = dataclasses.replace(own, checkpoint=how.checkpoint.with_name(name))
        given = features.train, features.train_label
        return fit_head(system, split, *given, texts.names, texts.vectors, own, **keep)

    trained = system not in BASELINES
    candidates = steps if trained else [None]
    best, judged = candidates[0], main if how.select_on_test else pseudo
    by_epoch = trained and how.epoch == "best"
    if len(candidates) > 1 or by_epoch:
        if judged is None:
            what = "--epoch best" if by_epoch else "--steps: several found"
            raise UsageError(f"{what}, but no pseudo-unseen classes to choose by; one fixed choice expected")
        assert judged is not None
    if len(candidates) > 1 and judged is not None:
        best = max(candidates, key=lambda count: zsl(fit(judged, count).head, judged, texts)["top1"])
    chooser = None
    if by_epoch and judged is not None:
        chosen = fit(judged, best, score=lambda head: zsl(head, judged, texts)["top1"])
        fitted = chosen if judged is main else fit(main, best, wanted=chosen.period)
        if pseudo is not None:
            chooser = chosen if judged is pseudo else fit(pseudo, best, wanted=chosen.period)
    else:
        chosen = fitted = fit(main, best)
        chooser = None if pseudo is None else fit(pseudo, best)
    row: dict[str, Any] = {"system": system, "split": split.name, "seed": how.seed, "steps": best}
    row |= {"period": fitted.period, "period_scores": list(chosen.scores), "chance": round(1 / len(main.unseen), 4)}
    row |= {"clips": {"train": len(main.train), "ztest": len(main.ztest), "gtest": len(main.gtest)}}
    if system == "sa_dvae" and gate.kind == "released":
        gate = dataclasses.replace(gate, share=6, most=300)
    temperature = 1.0 if how.variant == "faithful" and system in ("sa_dvae", "fs_vae") else 0.1

    def figures(of: Callable[[Fitted], Head | None]) -> dict[str, Any]:
        head, other = of(fitted), None if chooser is None else of(chooser)
        assert head is not None
        validation = None if pseudo is None or other is None else (other, pseudo)
        by_rule = gzsl(head, main, validation, texts, split, temperature, how.select_on_test, gate)
        return {"zsl": zsl(head, main, texts), "gzsl": by_rule}

    row |= figures(lambda one: one.head)
    return row if fitted.rich is None else row | {"rich": figures(lambda one: one.rich)}


def zsl(head: Head, features: Features, texts: Texts) -> dict[str, float]:
    """Top-1 of unseen clips among unseen classes: over clips, as the papers' (METHODS.md 5.5), and over classes."""
    unseen = np.array(features.unseen)
    own = np.searchsorted(unseen, features.z_label)
    hits = places(ranker(head, texts.pooled(unseen))(features.ztest), own) == 0
    return {"top1": round(float(hits.mean()), 4), "top1_class_mean": round(class_mean(hits, own), 4)}


def gzsl(
    head: Head, main: Features, validation: tuple[Head, Features] | None, texts: Texts, split: Split,
    temperature: float, select_on_test: bool, gate: Gate = MENDED,
) -> list[dict[str, Any]]:  # fmt: skip
    """Every rule that what is at hand allows; accuracies over clips."""
    if set(main.g_label.tolist()) <= set(main.unseen):
        return []
    test, normal, gated = scores(head, main, texts, np.arange(len(texts.names)))
    found = [plain(test, "sample")]
    held = None if validation is None else scores(*validation, texts, np.array(split.seen))
    if held is not None or select_on_test:
        seen_only = None if held is None else held[1]
        found.append(stacking(normal, seen_only, average="sample", select_on_test=select_on_test))
    if held is not None and min(held[0].of_unseen.sum(), (~held[0].of_unseen).sum()) >= HELD_OUT:
        found.append(energy_gate(normal, held[1], average="sample", select_on_test=select_on_test))
        counts = [int(part.unseen.sum()) for part in (test, held[0])]
        fits = counts[0] == counts[1] <= min(int((~part.unseen).sum()) for part in (test, held[0]))
        if fits and gated.logits is not None and held[2].logits is not None:
            how: dict[str, Any] = {"average": "sample", "select_on_test": select_on_test, "gate": gate}
            found.append(synse_gate(gated, held[2], energy_temperature=temperature, **how))
    return [dataclasses.asdict(rule) for rule in found]


def scores(head: Head, features: Features, texts: Texts, classes: np.ndarray) -> tuple[Scores, Scores, Scores]:
    """Of the generalised test among `classes`: as they come; normalized (2.11); with unseen ones ranked alone (5.4)."""
    text, unseen = texts.pooled(classes), np.isin(classes, features.unseen)
    logits = None if features.logits is None else features.logits[:, classes]
    among_all = ranker(head, text)
    found = Scores(
        among_all(features.gtest), np.searchsorted(classes, features.g_label), unseen, logits, features.logits
    )
    some = np.random.default_rng(0).permutation(len(features.train))[:NORMALISED_BY]
    of_train = among_all(features.train[some])
    normal = found.normalized(of_train.mean(axis=0), of_train.std(axis=0) + 1e-9)
    alone = found.energies.copy()
    alone[:, unseen] = ranker(head, text[unseen])(features.gtest)
    return found, normal, dataclasses.replace(found, energies=alone)
