"""The artefact: a folder with a manifest, read once, checked by hash before use, and never unpickled."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.arrays import load_npy, load_npz
from edge_app.encoder import Encoder
from edge_app.errors import UsageError
from edge_app.labels import Label
from edge_app.rankers.base import Ranker
from edge_app.rankers.fdsm import FdsmRanker
from edge_app.rankers.fs_vae import FsVaeRanker
from edge_app.rankers.rerank import Reranker
from edge_app.rankers.sa_dvae import SaDvaeRanker
from edge_app.rankers.scale import ScaleRanker
from edge_app.rankers.scores import Calibration
from edge_app.rankers.stacked import Stacked
from edge_app.runtime.session import PRECISIONS, Session, open_session
from edge_app.signing import SIGNATURE
from edge_app.skeleton import LAYOUTS
from edge_app.text import TextEncoder
from edge_app.window import WindowSpec

FORMAT = "edge-bundle/1"
DEFAULT = Path(__file__).parent / "bundles" / "default"
RANKERS: dict[str, Callable[..., Ranker]] = {
    "scale": ScaleRanker, "fdsm": FdsmRanker, "sa_dvae": SaDvaeRanker, "fs_vae": FsVaeRanker,
}  # fmt: skip
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
        return tuple(
            Label(row["name"], tuple(row["synonyms"]), row["description"]) for row in self._json("labels.json")
        )

    @property
    def networks(self) -> Mapping[str, str]:
        """The encoder's file in each precision that the bundle has: "fp32", and maybe "fp16" for GPUs, and "int8"."""
        encoder = self.manifest["encoder"]
        return {"fp32": encoder["file"], **encoder.get("variants", {})}

    def precisions(self, runtime: str) -> tuple[str, ...]:
        """Those of the bundle's networks that a runtime is for."""
        return tuple(precision for precision in PRECISIONS[runtime] if precision in self.networks)

    def session(
        self, runtime: str = "onnxruntime", precision: str = "fp32", waiting: Callable[[], None] = lambda: None
    ) -> Session:
        return open_session(self.path / self.networks[precision], runtime, precision, waiting)

    def encoder(self, runtime: str = "onnxruntime", precision: str = "fp32") -> Encoder:
        """On a runtime as it is; `edge_app.runtime.choose` tests it first."""
        return Encoder(self.session(runtime, precision), self.spec)

    def ranker(self, kind: str) -> Ranker:
        """A ranker of the bundle, without labels yet; "scale+fdsm" is SCALE with its best five re-ranked by FDSM.

        Raises:
            UsageError: the bundle has no ranker of this kind.
        """
        first, _, second = kind.partition("+")
        with _sound(self.path):
            head = self._head(first)
            stored = load_npz(self.path / "background.npz")
            background = pooled = stored["embeddings"].astype(np.float32)
            if first == FsVaeRanker.kind and "parts" in stored:
                background = np.concatenate([pooled, stored["parts"].astype(np.float32)], axis=1)
            ranker = RANKERS[first](*head, background)
            if second:
                ranker = Reranker(ranker, FdsmRanker(*self._head(second), pooled[:0]))
            return Stacked(ranker, self.manifest["training_data"]["concepts"])

    def check_ranker(self, kind: str) -> None:
        """Raises UsageError where the bundle has no ranker of this kind."""
        known = self.manifest["rankers"]
        if kind not in known:
            raise UsageError(f"--ranker {kind}: not in bundle {self.manifest['name']}; it has {', '.join(known)}")

    def _head(self, kind: str) -> tuple[dict[str, np.ndarray], Calibration]:
        self.check_ranker(kind)
        weights = load_npz(self.path / self.manifest["rankers"][kind]["file"])
        return weights, Calibration(**self.calibration["rankers"][kind])

    def feature_mean(self) -> np.ndarray:
        """The mean feature of the training data: float32 `[D]`."""
        with _sound(self.path):
            weights, _ = self._head(next(iter(self.manifest["rankers"])))
            return weights["feature_mean"][: self.manifest["encoder"]["feature"]].astype(np.float32)

    def text_encoder(self) -> BundleText:
        with _sound(self.path):
            return BundleText(self)

    def golden(self) -> dict[str, np.ndarray]:
        return load_npz(self.path / "golden.npz")

    def _json(self, name: str) -> Any:
        return json.loads((self.path / name).read_text("utf-8"))


class BundleText:
    """Embeddings that the bundle ships, and the text encoder, loaded when first needed, for all other words."""

    def __init__(self, bundle: Bundle) -> None:
        self._stored = dict(
            zip(
                (text["text"] for row in bundle._json("labels.json") for text in row["texts"]),
                load_npy(bundle.path / "labels.npy").astype(np.float32),
                strict=True,
            )
        )
        self.id: str = bundle.manifest["text_encoder"]
        self.dim: int = len(next(iter(self._stored.values())))
        self._encoder: TextEncoder | None = None

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """float32 `[N, dim]`.

        Raises:
            UsageError: the bundle was made with another text encoder than the one installed.
        """
        others = [text for text in texts if text not in self._stored]
        if others:
            if self._encoder is None:
                self._encoder = TextEncoder()
            if self._encoder.id != self.id:
                raise UsageError(f"labels: the bundle needs text encoder {self.id}, {self._encoder.id} is installed")
            self._stored.update(zip(others, self._encoder.encode(others), strict=True))
        return np.stack([self._stored[text] for text in texts])


def load_bundle(path: Path) -> Bundle:
    """Read a bundle and check every file against its manifest before anything in it is used.

    Raises:
        UsageError: no manifest, an unknown format or key, a file missing, too large, unlisted, outside the folder, or
            with another hash.
    """
    manifest_path = path / "manifest.json"
    if not manifest_path.is_file():
        raise UsageError(f"bundle {path}: no manifest.json there; expected a folder in format {FORMAT}")
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
    with _sound(path):
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
            Calibration(**calibration["rankers"][kind])
        _ = bundle.default_labels
    return bundle


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """What a file that its maker got wrong, or made on purpose, throws within is one line.

    Raises:
        UsageError: something was missing, or of another type or shape.
    """
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError, OSError) as error:
        raise UsageError(f"bundle {path}: its files are malformed ({error!a:.160})") from None


def self_test(bundle: Bundle, encoder: Encoder, kind: str = "scale") -> None:
    """The golden windows, through the runtime that will serve: the rankings must be those of the export.

    Raises:
        UsageError: a ranking's best label or an energy differs, or a file of the bundle is malformed.
    """
    from edge_app.labels import build_table

    kind, _, _ = kind.partition("+")
    with _sound(bundle.path):
        golden, ranker = bundle.golden(), bundle.ranker(kind)
        ranker.set_labels(build_table(bundle.default_labels, bundle.text_encoder(), 0))
        labels = golden[f"energies_{kind}"].shape[1]
        vectors = np.stack([encoder.vector(window) for window in golden["windows"]])
        energies = ranker.energies(vectors)[:, :labels]
        expected = golden[f"energies_{kind}"]
        wrong = int((energies.argmin(axis=1) != expected.argmin(axis=1)).sum())
        far = float(np.abs(energies - expected).max()) if np.isfinite(energies).all() else float("nan")
    if wrong or not far < 2e-2:
        raise UsageError(
            f"bundle {bundle.path}: {encoder.provider} fails the golden self-test "
            f"({wrong} of {len(expected)} best labels differ, energies by up to {far:.3g}; 0.02 is allowed)"
        )


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
