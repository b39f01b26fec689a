"""What the drawn person can do: one small program an action, for the right side, as steps of joint angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from edge_app.person.kinematics import Body, facing, reach, rotation
from edge_app.person.motion import Phrase, Pose, Style

Program = Callable[[Style, Body, np.random.Generator], Phrase]
Where = Literal["stand", "seat", "floor"]

FRONT, IN, UP, DOWN, BACK = (0, 0, -1), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1)


@dataclass(frozen=True, slots=True)
class Action:
    """A program, and the state it begins and ends in. `moves` names the joints that make the action."""

    program: Program
    starts: Where = "stand"
    ends: Where = "stand"


def right(**channels: float) -> dict[str, float]:
    return {f"r_{name}": value for name, value in channels.items()}


def other(pose: Pose) -> dict[str, float]:
    """The same for the left side."""
    return {"l_" + name[2:] if name.startswith("r_") else name: value for name, value in pose.items()}


def both(pose: Pose) -> dict[str, float]:
    return {**pose, **other(pose)}


def spot(body: Body, x: float, y: float, front: float) -> np.ndarray:
    """A point before the chest, in metres of an average body, from the neck: right, up, forward."""
    return body.scale * np.array([x, y, -front])


def hand(body: Body, point: np.ndarray, palm: tuple[float, float, float] = IN, out: float = 30, **more: float) -> dict[str, float]:
    """The right wrist at a point of the chest's frame, the palm towards a direction."""
    return {**facing(reach(body, point, out), palm), **right(**{"wrist": 0.0, **more})}


def arm(lift: float, plane: float, turn: float = 0, elbow: float = 10, palm: tuple[float, float, float] = IN, **more: float) -> dict[str, float]:
    return {**facing(right(lift=lift, plane=plane, turn=turn, elbow=elbow), palm), **right(**{"wrist": 0.0, **more})}


def crouch(knee: float, lean: float = 0.42) -> dict[str, float]:
    """Both knees bent over planted feet, the pelvis going back and the trunk forward to stay in balance."""
    shin = min(0.4 * knee, 30.0)
    return {**both(right(thigh=knee - shin, knee=knee)), "bend": 3 + lean * knee}


def step_leg(thigh: float, knee: float, ankle: float = 0, **more: float) -> dict[str, float]:
    return right(thigh=thigh, knee=knee, ankle=ankle, **more)


STRAIGHT = both(right(thigh=0.0, knee=0.0, ankle=0.0))
HANG = both(right(lift=10.0, plane=60.0, turn=0.0, elbow=15.0, palm=10.0, wrist=0.0, fist=0.2))
SEAT: dict[str, float] = {
    **both(right(thigh=88.0, knee=88.0, out=7.0, toe=8.0)),
    "bend": 2.0,
    **both(right(lift=24.0, plane=15.0, turn=-8.0, elbow=60.0, palm=-60.0, wrist=0.0, fist=0.1)),
}
START: dict[str, dict[str, float]] = {"stand": {}, "seat": SEAT}


