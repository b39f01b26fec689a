"""A label finds the same entry of the tables in whatever wording it is written."""

from __future__ import annotations

import re

import pytest

from edge_app.ranker.labels.actions import actions, find_action, more_actions

FIRST_WORDS_THAT_ARE_NO_VERBS = """
aerobics archery arm army backflip backstroke ballet baseball basketball battle bear bench bent bicep big blood body
box boxing breaststroke burpee butt butterfly calf capoeira cartwheel cat chest child's cobra cpr crab cricket
crunch discus donkey downward elliptical face fan fencing fist front glute golf goalkeeper good guide half hammer
hands handstand headstand heart high hockey hula ice inchworm iron javelin jumping karate kettlebell knee lat
lateral leg macarena martial moonwalk mountain nunchucks ok overhead phone plank pole pommel quad reverse robot
roundhouse russian salsa shot shoulder side single skateboard somersault speed splits standing superman table tai
tennis thruster thumbs tiptoe time toe torso tree triceps triple tuck uppercut upright v-up victory volleyball wall
waltz warrior yoga zombie
"""
NOUNS = frozenset(FIRST_WORDS_THAT_ARE_NO_VERBS.split())


def ing(verb: str) -> str:
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("ic"):
        return verb + "king"
    if verb.endswith("e") and not verb.endswith(("ee", "oe", "ye")):
        return verb[:-1] + "ing"
    short = len(re.findall("[aeiouy]+", verb)) == 1 and re.search("[^aeiou][aeiou][bdfgklmnprtvz]$", verb)
    return verb + (verb[-1] if short else "") + "ing"


def third(verb: str) -> str:
    if verb.endswith(("s", "sh", "ch", "x", "z", "o")):
        return verb + "es"
    return verb[:-1] + "ies" if re.search("[^aeiou]y$", verb) else verb + "s"


def said(name: str, form, instead: str) -> str:
    """The name with its verb in a form; of a name without one, `instead` is the verb."""
    verb, _, rest = name.partition(" ")
    if verb in NOUNS:
        return f"{instead} {name}"
    start, hyphen, last = verb.rpartition("-")
    return f"{start}{hyphen}{form(last)} {rest}".strip()


def doing(name: str) -> str:
    return said(name, ing, "doing")


def camel(text: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in re.findall(r"[^\W_]+", text.replace("'", "")))


WORDINGS = {
    "name": lambda name: name,
    "-ing": doing,
    "third person": lambda name: "someone " + said(name, third, "does"),
    "a person is": lambda name: f"a person is {doing(name)}",
    "pronoun": lambda name: f"She is {doing(name)}.",
    "relative clause": lambda name: f"a person who is {doing(name)}",
    "noun": lambda name: f"the act of {doing(name)}",
    "BrushingTeeth": lambda name: camel(doing(name)),
    "BrushTeeth": camel,
    "brushing_teeth": lambda name: re.sub(r"\W+", "_", doing(name)),
    "brush-teeth": lambda name: re.sub(r"\W+", "-", name),
    "infinitive": lambda name: f"to {name}",
    "upper case": str.upper,
    "title": str.title,
    "punctuation": lambda name: f'"{name}"!',
}


@pytest.mark.parametrize("wording", WORDINGS)
def test_every_wording_of_a_name_finds_its_entry(wording):
    entries = (*actions(), *more_actions())
    lost = [text for entry in entries if find_action(text := WORDINGS[wording](entry.name)) is not entry]
    assert len(lost) <= 0.005 * len(entries), lost


def test_lying_is_a_state_and_lying_down_a_motion_as_the_table_has_them():
    assert find_action("lying down") is not find_action("lie down")
