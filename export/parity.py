"""Do all runtimes rank alike? Every network of a bundle on every runtime that is here, over real windows.

    python -m export parity --bundle edge_app/bundles/default --windows cache/poses/*.mcap --json parity.json

The reference is the bundle's own network on ONNX Runtime's CPU. Networks that the bundle does not ship are made for the
occasion and judged for information. Runtimes that are not here are named with the reason, not judged.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.bundle import Bundle, load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import DEFAULT, bundle_folder
from edge_app.errors import UsageError
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.load import check_ranker, load_ranker
from edge_app.runtime.load import load_session
from edge_app.runtime.session import GPU_RUNTIMES, PRECISIONS, Session, open_session
from export.precision import KINDS, write_variant
from export.recordings import Run, recognize_all

TOP1, GAP, EVENTS, BATCH = 0.99, 0.02, 0.95, 1e-3
"""Least agreement of best labels; largest gap of an energy; least share of equal events; largest gap between a window's
feature in a batch and alone (a feature's root mean square is 1)."""
NEAR_S = 0.25
BATCHES = (1, 2, 7, 64)


@dataclass(frozen=True)
class Row:
    """How one runtime with one network compares; numbers are None where it could not run."""

    name: str
    shipped: bool
    top1: float | None = None
    gap_mean: float | None = None
    gap_max: float | None = None
    events: float | None = None
    batch: float | None = None
    problem: str = ""

    @property
    def holds(self) -> bool:
        return (
            self.top1 is not None and self.gap_max is not None and self.batch is not None
            and self.top1 >= TOP1 and self.gap_max <= GAP and self.batch <= BATCH
            and (self.events is None or self.events >= EVENTS)
        )  # fmt: skip


class TorchSession:
    """The trained encoder itself."""

    provider = "torch"

    def __init__(self, path: Path) -> None:
        from train.encoder.frozen import load_encoder

        self._encoder = load_encoder(path)[0]

    def run(self, batch: np.ndarray) -> np.ndarray:
        from train.encoder.frozen import encode

        return encode(self._encoder, batch)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--bundle", type=bundle_folder, default=DEFAULT, help="default: the one that ships")
    parser.add_argument(
        "--pose", nargs="?", const="auto", metavar="BACKEND",
        help="compare how poses are found with MediaPipe instead (default: the one that auto takes)",
    )  # fmt: skip
    parser.add_argument("--frames", type=int, default=10**6, metavar="N", help="with --pose: of each file, at most")
    parser.add_argument("--windows", nargs="+", required=True, metavar="FILE", help="recordings, videos, …; or: golden")
    parser.add_argument(
        "--calibrate", nargs="*", default=[], metavar="FILE", help="other recordings, for int8's ranges"
    )
    parser.add_argument("--encoder", type=Path, help="encoder.pt of the bundle, to compare with torch too")
    parser.add_argument("--ranker", default="scale")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the table as JSON")


def run(arguments: argparse.Namespace) -> None:
    if arguments.pose:
        from export.pose_parity import run as run_pose

        return run_pose(arguments)
    bundle = load_bundle(arguments.bundle)
    check_ranker(bundle, arguments.ranker)
    files = [] if arguments.windows == ["golden"] else arguments.windows
    reference = recognize_all(bundle, load_session(bundle), files, arguments.ranker)
    energies = _energies(bundle, arguments.ranker)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, shipped, opened in _candidates(bundle, arguments, Path(folder)):
            try:
                session = opened()
                made = recognize_all(bundle, session, files, arguments.ranker)
            except UsageError as error:
                rows.append(Row(name, shipped, problem=str(error)))
                continue
            rows.append(compare(name, shipped, reference, made, energies, _batch_gap(session, reference.windows)))
    print(f"{len(reference.windows)} windows, {len(files)} files, {sum(map(_count, reference.results))} events")
    print(table(rows))
    if arguments.json:
        found = {"schema": "parity/1", "bundle": bundle.id, "windows": len(reference.windows), "files": len(files)}
        write_text(arguments.json, json.dumps({**found, "rows": [asdict(row) for row in rows]}, indent=1) + "\n")
    failed = [row.name for row in rows if row.shipped and not row.problem and not row.holds]
    if failed:
        raise UsageError(f"parity fails for {', '.join(failed)}")


def compare(
    name: str, shipped: bool, reference: Run, made: Run, energies: Callable[[np.ndarray], np.ndarray], batch: float
) -> Row:
    """A row of the table; what is not finite agrees with nothing."""
    if not np.isfinite(made.vectors).all():
        return Row(name, shipped, 0.0, float("inf"), float("inf"), 0.0, batch)
    expected, found = energies(reference.vectors), energies(made.vectors)
    gaps = np.abs(found - expected)
    same = float((found.argmin(axis=1) == expected.argmin(axis=1)).mean())
    events = same_events(reference.results, made.results)
    return Row(name, shipped, same, float(gaps.mean()), float(gaps.max()), events, batch)


def same_events(expected: Sequence[dict[str, Any]], found: Sequence[dict[str, Any]]) -> float | None:
    """Share of events, of both runs, that the other has too: same label, nearly the same time. None without any."""
    equal = total = 0
    for one, other in zip(expected, found, strict=True):
        rest = list(other["events"])
        total += max(len(one["events"]), len(rest))
        for event in one["events"]:
            match = next((e for e in rest if _alike(event, e)), None)
            if match is not None:
                rest.remove(match)
                equal += 1
    return equal / total if total else None


def table(rows: Sequence[Row]) -> str:
    """In Markdown."""
    lines = [
        "| runtime | in the bundle | same best label | energy gap, mean | largest | same events | batch gap | |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        numbers = (_share(row.top1), _small(row.gap_mean), _small(row.gap_max), _share(row.events), _small(row.batch))
        verdict = row.problem or ("holds" if row.holds else "**fails**")
        lines.append(f"| {row.name} | {'yes' if row.shipped else 'no'} | {' | '.join(numbers)} | {verdict} |")
    return "\n".join(lines)


def _candidates(
    bundle: Bundle, arguments: argparse.Namespace, folder: Path
) -> Iterator[tuple[str, bool, Callable[[], Session]]]:
    """Name, whether the bundle ships it, and what opens it."""
    if arguments.encoder:
        yield "torch fp32", False, lambda: TorchSession(arguments.encoder)
    models = {precision: bundle.path / file for precision, file in bundle.networks.items()}
    for kind in KINDS:
        if kind not in models:
            models[kind] = folder / f"{kind}.onnx"
            write_variant(bundle, kind, models[kind], arguments.calibrate)
    for runtime in PRECISIONS:
        for precision, model in models.items():
            shipped = precision in bundle.networks
            if runtime in GPU_RUNTIMES and precision not in PRECISIONS[runtime]:
                continue
            yield f"{runtime} {precision}", shipped, partial(open_session, model, runtime, precision)


def _energies(bundle: Bundle, kind: str) -> Callable[[np.ndarray], np.ndarray]:
    """From features to the energies of the bundle's own labels."""
    labels = build_table(bundle.default_labels, BundleText(bundle), 1)
    ranker = load_ranker(bundle, kind, labels)
    return lambda vectors: np.concatenate(
        [ranker.energies(part)[:, : len(labels.names)] for part in np.array_split(vectors, len(vectors) // 64 + 1)]
    )


def _batch_gap(session: Session, windows: np.ndarray) -> float:
    """The largest difference of a feature between batches of `BATCHES` and windows one by one."""
    which = np.arange(max(BATCHES)) % len(windows)
    some, alone = windows[which], np.concatenate([session.run(window[None]) for window in windows[: len(which)]])[which]
    return max(float(np.abs(session.run(some[:size]) - alone[:size]).max()) for size in BATCHES)


def _alike(event: dict[str, Any], other: dict[str, Any]) -> bool:
    near = all(abs(event[key] - other[key]) <= NEAR_S for key in ("onset_s", "offset_s"))
    return near and event["label"] == other["label"]


def _count(result: dict[str, Any]) -> int:
    return len(result["events"])


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f} %"


def _small(value: float | None) -> str:
    return "" if value is None else f"{value:.1g}"
