"""The canonical skin: few tokens, one form for each thing, for small models."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from promptcot.symbolic.dag import Dag
from promptcot.symbolic.grammar import Frame, Slot
from promptcot.symbolic.skins.base import Scene, Skin, spaced

_SHORT = re.compile(r"[a-z]\d*")


def _read(slot: Slot, tokens: Sequence[str], start: int) -> tuple[int, str] | None:
    token = tokens[start]
    return (start + 1, token) if slot is Slot.NAME and _SHORT.fullmatch(token) else None


def _scene(dag: Dag, rng: random.Random) -> Scene:
    names = [chr(97 + i % 26) + (str(i // 26) if i >= 26 else "") for i in range(len(dag.nodes))]
    return Scene(tuple({"name": name} for name in names), lambda value: None)


CANONICAL = Skin(
    name="canonical",
    frames=(Frame("define", "{name} = {term}"), Frame("ask", "{name}")),
    tokenise=str.split,
    reader=_read,
    scene=_scene,
    literal=spaced,
    inline=0.0,
    ends=(" ;", " ?", " "),
    form="canonical",
    opens=re.compile(r"\s*[a-z]\d* = "),
)
