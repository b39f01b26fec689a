"""The motion of a composed meaning: one `Move` of the arms, the legs or the torso as a phrase of joint angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edge_app.camera.person.kinematics import Body
from edge_app.camera.person.motion import Phrase, Pose, Step, Style
from edge_app.camera.person.poses import (
    BACK,
    DOWN,
    FRONT,
    IN,
    UP,
    arm,
    both,
    hand,
    other,
    right,
    spot,
)

LEG_CHANNELS = tuple(f"{side}_{name}" for side in "rl" for name in ("thigh", "out", "toe", "knee", "ankle"))


@dataclass(frozen=True, slots=True)
class Move:
    """What one part of the body does.

    what: the movement; way: its place, direction or depth.
    who: "one" limb, "both" together, "alternate" one after the other.
    times: "once", "repeatedly", or "held" for a pose.
    """

    what: str
    way: str = ""
    who: str = "both"
    times: str = "held"


# Places of a bent arm: (right, up, forward) of the wrist in metres from the neck, the palm, the elbow's swivel.
_SPOTS = {
    "chest": ((0.0, -0.16, 0.19), BACK, 35), "belly": ((0.04, -0.36, 0.2), BACK, 30),
    "neck": ((0.06, 0.0, 0.16), BACK, 45), "shoulder": ((-0.15, -0.04, 0.15), BACK, 30),
    "front": ((0.13, -0.15, 0.33), IN, 25), "waist": ((0.14, -0.35, 0.32), IN, 18),
    "hip": ((0.225, -0.42, 0.05), IN, 100), "own shoulder": ((0.2, 0.02, 0.16), BACK, 40),
}  # fmt: skip
# The same at the head, in radii of the head (`Body.head_point`).
_HEAD_SPOTS = {
    "mouth": ((0.6, -0.85, 1.7), BACK, 45), "ear": ((1.65, -0.7, 0.6), IN, 65), "head": ((1.15, 1.2, 0.2), IN, 72),
    "nape": ((1.1, -0.1, -0.9), IN, 105), "forehead": ((1.4, 0.45, 0.95), DOWN, 75), "eyes": ((0.8, 0.25, 1.55), IN, 60),
}  # fmt: skip
# Straight arms: lift, plane, the palm.
_STRAIGHT = {
    "forward low": (38, 5, IN), "forward chest": (70, 5, IN), "forward": (89, 5, DOWN), "forward head": (116, 6, DOWN),
    "side low": (50, 85, IN), "side": (90, 86, DOWN), "side up": (133, 84, FRONT), "up": (173, 50, IN),
    "back": (-42, 4, IN),
}  # fmt: skip


def at(way: str, b: Body, r: np.random.Generator, shift: tuple[float, float, float] = (0, 0, 0)) -> Pose:
    """The right arm in a place; `shift` (metres right, up, forward) moves the hand of a bent arm from there."""
    if way in _STRAIGHT:
        lift, plane, palm = _STRAIGHT[way]
        return arm(lift + r.uniform(-4, 4), plane + r.uniform(-4, 4), 0, r.uniform(4, 14), palm, fist=r.uniform(0, 0.8))
    if way == "beside head":
        return arm(52 + r.uniform(-6, 10), 76, 72, 118 + r.uniform(-6, 6), FRONT, fist=r.uniform(0, 0.6))
    if way == "behind":
        return arm(-40 + r.uniform(-4, 4), -14, -104, 78 + r.uniform(-6, 6), BACK, fist=0.3)
    point, palm, out = _HEAD_SPOTS[way] if way in _HEAD_SPOTS else _SPOTS[way]
    centre = b.head_point(*point) if way in _HEAD_SPOTS else spot(b, *point)
    return hand(b, centre + spot(b, *shift), palm, out + r.uniform(-6, 6), fist=r.uniform(0.1, 0.7))


def _two(b: Body, x: float, y: float, front: float, out: float = 30, gap: float = 0.05) -> Pose:
    """Both hands together at a point of the chest's frame."""
    near, far = hand(b, spot(b, x + gap, y, front), IN, out), hand(b, spot(b, gap - x, y, front), IN, out)
    return {**near, **other(far), **both(right(fist=0.8))}


def _ring(r: np.random.Generator, keys: int, seconds: float, pose: Callable[[float], Pose]) -> list[Step]:
    way = float(r.choice([-1, 1]))
    return [(seconds, pose(way * 2 * np.pi * k / keys)) for k in range(1, keys + 1)]


