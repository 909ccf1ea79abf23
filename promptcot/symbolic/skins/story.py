"""The story skin: jars of marbles, baskets of apples, and friends with something on a card.

Whole numbers of zero or more are counted things in coloured containers, or numbers on the cards
of friends; lists, words, fractions and statements are always on cards.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

from promptcot.errors import ParseError
from promptcot.symbolic.dag import Dag
from promptcot.symbolic.grammar import Slot
from promptcot.symbolic.ports import Value
from promptcot.symbolic.skins.base import Forms, Scene, Skin, frames, plain, prose_tokens, words

FRIENDS = words(
    "Ada Alma Amir Anna Ben Bruno Carla Clara Dana David Edgar Elena Emil Farid Felix Fiona Grace Greta Hana",
    "Hugo Igor Ivan Jana Jonah Julia Kira Lena Leo Lina Luca Maria Marta Mia Milan Mona Nadia Nina Noah Nora",
    "Olga Omar Oscar Paula Petra Rita Rosa Ruben Samir Sara Selma Simon Sofia Tara Theo Tilda Uma Vera",
    "Viktor Wanda Yara Yusuf Zoe",
)
COLOURS = (
    "red",
    "blue",
    "green",
    "yellow",
    "white",
    "black",
    "brown",
    "orange",
    "purple",
    "grey",
    "pink",
    "golden",
)
KITS = (
    ("marbles", "jar", "tin"), ("apples", "basket", "crate"), ("coins", "chest", "purse"),
    ("beads", "bag", "bowl"), ("buttons", "box", "drawer"), ("pencils", "case", "cup"),
    ("shells", "bucket", "bag"), ("stamps", "album", "envelope"),
)  # fmt: skip
_CONTAINERS = frozenset(container for kit in KITS for container in kit[1:])
_THINGS = frozenset(kit[0] for kit in KITS)
_PEOPLE = {name.lower(): name for name in FRIENDS}
_NOUNS = frozenset({"number", "list", "word", "fraction", "statement"})
_OPENINGS = {
    "cards": ("Some friends play a game with cards.", "Several friends each hold a card.", ""),
    "jars": ("Here is how some {things} are stored.", "A few containers hold {things}.", ""),
}


def _noun(value: Value) -> str:
    if isinstance(value, bool):
        return "statement"
    if isinstance(value, Fraction):
        return "fraction"
    return {int: "number", str: "word", tuple: "list"}[type(value)]


def _card(person: str, value: Value) -> Forms:
    name = f"the {_noun(value)} on {person}'s card"
    return {
        "name": name,
        **({} if isinstance(value, bool) else {"number": name}),
        "owner": f"{person}'s",
        "person": person,
        "label": f"{person}'s card",
    }


def _scene(dag: Dag, rng: random.Random) -> Scene:
    if len(dag.nodes) > len(FRIENDS) - 2:
        raise ParseError(f"a story of {len(dag.nodes)} quantities has not names enough", reason="unwirable")
    people = rng.sample(FRIENDS, len(FRIENDS))
    things, *containers = rng.choice(KITS)
    whole = [value for value in dag.values if type(value) is int]
    stores = [
        f"{colour} {container}" for container in containers for colour in rng.sample(COLOURS, len(COLOURS))
    ]
    counted = whole and min(whole) >= 0 and len(whole) < len(stores) - 4 and rng.random() < 0.8
    counted = counted and any(node.concept.tales for node in dag.nodes)

    def forms(value: Value) -> Forms:
        if counted and type(value) is int:
            store = stores.pop(0)
            name = f"the number of {things} in the {store}"
            return {"name": name, "number": name, "holder": f"the {store}", "label": store}
        return _card(people.pop(), value)

    def spare(value: Value) -> Forms | None:
        if len(people) < 2 or len(stores) < 2 or (type(value) is int and value < 2):
            return None
        return forms(value)

    opening = rng.choice(_OPENINGS["jars" if counted else "cards"]).format(things=things)
    return Scene(tuple(forms(value) for value in dag.values), spare, things if counted else "", opening)


def _read(slot: Slot, tokens: Sequence[str], start: int) -> tuple[int, str] | None:
    if slot is Slot.PERSON:
        return (start + 1, tokens[start]) if tokens[start] in _PEOPLE else None
    if slot is Slot.OWNER:
        person = tokens[start].removesuffix("'s")
        return (start + 1, person) if person in _PEOPLE and person != tokens[start] else None
    ahead = tokens[start : start + 8]
    if slot is Slot.HOLDER:
        return _store(ahead, start)
    match list(ahead):
        case ["the", noun, "on", owner, "card", *_] if noun in _NOUNS and owner[:-2] in _PEOPLE:
            return start + 5, owner[:-2]
        case ["the", "number", "of", things, "in", *rest] if things in _THINGS:
            return _store(rest, start + 5)
    return None


def _store(ahead: Sequence[str], start: int) -> tuple[int, str] | None:
    match list(ahead):
        case ["the", colour, container, *_] if colour in COLOURS and container in _CONTAINERS:
            return start + 3, f"{colour} {container}"
    return None


STORY = Skin(
    name="story",
    frames=(
        *frames("define", "{number} is {term}", "{number} equals {term}", "{number} is equal to {term}",
                "{owner} card shows {term}", "{person} holds a card that shows {term}",
                "on a card, {person} has written {term}", "{holder} holds {given} {things}",
                "there are {given} {things} in {holder}"),
        *frames("ask", "what is {term}", "find {term}", "how many {things} are in {holder}",
                "how many {things} does {holder} hold", "what does {owner} card show"),
        *frames("scene", "some friends play a game with cards", "several friends each hold a card",
                "here is how some {things} are stored", "a few containers hold {things}"),
    ),
    tokenise=prose_tokens,
    reader=_read,
    scene=_scene,
    literal=plain,
    inline=0.35,
    ends=(".", "?", " "),
    tales=True,
    wordy=True,
)  # fmt: skip
