"""The shape of a graph in figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from promptcot.concepts.graph import ConceptGraph


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of a graph.

    Attributes:
        domains: Concepts of each domain, and `levels` of each level.
        kinds: Edges of each kind.
        degree_mean: Other concepts that a concept is joined to by an edge or a prerequisite.
        components: Sizes of the connected parts, the largest first.
        longest_chain: Concepts in the longest chain of prerequisites.
    """

    concepts: int
    edges: int
    prerequisites: int
    domains: dict[str, int]
    levels: dict[int, int]
    kinds: dict[str, int]
    degree_min: int
    degree_mean: float
    degree_max: int
    components: tuple[int, ...]
    longest_chain: int


def stats(graph: ConceptGraph) -> Stats:
    """Counts a graph."""
    import networkx

    concepts = list(graph.concepts.values())
    joined = graph.networkx()
    degrees = [degree for _, degree in joined.degree()] or [0]
    order = networkx.DiGraph()
    order.add_nodes_from(graph.concepts)
    order.add_edges_from((before, concept.id) for concept in concepts for before in concept.prerequisites)
    return Stats(
        concepts=len(concepts),
        edges=len(graph.edges),
        prerequisites=sum(len(concept.prerequisites) for concept in concepts),
        domains=dict(sorted(Counter(concept.domain for concept in concepts).items())),
        levels=dict(sorted(Counter(concept.level for concept in concepts).items())),
        kinds=dict(sorted(Counter(edge.kind for edge in graph.edges).items())),
        degree_min=min(degrees),
        degree_mean=sum(degrees) / len(degrees),
        degree_max=max(degrees),
        components=tuple(sorted((len(part) for part in networkx.connected_components(joined)), reverse=True)),
        longest_chain=len(networkx.dag_longest_path(order)) if concepts else 0,
    )