def _arm_cycle(move: Move, s: Style, b: Body, r: np.random.Generator, home: Pose) -> tuple[Pose, list[Step]]:
    """A start and the steps from it back to it. Poses of the right arm, of both where the hands work together."""
    a, way = s.amplitude, move.way
    up: Pose
    back: Pose
    gone: Pose
    match move.what:
        case "hold" if way == "crossed":
            over = hand(b, spot(b, -0.11, -0.17, 0.2), BACK, 24, fist=0.1)
            return {**over, **other(hand(b, spot(b, -0.09, -0.23, 0.16), BACK, 20, fist=0.3))}, []
        case "hold" if way == "together":
            height = r.uniform(-0.24, -0.12)
            return both(hand(b, spot(b, 0.03, height, r.uniform(0.2, 0.3)), IN, 40, fist=0.2)), []
        case "hold":
            return at(way, b, r), []
        case "raise" if way in ("up front", "up side"):
            plane = 8 if way == "up front" else 82
            middle = arm(80, plane, 10, 8, IN)
            up = arm(min(178, 170 + r.uniform(-4, 6)), plane * 0.7, 10, r.uniform(4, 14), IN)
            return home, [(0.42, middle), (0.4, up), (0.12, up), (0.4, middle), (0.42, home)]
        case "raise":
            up = at(way, b, r)
            return home, [(0.6, up), (r.uniform(0.05, 0.3), up), (0.6, home), (0.1, home)]
        case "touch":
            there = at(way, b, r)
            return home, [(0.6, there), (r.uniform(0.2, 0.7), there), (0.6, home), (0.15, home)]
        case "rub":
            size = 0.05 * a
            d = ((0.0, size, 0.0), (0.7 * size, 0.0, 0.0), (0.0, 0.5 * size, 0.6 * size))[r.integers(3)]
            near, far = at(way, b, r, d), at(way, b, r, tuple(-x for x in d))  # type: ignore[arg-type]
            return near, [(0.2, far), (0.2, near)]
        case "wave":
            swing = 26 * a
            if way == "up":
                tilt = 19 * a
                wave = [arm(172 + k * tilt, 86, 20, 8, FRONT) for k in (-2, 0)]
                if move.who == "both":  # to the same side, like trees in the wind
                    wave = [{**wave[0], **other(arm(178, 10, 20, 8, FRONT))},
                            {**other(wave[0]), **arm(178, 10, 20, 8, FRONT)}]  # fmt: skip
                return wave[0], [(0.32, wave[1]), (0.32, wave[0])]
            lift, turn, elbow = (62.0, 66.0, 100.0) if way == "head" else (30.0, 18.0, 92.0)
            inward = arm(lift, 76, turn - swing, elbow + 8, FRONT, fist=0.0)
            outward = arm(lift, 78, turn + swing, elbow - 18 * a, FRONT, fist=0.0)
            return inward, [(0.28, outward), (0.28, inward)]
        case "swing" if way == "forward and backward":
            bent = r.random() < 0.35
            ahead, behind = (right(lift=lift * a, plane=3.0, elbow=70.0 if bent else elbow, turn=-8.0)
                             for lift, elbow in ((48, 12.0), (-30, 6.0)))  # fmt: skip
            return behind, [(0.42, ahead), (0.42, behind)]
        case "swing" if way == "low":
            height, x, turn = -0.46, 0.24 * a, 16 * a
            here, there = ({**_two(b, k * x, height, 0.3, 20, 0.06), "twist": k * turn} for k in (1, -1))
            return here, [(0.5, there), (0.5, here)]
        case "swing":  # one straight arm at chest height from side to side
            here, there = arm(84, 72, 0, 10, IN), arm(80, -32, 0, 14, IN)
            return here, [(0.45, there), (0.45, here)]
        case "circle" if way == "side":
            size = 15 + 9 * a

            def ring(angle: float) -> Pose:
                return arm(90 + size * np.cos(angle), 86 + size * np.sin(angle), 0, 5, DOWN)

            return ring(0), _ring(r, 6, 0.14, ring)
        case "circle" if way == "large":
            path = [arm(20, 2, 0, 8), arm(88, 4, 0, 8), arm(165, 20, 0, 10), arm(150, 100, 0, 16), arm(88, 130, 0, 14),
                    arm(25, 150, 0, 10)]  # fmt: skip
            path = path if r.random() < 0.75 else path[:1] + path[:0:-1]
            return path[0], [(0.2, pose) for pose in (*path[1:], path[0])]
        case "circle":
            height, size = (-0.12, 0.17 * a) if way == "front" else (-0.36, 0.1 * a)

            def turn_of(angle: float) -> Pose:
                rise, ahead = (np.cos(angle), 0.0) if way == "front" else (0.0, np.cos(angle))
                x = 0.16 + size * np.sin(angle)
                return hand(b, spot(b, x, height + size * rise, 0.36 + size * ahead), IN, 25, fist=0.4)

            return turn_of(0), _ring(r, 6, 0.2 if way == "front" else 0.14, turn_of)
        case "push":
            near = at("own shoulder" if way == "up" else "front", b, r, (0.06, 0, -0.12 if way != "up" else 0))
            aim = {"forward": (88, 5), "up": (172, 40), "side": (90, 84), "down": (26, 8)}[way]
            far = arm(aim[0] + r.uniform(-5, 5), aim[1], 0, 6, DOWN if way == "forward" else IN)
            twist = {"twist": -12.0 * a} if move.who == "one" and way == "forward" else {}
            begin, pushed = {**near, **dict.fromkeys(twist, 0.0)}, {**far, **twist}
            return begin, [(0.3, pushed), (0.1, pushed), (0.36, begin)]
        case "pull":
            starts = {"in": arm(88, 6, 0, 6, IN), "down": arm(170, 55, 10, 8, FRONT), "up": arm(14, 12, 0, 8, BACK),
                      "back": arm(52, 6, 0, 8, IN)}  # fmt: skip
            ends = {"in": hand(b, spot(b, 0.16, -0.16, 0.14), IN, 60), "down": arm(38, 80, 78, 140, FRONT),
                    "up": hand(b, spot(b, 0.09, -0.1, 0.19), DOWN, 88), "back": arm(-32, 12, 0, 95, IN)}  # fmt: skip
            far, near = ({**p[way], "r_fist": 0.9} for p in (starts, ends))
            return far, [(0.45, near), (0.1, near), (0.5, far)]
        case "curl":
            low, high = arm(12, 14, 0, 8, FRONT, fist=0.9), arm(18, 8, -4, 138, BACK, fist=0.9)
            return low, [(0.5, high), (0.08, high), (0.5, low)]
        case "stroke":
            place, direction = way.split(": ")
            tiny = direction == "small"
            size = 0.03 if tiny else 0.08 * a
            d = {"up and down": (0, size, 0), "forward and backward": (0, 0, size), "from side to side": (size, 0, 0),
                 "small": (0, size, 0.3 * size)}[direction]  # fmt: skip
            near, far = at(place, b, r, d), at(place, b, r, tuple(-x for x in d))  # type: ignore[arg-type]
            pace = 0.12 if tiny else 0.24
            return near, [(pace, far), (pace, near)]
        case "throw" if way == "overhead":
            back, gone = both(arm(160, 40, 20, 85, FRONT, fist=0.5)), both(arm(70, 4, 0, 10, DOWN, fist=0.0))
            return {**back, "bend": -6.0}, [(0.26, {**gone, "bend": 14.0}), (0.25, {**gone, "bend": 14.0}),
                                            (0.6, {**back, "bend": -6.0})]  # fmt: skip
        case "throw" if way == "underarm":
            back, gone = arm(-48 * a, 6, 0, 6, IN, fist=0.6), arm(86, 2, 0, 10, UP, fist=0.0)
            return back, [(0.3, gone), (0.3, gone), (0.6, back)]
        case "throw":
            wind = {**arm(88, 108, 80, 105, FRONT, fist=0.8), "twist": 30 * a, "bend": -3.0}
            whip = {**arm(116, 62, 70, 60, FRONT, fist=0.5), "twist": -4.0, "bend": 6.0}
            gone = {**arm(62, -8, -10, 14, DOWN, fist=0.0), "twist": -32 * a, "bend": 16.0}
            return wind, [(0.15, whip), (0.17, gone), (0.25, gone), (0.6, wind), (0.1, wind)]
        case "bat":
            turn = 40 * a
            if move.who == "one":
                level = {"chest": 84, "low": 48, "up": 60}[way]
                back, gone = (
                    arm(level, 104, 0, 16, FRONT, fist=0.9),
                    arm(level + (55 if way == "up" else 0), -38, 0, 28, IN),
                )
            else:
                y, end = {"chest": (-0.06, -0.06), "low": (-0.4, -0.4), "up": (-0.42, 0.12)}[way]
                back, gone = _two(b, 0.24, y, 0.22, 40), _two(b, -0.24, end, 0.26, 40)
            start = {**back, "twist": turn}
            return start, [(0.3, {**gone, "twist": -turn}), (0.3, {**gone, "twist": -turn}), (0.65, start)]
        case "chop":
            up, down = arm(158, 12, 0, 50, IN, fist=0.8), arm(32, 4, -10, 8, IN, fist=0.8)
            return {**up, "bend": -3.0}, [(0.24, {**down, "bend": 15.0}), (0.15, {**down, "bend": 15.0}),
                                          (0.55, {**up, "bend": -3.0})]  # fmt: skip
        case "clap" if way == "up":
            shut = hand(b, b.head_point(0.3, 3.5, 0.7), IN, 75, fist=0.0)
            wide = arm(150, 82, 50, 18, IN, fist=0.0)
            return wide, [(0.26, shut), (0.3, wide)]
        case "clap":
            height = -0.2 if way == "chest" else -0.36
            shut, wide = (hand(b, spot(b, x, height, 0.3), IN, 30, fist=0.0) for x in (0.04, 0.17 * a))
            return wide, [(0.15, shut), (0.06, shut), (0.22, wide)]
        case "open":
            shut, wide = arm(86, -4, 0, 14, IN), arm(88, 88, 0, 10, FRONT)
            return shut, [(0.5, wide), (0.1, wide), (0.5, shut)]
        case "cross":
            one, two = arm(72, -34, -10, 30, DOWN), arm(64, -26, -10, 34, DOWN)
            wide = both(arm(82, 62, 0, 10, DOWN))
            return wide, [(0.35, {**one, **other(two)}), (0.38, wide)]
        case "roll":

            def roll(angle: float) -> Pose:
                y, front = 0.09 * a * np.cos(angle), 0.09 * a * np.sin(angle)
                return {**hand(b, spot(b, -0.03, -0.14 + y, 0.3 + front), DOWN, 55),
                        **other(hand(b, spot(b, -0.03, -0.14 - y, 0.3 - front), DOWN, 55))}  # fmt: skip

            return roll(0), _ring(r, 6, 0.1, roll)
        case "steer":

            def steer(angle: float) -> Pose:
                x, y = 0.19 * np.cos(angle), 0.19 * np.sin(angle)
                return {
                    **hand(b, spot(b, x, y - 0.17, 0.34), IN, 35),
                    **other(hand(b, spot(b, x, -y - 0.17, 0.34), IN, 35)),
                }

            turn = 0.75 * a
            return steer(turn), [(0.55, steer(-turn)), (0.55, steer(turn))]
        case "shrug":
            up = arm(26, 72, 20, 78, UP, fist=0.0, shrug=22 * a)
            rest = {**home, "r_shrug": 0.0}
            return rest, [(0.4, up), (0.3, up), (0.45, rest), (0.2, rest)]
    raise ValueError(f"no arm movement {move.what!r} with way {way!r}")


