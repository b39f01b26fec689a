"""Motion of the everyday actions of the shipped table that composed moves show, as clips."""

from __future__ import annotations

import numpy as np

from edge_app.window.skeleton import CORE15
from train.data.clips import Clip
from train.synthetic.arms import Move
from train.synthetic.compose import act
from train.synthetic.meaning import Meaning
from train.synthetic.person_clips import FPS


def _one(what: str, way: str = "", times: str = "repeatedly") -> Move:
    return Move(what, way, "one", times)


def _both(what: str, way: str = "", times: str = "repeatedly") -> Move:
    return Move(what, way, "both", times)


def _turns(what: str, way: str = "") -> Move:
    return Move(what, way, "alternate", "repeatedly")


def _hold(way: str) -> Move:
    return Move("hold", way, "both", "held")


def _hold1(way: str) -> Move:
    return Move("hold", way, "one", "held")


def _can(
    arms: Move | None = None,
    torso: Move | None = None,
    legs: Move | None = None,
    *,
    on: str = "stand",
    aside: str = "",
    tempo: str = "",
) -> Meaning:
    return Meaning(on, arms, legs, torso, aside=_hold1(aside) if aside else None, tempo=tempo)


def _whole(what: str, way: str = "", who: str = "both", times: str = "repeatedly", tempo: str = "") -> Meaning:
    return Meaning("whole", whole=Move(what, way, who, times), tempo=tempo)


def _stay(where: str) -> tuple[Meaning, ...]:
    return (_whole("stay", where, times="held"),)


_SLOW, _QUICK = "slowly", "quickly"
_HEAD_DOWN, _HEAD_UP = _both("head", "down", "held"), _both("head", "up", "held")
_TILTED, _ASIDE_LOOK = _both("head", "tilt", "held"), _both("head", "side", "held")
_STOOPED, _BENT = _both("bend", "slightly", "held"), _both("bend", "deeply", "held")
_BACK, _SIDE = _both("lean", "back", "held"), _both("lean", "side", "held")
_JERKS = _both("bend", "slightly")
_SOFT_KNEES, _BOUNCE = _both("bend", "slightly", "held"), _both("bend", "slightly")
_APART, _STRIDE = _both("stance", "wide", "held"), _both("stance", "one in front", "held")
_WALK, _MARCH = _turns("gait", "walk"), _turns("gait", "march")

