"""Composed motion in bulk: clips of `train.data.compose` with the embeddings of their texts, made once and kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_app.text import TextEncoder
from train.data.clips import Bank, Clip
from train.data.compose import Composed, compose
from train.texts import TextBank

FPS = 24.0
EDITION = 1
"""Grows when `compose` gives something else for the same seed: what was kept is then made anew."""

KIN: dict[str, tuple[tuple[str, str], ...]] = {
    "bow": (("bend", "deeply"), ("bend", "slightly"), ("reach feet", ""), ("reach floor", "")),
    "bowl": (("throw", "underarm"), ("underarm lunge", "")),
    "carry": (("lift overhead", ""), ("pick up", "")),
    "clap": (("clap", ""),),
    "draw circle": (("circle", ""),),
    "kick sideways": (("kick", "sideways"), ("leg", "sideways"), ("leg swing", "")),
    "point": (("hold", "forward"), ("raise", "forward"), ("push", "forward")),
    "pull up": (("pull up", ""), ("stay", "hang")),
    "squat": (("bend", "deeply"), ("sit down", ""), ("reach floor", "")),
    "strum guitar": (("stroke", "belly"), ("stroke", "waist"), ("rub", "belly")),
    "throw": (("throw", ""), ("chop", ""), ("chop down", "")),
    "walk backwards": (("step", "backward"), ("gait", "walk")),
}
"""Concept -> moves (what, beginning of the way) that show it or nearly so: to withhold the concept is to withhold these."""


class ComposedBank:
    """Clips, their texts (one row a clip), and `bank.concept`, which is equal for equal meanings."""

    def __init__(self, clips: list[Clip], texts: TextBank) -> None:
        self.bank, self.texts = Bank(clips), texts


def shows(key: list, concept: str) -> bool:
    """Whether a composed clip with this key shows a concept, or something of its kin."""
    moves = [part for part in key if not isinstance(part, str) and part]
    return any(move[0] == what and move[1].startswith(way) for move in moves for what, way in KIN.get(concept, ()))


def load_composed(count: int, seed: int, folder: Path, without: Iterable[str] = ()) -> ComposedBank:
    """`count` composed clips but for those that show a concept in `without`; kept in `folder` for the next time."""
    path = folder / f"composed-{EDITION}-{seed}-{count}.npz"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, **_make(range(seed * 1_000_000, seed * 1_000_000 + count)))
        os.replace(partial, path)
    with np.load(path) as saved:
        joints, off, vectors = saved["joints"], saved["off"], saved["vectors"].astype(np.float32)
        keys, names, descriptions = saved["keys"].tolist(), saved["names"], saved["descriptions"]
    without = tuple(without)
    kept = [i for i, key in enumerate(keys) if not any(shows(json.loads(key), concept) for concept in without)]
    clips = []
    for i in kept:
        xyz = joints[off[i] : off[i + 1]].astype(np.float32)
        seen = np.ones((*xyz.shape[:2], 1), np.float32)
        clips.append(Clip("composed", keys[i], keys[i], f"composed:{i}", FPS, False, np.concatenate([xyz, seen], -1)))
    chosen = lambda rows: [vectors[rows[i][rows[i] >= 0]] for i in kept]  # noqa: E731
    return ComposedBank(clips, TextBank(chosen(names), chosen(descriptions)))


def _make(seeds: range) -> dict[str, np.ndarray]:
    """The arrays that are kept: `names` and `descriptions` are rows of `vectors`, padded with -1."""
    with ProcessPoolExecutor(initializer=os.nice, initargs=(5,)) as pool:
        made: list[Composed] = list(
            tqdm(pool.map(compose, seeds, chunksize=64), "composed motion", len(seeds), disable=None)
        )
    names = [[clip.texts.name, *clip.texts.paraphrases] for clip in made]
    described = [[clip.texts.description, clip.texts.arms, clip.texts.legs, clip.texts.torso] for clip in made]
    unique = sorted({text for group in names + described for text in group})
    row, encoder = {text: i for i, text in enumerate(unique)}, TextEncoder()
    parts = [unique[i : i + 256] for i in range(0, len(unique), 256)]
    vectors = np.concatenate([encoder.encode(part) for part in tqdm(parts, "their texts", disable=None)])
    return {
        "joints": np.concatenate([clip.joints[..., :3] for clip in made]).astype(np.float16),
        "off": np.cumsum([0, *(len(clip.joints) for clip in made)]),
        "keys": np.array([json.dumps(clip.key) for clip in made]),
        "vectors": vectors.astype(np.float16),
        "names": _rows(names, row),
        "descriptions": _rows(described, row),
    }


def _rows(groups: list[list[str]], row: dict[str, int]) -> np.ndarray:
    out = np.full((len(groups), max(map(len, groups))), -1)
    for i, group in enumerate(groups):
        out[i, : len(group)] = [row[text] for text in group]
    return out
