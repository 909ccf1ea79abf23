"""Draws recipes from a concept graph: related concepts together, and every concept as often as any.

A recipe begins at a concept and walks: each next concept is drawn from those related to one that
is already there, by

    p(j | i)  proportional to  exp((log(1 + weight of the edges) + cosine of the names) / temperature)

The logarithm keeps a pair that was seen a million times from being the only one that is ever
drawn, and nothing can overflow. Recipe `n` is a function of the graph, the settings, the seed and
`n` alone: any worker can draw any recipe. Coverage needs no counters either: the first concepts
run through a permutation of all for each epoch, and the walk's probabilities are balanced in
advance, so that a concept related to many is not drawn more than one related to few.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from functools import lru_cache
from random import Random

import numpy as np
import numpy.typing as npt

from promptcot import config
from promptcot.concepts.graph import ConceptGraph
from promptcot.concepts.similarity import NameSimilarity
from promptcot.errors import ConfigError
from promptcot.records import Concept, Recipe
from promptcot.seeding import derive, rng

NEAREST = 16
"""Concepts of similar name that count as related, beside those that an edge joins."""

LEAST_COSINE = 0.25
"""Names less alike than this share no more than syllables."""

ALIKE = 0.8
"""Names more alike than this are one idea in other words: no company, unless an edge joins them."""

_SCALE = 1 << 40
_ROUNDS = 30
_LEAST = 1e-12
_TRIES = 8


class Sampler:
    """Draws recipes from a graph.

    Args:
        graph: To draw from; concepts outside ``sampling.domains`` and ``sampling.levels`` are left out.
        seed: The run's seed.

    Raises:
        ConfigError: No concept is left, or fewer than a recipe is to have.
    """

    def __init__(self, graph: ConceptGraph, sampling: config.Sampling, *, seed: int) -> None:
        self._concepts = _allowed(graph, sampling)
        self._seed = seed
        self._sizes = [size for size, weight in sorted(sampling.sizes.items()) if weight > 0]
        self._size_bounds = list(itertools.accumulate(sampling.sizes[size] for size in self._sizes))
        if max(self._sizes) > len(self._concepts):
            raise ConfigError(
                f"sampling.sizes asks for {max(self._sizes)} concepts, and {len(self._concepts)} are there",
                remedy="lower the sizes or widen domains and levels",
            )
        relations = _relations(graph, self._concepts, sampling.temperature)
        weights = _balanced(relations, len(self._concepts), strength=sampling.coverage)
        self._targets, self._bounds = _tables(relations, weights, len(self._concepts))
        self._permutation = lru_cache(maxsize=4)(self._permute)

    def __len__(self) -> int:
        """Concepts that recipes are drawn from; so many recipes make an epoch."""
        return len(self._concepts)

    def recipe(self, ordinal: int) -> Recipe:
        """The recipe at a place of the run, whether or not any other was drawn.

        Its level is that of its hardest concept, and its domain that of its first.
        """
        epoch, place = divmod(ordinal, len(self._concepts))
        draw = rng(self._seed, "recipe", ordinal)
        chosen = [self._permutation(epoch)[place]]
        size = self._sizes[bisect_right(self._size_bounds, draw.random() * self._size_bounds[-1])]
        while len(chosen) < size:
            chosen.append(self._next(chosen, draw))
        concepts = [self._concepts[position] for position in chosen]
        return Recipe(
            id=f"r{ordinal:08d}",
            ordinal=ordinal,
            concepts=tuple(concept.id for concept in concepts),
            domain=concepts[0].domain,
            level=max(concept.level for concept in concepts),
            seed=derive(self._seed, "recipe", ordinal, "seed"),
        )

    def related(self, id: str) -> list[tuple[str, float]]:
        """What may follow a concept, with its probability, the likeliest first.

        Raises:
            ConfigError: Recipes are not drawn from such a concept.
        """
        position = next((i for i, concept in enumerate(self._concepts) if concept.id == id), None)
        if position is None:
            raise ConfigError(f"no recipe is drawn from a concept {id!r}")
        bounds = self._bounds[position]
        chances = [(b - a) / bounds[-1] for a, b in itertools.pairwise([0, *bounds])]
        pairs = zip((self._concepts[t].id for t in self._targets[position]), chances, strict=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def _next(self, chosen: list[int], draw: Random) -> int:
        """A concept that is not yet chosen, related to one that is; any other where there is none."""
        anchor = chosen[int(draw.random() * len(chosen))]
        targets, bounds = self._targets[anchor], self._bounds[anchor]
        for _ in range(_TRIES if targets else 0):
            target = targets[bisect_right(bounds, int(draw.random() * bounds[-1]))]
            if target not in chosen:
                return target
        related = sorted({t for anchor in chosen for t in self._targets[anchor]}.difference(chosen))
        return related[int(draw.random() * len(related))] if related else self._any(chosen, draw)

    def _any(self, chosen: list[int], draw: Random) -> int:
        """Any concept not yet chosen, one of the first one's domain where there is one."""
        domain = self._concepts[chosen[0]].domain
        left = [i for i in range(len(self._concepts)) if i not in chosen]
        near = [i for i in left if self._concepts[i].domain == domain] or left
        return near[int(draw.random() * len(near))]

    def _permute(self, epoch: int) -> list[int]:
        order = list(range(len(self._concepts)))
        rng(self._seed, "epoch", epoch).shuffle(order)
        return order