_GESTURES: dict[str, tuple[Meaning, ...]] = {
    "raise arm to the side": (_can(_hold1("side")), _can(_one("raise", "side", "once"))),
    "raise both arms to the sides": (_can(_hold("side")), _can(_both("raise", "side", "once"))),
    "raise arms forward": (_can(_hold("forward")), _can(_both("raise", "forward", "once"))),
    "point down": (_can(_hold1("forward low"), _HEAD_DOWN),),
    "point to the side": (_can(_hold1("side"), _ASIDE_LOOK),),
    "point at oneself": (_can(_one("touch", "chest", "once")),),
    "signal stop": (_can(_hold1("forward")),),
    "cross hands in front": (_can(_both("cross", "", "once")),),
    "respond": (_can(_one("touch", "beside head", "once")), _can(_one("touch", "beside head", "once"), _both("nod"))),
    "thumbs up": (_can(_hold1("front")),),
    "ok sign": (_can(_hold1("beside head")),),
    "shake fist": (_can(_one("stroke", "own shoulder: forward and backward"), tempo=_QUICK),),
    "fist pump": (
        _can(_one("pull", "down", "once"), tempo=_QUICK),
        _can(_one("pull", "down"), None, _BOUNCE, tempo=_QUICK),
    ),
    "cheer": (
        _can(_both("push", "up"), None, _BOUNCE, tempo=_QUICK),
        _can(_both("push", "up"), None, _both("jump", "up"), tempo=_QUICK),
    ),
    "rub hands": (_can(_turns("stroke", "chest: forward and backward"), tempo=_QUICK),),
    "put palms together": (_can(_hold("together")), _can(_hold("together"), _HEAD_DOWN)),
    "hands behind the back": (_can(_hold("behind")),),
    "hands behind the head": (_can(_hold("nape")), _can(_hold("nape"), on="sit")),
    "big heart gesture": (_can(_hold("head")),),
    "hush": (_can(_hold1("mouth")),),
    "help signal": (_can(_both("raise", "up side"), tempo=_SLOW), _can(_both("raise", "up side"))),
    "tilt head": (_can(None, _both("head", "tilt", "once")), _can(None, _TILTED)),
    "look around": (_can(None, _both("look around")), _can(None, _both("look around"), tempo=_SLOW)),
    "look up": (_can(None, _HEAD_UP),),
    "look into the distance": (_can(_hold1("forehead"), _both("look around")), _can(_hold1("forehead"), _HEAD_UP)),
    "look through binoculars": (_can(_hold("eyes"), _both("look around")),),
    "draw circle": (_can(_one("circle", "front", "once")),),
    "body letter a": (_can(_hold("head"), None, _APART),),
    "body letter k": (_can(_hold1("side up"), None, _one("leg", "sideways", "held")),),
    "body letter x": (_can(_hold("side up"), None, _APART),),
    "body letter y": (_can(_hold("side up")),),
    "swipe": (_can(_one("swing", "chest", "once")), _can(_one("swing", "chest", "once"), tempo=_QUICK)),
    "swipe up": (_can(_one("raise", "up front", "once"), tempo=_QUICK),),
    "roll the arms": (_can(_both("roll")), _can(_both("roll"), tempo=_QUICK)),
    "conduct an orchestra": (
        _can(_both("stroke", "front: up and down"), _both("sway")),
        _can(_both("circle", "front"), _both("sway")),
    ),
    "direct traffic": (_can(_one("swing", "chest"), aside="side"), _can(_one("wave", "head"), aside="side")),
    "fan oneself": (
        _can(_one("stroke", "own shoulder: from side to side"), tempo=_QUICK),
        _can(_one("stroke", "mouth: from side to side"), tempo=_QUICK),
    ),
    "shake hands": (_can(_one("stroke", "waist: up and down")),),
    "high five": (_can(_one("raise", "forward head", "once"), tempo=_QUICK),),
    "hug": (_can(_both("open", "", "once")),),
    "hug oneself": (_can(_hold("shoulder")), _can(_both("rub", "shoulder"))),
    "press a button": (_can(_one("push", "forward", "once")), _can(_one("raise", "forward chest", "once"))),
    "reach forward": (_can(_one("raise", "forward", "once"), _both("bend", "slightly", "once")),),
    "reach up": (
        _can(_hold("up"), None, _both("heels", "", "held")),
        _can(_one("raise", "up front", "once"), _HEAD_UP, _both("heels", "", "held")),
    ),
    "shout": (_can(_hold("mouth"), _STOOPED),),
    "flap the arms": (_can(_both("raise", "side up")), _can(_both("raise", "side up"), tempo=_QUICK)),
    "fly like an airplane": (_can(_hold("side"), _both("lean", "sides")),),
}

