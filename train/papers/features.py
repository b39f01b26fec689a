"""Features of a split's clips in the folder layout of SynSE, which SA-DVAE, FS-VAE and TDSM read too (METHODS.md 0.2).

    for each split          shift_ntu60_5_r/      train, train_label, ztest, z_label, gtest, g_label, gtest_out
    for gates and choices   shift_ntu60_val_5_r/  train, train_label, ztest, z_label, ztest_out, val, val_label, val_out

All are .npy files: features `[N, D]`, labels int `[N]` from 0 over all classes, and the encoder's own logits `[N, C]`.
The second folder's encoder has not seen the pseudo-unseen classes either; its ztest is of these, its val of the others.
Folders that others published can be read as they are. The labels' names in the second folder are INFERRED.
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

FILES = ("train", "train_label", "ztest", "z_label", "gtest", "g_label", "gtest_out")
PSEUDO_FILES = ("train", "train_label", "ztest", "z_label", "ztest_out", "val", "val_label", "val_out")


@dataclass(frozen=True)
class Features:
    """What a head learns from, and what it is measured on.

    unseen: classes of which `train` has no clip: the split's, or the pseudo-unseen ones. train: `[N, D]`, seen classes.
    ztest: `[Z, D]`, unseen classes. gtest: `[G, D]`, both. logits: `[G, C]` of gtest by the encoder, None where the
    folder has none. Labels are int, over all C classes.
    """

    unseen: tuple[int, ...]
    train: np.ndarray
    train_label: np.ndarray
    ztest: np.ndarray
    z_label: np.ndarray
    gtest: np.ndarray
    g_label: np.ndarray
    logits: np.ndarray | None


def folder_name(split: Split, pseudo: bool) -> str:
    return f"shift_{split.dataset}_{'val_' if pseudo else ''}{len(split.unseen)}_r"


def find_folder(home: Path, split: Split, pseudo: bool) -> Path | None:
    """The folder of a split below `home`, or below `home/SPLIT`; None where there is none."""
    short = folder_name(split, pseudo).replace(f"_{split.dataset}_", "_")
    for place in (home / split.name, home):
        for name in (folder_name(split, pseudo), short):
            if (place / name).is_dir():
                return place / name
    return None


def read_features(folder: Path, split: Split, pseudo: bool) -> Features:
    """Features of a split, of either folder.

    Raises:
        UsageError: a file is missing or does not fit the others, or labels that are not this split's.
    """
    arrays: dict[str, np.ndarray] = {}
    for name in PSEUDO_FILES if pseudo else FILES:
        try:
            arrays[name] = np.load(folder / f"{name}.npy", allow_pickle=False)
        except FileNotFoundError as error:
            if not name.endswith("_out"):
                raise UsageError(f"features {folder}: no {name}.npy found ({error.strerror})") from None
        except (OSError, ValueError) as error:
            raise UsageError(f"features {folder}/{name}.npy: {error}; an array expected") from None
    pairs = {"train": "train_label", "ztest": "z_label", **({"val": "val_label"} if pseudo else {"gtest": "g_label"})}
    for name, own in pairs.items():
        arrays[own] = arrays[own].astype(np.int64).reshape(-1)
        if arrays[name].ndim != 2 or len(arrays[name]) != len(arrays[own]) or not len(arrays[own]):
            found = f"{name} of shape {arrays[name].shape} with {len(arrays[own])} labels"
            raise UsageError(f"features {folder}: {found} found, as many rows as labels expected")
        arrays[name] = arrays[name].astype(np.float32)
    unseen = pseudo_unseen(split) if pseudo else split.unseen
    wrong = set(arrays["z_label"].tolist()) - set(unseen) | set(arrays["train_label"].tolist()) & set(unseen)
    hidden = set(arrays["train_label"].tolist()) & set(split.unseen)
    if wrong or hidden:
        raise UsageError(f"features {folder}: labels {sorted(wrong | hidden)[:5]} do not belong to split {split.name}")
    if not pseudo:
        given = (arrays["gtest"], arrays["g_label"], arrays.get("gtest_out"))
    else:
        outs = [arrays[name] for name in ("val_out", "ztest_out") if name in arrays]
        given = (
            np.concatenate([arrays["val"], arrays["ztest"]]), np.concatenate([arrays["val_label"], arrays["z_label"]]),
            np.concatenate(outs) if len(outs) == 2 else None,
        )  # fmt: skip
    if given[2] is not None and given[2].shape != (len(given[1]), CLASSES[split.dataset]):
        expected = f"{(len(given[1]), CLASSES[split.dataset])} expected, one for every class of {split.dataset}"
        raise UsageError(f"features {folder}: logits of shape {given[2].shape} found, {expected}")
    return Features(unseen, arrays["train"], arrays["train_label"], arrays["ztest"], arrays["z_label"], *given)


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
    labels = {"train": "train_label", "ztest": "z_label", "gtest": "g_label", "val": "val_label"}
    arrays: dict[str, np.ndarray] = {}
    for name, own in rows.items():
        if not len(own):
            raise UsageError(f"split {split.name} of {split.dataset}: not one clip for {name} found")
        feature, logits = extract(network, reader, own, device, workers)
        arrays |= {name: feature, labels[name]: clips.label[own], f"{name}_out": logits}
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in PSEUDO_FILES if pseudo else FILES:
        np.save(partial / f"{name}.npy", arrays[name])
    os.replace(partial, folder)
