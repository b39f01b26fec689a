"""What a composed motion means: a random choice of moves for arms, legs and torso, or of one for the whole body."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from train.synthetic.arms import Move
from train.synthetic.sentences import STRAIGHT_PLACES, pick
from train.synthetic.whole_body import WHOLE

PARTS = ("arms", "legs", "torso")

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
HEAD = ("nod", "shake", "look around", "head", "sway")
_TRUNK_OF_ARMS = {"throw", "bat", "chop"}
# Which parts move, and how often; sitting and kneeling people keep their legs still.
_WHO_MOVES = {("arms",): 0.42, ("legs",): 0.17, ("torso",): 0.1, ("arms", "legs"): 0.18, ("arms", "torso"): 0.09,
              ("torso", "legs"): 0.02, ("arms", "legs", "torso"): 0.02}  # fmt: skip
_POSTURES = {"stand": 0.82, "sit": 0.1, "kneel": 0.025, "kneel one": 0.025, "floor": 0.03}
_WHOLE_SHARE = 0.14


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
    def key(self) -> tuple[Any, ...]:
        """Equal for equal meanings."""
        moves = (self.arms, self.legs, self.torso, self.whole, self.aside)
        said = tuple((m.what, m.way, m.who, m.times) if m else () for m in moves)
        return (self.posture, *said, self.tempo, self.first)

    def moving(self) -> list[tuple[str, Move]]:
        """The parts that do something, the one to be named first at the head."""
        found = [(part, move) for part in PARTS if (move := getattr(self, part))]
        return sorted(found, key=lambda pair: pair[0] != self.first) if self.first else found


def _weighted(options: dict[Any, float], rng: np.random.Generator) -> Any:
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
    meaning = Meaning(posture, arms=chosen.get("arms"), legs=chosen.get("legs"), torso=chosen.get("torso"))
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
    if arm and trunk and trunk.what not in HEAD and arm.what in (*_TRUNK_OF_ARMS, "swing", "push"):
        return False
    if arm and bent and not (arm.what == "hold" and arm.way in ("hip", "nape", "crossed", "behind", "chest", "head")):
        return False
    if leg and trunk and trunk.what not in HEAD:
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