_DAILY: dict[str, tuple[Meaning, ...]] = {
    "knock on a door": (_can(_one("stroke", "front: forward and backward"), tempo=_QUICK),),
    "hammer": (
        _can(_one("stroke", "front: up and down"), _HEAD_DOWN, aside="front", tempo=_QUICK),
        _can(_one("chop"), aside="front"),
    ),
    "stir": (_can(_one("circle", "waist"), _HEAD_DOWN, aside="waist"), _can(_one("circle", "waist"), _HEAD_DOWN)),
    "cut food": (_can(_one("stroke", "waist: up and down"), _HEAD_DOWN, aside="waist", tempo=_QUICK),),
    "knead dough": (_can(_both("stroke", "waist: forward and backward"), _STOOPED, tempo=_SLOW),),
    "wash dishes": (_can(_one("circle", "waist"), _STOOPED, aside="waist"),),
    "wash hands": (_can(_turns("stroke", "belly: forward and backward"), _STOOPED),),
    "sweep the floor": (_whole("bent sweep"),),
    "mop the floor": (_can(_both("pull", "back"), _STOOPED),),
    "vacuum": (_can(_one("pull", "back"), None, _WALK, tempo=_SLOW), _can(_one("pull", "back"), _STOOPED)),
    "wipe a table": (
        _can(_one("stroke", "waist: from side to side"), _STOOPED, aside="waist"),
        _can(_one("stroke", "waist: from side to side"), _BENT),
    ),
    "clean a window": (_can(_one("circle", "front")), _can(_one("wave", "up"))),
    "iron clothes": (_can(_one("stroke", "waist: from side to side"), _HEAD_DOWN, aside="waist", tempo=_SLOW),),
    "saw wood": (_can(_one("stroke", "waist: forward and backward"), _STOOPED, aside="waist"),),
    "chop wood": (_whole("chop down"),),
    "pump": (_can(_both("push", "down"), _STOOPED), _can(_both("push", "down"), _STOOPED, tempo=_QUICK)),
    "turn a steering wheel": (_can(_both("steer"), on="sit"),),
    "play with a yo-yo": (_can(_one("stroke", "waist: up and down"), _HEAD_DOWN),),
    "fly a kite": (_can(_both("pull", "in"), _HEAD_UP), _can(_turns("pull", "in"), _HEAD_UP)),
    "pull": (
        _can(_both("pull", "in"), None, _STRIDE),
        _can(_both("pull", "in", "once"), _both("lean", "back", "once")),
        _can(_both("pull", "back"), None, _STRIDE),
    ),
    "tug of war": (_can(_both("pull", "back"), _BACK, _SOFT_KNEES), _can(_both("pull", "in"), _BACK, _SOFT_KNEES)),
    "shake something": (
        _can(_both("stroke", "front: up and down"), tempo=_QUICK),
        _can(_one("stroke", "own shoulder: up and down"), tempo=_QUICK),
    ),
    "read": (_can(_hold("front"), _HEAD_DOWN), _can(_hold("front"), _HEAD_DOWN, on="sit")),
    "write": (
        _can(_one("stroke", "waist: small"), _HEAD_DOWN, aside="waist", on="sit"),
        _can(_one("stroke", "waist: small"), _HEAD_DOWN, aside="waist"),
    ),
    "type on a keyboard": (_can(_turns("stroke", "waist: small"), on="sit"),),
    "play video games": (_can(_both("stroke", "belly: small"), on="sit"),),
    "use a phone": (
        _can(_hold1("front"), _HEAD_DOWN),
        _can(_one("stroke", "front: small"), _HEAD_DOWN),
        _can(_hold1("front"), _HEAD_DOWN, on="sit"),
    ),
    "take a selfie": (_can(_hold1("forward head"), _TILTED), _can(_hold1("forward head"))),
    "button a shirt": (_can(_both("stroke", "chest: small"), _HEAD_DOWN),),
    "put on a tie": (_can(_both("stroke", "neck: small")), _can(_turns("stroke", "neck: small"))),
    "put on glasses": (_can(_both("touch", "eyes", "once")),),
    "put on a hat": (_can(_both("touch", "head", "once")), _can(_one("touch", "head", "once"))),
    "put on headphones": (_can(_both("touch", "ear", "once")),),
    "reach into pocket": (_can(_one("touch", "hip", "once")), _can(_hold1("hip"), _HEAD_DOWN)),
    "brush hair": (_can(_one("stroke", "head: up and down")), _can(_one("stroke", "head: forward and backward"))),
    "shave": (_can(_one("stroke", "ear: up and down"), _TILTED),),
    "wash face": (
        _can(_both("stroke", "mouth: up and down"), _STOOPED),
        _can(_both("stroke", "eyes: up and down"), _BENT),
    ),
    "wipe face": (_can(_one("stroke", "eyes: from side to side")), _can(_both("stroke", "eyes: from side to side"))),
    "take medicine": (_can(_one("touch", "mouth", "once"), _both("head", "up", "once"), tempo=_QUICK),),
    "blow nose": (_can(_both("touch", "mouth", "once"), _HEAD_DOWN),),
    "cough": (_can(_hold1("mouth"), _JERKS, tempo=_QUICK), _can(_hold1("mouth"), _both("nod"), tempo=_QUICK)),
    "sneeze": (_can(_hold1("mouth"), _both("bend", "slightly", "once"), tempo=_QUICK),),
    "yawn": (
        _can(_one("touch", "mouth", "once"), _both("head", "up", "once"), tempo=_SLOW),
        _can(_hold1("mouth"), _HEAD_UP),
    ),
    "laugh": (_can(_hold("belly"), _JERKS, tempo=_QUICK), _can(_hold1("mouth"), _JERKS, aside="belly", tempo=_QUICK)),
    "cry": (_can(_hold("eyes"), _HEAD_DOWN), _can(_hold("eyes"), _HEAD_DOWN, on="sit")),
    "think": (_can(_hold1("mouth"), aside="belly"), _can(_hold1("mouth"), _TILTED, aside="belly")),
    "cover the ears": (_can(_hold("ear")), _can(_hold("ear"), _HEAD_DOWN)),
    "cover the eyes": (_can(_hold("eyes")), _can(_hold1("eyes")), _can(_both("rub", "eyes"))),
    "listen with a hand to the ear": (_can(_hold1("ear"), _TILTED),),
    "face palm": (_can(_hold1("eyes"), _HEAD_DOWN), _can(_hold1("forehead"), _HEAD_DOWN)),
    "touch neck": (_can(_one("rub", "nape"), _TILTED), _can(_one("rub", "nape")), _can(_hold1("nape"), _HEAD_DOWN)),
    "touch chest": (
        _can(_hold1("chest"), _STOOPED),
        _can(_hold("chest"), _STOOPED),
        _can(_hold("belly"), _STOOPED),
        _can(_hold1("belly"), _both("bend", "slightly", "once")),
    ),
    "touch back": (_can(_hold("behind"), _BACK), _can(_hold1("behind"), _STOOPED), _can(_hold1("behind"), _BACK)),
    "touch knee": (_whole("reach knee", times="held"), _whole("reach knee", who="one", times="held")),
    "touch shoulder": (
        _can(_one("rub", "shoulder")),
        _can(_hold1("shoulder")),
        _can(_one("touch", "shoulder", "once")),
    ),
    "vomit": (
        _can(_hold1("belly"), _BENT),
        _can(_hold1("mouth"), _BENT),
        _can(_hold("belly"), _both("bend", "deeply")),
    ),
    "choke": (_can(_hold("neck"), _STOOPED), _can(_hold("neck"), _JERKS, tempo=_QUICK)),
    "rock a baby": (_can(_hold("crossed"), _both("sway"), tempo=_SLOW), _can(_hold("belly"), _both("sway"))),
    "stagger": (_can(_hold("side low"), _both("lean", "sides"), _WALK),),
    "zombie walk": (_can(_hold("forward"), None, _WALK, tempo=_SLOW), _can(_hold("forward"), _TILTED, _WALK)),
    "walk on a balance beam": (_can(_hold("side"), None, _WALK, tempo=_SLOW),),
    "push a cart": (_can(_hold("forward low"), None, _WALK),),
    "carry": (_can(_hold("front"), None, _WALK), _can(_hold("belly"), None, _WALK)),
    "carry on the shoulder": (_can(_hold1("own shoulder"), None, _WALK), _can(_hold("own shoulder"), None, _WALK)),
    "walk while reading": (_can(_hold("front"), _HEAD_DOWN, _WALK, tempo=_SLOW),),
    "walk while waving": (_can(_one("wave", "head"), None, _WALK),),
    "kneel down": (_whole("kneel down", times="once"),),
    "lie down": (_whole("lie down", times="once"),),
    "get up from the floor": (_whole("get up", times="once"),),
    "bend down": (_whole("reach floor", times="once"), _whole("reach knee", times="once")),
    "lean back": (_can(_hold("hip"), _both("lean", "back", "once")), _can(_hold("hip"), _BACK)),
    "sway": (_can(None, _both("sway")), _can(None, _both("sway"), tempo=_SLOW)),
    "crawl": (_whole("crawl"), _whole("crawl", tempo=_SLOW)),
    "sit still": _stay("sit"),
    "kneel still": _stay("kneel"),
    "sit on the floor": _stay("floor"),
    "lie still": _stay("back"),
    "lie face down": _stay("face down"),
    "lie on the side": _stay("side"),
    "hold a low squat": (
        _can(None, None, _both("bend", "deeply", "held")),
        _can(_hold("forward"), None, _both("bend", "deeply", "held")),
        _can(_hold("together"), None, _both("bend", "deeply", "held")),
    ),
}

