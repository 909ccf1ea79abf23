"""What holds for every concept library that is shipped."""

from __future__ import annotations

import networkx
import pytest

from promptcot import resources
from promptcot.concepts.graph import ConceptGraph
from promptcot.concepts.library import check, load_library
from promptcot.concepts.sampler import Sampler
from promptcot.config import Sampling

LEAST = {"competition-math": (500, 800)}
"""Concepts and edges that a library promises to have; others have at least one concept."""

NAMES = [resource.name for resource in resources.available(resources.LIBRARY)]


@pytest.fixture(params=NAMES, scope="module")
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def graph(name: str) -> ConceptGraph:
    return load_library(resources.SHIPPED_PREFIX + name).graph


def test_the_check_finds_nothing(name: str) -> None:
    assert [str(finding) for finding in check(resources.SHIPPED_PREFIX + name)] == []


def test_a_library_says_what_it_is(name: str) -> None:
    library = load_library(resources.SHIPPED_PREFIX + name)
    assert library.name == name
    assert library.title
    assert library.description.endswith(".")
    assert library.licence


def test_every_concept_says_what_it_is(graph: ConceptGraph) -> None:
    for concept in graph.concepts.values():
        assert concept.description.endswith("."), concept.id
        assert concept.domain, concept.id
        assert concept.source, concept.id
        assert concept.licence, concept.id


def test_no_two_descriptions_are_the_same(graph: ConceptGraph) -> None:
    assert len({concept.description for concept in graph.concepts.values()}) == len(graph)


def test_all_concepts_are_joined(graph: ConceptGraph) -> None:
    assert networkx.is_connected(graph.networkx())


def test_a_library_is_as_large_as_promised(name: str, graph: ConceptGraph) -> None:
    concepts, edges = LEAST.get(name, (1, 0))
    assert len(graph) >= concepts
    assert len(graph.edges) >= edges


def test_an_epoch_of_recipes_names_every_concept(graph: ConceptGraph) -> None:
    sampler = Sampler(graph, Sampling(), seed=1)
    drawn = {id for ordinal in range(len(graph)) for id in sampler.recipe(ordinal).concepts}
    assert drawn == set(graph.concepts)


def test_competition_math_spans_all_levels_and_joins_domains() -> None:
    graph = load_library(resources.SHIPPED_PREFIX + "competition-math").graph
    concepts = graph.concepts
    assert {concept.level for concept in concepts.values()} == set(range(1, 11))
    cross = [edge for edge in graph.edges if concepts[edge.a].domain != concepts[edge.b].domain]
    assert len(cross) >= len(graph.edges) / 3
    assert all(10 <= edge.weight <= 90 for edge in graph.edges)
