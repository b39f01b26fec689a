"""The words for a composed meaning, in the vocabulary and the sentences of edge_app/ranker/labels/actions.ini.

Templates: `@arm` is "one arm" or "both arms" as the move has it (also @straight, @hand, @fist, @leg, @knee, @foot,
@heel), `lift~` a verb and `hip^` a noun that agree with it, `{t}` the tempo and repetition, `{w}` the words of the way.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from train.synthetic.arms import Move


class Words(NamedTuple):
    """What to say of one move: short imperative names, and clauses with subject and verb."""

    names: tuple[str, ...]
    clauses: tuple[str, ...]


# ---------------------------------------------------------------- arms

_PLACES: dict[str, tuple[str, str]] = {
    "forward low": ("down and forward", "down and forward at hip height"),
    "forward chest": ("forward at chest height", "forward at chest height"),
    "forward": ("forward", "forward at shoulder height"), "forward head": ("high in front", "forward at head height"),
    "side low": ("low to the side", "to the side at hip height"), "side": ("to the side", "to the side at shoulder height"),
    "side up": ("slanting up sideways", "slanting up to the side above the shoulder^"),
    "up": ("above the head", "straight up above the head"), "back": ("backward", "backward behind the hips"),
    "up front": ("forward and overhead", "in front of the body up to above the head"),
    "up side": ("sideways and overhead", "from the side up to above the head"),
    "chest": ("on the chest", "to the middle of the chest"), "belly": ("on the belly", "to the belly at waist height"),
    "neck": ("on the neck", "to the front of the neck"),
    "shoulder": ("on the opposite shoulder^", "across the chest to the opposite shoulder^"),
    "hip": ("on the hip^", "to the hip^"), "mouth": ("to the mouth", "to the mouth"), "ear": ("to the ear^", "to the ear^"),
    "head": ("on the head", "to the top of the head"), "nape": ("behind the head", "to the back of the head"),
    "forehead": ("to the forehead", "to the side^ of the forehead"), "eyes": ("to the eyes", "to the eyes"),
    "front": ("in front of the chest", "forward in front of the chest"),
    "waist": ("in front of the waist", "forward in front of the waist"),
    "beside head": ("up beside the head", "beside the shoulder^ at head height"),
    "behind": ("behind the back", "behind the back at waist height"),
}  # fmt: skip
STRAIGHT_PLACES = (
    "forward low",
    "forward chest",
    "forward",
    "forward head",
    "side low",
    "side",
    "side up",
    "up",
    "back",
)
_SHORT_PLACES = {
    "forward": ("straight ahead", "in front"), "side": ("sideways",), "up": ("up", "overhead"), "up front": ("overhead",),
    "up side": ("overhead",), "forward chest": ("in front",), "waist": ("at the waist",), "front": ("at the chest",),
}  # fmt: skip

_STROKES = {"up and down": "up and down", "forward and backward": "forward and backward",
            "from side to side": "from side to side", "small": "with very small movements"}  # fmt: skip

_ARMS: dict[tuple[str, str], Words] = {
    ("hold", "straight"): Words(
        ("hold @arm {w}", "keep @arm {w}", "@arm held {w}", "@arm {w}"),
        ("@straight be~ lifted {up} and held still there", "@straight be~ held {w} and stay~ still",
         "@straight point~ {w}, held still")),
    ("hold", "bent"): Words(
        ("hold @hand {w}", "put @hand {w}", "keep @hand {w}", "@hand {w}"),
        ("@hand be~ brought {w} with the elbow^ bent and held still there",
         "@hand be~ held {at} with the elbow^ bent and stay~ still")),
    ("hold", "crossed"): Words(
        ("fold the arms", "arms crossed over the chest", "hold arms crossed"),
        ("both forearms are folded over each other against the chest and held still",
         "both arms are held crossed in front of the chest with bent elbows")),
    ("hold", "together"): Words(
        ("hold hands together", "hands together before the chest"),
        ("both hands are held together in front of the chest with bent elbows and stay still",)),
    ("raise", ""): Words(
        ("raise @arm {w}", "lift @arm {w}", "raise and lower @arm {w}", "raise @arm {w} and lower"),
        ("@straight be~ lifted {up} and lowered again {t}", "@straight go~ {up} and come~ down again {t}")),
    ("touch", ""): Words(
        ("bring @hand {to}", "move @hand {to}", "put @hand {to} and back", "@hand {to} and down"),
        ("@hand be~ brought {w} with the elbow^ bent and lowered again {t}",
         "@hand go~ {w} with the elbow^ bending and come~ down again {t}")),
    ("rub", ""): Words(
        ("rub @hand {at}", "small hand strokes {at}", "move @hand {at}", "rub {at}"),
        ("@hand {at} make~ small strokes {t} with the elbow^ bent", "@hand be~ held {at} and move~ back and forth shortly {t}")),
    ("wave", "head"): Words(
        ("wave @hand", "wave @hand at head height", "swing @hand side to side"),
        ("@hand be~ raised beside the head with the elbow^ bent and the forearm^ swing~ from side to side {t}",
         "@hand at head height move~ from side to side {t} with the elbow^ bent")),
    ("wave", "waist"): Words(
        ("swing the forearm^ sideways", "swing @hand in and out"),
        ("@hand at waist height swing~ in and out to the side {t} with the elbow^ bent",)),
    ("wave", "up"): Words(
        ("swing @arm overhead", "wave @arm above the head", "sway @arm overhead"),
        ("@straight be~ raised above the head and swing~ from side to side {t}",)),
    ("swing", "forward and backward"): Words(
        ("swing @arm forward and backward", "swing @arm back and forth", "swing @arm"),
        ("@arm swing~ forward and backward beside the hips {t}", "@arm swing~ beside the body forward and back {t}")),
    ("swing", "low"): Words(
        ("swing arms low from side to side", "swing hands low", "swing both hands low sideways"),
        ("both hands together swing low in front of the hips from side to side {t}",)),
    ("swing", "chest"): Words(
        ("swing @arm side to side", "swing @arm across the body", "swing @arm in and out"),
        ("@straight at shoulder height swing~ from the side across the front and back {t}",)),
    ("circle", "side"): Words(
        ("circle @arm sideways", "small circles with @arm", "turn @arm in circles"),
        ("@straight held out to the side at shoulder height turn~ in small circles {t}",)),
    ("circle", "large"): Words(
        ("circle @arm", "swing @arm in large circles", "large circles with @arm"),
        ("@straight turn~ in large circles over the head and down past the hips {t}",
         "@straight swing~ around the shoulder^ in a full circle, above the head and down {t}")),
    ("circle", "front"): Words(
        ("circle @hand before the chest", "draw circles with @hand", "move @hand in circles"),
        ("@hand held forward at chest height move~ in large circles in front of the body {t}",)),
    ("circle", "waist"): Words(
        ("stir with @hand", "circle @hand at the waist", "move @hand in flat circles"),
        ("@hand at waist height in front move~ in small horizontal circles {t} with the elbow^ bent",)),
    ("push", "forward"): Words(
        ("push @hand forward", "push @arm forward", "push forward with @arm", "stretch @arm forward and back"),
        ("@hand be~ pushed forward from the chest at shoulder height until the arm^ be~ straight and pulled back {t}",)),
    ("push", "up"): Words(
        ("push @hand up", "push @hand overhead", "press @arm up", "push up above the head"),
        ("@hand move~ from the shoulder^ straight up above the head and back {t}",
         "@hand be~ pushed from the shoulder^ up above the head and lowered again {t}")),
    ("push", "side"): Words(
        ("push @hand sideways", "push @arm to the side", "stretch @arm sideways and back"),
        ("@hand be~ pushed from the chest out to the side at shoulder height and pulled back {t}",)),
    ("push", "down"): Words(
        ("push @hand down", "push @arm down", "press @hand down and back"),
        ("@hand be~ pushed down from the chest in front of the hips and lifted again with the elbow^ bending {t}",)),
    ("pull", "in"): Words(
        ("pull @hand to the chest", "pull @arm in", "pull @hand back"),
        ("@hand stretched forward at shoulder height be~ pulled back to the chest with the elbow^ bending {t}",)),
    ("pull", "down"): Words(
        ("pull @hand down", "pull @arm down from above", "pull down with @arm"),
        ("@hand stretched above the head be~ pulled down to the shoulder^ with the elbow^ bending {t}",)),
    ("pull", "up"): Words(
        ("pull @hand up to the chest", "lift the elbow^ high", "pull @hand up"),
        ("@hand be~ pulled from hanging up to the chest with the elbow^ lifted to the side and lowered {t}",)),
    ("pull", "back"): Words(
        ("pull the elbow^ back", "pull @hand back to the waist", "pull @arm backward"),
        ("@hand in front of the waist be~ pulled backward beside the body with the elbow^ bending {t}",)),
    ("curl", ""): Words(
        ("bend the elbow^", "curl @arm", "lift @hand to the shoulder^", "bend and straighten @arm"),
        ("the elbow^ bend~ so that @hand move~ from the hip^ up to the shoulder^ and down again {t}",)),
    ("stroke", ""): Words(
        ("move @hand {s} {at}", "move @hand {s}", "small hand movements {at}"),
        ("@hand held {at} with the elbow^ bent move~ {s} shortly {t}", "@hand {at} make~ short strokes {s} {t}")),
    ("stroke", "small"): Words(
        ("small hand movements {at}", "fiddle with @hand", "small movements with @hand"),
        ("@hand held {at} with the elbow^ bent make~ very small movements {t}",)),
    ("throw", "overarm"): Words(
        ("throw overarm", "swing @hand overarm forward", "throw forward with @arm"),
        ("one hand swings from behind the head forward above the shoulder and down in front {t} as the torso turns",)),
    ("throw", "underarm"): Words(
        ("swing arm underarm", "throw underarm", "swing @arm forward from behind"),
        ("one straight arm swings from behind the hips down and forward to chest height {t}",)),
    ("throw", "overhead"): Words(
        ("throw from overhead", "throw with both hands", "swing both hands forward overhead"),
        ("both hands together swing from behind the head forward and down to chest height {t}",)),
    ("bat", "chest"): Words(
        ("swing @arm across the body", "sideways swing with @arm", "swing @arm across"),
        ("@arm swing~ from one side across the body at chest height {t} as the torso turns",)),
    ("bat", "low"): Words(
        ("swing @arm low across the body", "low sideways swing", "swing @arm across at hip height"),
        ("@arm swing~ from one side across the body at hip height {t} as the torso turns",)),
    ("bat", "up"): Words(
        ("swing @arm up across", "swing @arm from low to high", "upward swing across the body"),
        ("@arm swing~ from beside the hip up across the body to the other shoulder {t} as the torso turns",)),
    ("chop", ""): Words(
        ("chop down with @hand", "swing @arm down", "bring @hand down from overhead"),
        ("@hand be~ raised above the head and brought down in front to the hips {t}",)),
    ("clap", "chest"): Words(
        ("clap hands", "clap before the chest", "bring hands together and apart"),
        ("both hands meet in front of the chest with bent elbows and part again {t}",)),
    ("clap", "waist"): Words(
        ("clap low", "clap at the waist"), ("both hands meet in front of the waist with bent elbows and part again {t}",)),
    ("clap", "up"): Words(
        ("clap overhead", "clap above the head"), ("both arms are raised and the hands meet and part above the head {t}",)),
    ("open", ""): Words(
        ("open and close the arms", "spread arms and close", "open arms sideways"),
        ("both straight arms move from the front apart to the sides and back at shoulder height {t}",)),
    ("cross", ""): Words(
        ("cross arms in front and open", "cross and open the arms"),
        ("both straight arms cross in front of the chest and open to the sides again {t}",)),
    ("roll", ""): Words(
        ("roll the forearms", "turn hands around each other", "roll the hands"),
        ("both forearms turn around each other in circles in front of the chest {t}",)),
    ("steer", ""): Words(
        ("turn a wheel", "turn both hands left and right", "turn hands in an arc"),
        ("both hands held apart forward at chest height turn together in an arc from side to side {t}",)),
    ("shrug", ""): Words(
        ("shrug", "lift the shoulders", "raise shoulders with open hands"),
        ("both shoulders are lifted and lowered {t} with both hands turned out at waist height",)),
}  # fmt: skip

# ---------------------------------------------------------------- legs, torso; a second `Words` is for a held pose

LEGS: dict[tuple[str, str], tuple[Words, Words | None]] = {
    ("bend", "slightly"): (
        Words(("bend the knees slightly", "small knee bend", "bend knees a little"),
              ("both knees bend slightly and straighten again {t}",)),
        Words(("keep the knees slightly bent", "stand with bent knees"), ("both knees are bent slightly and held still",))),
    ("bend", "deeply"): (
        Words(("squat", "bend the knees deeply", "squat down and up", "deep knee bend"),
              ("both knees bend deeply and straighten again {t}", "the body is lowered on deeply bent knees and comes up {t}")),
        Words(("stay in a squat", "squat low", "hold a deep knee bend"),
              ("both knees are bent deeply and held still", "the body is held low on deeply bent knees"))),
    ("step", "forward"): (
        Words(("step forward", "step forward and back"), ("@leg take~ a step forward and come~ back {t}",)), None),
    ("step", "backward"): (
        Words(("step backward", "step backward and return"), ("@leg take~ a step backward and come~ forward again {t}",)), None),
    ("step", "sideways"): (
        Words(("step sideways", "step sideways and back", "step to the side"), ("@leg take~ a step to the side and come~ back {t}",)), None),
    ("gait", "walk"): (
        Words(("walk in place", "walk", "step in place", "walk on the spot"),
              ("the legs step {t} as in walking", "the legs walk in small steps {t}")), None),
    ("gait", "march"): (
        Words(("march", "march in place", "walk with high knees"),
              ("the knees are lifted high {t}", "the legs march with the knees lifted to hip height {t}")), None),
    ("gait", "run"): (
        Words(("run in place", "run", "jog on the spot"),
              ("the legs run with quick alternate steps, the knees lifted", "the knees are lifted quickly and alternately in running steps")),
        None),
    ("gait", "heels"): (
        Words(("kick heels to the hips", "lift heels behind alternately"),
              ("the heels are lifted backward to the hips {t}",)), None),
    ("gait", "sideways"): (
        Words(("step from side to side", "side steps"), ("the legs step from side to side {t}",)), None),
    ("knee", ""): (
        Words(("raise @knee", "lift @knee", "lift @knee to hip height"),
              ("@knee be~ lifted in front to hip height and lowered again {t}", "@knee go~ up to hip height and come~ down {t}",)),
        Words(("stand on one leg", "hold one knee up"),
              ("one bent knee is lifted in front to hip height and held still there",))),
    ("kick", "forward"): (
        Words(("kick forward", "kick @leg forward"), ("@leg kick~ forward at hip height and come~ back {t}",)), None),
    ("kick", "sideways"): (
        Words(("kick sideways", "kick @leg to the side"), ("@leg kick~ out to the side and come~ back {t}",)), None),
    ("kick", "backward"): (
        Words(("kick backward", "kick @leg back"), ("@leg kick~ backward behind the body and come~ back {t}",)), None),
    ("leg", "forward"): (
        Words(("raise straight leg forward", "lift @leg forward"), ("@leg be~ lifted straight forward and lowered again {t}",)),
        Words(("hold leg forward", "one leg straight forward"), ("one straight leg is lifted forward and held still",))),
    ("leg", "sideways"): (
        Words(("raise leg sideways", "lift @leg to the side"), ("@leg be~ lifted straight to the side and lowered again {t}",)),
        Words(("hold leg sideways", "one leg out sideways"), ("one straight leg is lifted to the side and held still",))),
    ("leg", "backward"): (
        Words(("raise leg backward", "lift @leg behind"), ("@leg be~ lifted straight backward and lowered again {t}",)),
        Words(("hold leg backward", "one leg stretched back"), ("one straight leg is lifted backward and held still",))),
    ("leg swing", ""): (
        Words(("swing one leg", "swing leg back and forth"), ("one straight leg swings forward and backward from the hip {t}",)),
        None),
    ("lunge", "forward"): (
        Words(("lunge", "lunge forward", "long step, bend both knees"),
              ("@leg take~ a long step forward, both knees bend deeply and straighten again {t}",)),
        Words(("hold a lunge", "stay in a lunge"), ("one leg is far in front of the other, both knees bent deeply and held still",))),
    ("lunge", "sideways"): (
        Words(("side lunge", "lunge sideways"),
              ("@leg step~ wide to the side, one knee bending deeply, and come~ back {t}",)),
        Words(("hold a side lunge", "stay in side lunge"), ("the legs are wide apart, one knee bent deeply and the other leg straight, held still",))),
    ("jump", "up"): (
        Words(("jump", "jump up", "jump with both feet"),
              ("both knees bend and straighten quickly so that the feet leave the floor {t}",)), None),
    ("jump", "apart"): (
        Words(("jump feet apart and together", "hop legs apart and together"), ("both legs jump apart and together {t}",)), None),
    ("jump", "one leg"): (
        Words(("hop on one leg", "hop"), ("one leg hops on the spot {t}, the other knee bent and lifted",)), None),
    ("heels", ""): (
        Words(("rise on the toes", "lift the heels"), ("both straight legs rise on the toes and the heels are lowered {t}",)), None),
    ("foot behind", ""): (
        Words(("bend one knee backward", "lift foot behind"), ("one knee bends backward so that the foot goes up to the hips {t}",)),
        Words(("hold one foot behind", "stand with foot behind"),
              ("one foot is lifted backward to the hips with the knee bent and held still",))),
    ("stance", "wide"): (
        Words(("spread legs and close",), ("both legs are spread wide apart {t}",)),
        Words(("stand with legs apart", "wide stance", "legs wide apart"), ("the legs are spread wide apart, straight and still",))),
    ("stance", "one in front"): (
        Words(("one foot in front",), ("one leg is in front of the other",)),
        Words(("stand one foot in front", "stand in step position"), ("one leg is in front of the other, both straight and still",))),
}  # fmt: skip

TORSO: dict[tuple[str, str], tuple[Words, Words | None]] = {
    ("bend", "slightly"): (
        Words(("bend forward slightly", "small bow"), ("the torso bends forward slightly at the hips and comes upright again {t}",)),
        Words(("lean forward", "stay bent forward slightly"), ("the torso leans forward slightly and is held still",))),
    ("bend", "deeply"): (
        Words(("bend forward", "bow deeply", "bend down at the hips"),
              ("the torso bends forward deeply at the hips and comes upright again {t}",)),
        Words(("stay bent forward", "hold torso bent forward"), ("the torso is bent forward deeply at the hips and held still",))),
    ("lean", "back"): (
        Words(("lean backward", "lean back"), ("the torso leans backward and comes upright again {t}",)),
        Words(("stay leaning back", "lean back and hold"), ("the torso leans backward and is held still",))),
    ("lean", "side"): (
        Words(("lean sideways", "lean to the side"), ("the torso leans to one side and comes upright again {t}",)),
        Words(("stay leaning sideways", "lean sideways and hold"), ("the torso leans to one side and is held still",))),
    ("lean", "sides"): (
        Words(("lean from side to side", "bend left and right"), ("the torso leans from side to side {t}",)), None),
    ("twist", ""): (
        Words(("turn the torso sideways", "twist the upper body"), ("the torso turns to one side and back {t}",)),
        Words(("stay turned sideways", "hold torso turned"), ("the torso is turned to one side and held still",))),
    ("twist", "sides"): (
        Words(("twist the torso", "turn from side to side"), ("the torso turns from side to side {t}",)), None),
    ("sway", ""): (Words(("sway", "sway from side to side"), ("the whole body sways slightly from side to side {t}",)), None),
    ("nod", ""): (Words(("nod", "nod the head"), ("the head bends forward and comes up again {t}",)), None),
    ("shake", ""): (Words(("shake the head", "turn head left and right"), ("the head turns from side to side {t}",)), None),
    ("look around", ""): (
        Words(("look around", "look left and right"), ("the head and upper body turn to one side and the other {t}",)), None),
    ("head", "down"): (
        Words(("bow the head", "bend the head down"), ("the head bends down and comes up again {t}",)),
        Words(("look down", "keep head down"), ("the head is bent down and held still",))),
    ("head", "up"): (
        Words(("tilt the head back", "look up"), ("the head tilts back and comes forward again {t}",)),
        Words(("look up", "head tilted back"), ("the head is tilted back with the face up and held still",))),
    ("head", "side"): (
        Words(("turn the head sideways", "look sideways"), ("the head turns to one side and back {t}",)),
        Words(("look to the side", "head turned sideways"), ("the head is turned to one side and held still",))),
    ("head", "tilt"): (
        Words(("tilt the head", "head to the shoulder"), ("the head leans to one side and comes up again {t}",)),
        Words(("hold head tilted", "head tilted sideways"), ("the head leans to one side and is held still",))),
}  # fmt: skip

_IRREGULAR = {"be": "is", "go": "goes", "push": "pushes", "reach": "reaches", "touch": "touches"}
_OF_LEGS = ("leg", "knee", "foot", "heel")
_SECOND_VERBS = (
    "lower",
    "close",
    "straighten",
    "open",
    "return",
    "touch",
    "pull",
    "swing",
    "lean",
    "lift",
    "hold",
    "bend",
)
_DOUBLED = (
    "stir",
    "clap",
    "rub",
    "chop",
    "nod",
    "hop",
    "squat",
    "put",
    "step",
    "shrug",
    "run",
    "swim",
    "jog",
    "sit",
    "get",
)


def fill(template: str, move: Move, rng: np.random.Generator, times: str = "", *, name: bool = False) -> str:
    """A template with subjects, verbs, way and times put in."""
    single = move.who == "one"
    place, _, path = move.way.partition(": ")
    short, long = _PLACES.get(place, ("", ""))
    if name:
        choices = (short, *_SHORT_PLACES.get(place, ()))
        if place in STRAIGHT_PLACES and len(choices) > 1 and rng.random() < 0.7:
            choices = choices[1:]
        words = choices[rng.integers(len(choices))]
    else:
        words = long
    up = long.replace(" at ", " up to ") if rng.random() < 0.6 else long
    at = short if short.startswith(("on", "in", "behind", "up")) else short.replace("to the", "at the")
    to = short.replace("on the", "to the")
    text = template.format(w=words, up=up, at=at, to=to, s=_STROKES.get(path, ""), t=times)

    def subject(match: re.Match[str]) -> str:
        noun = match[1]
        straight = "straight " if noun == "straight" else ""
        noun = "arm" if noun == "straight" else noun
        if single:
            return f"{noun}" if name and rng.random() < 0.5 else f"one {straight}{noun}"
        if move.who == "alternate" and (name or noun in _OF_LEGS):
            return f"{noun}s" if name else f"the {noun}s"
        return f"{noun}s" if name and rng.random() < 0.6 else f"both {straight}{noun}s"

    text = re.sub(r"@(\w+)", subject, text)
    text = re.sub(r"(\w+)~", lambda m: _third(m[1]) if single else {"be": "are"}.get(m[1], m[1]), text)
    text = re.sub(r"(\w+)\^", lambda m: m[1] if single else m[1] + "s", text)
    text = text.replace("again again and again", "again repeatedly").replace(
        "again, again and again", "again, repeatedly"
    )
    return re.sub(r"\s+([,.]|$)", r"\1", re.sub(r" +", " ", text)).strip()


def _third(verb: str) -> str:
    return _IRREGULAR.get(verb, verb + "s")


def gerund(name: str) -> str:
    """ "raise one arm" as "raising one arm"; names that do not begin with a verb are left alone."""
    verb, _, rest = name.partition(" ")
    if verb in ("arm", "arms", "both", "one", "hand", "hands", "small", "large", "low", "side", "sideways", "upward",
                "deep", "wide", "legs", "head", "long", "on", "knees"):  # fmt: skip
        return name
    if verb.endswith("ing") and verb not in ("swing", "bring"):
        return name
    root = (
        verb + verb[-1] if verb in _DOUBLED else verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb
    )
    for second in _SECOND_VERBS:
        if re.search(rf"\band {second}\b", rest):
            rest = re.sub(rf"\band {second}\b", f"and {gerund(second)}", rest)
    return f"{'lying' if verb == 'lie' else root + 'ing'} {rest}".strip()


def times_words(move: Move, tempo: str, rng: np.random.Generator) -> str:
    """Tempo and repetition as adverbs: "quickly and repeatedly"."""
    again = "repeatedly" if rng.random() < 0.8 else "again and again"
    adverbs = [tempo, "alternately" if move.who == "alternate" else "",
               {"once": "once", "repeatedly": again, "held": ""}[move.times]]  # fmt: skip
    if move.times == "once":
        return " ".join(word for word in adverbs if word)
    said = [word for word in adverbs if word]
    return said[0] if len(said) == 1 else " and ".join((", ".join(said[:-1]), said[-1])) if said else ""


def words_of(part: str, move: Move) -> Words:
    """The wordings of a move of the "arms", "legs" or "torso"."""
    if part != "arms":
        moving, held = (LEGS if part == "legs" else TORSO)[move.what, move.way]
        return held if move.times == "held" and held else moving
    if move.what == "hold":
        kind = (
            move.way if move.way in ("crossed", "together") else "straight" if move.way in STRAIGHT_PLACES else "bent"
        )
        return _ARMS["hold", kind]
    if move.what == "stroke":
        return _ARMS["stroke", "small" if move.way.endswith("small") else ""]
    return _ARMS.get((move.what, move.way)) or _ARMS[move.what, ""]


def clause(part: str, move: Move, tempo: str, rng: np.random.Generator, *, times: bool = True) -> str:
    """Subject and verb: what this part does, with tempo and repetition where `times`."""
    said = pick(words_of(part, move).clauses, rng)
    return fill(said, move, rng, times_words(move, tempo if "quick" not in said else "", rng) if times else "")


def short_name(part: str, move: Move, rng: np.random.Generator) -> str:
    """A short imperative for a move, without the tempo."""
    said = fill(pick(words_of(part, move).names, rng), move, rng, name=True)
    return f"{said} alternately" if move.who == "alternate" and move.what != "gait" and "altern" not in said else said


def pick(options: Sequence[str], rng: np.random.Generator) -> str:
    return options[int(rng.integers(len(options)))]
