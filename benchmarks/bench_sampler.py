"""Concept lists per second on one core: ours beside the algorithm that PromptCoT published.

    python benchmarks/bench_sampler.py [--lists 20000] [--concepts 20000] [--data FOLDER]

Without the real annotated lists (``concepts/annotated_math.jsonl`` in the folder of test data), a
graph of the same size and make is drawn. PromptCoT's sampler is written here from its description:
the first concept by frequency, then, until there are five, one of all concepts by the softmax of
(co-occurrences with those chosen + cosine) at temperature 0.2, with the cosines sorted by rank,
as its search returns them. Its faults are kept, as they are part of its speed; what it does in
Python loops is done here in numpy, which flatters it.
"""

from __future__ import annotations

import argparse
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from promptcot.concepts.graph import ConceptGraph
from promptcot.concepts.importers import import_lists, read_lists
from promptcot.concepts.sampler import Sampler
from promptcot.concepts.similarity import trigrams
from promptcot.config import Sampling
from promptcot.seeding import derive, rng

SIZE = 5
DIMENSIONS = 384


class Published:
    """PromptCoT's fast sampler, from its description."""

    def __init__(self, graph: ConceptGraph) -> None:
        concepts = list(graph.concepts.values())
        position = {concept.id: i for i, concept in enumerate(concepts)}
        self.joined: list[dict[int, float]] = [{} for _ in concepts]
        for edge in graph.edges:
            a, b = position[edge.a], position[edge.b]
            self.joined[a][b] = self.joined[b][a] = edge.weight
        frequency = np.array([1 + sum(row.values()) for row in self.joined])
        self.frequency = frequency / frequency.sum()
        self.vectors = np.zeros((len(concepts), DIMENSIONS), dtype=np.float32)
        for i, concept in enumerate(concepts):
            for gram, count in trigrams(concept.name).items():
                self.vectors[i, derive(0, gram) % DIMENSIONS] += count
        self.vectors /= np.maximum(np.linalg.norm(self.vectors, axis=1, keepdims=True), 1e-9)
        self.draw = np.random.default_rng(0)

    def sample(self) -> list[int]:
        everything = len(self.vectors)
        chosen = [int(self.draw.choice(everything, p=self.frequency))]
        while len(chosen) < SIZE:
            score = np.zeros(everything)
            for concept in chosen:
                for other, count in self.joined[concept].items():
                    score[other] += count
            mean = self.vectors[chosen].mean(axis=0)
            score += np.sort(self.vectors @ mean)[::-1]  # by rank, and not by concept
            weight = np.exp(score / 0.2)
            weight[chosen] = 0.0
            chosen.append(int(self.draw.choice(everything, p=weight / weight.sum())))
        return chosen


def real_graph(data: Path) -> ConceptGraph | None:
    path = data / "concepts" / "annotated_math.jsonl"
    return import_lists(read_lists(path), prefix="math", domain="d").graph if path.is_file() else None


def made_graph(concepts: int) -> ConceptGraph:
    """Lists of five made-up names, so many that there are `concepts` names."""
    draw = rng(0, "names", concepts)
    stems = [
        "".join(draw.choice("bcdfglmnprstv") + draw.choice("aeiou") for _ in range(3)) for _ in range(2000)
    ]
    names = list(dict.fromkeys(" ".join(draw.choices(stems, k=4)) for _ in range(concepts)))
    lists = [names[i : i + SIZE] for i in range(0, len(names), SIZE)]
    lists += [draw.sample(names, SIZE) for _ in range(concepts // 100)]
    return import_lists(lists, prefix="made", domain="d").graph


def rate(work: Callable[[], object], *, at_least: int, limit_s: float) -> float:
    """Calls a second: at least so many calls or seconds, whichever ends first."""
    done, start = 0, time.perf_counter()
    while done < at_least and time.perf_counter() - start < limit_s:
        work()
        done += 1
    return done / (time.perf_counter() - start)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("--lists", type=int, default=20_000)
    arguments.add_argument("--concepts", type=int, default=20_000, help="concepts of the made graph")
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    arguments.add_argument("--data", type=Path, default=Path(os.environ.get("PROMPTCOT_DATA", beside)))
    given = arguments.parse_args()
    small = real_graph(given.data)
    graphs = [("real" if small else "made", small or made_graph(1251)), ("made", made_graph(given.concepts))]
    print("| graph | concepts | edges | built in s | lists/s | PromptCoT's lists/s | ratio | usage Gini |")
    print("|-|-:|-:|-:|-:|-:|-:|-:|")
    for kind, graph in graphs:
        start = time.perf_counter()
        sampler = Sampler(graph, Sampling(sizes={SIZE: 1.0}), seed=1)
        built = time.perf_counter() - start
        recipes = map(sampler.recipe, itertools.count())
        ours = rate(recipes.__next__, at_least=given.lists, limit_s=60)
        theirs = rate(Published(graph).sample, at_least=2_000, limit_s=10)
        drawn = range(4 * len(graph))
        used = Counter(id for i in drawn for id in sampler.recipe(i).concepts)
        counts = sorted(used[id] for id in graph.concepts)
        size = len(counts)
        gini = sum((2 * (i + 1) - size - 1) * n for i, n in enumerate(counts)) / (size * sum(counts))
        print(
            f"| {kind} | {size:,} | {len(graph.edges):,} | {built:.1f} | {ours:,.0f} | {theirs:,.1f} "
            f"| {ours / theirs:,.0f} | {gini:.3f} |"
        )


if __name__ == "__main__":
    main()
