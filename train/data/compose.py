"""Randomly composed motion with the text that describes it: what teaches an encoder the meaning of movement words.

A meaning is drawn first, from orthogonal choices for arms, legs and torso (or one move of the whole body); motion and
words are both made from it. Words say "one arm", never which: training mirrors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from edge_app.person.kinematics import Body, core15, forward
from edge_app.person.motion import Phrase, Style, Timeline
from edge_app.person.poses import other
from train.data.compose_body import legs, torso
from train.data.compose_motion import Move, arms, at
from train.data.compose_text import STRAIGHT_PLACES, clause, fill, gerund, pick, short_name, times_words
from train.data.compose_whole import POSTURES, WHOLE, whole

PARTS = ("arms", "legs", "torso")
TEMPI = {"slowly": (0.55, 0.7), "": (0.85, 1.2), "quickly": (1.5, 1.9)}
_LONGEST = 5.0

_BENT = ("chest", "belly", "neck", "shoulder", "hip", "mouth", "ear", "head", "nape", "forehead", "eyes")
_STROKES = tuple(f"{place}: {path}" for place in ("front", "waist", "mouth", "head", "chest", "belly")
                 for path in ("up and down", "forward and backward", "from side to side", "small"))[:16]  # fmt: skip
_ONE, _BOTH, _ANY = ("one",), ("both",), ("one", "both", "alternate")
_ARM_MOVES: tuple[tuple[str, float, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("hold", 3.2, (*STRAIGHT_PLACES, *_BENT, "front", "waist", "beside head", "behind"), ("one", "both"), ("held",)),
    ("hold", 0.3, ("crossed", "together"), _BOTH, ("held",)),
    ("raise", 3.0, ("forward", "forward head", "side", "side up", "up front", "up side", "back"), _ANY, ("once", "repeatedly")),
    ("touch", 2.6, _BENT, ("one", "one", "both"), ("once", "repeatedly")),
    ("rub", 1.2, ("mouth", "head", "chest", "belly", "shoulder", "neck", "ear"), ("one", "one", "both"), ("repeatedly",)),
    ("wave", 1.0, ("head", "up", "waist"), ("one", "both"), ("repeatedly",)),
    ("swing", 0.8, ("forward and backward",), _ANY, ("repeatedly",)),
    ("swing", 0.5, ("low",), _BOTH, ("repeatedly",)),
    ("swing", 0.5, ("chest",), ("one", "both"), ("repeatedly",)),
    ("circle", 1.2, ("side", "large"), _ANY, ("repeatedly",)),
    ("circle", 0.8, ("front", "waist"), ("one",), ("once", "repeatedly")),
    ("push", 2.0, ("forward", "up", "side", "down"), _ANY, ("once", "repeatedly")),
    ("pull", 1.6, ("in", "down", "up", "back"), _ANY, ("once", "repeatedly")),
    ("curl", 0.7, ("",), _ANY, ("repeatedly",)),
    ("stroke", 2.4, _STROKES[:8], _ANY, ("repeatedly",)),
    ("stroke", 0.8, _STROKES[8:], _ONE, ("repeatedly",)),
    ("throw", 0.9, ("overarm", "underarm"), _ONE, ("once", "repeatedly")),
    ("throw", 0.4, ("overhead",), _BOTH, ("once", "repeatedly")),
    ("bat", 1.2, ("chest", "low", "up"), ("one", "both"), ("once", "repeatedly")),
    ("chop", 0.7, ("",), ("one", "both"), ("once", "repeatedly")),
    ("clap", 0.9, ("chest", "waist", "up"), _BOTH, ("repeatedly",)),
    ("open", 0.6, ("",), _BOTH, ("once", "repeatedly")),
    ("cross", 0.4, ("",), _BOTH, ("once", "repeatedly")),
    ("roll", 0.4, ("",), _BOTH, ("repeatedly",)),
    ("steer", 0.4, ("",), _BOTH, ("repeatedly",)),
    ("shrug", 0.4, ("",), _BOTH, ("once", "repeatedly")),
)  # fmt: skip
_LEG_MOVES: tuple[tuple[str, float, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("bend", 2.2, ("slightly", "deeply"), _BOTH, ("once", "repeatedly", "held")),
    ("step", 1.5, ("forward", "backward", "sideways"), ("one", "alternate"), ("once", "repeatedly")),
    ("gait", 2.6, ("walk", "march", "run", "heels", "sideways"), ("alternate",), ("repeatedly",)),
    ("knee", 1.4, ("",), ("one", "alternate"), ("once", "repeatedly", "held")),
    ("kick", 1.4, ("forward", "sideways", "backward"), ("one", "alternate"), ("once", "repeatedly")),
    ("leg", 1.2, ("forward", "sideways", "backward"), ("one", "alternate"), ("once", "repeatedly", "held")),
    ("leg swing", 0.4, ("",), _ONE, ("repeatedly",)),
    ("lunge", 1.4, ("forward", "sideways"), ("one", "alternate"), ("once", "repeatedly", "held")),
    ("jump", 1.4, ("up", "apart", "one leg"), ("both",), ("once", "repeatedly")),
    ("heels", 0.4, ("",), ("both",), ("repeatedly",)),
    ("foot behind", 0.5, ("",), ("one", "alternate"), ("once", "repeatedly", "held")),
    ("stance", 0.7, ("wide", "one in front"), ("both",), ("held",)),
)  # fmt: skip
_TORSO_MOVES: tuple[tuple[str, float, tuple[str, ...], tuple[str, ...], tuple[str, ...]], ...] = (
    ("bend", 2.0, ("slightly", "deeply"), ("both",), ("once", "repeatedly", "held")),
    ("lean", 1.2, ("back", "side"), ("both",), ("once", "held")),
    ("lean", 0.6, ("sides",), ("both",), ("repeatedly",)),
    ("twist", 1.0, ("sides",), ("both",), ("repeatedly",)),
    ("twist", 0.5, ("",), ("both",), ("once", "held")),
    ("sway", 0.5, ("",), ("both",), ("repeatedly",)),
    ("nod", 0.7, ("",), ("both",), ("repeatedly",)),
    ("shake", 0.7, ("",), ("both",), ("repeatedly",)),
    ("look around", 0.5, ("",), ("both",), ("repeatedly",)),
    ("head", 1.2, ("down", "up", "side", "tilt"), ("both",), ("once", "held")),
)  # fmt: skip
_MOVES = {"arms": _ARM_MOVES, "legs": _LEG_MOVES, "torso": _TORSO_MOVES}
_HEAD = ("nod", "shake", "look around", "head", "sway")
_TRUNK_OF_ARMS = {"throw", "bat", "chop"}
# Which parts move, and how often; sitting and kneeling people keep their legs still.
_WHO_MOVES = {("arms",): 0.42, ("legs",): 0.17, ("torso",): 0.1, ("arms", "legs"): 0.18, ("arms", "torso"): 0.09,
              ("torso", "legs"): 0.02, ("arms", "legs", "torso"): 0.02}  # fmt: skip
_POSTURES = {"stand": 0.82, "sit": 0.1, "kneel": 0.025, "kneel one": 0.025, "floor": 0.03}
_WHOLE_SHARE = 0.14


@dataclass(frozen=True, slots=True)
class Texts:
    """`name` as a user types it, other wordings of it, and the fields of an entry of actions.ini."""

    name: str
    paraphrases: tuple[str, ...]
    description: str
    arms: str
    legs: str
    torso: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """The choices. `aside`: what the other arm holds meanwhile; `first`: the part that moves before the rest."""

    posture: str
    arms: Move | None = None
    legs: Move | None = None
    torso: Move | None = None
    whole: Move | None = None
    aside: Move | None = None
    tempo: str = ""
    first: str = ""

    @property
    def key(self) -> tuple:
        """Equal for equal meanings."""
        moves = (self.arms, self.legs, self.torso, self.whole, self.aside)
        said = tuple((m.what, m.way, m.who, m.times) if m else () for m in moves)
        return (self.posture, *said, self.tempo, self.first)

    def moving(self) -> list[tuple[str, Move]]:
        """The parts that do something, the one to be named first at the head."""
        found = [(part, move) for part in PARTS if (move := getattr(self, part))]
        return sorted(found, key=lambda pair: pair[0] != self.first) if self.first else found


@dataclass(frozen=True, slots=True)
class Composed:
    """joints: float32 `[T, 15, 4]` in metres with visibility 1, two to five seconds. key: equal for equal meanings."""

    joints: np.ndarray
    texts: Texts
    key: tuple


def compose(seed: int, fps: float = 24.0) -> Composed:
    """One random motion and its texts; the same seed always gives the same."""
    return compose_whole_body(seed, fps)[0]


def compose_whole_body(seed: int, fps: float = 24.0) -> tuple[Composed, np.ndarray]:
    """The same with every joint that can be drawn, float64 `[T, J, 3]` as `edge_app.person.JOINTS`."""
    rng = np.random.default_rng([seed, 7])
    meaning, joints = _act(draw(rng), seed, fps, rng)
    return Composed(_seen(joints), _texts(meaning, rng), meaning.key), joints


def act(meaning: Meaning, seed: int, fps: float = 24.0) -> np.ndarray:
    """The motion of a given meaning, as `Composed.joints`; the seed chooses the body, the side and the style."""
    return _seen(_act(meaning, seed, fps, np.random.default_rng([seed, 11]))[1])


def _seen(joints: np.ndarray) -> np.ndarray:
    core = core15(joints)
    return np.concatenate([core, np.ones((*core.shape[:2], 1), np.float32)], axis=-1)


# ---------------------------------------------------------------- the meaning


def _weighted(options: dict, rng: np.random.Generator):
    weights = np.array([*options.values()])
    return [*options][rng.choice(len(weights), p=weights / weights.sum())]


def draw(rng: np.random.Generator) -> Meaning:
    """A plausible random meaning."""
    if rng.random() < _WHOLE_SHARE:
        what, way = [*WHOLE][rng.integers(len(WHOLE))]
        whos, times, _ = WHOLE[what, way]
        move = Move(what, way, pick(whos, rng), pick(times, rng))
        slow = move.times == "repeatedly" and rng.random() < 0.2
        return Meaning("whole", whole=move, tempo="slowly" if slow else "")
    posture = _weighted(_POSTURES, rng)
    parts = _weighted(_WHO_MOVES, rng)
    if posture != "stand":
        parts = tuple(p for p in parts if p != "legs") or ("arms",)
    while not _plausible(chosen := {part: _draw_move(part, rng) for part in parts}, posture):
        pass
    meaning = Meaning(posture, **chosen)
    tempo = pick(("", "", "", "slowly", "quickly"), rng)
    if all(move.times == "held" for move in chosen.values()):
        tempo = ""
    one = meaning.arms and meaning.arms.who == "one"
    aside = Move("hold", pick(("hip", "waist", "front", "side", "up", "ear", "chest", "nape"), rng), "one")
    if one and rng.random() < 0.15:
        meaning = replace(meaning, aside=aside)
    if len(chosen) == 2 and rng.random() < 0.25:
        first = next((p for p in rng.permutation(parts) if chosen[p].times != "repeatedly"), "")
        return replace(meaning, first=str(first))
    return replace(meaning, tempo=tempo)


def _draw_move(part: str, rng: np.random.Generator) -> Move:
    table = _MOVES[part]
    what, _, ways, whos, times = table[_weighted({i: row[1] for i, row in enumerate(table)}, rng)]
    move = Move(what, pick(ways, rng), pick(whos, rng), pick(times, rng))
    if (move.times == "held" and move.who == "alternate") or (move.times == "once" and move.who == "alternate"):
        move = replace(move, times="repeatedly")
    return move


def _plausible(chosen: dict[str, Move], posture: str) -> bool:
    arm, leg, trunk = chosen.get("arms"), chosen.get("legs"), chosen.get("torso")
    bent = trunk and (trunk.what, trunk.way) == ("bend", "deeply")
    if leg and trunk and trunk.what == "sway":
        return False
    if arm and arm.what == "stroke" and arm.way.startswith(("mouth", "head")) and arm.who != "one":
        return False
    if arm and trunk and trunk.what not in _HEAD and arm.what in (*_TRUNK_OF_ARMS, "swing", "push"):
        return False
    if arm and bent and not (arm.what == "hold" and arm.way in ("hip", "nape", "crossed", "behind", "chest", "head")):
        return False
    if leg and trunk and trunk.what not in _HEAD:
        return trunk.what in ("twist", "lean") and leg.what in ("stance", "gait") and leg.way != "run"
    if (
        arm
        and leg
        and trunk
        and (trunk.what not in ("nod", "shake", "head") or leg.what not in ("gait", "bend", "stance"))
    ):
        return False
    if arm and posture in ("sit", "floor"):  # hands that would go through the seat, the thighs or the floor
        low = arm.way in (
            "forward low",
            "side low",
            "back",
            "low",
            "waist",
            "down",
            "large",
            "underarm",
            "up",
            "behind",
        )
        return (arm.what in ("hold", "raise", "wave", "push", "touch", "rub", "stroke") and arm.way == "up") or not (
            low or arm.what in ("swing", "curl", "chop", "pull"))  # fmt: skip
    return True


# ---------------------------------------------------------------- the motion


def _need(phrase: Phrase) -> float:
    """Seconds at speed 1 for what the words promise: everything once, or two full beats and a bit."""
    return sum(d for d, _ in phrase.enter) + 2.25 * sum(d for d, _ in phrase.beat)


def _phrases(meaning: Meaning, s: Style, b: Body, r: np.random.Generator, start: dict) -> dict[str, Phrase]:
    """A phrase of each part that moves; where two want a channel, the torso has it before the arms and the legs."""
    home = {n: v for n, v in start.items() if n in _ARM_CHANNELS}
    made: dict[str, Phrase] = {}
    if meaning.torso:
        made["torso"] = torso(meaning.torso, s, b, r, meaning.posture != "stand", meaning.arms is None)
    if meaning.arms:
        made["arms"] = arms(meaning.arms, s, b, r, home)
    if meaning.aside:
        made["aside"] = Phrase(((0.6, other(at(meaning.aside.way, b, r))),))
    if meaning.legs:
        made["legs"] = legs(meaning.legs, s, b, r, meaning.arms is None)
    taken: set[str] = set()
    for part, phrase in made.items():
        free = [tuple((d, {n: v for n, v in p.items() if n not in taken}) for d, p in steps)
                for steps in (phrase.enter, phrase.beat)]  # fmt: skip
        made[part] = Phrase(*free)
        taken |= {name for _, pose in (*phrase.enter, *phrase.beat) for name in pose}
    return made


_ARM_CHANNELS = {f"r_{n}" for n in ("lift", "plane", "turn", "elbow", "palm", "wrist", "fist")}


def _stretched(phrase: Phrase, factor: float) -> Phrase:
    return Phrase(phrase.enter, tuple((d * factor, pose) for d, pose in phrase.beat))


def _act(meaning: Meaning, seed: int, fps: float, rng: np.random.Generator) -> tuple[Meaning, np.ndarray]:
    """The joints of a meaning; its tempo or its order is given up where five seconds are not enough."""
    body = Body.random(seed)
    style = Style(seed, float(rng.uniform(*TEMPI[meaning.tempo])), float(rng.uniform(0.85, 1.15)),
                  "left" if rng.random() < 0.5 else "right", float(rng.uniform(0.3, 1.3)))  # fmt: skip
    if meaning.whole:
        begin, phrase = whole(meaning.whole, style, body, rng)
        phrases = {"whole": phrase}
    else:
        begin = meaning.posture
        phrases = _phrases(meaning, style, body, rng, Timeline(style, POSTURES[begin]).rest | POSTURES[begin])
    beats = {part: sum(d for d, _ in phrase.beat) for part, phrase in phrases.items()}
    lead, *rest = [part for part, beat in beats.items() if beat] or [""]
    for part in rest:
        ratio = beats[lead] / beats[part]
        ratio *= 2 if ratio < 0.6 else 0.5 if ratio > 1.7 else 1
        if rng.random() < 0.7 and 0.6 <= ratio <= 1.7:
            phrases[part] = _stretched(phrases[part], ratio)

    needs = {part: _need(phrase) for part, phrase in phrases.items()}
    if meaning.first and sum(needs.values()) / style.speed > 1.4 * _LONGEST:
        meaning = replace(meaning, first="")
    need = (sum if meaning.first else max)(needs.values())
    if need / style.speed > _LONGEST - 0.4:
        meaning = replace(meaning, tempo="" if meaning.tempo == "slowly" else meaning.tempo)
        style = replace(style, speed=max(need / (_LONGEST - 0.4), TEMPI[meaning.tempo][0]))
    need /= style.speed

    once = any(m and m.times == "once" for m in (meaning.arms, meaning.legs, meaning.torso, meaning.whole))
    enter = max(sum(d for d, _ in phrase.enter) for phrase in phrases.values()) / style.speed
    skip = 0.0 if once or meaning.first or rng.random() < 0.35 else enter
    pause = float(rng.uniform(0.1, 0.4)) if once else 0.0
    need += pause + 0.2 * bool(meaning.first)
    if lead:
        seconds = rng.uniform(max(2.0, min(need, _LONGEST)), _LONGEST)
    else:
        seconds = need + rng.uniform(0.2, 0.8) if once or meaning.first else rng.uniform(2.0, 4.0)
    seconds = float(np.clip(seconds, 2.0, _LONGEST))

    timeline = Timeline(style, POSTURES[begin])
    start = pause
    ordered = sorted(phrases, key=lambda part: part not in (meaning.first, "aside"))
    for part in ordered:
        timeline.t = start
        timeline.lay(phrases[part], seconds + skip + beats[part] / style.speed - start, rng)
        if part == meaning.first:
            start += needs[part] / style.speed + float(rng.uniform(0.0, 0.2))
    times = skip + np.arange(round(seconds * fps)) / fps
    return meaning, forward(timeline.channels(times, 20.0), body)


# ---------------------------------------------------------------- the words

_OPENERS = {"stand": "Standing", "sit": "Sitting", "kneel": "Kneeling on both knees", "kneel one": "Kneeling on one knee",
            "floor": "Sitting on the floor with straight legs"}  # fmt: skip
_NAME_POSTURES = {"sit": "sitting", "kneel": "kneeling", "kneel one": "on one knee", "floor": "sitting on floor"}
_LEGS_REST = {"stand": ("the legs stay still", "both legs straight and stay still"),
              "sit": ("the bent legs stay still", "both legs bent at the knees, still"),
              "kneel": ("the knees stay on the floor", "both knees rest on the floor, still"),
              "kneel one": ("the legs stay still", "one knee on the floor, the other bent, still"),
              "floor": ("the straight legs stay still", "both legs straight in front on the floor, still")}  # fmt: skip
_ARMS_WITH_LEGS = {("gait", "walk"): "both arms swing forward and backward beside the hips",
                   ("gait", "march"): "both arms swing forward and backward alternately",
                   ("gait", "run"): "both bent arms swing forward and backward alternately",
                   ("jump", "up"): "both arms swing up and down again",
                   ("jump", "one leg"): "both arms are held out a little to the side"}  # fmt: skip
_TORSO_WITH = {("legs", "bend"): "the torso leans forward slightly, moves down and up",
               ("legs", "lunge"): "the torso stays upright, moves down and up",
               ("legs", "jump"): "the torso stays upright, bouncing with the jumps",
               ("legs", "kick"): "the torso leans slightly to keep balance",
               ("arms", "throw"): "the torso turns or leans with the throw",
               ("arms", "bat"): "the torso turns quickly with the swing",
               ("arms", "chop"): "the torso bends forward slightly with the strokes"}  # fmt: skip


def _texts(meaning: Meaning, rng: np.random.Generator) -> Texts:
    names = _names(meaning, rng)
    if meaning.whole:
        move = meaning.whole
        words = WHOLE[move.what, move.way][2]
        said = times_words(move, meaning.tempo, rng)
        chosen = lambda text: re.sub(r"\{((?:[^{}]|\{t\})*)\|((?:[^{}]|\{t\})*)\}",  # noqa: E731
                                     lambda m: m[2] if move.times == "held" else m[1], text)  # fmt: skip
        texts = [fill(chosen(text), move, rng, said) for text in words[1:]]
        return Texts(names[0], tuple(names[1:]), texts[0], texts[1], texts[2], f"the torso {texts[3]}"
                     if len(texts[3].split()) < 5 else texts[3])  # fmt: skip
    best = None
    for attempt in range(14):  # wordings vary in length: one of the length of the shipped descriptions is found soon
        moving = meaning.moving()
        short = attempt > 5 and len({move.times for _, move in moving}) == 1  # "repeatedly" once for all
        clauses = {part: clause(part, move, meaning.tempo, rng, times=not short or part == moving[-1][0])
                   for part, move in moving}  # fmt: skip
        rests = _rests(meaning)
        description = _sentence(meaning, clauses, rests, rng)
        parts = [_part(part, clauses.get(part) or rests[part][1], rests.get("aside")) for part in PARTS]
        length = len(description.split())
        miss = max(20 - length, length - 35, 0) + sum(max(len(p.split()) - 15, 5 - len(p.split()), 0) for p in parts)
        if best is None or miss < best[0]:
            best = miss, description, parts
        if miss == 0:
            break
    assert best is not None
    return Texts(names[0], tuple(names[1:]), best[1], *best[2])


def _rests(meaning: Meaning) -> dict[str, tuple[str, str]]:
    """What the parts that do nothing are like: for the sentence, and as the part's own text."""
    seated = meaning.posture in ("sit", "floor")
    found: dict[str, tuple[str, str]] = {}
    if meaning.arms is None:
        natural = meaning.legs and _ARMS_WITH_LEGS.get((meaning.legs.what, meaning.legs.way))
        hang = "both hands rest on the thighs" if seated else "both arms hang"
        if meaning.torso and (meaning.torso.what, meaning.torso.way) == ("bend", "deeply"):
            hang = "both hands move along the thighs" if seated else "both arms hang down"
        found["arms"] = (
            (natural, natural) if natural else (hang, hang if len(hang.split()) > 4 else f"{hang} beside the body")
        )
    elif meaning.aside:
        held = (
            fill("the other @hand be~ held {w}", meaning.aside, rng=_FIXED)
            .replace("other one", "other")
            .replace(" to ", " at ")
        )
        found["aside"] = (held, held)
    elif meaning.arms.who == "one":
        hang = "the other hand rests on the thigh" if seated else "the other arm hangs"
        found["aside"] = (hang, hang)
    if meaning.legs is None:
        found["legs"] = _LEGS_REST[meaning.posture]
    if meaning.torso is None:
        with_moves = [_TORSO_WITH[part, move.what] for part, move in meaning.moving()
                      if (part, move.what) in _TORSO_WITH and move.times != "held"]  # fmt: skip
        still = "the torso stays upright and still"
        if meaning.legs and (meaning.legs.what, meaning.legs.way) in (("bend", "deeply"), ("lunge", "sideways")):
            with_moves = with_moves if meaning.legs.times != "held" else ["the torso leans forward slightly"]
        found["torso"] = (with_moves[-1], with_moves[-1]) if with_moves else ("the torso stays upright", still)
    return found


