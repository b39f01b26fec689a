"""The figures by which recipes are compared, on what none of them is trained on.

    python -m train extract --videos ../shared/videos --out cache/poses
    python -m train extract --videos ../shared/videos2 --out cache/poses2
    python -m train develop --encoder runs/a/encoder.pt runs/b/encoder.pt --data ../shared/data \\
        --videos ../shared/videos --recordings cache/poses --videos2 ../shared/videos2 --recordings2 cache/poses2

Each encoder's own text head, and SCALE where `scale.pt` lies beside it. Real clips are asked as `recognize` answers for
whole files: walking in, idling and getting up included. They are in two halves, by who published them: `choose` decides
between recipes, `report` is looked at once a recipe is chosen.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edge_app.bundles.bundle import Bundle, Calibration, load_bundle
from edge_app.bundles.files import write_text
from edge_app.bundles.shipped import bundle_folder
from edge_app.encoder import Encoder
from edge_app.encoder import load_encoder as load_compiled
from edge_app.errors import UsageError
from edge_app.ranker.labels.label import Label
from edge_app.ranker.labels.table import build_table
from edge_app.ranker.labels.text_encoder import TextEncoder
from edge_app.ranker.layers import anchors, standardized
from edge_app.ranker.load import load_ranker
from edge_app.ranker.ranker import Energies, EnergyModel, Ranker
from edge_app.ranker.scale import ScaleModel
from edge_app.recognizer import Recognizer
from edge_app.types import Window
from edge_app.window.skeleton import WindowSpec
from train.data.clips import MEASURED_SETS, SPEC, Clip, clip_windows, read_set, some
from train.encoder.frozen import encode_clips, load_encoder
from train.encoder.training_set import load_sets
from train.evaluate.metrics import item_means, places, score
from train.evaluate.videos import (
    EVERYDAY,
    first_poses,
    load_segments,
    pose_windows,
    read_manifest,
    segment_windows,
)
from train.heads.systems import load_heads

ASKED = {
    "walking": "walk", "walking in place": "walk", "running": "run", "running in place": "run", "jumping": "jump",
    "jumping jacks": "jumping jack", "squat": "squat", "push-up": "push up", "incline push-up": "push up",
    "punching (boxing bag)": "punch", "kicking a ball": "kick", "falling down": "fall down", "drinking": "drink",
    "dancing": "dance", "dancing (ballet)": "dance", "sitting down": "sit down", "standing up": "stand up",
}  # fmt: skip
"""What the manifest of the second footage says -> one of `EVERYDAY`; other clips show none of them."""
FALL_LABELS = "walk, sit down, fall down, lie down, stand up, pick up, run, jump, wave, drink water"
MOST = 600
"""At most so many clips of a set are asked, the same ones every time."""


@dataclass(frozen=True)
class Group:
    """Clips that are asked for the same labels: windows of each, and which label is right, int `[N]`."""

    name: str
    windows: list[list[Window]]
    labels: tuple[str, ...]
    truth: np.ndarray

    @classmethod
    def of(cls, name: str, items: Iterable[tuple[list[Window], str]], labels: Sequence[str] = ()) -> Group:
        """labels: by default all that occur, sorted."""
        windows, truth = zip(*items, strict=True)
        labels = tuple(labels) or tuple(sorted(set(truth)))
        return cls(name, [*windows], labels, np.array([labels.index(label) for label in truth]))


def in_report(source: str) -> bool:
    """Whether clips of a source belong to the half that decides nothing; all of one publisher lie on one side."""
    return hashlib.sha256(source.split("/")[0].encode()).digest()[0] % 2 == 1


def real_clips(manifest: Path, recordings: Path, spec: WindowSpec) -> list[tuple[list[Window], str, bool]]:
    """Whole files of the second footage: windows, label as the manifest has it, whether in the half to report.

    Raises:
        UsageError: the manifest cannot be read, or no recording is there.
    """
    found = []
    for file, label, source in read_manifest(manifest, "file", "label", "source"):
        path = recordings / f"{Path(file).stem}.mcap"
        poses = first_poses(path) if path.is_file() else []
        if len(poses) > 3:
            found.append((pose_windows(poses, spec), label, in_report(source)))
    if not found:
        raise UsageError(f"--recordings2 {recordings}: no recording of {manifest} there; run train extract")
    return found


def footage_groups(arguments: argparse.Namespace) -> list[Group]:
    """Everything that a camera saw."""
    groups = []
    if arguments.videos2:
        clips = real_clips(arguments.videos2 / "manifest.csv", arguments.recordings2, SPEC)
        labels = sorted({label for _, label, _ in clips})
        for half, inside in (("choose", False), ("report", True)):
            if half in arguments.halves:
                own = [(windows, label) for windows, label, report in clips if report == inside]
                groups.append(Group.of(f"clips, {half}", own, labels))
                everyday = [(windows, ASKED[label]) for windows, label in own if label in ASKED]
                groups.append(Group.of(f"everyday clips, {half}", everyday, EVERYDAY))
    if arguments.videos:
        segments = load_segments(arguments.videos / "manifest.csv", arguments.recordings)
        shown = [(segment_windows(s, SPEC), s.label) for s in segments if s.label in EVERYDAY and not s.derived]
        groups.append(Group.of("everyday stretches", shown, EVERYDAY))
    return groups


def fall_events(bundle: Bundle, encoder: Encoder, files: Iterable[tuple[Path, bool]]) -> dict[str, int]:
    """In how many recordings of falls a fall is an event, among `FALL_LABELS`, and in how many others it is one too.

    files: recordings, and whether somebody falls in each.
    """
    recognizer = Recognizer(FALL_LABELS, bundle=bundle, runtime=encoder)
    found = {"falls": 0, "seen": 0, "others": 0, "false": 0}
    for path, falls in files:
        told = {event.label for decision in recognizer.run(f"pose://{path}") for event in decision.events}
        asked, right = ("falls", "seen") if falls else ("others", "false")
        found[asked] += 1
        found[right] += "fall down" in told
    return found


def fall_recordings(arguments: argparse.Namespace) -> dict[str, list[tuple[Path, bool]]]:
    """Recordings of both footages for `fall_events`; the first footage belongs to the half that chooses."""
    found: dict[str, list[tuple[Path, bool]]] = {half: [] for half in arguments.halves}
    if arguments.videos:
        for file, labels in read_manifest(arguments.videos / "manifest.csv", "file", "labels"):
            found.get("choose", []).append((arguments.recordings / f"{Path(file).stem}.mcap", "fall" in labels))
    if arguments.videos2:
        for file, label, source in read_manifest(arguments.videos2 / "manifest.csv", "file", "label", "source"):
            half = "report" if in_report(source) else "choose"
            found.get(half, []).append((arguments.recordings2 / f"{Path(file).stem}.mcap", "fall" in label))
    return {half: [(path, falls) for path, falls in files if path.is_file()] for half, files in found.items()}


def set_groups(data: Path, left_out: Iterable[str], withheld: Iterable[str]) -> list[Group]:
    """Sets that are only measured, sets that an encoder was not trained on, and the concepts that it was not."""
    withheld, left_out = set(withheld), sorted(left_out)
    groups = [set_group(name, read_set(data / f"{name}.npz")) for name in (*MEASURED_SETS, *left_out)]
    if withheld:
        shown = [c for c in load_sets(data, 0) if c.concept in withheld and c.dataset not in left_out]
        groups.append(Group.of("withheld", [(clip_windows(c, SPEC), c.concept) for c in some(shown, MOST)]))
    return groups


def set_group(name: str, clips: Sequence[Clip]) -> Group:
    """A set by its own names, as a stranger would ask."""
    return Group.of(name, [(clip_windows(clip, SPEC), clip.name) for clip in some(clips, MOST)])


class TextHead:
    """An encoder's own text head as an `EnergyModel`: half the mean squared distance to a text's place."""

    kind, parts = "text head", False

    def __init__(self, saved: dict[str, Any]) -> None:
        model = {name: value.numpy() for name, value in saved["model"].items()}
        width = len(model["text_map.weight"])
        self._w = {name: model[name] for name in ("text_mean", "text_map.weight")}
        self._w |= {"feature_mean": np.zeros(width, np.float32), "feature_std": np.ones((), np.float32)}
        self.text_width = len(model["text_mean"])

    def with_texts(self, texts: np.ndarray, labels: int) -> Energies:
        places_of = anchors(self._w, texts / np.float32(np.sqrt(2)))
        return lambda vectors: np.stack(
            [np.float32(0.5) * np.square(places_of - standardized(self._w, v)).mean(axis=1) for v in vectors]
        )


def figures(group: Group, vectors: np.ndarray, item: np.ndarray, ranker: Ranker) -> dict[str, Any]:
    """How often a ranker is right, windows of a clip taken together by their mean energy.

    Args:
        vectors: `[W, D]` of all windows. item: int `[W]`, the clip of each.
    """
    table = build_table([Label(name) for name in group.labels], TextEncoder(), 0)
    own = ranker.with_labels(table).energies(vectors)[:, : len(group.labels)]
    energies = item_means(own, item)
    place = places(energies, group.truth)
    found = score(energies, group.truth, group.labels, None)
    del found["per_class"]
    return found | {
        "labels": len(group.labels),
        "reciprocal_rank": round(float((1 / (place + 1)).mean()), 4),
        "median_rank": float(np.median(place) + 1),
        "right": "".join("x" if p == 0 else "." for p in place),
    }


PLAIN = Calibration(1.0, 1.0, 0.0, same_text_threshold=-np.inf)


def plain_ranker(model: EnergyModel) -> Ranker:
    """Without background, calibration and sparing."""
    return Ranker(model.kind, model, PLAIN, np.zeros((0, model.text_width), np.float32))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--encoder", type=Path, nargs="*", default=[], help="encoder.pt files, each on its own")
    parser.add_argument("--bundle", type=bundle_folder, nargs="*", default=[], help="bundles, as they ship")
    parser.add_argument("--data", type=Path, required=True, help="folder of core15 npz sets with concepts.csv")
    parser.add_argument("--videos", type=Path, help="folder with manifest.csv")
    parser.add_argument("--recordings", type=Path, default=Path("cache/poses"), help="poses of --videos")
    parser.add_argument("--videos2", type=Path, help="folder of the second footage, with manifest.csv")
    parser.add_argument("--recordings2", type=Path, default=Path("cache/poses2"), help="poses of --videos2")
    parser.add_argument("--halves", nargs="+", choices=("choose", "report"), default=["choose"])
    parser.add_argument("--out", type=Path, help="JSON file to write too")
    parser.add_argument("--threads", type=int, default=1)


def run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    footage, result = footage_groups(arguments), {}
    for path in arguments.encoder:
        encoder, spec, saved = load_encoder(path)
        models: list[EnergyModel] = [TextHead(saved)]
        if (path.parent / "scale.pt").is_file():
            models.append(ScaleModel(load_heads(path.parent)["scale"]))
        groups = footage + set_groups(arguments.data, saved["left_out"], saved["withheld"])
        encode = partial(encode_clips, encoder, spec)
        result[str(path.parent)] = measure(groups, encode, [*map(plain_ranker, models)])
    for path in arguments.bundle:
        bundle = load_bundle(path)
        compiled = load_compiled(bundle)
        groups, encode = footage + set_groups(arguments.data, (), ()), partial(encode_compiled, compiled)
        own = result[str(path)] = measure(groups, encode, [load_ranker(bundle, "scale")])
        for half, files in fall_recordings(arguments).items():
            own[f"falls, {half}"] = fall_events(bundle, compiled, files)
            print(f"{f'falls, {half}':24} {json.dumps(own[f'falls, {half}'])}", flush=True)
    if arguments.out:
        write_text(arguments.out, json.dumps(result, indent=1) + "\n")


def encode_compiled(encoder: Encoder, windows: Sequence[list[Window]]) -> tuple[np.ndarray, np.ndarray]:
    """As `train.encoder.frozen.encode_clips`, by a bundle's encoder."""
    vectors = [feature.vector for own in windows for feature in encoder.encode(own)]
    return np.stack(vectors), np.repeat(np.arange(len(windows)), [*map(len, windows)])


def measure(
    groups: Sequence[Group],
    encode: Callable[[list[list[Window]]], tuple[np.ndarray, np.ndarray]],
    rankers: Sequence[Ranker],
) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for group in groups:
        vectors, item = encode(group.windows)
        for ranker in rankers:
            own = found.setdefault(group.name, {})[ranker.kind] = figures(group, vectors, item, ranker)
            print(f"{group.name:24} {ranker.kind:10} {json.dumps(own)}", flush=True)
    return found
