"""Read a data set as it is published, once, into a folder of npz files that everything else reads.

    python -m train prepare --dataset ntu120 --root nturgb+d_skeletons --out cache/ntu120 --missing missing.txt
    python -m train prepare --dataset pku --root PKUMMD --out cache/pku
    python -m train prepare --dataset kinetics --root kinetics-skeleton --out cache/kinetics
    python -m train prepare --dataset pyskl --root ntu60_hrnet.pkl --out cache/ntu60-hrnet

What is in the files is written in them (`train.data.prepared.ABOUT`). A run that was cut off goes on where it stopped
and ends with the same bytes. A clip that cannot be used is named, counted by why, and left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_app.errors import UsageError
from train.data import kinetics, ntu, pku
from train.data.bodies import BODIES
from train.data.prepared import Dropped, Kind, Record, shard_path, shard_paths, write_plan, write_shard
from train.data.pyskl import FPS as PYSKL_FPS
from train.data.pyskl import PysklClip, read_pyskl
from train.data.splits import CLASSES, class_names

EXPECTED = {"ntu60": 56_880, "ntu120": 114_480, "pku": 1_076}
"""Files of the whole data set, as its authors count them (PKU-MMD part I, from memory)."""
NOBODY, MALFORMED = "nobody in it", "malformed"
SAID = 10
"""So many dropped clips are named on stderr; all are in the files."""


@dataclass(frozen=True, slots=True)
class Source:
    """A data set as it lies there.

    units: what is read at once, a file or a stream, by name, in order. read: makes clips of one. found: in words.
    settings: what else the result depends on. per_shard: units that go into one file.
    """

    kind: Kind
    units: tuple[str, ...]
    read: Callable[[str], Iterator[Record | Dropped]]
    found: str
    settings: tuple[str, ...] = ()
    per_shard: int = 500


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dataset", required=True, choices=FINDERS)
    parser.add_argument("--root", type=Path, required=True, help="folder of the data set; for pyskl its .pkl file")
    parser.add_argument("--out", type=Path, required=True, help="folder to write or to go on with")
    parser.add_argument("--missing", type=Path, help="ntu: the authors' list of clips with missing skeletons")
    parser.add_argument(
        "--bodies", choices=BODIES, default="mended", help="ntu: who of a clip's bodies are people; ours, or a paper's"
    )
    parser.add_argument("--per-shard", type=int, help="files of the data set that go into one file of --out")


def run(arguments: argparse.Namespace) -> None:
    if not arguments.root.exists():
        raise UsageError(f"--root {arguments.root}: no such file or folder")
    if arguments.missing and not arguments.dataset.startswith("ntu"):
        raise UsageError(f"--missing {arguments.missing}: only for ntu60 and ntu120, not for {arguments.dataset}")
    missing = ntu.read_missing(arguments.missing) if arguments.missing else frozenset()
    if arguments.bodies != "mended" and not arguments.dataset.startswith("ntu"):
        raise UsageError(f"--bodies {arguments.bodies}: only for ntu60 and ntu120, not for {arguments.dataset}")
    if arguments.dataset.startswith("ntu"):
        source = find_ntu(arguments.dataset, arguments.root, missing, arguments.bodies)
    else:
        source = FINDERS[arguments.dataset](arguments.dataset, arguments.root, missing)
    print(f"train prepare: {source.found}", file=sys.stderr)
    per_shard = source.per_shard if arguments.per_shard is None else arguments.per_shard
    if per_shard < 1:
        raise UsageError(f"--per-shard {per_shard}: expected 1 or more")
    try:
        _write(source, per_shard, arguments.out)
    except OSError as error:
        raise UsageError(f"--out {arguments.out}: {error}") from None
    print(summary(arguments.out))


def _write(source: Source, per_shard: int, out: Path) -> None:
    made_from = json.dumps([source.kind.dataset, per_shard, source.settings, source.units])
    starts = range(0, len(source.units), per_shard)
    write_plan(out, len(starts), hashlib.blake2b(made_from.encode(), digest_size=16).hexdigest())
    with tqdm(total=len(source.units), desc=source.kind.dataset, unit="file", disable=None) as bar:
        for number, start in enumerate(starts):
            units = source.units[start : start + per_shard]
            path = shard_path(out, number)
            if path.is_file():
                bar.update(len(units))
            else:
                write_shard(path, source.kind, _read(source, units, bar))


def _read(source: Source, units: tuple[str, ...], bar: tqdm) -> Iterator[Record | Dropped]:
    for unit in units:
        try:
            yield from source.read(unit)
        except UsageError as error:
            yield Dropped(unit, MALFORMED, str(error))
        bar.update()


def summary(folder: Path) -> str:
    """One line on a prepared set; what was dropped goes to stderr, the first ten by name.

    Raises:
        UsageError: not one clip is left.
    """
    clips, people, classes = 0, set(), set()
    dropped: list[tuple[str, str, str]] = []
    for path in shard_paths(folder):
        with np.load(path, allow_pickle=False) as data:
            clips += len(data["label"])
            classes.update(data["label"].tolist())
            people.update(data["subject"].tolist())
            dropped += zip(*(data[f"dropped_{key}"].tolist() for key in ("name", "why", "detail")), strict=True)
    for name, why, detail in dropped[:SAID]:
        print(f"train prepare: dropped {name}: {detail or why}", file=sys.stderr)
    if len(dropped) > SAID:
        print(f"train prepare: … and {len(dropped) - SAID:,} more", file=sys.stderr)
    who = f"{len(people)} people" if people - {-1} else "people not named"
    reasons = Counter(why for _, why, _ in dropped).most_common()
    why = ": " + ", ".join(f"{count:,} {reason}" for reason, count in reasons) if reasons else ""
    line = f"{folder}: {clips:,} clips, {len(classes)} classes, {who}; dropped {len(dropped):,}{why}"
    if not clips:
        raise UsageError(f"{line}; at least one clip expected")
    return line


def _once(paths: list[Path], what: str) -> dict[str, Path]:
    """Paths by their stems, in order of these."""
    found: dict[str, Path] = {}
    for path in sorted(paths, key=lambda path: (path.stem, path)):
        if path.stem in found:
            raise UsageError(f"--root: {what} {path.stem} found twice, {found[path.stem]} and {path}; one expected")
        found[path.stem] = path
    return found


def find_ntu(dataset: str, root: Path, missing: frozenset[str], bodies: str = "mended") -> Source:
    """`SsssCcccPpppRrrrAaaa.skeleton` files in any folder below `root`; of NTU-120's, `ntu60` takes A1 to A60."""
    every = _once(list(root.rglob("*.skeleton")), "clip")
    names = {stem: ntu.parse_name(stem) for stem in every}
    taken = tuple(stem for stem, name in names.items() if name.label < CLASSES[dataset])
    found = f"{EXPECTED[dataset]:,} files SsssCcccPpppRrrrAaaa.skeleton expected in {root}, {len(taken):,} found"
    if not taken:
        raise UsageError(f"--dataset {dataset}: {found}; an example: {root}/S001C001P001R001A001.skeleton")

    def read(stem: str) -> Iterator[Record | Dropped]:
        if stem in missing:
            yield Dropped(stem, "in the list of missing skeletons")
            return
        joints, parts = BODIES[bodies](*ntu.read_bodies(every[stem])), _ntu_parts(dataset, names[stem])
        yield _ntu_record(stem, joints, parts) if len(joints) else Dropped(stem, NOBODY)

    parts = (
        "xsub_train",
        "xsub_test",
        *(f"{'xview' if dataset == 'ntu60' else 'xset'}_{s}" for s in ("train", "test")),
    )
    kind = Kind(dataset, "ntu25", ntu.JOINTS, ntu.FPS, class_names(dataset), parts)
    settings = (*sorted(missing & set(taken)), *([bodies] if bodies != "mended" else []))
    return Source(kind, taken, read, f"{found}, such as {every[taken[0]]}", settings)


