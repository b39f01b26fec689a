"""Features of a split's clips in the folder layout of SynSE, which SA-DVAE, FS-VAE and TDSM read too (METHODS.md 0.2).

    for each split          shift_ntu60_5_r/      train, train_label, ztest, z_label, gtest, g_label, gtest_out
    for gates and choices   shift_ntu60_val_5_r/  train, train_label, ztest, z_label, ztest_out, val, val_label, val_out

All are .npy files: features `[N, D]`, labels int `[N]` from 0 over all classes, and the encoder's own logits `[N, C]`.
The second folder's encoder has not seen the pseudo-unseen classes either; its ztest is of these, its val of the others.
Folders that others published can be read as they are, and other layouts too: `train.papers.released`. The labels' names
in the second folder are INFERRED.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from edge_app.errors import UsageError
from train.data.preprocess import Clips
from train.data.splits import CLASSES, Split, pseudo_unseen
from train.papers.encoder import Reader, extract, held_groups, recipe_of, training_rows
from train.papers.released import LABELS, read_arrays

FILES = ("train", "train_label", "ztest", "z_label", "gtest", "g_label", "gtest_out")
PSEUDO_FILES = ("train", "train_label", "ztest", "z_label", "ztest_out", "val", "val_label", "val_out")


@dataclass(frozen=True)
class Features:
    """What a head learns from, and what it is measured on.

    unseen: classes of which `train` has no clip: the split's, or the pseudo-unseen ones. train: `[N, D]`, seen classes.
    ztest: `[Z, D]`, unseen classes. gtest: `[G, D]`, both; with unseen ones alone there is no GZSL. logits: `[G, C]` of
    gtest by the encoder, None where the folder has none. Labels are int, over all C classes.
    """

    unseen: tuple[int, ...]
    train: np.ndarray
    train_label: np.ndarray
    ztest: np.ndarray
    z_label: np.ndarray
    gtest: np.ndarray
    g_label: np.ndarray
    logits: np.ndarray | None


def read_features(folder: Path, split: Split, pseudo: bool) -> Features:
    """Features of a split, of either folder.

    Raises:
        UsageError: a file is missing or does not fit the others, or labels that are not this split's.
    """
    arrays = read_arrays(folder, PSEUDO_FILES if pseudo else FILES)
    for name in ("train", "ztest", "val" if pseudo else "gtest"):
        own = LABELS[name]
        arrays[own] = arrays[own].astype(np.int64).reshape(-1)
        if arrays[name].ndim != 2 or len(arrays[name]) != len(arrays[own]) or not len(arrays[own]):
            found = f"{name} of shape {arrays[name].shape} with {len(arrays[own])} labels"
            raise UsageError(f"features {folder}: {found} found, as many rows as labels expected")
        arrays[name] = arrays[name].astype(np.float32)
    shown, novel = (frozenset(arrays[name].tolist()) for name in ("train_label", "z_label"))
    unseen = _pseudo_unseen(split, shown, novel) if pseudo else split.unseen
    wrong = novel - set(unseen) | shown & set(unseen) | shown & set(split.unseen)
    if wrong:
        raise UsageError(f"features {folder}: labels {sorted(wrong)[:5]} do not belong to split {split.name}")
    if not pseudo:
        given = (arrays["gtest"], arrays["g_label"], arrays.get("gtest_out"))
    else:
        outs = [arrays[name] for name in ("val_out", "ztest_out") if name in arrays]
        given = (
            np.concatenate([arrays["val"], arrays["ztest"]]), np.concatenate([arrays["val_label"], arrays["z_label"]]),
            np.concatenate(outs) if len(outs) == 2 else None,
        )  # fmt: skip
    features, label, logits = given
    if logits is not None:
        logits = _for_all_classes(logits, len(label), shown, CLASSES[split.dataset], folder)
    return Features(
        unseen, arrays["train"], arrays["train_label"], arrays["ztest"], arrays["z_label"], features, label, logits
    )


def _pseudo_unseen(split: Split, shown: frozenset[int], novel: frozenset[int]) -> tuple[int, ...]:
    """Our own, or the published ones; where the folder's training has some of these, those that its ztest has."""
    own = pseudo_unseen(split)
    fits = not shown & set(own) and novel <= set(own)
    return own if fits or novel & {*shown, *split.unseen} else tuple(sorted(novel))


def _for_all_classes(logits: np.ndarray, clips: int, shown: frozenset[int], classes: int, folder: Path) -> np.ndarray:
    """Logits `[N, C]`; those of an encoder with outputs for its training's classes alone are minus infinity elsewhere.

    Raises:
        UsageError: of neither width, or of another number of clips.
    """
    if logits.shape == (clips, classes):
        return logits
    if logits.shape == (clips, len(shown)):
        whole = np.full((clips, classes), -np.inf, np.float32)
        whole[:, sorted(shown)] = logits
        return whole
    allowed = f"{(clips, classes)} expected, one for every class, or {(clips, len(shown))}, for those that it learned"
    raise UsageError(f"features {folder}: logits of shape {logits.shape} found, {allowed}")


def write_features(
    folder: Path, clips: Clips, split: Split, pseudo: bool, encoder: Path, *, device: torch.device, workers: int = 0
) -> None:
    """Everything of a split by its encoder, `encoder.pt` of `train supervised`; the folder appears only when whole.

    The second folder's clips are training clips of people that its encoder did not see.

    Raises:
        UsageError: an encoder of another split, or a part without a clip.
    """
    saved = torch.load(encoder, map_location="cpu", weights_only=True)
    settings = saved["settings"]
    if (settings["dataset"], settings["split"], settings["pseudo"]) != (split.dataset, split.name, pseudo):
        raise UsageError(f"{encoder}: trained for {settings['dataset']} {settings['split']}, {split.name} expected")
    recipe = recipe_of(settings["encoder"], settings.get("skeletons"))
    network = recipe.build(len(clips.names))
    network.load_state_dict(saved["model"])
    network.to(device)
    reader = Reader(clips, recipe, settings["frames"])

    novel = np.isin(clips.label, pseudo_unseen(split) if pseudo else split.unseen)
    rows = {"train": training_rows(clips, split, pseudo)}
    if pseudo:
        shown = clips.train & held_groups(clips) & ~np.isin(clips.label, split.unseen)
        rows |= {"ztest": np.flatnonzero(shown & novel), "val": np.flatnonzero(shown & ~novel)}
    else:
        rows |= {"gtest": np.flatnonzero(clips.test), "ztest": np.flatnonzero(clips.test & novel)}
    arrays: dict[str, np.ndarray] = {}
    for name, own in rows.items():
        if not len(own):
            raise UsageError(f"split {split.name} of {split.dataset}: not one clip for {name} found")
        feature, logits = extract(network, reader, own, device, workers)
        arrays |= {name: feature, LABELS[name]: clips.label[own], f"{name}_out": logits}
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in PSEUDO_FILES if pseudo else FILES:
        np.save(partial / f"{name}.npy", arrays[name])
    os.replace(partial, folder)
