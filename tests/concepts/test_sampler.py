from __future__ import annotations

import itertools
import math
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.concepts.graph import ConceptGraph, Edge
from promptcot.concepts.importers import import_lists, read_lists
from promptcot.concepts.library import load
from promptcot.concepts.sampler import Sampler
from promptcot.concepts.similarity import NameSimilarity
from promptcot.config import Sampling
from promptcot.errors import ConfigError
from promptcot.records import Concept, to_json
from promptcot.seeding import fingerprint


def line(size: int, *, weight: float = 1.0) -> ConceptGraph:
    """Concepts in a row, each joined to the next, with names that have nothing in common."""
    names = ["".join(chr(97 + int(d)) * 3 for d in str(100 + i)) for i in range(size)]
    concepts = [
        Concept(id=f"c{i:03d}", name=name, level=1 + i % 10, domain="even" if i % 2 == 0 else "odd")
        for i, name in enumerate(names)
    ]
    edges = [Edge(a=a.id, b=b.id, weight=weight) for a, b in itertools.pairwise(concepts)]
    return ConceptGraph(concepts, edges)


def gini(values: list[int]) -> float:
    """Inequality of usage: 0 where all are used alike, near 1 where one takes all."""
    ordered = sorted(values)
    total = sum((2 * (i + 1) - len(ordered) - 1) * value for i, value in enumerate(ordered))
    return total / (len(ordered) * sum(ordered))


@given(st.integers(0, 2**62), st.lists(st.integers(0, 10_000), min_size=1, max_size=20))
@settings(max_examples=25)
def test_a_recipe_depends_on_its_ordinal_and_not_on_what_was_drawn_before(
    seed: int, ordinals: list[int]
) -> None:
    graph = line(40)
    one, other = Sampler(graph, Sampling(), seed=seed), Sampler(graph, Sampling(), seed=seed)
    assert [one.recipe(i) for i in ordinals] == [other.recipe(i) for i in reversed(ordinals)][::-1]


def test_recipes_differ_with_the_seed_and_the_ordinal() -> None:
    graph = load("competition-math")
    samplers = [Sampler(graph, Sampling(), seed=seed) for seed in (1, 2)]
    drawn = [sampler.recipe(i) for sampler in samplers for i in range(50)]
    assert len({recipe.seed for recipe in drawn}) == 100
    assert len({recipe.concepts for recipe in drawn}) > 60
    assert drawn[17].id == "r00000017"
    assert drawn[17].ordinal == 17


def test_recipes_are_the_same_in_another_process_with_another_hash_seed() -> None:
    code = (
        "from promptcot.concepts.library import load; from promptcot.concepts.sampler import Sampler;"
        "from promptcot.config import Sampling; from promptcot.records import to_json;"
        "from promptcot.seeding import fingerprint;"
        "s = Sampler(load('competition-math'), Sampling(), seed=3);"
        "print(fingerprint(to_json([s.recipe(i) for i in range(200)])))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": str(root)}
    there = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    sampler = Sampler(load("competition-math"), Sampling(), seed=3)
    assert there.stdout.strip() == fingerprint(to_json([sampler.recipe(i) for i in range(200)]))


