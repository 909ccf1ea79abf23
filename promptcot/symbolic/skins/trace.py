"""The trace skin: a short program whose output is asked for, after a legend of its functions."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Dag
from promptcot.symbolic.grammar import Slot
from promptcot.symbolic.ports import Value
from promptcot.symbolic.skins.base import Forms, Scene, Skin, frames, legend, plain

_TOKEN = re.compile(r'"[a-z]*"|-?\d+(?:/\d+)?|[A-Za-z]+(?:\'s)?\d*|\n|[^\sA-Za-z0-9]')
_NAME = re.compile(r"[a-z]\d+")
_PORT_SET = re.compile(r"\b(\w+) = \{\1\}")
_STEMS = "xyzuvwkmnt"


def _tokens(text: str) -> list[str]:
    """Words and marks; the end of a line ends a sentence."""
    return [";" if token == "\n" else token.lower() for token in _TOKEN.findall(text)]


def _read(slot: Slot, tokens: Sequence[str], start: int) -> tuple[int, str] | None:
    token = tokens[start]
    return (start + 1, token) if slot is Slot.NAME and _NAME.fullmatch(token) else None


def _clear(concept: SymbolicConcept) -> list[str]:
    """The phrases that stay clear with ports for values: "the value at x = x" says nothing."""
    return [p for p in concept.phrases if not _PORT_SET.search(p)] or list(concept.phrases)


def _scene(dag: Dag, rng: random.Random) -> Scene:
    stem = rng.choice(_STEMS)
    count = len(dag.nodes)
    left = [f"{stem}{number}" for number in range(count + 1, 2 * count + 2)]

    def spare(value: Value) -> Forms | None:
        return {"name": left.pop(0)} if left else None

    functions = {node.concept.id: node.concept for node in dag.nodes if "{" not in node.concept.symbol}
    lines = [f"{legend(concept, rng.choice(_clear(concept)))}." for _, concept in sorted(functions.items())]
    if lines:
        lines = ["In this program:", *lines]
    question = rng.choice(("What does this program print?", "Which value does this program print?"))
    names = tuple({"name": f"{stem}{number}"} for number in range(1, count + 1))
    return Scene(names, spare, opening="\n".join([question, *lines, ""]), always=True)


TRACE = Skin(
    name="trace",
    frames=(
        *frames("define", "{name} = {term}"),
        *frames("ask", "print({term})"),
        *frames("scene", "what does this program print", "which value does this program print",
                "in this program:"),
    ),
    tokenise=_tokens,
    reader=_read,
    scene=_scene,
    literal=plain,
    inline=0.3,
    ends=("", "", "\n"),
    form="code",
    opens=re.compile(r"\s*(?:what|which value) does this program print\b", re.IGNORECASE),
)  # fmt: skip
