"""The motion of a composed meaning: one `Move` of the arms, the legs or the torso as a phrase of joint angles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge_app.person import moves
from edge_app.person.kinematics import Body, mirror_pose
from edge_app.person.motion import Phrase, Pose, Program, Step, Style
from edge_app.person.poses import BACK, DOWN, FRONT, IN, UP, arm, both, crouch, hand, other, right, spot

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
    "mouth": ((0.6, -0.5, 1.75), BACK, 45), "ear": ((1.65, -0.7, 0.6), IN, 65), "head": ((1.1, 1.5, 0.2), IN, 72),
    "nape": ((1.1, -0.1, -0.9), IN, 105), "forehead": ((1.4, 0.45, 0.95), DOWN, 75), "eyes": ((0.8, 0.5, 1.55), IN, 60),
}  # fmt: skip
# Straight arms: lift, plane, the palm.
_STRAIGHT = {
    "forward low": (38, 5, IN), "forward chest": (70, 5, IN), "forward": (89, 5, DOWN), "forward head": (116, 6, DOWN),
    "side low": (50, 85, IN), "side": (90, 86, DOWN), "side up": (133, 84, FRONT), "up": (173, 50, IN),
    "back": (-42, 4, IN),
}  # fmt: skip
FRONT_PLACES = ("chest", "belly", "neck", "shoulder", "front", "waist")


def at(way: str, b: Body, r: np.random.Generator, shift: tuple[float, float, float] = (0, 0, 0)) -> Pose:
    """The right arm in a place; `shift` (metres right, up, forward) moves the hand of a bent arm from there."""
    if way in _STRAIGHT:
        lift, plane, palm = _STRAIGHT[way]
        return arm(lift + r.uniform(-4, 4), plane + r.uniform(-4, 4), 0, r.uniform(4, 14), palm, fist=r.uniform(0, 0.8))
    if way == "beside head":
        return arm(52 + r.uniform(-6, 10), 76, 72, 118 + r.uniform(-6, 6), FRONT, fist=r.uniform(0, 0.6))
    if way == "behind":
        return arm(-26, 12, -70, 62, BACK, fist=0.3)
    point, palm, out = _HEAD_SPOTS[way] if way in _HEAD_SPOTS else _SPOTS[way]
    centre = b.head_point(*point) if way in _HEAD_SPOTS else spot(b, *point)
    return hand(b, centre + spot(b, *shift), palm, out + r.uniform(-6, 6), fist=r.uniform(0.1, 0.7))


def _two(b: Body, x: float, y: float, front: float, out: float = 30, gap: float = 0.05) -> Pose:
    """Both hands together at a point of the chest's frame."""
    near, far = hand(b, spot(b, x + gap, y, front), IN, out), hand(b, spot(b, gap - x, y, front), IN, out)
    return {**near, **other(far), **both(right(fist=0.8))}


def _ring(r: np.random.Generator, centre: Pose, keys: int, seconds: float, pose) -> list[Step]:
    way = float(r.choice([-1, 1]))
    return [(seconds, pose(way * 2 * np.pi * k / keys)) for k in range(1, keys + 1)]


def _arm_cycle(move: Move, s: Style, b: Body, r: np.random.Generator, home: Pose) -> tuple[Pose, list[Step]]:
    """A start and the steps from it back to it. Poses of the right arm, of both where the hands work together."""
    a, way = s.amplitude, move.way
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
            lift, turn, elbow = (62, 66, 100) if way == "head" else (30, 18, 92)
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

            return ring(0), _ring(r, {}, 6, 0.14, ring)
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

            return turn_of(0), _ring(r, {}, 6, 0.2 if way == "front" else 0.14, turn_of)
        case "push":
            near = at("own shoulder" if way == "up" else "front", b, r, (0.06, 0, -0.12 if way != "up" else 0))
            aim = {"forward": (88, 5), "up": (172, 40), "side": (90, 84), "down": (26, 8)}[way]
            far = arm(aim[0] + r.uniform(-5, 5), aim[1], 0, 6, DOWN if way == "forward" else IN)
            turn = {"twist": -12.0 * a} if move.who == "one" and way == "forward" else {}
            return {**near, **dict.fromkeys(turn, 0.0)}, [(0.3, {**far, **turn}), (0.1, {**far, **turn}),
                                                          (0.36, {**near, **dict.fromkeys(turn, 0.0)})]  # fmt: skip
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
            place, path = way.split(": ")
            tiny = path == "small"
            size = 0.022 if tiny else 0.08 * a
            d = {"up and down": (0, size, 0), "forward and backward": (0, 0, size), "from side to side": (size, 0, 0),
                 "small": (0, size, 0.3 * size)}[path]  # fmt: skip
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
                high = {"chest": 84, "low": 48, "up": 60}[way]
                back, gone = arm(high, 104, 0, 16, FRONT, fist=0.9), arm(high + (55 if way == "up" else 0), -38, 0, 28, IN)
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

            return roll(0), _ring(r, {}, 6, 0.1, roll)
        case "steer":
            def steer(angle: float) -> Pose:
                x, y = 0.19 * np.cos(angle), 0.19 * np.sin(angle)
                return {**hand(b, spot(b, x, y - 0.17, 0.34), IN, 35), **other(hand(b, spot(b, x, -y - 0.17, 0.34), IN, 35))}

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