_FIXED = np.random.default_rng(0)
_BRIEFER = (
    (r"again and again", "repeatedly"), (r" until the arms? (is |are )?straight", ""), (r" again\b", ""),
    (r" with the elbows? (bent|bending)", ""), (r" and at the same time", " while"),
    (r"the elbows? bends? so that (one|both) (hands?) (moves?) from the hips?", r"\1 \2 \3 from the hip"),
    (r"\bheld (out|apart) ", ""), (r" together in an arc", " in an arc"), (r" in circles in front", " in front"),
    (r" as the torso turns", ""), (r" from the chest", ""), (r" past the hips", ""), (r" far\b", ""),
    (r", held still", ", still"), (r" from (one|the) side( across)?\b", r"\2"), (r" down and forward", " forward"),
    (r" above the shoulder and down in front", " and down"), (r" up to above", " to above"),
    (r" with the elbows? lifted to the side", ""), (r"to the sides and back", "and back"), (r" in front to", " to"),
    (r" quickly, alternately", " alternately"), (r", one knee bending deeply,", ", knee bent,"), (r"moves in large circles in front of the body", "moves in large circles"),
    (r" and repeatedly", ""),
)  # fmt: skip


def _part(part: str, text: str, aside: tuple[str, str] | None) -> str:
    short = re.sub(r"\b(is|are) (?!straight)", "", text) if part == "arms" else text
    short = _brief(short, 15)
    with_other = f"{short}, {aside[1]}" if aside and part == "arms" else short
    return with_other if len(with_other.split()) <= 15 else short


