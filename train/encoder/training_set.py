"""Everything that the default model is trained on, as clips."""

from __future__ import annotations

from pathlib import Path

from edge_app.errors import UsageError
from train.data.clips import CORE15_SETS, Clip, load_concepts, load_set, trim_idle
from train.synthetic.named_actions import named_clips
from train.synthetic.person_clips import generated_clips


def load_training_clips(folder: Path, *, generated: int, named: int, seed: int) -> list[Clip]:
    """The visible sets, `generated` clips of each of the generator's actions, `named` of each composed action."""
    if not (folder / "concepts.csv").is_file():
        raise UsageError(f"--data {folder}: no concepts.csv there; expected a folder of core15 npz sets with one")
    concepts = load_concepts(folder / "concepts.csv")
    clips: list[Clip] = []
    for name in CORE15_SETS:
        loaded = load_set(folder / f"{name}.npz", concepts)
        clips += [trim_idle(clip) for clip in loaded] if name == "kinder_gator" else loaded
    return clips + generated_clips(generated, seed) + named_clips(named, seed)
