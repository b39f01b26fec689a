"""Assemble a bundle from a trained encoder, heads and their calibration.

    python -m export bundle --encoder runs/encoder/encoder.pt --heads runs/heads \
        --calibration runs/calibration.json --labels configs/labels/default.txt --card train/MODEL_CARD.md \
        --out edge_app/bundles/default
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from edge_app.bundles.bundle import FORMAT, load_bundle
from edge_app.bundles.files import put_folder
from edge_app.encoder import load_encoder as load_bundle_encoder
from edge_app.errors import UsageError
from edge_app.ranker.labels.actions import actions
from edge_app.ranker.labels.bundle_text import BundleText
from edge_app.ranker.labels.label import Label, parse_labels
from edge_app.ranker.labels.table import LabelTable, build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.load import STEP, load_ranker
from edge_app.recognizer import self_test
from edge_app.window.normalize import normalize
from export.to_onnx import export_encoder
from train.data.clips import clip_windows
from train.encoder.frozen import device_network, load_encoder, web_classes
from train.heads.systems import load_heads
from train.models.edge import Detailed
from train.synthetic.person_clips import generated_clips

GOLDEN = 12
WORTH_INTEGERS = 10_000
"""Of so many numbers or more is a matrix that is kept in integers."""
PLACES = ("data", "out", "cache")
"""Settings of a training that say where things lay."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", type=Path, required=True, help="encoder.pt")
    parser.add_argument("--heads", type=Path, required=True, help="run folder of `train head`; all that is in it ships")
    parser.add_argument("--calibration", type=Path, required=True, help="calibration.json of `train calibrate`")
    parser.add_argument("--labels", required=True, help="default labels: a file or a comma-separated list")
    parser.add_argument("--card", type=Path, required=True, help="MODEL_CARD.md")
    parser.add_argument("--metrics", type=Path, help="JSON of measured figures for the manifest")
    parser.add_argument("--name", default="default")
    parser.add_argument("--version", default="1")
    parser.add_argument(
        "--licence", default="weights: non-commercial, see MODEL_CARD.md", help="what the manifest says"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder; replaced as a whole")


def run(arguments: argparse.Namespace) -> None:
    encoder, spec, saved = load_encoder(arguments.encoder)
    heads = load_heads(arguments.heads)
    text = TextEncoder()
    table = build_table(parse_labels(arguments.labels), text, 1)
    background = build_table([Label(action.name) for action in actions()], text, 0)
    known: dict[str, Any] = {"embeddings": background.pooled()}
    entry: dict[str, Any] = {"file": "encoder.onnx", "feature": encoder.feature}
    detailed, widths = Detailed(encoder), {kind: len(weights["feature_mean"]) for kind, weights in heads.items()}
    for kind, width in widths.items():
        if width not in (encoder.feature, detailed.width):
            allowed = f"{encoder.feature} or {detailed.width} are allowed"
            raise UsageError(f"--heads {arguments.heads}: {kind}.pt reads {width} numbers of this encoder, {allowed}")
    long = detailed.width in widths.values()
    if long:
        known["parts"] = background.pooled(parts=True)[:, known["embeddings"].shape[1] :]
    network, web = device_network(encoder, spec, saved, detailed=long), web_classes(saved)
    if long or web:
        entry["output"] = (detailed.width if long else encoder.feature) + len(web.get("texts", ()))

    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".bundle-", dir=arguments.out.parent))
    try:
        entry["parameters"] = export_encoder(network, spec, work / "encoder.onnx")
        for kind, weights in heads.items():
            write_head(work / f"ranker-{kind}.npz", weights, integers=kind != "scale")
        write_labels(work, table)
        np.savez_compressed(
            work / "background.npz",
            **{name: vectors.astype(np.float16) for name, vectors in known.items()},
            names=np.array(background.names),
        )
        if web:
            texts, mean = (web[name].astype(np.float16) for name in ("texts", "mean"))
            names = np.array(saved["web"]["names"])
            np.savez_compressed(work / "web_classes.npz", texts=texts, mean=mean, names=names)
        shutil.copy(arguments.calibration, work / "calibration.json")
        shutil.copy(arguments.card, work / "MODEL_CARD.md")
        settings = {name: value for name, value in saved["settings"].items() if name not in PLACES}
        manifest: dict[str, Any] = {
            "format": FORMAT,
            "name": arguments.name,
            "version": arguments.version,
            "skeleton": spec.skeleton.name,
            "window": {"seconds": spec.seconds, "rate_hz": spec.rate_hz},
            "encoder": entry,
            "rankers": {kind: {"file": f"ranker-{kind}.npz"} for kind in heads},
            "text_encoder": text.id,
            "licence": arguments.licence,
            "training_data": {"concepts": saved["concepts"], "settings": settings},
            "metrics": json.loads(arguments.metrics.read_text()) if arguments.metrics else {},
        }
        seal(work, manifest)
        print(f"{put_in_place(work, arguments.out)}, {entry['parameters']:,} parameters")
    finally:
        shutil.rmtree(work, ignore_errors=True)