def _brief(text: str, most: int) -> str:
    """Fewer words where there are more than `most`."""
    for long, brief in _BRIEFER:
        if len(text.split()) > most:
            text = re.sub(long, brief, text)
    return text


def _sentence(meaning: Meaning, clauses: dict[str, str], rests: dict, rng: np.random.Generator) -> str:
    moving = [*clauses.values()]
    trunk = meaning.torso and meaning.torso.what not in _HEAD
    opener = _OPENERS[meaning.posture]
    crouching = meaning.legs and meaning.legs.what in ("bend", "lunge")
    if not trunk and not crouching and meaning.posture in ("stand", "sit", "kneel"):
        opener = opener.replace("Standing", "Standing upright").replace("Sitting", "Sitting upright")
    if meaning.first:
        main = f"first {moving[0]}, then {moving[1]}"
    else:
        main = pick((" while ", " and at the same time "), rng).join(moving[:2])
        main += f", and {moving[2]}" if len(moving) > 2 else ""
    still = [rests[part][0] for part in ("aside", "arms", "legs", "torso") if part in rests
             and not (part == "torso" and "torso" in main)]  # fmt: skip
    for count in (2, 3, 1, 0):
        if count > len(still):
            continue
        tail = " and ".join([", ".join(still[: count - 1])] * (count > 1) + still[max(count - 1, 0) : count])
        joint = " while " if len(moving) == 1 else ", and "
        text = f"{opener}, {main}{joint if tail else ''}{tail}."
        if 20 <= len(text.split()) <= 35:
            return text
    if len(moving) > 2 or len(text.split()) > 35:
        text = _brief(text, 35)
    return (
        text
        if len(text.split()) >= 20
        else f"{opener}, {main} while {' and '.join(still)}, and the body stays in place."
    )