@given(st.integers(2, 12), st.integers(1, 12), st.floats(0.01, 100), st.floats(0, 3), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_concepts_of_a_recipe_are_distinct_and_as_many_as_asked(
    count: int, size: int, temperature: float, coverage: float, ordinal: int
) -> None:
    sampling = Sampling(sizes={min(size, count): 1.0}, temperature=temperature, coverage=coverage)
    graph = line(count)
    recipe = Sampler(graph, sampling, seed=1).recipe(ordinal)
    assert len(set(recipe.concepts)) == len(recipe.concepts) == min(size, count)
    assert recipe.level == max(graph.concepts[id].level for id in recipe.concepts)
    assert recipe.domain == graph.concepts[recipe.concepts[0]].domain


def test_sizes_come_in_the_proportion_asked_for() -> None:
    sampler = Sampler(line(30), Sampling(sizes={1: 1, 2: 3, 4: 0}), seed=5)
    sizes = Counter(len(sampler.recipe(i).concepts) for i in range(4000))
    assert set(sizes) == {1, 2}
    assert 0.72 < sizes[2] / 4000 < 0.78  # four standard deviations about 3/4


def test_domains_and_levels_are_kept_to() -> None:
    sampling = Sampling(domains=("odd",), levels=(3, 7), sizes={2: 1})
    sampler = Sampler(line(40), sampling, seed=5)
    graph = line(40)
    drawn = {id for i in range(200) for id in sampler.recipe(i).concepts}
    assert drawn == {c.id for c in graph.concepts.values() if c.domain == "odd" and 3 <= c.level <= 7}
    assert len(sampler) == len(drawn)


@pytest.mark.parametrize(
    ("sampling", "said"),
    [
        (Sampling(domains=("ood",)), "unknown domain 'ood'; did you mean 'odd'"),
        (Sampling(levels=(11, 12)), "no concept of levels 11 to 12"),
        (Sampling(levels=(2, 2), domains=("even",)), "no concept of levels 2 to 2 in even"),
        (Sampling(sizes={7: 1}), "asks for 7 concepts, and 6 are there"),
    ],
)
def test_settings_that_leave_too_little_are_refused(sampling: Sampling, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Sampler(line(6), sampling, seed=0)


@pytest.mark.parametrize("coverage", [0.0, 0.5, 1.0])
def test_every_concept_begins_one_recipe_of_each_epoch(coverage: float) -> None:
    graph = line(25)
    sampler = Sampler(graph, Sampling(coverage=coverage), seed=8)
    for epoch in (0, 1, 7):
        first = [sampler.recipe(epoch * 25 + i).concepts[0] for i in range(25)]
        assert sorted(first) == list(graph.concepts)
    assert first != [sampler.recipe(i).concepts[0] for i in range(25)]


@pytest.mark.parametrize("count", [150.0, 1e6, 1e300])
@pytest.mark.parametrize("temperature", [0.05, 0.2, 1.0])
def test_a_pair_seen_ever_so_often_neither_overflows_nor_starves_the_rest(
    count: float, temperature: float
) -> None:
    concepts = list(line(6).concepts.values())
    edges = [Edge(a=concepts[0].id, b=c.id, weight=1.0) for c in concepts[1:]]
    graph = ConceptGraph(concepts, [*edges, Edge(a="c000", b="c001", weight=count)])
    sampler = Sampler(graph, Sampling(sizes={2: 1}, temperature=temperature), seed=1)
    chances = dict(sampler.related("c000"))
    assert len(chances) == 5
    assert math.isclose(sum(chances.values()), 1.0)
    assert all(0 < chance <= 1 for chance in chances.values())
    assert all(len(sampler.recipe(i).concepts) == 2 for i in range(60))


def test_without_balance_chances_are_those_of_the_formula() -> None:
    names = ["greatest common divisor", "common divisor", "bayes rule", "heron formula"]
    concepts = [Concept(id=f"c{i}", name=name) for i, name in enumerate(names)]
    edges = [Edge(a="c0", b="c2", weight=3.0), Edge(a="c0", b="c3", weight=1.0)]
    sampler = Sampler(
        ConceptGraph(concepts, edges), Sampling(sizes={2: 1}, temperature=0.7, coverage=0), seed=1
    )
    cosines = NameSimilarity(concepts).row(0)
    assert cosines[1] > 0.25
    scores = [cosines[1], math.log(4) + cosines[2], math.log(2) + cosines[3]]
    total = sum(math.exp(score / 0.7) for score in scores)
    expected = {f"c{i + 1}": math.exp(score / 0.7) / total for i, score in enumerate(scores)}
    assert dict(sampler.related("c0")) == pytest.approx(expected, rel=1e-9)
    seconds = Counter(
        sampler.recipe(i).concepts[1] for i in range(16_000) if sampler.recipe(i).concepts[0] == "c0"
    )
    for id, chance in expected.items():
        assert abs(seconds[id] / seconds.total() - chance) < 4 * math.sqrt(chance / seconds.total())


def test_one_idea_in_other_words_is_no_company_unless_an_edge_says_so() -> None:
    names = [
        "solving linear equations",
        "solving a linear equation",
        "linear functions and equations",
        "heron",
    ]
    concepts = [Concept(id=f"c{i}", name=name) for i, name in enumerate(names)]
    plain = Sampler(ConceptGraph(concepts), Sampling(sizes={1: 1}), seed=1)
    assert [id for id, _ in plain.related("c0")] == ["c2"]
    edge = Edge(a="c0", b="c1")
    joined = Sampler(ConceptGraph(concepts, [edge]), Sampling(sizes={1: 1}), seed=1)
    assert {id for id, _ in joined.related("c0")} == {"c1", "c2"}


def test_a_lower_temperature_follows_strong_edges_more_closely() -> None:
    concepts = list(line(5).concepts.values())
    edges = [Edge(a="c000", b=c.id, weight=float(i)) for i, c in enumerate(concepts) if i]
    graph = ConceptGraph(concepts, edges)
    strongest = [
        dict(Sampler(graph, Sampling(sizes={2: 1}, temperature=t, coverage=0), seed=1).related("c000"))[
            "c004"
        ]
        for t in (0.1, 0.5, 1.0, 10.0)
    ]
    assert strongest == sorted(strongest, reverse=True)
    assert strongest[0] > 0.85
    assert abs(strongest[-1] - 0.25) < 0.03


def test_coverage_evens_out_a_star() -> None:
    concepts = list(line(21).concepts.values())
    star = ConceptGraph(concepts, [Edge(a="c000", b=c.id) for c in concepts[1:]])
    ring = [Edge(a=a.id, b=b.id) for a, b in itertools.pairwise(concepts[1:])]
    graph = ConceptGraph(concepts, [*star.edges, *ring])

    def hub_share(coverage: float) -> float:
        sampler = Sampler(graph, Sampling(sizes={2: 1}, coverage=coverage), seed=2)
        drawn = Counter(sampler.recipe(i).concepts[1] for i in range(2100))
        return drawn["c000"] / drawn.total()

    plain, half, even = (hub_share(coverage) for coverage in (0.0, 0.5, 1.0))
    assert plain > 0.2 > half > even
    assert even < 0.08  # a fair share is 1/21


def test_concepts_that_nothing_relates_are_still_drawn_together() -> None:
    concepts = [
        Concept(id=f"c{i}", name=name, domain=d)
        for i, (name, d) in enumerate(zip("abcd", "xxyy", strict=True))
    ]
    sampler = Sampler(ConceptGraph(concepts), Sampling(sizes={3: 1}), seed=1)
    assert all(len(set(sampler.recipe(i).concepts)) == 3 for i in range(40))
    assert all(
        sampler.recipe(i).concepts[1][1] in ("01" if sampler.recipe(i).concepts[0] in ("c0", "c1") else "23")
        for i in range(40)
    )


def test_on_real_concepts_usage_is_even_and_relations_are_real(real_lists: Path) -> None:
    graph = import_lists(read_lists(real_lists), prefix="math", domain="mathematics").graph
    sampler = Sampler(graph, Sampling(sizes={5: 1}), seed=4)
    recipes = [sampler.recipe(i) for i in range(4 * len(graph))]
    used = Counter(id for recipe in recipes for id in recipe.concepts)
    assert set(used) == set(graph.concepts)
    assert gini(list(used.values())) < 0.15  # of which about 0.1 is the noise of 20 draws a concept
    joined = {pair for edge in graph.edges for pair in ((edge.a, edge.b), (edge.b, edge.a))}
    pairs = [tuple(recipe.concepts[:2]) for recipe in recipes]
    # Of two names taken at random, three in a thousand are joined.
    assert sum(pair in joined for pair in pairs) > len(pairs) / 3


def test_a_concept_that_is_not_sampled_has_no_relations() -> None:
    with pytest.raises(ConfigError, match="'zzz'"):
        Sampler(line(4), Sampling(), seed=0).related("zzz")