def arms(move: Move, s: Style, b: Body, r: np.random.Generator, home: Pose) -> Phrase:
    """The phrase of an arm move; `home` is how the right arm rests in this posture."""
    start, steps = _arm_cycle(move, s, b, r, home)
    together = any(name.startswith("l_") for name in start)
    if move.who != "one" and not together:
        centre = {name for name in start if name[1] != "_"} - {"bend"}
        strip = lambda pose: {n: v for n, v in pose.items() if n not in centre}  # noqa: E731
        start, steps = strip(start), [(d, strip(pose)) for d, pose in steps]
        if move.who == "both":
            start, steps = both(start), [(d, both(pose)) for d, pose in steps]
        else:
            start, steps = _alternate(start, steps)
    steps = [(d * float(np.exp(r.normal(0, 0.1))), pose) for d, pose in steps]
    return cycle(move.times, start, steps, 0.7 if move.times == "held" else 0.55)


def _alternate(start: Pose, steps: list[Step]) -> tuple[Pose, list[Step]]:
    """The right arm half a cycle ahead of the left, on eight even keys of the cycle."""
    total = sum(d for d, _ in steps)
    times = np.cumsum([0.0, *(d for d, _ in steps)]) / total
    names = [n for n in start if n.startswith("r_") and all(n in pose for _, pose in steps)]
    track = {n: [start[n], *(pose[n] for _, pose in steps)] for n in names}

    def pose_at(u: float) -> Pose:
        return {n: float(np.interp(u % 1.0, times, values)) for n, values in track.items()}

    keys = [{**pose_at(k / 8), **other(pose_at(k / 8 + 0.5))} for k in range(9)]
    return keys[0], [(total / 8, pose) for pose in keys[1:]]


def cycle(times: str, start: Pose, steps: list[Step] | tuple[Step, ...], seconds: float) -> Phrase:
    """Go to `start` in so many seconds; then the steps, once or over and over, or stay."""
    if times == "repeatedly":
        return Phrase(((seconds, start),), tuple(steps))
    return Phrase(((seconds, start), *(steps if times == "once" else ())))
