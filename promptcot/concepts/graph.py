"""Concepts and what joins them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from promptcot.errors import ResourceError
from promptcot.records import Concept, Record

if TYPE_CHECKING:
    import networkx

EdgeKind = Literal["co-occurrence", "composition", "similarity"]
"""Seen together in problems; the output of one feeds the other; close in meaning."""

KINDS: tuple[EdgeKind, ...] = get_args(EdgeKind)


class Edge(Record, frozen=True, kw_only=True):
    """What joins two concepts, whichever comes first.

    Attributes:
        a: The smaller of the two ids, and `b` the larger.
        weight: How strongly: for co-occurrence a count of problems, or a guess at one. Above 0.
    """

    a: str
    b: str
    weight: float = 1.0
    kind: EdgeKind = "co-occurrence"


class ConceptGraph:
    """An immutable graph of concepts.

    Args:
        concepts: With distinct ids.
        edges: Between two of them each. Edges of one kind between the same two concepts are one
            edge with the sum of their weights.

    Attributes:
        concepts: By id, sorted by id.
        edges: Sorted, without repeats, each with ``a < b``.

    Raises:
        ResourceError: Two concepts share an id, an edge or a prerequisite leads nowhere or to where
            it came from, a weight is not above 0, or prerequisites go round in a circle.
    """

    def __init__(self, concepts: Iterable[Concept], edges: Iterable[Edge] = ()) -> None:
        by_id: dict[str, Concept] = {}
        for concept in concepts:
            if by_id.setdefault(concept.id, concept) is not concept:
                raise ResourceError(f"two concepts have the id {concept.id!r}", remedy="rename one of them")
        self.concepts: Mapping[str, Concept] = MappingProxyType(dict(sorted(by_id.items())))
        self.edges: tuple[Edge, ...] = self._joined(edges)
        self._refuse_bad_prerequisites()

    def __len__(self) -> int:
        return len(self.concepts)

    def prerequisites(self, id: str) -> tuple[str, ...]:
        """Ids of all that must be known before a concept, prerequisites of prerequisites included, sorted.

        Raises:
            ResourceError: There is no such concept.
        """
        if id not in self.concepts:
            raise ResourceError(f"there is no concept {id!r} in the graph")
        found: set[str] = set()
        waiting = [id]
        while waiting:
            new = set(self.concepts[waiting.pop()].prerequisites) - found
            found |= new
            waiting += new
        return tuple(sorted(found))

    def networkx(self) -> networkx.Graph:
        """The graph with its edges and prerequisites, undirected, for analysis and drawing.

        Of two concepts joined in several ways the weight is the sum.
        """
        import networkx

        graph = networkx.Graph()
        graph.add_nodes_from(self.concepts)
        pairs = [(edge.a, edge.b, edge.weight) for edge in self.edges]
        pairs += [(c.id, before, 1.0) for c in self.concepts.values() for before in c.prerequisites]
        for a, b, weight in pairs:
            weight += graph.edges[a, b]["weight"] if graph.has_edge(a, b) else 0.0
            graph.add_edge(a, b, weight=weight)
        return graph

    def _joined(self, edges: Iterable[Edge]) -> tuple[Edge, ...]:
        weights: dict[tuple[str, str, EdgeKind], float] = {}
        for edge in edges:
            a, b = sorted((edge.a, edge.b))
            for end in (a, b):
                if end not in self.concepts:
                    raise ResourceError(f"an edge from {a!r} to {b!r}: there is no concept {end!r}")
            if a == b:
                raise ResourceError(f"an edge joins {a!r} to itself")
            if not 0 < edge.weight < float("inf"):
                raise ResourceError(
                    f"the edge from {a!r} to {b!r} has the weight {edge.weight}, not one above 0"
                )
            key = (a, b, edge.kind)
            weights[key] = weights.get(key, 0.0) + edge.weight
        return tuple(
            Edge(a=a, b=b, weight=weight, kind=kind) for (a, b, kind), weight in sorted(weights.items())
        )

    def _refuse_bad_prerequisites(self) -> None:
        for concept in self.concepts.values():
            for before in concept.prerequisites:
                if before not in self.concepts:
                    raise ResourceError(f"concept {concept.id!r}: there is no prerequisite {before!r}")
        cycle = find_cycle({c.id: c.prerequisites for c in self.concepts.values()})
        if cycle:
            raise ResourceError(
                f"prerequisites go round in a circle: {' -> '.join(cycle)}", remedy="take one of them out"
            )


def find_cycle(prerequisites: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle of prerequisites, its first id repeated at its end; empty where there is none."""
    import networkx

    graph = networkx.DiGraph()
    graph.add_edges_from((id, before) for id, befores in prerequisites.items() for before in befores)
    if networkx.is_directed_acyclic_graph(graph):
        return []
    edges = networkx.find_cycle(graph)
    return [edges[0][0], *(edge[1] for edge in edges)]
