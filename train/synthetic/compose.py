"""Randomly composed motion with the text that describes it: what teaches an encoder the meaning of movement words.

A meaning is drawn first, from orthogonal choices for arms, legs and torso (or one move of the whole body); motion and
words are both made from it. Words say "one arm", never which: training mirrors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edge_app.camera.person.kinematics import Body, core15, forward
from edge_app.camera.person.motion import Phrase, Style, Timeline
from edge_app.camera.person.poses import other
from edge_app.ranker.labels.actions import Action
from train.synthetic.arms import arms, at
from train.synthetic.describe import describe
from train.synthetic.legs_torso import legs, torso
from train.synthetic.meaning import Meaning, draw
from train.synthetic.whole_body import POSTURES, whole

TEMPI = {"slowly": (0.55, 0.7), "": (0.85, 1.2), "quickly": (1.5, 1.9)}
_LONGEST = 5.0


@dataclass(frozen=True, slots=True)
class Composed:
    """joints: float32 `[T, 15, 4]` in metres with visibility 1, two to five seconds. key: equal for equal meanings."""

    joints: np.ndarray
    texts: Action
    key: tuple[Any, ...]


def compose(seed: int, fps: float = 24.0) -> Composed:
    """One random motion and its texts; the same seed always gives the same."""
    return compose_whole_body(seed, fps)[0]


def compose_whole_body(seed: int, fps: float = 24.0) -> tuple[Composed, np.ndarray]:
    """The same with every joint that can be drawn, float64 `[T, J, 3]` as `edge_app.camera.person.JOINTS`."""
    rng = np.random.default_rng([seed, 7])
    meaning, joints = _act(draw(rng), seed, fps, rng)
    return Composed(_seen(joints), describe(meaning, rng), meaning.key), joints


def act(meaning: Meaning, seed: int, fps: float = 24.0) -> np.ndarray:
    """The motion of a given meaning, as `Composed.joints`; the seed chooses the body, the side and the style."""
    return _seen(_act(meaning, seed, fps, np.random.default_rng([seed, 11]))[1])


def _seen(joints: np.ndarray) -> np.ndarray:
    core = core15(joints)
    return np.concatenate([core, np.ones((*core.shape[:2], 1), np.float32)], axis=-1)


def _need(phrase: Phrase) -> float:
    """Seconds at speed 1 for what the words promise: everything once, or two full beats and a bit."""
    return sum(d for d, _ in phrase.enter) + 2.25 * sum(d for d, _ in phrase.beat)


def _phrases(
    meaning: Meaning, s: Style, b: Body, r: np.random.Generator, start: Mapping[str, float]
) -> dict[str, Phrase]:
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
        enter, beat = (tuple((d, {n: v for n, v in p.items() if n not in taken}) for d, p in steps)
                       for steps in (phrase.enter, phrase.beat))  # fmt: skip
        made[part] = Phrase(enter, beat)
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