def _names(meaning: Meaning, rng: np.random.Generator) -> list[str]:
    """A label and two or three other wordings, the shortest first choice where parts combine."""
    found: list[str] = []
    for _ in range(40):
        name = _name(meaning, rng)
        if 2 <= len(name.split()) <= (6 if not found else 8) and name not in found:
            found.append(name)
        if len(found) == 4:
            break
    if not found or len(found[0].split()) > 6:
        found = sorted(found, key=lambda name: len(name.split()))
    if len(found) < 3:
        found += [said for name in found[:2] if (said := f"someone {gerund(name)}") not in found]
    if len(found) < 3:
        more = sorted({_name(meaning, rng) for _ in range(16)} - set(found), key=lambda n: (len(n.split()), n))
        found += more[: 3 - len(found)]
    count = 3 if rng.random() < 0.5 else 4
    return found[:count]


def _name(meaning: Meaning, rng: np.random.Generator) -> str:
    if meaning.whole:
        move = meaning.whole
        said = fill(pick(WHOLE[move.what, move.way][2].names, rng), move, rng, name=True)
        short = [said]
    else:
        short = [short_name(part, move, rng) for part, move in meaning.moving()]
    plain = short
    if rng.random() < 0.3:
        short = [gerund(name) for name in short]
    if meaning.first:
        name = f"{short[0]} then {short[1]}"
    elif len(short) > 1 and rng.random() < 0.3:
        name = f"{short[0]} while {gerund(plain[1])}"
    else:
        name = " and ".join(short)
    if len(short) > 1 and rng.random() < 0.6:
        name = name.replace(" the ", " ")
    if meaning.tempo and rng.random() < 0.7:
        name = f"{name} {meaning.tempo}"
    if meaning.posture in _NAME_POSTURES and rng.random() < 0.75:
        name = f"{name} {_NAME_POSTURES[meaning.posture]}"
    return name
