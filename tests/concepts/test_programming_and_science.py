"""The shipped libraries of programming contests and of the sciences hold what they promise."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from promptcot.concepts.graph import ConceptGraph
from promptcot.concepts.library import check, load, load_library
from promptcot.concepts.reading import Contents, read
from promptcot.concepts.sampler import Sampler
from promptcot.config import Sampling
from promptcot.resources import LIBRARY, SHIPPED_PREFIX, files_of, find, read_text

DOMAINS = {
    "competitive-programming": """implementation, complexity, searching, greedy, constructive,
        data structures, graphs, trees, dynamic programming, strings, number theory, combinatorics, geometry,
        flows, games, randomisation, algebra""",
    "science-reasoning": """measurement, mechanics, waves and optics, thermal physics,
        electricity and magnetism, modern physics, general chemistry, physical chemistry, organic chemistry,
        logic, scientific reasoning""",
}
PREFIX = {"competitive-programming": "cp.", "science-reasoning": "sci."}

both = pytest.mark.parametrize("name", sorted(DOMAINS))


@cache
def shipped(name: str) -> ConceptGraph:
    return load(SHIPPED_PREFIX + name)


@cache
def contents(name: str) -> Contents:
    """What the files say, an edge that is given twice still twice."""
    found = Contents()
    for file in files_of(LIBRARY, find(LIBRARY, SHIPPED_PREFIX + name).path):
        read(file, read_text(file), found)
    return found


@both
def test_nothing_is_found_wrong(name: str) -> None:
    assert check(SHIPPED_PREFIX + name) == []


@pytest.mark.parametrize(
    ("name", "concepts", "edges"), [("competitive-programming", 390, 2000), ("science-reasoning", 225, 1200)]
)
def test_counts(name: str, concepts: int, edges: int) -> None:
    graph = shipped(name)
    assert len(graph) >= concepts
    assert len(graph.edges) >= edges
    assert len({concept.level for concept in graph.concepts.values()}) == 10


@both
def test_header(name: str) -> None:
    library = load_library(SHIPPED_PREFIX + name)
    assert (library.name, library.licence) == (name, "CC0-1.0")
    assert library.title
    assert library.description.endswith(".")


@both
def test_every_concept_is_described_placed_and_signed(name: str) -> None:
    for concept in shipped(name).concepts.values():
        assert concept.id.startswith(PREFIX[name]), concept.id
        assert (concept.source, concept.licence) == ("promptcot", "CC0-1.0"), concept.id
        text = concept.description
        assert 40 <= len(text) <= 240, concept.id
        assert text[0].isupper(), concept.id
        assert text.endswith("."), concept.id
        assert ". " not in text, f"{concept.id}: more than a sentence"


@both
def test_descriptions_differ(name: str) -> None:
    texts = Counter(concept.description for concept in shipped(name).concepts.values())
    assert [text for text, times in texts.items() if times > 1] == []


@both
def test_every_domain_has_ten_concepts(name: str) -> None:
    sizes = Counter(concept.domain for concept in shipped(name).concepts.values())
    assert set(sizes) == {" ".join(domain.split()) for domain in DOMAINS[name].split(",")}
    assert min(sizes.values()) >= 10


@both
def test_a_file_holds_one_domain_named_as_the_file(name: str) -> None:
    for entry in contents(name).entries:
        assert entry.concept.domain.replace(" ", "-") == entry.file.stem


@both
def test_the_graph_is_connected_and_no_concept_hangs_by_a_thread(name: str) -> None:
    import networkx

    graph = shipped(name).networkx()
    assert networkx.is_connected(graph)
    assert min(degree for _, degree in graph.degree()) >= 4


@both
def test_edges_are_given_once_and_weighted_within_the_stated_bounds(name: str) -> None:
    edges = [edge for edge, _, _ in contents(name).edges]
    repeated = Counter((edge.a, edge.b) for edge in edges)
    assert [pair for pair, times in repeated.items() if times > 1] == []
    assert {edge.weight for edge in edges} <= set(range(2, 9))


@both
def test_a_fifth_of_the_edges_cross_domains_and_all_domains_take_part(name: str) -> None:
    graph = shipped(name)
    pairs = [{graph.concepts[end].domain for end in (edge.a, edge.b)} for edge in graph.edges]
    crossing = [pair for pair in pairs if len(pair) == 2]
    assert len(crossing) >= len(pairs) / 5
    assert set().union(*crossing) == {concept.domain for concept in graph.concepts.values()}


@both
def test_recipes_join_what_the_library_joins(name: str) -> None:
    """Not more than an eighth of the steps rest on the likeness of names alone."""
    graph = shipped(name)
    joined = {pair for edge in graph.edges for pair in ((edge.a, edge.b), (edge.b, edge.a))}
    for concept in graph.concepts.values():
        joined |= {pair for p in concept.prerequisites for pair in ((p, concept.id), (concept.id, p))}
    sampler = Sampler(graph, Sampling(sizes={2: 1, 3: 2, 4: 1}), seed=5)
    used: Counter[str] = Counter()
    steps = by_name = 0
    for ordinal in range(4 * len(graph)):
        concepts = sampler.recipe(ordinal).concepts
        used.update(concepts)
        for place in range(1, len(concepts)):
            steps += 1
            by_name += not any((concepts[place], before) in joined for before in concepts[:place])
    assert by_name <= steps / 8
    assert set(used) == set(graph.concepts)
