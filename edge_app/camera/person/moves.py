"""Actions of the whole body, for the right side, as steps of joint angles."""

from __future__ import annotations

import numpy as np

from edge_app.camera.person.kinematics import Body, mirror_pose
from edge_app.camera.person.motion import Phrase, Pose, Program, Style
from edge_app.camera.person.poses import (
    DOWN,
    FRONT,
    HANG,
    IN,
    SEAT,
    STRAIGHT,
    UP,
    arm,
    both,
    crouch,
    guard,
    hand,
    legs,
    other,
    right,
    spot,
)


def stand(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    beats: list[tuple[float, Pose]] = []
    for _ in range(2):
        shift, look = r.uniform(1, 4) * r.choice([-1, 1]), r.uniform(-28, 28)
        beats += [
            (r.uniform(0.8, 1.4), {"shift": shift, "lean": 0.4 * shift}),
            (r.uniform(0.5, 0.9), {"look": look, "nod": r.uniform(-4, 8)}),
        ]
        beats += [(r.uniform(0.6, 1.5), {})]
    return Phrase(beat=(*beats, (1.0, {"shift": 0.0, "lean": 0.0, "look": 0.0})))


def kick_forward(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    ready = guard(b)
    high = 68 * s.amplitude + r.uniform(-5, 8)
    chamber = {
        **right(thigh=high + 6, knee=100.0, ankle=20.0),
        "bend": 0.0,
        "l_knee": 14.0,
        "l_thigh": 4.0,
        "lean": -3.0,
    }
    snap = {**right(thigh=high + 10, knee=8.0, ankle=10.0), "bend": -12.0, "l_knee": 10.0, "l_thigh": 2.0}
    home = {**ready, **right(thigh=11, knee=18.0), "lean": 0.0}
    return Phrase(((0.5, ready),), ((0.28, chamber), (0.16, snap), (0.18, chamber), (0.3, home), (0.35, {})), 0.7)


def kick_sideways(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    ready = guard(b)
    high = 52 * s.amplitude + r.uniform(-4, 6)
    chamber = {**right(thigh=45.0, knee=95.0, out=35.0), "lean": -16.0, "bend": 2.0, "l_knee": 16.0, "l_thigh": 7.0}
    snap = {**right(thigh=5.0, knee=4.0, out=high + 8), "lean": -30.0}
    home = {**ready, **right(thigh=11.0, knee=18.0, out=4.0), "lean": 0.0}
    return Phrase(((0.5, ready),), ((0.3, chamber), (0.2, snap), (0.22, chamber), (0.32, home), (0.35, {})), 0.7)


def _flight(s: Style, height: float, during: Pose) -> tuple[tuple[float, Pose], ...]:
    """Leave the floor on a true parabola, whatever the style's speed; `during` is reached half-way."""
    seconds = np.sqrt(8 * height / 9.81) * s.speed
    keys = ((0.12, 0.42), (0.18, 0.84), (0.2, 1.0), (0.2, 0.84), (0.18, 0.42), (0.12, 0.0))
    return tuple(
        (share * seconds, {"air": height * rise, **(during if i == 0 else {})}) for i, (share, rise) in enumerate(keys)
    )


def jump(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    height = r.uniform(0.16, 0.26) * s.amplitude
    load = {**crouch(62), **both(right(lift=-32.0, plane=0.0, turn=0.0, elbow=12.0))}
    arms = both(arm(r.uniform(95, 165), 12, 0, 18, IN, fist=0.1))
    tall = {**STRAIGHT, "bend": 0.0, **arms}
    toes = both(right(ankle=32.0))
    beat = (
        (0.34, load),
        (0.36, {**tall, **both(right(ankle=20.0))}),
        *_flight(s, height, toes),
        (0.12, {**crouch(48), **both(right(ankle=0.0))}),
        (0.45, {**STRAIGHT, "bend": 3.0, **HANG}),
        (0.2, {}),
    )
    return Phrase((), beat, 0.3)


def jumping_jack(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    a = s.amplitude
    closed = {**both(arm(10, 80, 0, 10, IN)), **both(right(out=2.0, knee=8.0, thigh=4.0))}
    half = {**both(arm(90, 86, 35, 12, IN)), **both(right(out=9.0, knee=0.0, thigh=0.0))}
    opened = {**both(arm(min(176, 168 * a), 75, 50, 18, IN)), **both(right(out=17 * a, knee=9.0, thigh=5.0))}
    hop = 0.055 * a
    beat: tuple[tuple[float, Pose], ...] = (
        (0.13, {**half, "air": hop}),
        (0.17, {**opened, "air": 0.0}),
        (0.07, {}),
        (0.13, {**half, "air": hop}),
        (0.17, {**closed, "air": 0.0}),
        (0.07, {}),
    )
    return Phrase(((0.3, {**closed, **both(right(knee=14.0, thigh=8.0))}),), beat, 0.5)


def squat(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    depth = min(118, 98 * s.amplitude + r.uniform(-6, 8))
    arms = (
        both(arm(86, 10, 0, 8, IN, fist=0.1))
        if r.random() < 0.6
        else both(hand(b, spot(b, 0.06, -0.1, 0.24), IN, 30, fist=0.7))
    )
    wide = both(right(out=5.5, toe=13.0))
    return Phrase(
        ((0.4, wide),),
        (
            (0.9, {**crouch(depth, apart=5.5, toe=13.0), **arms, "nod": -12.0}),
            (0.15, {}),
            (0.8, {**crouch(4, apart=5.5, toe=13.0), "nod": 0.0}),
            (0.2, {}),
        ),
        0.6,
    )


def bow(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    deep = 55 * s.amplitude + r.uniform(-8, 14)
    legs = both(right(thigh=-0.14 * deep, knee=0.02 * deep, toe=5.0))
    hang = (
        both(right(lift=0.75 * deep, plane=8.0, elbow=8.0, turn=0.0))
        if r.random() < 0.6
        else both(right(lift=0.35 * deep, plane=30.0, elbow=10.0))
    )
    down = {"bend": deep, "nod": 14.0, **legs, **hang}
    up = {"bend": 2.0, "nod": 0.0, **both(right(thigh=0.0, knee=0.0)), **both(right(lift=11.0, plane=60.0, elbow=14.0))}
    return Phrase(((0.3, both(right(lift=10.0, plane=50.0))),), ((0.9, down), (0.5, {}), (0.95, up), (0.6, {})), 0.3)


def sit_down(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    half = {**legs(56.0, 72.0), "bend": 36.0, "nod": 8.0, **both(arm(38, 8, 0, 30, IN))}
    return Phrase(
        (
            (0.35, {"bend": 8.0, "look": r.uniform(-20, 20)}),
            (0.65, {**half, "look": 0.0}),
            (0.45, {**SEAT, "bend": 18.0}),
            (0.5, {**SEAT, "bend": r.uniform(-4, 6), "nod": 0.0}),
        )
    )


def stand_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    load = {"bend": 40.0, "nod": -5.0, **legs(82.0, 104.0), **both(arm(45, 8, 0, 30, IN))}
    half = {"bend": 34.0, **legs(50.0, 66.0)}
    return Phrase(((0.25, {}), (0.5, load), (0.4, half)), (), 0.75)


def _gait(lift: float, knee: float, swing: float, elbow: float, lead: float, tempo: float, air: float = 0.0) -> Phrase:
    """In-place steps: one foot up, the other straight under the body, arms against legs."""
    first = {
        **right(
            thigh=lift, knee=knee, ankle=12.0, lift=-0.7 * swing, plane=0.0, elbow=0.75 * elbow, turn=-5.0, palm=0.0
        ),
        **other(
            right(thigh=0.0, knee=3 + 60 * air, ankle=0.0, lift=swing, plane=0.0, elbow=elbow, turn=-12.0, palm=0.0)
        ),
        "twist": 0.18 * swing,
        "shift": -1.2,
        "bend": lead,
        "air": 0.0,
    }
    down = {**both(right(thigh=10.0 + 20 * air, knee=18.0 + 40 * air, ankle=0.0)), "air": air}
    beat = ((tempo, first), (0.7 * tempo, down), (tempo, mirror_pose(first)), (0.7 * tempo, down))
    return Phrase(((0.2, {"bend": lead}),), beat, 0.5)


def walk(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return _gait(34 * s.amplitude, 62 * s.amplitude, 24 * s.amplitude, 24, 4, 0.3)


def march(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return _gait(min(105, 84 * s.amplitude), 92, 42 * s.amplitude, 60, 1, 0.32)


def run(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    return _gait(46 * s.amplitude, min(125, 100 * s.amplitude), 36 * s.amplitude, 92, 9, 0.19, 0.05)


def fall(direction: str) -> Program:
    def program(s: Style, b: Body, r: np.random.Generator) -> Phrase:
        way = direction or str(r.choice(["backward", "sideways"]))
        turn = {"sideways": 0.0, "forward": 1.0, "backward": -0.8}[way] * r.uniform(45, 80)
        sway = {"yaw": turn, "bend": 8.0, "shift": 3.0, "lean": 4.0, **both(arm(30, 60, 0, 40, DOWN))}
        if way == "forward":
            drop = {
                "pitch": 24.0,
                **both(right(thigh=6.0, knee=92.0, ankle=30.0)),
                "bend": 14.0,
                **both(arm(70, 18, 0, 40, FRONT, fist=0.0)),
            }
            flat = {
                "pitch": 87.0,
                **both(right(thigh=4.0, knee=24.0, ankle=40.0)),
                "bend": -2.0,
                "lean": 0.0,
                "shift": 0.0,
                "look": 45.0,
                **both(arm(115, 80, 60, 85, FRONT, fist=0.0)),
            }
        elif way == "backward":
            drop = {
                "pitch": -32.0,
                **both(right(thigh=62.0, knee=75.0)),
                "bend": 30.0,
                **both(arm(60, 40, 0, 30, DOWN, fist=0.0)),
            }
            flat = {
                "pitch": -88.0,
                **both(right(thigh=8.0, knee=14.0)),
                "bend": 2.0,
                "lean": 0.0,
                "shift": 0.0,
                "nod": 8.0,
                **both(arm(50, 85, 10, 20, UP, fist=0.1)),
            }
        else:
            drop = {
                "roll": 30.0,
                **both(right(thigh=46.0, knee=92.0)),
                "bend": 24.0,
                "lean": 12.0,
                **arm(70, 80, 0, 30, DOWN),
                **other(arm(40, 70, 0, 40, DOWN)),
            }
            flat = {
                "roll": 86.0,
                "r_thigh": 52.0,
                "r_knee": 84.0,
                "l_thigh": 34.0,
                "l_knee": 62.0,
                "bend": 16.0,
                "lean": -4.0,
                "shift": 0.0,
                "r_out": 2.0,
                "l_out": 2.0,
                **arm(140, 30, 0, 30, FRONT),
                **other(arm(40, 10, 0, 50, IN)),
            }
        bounce = {"nod": flat.get("nod", 0.0) + 6}
        return Phrase(((0.45, sway), (0.42, drop), (0.3, flat), (0.3, bounce)))

    return program


def get_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    ball = {
        "pitch": 0.0,
        "roll": 0.0,
        "look": 0.0,
        "lean": 0.0,
        "shift": 0.0,
        **crouch(128),
        "bend": 58.0,
        "nod": -15.0,
        **both(right(out=8.0, toe=15.0, ankle=0.0)),
        **both(arm(70, 12, 0, 10, DOWN)),
    }
    return Phrase(((1.3, ball), (0.15, {})), (), 1.0)


def pick_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    if r.random() < 0.6:
        down = {
            **crouch(112),
            "bend": 66.0,
            **arm(80, 0, 0, 6, IN, fist=0.0),
            **other(arm(40, 10, 0, 60, IN)),
            "twist": -6.0,
        }
    else:
        down = {**crouch(58), "bend": 96.0, **arm(92, 2, 0, 4, IN, fist=0.0), **other(arm(60, 15, 0, 60, IN))}
    grasp = {"r_fist": 0.8}
    lifted = {
        **STRAIGHT,
        "bend": 3.0,
        "twist": 0.0,
        **hand(b, spot(b, 0.12, -0.3, 0.28), IN, 15, fist=0.8),
        **other(right(lift=10.0, plane=60.0, elbow=15.0)),
    }
    return Phrase(
        (),
        (
            (0.3, {"nod": 22.0}),
            (0.85, down),
            (0.2, grasp),
            (0.9, {**lifted, "nod": 4.0}),
            (0.5, {}),
            (0.5, {**HANG, "nod": 0.0}),
        ),
        0.3,
    )


def lunge(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    a = s.amplitude
    lift = {**right(thigh=48.0, knee=62.0), **other(right(thigh=0.0, knee=2.0))}
    reach_out = {**right(thigh=42 * a, knee=34.0), **other(right(thigh=-10.0, knee=14.0, ankle=-14.0))}
    low = {**right(thigh=70 * a, knee=78 * a), **other(right(thigh=-14.0, knee=76 * a, ankle=-35.0)), "bend": 6.0}
    hips = both(hand(b, spot(b, 0.225, -0.42, 0.05), IN, 100, fist=0.75)) if r.random() < 0.5 else {}
    return Phrase(
        ((0.5, hips),),
        (
            (0.4, lift),
            (0.3, reach_out),
            (0.5, low),
            (0.2, {}),
            (0.4, reach_out),
            (0.3, lift),
            (0.35, {**STRAIGHT, "bend": 3.0}),
            (0.25, {}),
        ),
        0.6,
    )


def push_up(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    body_line = {
        "pitch": 70.0,
        **both(right(thigh=0.0, knee=0.0, out=3.0, toe=0.0, ankle=0.0)),
        "bend": -2.0,
        "nod": -18.0,
    }
    high = {
        **body_line,
        **both({**right(lift=74.0, plane=14.0, turn=10.0, elbow=4.0, palm=-80.0, wrist=-78.0, fist=0.0)}),
    }
    low = {"pitch": 82.0, **both(right(lift=38.0, plane=50.0, turn=30.0, elbow=100.0))}
    enter = ((0.7, {**crouch(118), "bend": 62.0, **both(arm(75, 8, 0, 8, DOWN))}), (0.9, high))
    return Phrase(
        enter, ((0.7, low), (0.65, {"pitch": 70.0, **both(right(lift=74.0, plane=14.0, turn=10.0, elbow=4.0))}))
    )


def turn_around(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    keys: list[tuple[float, Pose]] = []
    for k in range(8):
        step = {**right(thigh=16.0, knee=32.0), **other(right(thigh=0.0, knee=0.0))}
        keys.append((0.16, {**(step if k % 2 == 0 else mirror_pose(step)), "yaw": 45.0 * k + 30, "look": 14.0}))
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
    one = {
        **up,
        **other(low),
        "shift": 7 * a,
        "lean": -7 * a,
        "twist": 14 * a,
        "tilt": -6.0,
        **both(right(knee=20.0, thigh=11.0)),
    }
    mid = {**both(right(knee=6.0, thigh=3.0)), "shift": 0.0, "lean": 0.0}
    two = {
        **low,
        **other(up),
        "shift": -7 * a,
        "lean": 7 * a,
        "twist": -14 * a,
        "tilt": 6.0,
        **both(right(knee=20.0, thigh=11.0)),
    }
    return Phrase(((0.4, both(right(out=9.0))),), ((0.24, one), (0.24, mid), (0.24, two), (0.24, mid)), 0.6)


def hop(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = {"r_thigh": 32.0, "r_knee": 88.0, "shift": -3.5, **both(arm(32, 70, 0, 40, DOWN))}
    load = {"l_thigh": 20.0, "l_knee": 36.0, "bend": 14.0, "air": 0.0, "l_ankle": 0.0}
    tall = {"l_thigh": 0.0, "l_knee": 2.0, "bend": 5.0, "l_ankle": 24.0}
    return Phrase(((0.5, up),), ((0.22, load), (0.14, tall), *_flight(s, 0.07 * s.amplitude, {}), (0.1, load)), 0.5)


def raise_knee(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    up = {
        **right(thigh=min(108, 92 * s.amplitude), knee=96.0, ankle=15.0),
        "shift": -3.0,
        "lean": -3.0,
        **both(arm(40, 65, 0, 45, IN)),
    }
    return Phrase((), ((0.5, up), (0.5, {}), (0.55, {**STRAIGHT, **HANG, "shift": 0.0, "lean": 0.0}), (0.35, {})), 0.3)


def side_step(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    out = 13 * s.amplitude
    go = {**right(out=out + 4, thigh=14.0, knee=26.0), "shift": 2.0}
    land = {**right(out=out, thigh=2.0, knee=4.0), "l_out": out, "shift": 0.0}
    close = {"l_out": 4.0, **other(right(thigh=14.0, knee=26.0)), "r_out": 4.0}
    shut = {**STRAIGHT, **both(right(out=3.0))}
    mirrored = [(d, mirror_pose(p)) for d, p in ((0.22, go), (0.16, land), (0.22, close), (0.18, shut))]
    return Phrase((), ((0.22, go), (0.16, land), (0.22, close), (0.18, shut), *mirrored), 0.4)
