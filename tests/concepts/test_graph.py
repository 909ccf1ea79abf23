from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.concepts.graph import ConceptGraph, Edge, find_cycle
from promptcot.concepts.stats import stats
from promptcot.errors import ResourceError
from promptcot.records import Concept


def concept(id: str, *prerequisites: str, level: int = 1, domain: str = "d") -> Concept:
    return Concept(id=id, name=id.upper(), prerequisites=prerequisites, level=level, domain=domain)


def test_concepts_and_edges_are_sorted_and_edges_joined() -> None:
    edges = [Edge(a="c", b="a", weight=2), Edge(a="a", b="c"), Edge(a="a", b="c", kind="composition")]
    graph = ConceptGraph([concept("c"), concept("a"), concept("b")], edges)
    assert list(graph.concepts) == ["a", "b", "c"]
    assert [(e.a, e.b, e.weight, e.kind) for e in graph.edges] == [
        ("a", "c", 3.0, "co-occurrence"),
        ("a", "c", 1.0, "composition"),
    ]
    assert len(graph) == 3


@pytest.mark.parametrize(
    ("concepts", "edges", "said"),
    [
        ([concept("a"), concept("a")], [], "two concepts have the id 'a'"),
        ([concept("a", "b")], [], "concept 'a': there is no prerequisite 'b'"),
        ([concept("a")], [Edge(a="a", b="b")], "there is no concept 'b'"),
        ([concept("a")], [Edge(a="a", b="a")], "joins 'a' to itself"),
        ([concept("a"), concept("b")], [Edge(a="a", b="b", weight=0)], "not one above 0"),
        ([concept("a"), concept("b")], [Edge(a="a", b="b", weight=float("nan"))], "not one above 0"),
        ([concept("a", "a")], [], "circle: a -> a"),
        ([concept("a", "b"), concept("b", "c"), concept("c", "a")], [], "circle: a -> b -> c -> a"),
    ],
)
def test_what_is_no_graph_is_refused(concepts: list[Concept], edges: list[Edge], said: str) -> None:
    with pytest.raises(ResourceError, match=said):
        ConceptGraph(concepts, edges)


def test_prerequisites_are_followed_to_the_end() -> None:
    graph = ConceptGraph([concept("a"), concept("b", "a"), concept("c", "b"), concept("d")])
    assert graph.prerequisites("c") == ("a", "b")
    assert graph.prerequisites("a") == ()
    with pytest.raises(ResourceError, match="no concept 'z'"):
        graph.prerequisites("z")


@given(st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3)))
def test_a_circle_is_found_exactly_where_there_is_one(links: dict[str, list[str]]) -> None:
    def reaches(start: str) -> set[str]:
        found: set[str] = set()
        waiting = [start]
        while waiting:
            new = set(links.get(waiting.pop(), ())) - found
            found |= new
            waiting += new
        return found

    cycle = find_cycle(links)
    assert bool(cycle) == any(id in reaches(id) for id in links)
    assert all(after in links[before] for before, after in itertools.pairwise(cycle))
    assert not cycle or cycle[0] == cycle[-1]


def test_a_graph_is_counted() -> None:
    concepts = [
        concept("a"),
        concept("b", "a", level=2),
        concept("c", "b", level=2, domain="e"),
        concept("d"),
    ]
    found = stats(ConceptGraph(concepts, [Edge(a="a", b="c")]))
    assert (found.concepts, found.edges, found.prerequisites) == (4, 1, 2)
    assert found.domains == {"d": 3, "e": 1}
    assert found.levels == {1: 2, 2: 2}
    assert found.kinds == {"co-occurrence": 1}
    assert (found.degree_min, found.degree_mean, found.degree_max) == (0, 1.5, 2)
    assert found.components == (3, 1)
    assert found.longest_chain == 3
