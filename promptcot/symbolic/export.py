"""The symbolic concepts as a concept library.

    python -m promptcot.symbolic.export > concept_graphs/symbolic-core.yaml
    python -m promptcot.symbolic.export my_concepts.py > mine.yaml

The code is the source: the file is written from it, and a test keeps the two in step. Files of
your own concepts, given as arguments, are exported together with the shipped ones.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import yaml

from promptcot.seeding import fingerprint
from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.library import library

HEADER = """\
# Every concept that the embedded symbolic engine can compute, and which of them compose.
# Written from the code by `python -m promptcot.symbolic.export`; change it there.
"""
PARTNERS = 8
"""Concepts that meet on integers are many: each is linked to this many others, of near levels first."""


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
    weights: dict[tuple[str, str], float] = {}
    for concept in concepts.values():
        others = [other for other in concepts.values() if other is not concept]
        for other in others:
            if _feeds(concept, other, hub=False) or _feeds(other, concept, hub=False):
                weights[_pair(concept, other)] = 3.0
        near = [o for o in others if _feeds(concept, o, hub=True) or _feeds(o, concept, hub=True)]
        near.sort(key=lambda o: (abs(o.level - concept.level), fingerprint(*_pair(concept, o), size=8)))
        for other in near[:PARTNERS]:
            weights.setdefault(_pair(concept, other), 2.0 if other.domain != concept.domain else 1.0)
    return [
        {"a": a, "b": b, "weight": weight, "kind": "composition"}
        for (a, b), weight in sorted(weights.items())
    ]


def _pair(one: SymbolicConcept, two: SymbolicConcept) -> tuple[str, str]:
    return (one.id, two.id) if one.id < two.id else (two.id, one.id)


def _feeds(source: SymbolicConcept, target: SymbolicConcept, *, hub: bool) -> bool:
    """Whether `target` takes what `source` yields: through the integers (`hub`), or through a rarer type."""
    kind = source.output.kind
    return (kind == "Int") is hub and any(port.kind == kind and not port.fixed for port in target.ports)


def dump(content: Mapping[str, Any]) -> str:
    """The library as YAML, edges one a line."""
    head = {key: value for key, value in content.items() if key != "edges"}
    text = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=110)
    lines = [
        f"- {{a: {e['a']}, b: {e['b']}, weight: {e['weight']}, kind: {e['kind']}}}" for e in content["edges"]
    ]
    return HEADER + text + "\n".join(["edges:", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(dump(as_library(library(sys.argv[1:], plugins=False))))
