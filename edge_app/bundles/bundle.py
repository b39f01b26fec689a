"""The artefact: a folder with a manifest, read once, checked by hash before use, and never unpickled."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.files import load_npz
from edge_app.bundles.shipped import SHIPPED
from edge_app.bundles.signing import SIGNATURE
from edge_app.errors import UsageError
from edge_app.ranker.labels.label import Label
from edge_app.window.skeleton import LAYOUTS, WindowSpec

FORMAT = "edge-bundle/1"
RANKERS = ("scale", "fdsm", "sa_dvae", "fs_vae")
MAX_FILE = 64 * 2**20
MAX_FILES = 64
MAX_TOTAL = 512 * 2**20
MAX_MANIFEST = 2**20
MAX_SAMPLES = 1000  # of a window
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_KEYS = {
    "format", "name", "version", "files", "skeleton", "window", "encoder", "rankers", "text_encoder", "licence",
    "training_data", "metrics",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """Numbers from the bundle's calibration.json for one ranker.

    temperature: divides energies before the softmax over labels.
    known_slope, known_bias: logistic regression from the log-odds of labels against the background to `known`.
    same_text_threshold: background texts whose dot product with a label's is above this stand for the label, not
        against it.
    novel: taken off the energy of labels that training did not know (`edge_app.ranker.calibrated_stacking`).
    conse: weight of what the network of web videos says (`edge_app.ranker.conse`); 0 where the bundle has none.
    """

    temperature: float
    known_slope: float
    known_bias: float
    same_text_threshold: float
    novel: float = 0.0
    conse: float = 0.0

    @classmethod
    def read(cls, entry: Mapping[str, float]) -> Calibration:
        """From an entry of calibration.json, where the threshold is called "alike".

        Raises:
            TypeError: a number is missing, or one too many.
        """
        return cls(**{"same_text_threshold" if key == "alike" else key: value for key, value in entry.items()})


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle. `id` is "sha256:" and the first 12 digits of the manifest's hash."""

    path: Path
    id: str
    manifest: Mapping[str, Any]
    calibration: Mapping[str, Any]

    @property
    def spec(self) -> WindowSpec:
        window = self.manifest["window"]
        return WindowSpec(window["seconds"], window["rate_hz"], LAYOUTS[self.manifest["skeleton"]])

    @property
    def default_labels(self) -> tuple[Label, ...]:
        return tuple(Label(row["name"], tuple(row["synonyms"]), row["description"]) for row in self.json("labels.json"))

    @property
    def networks(self) -> Mapping[str, str]:
        """The encoder's file in each precision that the bundle has: "fp32", and maybe "fp16" for GPUs, and "int8"."""
        encoder = self.manifest["encoder"]
        return {"fp32": encoder["file"], **encoder.get("variants", {})}

    def golden(self) -> dict[str, np.ndarray]:
        return load_npz(self.path / "golden.npz")

    def json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text("utf-8"))


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check every file against its manifest before anything in it is used.

    Raises:
        UsageError: no manifest, an unknown format or key, a file missing, too large, unlisted, outside the folder, or
            with another hash.
    """
    manifest_path = path / "manifest.json"
    if not manifest_path.is_file():
        raise UsageError(
            f"bundle {path}: no manifest.json there; expected a folder in format {FORMAT}, or {' or '.join(SHIPPED)}"
        )
    raw = _read(manifest_path, MAX_MANIFEST)
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"bundle {path}: manifest.json is not JSON ({str(error)[:120]})") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else type(manifest).__name__
        raise UsageError(f"bundle {path}: format {str(found)[:40]!r} found, {FORMAT!r} is allowed")
    if set(manifest) != _KEYS:
        odd = sorted(set(manifest) ^ _KEYS)
        raise UsageError(f"bundle {path}: manifest.json has missing or unknown keys: {', '.join(map(str, odd))[:200]}")
    files = manifest["files"]
    if not isinstance(files, dict) or len(files) > MAX_FILES:
        raise UsageError(f"bundle {path}: 'files' must be an object of at most {MAX_FILES} entries")
    total = sum(item.lstat().st_size for item in path.iterdir())
    if total > MAX_TOTAL:
        raise UsageError(f"bundle {path}: {total:,} bytes found, at most {MAX_TOTAL:,} are allowed")
    for name, entry in files.items():
        _check_file(path, name, entry)
    unlisted = sorted(item.name for item in path.iterdir() if item.name not in {*files, "manifest.json", SIGNATURE})
    if unlisted:
        raise UsageError(f"bundle {path}: {unlisted[0]!r} is not in the manifest; every file must be listed")
    with sound(path):
        calibration = json.loads(_read(path / "calibration.json"))
        bundle = Bundle(path, "sha256:" + hashlib.sha256(raw).hexdigest()[:12], manifest, calibration)
        needed = {*bundle.networks.values(), "labels.json", "labels.npy", "background.npz", "golden.npz"}
        needed |= {entry["file"] for entry in manifest["rankers"].values()}
        if not needed <= set(files):
            raise UsageError(f"bundle {path}: {sorted(needed - set(files))[0]} is not in the manifest")
        if not 2 <= bundle.spec.length <= MAX_SAMPLES:
            raise UsageError(
                f"bundle {path}: a window of {bundle.spec.length} samples found, 2 to {MAX_SAMPLES} are allowed"
            )
        if not set(manifest["rankers"]) <= set(RANKERS):
            raise UsageError(f"bundle {path}: unknown ranker found; known are {', '.join(RANKERS)}")
        for kind in manifest["rankers"]:
            Calibration.read(calibration["rankers"][kind])
        _ = bundle.default_labels
    return bundle


@contextmanager
def sound(path: Path) -> Iterator[None]:
    """What a file that its maker got wrong, or made on purpose, throws within is one line.

    Raises:
        UsageError: something was missing, or of another type or shape.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, OSError) as error:
        raise UsageError(f"bundle {path}: its files are malformed ({error!a:.160})") from None


def _check_file(folder: Path, name: str, entry: Any) -> None:
    place = folder / name
    if not _FILE_NAME.fullmatch(name) or name == "manifest.json":
        raise UsageError(f"bundle {folder}: file name {name!a:.80} found; plain names in the folder are allowed")
    if place.is_symlink() or not place.is_file():
        raise UsageError(f"bundle {folder}: {name} is missing or no plain file")
    found = hashlib.sha256(_read(place)).hexdigest()
    expected = entry.get("sha256") if isinstance(entry, dict) else None
    if found != expected:
        raise UsageError(f"bundle {folder}: {name} has sha256 {found[:12]}…, the manifest says {str(expected)[:12]}…")


def _read(path: Path, limit: int = MAX_FILE) -> bytes:
    size = path.stat().st_size
    if size > limit:
        raise UsageError(f"{path}: {size:,} bytes found, at most {limit:,} are allowed")
    return path.read_bytes()
