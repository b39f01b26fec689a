"""Composed motion in bulk: clips of `train.synthetic.compose` with the embeddings of their texts, made once and kept."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from edge_app.bundles.files import whole
from edge_app.ranker.labels.actions import Action
from edge_app.ranker.labels.text_encoder import TextEncoder
from train.data.clips import Bank, Clip
from train.data.texts import TextBank
from train.synthetic.compose import Composed, compose
from train.synthetic.named_actions import NAMED
from train.synthetic.person_clips import concept_of

FPS = 24.0
DRAWN_FPS = 15.0
EDITION = 3
"""Grows when `compose` gives something else for the same seed: what was kept is then made anew."""

RELATED_MOVES: dict[str, tuple[str, ...]] = {
    "baseball pitch": ("throw overarm",),
    "baseball swing": ("bat", "swing chest"),
    "bench press": ("lying press",),
    **dict.fromkeys(
        [f"body letter {letter}" for letter in "ackmpxy"],
        ("raise side up", "raise up side", "hold side up", "hold up", "stance wide"),
    ),
    "bow": ("bend deeply", "bend slightly", "reach feet", "reach floor"),
    "bowl": ("throw underarm", "underarm lunge"),
    "call someone over": ("wave", "pull in", "curl"),
    "carry": ("lift overhead", "pick up"),
    "catch": ("clap chest", "hold front"),
    "clap": ("clap",),
    "clean and jerk": ("lift overhead", "push up"),
    "dance": ("sway", "twist", "gait sideways"),
    "draw circle": ("circle",),
    **dict.fromkeys([f"draw {shape}" for shape in ("letter a", "letter c", "letter k", "letter m", "triangle", "tick", "x")], ("stroke",)),
    "drop": ("open", "push down"),
    "fly like an airplane": ("raise side", "hold side"),
    "golf swing": ("bat low", "swing low"),
    "guide": ("swing", "step forward"),
    "hammer": ("chop", "chop down", "shake"),
    "jump": ("jump",),
    "jump rope": ("jump", "roll"),
    "jumping jack": ("jumping jack", "jump apart"),
    "kick forward": ("kick forward", "leg forward", "leg swing"),
    "kick sideways": ("kick sideways", "leg sideways", "leg swing"),
    "lean to the side": ("lean",),
    "pick up": ("pick up", "reach floor", "reach feet", "floor reach", "bend deeply"),
    "pick up and throw": ("pick up", "throw"),
    "point": ("hold forward", "raise forward", "push forward"),
    "pull": ("pull", "row", "bent pull"),
    "pull up": ("pull up", "stay hang"),
    "punch": ("push forward", "hold forward", "raise forward"),
    "signal stop": ("push forward", "hold forward", "raise forward"),
    "push": ("push",),
    "push up": ("push up", "stay plank"),
    "put on clothes": ("cross", "pull down", "pull up"),
    "take off clothes": ("cross", "pull down", "pull up"),
    "raise arm to the side": ("raise side", "hold side"),
    "raise hand": ("raise up", "hold up", "wave"),
    "raise both hands": ("raise up", "hold up", "wave"),
    "respond": ("raise up", "hold up", "wave"),
    "run": ("gait run", "knee"),
    "sit down": ("sit down", "bend deeply"),
    "sit up": ("sit up", "get up"),
    "slash": ("chop", "chop down", "swing"),
    "squat": ("bend deeply", "sit down", "reach floor"),
    "stand up": ("stand up", "get up"),
    "strum guitar": ("stroke belly", "stroke waist", "rub belly"),
    "swipe": ("swing", "push side"),
    "tennis forehand": ("swing", "bat"),
    "tennis serve": ("throw overarm", "chop"),
    "throw": ("throw", "chop", "chop down"),
    "walk": ("gait", "step forward"),
    "walk and turn": ("gait", "turn around"),
    "walk backwards": ("step backward", "gait walk"),
    "walk sideways": ("gait sideways", "step sideways"),
    "wave one hand": ("wave",),
    "wave both hands": ("wave",),
}  # fmt: skip
"""Concept -> how the moves begin (what, then way) that show it or nearly so: to withhold the one is to withhold these."""


class ComposedBank:
    """Clips, their texts (one row a clip), and `bank.concept`, which is equal for equal meanings."""

    def __init__(self, clips: list[Clip], texts: TextBank) -> None:
        self.bank, self.texts = Bank(clips), texts

    def with_parts(self) -> ComposedBank:
        """The same clips, the texts with parts (`TextBank.with_parts`)."""
        told = copy.copy(self)
        told.texts = self.texts.with_parts()
        return told


def shows(key: list[Any], concept: str) -> bool:
    """Whether a composed clip with this key shows a concept, or something of its kin."""
    moves = [part for part in key if not isinstance(part, str) and part]
    return any(f"{what} {way}".startswith(kin) for what, way, *_ in moves for kin in RELATED_MOVES.get(concept, ()))


def seen_clips(
    clips: Iterable[Clip], left_out: Iterable[str], withheld: Iterable[str], held_people: Iterable[str] = ()
) -> list[Clip]:
    """Clips that training may see: of no set that is left out, no withheld concept nor composed kin, no held person."""
    left_out, withheld, people = set(left_out), set(withheld), set(held_people)
    kin = {name for name, meanings in NAMED.items() for m in meanings for c in withheld if shows([*m.key], c)}
    return [
        clip
        for clip in clips
        if clip.dataset not in left_out
        and clip.concept not in withheld
        and clip.subject not in people
        and not (clip.dataset == "named" and clip.concept in kin)
    ]


def load_generated(
    count: int, seed: int, cache: Path, drawn: Path | None, withheld: Iterable[str]
) -> tuple[ComposedBank | None, list[Clip]]:
    """Composed motion, drawn or not, and the generator's actions as they were filmed; nothing for a count of 0."""
    if not count:
        return None, []
    composed = load_composed(count, seed, cache, withheld)
    if drawn is None:
        return composed, []
    filmed, more = load_drawn(sorted(drawn.glob("?????.npz")), withheld)
    return joined(composed, more), filmed


