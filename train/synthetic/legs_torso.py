"""The motion of a composed meaning: the legs and the torso."""

from __future__ import annotations

import numpy as np

from edge_app.camera.person import moves
from edge_app.camera.person.kinematics import Body, mirror_pose
from edge_app.camera.person.motion import Phrase, Pose, Program, Step, Style
from edge_app.camera.person.poses import both, crouch, other, right
from train.synthetic.arms import LEG_CHANNELS, Move, cycle


def _only(program: Program, channels: tuple[str, ...], s: Style, b: Body, r: np.random.Generator) -> Phrase:
    """Some channels of a shipped program's phrase."""
    phrase = program(s, b, r)
    keep = lambda steps: tuple((d, {n: v for n, v in p.items() if n in channels}) for d, p in steps)  # noqa: E731
    return Phrase(keep(phrase.enter), keep(phrase.beat))


_LEGS_AND_BODY = (*LEG_CHANNELS, "air", "shift", "lean", "bend")
_ARMS_TOO = (
    *_LEGS_AND_BODY,
    *(f"{side}_{n}" for side in "rl" for n in ("lift", "plane", "turn", "elbow", "palm", "fist")),
)
_SHIPPED: dict[tuple[str, str], Program] = {
    ("gait", "walk"): moves.walk, ("gait", "march"): moves.march, ("gait", "run"): moves.run,
    ("gait", "sideways"): moves.side_step, ("jump", "up"): moves.jump, ("jump", "one leg"): moves.hop,
}  # fmt: skip


def legs(move: Move, s: Style, b: Body, r: np.random.Generator, natural: bool) -> Phrase:
    """The phrase of a leg move; where `natural`, walking, running and jumping move the arms as well."""
    if program := _SHIPPED.get((move.what, move.way)):
        phrase = _only(program, _ARMS_TOO if natural else _LEGS_AND_BODY, s, b, r)
        return phrase if move.times == "repeatedly" else Phrase((*phrase.enter, *phrase.beat))
    start, steps, balance = _leg_cycle(move, s, b, r)
    start, steps = {**balance, **start}, [(d * float(np.exp(r.normal(0, 0.08))), pose) for d, pose in steps]
    if move.who == "alternate":
        steps = [*steps, *((d, mirror_pose(pose)) for d, pose in steps)]
    if move.times == "held":
        steps, start = [], {**start, **steps[0][1]}
    return cycle(move.times, start, steps, 0.9 if move.times == "held" else 0.3)


def _leg_cycle(move: Move, s: Style, b: Body, r: np.random.Generator) -> tuple[Pose, list[Step], Pose]:
    """A start, the steps from it and back, and what else makes it plausible. The first step is what is held."""
    a = s.amplitude
    stand = {**both(right(thigh=0.0, knee=2.0, ankle=0.0, out=4.0)), "shift": 0.0, "lean": 0.0}

    def there_and_back(
        pose: Pose, go: float = 0.5, wait: float = 0.12, via: Pose | None = None
    ) -> tuple[Pose, list[Step], Pose]:
        middle = [(0.5 * go, {**stand, **via})] if via else []
        return stand, [(go, {**stand, **pose}), (wait, {}), *middle, (go, stand), (0.1, {})], {}

    match move.what, move.way:
        case "bend", depth:
            knee = r.uniform(42, 58) if depth == "slightly" else r.uniform(95, 116)
            apart = r.uniform(4, 7)
            low, high = ({**crouch(k, apart=apart, toe=12.0), "bend": 0.4 * k} for k in (knee, 3.0))
            time = 0.4 if depth == "slightly" else 0.62
            return high, [(time, low), (0.12, {}), (time, high), (0.1, {})], {}
        case "step", way:
            lift = right(thigh=24.0, knee=44.0)
            land = {"forward": {**right(thigh=24 * a, knee=4.0), **other(right(thigh=-16 * a, knee=4.0))},
                    "backward": {**right(thigh=-20 * a, knee=6.0), **other(right(thigh=18 * a, knee=8.0))},
                    "sideways": {**both(right(out=15 * a)), "r_thigh": 2.0}}[way]  # fmt: skip
            start, (first, wait, _home, rest), more = there_and_back(land, 0.34, 0.2)
            return start, [first, wait, (0.2, {**stand, **lift}), (0.22, stand), rest], more
        case "gait", _:  # heels to the hips
            up = {**right(thigh=-4.0, knee=min(125, 112 * a)), "air": 0.0}
            down = both(right(thigh=4.0, knee=10.0))
            return down, [(0.22, up), (0.16, down)], {}
        case "knee", _:
            pose = {**right(thigh=min(106, 88 * a), knee=94.0, ankle=12.0), "shift": -2.5, "lean": -2.0}
            return there_and_back(pose, 0.42)
        case "kick", way:
            kicks = {
                "forward": ({**right(thigh=72 * a, knee=95.0)}, {**right(thigh=78 * a, knee=8.0)}),
                "sideways": ({**right(thigh=46.0, knee=92.0, out=28.0), "lean": -12.0},
                             {**right(thigh=4.0, knee=4.0, out=56 * a), "lean": -24.0}),
                "backward": ({**right(thigh=45.0, knee=85.0)}, {**right(thigh=-36.0, knee=10.0)}),
            }  # fmt: skip
            load, out = ({**stand, "shift": -2.5, **p} for p in kicks[way])
            return stand, [(0.3, load), (0.16, out), (0.1, {}), (0.22, load), (0.32, stand), (0.2, {})], {}
        case "leg", way:
            pose = {"forward": right(thigh=60 * a, knee=5.0), "sideways": {**right(out=40 * a, knee=2.0), "lean": -6.0},
                    "backward": right(thigh=-36.0, knee=6.0)}[way]  # fmt: skip
            return there_and_back({"shift": -2.5, **pose}, 0.6)
        case "leg swing", _:
            ahead, behind = ({**stand, **right(thigh=t * a, knee=10.0), "shift": -2.5} for t in (44, -32))
            return behind, [(0.45, ahead), (0.45, behind)], {}
        case "lunge", "forward":
            low = {
                **right(thigh=66 + 8 * a, knee=80.0),
                **other(right(thigh=-14.0, knee=74 * a, ankle=-35.0)),
                "bend": 6.0,
            }
            up = {**right(thigh=44.0, knee=58.0), "l_knee": 4.0}
            return there_and_back(low, 0.6, 0.2, up)
        case "lunge", _:
            low = {**right(out=22.0, toe=24.0, thigh=62.0, knee=84.0), **other(right(out=44.0, knee=2.0)), "bend": 22.0}
            return there_and_back(low, 0.65, 0.2)
        case "jump", _:  # apart and together
            wide = {**both(right(out=18 * a, knee=10.0, thigh=5.0)), "air": 0.0}
            shut = {**both(right(out=3.0, knee=10.0, thigh=5.0)), "air": 0.0}
            hop = {**both(right(out=10.0, knee=4.0, thigh=2.0)), "air": 0.06 * a}
            return shut, [(0.14, hop), (0.15, wide), (0.06, {}), (0.14, hop), (0.15, shut), (0.06, {})], {}
        case "heels", _:
            return stand, [(0.4, {**stand, **both(right(ankle=38.0))}), (0.15, {}), (0.4, stand), (0.1, {})], {}
        case "foot behind", _:
            return there_and_back({**right(thigh=-6.0, knee=132.0), "shift": -2.5})
        case "stance", "wide":
            return there_and_back(both(right(out=r.uniform(14, 21), knee=2.0)))
        case "stance", _:
            return there_and_back({**right(thigh=23.0, knee=8.0), **other(right(thigh=-18.0, knee=4.0))})
    raise ValueError(f"no leg movement {move.what!r} with way {move.way!r}")