def stand(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    beats: list[tuple[float, Pose]] = []
    for _ in range(4):
        shift, look = r.uniform(1, 4) * r.choice([-1, 1]), r.uniform(-28, 28)
        beats += [(r.uniform(0.8, 1.4), {"shift": shift, "lean": 0.4 * shift}), (r.uniform(0.5, 0.9), {"look": look, "nod": r.uniform(-4, 8)})]
        beats += [(r.uniform(0.6, 1.5), {})]
    return Phrase(beat=(*beats, (1.0, {"shift": 0.0, "lean": 0.0, "look": 0.0})))


def _waving(s: Style, r: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    high = r.uniform(0, 1)
    lift, elbow = 55 + 55 * high, 115 - 70 * high
    swing = 24 * s.amplitude
    turn = 72 - 12 * high
    return arm(lift, 75, turn - swing, elbow + 8, FRONT, fist=0.0), arm(lift, 78, turn + swing, elbow - 22 * s.amplitude, FRONT, fist=0.0)


def wave(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    inward, outward = _waving(s, r)
    return Phrase(((0.6, inward),), ((0.28, outward), (0.28, inward)), 0.7)


def wave_both(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    inward, outward = _waving(s, r)
    first, second = {**inward, **other(inward)}, {**outward, **other(outward)}
    if r.random() < 0.4:
        first, second = {**inward, **other(outward)}, {**outward, **other(inward)}
    return Phrase(((0.65, first),), ((0.3, second), (0.3, first)), 0.7)


def clap(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    height, front = r.uniform(-0.28, -0.12), r.uniform(0.26, 0.34)
    shut = both(hand(b, spot(b, 0.042, height, front), IN, 30, wrist=-24.0, fist=0.0))
    gap = 0.13 * s.amplitude
    wide = both(hand(b, spot(b, 0.05 + gap, height - 0.01, front), IN, 35, wrist=-22.0, fist=0.0))
    return Phrase(((0.5, wide),), ((0.14, shut), (0.05, {}), (0.2, wide)), 0.6)


def clap_overhead(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    shut = both(hand(b, b.head_point(0.3, 3.6, 0.7), IN, 75, wrist=-8.0, fist=0.0))
    wide = both(arm(165 - 45 * s.amplitude, 80, 50, 20, IN, fist=0.0))
    return Phrase(((0.7, wide),), ((0.28, shut), (0.3, wide)), 0.8)


def raise_hand(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = arm(min(178, 168 * s.amplitude), r.uniform(20, 80), 20, r.uniform(4, 25), FRONT, fist=0.0)
    return Phrase(((0.75, up),), (), 0.8, hold=True)


def raise_both(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = both(arm(min(178, 166 * s.amplitude), r.uniform(30, 85), 20, r.uniform(4, 22), FRONT, fist=0.0))
    return Phrase(((0.85, up),), (), 0.9, hold=True)


def _guard(b: Body) -> dict[str, float]:
    ready = both(hand(b, spot(b, 0.13, 0.0, 0.25), IN, 18, fist=1.0))
    return {**ready, **crouch(18), "twist": 0.0, "nod": 6.0}


def punch(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    guard = _guard(b)
    turn = 24 * s.amplitude
    ahead = rotation("y", -turn - 6) @ spot(b, -0.02, 0.0, 0.6)
    fist = hand(b, ahead, DOWN, 45, fist=1.0)
    hit = {**fist, "twist": -turn, "yaw": -6.0}
    jab = {**other(fist), "twist": turn, "yaw": 6.0}
    home = {**guard, "yaw": 0.0}
    return Phrase(((0.5, guard),), ((0.17, jab), (0.22, home), (0.1, {}), (0.19, hit), (0.25, home), (0.15, {})), 0.7)


def kick_forward(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    guard = _guard(b)
    high = 68 * s.amplitude + r.uniform(-5, 8)
    chamber = {**step_leg(high + 6, 100, 20), "bend": 0.0, "l_knee": 14.0, "l_thigh": 4.0, "lean": -3.0}
    snap = {**step_leg(high + 10, 8, 10), "bend": -12.0, "l_knee": 10.0, "l_thigh": 2.0}
    home = {**guard, **step_leg(11, 18), "lean": 0.0}
    return Phrase(((0.5, guard),), ((0.28, chamber), (0.16, snap), (0.18, chamber), (0.3, home), (0.35, {})), 0.7)


def kick_sideways(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    guard = _guard(b)
    high = 52 * s.amplitude + r.uniform(-4, 6)
    chamber = {**right(thigh=45.0, knee=95.0, out=35.0), "lean": -16.0, "bend": 2.0, "l_knee": 16.0, "l_thigh": 7.0}
    snap = {**right(thigh=5.0, knee=4.0, out=high + 8), "lean": -30.0}
    home = {**guard, **right(thigh=11.0, knee=18.0, out=4.0), "lean": 0.0}
    return Phrase(((0.5, guard),), ((0.3, chamber), (0.2, snap), (0.22, chamber), (0.32, home), (0.35, {})), 0.7)


def _flight(s: Style, height: float, during: Pose) -> tuple[tuple[float, Pose], ...]:
    """Leave the floor on a true parabola, whatever the style's speed; `during` is reached half-way."""
    seconds = np.sqrt(8 * height / 9.81) * s.speed
    keys = ((0.12, 0.42), (0.18, 0.84), (0.2, 1.0), (0.2, 0.84), (0.18, 0.42), (0.12, 0.0))
    return tuple(
        (share * seconds, {"air": height * rise, **(during if i == 0 else {})}) for i, (share, rise) in enumerate(keys)
    )


def jump(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    height = r.uniform(0.16, 0.26) * s.amplitude
    load = {**crouch(62), **both(arm(30, -180 + 175, 0, 12, IN)), **both(right(lift=-32.0, plane=0.0))}
    arms = both(arm(r.uniform(95, 165), 12, 0, 18, IN, fist=0.1))
    tall = {**STRAIGHT, "bend": 0.0, **arms}
    land = {**crouch(48), **both(arm(35, 15, 0, 30, IN))}
    toes = both(right(ankle=32.0))
    beat = ((0.34, load), (0.2, {**tall, **both(right(ankle=20.0))}), *_flight(s, height, toes), (0.12, {**land, **both(right(ankle=0.0))}),
            (0.3, {**STRAIGHT, "bend": 3.0, **HANG}), (0.25, {}))  # fmt: skip
    return Phrase((), beat, 0.3)


def jumping_jack(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    a = s.amplitude
    closed = {**both(arm(10, 80, 0, 10, IN)), **both(right(out=2.0, knee=8.0, thigh=4.0))}
    half = {**both(arm(90, 86, 35, 12, IN)), **both(right(out=9.0, knee=0.0, thigh=0.0))}
    opened = {**both(arm(min(176, 168 * a), 75, 50, 18, IN)), **both(right(out=17 * a, knee=9.0, thigh=5.0))}
    hop = 0.055 * a
    beat = ((0.13, {**half, "air": hop}), (0.17, {**opened, "air": 0.0}), (0.07, {}), (0.13, {**half, "air": hop}), (0.17, {**closed, "air": 0.0}), (0.07, {}))
    return Phrase(((0.3, {**closed, **both(right(knee=14.0, thigh=8.0))}),), beat, 0.5)


def squat(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    depth = min(118, 98 * s.amplitude + r.uniform(-6, 8))
    arms = both(arm(86, 10, 0, 8, IN, fist=0.1)) if r.random() < 0.6 else both(hand(b, spot(b, 0.06, -0.1, 0.24), IN, 30, fist=0.7))
    wide = both(right(out=9.0, toe=22.0))
    return Phrase(((0.4, wide),), ((0.9, {**crouch(depth), **arms, "nod": -12.0}), (0.15, {}), (0.8, {**crouch(4), "nod": 0.0}), (0.2, {})), 0.6)


def bow(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    deep = 55 * s.amplitude + r.uniform(-8, 14)
    legs = both(right(thigh=-0.14 * deep, knee=0.02 * deep, toe=5.0))
    hang = both(right(lift=0.75 * deep, plane=8.0, elbow=8.0, turn=0.0)) if r.random() < 0.6 else both(right(lift=0.35 * deep, plane=30.0, elbow=10.0))
    down = {"bend": deep, "nod": 14.0, **legs, **hang}
    up = {"bend": 2.0, "nod": 0.0, **both(right(thigh=0.0, knee=0.0)), **both(right(lift=11.0, plane=60.0, elbow=14.0))}
    return Phrase(((0.3, both(right(lift=10.0, plane=50.0))),), ((0.9, down), (0.5, {}), (0.95, up), (0.6, {})), 0.3)


def sit_down(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    half = {**both(right(thigh=56.0, knee=72.0)), "bend": 36.0, "nod": 8.0, **both(arm(38, 8, 0, 30, IN))}
    return Phrase(((0.35, {"bend": 8.0, "look": r.uniform(-20, 20)}), (0.65, {**half, "look": 0.0}), (0.45, {**SEAT, "bend": 18.0}), (0.5, {**SEAT, "bend": r.uniform(-4, 6), "nod": 0.0})))


def stand_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    load = {"bend": 40.0, "nod": -5.0, **both(right(thigh=82.0, knee=104.0)), **both(arm(45, 8, 0, 30, IN))}
    half = {"bend": 34.0, **both(right(thigh=50.0, knee=66.0))}
    return Phrase(((0.25, {}), (0.5, load), (0.4, half)), (), 0.75)


def _gait(lift: float, knee: float, swing: float, elbow: float, lead: float, tempo: float, air: float = 0.0) -> Phrase:
    """In-place steps: one foot up, the other straight under the body, arms against legs."""
    first = {
        **right(thigh=lift, knee=knee, ankle=12.0, lift=-0.7 * swing, plane=0.0, elbow=0.75 * elbow, turn=-5.0, palm=0.0),
        **other(right(thigh=0.0, knee=3 + 60 * air, ankle=0.0, lift=swing, plane=0.0, elbow=elbow, turn=-12.0, palm=0.0)),
        "twist": 0.18 * swing, "shift": -1.2, "bend": lead, "air": 0.0,
    }  # fmt: skip
    down = {**both(right(thigh=10.0 + 20 * air, knee=18.0 + 40 * air, ankle=0.0)), "air": air}
    beat = ((tempo, first), (0.7 * tempo, down), (tempo, other_way(first)), (0.7 * tempo, down))
    return Phrase(((0.2, {"bend": lead}),), beat, 0.5)


def walk(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return _gait(34 * s.amplitude, 62 * s.amplitude, 24 * s.amplitude, 24, 4, 0.3)


def march(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return _gait(min(105, 84 * s.amplitude), 92, 42 * s.amplitude, 60, 1, 0.32)


def run(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return _gait(46 * s.amplitude, min(125, 100 * s.amplitude), 36 * s.amplitude, 92, 9, 0.19, 0.05)


def throw(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    wind = {**arm(88, 108, 80, 105, FRONT, fist=0.8), **other(arm(60, 20, 0, 25, DOWN)), "twist": 34 * s.amplitude, "lean": 6.0, "bend": -5.0, "yaw": 10.0, "shift": 3.0}
    whip = {**arm(112, 62, 70, 60, FRONT, fist=0.5), "twist": -8.0, "bend": 8.0, "yaw": -4.0, "shift": -2.0, "lean": -4.0}
    gone = {**arm(62, -12, -10, 14, DOWN, fist=0.0), **other(arm(22, 60, 0, 40, IN)), "twist": -38 * s.amplitude, "bend": 24.0, "yaw": -12.0}
    rest = {**HANG, "twist": 0.0, "bend": 3.0, "yaw": 0.0, "shift": 0.0, "lean": 0.0}
    step = {**right(thigh=-10.0, knee=8.0), **other(right(thigh=16.0, knee=8.0))}
    return Phrase((), ((0.5, {**wind, **step}), (0.12, {}), (0.14, whip), (0.16, gone), (0.2, {}), (0.6, {**rest, **STRAIGHT}), (0.4, {})), 0.3)


def point(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    plane = r.choice([r.uniform(0, 20), r.uniform(60, 85)])
    aim = {**arm(86 + r.uniform(-8, 10), plane, -20, 4, DOWN, fist=0.0), "look": 0.45 * plane, "twist": 0.1 * plane}
    return Phrase(((0.6, aim),), ((0.5, right(lift=aim["r_lift"] + 3)), (0.5, right(lift=aim["r_lift"]))), 0.7)


def drink(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    hold = hand(b, spot(b, 0.14, -0.22, 0.3), IN, 20, fist=0.6)
    sip = {**hand(b, b.head_point(0.75, -0.55, 1.85), IN, 42, fist=0.6), "nod": -6.0}
    tip = {**hand(b, b.head_point(0.85, -0.05, 1.75), IN, 62, fist=0.6), "nod": -18 * s.amplitude}
    return Phrase(((0.6, hold),), ((0.7, sip), (0.35, tip), (0.8, {}), (0.35, sip), (0.6, {**hold, "nod": 0.0}), (0.5, {})), 0.6)


def eat(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    low = {**hand(b, spot(b, 0.06, -0.34, 0.3), DOWN, 35, fist=0.7), "nod": 12.0}
    bite = {**hand(b, b.head_point(0.5, -0.65, 1.75), BACK, 45, fist=0.7), "nod": 4.0}
    plate = other(hand(b, spot(b, 0.1, -0.36, 0.26), UP, 15, fist=0.2))
    return Phrase(((0.6, {**low, **plate}),), ((0.5, bite), (0.3, {}), (0.5, low), (0.35, {})), 0.6)


def brush_teeth(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    near = hand(b, b.head_point(0.85, -0.6, 1.55), BACK, 65, fist=0.9)
    far = hand(b, b.head_point(1.5 * s.amplitude, -0.55, 1.4), BACK, 75, fist=0.9)
    return Phrase(((0.7, near),), ((0.15, far), (0.15, near)), 0.7)


def phone_call(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    ear = {**hand(b, b.head_point(1.5, -0.75, 0.5), IN, 70, fist=0.55), "tilt": 5.0}
    return Phrase(((0.75, ear),), ((1.4, {"look": r.uniform(-25, 0), "shift": 2.5}), (1.4, {"look": r.uniform(0, 20), "shift": -1.5})), 0.7)


def salute(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    brow = {**hand(b, b.head_point(1.6, 0.4, 0.85), DOWN, 78, fist=0.0), "nod": -2.0, "bend": 0.0, "r_wrist": 0.0}
    return Phrase(((0.45, brow),), ((1.2, {}),), 0.5)


def touch_head(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    top = {**hand(b, b.head_point(1.1, 1.75, 0.25), IN, 70, fist=0.2), "r_wrist": 35.0}
    return Phrase(((0.8, top),), ((0.5, {"tilt": 3.0}), (0.5, {"tilt": 0.0})), 0.8)


def scratch_head(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    one = {**hand(b, b.head_point(1.45, 1.0, 0.0), IN, 65, fist=0.5), "tilt": 4.0, "nod": 6.0, "r_wrist": 20.0}
    two = hand(b, b.head_point(1.45, 1.4, 0.25), IN, 68, fist=0.6)
    return Phrase(((0.75, one),), ((0.16, {**two, "r_wrist": 25.0}), (0.16, {**hand(b, b.head_point(1.45, 1.0, 0.0), IN, 65, fist=0.5), "r_wrist": 20.0})), 0.7)


def check_watch(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    watch = {**hand(b, spot(b, -0.04, -0.16, 0.27), DOWN, 42, fist=0.6), "nod": 26.0, "look": -6.0, "bend": 5.0}
    return Phrase(((0.65, watch),), ((1.3, {}),), 0.7)


def cross_arms(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    over = hand(b, spot(b, -0.11, -0.17, 0.2), BACK, 24, fist=0.1)
    under = other(hand(b, spot(b, -0.09, -0.23, 0.16), BACK, 20, fist=0.3))
    reach_in = {**hand(b, spot(b, 0.06, -0.2, 0.27), IN, 25), **other(hand(b, spot(b, 0.06, -0.24, 0.22), IN, 22))}
    return Phrase(((0.5, reach_in), (0.4, {**over, **under})), ((1.5, {"look": 8.0, "shift": 2.0}), (1.5, {"look": -8.0, "shift": -2.0})), 0.7)


def hands_on_hips(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    hips = both({**hand(b, spot(b, 0.225, -0.42, 0.05), IN, 100, fist=0.75)})
    return Phrase(((0.7, hips),), ((1.5, {"look": 10.0, "shift": 2.0}), (1.5, {"look": -10.0, "shift": -2.0})), 0.7)


def fall(direction: str) -> Program:
    def program(s: Style, b: Body, r: np.random.Generator) -> Phrase:
        way = direction or str(r.choice(["backward", "sideways"]))
        turn = {"sideways": 0.0, "forward": 1.0, "backward": -0.8}[way] * r.uniform(45, 80)
        sway = {"yaw": turn, "bend": 8.0, "shift": 3.0, "lean": 4.0, **both(arm(30, 60, 0, 40, DOWN))}
        if way == "forward":
            drop = {"pitch": 24.0, **both(right(thigh=6.0, knee=92.0, ankle=30.0)), "bend": 14.0, **both(arm(70, 18, 0, 40, FRONT, fist=0.0))}
            flat = {"pitch": 87.0, **both(right(thigh=4.0, knee=24.0, ankle=40.0)), "bend": -2.0, "lean": 0.0, "shift": 0.0, "look": 45.0,
                    **both(arm(115, 80, 60, 85, FRONT, fist=0.0))}  # fmt: skip
        elif way == "backward":
            drop = {"pitch": -32.0, **both(right(thigh=62.0, knee=75.0)), "bend": 30.0, **both(arm(60, 40, 0, 30, DOWN, fist=0.0))}
            flat = {"pitch": -88.0, **both(right(thigh=8.0, knee=14.0)), "bend": 2.0, "lean": 0.0, "shift": 0.0, "nod": 8.0,
                    **both(arm(50, 85, 10, 20, UP, fist=0.1))}  # fmt: skip
        else:
            drop = {"roll": 30.0, **both(right(thigh=46.0, knee=92.0)), "bend": 24.0, "lean": 12.0, **arm(70, 80, 0, 30, DOWN), **other(arm(40, 70, 0, 40, DOWN))}
            flat = {"roll": 86.0, "r_thigh": 52.0, "r_knee": 84.0, "l_thigh": 34.0, "l_knee": 62.0, "bend": 16.0, "lean": -4.0, "shift": 0.0,
                    "r_out": 2.0, "l_out": 2.0, **arm(140, 30, 0, 30, FRONT), **other(arm(40, 10, 0, 50, IN))}  # fmt: skip
        bounce = {"nod": flat.get("nod", 0.0) + 6}
        return Phrase(((0.45, sway), (0.42, drop), (0.3, flat), (0.3, bounce)))

    return program


def get_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    ball = {"pitch": 0.0, "roll": 0.0, "look": 0.0, "lean": 0.0, "shift": 0.0, **crouch(128), "bend": 58.0, "nod": -15.0,
            **both(right(out=8.0, toe=15.0, ankle=0.0)), **both(arm(70, 12, 0, 10, DOWN))}  # fmt: skip
    return Phrase(((1.3, ball), (0.15, {})), (), 1.0)


def pick_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    if r.random() < 0.6:
        down = {**crouch(112), "bend": 66.0, **arm(80, 0, 0, 6, IN, fist=0.0), **other(arm(40, 10, 0, 60, IN)), "twist": -6.0}
    else:
        down = {**crouch(58), "bend": 96.0, **arm(92, 2, 0, 4, IN, fist=0.0), **other(arm(60, 15, 0, 60, IN))}
    grasp = {"r_fist": 0.8}
    lifted = {**STRAIGHT, "bend": 3.0, "twist": 0.0, **hand(b, spot(b, 0.12, -0.3, 0.28), IN, 15, fist=0.8), **other(right(lift=10.0, plane=60.0, elbow=15.0))}
    return Phrase((), ((0.3, {"nod": 22.0}), (0.85, down), (0.2, grasp), (0.9, {**lifted, "nod": 4.0}), (0.5, {}), (0.5, {**HANG, "nod": 0.0})), 0.3)


def lunge(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    a = s.amplitude
    lift = {**right(thigh=48.0, knee=62.0), **other(right(thigh=0.0, knee=2.0))}
    reach_out = {**right(thigh=42 * a, knee=34.0), **other(right(thigh=-10.0, knee=14.0, ankle=-14.0))}
    low = {**right(thigh=70 * a, knee=78 * a), **other(right(thigh=-14.0, knee=76 * a, ankle=-35.0)), "bend": 6.0}
    hips = both(hand(b, spot(b, 0.225, -0.42, 0.05), IN, 100, fist=0.75)) if r.random() < 0.5 else {}
    return Phrase(((0.5, hips),), ((0.4, lift), (0.3, reach_out), (0.5, low), (0.2, {}), (0.4, reach_out), (0.3, lift), (0.35, {**STRAIGHT, "bend": 3.0}), (0.25, {})), 0.6)


def arm_circles(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    size = 16 + 12 * s.amplitude
    keys = []
    for k in range(8):
        angle = k * np.pi / 4
        keys.append((0.11, both(arm(90 + size * np.sin(angle), 88 + size * np.cos(angle), 0, 5, DOWN, fist=0.1))))
    return Phrase(((0.7, keys[0][1]),), tuple(keys), 0.8)


def push_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    body_line = {"pitch": 70.0, **both(right(thigh=0.0, knee=0.0, out=3.0, toe=0.0, ankle=0.0)), "bend": -2.0, "nod": -18.0}
    high = {**body_line, **both({**right(lift=74.0, plane=14.0, turn=10.0, elbow=4.0, palm=-80.0, wrist=-60.0, fist=0.0)})}
    low = {"pitch": 82.0, **both(right(lift=38.0, plane=50.0, turn=30.0, elbow=100.0))}
    enter = ((0.7, {**crouch(118), "bend": 62.0, **both(arm(75, 8, 0, 8, DOWN))}), (0.9, high))
    return Phrase(enter, ((0.7, low), (0.65, {"pitch": 70.0, **both(right(lift=74.0, plane=14.0, turn=10.0, elbow=4.0))})))


def turn_around(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    keys: list[tuple[float, Pose]] = []
    for k in range(8):
        step = {**right(thigh=16.0, knee=32.0), **other(right(thigh=0.0, knee=0.0))}
        keys.append((0.16, {**(step if k % 2 == 0 else other_way(step)), "yaw": 45.0 * k + 30, "look": 14.0}))
        keys.append((0.14, {**STRAIGHT, "yaw": 45.0 * (k + 1)}))
    return Phrase((), (*keys, (0.3, {"look": 0.0}), (0.3, {})), 0.3)


def lean_side(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    over = arm(165, 70, 40, 35, IN) if r.random() < 0.5 else {}
    a = s.amplitude
    one = {"lean": -28 * a, "shift": 5.0, "tilt": -8.0, **over}
    two = {"lean": 0.0, "shift": 0.0, "tilt": 0.0}
    return Phrase(((0.4, both(right(out=8.0))),), ((0.9, one), (0.5, {}), (0.8, two), (0.3, {})), 0.6)


def dance(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    a = s.amplitude
    up, low = arm(r.uniform(90, 150), 60, 40, 60, FRONT), arm(40, 60, 20, 95, IN)
    one = {**up, **other(low), "shift": 7 * a, "lean": -7 * a, "twist": 14 * a, "tilt": -6.0, **both(right(knee=20.0, thigh=11.0))}
    mid = {**both(right(knee=6.0, thigh=3.0)), "shift": 0.0, "lean": 0.0}
    two = {**low, **other(up), "shift": -7 * a, "lean": 7 * a, "twist": -14 * a, "tilt": 6.0, **both(right(knee=20.0, thigh=11.0))}
    return Phrase(((0.4, both(right(out=9.0))),), ((0.24, one), (0.24, mid), (0.24, two), (0.24, mid)), 0.6)


def golf_swing(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    grip = np.array([0.0, -0.46, 0.0])
    address = {**crouch(26), "bend": 34.0, "nod": 14.0, **hand(b, spot(b, 0.02, grip[1], 0.28), IN, 30, fist=0.9), **other(hand(b, spot(b, 0.02, grip[1] + 0.05, 0.27), IN, 30, fist=0.9)), **right(out=8.0), "l_out": 8.0}
    back = {"twist": 50.0, "yaw": 10.0, **hand(b, spot(b, 0.34, 0.16, 0.2), IN, 60, fist=0.9), **other(hand(b, spot(b, -0.28, 0.14, 0.26), IN, 20, fist=0.9)), "shift": 3.0, "look": -40.0}
    hit = {**address, "twist": -8.0, "yaw": -8.0, "shift": -3.0, "look": 5.0}
    done = {"twist": -52.0, "yaw": -22.0, "bend": 4.0, **both(right(knee=10.0, thigh=5.0)), **hand(b, spot(b, -0.28, 0.16, 0.24), IN, 30, fist=0.9),
            **other(hand(b, spot(b, 0.3, 0.18, 0.2), IN, 60, fist=0.9)), "shift": -5.0, "look": 20.0, "nod": 0.0}  # fmt: skip
    return Phrase(((0.6, address), (0.4, {})), ((0.75, back), (0.1, {}), (0.2, hit), (0.28, done), (0.6, {}), (0.8, {**address, "twist": 0.0, "yaw": 0.0, "shift": 0.0, "look": 0.0}), (0.4, {})), 0.7)


def shoot_ball(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    hold = {**both(hand(b, spot(b, 0.1, -0.22, 0.26), IN, 30, fist=0.1)), **crouch(44)}
    aim = {**hand(b, b.head_point(0.9, 1.9, 1.2), FRONT, 40, fist=0.1), **other(hand(b, b.head_point(0.6, 1.5, 1.3), IN, 40, fist=0.1)), **crouch(30, 0.1)}
    gone = {**arm(158, 10, 0, 8, FRONT, fist=0.0, ), "r_wrist": 45.0, **other(arm(135, 20, 0, 30, IN)), **STRAIGHT, "bend": -2.0, "nod": -14.0}
    return Phrase((), ((0.6, hold), (0.3, aim), (0.22, gone), (0.5, {}), (0.6, {**HANG, "bend": 3.0, "nod": 0.0}), (0.4, {})), 0.3)


def push(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    near = {**both(hand(b, spot(b, 0.24, -0.1, 0.24), FRONT, 25, fist=0.0, wrist=-60.0)), "bend": 2.0}
    far = {**both(hand(b, spot(b, 0.17, -0.04, 0.52 * min(1.0, s.amplitude)), FRONT, 30, fist=0.0, wrist=-60.0)), "bend": 10.0}
    return Phrase(((0.5, near),), ((0.4, far), (0.15, {}), (0.5, near), (0.2, {})), 0.6)


def beckon(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    far = hand(b, spot(b, 0.2, -0.02, 0.45), UP, 20, fist=0.0)
    near = hand(b, spot(b, 0.17, 0.04, 0.45 - 0.22 * min(s.amplitude, 1.2)), BACK, 25, fist=0.4)
    return Phrase(((0.6, far),), ((0.28, near), (0.3, far)), 0.6)


def shrug(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = {**both(arm(28, 72, 20, 75, UP, fist=0.0, shrug=22 * s.amplitude)), "tilt": 7.0, "nod": -3.0}
    down = {**HANG, **both(right(shrug=0.0)), "tilt": 0.0, "nod": 0.0}
    return Phrase((), ((0.4, up), (0.45, {}), (0.5, down), (0.4, {})), 0.3)


def nod(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return Phrase(((0.2, {"nod": -8.0}),), ((0.24, {"nod": 20 * s.amplitude}), (0.26, {"nod": -10 * s.amplitude})), 0.3)


def shake_head(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    turn = 34 * s.amplitude
    return Phrase(((0.22, {"look": turn}),), ((0.3, {"look": -turn}), (0.3, {"look": turn})), 0.3)


def stretch(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = {**both(arm(176, 60, 30, 6, UP, fist=0.3)), "bend": -10.0, "nod": -12.0, **both(right(ankle=18.0, shrug=12.0))}
    wide = {**both(arm(95, 92, 40, 20, FRONT, fist=0.4)), "bend": -4.0, "nod": 0.0, **both(right(ankle=0.0, shrug=0.0))}
    return Phrase(((0.4, both(arm(60, 30, 0, 70, IN))),), ((0.9, up), (0.7, {}), (0.8, wide), (0.5, {**HANG, "bend": 2.0}), (0.4, {})), 0.4)


def hop(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = {"r_thigh": 32.0, "r_knee": 88.0, "shift": -3.5, **both(arm(32, 70, 0, 40, DOWN))}
    load = {"l_thigh": 20.0, "l_knee": 36.0, "bend": 14.0, "air": 0.0, "l_ankle": 0.0}
    tall = {"l_thigh": 0.0, "l_knee": 2.0, "bend": 5.0, "l_ankle": 24.0}
    return Phrase(((0.5, up),), ((0.22, load), (0.14, tall), *_flight(s, 0.07 * s.amplitude, {}), (0.1, load)), 0.5)


def raise_knee(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = {**step_leg(min(108, 92 * s.amplitude), 96, 15), "shift": -3.0, "lean": -3.0, **both(arm(40, 65, 0, 45, IN))}
    return Phrase((), ((0.5, up), (0.5, {}), (0.55, {**STRAIGHT, **HANG, "shift": 0.0, "lean": 0.0}), (0.35, {})), 0.3)


def side_step(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    out = 13 * s.amplitude
    go = {**right(out=out + 4, thigh=14.0, knee=26.0), "shift": 2.0}
    land = {**right(out=out, thigh=2.0, knee=4.0), "l_out": out, "shift": 0.0}
    close = {"l_out": 4.0, **other(right(thigh=14.0, knee=26.0)), "r_out": 4.0}
    shut = {**STRAIGHT, **both(right(out=3.0))}
    mirrored = [(d, other_way(p)) for d, p in ((0.22, go), (0.16, land), (0.22, close), (0.18, shut))]
    return Phrase((), ((0.22, go), (0.16, land), (0.22, close), (0.18, shut), *mirrored), 0.4)


def other_way(pose: Pose) -> dict[str, float]:
    """Left and right exchanged."""
    swap = {"r_": "l_", "l_": "r_"}
    return {
        swap.get(n[:2], n[:2]) + n[2:]: -v if n in ("yaw", "roll", "lean", "twist", "look", "tilt", "shift") else v
        for n, v in pose.items()
    }


ACTIONS: dict[str, Action] = {
    "stand": Action(stand),
    "wave": Action(wave),
    "wave both hands": Action(wave_both),
    "clap": Action(clap),
    "clap overhead": Action(clap_overhead),
    "raise hand": Action(raise_hand),
    "raise both hands": Action(raise_both),
    "punch": Action(punch),
    "kick": Action(kick_forward),
    "kick sideways": Action(kick_sideways),
    "jump": Action(jump),
    "jumping jack": Action(jumping_jack),
    "squat": Action(squat),
    "bow": Action(bow),
    "sit down": Action(sit_down, ends="seat"),
    "stand up": Action(stand_up, starts="seat"),
    "walk in place": Action(walk),
    "run in place": Action(run),
    "march": Action(march),
    "throw": Action(throw),
    "point": Action(point),
    "drink": Action(drink),
    "eat": Action(eat),
    "brush teeth": Action(brush_teeth),
    "phone call": Action(phone_call),
    "fall down": Action(fall(""), ends="floor"),
    "fall forward": Action(fall("forward"), ends="floor"),
    "fall backward": Action(fall("backward"), ends="floor"),
    "fall sideways": Action(fall("sideways"), ends="floor"),
    "pick up": Action(pick_up),
    "lunge": Action(lunge),
    "arm circles": Action(arm_circles),
    "salute": Action(salute),
    "push up": Action(push_up, ends="floor"),
    "cross arms": Action(cross_arms),
    "hands on hips": Action(hands_on_hips),
    "turn around": Action(turn_around),
    "check watch": Action(check_watch),
    "touch head": Action(touch_head),
    "scratch head": Action(scratch_head),
    "lean sideways": Action(lean_side),
    "dance": Action(dance),
    "golf swing": Action(golf_swing),
    "shoot a ball": Action(shoot_ball),
    "push": Action(push),
    "beckon": Action(beckon),
    "shrug": Action(shrug),
    "nod": Action(nod),
    "shake head": Action(shake_head),
    "stretch": Action(stretch),
    "hop on one leg": Action(hop),
    "raise knee": Action(raise_knee),
    "side step": Action(side_step),
}
"""Every action by its label."""
RETURN: dict[str, Action] = {"seat": ACTIONS["stand up"], "floor": Action(get_up, starts="floor")}
"""How to come back to standing from where an action ends."""