def load_composed(count: int, seed: int, folder: Path, without: Iterable[str] = ()) -> ComposedBank:
    """`count` composed clips but for those that show a concept in `without`; kept in `folder` for the next time."""
    path = folder / f"composed-{EDITION}-{seed}-{count}.npz"
    if not path.is_file():
        with whole(path) as partial:
            np.savez(partial, **_make(range(seed * 1_000_000, seed * 1_000_000 + count)))
    with np.load(path) as saved:
        joints, off, keys, vectors = saved["joints"], saved["off"], saved["keys"].tolist(), saved["vectors"]
        rows = {"names": saved["names"], "descriptions": saved["descriptions"]}
    clips = []
    for i, key in enumerate(keys):
        xyz = joints[off[i] : off[i + 1]].astype(np.float32)
        seen = np.ones((*xyz.shape[:2], 1), np.float32)
        clips.append(Clip("composed", key, key, f"composed:{i}", FPS, False, np.concatenate([xyz, seen], -1)))
    return _bank(clips, vectors, **rows, without=without)


def load_drawn(files: list[Path], without: Iterable[str] = ()) -> tuple[list[Clip], ComposedBank]:
    """What `train draw` made: clips of the generator's actions, and composed clips, both as MediaPipe saw them."""
    without = set(without)
    acted: list[Clip] = []
    composed: list[Clip] = []
    texts = []
    for path in files:
        with np.load(path) as saved:
            joints, t_s, off = saved["joints"], saved["t_s"], saved["off"]
            actions, seeds = saved["action"].tolist(), saved["seed"].tolist()
        for i, (action, seed) in enumerate(zip(actions, seeds, strict=True)):
            t, seen = t_s[off[i] : off[i + 1]], joints[off[i] : off[i + 1]]
            if len(t) < 12 or len(t) < 0.7 * DRAWN_FPS * (t[-1] - t[0]):
                continue
            even = np.arange(t[0], t[-1] + 1e-6, 1 / DRAWN_FPS)
            after = np.searchsorted(t, even - 1e-4).clip(1, len(t) - 1)
            part = ((even - t[after - 1]) / (t[after] - t[after - 1]))[:, None, None].astype(np.float32)
            seen = seen[after - 1] * (1 - part) + seen[after] * part
            if action:
                concept, name = concept_of(action), action
            else:
                made = compose(seed)
                concept = name = json.dumps(made.key)
                texts.append(made.texts)
            clip = Clip("drawn", name, concept, f"drawn:{seed}", DRAWN_FPS, False, seen, filmed=True)
            (acted if action else composed).append(clip)
    return [clip for clip in acted if clip.concept not in without], _bank(composed, **_embed(texts), without=without)


