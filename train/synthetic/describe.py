"""The words for a composed motion: names as a user types them, a description, and one for each part of the body."""

from __future__ import annotations

import re

import numpy as np

from edge_app.ranker.labels.actions import Action
from train.synthetic.meaning import HEAD, PARTS, Meaning
from train.synthetic.sentences import clause, fill, gerund, pick, short_name, times_words
from train.synthetic.whole_body import WHOLE

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


def describe(meaning: Meaning, rng: np.random.Generator) -> Action:
    names = _names(meaning, rng)
    if meaning.whole:
        move = meaning.whole
        words = WHOLE[move.what, move.way][2]
        said = times_words(move, meaning.tempo, rng)
        chosen = lambda text: re.sub(r"\{((?:[^{}]|\{t\})*)\|((?:[^{}]|\{t\})*)\}",  # noqa: E731
                                     lambda m: m[2] if move.times == "held" else m[1], text)  # fmt: skip
        texts = [fill(chosen(text), move, rng, said) for text in words[1:]]
        return Action(names[0], tuple(names[1:]), texts[0], texts[1], texts[2], f"the torso {texts[3]}"
                     if len(texts[3].split()) < 5 else texts[3])  # fmt: skip
    best: tuple[int, str, list[str]] | None = None
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
    _, description, (arms, legs, torso) = best
    return Action(names[0], tuple(names[1:]), description, arms, legs, torso)


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


def _sentence(
    meaning: Meaning, clauses: dict[str, str], rests: dict[str, tuple[str, str]], rng: np.random.Generator
) -> str:
    moving = [*clauses.values()]
    trunk = meaning.torso and meaning.torso.what not in HEAD
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