def _only(program: Program, channels: tuple[str, ...], s: Style, b: Body, r: np.random.Generator) -> Phrase:
    """Some channels of a shipped program's phrase."""
    phrase = program(s, b, r)
    keep = lambda steps: tuple((d, {n: v for n, v in p.items() if n in channels}) for d, p in steps)  # noqa: E731
    return Phrase(keep(phrase.enter), keep(phrase.beat))


_LEGS_AND_BODY = (*LEG_CHANNELS, "air", "shift", "lean", "bend")
_ARMS_TOO = (*_LEGS_AND_BODY, *(f"{side}_{n}" for side in "rl" for n in ("lift", "plane", "turn", "elbow", "palm", "fist")))
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

    def there_and_back(pose: Pose, go: float = 0.5, wait: float = 0.12, via: Pose | None = None):
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
            start, (first, wait, home, rest), more = there_and_back(land, 0.34, 0.2)
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
            low = {**right(thigh=66 + 8 * a, knee=80.0), **other(right(thigh=-14.0, knee=74 * a, ankle=-35.0)), "bend": 6.0}
            up = {**right(thigh=44.0, knee=58.0), "l_knee": 4.0}
            return there_and_back(low, 0.6, 0.2, up)
        case "lunge", _:
            low = {**right(out=22.0, toe=24.0, thigh=62.0, knee=84.0), **other(right(out=44.0, knee=2.0)), "bend": 22.0}
            return there_and_back(low, 0.65, 0.2)
        case "jump", _:  # apart and together
            apart = {**both(right(out=18 * a, knee=10.0, thigh=5.0)), "air": 0.0}
            shut = {**both(right(out=3.0, knee=10.0, thigh=5.0)), "air": 0.0}
            hop = {**both(right(out=10.0, knee=4.0, thigh=2.0)), "air": 0.06 * a}
            return shut, [(0.14, hop), (0.15, apart), (0.06, {}), (0.14, hop), (0.15, shut), (0.06, {})], {}
        case "heels", _:
            return stand, [(0.4, {**stand, **both(right(ankle=38.0))}), (0.15, {}), (0.4, stand), (0.1, {})], {}
        case "foot behind", _:
            return there_and_back({**right(thigh=-6.0, knee=132.0), "shift": -2.5})
        case "stance", "wide":
            return there_and_back(both(right(out=r.uniform(14, 21), knee=2.0)))
        case "stance", _:
            return there_and_back({**right(thigh=23.0, knee=8.0), **other(right(thigh=-18.0, knee=4.0))})
    raise ValueError(f"no leg movement {move.what!r} with way {move.way!r}")


def torso(move: Move, s: Style, b: Body, r: np.random.Generator, seated: bool) -> Phrase:
    """The phrase of a move of the torso or the head."""
    a = s.amplitude

    def back_and_forth(pose: Pose, go: float, wait: float = 0.15) -> tuple[Pose, list[Step]]:
        zero = dict.fromkeys(pose, 0.0) | ({"bend": 3.0} if "bend" in pose else {})
        return zero, [(go, pose), (wait, {}), (go, zero), (0.1, {})]

    match move.what, move.way:
        case "bend", depth:
            deep = r.uniform(22, 30) if depth == "slightly" else r.uniform(62, 82) * (0.7 if seated else 1)
            pose: dict[str, float] = {"bend": deep, "nod": 6.0}
            if not seated:
                pose |= both(right(thigh=-0.14 * deep, knee=0.05 * deep))
            start, steps = back_and_forth(pose, 0.45 if depth == "slightly" else 0.75)
        case "lean", "back":
            start, steps = back_and_forth({"bend": -22 * a, "nod": -10.0}, 0.6)
        case "lean", "side":
            sides = {k: {"lean": 26.0 * a * k, "shift": -3.0 * k * (not seated), "tilt": 5.0 * k} for k in (-1, 1)}
            start, steps = back_and_forth(sides[-1], 0.65)
            if move.who == "alternate":
                start, steps = sides[-1], [(0.8, sides[1]), (0.8, sides[-1])]
        case "twist", _:
            ends = [{"twist": k * 38 * a, "look": k * 12.0} for k in (1, -1)]
            start, steps = back_and_forth(ends[0], 0.6)
            if move.who == "alternate":
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
            pose = {"down": {"nod": 36 * a}, "up": {"nod": -36 * a}, "side": {"look": 58 * a}, "tilt": {"tilt": 28 * a}}[way]
            start, steps = back_and_forth(pose, 0.45)
        case _:
            raise ValueError(f"no torso movement {move.what!r} with way {move.way!r}")
    if move.times == "held":
        start, steps = steps[0][1], []
    return cycle(move.times, start, steps, 0.8 if move.times == "held" else 0.4)
