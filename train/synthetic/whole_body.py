"""Moves of the whole body, motion and words: changes of posture, bending to the floor, and what is done lying."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edge_app.camera.person import moves
from edge_app.camera.person.kinematics import Body, mirror_pose
from edge_app.camera.person.motion import Phrase, Pose, Program, Step, Style
from edge_app.camera.person.poses import (
    DOWN,
    FRONT,
    IN,
    SEAT,
    arm,
    both,
    crouch,
    hand,
    other,
    right,
    spot,
)
from train.synthetic.arms import Move, cycle

_KNEES = both(right(thigh=2.0, knee=92.0, ankle=-40.0, out=6.0, toe=0.0))
_ONE_KNEE = {**right(thigh=88.0, knee=88.0, out=4.0), **other(right(thigh=0.0, knee=92.0, ankle=-40.0))}
POSTURES: dict[str, dict[str, float]] = {
    "stand": {},
    "sit": SEAT,
    "kneel": {**_KNEES, "bend": 2.0},
    "kneel one": {**_ONE_KNEE, "bend": 2.0},
    "floor": {**SEAT, **both(right(thigh=90.0, knee=5.0, ankle=20.0, out=6.0, lift=36.0, elbow=20.0)), "bend": 8.0},
    "back": {"pitch": -88.0, **both(right(thigh=5.0, knee=8.0, lift=14.0, plane=75.0, elbow=8.0))},
    "back, knees bent": {"pitch": -88.0, **both(right(thigh=52.0, knee=98.0, lift=14.0, plane=75.0, elbow=8.0))},
    "face down": {"pitch": 88.0, "look": 50.0, **both(right(thigh=0.0, knee=3.0, ankle=-40.0, lift=16.0, plane=75.0))},
    "side": {"roll": 86.0, **right(thigh=50.0, knee=80.0, lift=120.0, plane=20.0, elbow=60.0),
             **other(right(thigh=30.0, knee=55.0, lift=50.0, plane=10.0, elbow=60.0))},
    "all fours": {"pitch": 80.0, "nod": -25.0, **both(right(thigh=80.0, knee=90.0, ankle=-40.0, lift=81.0, plane=2.0,
                                                            elbow=4.0, palm=-80.0, wrist=-75.0, fist=0.0))},
    "plank": {"pitch": 70.0, "nod": -18.0, "bend": -2.0,
              **both(right(thigh=0.0, knee=0.0, ankle=0.0, lift=74.0, plane=14.0, turn=10.0, elbow=4.0, palm=-80.0,
                           wrist=-78.0, fist=0.0))},
    "hang": {"air": 0.22, **both(right(lift=176.0, plane=60.0, elbow=5.0, fist=1.0, palm=0.0, knee=12.0, ankle=-30.0))},
}  # fmt: skip
"""Where the person is when the motion begins, by name."""

_PROGRAMS: dict[str, tuple[str, Program]] = {
    "pick up": ("stand", moves.pick_up), "turn around": ("stand", moves.turn_around),
    "sit down": ("stand", moves.sit_down), "stand up": ("sit", moves.stand_up), "get up": ("back", moves.get_up),
    "fall forward": ("stand", moves.fall("forward")), "fall backward": ("stand", moves.fall("backward")),
    "fall sideways": ("stand", moves.fall("sideways")), "jumping jack": ("stand", moves.jumping_jack),
}  # fmt: skip


def whole(move: Move, s: Style, b: Body, r: np.random.Generator) -> tuple[str, Phrase]:
    """Where it begins, a name of `POSTURES`, and the phrase of a move of the whole body."""
    if move.what in _PROGRAMS:
        begin, program = _PROGRAMS[move.what]
        phrase = program(s, b, r)
        if move.times == "once":
            up = both(right(lift=10.0, plane=60.0, elbow=15.0, thigh=0.0, knee=0.0, out=4.0)) | {
                "bend": 2.0,
                "nod": 0.0,
            }
            back = ((phrase.leave, up),) if move.what in ("stand up", "get up") else ()
            phrase = Phrase((*phrase.enter, *phrase.beat, *back))
        return begin, Phrase(phrase.enter, phrase.beat)
    begin, start, steps = _whole_cycle(move, s, b, r)
    steps = [(d * float(np.exp(r.normal(0, 0.08))), pose) for d, pose in steps]
    return begin, cycle(move.times, {**POSTURES[begin], **start}, steps, 0.5)


def _whole_cycle(move: Move, s: Style, b: Body, r: np.random.Generator) -> tuple[str, Pose, list[Step]]:
    a = s.amplitude
    rest = {**both(right(lift=11.0, plane=60.0, elbow=14.0, turn=0.0, thigh=0.0, knee=2.0)), "bend": 3.0}

    def there(pose: Pose, back: Pose, go: float = 0.6, wait: float = 0.2) -> list[Step]:
        return [(go, pose), (wait, {}), (go, {**back}), (0.12, {})]

    def which(pose: Pose) -> Pose:
        return both(pose) if move.who == "both" else pose

    match move.what:
        case "reach floor":
            down = {**crouch(108), "bend": 64.0, **which(arm(84, 2, 0, 6, IN))}
            return "stand", rest, there(down, rest, 0.75)
        case "reach feet":
            down = {"bend": 102.0, **both(right(thigh=-14.0, knee=6.0)), **both(arm(98, 2, 0, 5, IN))}
            return "stand", (down if move.times == "held" else rest), there(down, rest, 0.8)
        case "reach knee":
            down = {"bend": 50.0, **both(right(thigh=6.0, knee=16.0)), **which(arm(60, 0, 0, 12, IN))}
            return "stand", (down if move.times == "held" else rest), there(down, rest, 0.6)
        case "lift overhead":
            down = {**crouch(100), "bend": 62.0, **both(arm(82, 2, 0, 8, IN))}
            chest = {**crouch(20), **both(hand(b, spot(b, 0.14, -0.14, 0.24), IN, 30))}
            up = {**both(right(thigh=0.0, knee=2.0)), "bend": 0.0, **both(arm(172, 20, 10, 8, IN))}
            return "stand", down, [(0.55, chest), (0.45, up), (0.2, {}), (0.45, chest), (0.55, down)]
        case "swing between":
            low = {**crouch(46), "bend": 56.0, **both(arm(28, -8, 0, 6, IN))}
            high = {**both(right(thigh=0.0, knee=2.0)), "bend": 0.0, **both(arm(84 * a, -4, 0, 6, IN))}
            return "stand", low, [(0.5, high), (0.5, low)]
        case "chop down":
            up = {**both(arm(162, -2, 0, 40, IN)), "bend": -3.0, **crouch(8, 0.0)}
            low = {**both(arm(66, -8, 0, 8, IN)), **crouch(42), "bend": 58.0}
            return "stand", up, [(0.3, low), (0.2, {}), (0.7, up)]
        case "bent pull":
            bent = {**crouch(34), "bend": 62.0, **which(arm(64, 4, 0, 6, IN))}
            pulled = which(arm(4, 12, 0, 92, IN))
            return "stand", bent, [(0.45, pulled), (0.1, {}), (0.5, bent)]
        case "bent sweep":
            one = {"twist": 18 * a, **hand(b, spot(b, 0.34, -0.36, 0.36), IN, 20),
                   **other(hand(b, spot(b, -0.14, -0.2, 0.38), IN, 30))}  # fmt: skip
            two = {"twist": -18 * a, **hand(b, spot(b, 0.0, -0.36, 0.44), IN, 20),
                   **other(hand(b, spot(b, 0.14, -0.2, 0.32), IN, 30))}  # fmt: skip
            return "stand", {**crouch(16), "bend": 26.0, "nod": 16.0, **one}, [(0.5, two), (0.5, one)]
        case "underarm lunge":
            lunge = {**right(thigh=8.0, knee=70.0, ankle=-35.0), "r_thigh": -18.0,
                     **other(right(thigh=78.0, knee=84.0)), "bend": 34.0}  # fmt: skip
            back = {
                **arm(-52, 6, 0, 6, IN),
                **other(arm(40, 60, 0, 20, DOWN)),
                "l_thigh": 22.0,
                "l_knee": 24.0,
                "bend": 14.0,
            }
            gone = {**lunge, **arm(62 * a, -2, 0, 8, FRONT)}
            return "stand", rest, [(0.5, back), (0.34, gone), (0.4, {}), (0.6, {**rest, **other(right(lift=11.0))})]
        case "lie down":
            ball = {**crouch(128), "bend": 50.0, **both(arm(40, 60, 0, 20, DOWN))}
            seated = {
                "pitch": -14.0,
                "bend": 14.0,
                **both(right(thigh=90.0, knee=70.0, lift=-30.0, plane=20.0, elbow=10.0)),
            }
            return "stand", rest, [(0.7, ball), (0.6, seated), (0.8, {**POSTURES["back"], "bend": 2.0}), (0.2, {})]
        case "kneel down":
            return "stand", rest, [(0.8, {**_ONE_KNEE, "bend": 10.0}), (0.6, POSTURES["kneel"]), (0.3, {})]
        case "push up":
            low = {"pitch": 82.0, **both(right(lift=38.0, plane=50.0, turn=30.0, elbow=100.0))}
            return "plank", {}, [(0.5, low), (0.5, POSTURES["plank"])]
        case "stay":
            return move.way, {}, []
        case "crawl":
            one = {**right(thigh=62.0, lift=98.0), **other(right(thigh=96.0, lift=66.0))}
            lift = {"l_knee": 96.0, "r_elbow": 22.0, "r_knee": 90.0, "l_elbow": 4.0}
            two = mirror_pose(one)
            return "all fours", one, [(0.45, {**two, **lift}), (0.45, {**one, **mirror_pose(lift)})]
        case "stretch back":
            leg = right(thigh=-6.0, knee=6.0)
            out = {**leg, **other(arm(165, 4, 0, 6, IN))} if move.way == "with arm" else leg
            home = {n: POSTURES["all fours"][n] for n in out if n in POSTURES["all fours"]}
            return "all fours", (out if move.times == "held" else {}), there(out, home, 0.6, 0.25)
        case "lying legs":
            up = right(thigh=84.0, knee=6.0)
            down = right(thigh=5.0, knee=6.0)
            if move.who == "alternate":
                first, second = {**up, **other(down)}, {**down, **other(up)}
                return "back", first, [(0.5, second), (0.5, first)]
            return "back", {}, there(which(up), which(down), 0.6)
        case "lying knees":
            return "back", {}, there(both(right(thigh=112.0, knee=120.0)), both(right(thigh=5.0, knee=8.0)), 0.6)
        case "lying cycle":
            one = {**right(thigh=95.0, knee=100.0), **other(right(thigh=28.0, knee=12.0))}
            return "back", {**one, "bend": 8.0}, [(0.4, mirror_pose(one)), (0.4, one)]
        case "lying press":
            low, high = both(arm(62, 62, 0, 95, FRONT, fist=0.9)), both(arm(88, 6, 0, 4, FRONT, fist=0.9))
            return "back, knees bent", low, [(0.5, high), (0.1, {}), (0.5, low)]
        case "lying arms":
            up = both(arm(90, 4, 0, 5, IN))
            home = both(right(lift=14.0, plane=75.0, elbow=8.0))
            return "back", (up if move.times == "held" else {}), there(up, home, 0.6)
        case "sit up":
            arms = both(hand(b, b.head_point(1.3, 0.2, -0.5), IN, 95)) if r.random() < 0.6 else \
                both(hand(b, spot(b, -0.1, -0.16, 0.18), IN, 35))  # fmt: skip
            return (
                "back, knees bent",
                {**arms, "bend": 2.0},
                [(0.6, {"bend": 78.0}), (0.1, {}), (0.65, {"bend": 2.0}), (0.1, {})],
            )
        case "face down lift":
            up = {"bend": -22.0, **both(right(thigh=-20.0, lift=176.0, plane=30.0, elbow=6.0))}
            flat = {"bend": 0.0, **both(right(thigh=0.0, lift=162.0, plane=30.0, elbow=8.0))}
            return "face down", (up if move.times == "held" else flat), there(up, flat, 0.55)
        case "pull up":
            up = {"air": 0.22 + 0.34 * b.scale, **both(right(lift=52.0, plane=78.0, turn=70.0, elbow=132.0))}
            return "hang", {}, [(0.7, up), (0.15, {}), (0.7, POSTURES["hang"])]
        case "row":
            near = {
                "bend": -12.0,
                **both(right(thigh=88.0, knee=8.0)),
                **both(hand(b, spot(b, 0.16, -0.26, 0.12), IN, 55)),
            }
            far = {"bend": 26.0, **both(right(thigh=112.0, knee=84.0)), **both(arm(78, 4, 0, 5, DOWN))}
            return "floor", far, [(0.55, near), (0.12, {}), (0.6, far)]
        case "floor reach":
            out = {"bend": 48.0, **both(arm(84, 2, 0, 5, IN))}
            home = {n: POSTURES["floor"].get(n, 0.0) for n in out}
            return "floor", (out if move.times == "held" else {}), there(out, home, 0.8)
    raise ValueError(f"no whole movement {move.what!r}")


class WholeWords(NamedTuple):
    """Templates as in `compose_text`; the description is a full sentence."""

    names: tuple[str, ...]
    description: str
    arms: str
    legs: str
    torso: str


_FALL_ARMS = "both arms flung out, then on the floor"
_FALL = ("From standing, the body suddenly loses balance and falls {way} quickly to the floor, the torso turning from "
         "upright to horizontal, the arms flung out, and then lies still.")  # fmt: skip

WHOLE: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...], WholeWords]] = {
    ("pick up", ""): (("both",), ("once",), WholeWords(
        ("reach to floor and stand up", "bend down and lift something", "fetch a thing from floor"),
        "From standing, the torso bends forward, the knees bend and one hand reaches down near the floor, closes, and comes up "
        "again to the waist as the body straightens.",
        "one hand reaches near the floor and comes up to the waist", "bend at the knees once and straighten again",
        "bends forward low, then comes upright")),
    ("turn around", ""): (("both",), ("once",), WholeWords(
        ("turn around", "turn a full circle", "rotate the whole body"),
        "Standing upright, the whole body turns about the vertical axis in a full circle with small alternate steps while "
        "both arms hang beside the hips.",
        "both arms hang beside the hips", "take small turning steps on the spot", "upright, turning about the vertical axis")),
    ("sit down", ""): (("both",), ("once",), WholeWords(
        ("sit down", "lower onto a seat", "take a seat"),
        "From standing, the knees and hips bend, the torso leans forward and the hips move down until the body sits at knee "
        "height, and the torso comes upright.",
        "both hands move forward and rest on the thighs", "bend at the knees once, feet stay in place",
        "leans forward, moves down, then comes upright")),
    ("stand up", ""): (("both",), ("once",), WholeWords(
        ("stand up", "rise from a seat", "get up from sitting"),
        "From sitting, the torso leans forward, the hips lift off the seat and both legs straighten until the body stands "
        "upright with the arms hanging.",
        "both arms move from the thighs to hang beside the hips", "straighten from bent knees once",
        "leans forward, rises, then comes upright")),
    ("get up", ""): (("both",), ("once",), WholeWords(
        ("get up from the floor", "rise from lying", "stand up from lying"),
        "From lying on the back, the torso rises from the floor, the body comes up over deeply bent knees and the legs "
        "straighten until it stands upright.",
        "both hands reach forward, then hang beside the hips", "bend deeply under the body, then straighten",
        "rises from horizontal to upright once")),
    **{(f"fall {way}", ""): (("both",), ("once",), WholeWords(
        (f"fall {way}", f"drop {way} to the floor", f"collapse {way}"), _FALL.replace("{way}", said), _FALL_ARMS,
        "give way and end stretched or bent on the floor", f"drops {said} quickly from upright to horizontal"))
       for way, said in (("forward", "forward"), ("backward", "backward"), ("sideways", "to the side"))},
    ("jumping jack", ""): (("both",), ("repeatedly",), WholeWords(
        ("jump with arms and legs apart", "jump legs apart, arms overhead"),
        "Standing upright, both legs jump apart while both arms go up from the sides above the head, then jump together "
        "while the arms come down, {t}.",
        "both arms go up from the sides above the head and down {t}", "both legs jump apart and together {t}",
        "upright, bouncing with the jumps")),
    ("reach floor", ""): (("one", "both"), ("once", "repeatedly"), WholeWords(
        ("reach down to the floor", "bend down, @hand to floor", "touch the floor with @hand"),
        "From standing, both knees bend, the torso bends forward at the hips and @hand reach~ down near the floor, then the "
        "body comes upright again, {t}.",
        "@hand reach~ down near the floor and come~ up {t}", "both knees bend deeply and straighten again {t}",
        "bends forward low and comes upright {t}")),
    ("reach feet", ""): (("both",), ("once", "repeatedly", "held"), WholeWords(
        ("reach down to the feet", "bend forward, hands to feet", "touch the toes"),
        "Standing with straight legs, the torso bends forward and down at the hips until both hands reach the feet near the "
        "floor {and comes upright again {t}|and is held still there}.",
        "both straight arms reach down to the feet", "both legs straight and stay still",
        "bends forward deeply at the hips {and comes upright {t}|and is held still}")),
    ("reach knee", ""): (("one", "both"), ("once", "repeatedly", "held"), WholeWords(
        ("@hand on the knee^", "bend and touch the knee^", "reach @hand to the knee^"),
        "Standing with slightly bent knees, the torso bends forward at the hips and @hand reach~ down to the "
        "knee^ {and come~ up again {t}|and stay~ still there}.",
        "@hand reach~ down to the knee^ with the arm^ straight", "both knees bent slightly, the feet stay still",
        "bends forward at the hips {and comes upright {t}|and is held still}")),
    ("lift overhead", ""): (("both",), ("once", "repeatedly"), WholeWords(
        ("lift from floor to overhead", "raise hands from floor overhead"),
        "From bent knees with the torso bent forward and both hands near the floor, the body straightens and both hands are "
        "lifted past the chest to above the head {t}.",
        "both hands lifted from near the floor to above the head {t}", "both knees bend deeply and straighten {t}",
        "bends forward low, then comes upright {t}")),
    ("swing between", ""): (("both",), ("repeatedly",), WholeWords(
        ("swing arms from knees to chest", "swing hands between the legs"),
        "Standing with the knees bending, both straight arms together swing from between the knees forward and up to chest "
        "height as the hips straighten, and back, {t}.",
        "both straight arms swing from between the knees to chest height {t}", "both knees bend and straighten {t}",
        "bends forward at the hips and comes upright {t}")),
    ("chop down", ""): (("both",), ("once", "repeatedly"), WholeWords(
        ("swing hands overhead to the knees", "chop down with both hands"),
        "Standing with the legs apart, both hands together are raised above the head and swing down in front to knee height as "
        "the torso bends forward, {t}.",
        "both hands together swing from above the head down to the knees {t}", "both knees bend slightly with the strokes",
        "upright, then bends forward quickly {t}")),
    ("bent pull", ""): (("one", "both"), ("repeatedly",), WholeWords(
        ("bend forward and pull elbow^ back", "pull @hand up while bent forward"),
        "Standing with bent knees and the torso bent forward at the hips, @hand be~ pulled from hanging up to the waist with "
        "the elbow^ bending and lowered again, {t}.",
        "@hand pulled from hanging up to the waist {t}", "both knees bent slightly, still",
        "bent forward deeply at the hips, held still")),
    ("bent sweep", ""): (("both",), ("repeatedly",), WholeWords(
        ("swing both hands low, bent forward", "sweep hands low side to side"),
        "Standing bent forward slightly, both hands apart, one at chest and one at hip height, swing low from side to side in "
        "front of the body {t} while the feet stay in place.",
        "both hands swing low from side to side in front {t}", "both knees bent slightly, the feet still",
        "bent forward slightly, turning with the strokes")),
    ("underarm lunge", ""): (("both",), ("once",), WholeWords(
        ("swing arm underarm and lunge", "lunge and swing arm low"),
        "From standing, one straight arm swings backward and then forward low past the knee as the front knee bends deeply, the "
        "other leg stays behind and the torso bends forward.",
        "one straight arm swings from behind forward low once", "one leg steps forward and bends deeply, the other behind",
        "bends forward low with the swing")),
    ("lie down", ""): (("both",), ("once",), WholeWords(
        ("lie down", "lie down on the floor", "go down to lie"),
        "From standing, the knees bend deeply, the body sits down on the floor and the torso is lowered backward until it lies "
        "on the back, and is then still.",
        "both arms reach down, then lie beside the body", "bend deeply, then stretch out on the floor",
        "lowered from upright to lying on the back")),
    ("kneel down", ""): (("both",), ("once",), WholeWords(
        ("kneel down", "go down on the knees", "lower to the knees"),
        "From standing, one knee and then the other is lowered to the floor so that the body rests on both knees with the "
        "torso upright and the arms hanging.",
        "both arms hang beside the body, still", "bend one after the other until the knees rest on the floor",
        "upright, lowered to the knees once")),
    ("push up", ""): (("both",), ("repeatedly",), WholeWords(
        ("bend arms face down and straighten", "lower and lift body on hands"),
        "Lying face down with straight body on hands and toes, both elbows bend so that the chest goes near the floor and "
        "straighten again, {t}, while the legs stay straight.",
        "both hands on the floor, elbows bend and straighten {t}", "straight behind, toes on the floor, still",
        "horizontal, face down, lowered and raised {t}")),
    ("stay", "plank"): (("both",), ("held",), WholeWords(
        ("hold body straight on the hands", "stay on hands and toes"),
        "Face down on straight arms and toes, the whole body is held in one straight line above the floor and stays still.",
        "both arms straight down, hands on the floor, still", "straight behind, toes on the floor, still",
        "horizontal, face down, held still in line")),
    ("stay", "all fours"): (("both",), ("held",), WholeWords(
        ("stay on hands and knees", "stand on all fours"),
        "On hands and knees with the torso horizontal and face down, the straight arms and bent legs rest on the floor and "
        "the whole body stays still.",
        "both arms straight down to the floor, still", "both knees bent, resting on the floor, still",
        "horizontal, face down, held still")),
    ("stay", "back"): (("both",), ("held",), WholeWords(
        ("lie on the back", "lie flat on the back", "lie still, face up"),
        "Lying on the back near the floor with the torso horizontal and the legs straight, both arms beside the body, the "
        "whole body stays still.",
        "both arms lie beside the body, still", "both legs straight on the floor, still",
        "horizontal, lying on the back, still")),
    ("stay", "face down"): (("both",), ("held",), WholeWords(
        ("lie face down", "lie on the belly"),
        "Lying face down near the floor with the torso horizontal and the legs straight, both arms beside the body, the whole "
        "body stays still.",
        "both arms lie beside the body, still", "both legs straight on the floor, still",
        "horizontal, lying face down, still")),
    ("stay", "side"): (("both",), ("held",), WholeWords(
        ("lie on the side", "lie sideways on the floor"),
        "Lying on one side near the floor with the torso horizontal and the knees bent, both arms in front of the body with "
        "bent elbows, the whole body stays still.",
        "both arms bent in front of the body, still", "both knees bent, lying on the floor, still",
        "horizontal, lying on one side, still")),
    ("stay", "hang"): (("both",), ("held",), WholeWords(
        ("hang from both hands", "hang with arms above the head"),
        "Both straight arms are stretched above the head holding a bar, and the body hangs below with the legs off the floor, "
        "almost still.",
        "both straight arms stretched above the head, still", "both legs hang off the floor, almost still",
        "upright, hanging from the arms, still")),
    ("crawl", ""): (("both",), ("repeatedly",), WholeWords(
        ("crawl", "move on hands and knees", "go on all fours"),
        "On hands and knees with the torso level near the floor, the opposite hand and knee are moved forward alternately "
        "{t} so that the body moves along.",
        "straight down to the floor, hands move forward alternately", "knees on the floor, moved forward alternately",
        "horizontal, face down, moving forward")),
    ("stretch back", ""): (("both",), ("repeatedly", "held"), WholeWords(
        ("stretch leg back on all fours", "on hands and knees, leg back"),
        "On hands and knees with the torso horizontal, one leg is stretched straight backward {and brought in again {t}|and held "
        "still there} while both hands and the other knee stay on the floor.",
        "both arms straight down to the floor, still", "one leg stretched straight backward, the other knee on the floor",
        "horizontal, face down, held still")),
    ("stretch back", "with arm"): (("both",), ("repeatedly", "held"), WholeWords(
        ("stretch opposite arm and leg", "on all fours, arm and leg out"),
        "On hands and knees with the torso horizontal, one arm is stretched forward and the opposite leg backward {and both "
        "brought in again {t}|and both are held still}.",
        "one arm stretched forward at head height, the other on the floor",
        "one leg stretched straight backward, the other knee on the floor", "horizontal, face down, held still")),
    ("lying legs", ""): (("one", "both", "alternate"), ("repeatedly",), WholeWords(
        ("raise @leg while lying", "lift @leg lying on back"),
        "Lying on the back with the arms beside the body, @leg be~ lifted straight until the feet point up and lowered again, {t}.",
        "both arms lie beside the body, still", "@leg lifted straight up and lowered again {t}",
        "horizontal, lying on the back, still")),
    ("lying knees", ""): (("both",), ("once", "repeatedly"), WholeWords(
        ("knees to chest while lying", "pull knees up lying"),
        "Lying on the back with the arms beside the body, both knees bend and are pulled up to the chest and the legs are "
        "stretched out again, {t}.",
        "both arms lie beside the body, still", "both knees pulled to the chest and stretched out again {t}",
        "horizontal, lying on the back, still")),
    ("lying cycle", ""): (("both",), ("repeatedly",), WholeWords(
        ("cycle with legs while lying", "bend legs alternately lying"),
        "Lying on the back, the knees are pulled to the chest and stretched away alternately and {t} with the feet above the "
        "floor, while the arms lie beside the body.",
        "both arms lie beside the body, still", "both knees bend and stretch alternately and {t}",
        "horizontal, lying on the back, still")),
    ("lying press", ""): (("both",), ("repeatedly",), WholeWords(
        ("push hands up while lying", "press both arms up lying"),
        "Lying on the back with bent knees and the feet on the floor, both hands beside the chest are pushed straight up until "
        "the arms are straight and lowered again, {t}.",
        "both hands pushed straight up from the chest and lowered {t}", "both knees bent, feet on the floor, still",
        "horizontal, lying on the back, still")),
    ("lying arms", ""): (("both",), ("repeatedly", "held"), WholeWords(
        ("raise arms while lying", "arms up lying on back"),
        "Lying on the back with straight legs, both straight arms are lifted until they point up above the chest {and lowered "
        "beside the body again {t}|and are held still}.",
        "both straight arms lifted to point up {and lowered {t}|above the chest, still}",
        "both legs straight on the floor, still", "horizontal, lying on the back, still")),
    ("sit up", ""): (("both",), ("once", "repeatedly"), WholeWords(
        ("raise torso from lying", "lift upper body to knees lying"),
        "Lying on the back with bent knees and both hands at the head or chest, the torso is raised to the knees and lowered "
        "to the floor again, {t}.",
        "both hands held at the head or chest", "both knees bent, feet on the floor, still",
        "rises from horizontal to upright and goes back {t}")),
    ("face down lift", ""): (("both",), ("repeatedly", "held"), WholeWords(
        ("lift arms and legs face down", "arch up lying face down"),
        "Lying face down with both arms stretched above the head, the straight arms, chest and legs are lifted off the floor "
        "{and lowered again {t}|and held still there}.",
        "both stretched above the head, lifted off the floor", "both straight legs lifted backward off the floor",
        "lying face down, chest lifted off the floor")),
    ("pull up", ""): (("both",), ("repeatedly",), WholeWords(
        ("pull body up to the hands", "hang and bend the elbows"),
        "Hanging with both hands above the head and the legs off the floor, both elbows bend so that the whole body is raised "
        "to the hands and is lowered again, {t}.",
        "both hands above the head, elbows bend and straighten {t}", "both legs hang off the floor, still",
        "upright, moves up and down {t}")),
    ("row", ""): (("both",), ("repeatedly",), WholeWords(
        ("pull hands in, legs stretching", "pull and lean back sitting"),
        "Sitting low on the floor, both hands stretched forward are pulled back to the waist as the bent legs straighten and the "
        "torso leans backward, {t}.",
        "both hands pulled from in front back to the waist {t}", "both legs bend and straighten {t}",
        "low, leans forward and backward {t}")),
    ("floor reach", ""): (("both",), ("once", "repeatedly", "held"), WholeWords(
        ("reach for feet while sitting", "sit and bend to the feet"),
        "Sitting on the floor with both legs straight in front, the torso bends forward at the hips and both hands reach to the "
        "feet {and come back {t}|and stay there, still}.",
        "both straight arms reach forward to the feet", "both legs straight in front on the floor, still",
        "bends forward at the hips {and comes upright {t}|and is held}")),
}  # fmt: skip
"""By (what, way): who may do it, how often, and the words; `{a|b}` is a for a motion, b for a held pose."""
