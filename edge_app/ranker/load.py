"""From a bundle to a ranker."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from edge_app.bundles.bundle import Bundle, Calibration, sound
from edge_app.bundles.files import load_npz
from edge_app.errors import UsageError
from edge_app.ranker.calibrated_stacking import CalibratedStacking
from edge_app.ranker.conse import WebClasses, WithConse
from edge_app.ranker.fdsm import FdsmModel
from edge_app.ranker.fs_vae import FsVaeModel
from edge_app.ranker.labels.table import LabelTable
from edge_app.ranker.ranker import NO_LABELS, Adjustment, EnergyModel, Ranker
from edge_app.ranker.rerank import Reranking
from edge_app.ranker.sa_dvae import SaDvaeModel
from edge_app.ranker.scale import ScaleModel

MODELS: dict[str, Callable[[dict[str, np.ndarray]], EnergyModel]] = {
    "scale": ScaleModel, "fdsm": FdsmModel, "sa_dvae": SaDvaeModel, "fs_vae": FsVaeModel,
}  # fmt: skip


STEP = ".step"
"""Ends the name of what integers of 8 bits are multiplied with, for each row of a matrix."""


@dataclass(frozen=True, slots=True)
class RankerConfig:
    """exact: SCALE looks at every label, also where there are more than a thousand (`edge_app.ranker.first_pass`)."""

    exact: bool = False


def load_ranker(
    bundle: Bundle, kind: str, table: LabelTable = NO_LABELS, config: RankerConfig = RankerConfig()
) -> Ranker:
    """A ranker of the bundle; "scale+fdsm" is SCALE with its best five re-ranked by FDSM.

    Raises:
        UsageError: the bundle has no ranker of this kind, or the table is of another text encoder.
    """
    first, _, second = kind.partition("+")
    with sound(bundle.path):
        weights, calibration = _head(bundle, first)
        model = ScaleModel(weights, config.exact) if first == "scale" else MODELS[first](weights)
        if calibration.conse:
            model = WithConse(model, web_classes(load_npz(bundle.path / "web_classes.npz")), calibration.conse)
        stored = load_npz(bundle.path / "background.npz")
        background = stored["embeddings"].astype(np.float32)
        if model.parts:
            background = np.concatenate([background, stored["parts"].astype(np.float32)], axis=1)
        adjustments: list[Adjustment] = [Reranking(FdsmModel(_head(bundle, second)[0]))] if second else []
        concepts = tuple(bundle.manifest["training_data"]["concepts"])
        adjustments.append(CalibratedStacking(concepts, calibration.novel))
        return Ranker(kind, model, calibration, background, adjustments, table, bundle.spec)


def web_classes(stored: Mapping[str, np.ndarray]) -> WebClasses:
    """From the arrays of a bundle's `web_classes.npz`: texts `[C, E]` and their mean `[E]`."""
    return WebClasses(stored["texts"].astype(np.float32), stored["mean"].astype(np.float32))


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
    weights = unpacked(load_npz(bundle.path / bundle.manifest["rankers"][kind]["file"]))
    return weights, Calibration.read(bundle.calibration["rankers"][kind])


def unpacked(stored: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A head's weights, those kept as integers times the step of their row.

    Raises:
        ValueError: a step that is not one number for each row of a matrix.
    """
    weights = {name: value for name, value in stored.items() if not name.endswith(STEP)}
    for name in stored.keys() - weights.keys():
        of = name.removesuffix(STEP)
        if of not in weights or weights[of].ndim != 2 or stored[name].shape != (len(weights[of]), 1):
            raise ValueError(f"{name} has shape {stored[name].shape}, which fits no matrix")
        weights[of] = weights[of] * stored[name]
    return weights