_SPORTS: dict[str, tuple[Meaning, ...]] = {
    "bicep curl": (_can(_both("curl")), _can(_turns("curl")), _can(_one("curl"))),
    "overhead press": (_can(_both("push", "up")), _can(_both("push", "up"), tempo=_SLOW)),
    "front raise": (_can(_both("raise", "forward"), tempo=_SLOW), _can(_turns("raise", "forward"), tempo=_SLOW)),
    "lateral raise": (_can(_both("raise", "side"), tempo=_SLOW), _can(_both("raise", "side"))),
    "bent over row": (_whole("bent pull"), _whole("bent pull", tempo=_SLOW)),
    "lat pulldown": (_can(_both("pull", "down"), on="sit"), _can(_both("pull", "down"), on="sit", tempo=_SLOW)),
    "deadlift": (_whole("reach floor"), _whole("reach floor", tempo=_SLOW)),
    "clean and jerk": (_whole("lift overhead"), _whole("lift overhead", times="once")),
    "kettlebell swing": (_whole("swing between"),),
    "calf raise": (_can(None, None, _both("heels")), _can(_hold("hip"), None, _both("heels"))),
    "swing arms": (_can(_both("open")), _can(_both("cross")), _can(_both("open"), tempo=_QUICK)),
    "torso twist": (
        _can(_hold("chest"), _both("twist", "sides")),
        _can(_hold("front"), _both("twist", "sides"), _APART),
    ),
    "toe touch": (_whole("reach feet", times="once"), _whole("reach feet")),
    "side stretch": (_can(_hold1("up"), _SIDE, aside="hip"),),
    "quad stretch": (_can(_hold1("back"), None, _one("foot behind", "", "held"), aside="side"),),
    "leg swing": (_can(_hold("side low"), None, _one("leg swing")), _can(_hold("hip"), None, _one("leg swing"))),
    "side leg raise": (
        _can(_hold("hip"), None, _one("leg", "sideways")),
        _can(_hold("hip"), None, _one("leg", "sideways"), tempo=_SLOW),
    ),
    "side lunge": (
        _can(None, None, _turns("lunge", "sideways")),
        _can(_hold("together"), None, _turns("lunge", "sideways")),
    ),
    "stand on one leg": (
        _can(None, None, _one("knee", "", "held")),
        _can(_hold("side low"), None, _one("knee", "", "held")),
    ),
    "warrior pose": (_can(_hold("side"), None, _one("lunge", "sideways", "held")),),
    "high knees": (_can(None, None, _MARCH, tempo=_QUICK),),
    "butt kicks": (
        _can(_turns("swing", "forward and backward"), None, _turns("gait", "heels"), tempo=_QUICK),
        _can(None, None, _turns("gait", "heels"), tempo=_QUICK),
    ),
    "jump rope": (_can(_both("stroke", "hip: small"), None, _both("jump", "up"), tempo=_QUICK),),
    "aerobics": (
        _can(_both("push", "up"), None, _turns("gait", "sideways")),
        _can(_both("raise", "side"), None, _MARCH),
        _can(_both("push", "forward"), None, _turns("step", "sideways")),
    ),
    "battle ropes": (
        _can(_turns("stroke", "waist: up and down"), None, _SOFT_KNEES, tempo=_QUICK),
        _can(_both("stroke", "waist: up and down"), None, _SOFT_KNEES, tempo=_QUICK),
    ),
    "plank": _stay("plank"),
    "hang from a bar": _stay("hang"),
    "pull up": (_whole("pull up"),),
    "sit up": (_whole("sit up"),),
    "leg raise": (_whole("lying legs"), _whole("lying legs", tempo=_SLOW)),
    "bench press": (_whole("lying press"),),
    "superman exercise": (_whole("face down lift"), _whole("face down lift", times="held")),
    "bird dog": (_whole("stretch back", "with arm"), _whole("stretch back", "with arm", tempo=_SLOW)),
    "row": (_whole("row"),),
    "sit and reach": (_whole("floor reach"), _whole("floor reach", times="held")),
    "climb a ladder": (
        _can(_turns("pull", "down"), None, _MARCH),
        _can(_turns("pull", "down"), None, _MARCH, tempo=_SLOW),
    ),
    "boxing": (
        _can(_turns("push", "forward"), None, _STRIDE, tempo=_QUICK),
        _can(_turns("push", "forward"), None, _SOFT_KNEES, tempo=_QUICK),
    ),
    "dodge": (_can(_hold("front"), _both("lean", "sides"), _SOFT_KNEES, tempo=_QUICK),),
    "karate chop": (_can(_one("chop", "", "once"), aside="waist", tempo=_QUICK),),
    "slash": (_can(_both("chop", "", "once"), None, _STRIDE, tempo=_QUICK),),
    "slap": (_can(_one("bat", "chest", "once"), tempo=_QUICK),),
    "kick backward standing": (_can(None, None, _one("kick", "backward", "once")),),
    "aim a rifle": (
        _can(_hold1("ear"), _TILTED, _STRIDE, aside="forward"),
        _can(_hold1("mouth"), _TILTED, aside="forward"),
    ),
    "archery": (_can(_one("pull", "in", "once"), None, _APART, aside="forward", tempo=_SLOW),),
    "throw underarm": (_can(_one("throw", "underarm", "once")),),
    "throw with both hands": (_can(_both("throw", "overhead", "once")),),
    "chest pass": (_can(_both("push", "forward", "once"), None, _one("step", "forward", "once"), tempo=_QUICK),),
    "throw up a hat": (_can(_one("raise", "up front", "once"), _HEAD_UP, tempo=_QUICK),),
    "catch": (
        _can(_both("pull", "in", "once"), tempo=_QUICK),
        _can(_both("pull", "in", "once"), None, _both("bend", "slightly", "once"), tempo=_QUICK),
    ),
    "juggle": (_can(_turns("stroke", "waist: up and down"), _HEAD_UP),),
    "juggle a football": (_can(_hold("side low"), _HEAD_DOWN, _turns("knee"), tempo=_QUICK),),
    "baseball swing": (_can(_both("bat", "chest", "once"), None, _SOFT_KNEES), _can(_both("bat", "chest", "once"))),
    "basketball dribble": (
        _can(_one("push", "down"), None, _SOFT_KNEES, tempo=_QUICK),
        _can(_one("push", "down"), _STOOPED, tempo=_QUICK),
    ),
    "volleyball set": (_can(_both("stroke", "forehead: up and down"), None, _BOUNCE),),
    "tennis forehand": (
        _can(_one("bat", "up", "once"), None, _SOFT_KNEES),
        _can(_one("bat", "low", "once"), None, _SOFT_KNEES),
    ),
    "tennis serve": (_can(_one("throw", "overarm", "once"), aside="up"),),
    "table tennis": (
        _can(_one("wave", "waist"), None, _SOFT_KNEES, tempo=_QUICK),
        _can(_one("wave", "waist"), _STOOPED, tempo=_QUICK),
    ),
    "golf putt": (_can(_both("swing", "low", "once"), _STOOPED),),
    "hockey swing": (_can(_both("bat", "low", "once"), _STOOPED),),
    "bowl": (_whole("underarm lunge", times="once"),),
    "swim": (_can(_turns("circle", "large"), _STOOPED), _can(_turns("circle", "large"), _BENT)),
    "butterfly stroke": (_can(_both("circle", "large"), _STOOPED), _can(_both("circle", "large"), _BENT)),
    "backstroke": (_can(_turns("circle", "large")),),
    "skateboard": (
        _can(_hold("side"), _both("lean", "sides"), _SOFT_KNEES),
        _can(_hold("side low"), _both("twist", "sides"), _SOFT_KNEES),
    ),
    "ski": (
        _can(_both("swing", "forward and backward"), None, _SOFT_KNEES),
        _can(_turns("swing", "forward and backward"), None, _SOFT_KNEES),
    ),
    "strum guitar": (
        _can(_one("stroke", "belly: up and down"), aside="side low"),
        _can(_one("stroke", "belly: up and down"), aside="own shoulder", on="sit"),
    ),
    "play violin": (_can(_one("stroke", "front: from side to side"), _TILTED, aside="own shoulder"),),
    "play cello": (_can(_one("stroke", "waist: from side to side"), aside="ear", on="sit"),),
    "play piano": (
        _can(_turns("stroke", "waist: from side to side"), on="sit"),
        _can(_turns("stroke", "waist: from side to side"), _both("sway"), on="sit"),
    ),
    "play drums": (
        _can(_turns("stroke", "waist: up and down"), _both("nod"), on="sit", tempo=_QUICK),
        _can(_turns("stroke", "waist: up and down"), on="sit", tempo=_QUICK),
    ),
    "play trumpet": (_can(_hold("mouth"), _both("sway")),),
    "play accordion": (_can(_both("stroke", "front: from side to side"), on="sit", tempo=_SLOW),),
    "sing": (_can(_hold1("mouth"), _both("sway"), aside="front"),),
}

