"""Where published features lie, and the layouts in which they come.

    SynSE, SA-DVAE, FS-VAE, MSF, TDSM   shift_ntu60_5_r/, shift_5_r/, stgcn_ntu60_split2_5_r/: `train.papers.features`
    SMIE                                seen_train_data.npy and _label, unseen_…, seen_test_… where there is one
    Flora                               one .npz file a split: train_data, train_label, zsl_…, gzsl_…

All are looked for in the folder given, or in a folder of the split's name within it; Flora's file may also be called as
the split, or be given itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from train.data.splits import Split

SMIE = {"train": "seen_train", "ztest": "unseen", "seen": "seen_test"}
FLORA = {"train": "train", "ztest": "zsl", "gtest": "gzsl"}
LABELS = {"train": "train_label", "ztest": "z_label", "gtest": "g_label", "val": "val_label"}
RANDOM_FROM = {"ntu60": 1, "ntu120": 1, "pku": 0}
"""SA-DVAE counts its random splits from 2 on NTU, and from 1 on PKU-MMD (METHODS.md 1.4)."""


def folder_name(split: Split, pseudo: bool) -> str:
    return f"shift_{split.dataset}_{'val_' if pseudo else ''}{len(split.unseen)}_r"


def find_released(home: Path, split: Split, pseudo: bool) -> Path | None:
    """The folder or file of a split's features, None where there is none.

    Raises:
        UsageError: several that could be meant.
    """
    if home.is_file():
        return None if pseudo else home
    own = _by_name(split, pseudo)
    for place in (home / split.name, home):
        if not place.is_dir():
            continue
        found = [path for path in sorted(place.iterdir()) if path.is_dir() and own.fullmatch(path.name)]
        found = [path for path in found if split.dataset in path.name] or found
        if not found and not pseudo:
            found = [path for path in (place / f"{split.name}.npz",) if path.is_file()]
            if not found and place.name == split.name:
                found = sorted(place.glob("*.npz")) + [place] * (place / "seen_train_data.npy").is_file()
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise UsageError(f"--features {place}: {names} found for {split.name}; one expected")
        if found:
            return found[0]
    return None


def _by_name(split: Split, pseudo: bool) -> re.Pattern[str]:
    """Folders of a split: of its own name by SynSE's rule, or of SA-DVAE's random splits by their numbers."""
    count, val = len(split.unseen), "_val" if pseudo else ""
    dataset = {"pku": "pku(51)?"}.get(split.dataset, split.dataset)
    benchmark, _, number = split.name.rpartition("-")
    if benchmark == "sa-dvae":
        n = int(number) + RANDOM_FROM[split.dataset]
        numbered = rf"(_split{n}{val}|{val}_split{n})" if pseudo else f"_split{n}"
        return re.compile(rf"(shift_{dataset}{val}|[a-z0-9]+_{dataset}{numbered})_{count}_r")
    return re.compile(rf"shift(_{dataset})?{val}_{count}_r")


def read_arrays(path: Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays of any of the layouts under SynSE's names.

    Args:
        names: of a folder as SynSE's; those that end in "_out" may lack.

    Raises:
        UsageError: a file or an array that is not there, or is no array.
    """
    if path.is_file():
        return _flora(path)
    if (path / "seen_train_data.npy").is_file():
        return _smie(path)
    arrays = {}
    for name in names:
        found = _npy(path / f"{name}.npy", optional=name.endswith("_out"))
        if found is not None:
            arrays[name] = found
    return arrays


def _npy(path: Path, optional: bool = False) -> np.ndarray | None:
    try:
        return np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        if optional:
            return None
        raise UsageError(f"features {path.parent}: no {path.name} found ({error.strerror})") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"features {path}: {error}; an array expected") from None


def _smie(folder: Path) -> dict[str, np.ndarray]:
    """Without its own generalised test: seen test clips, where there are any, and unseen ones make one."""
    arrays: dict[str, np.ndarray] = {}
    for name, stem in SMIE.items():
        data, label = (_npy(folder / f"{stem}_{part}.npy", optional=name == "seen") for part in ("data", "label"))
        if data is None or label is None:
            continue
        if data.ndim == 5:
            said = f"skeletons of shape {data.shape} found, features [N, D] expected"
            raise UsageError(f"features {folder}/{stem}_data.npy: {said}; SMIE's own script makes them of its encoder")
        arrays |= {name: data, f"{name}_label": label}
    arrays["z_label"] = arrays.pop("ztest_label")
    seen, seen_label = arrays.pop("seen", arrays["ztest"][:0]), arrays.pop("seen_label", arrays["z_label"][:0])
    both = np.concatenate([seen, arrays["ztest"]]), np.concatenate([seen_label, arrays["z_label"]])
    return arrays | dict(zip(("gtest", "g_label"), both, strict=True))


def _flora(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as data:
            found = {key: data[key] for key in data.files if key.endswith(("data", "label"))}
    except (OSError, ValueError) as error:
        raise UsageError(f"features {path}: {error}; an .npz file of arrays expected") from None
    arrays = {}
    for name, prefix in FLORA.items():
        for end, own in (("data", name), ("label", LABELS[name])):
            keys = [key for key in found if key.startswith(f"{prefix}_") and key.endswith(end)]
            if len(keys) != 1:
                expected = f"one array {prefix}_…{end} expected"
                raise UsageError(f"features {path}: {', '.join(found) or 'nothing'} found, {expected}")
            arrays[own] = found[keys[0]]
    return arrays
