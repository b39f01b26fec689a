"""From a bundle to a ranker."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge_app.bundles.bundle import Bundle, Calibration, sound
from edge_app.bundles.files import load_npz
from edge_app.errors import UsageError
from edge_app.ranker.base import Ranker
from edge_app.ranker.calibrated_stacking import Stacked
from edge_app.ranker.fdsm import FdsmRanker
from edge_app.ranker.fs_vae import FsVaeRanker
from edge_app.ranker.rerank import Reranker
from edge_app.ranker.sa_dvae import SaDvaeRanker
from edge_app.ranker.scale import ScaleRanker

RANKERS: dict[str, Callable[..., Ranker]] = {
    "scale": ScaleRanker, "fdsm": FdsmRanker, "sa_dvae": SaDvaeRanker, "fs_vae": FsVaeRanker,
}  # fmt: skip


def load_ranker(bundle: Bundle, kind: str) -> Ranker:
    """A ranker of the bundle, without labels yet; "scale+fdsm" is SCALE with its best five re-ranked by FDSM.

    Raises:
        UsageError: the bundle has no ranker of this kind.
    """
    first, _, second = kind.partition("+")
    with sound(bundle.path):
        head = _head(bundle, first)
        stored = load_npz(bundle.path / "background.npz")
        background = pooled = stored["embeddings"].astype(np.float32)
        if first == FsVaeRanker.kind and "parts" in stored:
            background = np.concatenate([pooled, stored["parts"].astype(np.float32)], axis=1)
        ranker = RANKERS[first](*head, background)
        if second:
            ranker = Reranker(ranker, FdsmRanker(*_head(bundle, second), pooled[:0]))
        return Stacked(ranker, bundle.manifest["training_data"]["concepts"])


def check_ranker(bundle: Bundle, kind: str) -> None:
    """Raises UsageError where the bundle has no ranker of this kind."""
    known = bundle.manifest["rankers"]
    if kind not in known:
        raise UsageError(f"--ranker {kind}: not in bundle {bundle.manifest['name']}; it has {', '.join(known)}")


def feature_mean(bundle: Bundle) -> np.ndarray:
    """The mean feature of the training data: float32 `[D]`."""
    with sound(bundle.path):
        weights, _ = _head(bundle, next(iter(bundle.manifest["rankers"])))
        return weights["feature_mean"][: bundle.manifest["encoder"]["feature"]].astype(np.float32)


def _head(bundle: Bundle, kind: str) -> tuple[dict[str, np.ndarray], Calibration]:
    check_ranker(bundle, kind)
    weights = load_npz(bundle.path / bundle.manifest["rankers"][kind]["file"])
    return weights, Calibration.read(bundle.calibration["rankers"][kind])
