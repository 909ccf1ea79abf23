"""How much the names of concepts have in common: cosine of their weighted letter trigrams.

No model, no download and no dense matrix: each trigram has the list of concepts whose names hold
it, and a concept meets only those that it shares a trigram with. Trigrams that hold in very many
names say nothing and are left out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from promptcot.concepts.check import normal_name
from promptcot.records import Concept

MAX_HOLDERS = 400
"""A trigram in more names than this is left out, unless the graph is small."""


def trigrams(text: str) -> Counter[str]:
    """The letter trigrams of each word of a normalised name, its ends marked, with their counts."""
    words = (f" {word} " for word in normal_name(text).split())
    return Counter(word[i : i + 3] for word in words for i in range(len(word) - 2))


class NameSimilarity:
    """Cosine similarity of the names of `concepts`, by position.

    Trigrams are weighted by their inverse document frequency, as rare ones say more. A
    concept's aliases count as further words of its name.
    """

    def __init__(self, concepts: Sequence[Concept]) -> None:
        self._size = len(concepts)
        counted = [trigrams(" ".join((c.name, *c.aliases))) for c in concepts]
        holders: dict[str, list[int]] = {}
        for position, grams in enumerate(counted):
            for gram in grams:
                holders.setdefault(gram, []).append(position)
        idf = {
            gram: math.log(1 + self._size / len(held))
            for gram, held in holders.items()
            if len(held) <= max(MAX_HOLDERS, self._size // 100)
        }
        self._rows: list[list[tuple[str, float]]] = []
        weights: dict[str, list[float]] = {gram: [] for gram in idf}
        for grams in counted:
            raw = {gram: count * idf[gram] for gram, count in grams.items() if gram in idf}
            norm = math.sqrt(math.fsum(value * value for value in raw.values())) or 1.0
            row = [(gram, value / norm) for gram, value in raw.items()]
            for gram, value in row:
                weights[gram].append(value)
            self._rows.append(row)
        self._postings = {
            gram: (np.array(holders[gram], dtype=np.int64), np.array(weights[gram])) for gram in idf
        }

    def row(self, position: int) -> npt.NDArray[np.float64]:
        """Cosine of one concept with every concept, shape (concepts,); with itself it is 0."""
        total = np.zeros(self._size)
        for gram, value in self._rows[position]:
            held, weights = self._postings[gram]
            total[held] += value * weights  # each concept at most once in `held`
        total[position] = 0.0
        return np.minimum(total, 1.0)

    def nearest(self, position: int, k: int, *, least: float = 0.1) -> tuple[list[int], list[float]]:
        """Positions and cosines of the `k` nearest other concepts that reach `least`, nearest first.

        Of equally near ones the first in the order of the concepts comes first.
        """
        row = np.round(self.row(position), 12)  # so that equal names are equally near on any machine
        candidates = np.flatnonzero(row >= least)
        order = np.lexsort((candidates, -row[candidates]))[:k]
        chosen = candidates[order]
        return chosen.tolist(), row[chosen].tolist()