NAMED: dict[str, tuple[Meaning, ...]] = {**_GESTURES, **_DAILY, **_SPORTS}
"""By concept, the exact name of an entry of actions.ini: the meanings that show it."""

# Large circles go either way round; these have a hand go forward (1) or backward (-1) while it is overhead.
_OVERHEAD = {"swim": 1, "butterfly stroke": 1, "backstroke": -1}
_NECK, _WRISTS = CORE15.joints.index("neck"), [CORE15.joints.index(f"{side}_wrist") for side in ("left", "right")]


def _moves_forward(joints: np.ndarray) -> float:
    """How far the hands go forward while above the shoulders, in metres."""
    hands = joints[:, _WRISTS, :3] - joints[:, _NECK, None, :3]
    above = (hands[1:, :, 1] > 0) & (hands[:-1, :, 1] > 0)
    return float(-(np.diff(hands[..., 2], axis=0) * above).sum())


def named_clips(count: int, seed: int) -> list[Clip]:
    """`count` clips of each concept, its variants in turn, 2 to 5 seconds long, each another style, body and side."""
    clips = []
    for c, (concept, meanings) in enumerate(NAMED.items()):
        for i in range(count):
            joints = act(meanings[i % len(meanings)], ((seed + 700) * 1000 + c) * 10_000 + i, FPS)
            if concept in _OVERHEAD and _moves_forward(joints) * _OVERHEAD[concept] < 0:
                joints = joints[::-1].copy()
            clips.append(Clip("named", concept, concept, f"named:{i}", FPS, False, joints))
    return clips
