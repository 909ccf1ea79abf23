"""What a skin is: sentence frames, how its text splits into tokens, and how quantities are named.

What a skin tells, its own grammar reads back.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Dag
from promptcot.symbolic.grammar import Frame, Grammar, Slot
from promptcot.symbolic.ports import Value

Form = Literal["prose", "canonical", "code"]
"""How concepts are written: in phrases, in their short form, or as functions."""

Forms = dict[str, str]
"""How one quantity is spoken of, by slot: ``name``, ``holder``, ``owner``, ``person``; and its ``label``
in the solution where that is not the name."""


@dataclass(frozen=True, slots=True)
class Scene:
    """How the quantities of one problem are spoken of.

    Attributes:
        nodes: Forms of each node.
        spare: Forms for a given value that gets a name of its own, or None where it gets none.
        things: What is counted, in the plural.
        opening: Sentences that set the scene; where `always` they are needed, else only in longer problems.
    """

    nodes: tuple[Forms, ...]
    spare: Callable[[Value], Forms | None]
    things: str = ""
    opening: str = ""
    always: bool = False


@dataclass(frozen=True, slots=True)
class Skin:
    """A way to tell problems.

    Attributes:
        frames: Its sentences, without the closing mark.
        inline: How likely a term is told inside the sentence that uses it.
        ends: Closing marks of a statement and of a question, and what separates sentences.
        form: Whether concepts are told in phrases, in their short form, or as functions.
        opens: What every statement of this skin begins with, and no other's does.
        tales: Whether concepts are told by their comparing sentences where they fit.
        wordy: Whether names are whole noun phrases, which cannot stand right before a counted noun.
    """

    name: str
    frames: tuple[Frame, ...]
    tokenise: Callable[[str], list[str]]
    reader: Callable[[Slot, Sequence[str], int], tuple[int, str] | None]
    scene: Callable[[Dag, random.Random], Scene]
    literal: Callable[[Value], str]
    inline: float
    ends: tuple[str, str, str]
    form: Form = "prose"
    opens: re.Pattern[str] | None = None
    tales: bool = False
    wordy: bool = False

    def phrases(self, concept: SymbolicConcept) -> tuple[str, ...]:
        """The phrases of a concept in this skin."""
        forms = {"canonical": pattern, "code": call}
        return concept.phrases if self.form == "prose" else (forms[self.form](concept),)

    def nests(self, phrase: str) -> bool:
        """Whether a phrase may stand inside another sentence or phrase."""
        return "(" in phrase if self.form == "code" else phrase.startswith("the ")

    def grammar(self, concepts: Mapping[str, SymbolicConcept]) -> Grammar:
        """Reads what this skin tells."""
        tales = {id: c.tales for id, c in concepts.items() if c.tales and self.tales}
        phrases = {id: self.phrases(c) for id, c in concepts.items()}
        known = self.frames
        if self.form == "code":
            known += tuple(Frame("scene", legend(c, p)) for c in concepts.values() for p in c.phrases)
        lead = Slot.ARG if self.form == "code" else Slot.ATOM
        return Grammar(known, self.tokenise, self.reader, phrases, tales, concepts, lead=lead)


def pattern(concept: SymbolicConcept) -> str:
    """The canonical pattern of a concept: ``{a} + {b}`` or ``gcd {a} {b}``."""
    if "{" in concept.symbol:
        return concept.symbol
    return " ".join([concept.symbol, *(f"{{{port}}}" for port in concept.inputs)])


def call(concept: SymbolicConcept) -> str:
    """A concept as a function call, ``gcd({a}, {b})``, or as an operator."""
    if "{" in concept.symbol:
        return concept.symbol
    return f"{concept.symbol}({', '.join(f'{{{port}}}' for port in concept.inputs)})"


def legend(concept: SymbolicConcept, phrase: str) -> str:
    """What a function of the code means, by one of its phrases; operators need no saying."""
    names = {port: port for port in concept.inputs}
    return f"{call(concept).format_map(names)} means {phrase.format_map(names)}"


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


def words(*lines: str) -> tuple[str, ...]:
    """The words of some lines of text."""
    return tuple(word for line in lines for word in line.split())


_AFTER = frozenset(  # what a number counts
    words(
        "balls books boxes children coins consecutive corners degrees different draws eggs elements",
        "euros hours identical items kilometres kinds machines minutes parts people places points",
        "positive sides socks squared steps terms tickets years",
    )
)
_BEFORE = frozenset(  # what a number names or measures
    words(
        "aged angles base coefficient coefficients count edges exponent first fraction fractions",
        "height index input intercept leading legs length letter number place position power ratio shift",
        "sides size slope speed step sum term terms the whole width",
    )
)
_NEXT_TO = re.compile(r"(?:(\w+) )?\{(\w+)\}(?:,? (?:and )?\{\w+\})*(?: (\w+))?")


@lru_cache(maxsize=4096)
def tight(phrase: str) -> frozenset[str]:
    """The slots that a number fits but a noun phrase does not: beside a noun that is counted or named."""
    return frozenset(
        slot for before, slot, after in _NEXT_TO.findall(phrase) if before in _BEFORE or after in _AFTER
    )


_TOKEN = re.compile(r'"[a-z]*"|-?\d+(?:/\d+)?|[A-Za-z]+(?:\'s)?\d*|[^\sA-Za-z0-9]')
_LETTER = re.compile(r"[B-HJ-Z]\d*")  # A and I begin sentences


def is_letter(token: str) -> bool:
    """Whether a token is a name of one capital, perhaps with a number."""
    return _LETTER.fullmatch(token) is not None


def prose_tokens(text: str) -> list[str]:
    """Words in lower case, names of one capital as they are, numbers with their sign, marks."""
    return [t if _LETTER.fullmatch(t) else t.lower() for t in _TOKEN.findall(text)]


def frames(does: str, *patterns: str) -> list[Frame]:
    """Frames that do the same."""
    return [Frame(does, p) for p in patterns]