def joined(one: ComposedBank, other: ComposedBank) -> ComposedBank:
    return ComposedBank(one.bank.clips + other.bank.clips, TextBank.joined(one.texts, other.texts))


def _bank(
    clips: list[Clip], vectors: np.ndarray, names: np.ndarray, descriptions: np.ndarray, without: Iterable[str]
) -> ComposedBank:
    without = tuple(without)
    kept = [i for i, clip in enumerate(clips) if not any(shows(json.loads(clip.name), one) for one in without)]
    chosen = lambda rows: [vectors[rows[i][rows[i] >= 0]].astype(np.float32) for i in kept]  # noqa: E731
    return ComposedBank([clips[i] for i in kept], TextBank(chosen(names), chosen(descriptions)))


def _make(seeds: range) -> dict[str, Any]:
    with ProcessPoolExecutor(initializer=os.nice, initargs=(5,)) as pool:
        made: list[Composed] = list(
            tqdm(pool.map(compose, seeds, chunksize=64), "composed motion", len(seeds), disable=None)
        )
    return {
        "joints": np.concatenate([clip.joints[..., :3] for clip in made]).astype(np.float16),
        "off": np.cumsum([0, *(len(clip.joints) for clip in made)]),
        "keys": np.array([json.dumps(clip.key) for clip in made]),
        **_embed([clip.texts for clip in made]),
    }


def _embed(texts: list[Action]) -> dict[str, np.ndarray]:
    """Vectors of all texts, each once; `names` and `descriptions`: each clip's rows of them, padded with -1."""
    names = [[t.name, *t.paraphrases] for t in texts]
    described = [[t.description, t.arms, t.legs, t.torso] for t in texts]
    unique = sorted({text for group in names + described for text in group})
    row, encoder = {text: i for i, text in enumerate(unique)}, TextEncoder()
    parts = [unique[i : i + 256] for i in range(0, len(unique), 256)]
    vectors = np.concatenate([encoder.encode(part) for part in tqdm(parts, "their texts", disable=None)])
    return {"vectors": vectors.astype(np.float16), "names": _rows(names, row), "descriptions": _rows(described, row)}


def _rows(groups: list[list[str]], row: dict[str, int]) -> np.ndarray:
    out = np.full((len(groups), max(map(len, groups))), -1)
    for i, group in enumerate(groups):
        out[i, : len(group)] = [row[text] for text in group]
    return out


RIVALS = 256
"""Texts that a composed window is compared with, its own and those of its batch among them."""


def composed_rivals(
    composed: ComposedBank, picked: np.ndarray, rng: np.random.Generator, count: int = RIVALS
) -> tuple[np.ndarray, torch.Tensor]:
    """Texts to tell composed windows by, the window's own at its place: `[R, E]`; and which to pass over, `[B, R]`.

    Passed over are texts of other clips that mean the same.
    """
    more = rng.choice(len(composed.bank), count - len(picked))
    rows = np.concatenate([picked, more])
    meaning = composed.bank.concept[rows]
    same = meaning[: len(picked), None] == meaning[None]
    np.fill_diagonal(same, False)
    return composed.texts.sample(rows, rng), torch.from_numpy(same)
