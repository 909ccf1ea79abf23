"""Skins: in which words a problem is told.

A skin is data: sentence frames, how its text splits into tokens, and how the quantities of
a problem are named. What it tells, its own grammar reads back.

    canonical   a = 3 + 5 ; b = max a 4 ; b ?
    letters     Let K be the sum of 3 and 5. Find the larger of K and 4.
    story       The red jar holds 8 marbles. The blue jar holds 3 more marbles than the red jar. ...
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Dag
from promptcot.symbolic.grammar import Frame, Grammar, Slot
from promptcot.symbolic.ports import Value

Forms = dict[str, str]
"""How one quantity is spoken of, by slot: ``name``, ``holder``, ``owner``, ``person``."""


@dataclass(frozen=True, slots=True)
class Scene:
    """How the quantities of one problem are spoken of: forms of each node and of each spare name."""

    nodes: tuple[Forms, ...]
    spares: tuple[Forms, ...]
    things: str = ""
    opening: str = ""


@dataclass(frozen=True, slots=True)
class Skin:
    """A way to tell problems.

    Attributes:
        frames: Its sentences, without the closing mark.
        inline: How likely a term is told inside the sentence that uses it.
        ends: Closing marks of a statement and of a question, and what separates sentences.
    """

    name: str
    frames: tuple[Frame, ...]
    tokenise: Callable[[str], list[str]]
    reader: Callable[[Slot, Sequence[str], int], tuple[int, str] | None]
    scene: Callable[[Dag, int, random.Random], Scene]
    literal: Callable[[Value], str]
    inline: float
    ends: tuple[str, str, str]
    canonical: bool = False

    def phrases(self, concept: SymbolicConcept) -> tuple[str, ...]:
        """The phrases of a concept in this skin."""
        return (pattern(concept),) if self.canonical else concept.phrases

    def grammar(self, concepts: Mapping[str, SymbolicConcept]) -> Grammar:
        """Reads what this skin tells."""
        tales = {id: c.tales for id, c in concepts.items() if c.tales and self.name == "story"}
        phrases = {id: self.phrases(c) for id, c in concepts.items()}
        return Grammar(self.frames, self.tokenise, self.reader, phrases, tales, concepts)


def pattern(concept: SymbolicConcept) -> str:
    """The canonical pattern of a concept: ``{a} + {b}`` or ``gcd {a} {b}``."""
    if "{" in concept.symbol:
        return concept.symbol
    return " ".join([concept.symbol, *(f"{{{port}}}" for port in concept.inputs)])


def plain(value: Value) -> str:
    """A value as people write it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    return str(value)


def spaced(value: Value) -> str:
    """A value in tokens with a space between any two."""
    return f"[ {' '.join(map(str, value))} ]" if isinstance(value, tuple) else plain(value)


_TOKEN = re.compile(r'"[a-z]*"|-?\d+(?:/\d+)?|[A-Za-z]+(?:\'s)?\d*|[^\sA-Za-z0-9]')
_LETTER = re.compile(r"[A-Z]\d*")
_SHORT = re.compile(r"[a-z]\d*")


def prose_tokens(text: str) -> list[str]:
    """Words in lower case, names of one capital as they are, numbers with their sign, marks."""
    return [t if _LETTER.fullmatch(t) else t.lower() for t in _TOKEN.findall(text)]


def _frames(does: str, *patterns: str) -> list[Frame]:
    return [Frame(does, p) for p in patterns]


# canonical ---------------------------------------------------------------------------------------


def _read_short(slot: Slot, tokens: Sequence[str], start: int) -> tuple[int, str] | None:
    token = tokens[start]
    return (start + 1, token) if slot is Slot.NAME and _SHORT.fullmatch(token) else None


def _short_scene(dag: Dag, spares: int, rng: random.Random) -> Scene:
    total = len(dag.nodes) + spares
    names = [chr(97 + i % 26) + (str(i // 26) if i >= 26 else "") for i in range(total)]
    forms = tuple({"name": name} for name in names)
    return Scene(forms[: len(dag.nodes)], forms[len(dag.nodes) :])


CANONICAL = Skin(
    "canonical",
    (Frame("define", "{name} = {term}"), Frame("ask", "{name}")),
    str.split, _read_short, _short_scene, spaced, 0.0, (" ;", " ?", " "), canonical=True,
)  # fmt: skip

# letters -----------------------------------------------------------------------------------------

_CAPITALS = "BCDEFGHJKLMNPQRSTUVWXYZ"


def _read_letter(slot: Slot, tokens: Sequence[str], start: int) -> tuple[int, str] | None:
    token = tokens[start]
    return (start + 1, token) if slot is Slot.NAME and _LETTER.fullmatch(token) else None


def _letter_scene(dag: Dag, spares: int, rng: random.Random) -> Scene:
    total = len(dag.nodes) + spares
    rounds = 1 + total // len(_CAPITALS)
    pool = [c + (str(r) if r else "") for r in range(rounds) for c in rng.sample(_CAPITALS, len(_CAPITALS))]
    forms = tuple({"name": name} for name in pool[:total])
    return Scene(forms[: len(dag.nodes)], forms[len(dag.nodes) :])


_QUESTIONS = _frames("ask", "what is {term}", "find {term}", "determine {term}", "work out {term}",
                     "compute {term}", "what is the value of {name}")  # fmt: skip

LETTERS = Skin(
    "letters",
    (
        *_frames("define", "let {name} be {term}", "let {name} denote {term}", "write {name} for {term}",
                 "suppose that {name} is {term}", "define {name} to be {term}", "{name} is {term}"),
        *_QUESTIONS,
    ),
    prose_tokens, _read_letter, _letter_scene, plain, 0.4, (".", "?", " "),
)  # fmt: skip

SKINS = {skin.name: skin for skin in (LETTERS, CANONICAL)}