def _allowed(graph: ConceptGraph, sampling: config.Sampling) -> list[Concept]:
    from promptcot.resources import unknown

    domains = {concept.domain for concept in graph.concepts.values()}
    for domain in sampling.domains:
        if domain not in domains:
            raise ConfigError(f"sampling.domains: {unknown('domain', domain, domains)}")
    low, high = sampling.levels
    concepts = [
        concept
        for concept in graph.concepts.values()
        if (not sampling.domains or concept.domain in sampling.domains) and low <= concept.level <= high
    ]
    if not concepts:
        raise ConfigError(
            f"sampling: the graph has no concept of levels {low} to {high}"
            + (f" in {', '.join(sampling.domains)}" if sampling.domains else ""),
            remedy="widen sampling.domains and sampling.levels",
        )
    return concepts


class _Relations:
    """Pairs of related concepts by position, both ways, as parallel arrays sorted by source."""

    def __init__(self, pairs: dict[tuple[int, int], float], size: int) -> None:
        keys = sorted(pairs)
        self.source = np.array([a for a, _ in keys], dtype=np.int64)
        self.target = np.array([b for _, b in keys], dtype=np.int64)
        self.weight = np.array([pairs[key] for key in keys], dtype=np.float64)
        self.starts = np.searchsorted(self.source, np.arange(size + 1))


def _relations(graph: ConceptGraph, concepts: list[Concept], temperature: float) -> _Relations:
    """Every related pair with the exponential of its score, largest of each source 1."""
    position = {concept.id: i for i, concept in enumerate(concepts)}
    counts: dict[tuple[int, int], float] = {}
    neighbours: dict[int, list[int]] = {}
    edges = [(edge.a, edge.b, edge.weight) for edge in graph.edges]
    edges += [(concept.id, before, 1.0) for concept in concepts for before in concept.prerequisites]
    for a, b, weight in edges:
        if a in position and b in position:
            for pair in ((position[a], position[b]), (position[b], position[a])):
                counts[pair] = counts.get(pair, 0.0) + weight
    scores = {pair: float(np.log1p(weight)) for pair, weight in counts.items()}
    similarity = NameSimilarity(concepts)
    for one, other in counts:
        neighbours.setdefault(one, []).append(other)
    for i in range(len(concepts)):
        near, cosines = similarity.nearest(i, NEAREST, least=LEAST_COSINE)
        row = {j: c for j, c in zip(near, cosines, strict=True) if c < ALIKE or (i, j) in counts}
        joined = [j for j in neighbours.get(i, ()) if j not in row]
        if joined:
            all_cosines = similarity.row(i)
            row |= {j: float(all_cosines[j]) for j in joined}
        for j, cosine in row.items():
            scores[i, j] = scores.get((i, j), 0.0) + cosine
    relations = _Relations(scores, len(concepts))
    best = np.full(len(concepts), -np.inf)
    np.maximum.at(best, relations.source, relations.weight)
    relations.weight = np.exp((relations.weight - best[relations.source]) / temperature)
    return relations


def _balanced(relations: _Relations, size: int, *, strength: float) -> npt.NDArray[np.float64]:
    """Weights under which a concept is reached as often as `strength` says.

    Without balancing, concept j is reached r[j] times as often as the average; with it, about
    r[j] ** (1 - strength) times. Iterative proportional fitting (Deming and Stephan, 1940): the
    rows are made to sum to 1 and the columns moved towards their targets, in turn.
    """
    source, target = relations.source, relations.target
    weight = relations.weight.copy()
    wanted = np.ones(size)
    for turn in range(_ROUNDS if strength else 0):
        weight /= np.maximum(np.bincount(source, weight, size), _LEAST)[source]
        reached = np.maximum(np.bincount(target, weight, size), _LEAST)
        if turn == 0:
            wanted = reached ** (1 - strength)
            wanted *= reached.sum() / wanted.sum()
        # Half a step a turn, and within bounds, so that the turns settle and no pair is cut off.
        weight *= np.clip(np.sqrt(wanted / reached), 0.1, 10.0)[target]
    return np.maximum(weight, _LEAST)


def _tables(
    relations: _Relations, weight: npt.NDArray[np.float64], size: int
) -> tuple[list[list[int]], list[list[int]]]:
    """For each concept its targets and their running sums, in whole numbers, as plain lists.

    Whole numbers make a draw the same on machines whose exponential differs in the last bit.
    """
    targets: list[list[int]] = []
    bounds: list[list[int]] = []
    for i in range(size):
        part = slice(relations.starts[i], relations.starts[i + 1])
        shares = weight[part] / weight[part].sum() if part.start < part.stop else weight[part]
        whole = np.maximum(np.rint(shares * _SCALE), 1).astype(np.int64)
        targets.append(relations.target[part].tolist())
        bounds.append(np.cumsum(whole).tolist())
    return targets, bounds
