"""Everything that the default model is trained on, as clips."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from edge_app.errors import UsageError
from train.data.clips import SETS, Clip, listed, load_concepts, load_set, sets_in, split_fall, trim_idle
from train.synthetic.named_actions import named_clips
from train.synthetic.person_clips import generated_clips


def load_training_clips(folder: Path, *, sets: str = "", generated: int, named: int, seed: int) -> list[Clip]:
    """The sets at hand, `generated` clips of each of the generator's actions, `named` of each composed action.

    Args:
        sets: names, comma-separated; all that are there without any.

    Raises:
        UsageError: no `concepts.csv`, none of the sets is there, or a set that there is not.
    """
    wanted = set(listed(sets))
    if wanted - set(SETS):
        raise UsageError(f"--sets {sets}: {sorted(wanted - set(SETS))[0]} is none; allowed are {', '.join(SETS)}")
    return load_sets(folder, seed, wanted or SETS) + generated_clips(generated, seed) + named_clips(named, seed)


def load_sets(folder: Path, seed: int, wanted: Collection[str] = SETS) -> list[Clip]:
    """Clips of every wanted set that is in the folder, mended and capped as its `Quirks` say."""
    if not (folder / "concepts.csv").is_file():
        raise UsageError(f"--data {folder}: no concepts.csv there; expected a folder of core15 npz sets with one")
    concepts = load_concepts(folder / "concepts.csv")
    names = [name for name in sets_in(folder) if name in wanted]
    if not names:
        raise UsageError(f"--data {folder}: no set there; expected some of {', '.join(f'{n}.npz' for n in SETS)}")
    clips: list[Clip] = []
    for name in names:
        quirks = SETS[name]
        for clip in capped(load_set(folder / f"{name}.npz", concepts), quirks.most, seed):
            if clip.name in quirks.falls:
                clips += split_fall(clip)
            else:
                clips.append(trim_idle(clip) if quirks.idle else clip)
    return clips


def capped(clips: Iterable[Clip], most: int | None, seed: int) -> list[Clip]:
    """At most so many clips of each label, drawn by `seed`, in their old order."""
    clips = list(clips)
    if most is None:
        return clips
    rows: dict[str, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        rows[clip.name].append(i)
    rng = np.random.default_rng([seed, 29])
    kept = [i for own in rows.values() for i in rng.permutation(own)[:most]]
    return [clips[i] for i in sorted(kept)]
