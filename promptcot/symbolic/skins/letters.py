"""The letters skin: quantities are called by capitals, as in a textbook."""

from __future__ import annotations

import random
from collections.abc import Sequence

from promptcot.symbolic.dag import Dag
from promptcot.symbolic.grammar import Slot
from promptcot.symbolic.ports import Value
from promptcot.symbolic.skins.base import Forms, Scene, Skin, frames, is_letter, plain, prose_tokens

_CAPITALS = "BCDEFGHJKLMNPQRSTUVWXYZ"  # without A and I, which are words, and O, which is a digit


def _read(slot: Slot, tokens: Sequence[str], start: int) -> tuple[int, str] | None:
    token = tokens[start]
    return (start + 1, token) if slot is Slot.NAME and is_letter(token) else None


def _scene(dag: Dag, rng: random.Random) -> Scene:
    count = len(dag.nodes)
    pool = rng.sample(_CAPITALS, len(_CAPITALS))
    names = [
        pool[i % len(pool)] + (str(i // len(pool)) if i >= len(pool) else "") for i in range(2 * count + 2)
    ]
    left = names[count:]

    def spare(value: Value) -> Forms | None:
        return {"name": left.pop(0)} if left else None

    return Scene(tuple({"name": name} for name in names[:count]), spare)


LETTERS = Skin(
    name="letters",
    frames=(
        *frames("define", "let {name} be {term}", "let {name} denote {term}", "write {name} for {term}",
                "suppose that {name} is {term}", "define {name} to be {term}", "{name} is {term}"),
        *frames("ask", "what is {term}", "find {term}", "determine {term}", "work out {term}",
                "compute {term}", "what is the value of {name}"),
    ),
    tokenise=prose_tokens,
    reader=_read,
    scene=_scene,
    literal=plain,
    inline=0.4,
    ends=(".", "?", " "),
)  # fmt: skip
