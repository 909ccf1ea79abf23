"""The symbolic concepts as a concept library.

    python -m promptcot.symbolic.export > concept_graphs/symbolic-core.yaml

The code is the source: the file is written from it, and a test keeps the two in step.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import yaml

from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.library import library
from promptcot.symbolic.ports import Int

HEADER = """\
# Every concept that the embedded symbolic engine can compute, and which of them compose.
# Written from the code by `python -m promptcot.symbolic.export`; change it there.
"""
HUB_REACH = 2
"""Concepts that meet on integers are linked when their levels lie no further apart than this."""


def as_library(concepts: Mapping[str, SymbolicConcept]) -> dict[str, Any]:
    """The library file's content: one entry a concept, and an edge where one feeds the other."""
    return {
        "schema": 1,
        "name": "symbolic-core",
        "title": "Symbolic core",
        "description": "Concepts that the embedded symbolic engine can compute, narrate and check.",
        "licence": "CC0-1.0",
        "concepts": [
            {
                "id": c.id,
                "name": c.name,
                "description": " ".join(c.description.split()),
                "domain": c.domain,
                "level": c.level,
                "prerequisites": list(c.prerequisites),
                "aliases": list(c.aliases),
                "source": "promptcot",
            }
            for c in concepts.values()
        ],
        "edges": edges(concepts),
    }


def edges(concepts: Mapping[str, SymbolicConcept]) -> list[dict[str, Any]]:
    """Pairs of which one can take what the other yields; a rarer type weighs more."""
    found = []
    listed = sorted(concepts.values(), key=lambda concept: concept.id)
    for place, a in enumerate(listed):
        for b in listed[place + 1 :]:
            weight = max(_weight(a, b), _weight(b, a))
            if weight:
                found.append({"a": a.id, "b": b.id, "weight": weight, "kind": "composition"})
    return found


def _weight(source: SymbolicConcept, target: SymbolicConcept) -> float:
    fits = [port for port in target.ports if port.kind == source.output.kind and not port.fixed]
    if not fits:
        return 0.0
    if not isinstance(source.output, Int):
        return 3.0
    if abs(source.level - target.level) > HUB_REACH:
        return 0.0
    return 2.0 if source.domain != target.domain else 1.0


def dump(content: Mapping[str, Any]) -> str:
    """The library as YAML, edges one a line."""
    head = {key: value for key, value in content.items() if key != "edges"}
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=110)
    lines = [
        f"- {{a: {e['a']}, b: {e['b']}, weight: {e['weight']}, kind: {e['kind']}}}" for e in content["edges"]
    ]
    return HEADER + text + "\n".join(["edges:", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(dump(as_library(library(plugins=False))))