def _ntu_parts(dataset: str, name: ntu.NtuName) -> frozenset[str]:
    sides = {"xsub": ntu.xsub(np.array(name.subject))}
    if dataset == "ntu60":
        sides["xview"] = ntu.xview(np.array(name.camera))
    else:
        sides["xset"] = ntu.xset(np.array(name.setup))
    return frozenset(f"{protocol}_{'train' if train else 'test'}" for protocol, (train, _) in sides.items())


def _ntu_record(stem: str, joints: np.ndarray, parts: frozenset[str]) -> Record:
    name = ntu.parse_name(stem)
    return Record(stem, name.label, joints, parts, name.subject, name.camera, name.setup, name.replication)


def find_pku(dataset: str, root: Path, missing: frozenset[str]) -> Source:
    """Streams and labels, both called `NNNN-V.txt`, below `root`; labels have commas. And the lists, where they are."""
    files = [path for path in root.rglob("*.txt") if pku.is_name(path.stem) and path.stat().st_size]
    is_label = {path: "," in _first_line(path) for path in files}
    streams = _once([path for path in files if not is_label[path]], "stream")
    labels = _once([path for path in files if is_label[path]], "label file")
    found = (
        f"{EXPECTED[dataset]:,} streams NNNN-V.txt with as many label files of the same names expected in {root}, "
        f"{len(streams):,} and {len(labels):,} found"
    )
    if not streams or not labels:
        raise UsageError(f"--dataset {dataset}: {found}; examples: {root}/skeleton/0002-L.txt, {root}/label/0002-L.txt")
    sides: dict[str, frozenset[str]] = {}
    for protocol, stem in (("xsub", "cross-subject"), ("xview", "cross-view")):
        lists = _once([path for name in (stem, f"{stem}_v2") for path in root.rglob(f"{name}.txt")], "list")
        found += "" if lists else f", no {stem}.txt"
        for path in lists.values():
            for side, names in zip(("train", "test"), pku.read_list(path), strict=True):
                sides[f"{protocol}_{side}"] = sides.get(f"{protocol}_{side}", frozenset()) | names

    def read(stem: str) -> Iterator[Record | Dropped]:
        if stem not in labels:
            yield Dropped(stem, "without a label file")
            return
        stream, actions = pku.read_stream(streams[stem]), pku.read_actions(labels[stem])
        for number, action in enumerate(actions, 1):
            name = f"{stem}/{number}"
            try:
                joints = pku.cut(stream, action)
            except UsageError as error:
                yield Dropped(name, "labelled beyond the stream", str(error))
                continue
            parts = frozenset(part for part, names in sides.items() if stem in names)
            camera = pku.VIEWS.index(stem[-1]) + 1
            yield Record(name, action.label, joints, parts, camera=camera) if len(joints) else Dropped(name, NOBODY)

    kind = Kind(dataset, "ntu25", ntu.JOINTS, pku.FPS, class_names(dataset), tuple(sides))
    some = f"{found}, such as {next(iter(streams.values()))}"
    return Source(kind, tuple(streams), read, some, tuple(sides), per_shard=10)


