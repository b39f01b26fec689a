"""Actions of the arms and the head, for the right side, as steps of joint angles."""

from __future__ import annotations

import numpy as np

from edge_app.camera.person.kinematics import Body, rotation
from edge_app.camera.person.motion import Phrase, Style
from edge_app.camera.person.poses import (
    BACK,
    DOWN,
    FRONT,
    HANG,
    IN,
    STRAIGHT,
    UP,
    arm,
    both,
    crouch,
    guard,
    hand,
    other,
    right,
    spot,
)


def _waving(s: Style, r: np.random.Generator) -> tuple[dict[str, float], dict[str, float]]:
    high = r.uniform(0, 1)
    lift, elbow = 55 + 55 * high, 115 - 70 * high
    swing = 24 * s.amplitude
    turn = 72 - 12 * high
    return arm(lift, 75, turn - swing, elbow + 8, FRONT, fist=0.0), arm(
        lift, 78, turn + swing, elbow - 22 * s.amplitude, FRONT, fist=0.0
    )


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


def punch(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    ready = guard(b)
    turn = 24 * s.amplitude
    ahead = rotation("y", -turn - 6) @ spot(b, -0.02, 0.0, 0.6)
    fist = hand(b, ahead, DOWN, 45, fist=1.0)
    hit = {**fist, "twist": -turn, "yaw": -6.0}
    jab = {**other(fist), "twist": turn, "yaw": 6.0}
    home = {**ready, "yaw": 0.0}
    return Phrase(((0.5, ready),), ((0.17, jab), (0.22, home), (0.1, {}), (0.19, hit), (0.25, home), (0.15, {})), 0.7)


def throw(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    wind = {
        **arm(88, 108, 80, 105, FRONT, fist=0.8),
        **other(arm(60, 20, 0, 25, DOWN)),
        "twist": 34 * s.amplitude,
        "lean": 6.0,
        "bend": -5.0,
        "yaw": 10.0,
        "shift": 3.0,
    }
    whip = {
        **arm(112, 62, 70, 60, FRONT, fist=0.5),
        "twist": -8.0,
        "bend": 8.0,
        "yaw": -4.0,
        "shift": -2.0,
        "lean": -4.0,
    }
    gone = {
        **arm(62, -12, -10, 14, DOWN, fist=0.0),
        **other(arm(22, 60, 0, 40, IN)),
        "twist": -38 * s.amplitude,
        "bend": 24.0,
        "yaw": -12.0,
    }
    rest = {**HANG, "twist": 0.0, "bend": 3.0, "yaw": 0.0, "shift": 0.0, "lean": 0.0}
    step = {**right(thigh=-10.0, knee=8.0), **other(right(thigh=16.0, knee=8.0))}
    return Phrase(
        (),
        (
            (0.5, {**wind, **step}),
            (0.12, {}),
            (0.14, whip),
            (0.16, gone),
            (0.2, {}),
            (0.6, {**rest, **STRAIGHT}),
            (0.4, {}),
        ),
        0.3,
    )


def point(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    plane = r.choice([r.uniform(0, 20), r.uniform(60, 85)])
    aim = {**arm(86 + r.uniform(-8, 10), plane, -20, 4, DOWN, fist=0.0), "look": 0.45 * plane, "twist": 0.1 * plane}
    return Phrase(((0.6, aim),), ((0.5, right(lift=aim["r_lift"] + 3)), (0.5, right(lift=aim["r_lift"]))), 0.7)


def drink(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    hold = hand(b, spot(b, 0.14, -0.22, 0.3), IN, 20, fist=0.6)
    sip = {**hand(b, b.head_point(0.75, -0.55, 1.85), IN, 42, fist=0.6), "nod": -6.0}
    tip = {**hand(b, b.head_point(0.85, -0.05, 1.75), IN, 62, fist=0.6), "nod": -18 * s.amplitude}
    return Phrase(
        ((0.6, hold),), ((0.7, sip), (0.35, tip), (0.8, {}), (0.35, sip), (0.6, {**hold, "nod": 0.0}), (0.5, {})), 0.6
    )


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
    ear = {**hand(b, b.head_point(1.65, -1.05, 0.7), IN, 62, fist=0.55, wrist=25.0), "tilt": 5.0}
    return Phrase(
        ((0.75, ear),),
        ((1.4, {"look": r.uniform(-25, 0), "shift": 2.5}), (1.4, {"look": r.uniform(0, 20), "shift": -1.5})),
        0.7,
    )


def salute(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    brow = {**hand(b, b.head_point(1.6, 0.4, 0.85), DOWN, 78, fist=0.0), "nod": -2.0, "bend": 0.0, "r_wrist": 0.0}
    return Phrase(((0.45, brow),), ((1.2, {}),), 0.5)


def touch_head(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    top = {**hand(b, b.head_point(1.25, 1.2, 0.2), IN, 70, fist=0.2), "r_wrist": 45.0}
    return Phrase(((0.8, top),), ((0.5, {"tilt": 3.0}), (0.5, {"tilt": 0.0})), 0.8)


def scratch_head(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    one = {**hand(b, b.head_point(1.45, 1.0, 0.0), IN, 65, fist=0.5), "tilt": 4.0, "nod": 6.0, "r_wrist": 20.0}
    two = hand(b, b.head_point(1.45, 1.4, 0.25), IN, 68, fist=0.6)
    return Phrase(
        ((0.75, one),),
        (
            (0.16, {**two, "r_wrist": 25.0}),
            (0.16, {**hand(b, b.head_point(1.45, 1.0, 0.0), IN, 65, fist=0.5), "r_wrist": 20.0}),
        ),
        0.7,
    )


def check_watch(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    watch = {**hand(b, spot(b, -0.04, -0.16, 0.27), DOWN, 42, fist=0.6), "nod": 26.0, "look": -6.0, "bend": 5.0}
    return Phrase(((0.65, watch),), ((1.3, {}),), 0.7)


def cross_arms(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    over = hand(b, spot(b, -0.11, -0.17, 0.2), BACK, 24, fist=0.1)
    under = other(hand(b, spot(b, -0.09, -0.23, 0.16), BACK, 20, fist=0.3))
    reach_in = {**hand(b, spot(b, 0.06, -0.2, 0.27), IN, 25), **other(hand(b, spot(b, 0.06, -0.24, 0.22), IN, 22))}
    return Phrase(
        ((0.5, reach_in), (0.4, {**over, **under})),
        ((1.5, {"look": 8.0, "shift": 2.0}), (1.5, {"look": -8.0, "shift": -2.0})),
        0.7,
    )


def hands_on_hips(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    hips = both({**hand(b, spot(b, 0.225, -0.42, 0.05), IN, 100, fist=0.75)})
    return Phrase(((0.7, hips),), ((1.5, {"look": 10.0, "shift": 2.0}), (1.5, {"look": -10.0, "shift": -2.0})), 0.7)


def arm_circles(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    size = 16 + 12 * s.amplitude
    keys = []
    for k in range(8):
        angle = k * np.pi / 4
        keys.append((0.11, both(arm(90 + size * np.sin(angle), 88 + size * np.cos(angle), 0, 5, DOWN, fist=0.1))))
    return Phrase(((0.7, keys[0][1]),), tuple(keys), 0.8)


def golf_swing(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    grip = np.array([0.0, -0.46, 0.0])
    address = {
        **crouch(26),
        "bend": 34.0,
        "nod": 14.0,
        **hand(b, spot(b, 0.02, grip[1], 0.28), IN, 30, fist=0.9),
        **other(hand(b, spot(b, 0.02, grip[1] + 0.05, 0.27), IN, 30, fist=0.9)),
        **right(out=8.0),
        "l_out": 8.0,
    }
    back = {
        "twist": 50.0,
        "yaw": 10.0,
        **hand(b, spot(b, 0.34, 0.16, 0.2), IN, 60, fist=0.9),
        **other(hand(b, spot(b, -0.28, 0.14, 0.26), IN, 20, fist=0.9)),
        "shift": 3.0,
        "look": -40.0,
    }
    hit = {**address, "twist": -8.0, "yaw": -8.0, "shift": -3.0, "look": 5.0}
    done = {
        "twist": -52.0,
        "yaw": -22.0,
        "bend": 4.0,
        **both(right(knee=10.0, thigh=5.0)),
        **hand(b, spot(b, -0.28, 0.16, 0.24), IN, 30, fist=0.9),
        **other(hand(b, spot(b, 0.3, 0.18, 0.2), IN, 60, fist=0.9)),
        "shift": -5.0,
        "look": 20.0,
        "nod": 0.0,
    }
    return Phrase(
        ((0.6, address), (0.4, {})),
        (
            (0.75, back),
            (0.1, {}),
            (0.2, hit),
            (0.28, done),
            (0.6, {}),
            (0.8, {**address, "twist": 0.0, "yaw": 0.0, "shift": 0.0, "look": 0.0}),
            (0.4, {}),
        ),
        0.7,
    )


def shoot_ball(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    hold = {**both(hand(b, spot(b, 0.1, -0.22, 0.26), IN, 30, fist=0.1)), **crouch(44)}
    aim = {
        **hand(b, b.head_point(0.9, 1.9, 1.2), FRONT, 40, fist=0.1),
        **other(hand(b, b.head_point(0.6, 1.5, 1.3), IN, 40, fist=0.1)),
        **crouch(30, 0.1),
    }
    gone = {
        **arm(
            158,
            10,
            0,
            8,
            FRONT,
            fist=0.0,
        ),
        "r_wrist": 45.0,
        **other(arm(135, 20, 0, 30, IN)),
        **STRAIGHT,
        "bend": -2.0,
        "nod": -14.0,
    }
    return Phrase(
        (), ((0.6, hold), (0.3, aim), (0.22, gone), (0.5, {}), (0.6, {**HANG, "bend": 3.0, "nod": 0.0}), (0.4, {})), 0.3
    )


def push(s: Style, b: Body, r: np.random.Generator) -> Phrase:
    near = {**both(hand(b, spot(b, 0.24, -0.1, 0.24), FRONT, 25, fist=0.0, wrist=-60.0)), "bend": 2.0}
    far = {
        **both(hand(b, spot(b, 0.17, -0.04, 0.52 * min(1.0, s.amplitude)), FRONT, 30, fist=0.0, wrist=-60.0)),
        "bend": 10.0,
    }
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
    return Phrase(
        ((0.4, both(arm(60, 30, 0, 70, IN))),),
        ((0.9, up), (0.7, {}), (0.8, wide), (0.5, {**HANG, "bend": 2.0}), (0.4, {})),
        0.4,
    )
