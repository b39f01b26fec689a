"""Motion from the program's own generator, as clips."""

from __future__ import annotations

import numpy as np

from edge_app.camera.person import ACTIONS, Body, Style, core15, perform
from edge_app.ranker.labels.actions import find_action
from train.data.clips import Clip, trim_idle

FPS = 24.0
FALLS = ("fall forward", "fall backward", "fall sideways")


def concept_of(action: str) -> str:
    """The concept of a generated action: its entry in the shipped table, so that it meets the data sets' names."""
    if action in FALLS:
        return "fall down"
    known = find_action(action)
    return known.name if known else action


def generated_clips(count: int, seed: int) -> list[Clip]:
    """`count` clips of each of the generator's actions, 2 to 5 seconds long, each another style, body and side."""
    clips = []
    for a, (action, program) in enumerate(ACTIONS.items()):
        for i in range(count):
            number = (seed * 1000 + a) * 10_000 + i
            seconds = float(np.random.default_rng([number, 3]).uniform(2.0, 5.0))
            joints = core15(perform(action, seconds, FPS, style=Style.random(number), body=Body.random(number)))
            seen = np.ones((*joints.shape[:2], 1), np.float32)
            joints = np.concatenate([joints.astype(np.float32), seen], axis=-1)
            clip = Clip("generated", action, concept_of(action), f"generated:{i}", FPS, False, joints)
            moves_on = program.starts != "stand" or program.ends != "stand"
            clips.append(trim_idle(clip) if moves_on else clip)
    return clips