def _first_line(path: Path) -> str:
    with path.open(encoding="ascii", errors="replace") as file:
        return file.readline(100_000)


def find_kinetics(dataset: str, root: Path, missing: frozenset[str]) -> Source:
    """`kinetics_train_label.json` and `kinetics_val_label.json` in `root`, and the folders of the same names' clips."""
    listed: dict[str, tuple[str, kinetics.KineticsLabel]] = {}
    names: dict[int, str] = {}
    files = {part: root / f"kinetics_{part}_label.json" for part in ("train", "val")}
    there = [part for part, path in files.items() if path.is_file()]
    if not there:
        raise UsageError(f"--dataset {dataset}: 2 label files expected, 0 found; an example: {files['train']}")
    for part in there:
        for clip, label in kinetics.read_labels(files[part]).items():
            listed[f"kinetics_{part}/{clip}"] = part, label
            if label.has_skeleton and names.setdefault(label.index, label.label) != label.label:
                said = f"{names[label.index]!r} and {label.label!r}"
                raise UsageError(f"{files[part]}: label_index {label.index} is {said}; one name expected")
    have = sum(path.suffix == ".json" for part in there for path in (root / f"kinetics_{part}").glob("*.json"))
    some = root / f"{min(listed, default='kinetics_train/…')}.json"
    found = f"{len(listed):,} clips listed in {' and '.join(files[part].name for part in there)}, {have:,} files found"
    if not have:
        raise UsageError(f"--dataset {dataset}: {found}; an example: {some}")

    def read(unit: str) -> Iterator[Record | Dropped]:
        part, label = listed[unit]
        path = root / f"{unit}.json"
        if not label.has_skeleton:
            yield Dropped(unit, "listed without a skeleton")
        elif not path.is_file():
            yield Dropped(unit, "without a file")
        else:
            people = kinetics.read_clip(path)
            name = unit.partition("/")[2]
            yield Record(name, label.index, people, frozenset([part])) if len(people) else Dropped(unit, NOBODY)

    every = tuple(names.get(index, "") for index in range(max(names, default=-1) + 1))
    kind = Kind(dataset, "openpose18", len(kinetics.OPENPOSE18), kinetics.FPS, every, ("train", "val"))
    return Source(kind, tuple(sorted(listed)), read, f"{found}, such as {some}")


def find_pyskl(dataset: str, root: Path, missing: frozenset[str]) -> Source:
    """One PYSKL pickle, whole in memory. NTU's class names where its clips are called as NTU's, else only numbers."""
    files = sorted(root.glob("*.pkl")) if root.is_dir() else [root]
    if len(files) != 1:
        raise UsageError(f"--dataset {dataset}: 1 file of PYSKL expected, {len(files)} .pkl files found in {root}")
    whole = read_pyskl(files[0])
    clips = {clip.name: clip for clip in whole.clips}
    most = max(clip.label for clip in whole.clips)
    is_ntu = most < CLASSES["ntu120"] and all(_is_ntu(clip) for clip in whole.clips)
    if is_ntu:
        names = class_names("ntu60" if most < CLASSES["ntu60"] else "ntu120")
    else:
        names = tuple(str(index) for index in range(most + 1))

    def read(unit: str) -> Iterator[Record | Dropped]:
        clip = clips[unit]
        joints = clip.joints()
        parts = frozenset(part for part, members in whole.parts.items() if unit in members)
        if not len(joints):
            yield Dropped(unit, NOBODY)
        elif is_ntu:
            yield _ntu_record(unit, joints, parts)
        else:
            yield Record(unit, clip.label, joints, parts)

    kind = Kind(dataset, whole.layout, whole.clips[0].keypoint.shape[2], PYSKL_FPS, names, tuple(sorted(whole.parts)))
    return Source(kind, tuple(clips), read, f"1 file of PYSKL expected, {files[0]} found with {len(clips):,} clips")


def _is_ntu(clip: PysklClip) -> bool:
    try:
        return ntu.parse_name(clip.name).label == clip.label
    except UsageError:
        return False


FINDERS: dict[str, Callable[[str, Path, frozenset[str]], Source]] = {
    "ntu60": find_ntu, "ntu120": find_ntu, "pku": find_pku, "kinetics": find_kinetics, "pyskl": find_pyskl,
}  # fmt: skip
