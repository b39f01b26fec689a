"""A small data set in NTU RGB+D's own format, to try the training code on before you have the real one.

    python examples/ntu_sample.py cache/ntu-drawn

The person is drawn (`person://`), as 25 joints in metres, seen by the sensor from 3 m. Twelve of NTU's 60 actions, two
people each. The motions are ours: what is measured on them says nothing about NTU.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from edge_app.camera import open_source
from edge_app.camera.person.kinematics import INDEX

ACTIONS = {
    1: "drink", 2: "eat", 3: "brush teeth", 6: "pick up", 8: "sit down", 9: "stand up", 10: "clap", 23: "wave",
    24: "kick", 27: "jump", 31: "point", 38: "salute",
}  # fmt: skip
"""What the drawn person does for each of NTU's numbers."""

ARM, LEG = ("shoulder", "elbow", "wrist", "finger"), ("hip", "knee", "ankle", "toe")
ORDER = [
    "pelvis", "spine", "neck", "skull", *(f"{side}_{joint}" for side in "lr" for joint in ARM),
    *(f"{side}_{joint}" for side in "lr" for joint in LEG), "neck", "l_index", "l_thumb", "r_index", "r_thumb",
]  # fmt: skip
"""Our joints in NTU's order; we have one neck where NTU has two points."""


def acted(action: str, seed: int) -> np.ndarray:
    """Float array `[frames, 25, 3]`: metres, x to the person's right, y up, z away from the sensor."""
    with open_source(f"person://{action}?seconds=2&idle=0&fps=30&seed={seed}", realtime=False) as source:
        joints = source.joints  # the truth behind the pictures
    return joints[:, [INDEX[name] for name in ORDER]] + [0.0, -0.9, 3.0]


def skeleton_text(joints: np.ndarray) -> str:
    """A `.skeleton` file: the number of frames; for each, one body and its 25 joints."""
    lines = [str(len(joints))]
    for frame in joints:
        lines += ["1", "72057594037931101 0 1 1 0 1 0 0 0 2", str(len(frame))]
        lines += [f"{x:.7g} {y:.7g} {z:.7g} 0 0 0 0 0 0 0 1 2" for x, y, z in frame]
    return "\n".join(lines) + "\n"


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, action in ACTIONS.items():
        for subject in (1, 3):  # of NTU's two halves: one to train on, one to test
            name = f"S001C001P{subject:03d}R001A{number:03d}.skeleton"
            (folder / name).write_text(skeleton_text(acted(action, seed=subject)))
    print(f"{folder}: {2 * len(ACTIONS)} clips of {len(ACTIONS)} actions in NTU's format")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python examples/ntu_sample.py FOLDER")
    main(Path(sys.argv[1]))
