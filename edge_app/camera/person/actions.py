"""What the drawn person can do, by label."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_app.camera.person import gestures, moves
from edge_app.camera.person.kinematics import Body, forward
from edge_app.camera.person.motion import Program, Style, Timeline
from edge_app.camera.person.poses import SEAT

Where = Literal["stand", "seat", "floor"]


@dataclass(frozen=True, slots=True)
class Action:
    """A program, and where the person is when it begins and ends."""

    program: Program
    starts: Where = "stand"
    ends: Where = "stand"


ACTIONS: dict[str, Action] = {
    "stand": Action(moves.stand),
    "wave": Action(gestures.wave),
    "wave both hands": Action(gestures.wave_both),
    "clap": Action(gestures.clap),
    "clap overhead": Action(gestures.clap_overhead),
    "raise hand": Action(gestures.raise_hand),
    "raise both hands": Action(gestures.raise_both),
    "punch": Action(gestures.punch),
    "kick": Action(moves.kick_forward),
    "kick sideways": Action(moves.kick_sideways),
    "jump": Action(moves.jump),
    "jumping jack": Action(moves.jumping_jack),
    "squat": Action(moves.squat),
    "bow": Action(moves.bow),
    "sit down": Action(moves.sit_down, ends="seat"),
    "stand up": Action(moves.stand_up, starts="seat"),
    "walk in place": Action(moves.walk),
    "run in place": Action(moves.run),
    "march": Action(moves.march),
    "throw": Action(gestures.throw),
    "point": Action(gestures.point),
    "drink": Action(gestures.drink),
    "eat": Action(gestures.eat),
    "brush teeth": Action(gestures.brush_teeth),
    "phone call": Action(gestures.phone_call),
    "fall down": Action(moves.fall(""), ends="floor"),
    "fall forward": Action(moves.fall("forward"), ends="floor"),
    "fall backward": Action(moves.fall("backward"), ends="floor"),
    "fall sideways": Action(moves.fall("sideways"), ends="floor"),
    "pick up": Action(moves.pick_up),
    "lunge": Action(moves.lunge),
    "arm circles": Action(gestures.arm_circles),
    "salute": Action(gestures.salute),
    "push up": Action(moves.push_up, ends="floor"),
    "cross arms": Action(gestures.cross_arms),
    "hands on hips": Action(gestures.hands_on_hips),
    "turn around": Action(moves.turn_around),
    "check watch": Action(gestures.check_watch),
    "touch head": Action(gestures.touch_head),
    "scratch head": Action(gestures.scratch_head),
    "lean sideways": Action(moves.lean_side),
    "dance": Action(moves.dance),
    "golf swing": Action(gestures.golf_swing),
    "shoot a ball": Action(gestures.shoot_ball),
    "push": Action(gestures.push),
    "beckon": Action(gestures.beckon),
    "shrug": Action(gestures.shrug),
    "nod": Action(gestures.nod),
    "shake head": Action(gestures.shake_head),
    "stretch": Action(gestures.stretch),
    "hop on one leg": Action(moves.hop),
    "raise knee": Action(moves.raise_knee),
    "side step": Action(moves.side_step),
}
"""Every action by its label."""

RETURN: dict[str, Action] = {"seat": ACTIONS["stand up"], "floor": Action(moves.get_up, starts="floor")}
"""How to come back to standing from where an action ends."""

START: dict[str, dict[str, float]] = {"stand": {}, "seat": SEAT, "floor": {"pitch": -88.0}}
"""The pose that an action starts from, where it is not standing at ease."""


def perform(
    action: str, seconds: float, fps: float, *, style: Style | None = None, body: Body | None = None
) -> np.ndarray:
    """Act one action. The same arguments always give the same joints.

    Returns joints, float64 `[T, J, 3]` in metres as `kinematics.JOINTS`, T = round(seconds * fps); the last pose is
    held, or the action cut, to fill that exactly.

    Raises:
        KeyError: no such action in `ACTIONS`.
    """
    style, body = style or Style(), body or Body()
    chosen = ACTIONS[action]
    timeline = Timeline(style, START[chosen.starts])
    rng = np.random.default_rng([style.seed, 4])
    timeline.lay(chosen.program(style, body, rng), seconds, rng)
    times = np.arange(round(seconds * fps)) / fps
    return forward(timeline.channels(times, max(seconds, 20.0)), body)