def torso(move: Move, s: Style, b: Body, r: np.random.Generator, seated: bool, free: bool) -> Phrase:
    """The phrase of a move of the torso or the head; `free` arms go along with a bow."""
    a = s.amplitude

    def back_and_forth(pose: Pose, go: float, wait: float = 0.15) -> tuple[Pose, list[Step]]:
        rest = {"bend": 3.0, **both(right(lift=24.0 if seated else 11.0, plane=15.0 if seated else 60.0))}
        zero = {name: rest.get(name, 0.0) for name in pose}
        return zero, [(go, pose), (wait, {}), (go, zero), (0.1, {})]

    match move.what, move.way:
        case "bend", depth:
            deep = r.uniform(22, 30) if depth == "slightly" else r.uniform(62, 82) * (0.7 if seated else 1)
            pose: dict[str, float] = {"bend": deep, "nod": 6.0}
            if free:
                pose |= both(right(lift=(28.0 if seated else 8.0) + 0.78 * deep, plane=10.0))
            if not seated:
                pose |= both(right(thigh=-0.14 * deep, knee=0.05 * deep))
            start, steps = back_and_forth(pose, 0.45 if depth == "slightly" else 0.75)
        case "lean", "back":
            start, steps = back_and_forth({"bend": -22 * a, "nod": -10.0}, 0.6)
        case "lean", _:
            sides = {k: {"lean": 26.0 * a * k, "shift": -3.0 * k * (not seated), "tilt": 5.0 * k} for k in (-1, 1)}
            start, steps = back_and_forth(sides[-1], 0.65)
            if move.way == "sides":
                start, steps = sides[-1], [(0.8, sides[1]), (0.8, sides[-1])]
        case "twist", _:
            ends = [{"twist": k * 38 * a, "look": k * 12.0} for k in (1, -1)]
            start, steps = back_and_forth(ends[0], 0.6)
            if move.way == "sides":
                start, steps = ends[0], [(0.5, ends[1]), (0.5, ends[0])]
        case "sway", _:
            ends = [{"shift": k * 5.5 * a, "lean": k * 5.0 * a} for k in (1, -1)]
            start, steps = ends[0], [(0.6, ends[1]), (0.6, ends[0])]
        case "nod", _:
            start, steps = {"nod": -6.0}, [(0.25, {"nod": 24 * a}), (0.27, {"nod": -6.0})]
        case "shake", _:
            start, steps = {"look": 34 * a}, [(0.32, {"look": -34 * a}), (0.32, {"look": 34 * a})]
        case "look around", _:
            start, steps = {"look": 56 * a, "twist": 8.0}, [(0.8, {"look": -56 * a, "twist": -8.0}), (0.2, {}),
                                                           (0.8, {"look": 56 * a, "twist": 8.0})]  # fmt: skip
        case "head", way:
            pose = {
                "down": {"nod": 36 * a},
                "up": {"nod": -36 * a},
                "side": {"look": 58 * a},
                "tilt": {"tilt": 28 * a},
            }[way]
            start, steps = back_and_forth(pose, 0.45)
        case _:
            raise ValueError(f"no torso movement {move.what!r} with way {move.way!r}")
    if move.times == "held":
        start, steps = steps[0][1], []
    return cycle(move.times, start, steps, 0.8 if move.times == "held" else 0.4)
