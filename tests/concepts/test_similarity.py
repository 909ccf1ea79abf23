from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.concepts.similarity import NameSimilarity, trigrams
from promptcot.records import Concept

NAMES = [
    "greatest common divisor",
    "common divisors of two numbers",
    "area of a triangle",
    "triangles and their areas",
    "quadratic equations",
    "roots of quadratic equations",
    "Bayes' rule",
]


def concepts(names: list[str]) -> list[Concept]:
    return [Concept(id=f"c{i}", name=name) for i, name in enumerate(names)]


def brute(names: list[str]) -> np.ndarray:
    """All cosines by the definition, with a dense matrix."""
    counted = [trigrams(name) for name in names]
    grams = sorted({gram for counts in counted for gram in counts})
    held = {gram: sum(gram in counts for counts in counted) for gram in grams}
    dense = np.array([[c[g] * math.log(1 + len(names) / held[g]) for g in grams] for c in counted])
    dense = dense.reshape(len(names), len(grams))
    norms = np.linalg.norm(dense, axis=1, keepdims=True)
    dense = dense / np.where(norms == 0, 1, norms)
    cosines = dense @ dense.T
    np.fill_diagonal(cosines, 0)
    return cosines


@given(
    st.lists(
        st.lists(st.sampled_from(["sum", "of", "two", "root", "area", "mean"]), max_size=4).map(" ".join),
        max_size=9,
    )
)
def test_each_cosine_stands_at_its_own_concept(names: list[str]) -> None:
    similarity = NameSimilarity(concepts(names))
    expected = brute(names) if names else np.zeros((0, 0))
    for i in range(len(names)):
        np.testing.assert_allclose(similarity.row(i), expected[i], atol=1e-12)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (2, 3), (4, 5)])
def test_the_nearest_name_is_the_one_that_a_person_would_pick(one: int, other: int) -> None:
    similarity = NameSimilarity(concepts(NAMES))
    assert similarity.nearest(one, 1)[0] == [other]
    assert similarity.nearest(other, 1)[0] == [one]
    assert similarity.nearest(6, 3, least=0.3) == ([], [])


def test_aliases_count_and_equally_near_names_come_in_order() -> None:
    named = concepts(["gcd", "x y z", "factor", "factor", "factor"])
    named[1] = Concept(id="c1", name="x y z", aliases=("gcd",))
    similarity = NameSimilarity(named)
    assert similarity.nearest(0, 2)[0] == [1]
    near, cosines = similarity.nearest(3, 5)
    assert near == [2, 4]
    assert cosines == pytest.approx([1.0, 1.0], abs=1e-9)