def put_in_place(work: Path, out: Path) -> str:
    """Make `work` the bundle at `out`, if its golden windows are ranked alike in every precision and by every ranker.

    Returns:
        One line on it.

    Raises:
        UsageError: they are not, or there is something else at `out`.
    """
    bundle = load_bundle(work)
    for precision in bundle.networks:
        for kind in bundle.manifest["rankers"]:
            self_test(bundle, load_bundle_encoder(bundle, precision=precision), kind)
    if out.exists() and not (out / "manifest.json").is_file():
        raise UsageError(f"--out {out}: exists and is no bundle; it is not replaced")
    work.chmod(0o755)
    put_folder(work, out)
    size = sum(file.stat().st_size for file in out.iterdir())
    return f"{out}: {bundle.id}, {', '.join(bundle.networks)}, {size / 1e6:.1f} MB"


def write_head(path: Path, weights: Mapping[str, np.ndarray], integers: bool) -> None:
    """Weights in half precision, or the large matrices as integers of 8 bits with a step `[N, 1]` for each row.

    What integers cost: train/EXPERIMENTS.md, 44. SCALE, which ranks by default, is kept in half precision.
    """
    kept = {}
    for name, value in weights.items():
        kept[name] = value.astype(np.float16) if value.dtype == np.float32 else value
        if integers and value.ndim == 2 and value.size >= WORTH_INTEGERS:
            steps = np.maximum(np.abs(value).max(axis=1, keepdims=True), 1e-12) / 127
            kept |= {name: np.round(value / steps).astype(np.int8), name + STEP: steps.astype(np.float32)}
    np.savez_compressed(path, allow_pickle=False, **kept)


def write_labels(folder: Path, table: LabelTable) -> None:
    if table.enter:
        raise UsageError("labels: a threshold (name @ 0.6) found; the labels of a bundle have none")
    rows = [
        {
            "name": label.name,
            "synonyms": list(label.synonyms),
            "description": label.description,
            "texts": [{"kind": text.kind, "text": text.text} for text in texts],
        }
        for label, texts in zip(table.labels, table.texts, strict=True)
    ]
    (folder / "labels.json").write_text(json.dumps(rows, indent=1) + "\n", "utf-8")
    np.save(folder / "labels.npy", table.vectors.astype(np.float32))


def seal(folder: Path, manifest: dict[str, Any]) -> None:
    """Write the golden windows and the manifest of a folder that has all else."""
    np.savez(folder / "golden.npz", windows=np.zeros(0, np.float32))
    write_manifest(folder, manifest)
    write_golden(folder)
    write_manifest(folder, manifest)


def write_golden(folder: Path) -> None:
    """Windows of generated motion, and what the rankers make of them on this machine's ONNX Runtime."""
    bundle = load_bundle(folder)
    encoder, spec = load_bundle_encoder(bundle), bundle.spec
    clips = generated_clips(1, seed=7)
    picked = clips[:: max(1, len(clips) // GOLDEN)][:GOLDEN]
    windows = []
    for clip in picked:
        cut = clip_windows(clip, spec)
        window = cut[len(cut) // 2]
        windows.append(normalize(window.joints, window.valid, spec.skeleton))
    table = build_table(bundle.default_labels, BundleText(bundle), 0)
    vectors = np.stack([encoder.vector(window) for window in windows])
    energies: dict[str, Any] = {}
    for kind in bundle.manifest["rankers"]:
        ranker = load_ranker(bundle, kind, table)
        energies[f"energies_{kind}"] = ranker.energies(vectors)[:, : len(table.labels)]
    np.savez_compressed(folder / "golden.npz", windows=np.stack(windows), **energies)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    files = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        for file in sorted(folder.iterdir())
        if file.name != "manifest.json"
    }
    (folder / "manifest.json").write_text(json.dumps({**manifest, "files": files}, indent=1) + "\n", "utf-8")
