"""Counting."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations, permutations
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Positive

Group = Annotated[int, Int(3, 12)]
Chosen = Annotated[int, Int(2, 4)]


def _selections(n: int, k: int) -> Iterator[str]:
    """The steps of counting selections of `k` out of `n`: orders of the chosen divided out."""
    if k == 1:
        return
    above, below = math.perm(n, k), math.factorial(k)
    yield f"{_falling(n, k)} = {above}"
    yield f"{_falling(k, k)} = {below}"
    yield f"{above} / {below} = {above // below}"


def _falling(n: int, k: int) -> str:
    return " * ".join(str(n - i) for i in range(k))


@concept(
    "combinatorics.factorial", "factorial",
    ["the factorial of {n}", "the number of ways to line up {n} different books",
     "the product of all integers from 1 to {n}", "the number of orders in which {n} people can queue"],
    symbol="fact", level=5, weight=1.7, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def factorial(n: Annotated[int, Int(3, 8)]) -> Worked[Positive]:
    """How many orders a number of different things can be put in."""
    value = 1
    for k in range(2, n + 1):
        yield f"{value} * {k} = {value * k}"
        value *= k
    return value


@factorial.check
def _(n: int, value: int) -> bool:
    return value == math.factorial(n)


@concept(
    "combinatorics.choose", "choosing a committee",
    ["the number of ways to choose {k} of {n} people",
     "the number of subsets with size {k} of a set with size {n}",
     "how many committees of size {k} can be formed out of {n} people",
     "the number of selections of {k} items out of {n}",
     "the number of unordered selections when the number of different items is {n} and the number to "
     "select is {k}"],
    symbol="choose", level=6, weight=2.1, prerequisites=("combinatorics.factorial",),
    aliases=("binomial coefficient", "combinations"),
)  # fmt: skip
def choose(k: Chosen, n: Group) -> Worked[Positive]:
    """How many selections there are when the order does not matter."""
    if k >= n:
        return None
    yield from _selections(n, k)
    return math.comb(n, k)


@choose.check
def _(k: int, n: int, value: int) -> bool:
    return value == sum(1 for _ in combinations(range(n), k))


@concept(
    "combinatorics.arrange", "ordered selections",
    ["the number of ways to award {k} different prizes among {n} people, one each at most",
     "how many ordered selections of {k} items can be made out of {n}",
     "the number of arrangements of {k} out of {n} different items",
     "the number of ordered lists of length {k} without repetition over an alphabet of size {n}",
     "the number of ordered selections when the number of different items is {n} and the number to "
     "select is {k}"],
    symbol="arrange", level=6, weight=2.0, prerequisites=("combinatorics.factorial",),
    aliases=("permutations",),
)  # fmt: skip
def arrange(k: Chosen, n: Annotated[int, Int(3, 9)]) -> Worked[Positive]:
    """How many selections there are when the order matters."""
    if k >= n:
        return None
    value = math.perm(n, k)
    yield f"{_falling(n, k)} = {value}"
    return value


@arrange.check
def _(k: int, n: int, value: int) -> bool:
    return value == sum(1 for _ in permutations(range(n), k))


@concept(
    "combinatorics.subsets", "number of subsets",
    ["the number of subsets of a set with size {n}", "how many subsets a set has whose size is {n}",
     "the number of ways to switch lamps on or off when the count of lamps is {n}",
     "the number of different subsets that {n} elements have, the empty one included"],
    symbol="subsets", level=5, weight=1.6, prerequisites=("arithmetic.power",),
)  # fmt: skip
def subsets(n: Annotated[int, Int(3, 12)]) -> Positive:
    """How many subsets a set has: each element is in or out."""
    return 1 << n


@subsets.check
def _(n: int, value: int) -> bool:
    return value == sum(math.comb(n, k) for k in range(n + 1))


@concept(
    "combinatorics.handshakes", "handshakes",
    ["the number of handshakes when each of {n} people shakes hands once with every other",
     "how many pairs can be formed out of {n} people",
     "the number of games in a league of size {n} in which every team meets every other once",
     "the number of segments that join {n} points in pairs",
     "the number of pairs in a group whose size is {n}"],
    symbol="pairs", level=4, weight=1.6, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def handshakes(n: Annotated[int, Int(3, 200)]) -> Worked[Positive]:
    """How many pairs a number of people form."""
    yield f"{n} * {n - 1} = {n * (n - 1)}"
    yield f"{n * (n - 1)} / 2 = {n * (n - 1) // 2}"
    return n * (n - 1) // 2


@handshakes.check
def _(n: int, value: int) -> bool:
    return value == sum(range(n))


@concept(
    "combinatorics.lattice-paths", "lattice paths",
    ["the number of shortest grid paths that go {a} steps right and {b} steps up",
     "how many ways there are to order {a} steps to the right and {b} steps up",
     "the number of routes on a grid with {a} steps east and {b} steps north, in any order",
     "the number of shortest routes between opposite corners of a grid with width {a} and height {b}",
     "the number of shortest grid paths when the steps to the right are {a} and the steps up are {b}"],
    symbol="paths", level=7, weight=2.3, symmetric=True, prerequisites=("combinatorics.choose",),
)  # fmt: skip
def lattice_paths(a: Annotated[int, Int(2, 7)], b: Annotated[int, Int(2, 7)]) -> Worked[Positive]:
    """How many shortest ways lead across a grid."""
    yield from _selections(a + b, min(a, b))
    return math.comb(a + b, a)


@lattice_paths.check
def _(a: int, b: int, value: int) -> bool:
    row = [1] * (b + 1)
    for _ in range(a):
        for place in range(1, b + 1):
            row[place] += row[place - 1]
    return row[b] == value


@concept(
    "combinatorics.stars-and-bars", "sharing identical things",
    ["the number of ways to share {n} identical coins among {k} people, some of whom may get none",
     "how many ways there are to put {n} identical balls into {k} different boxes that may stay empty",
     "the number of solutions in whole numbers, zero allowed, when the count of unknowns is {k} and "
     "their sum is {n}",
     "the number of ways to split {n} identical sweets between {k} children, where a child may get none"],
    symbol="share", level=7, weight=2.4, prerequisites=("combinatorics.choose",),
)  # fmt: skip
def stars_and_bars(n: Annotated[int, Int(3, 20)], k: Annotated[int, Int(2, 4)]) -> Worked[Positive]:
    """How many ways there are to share identical things."""
    yield from _selections(n + k - 1, k - 1)
    return math.comb(n + k - 1, k - 1)


@stars_and_bars.check
def _(n: int, k: int, value: int) -> bool:
    ways = [1] * (n + 1)
    for _ in range(k - 1):
        for total in range(1, n + 1):
            ways[total] += ways[total - 1]
    return ways[n] == value


@concept(
    "combinatorics.pigeonhole", "pigeonhole principle",
    ["the least number of items that forces {k} items of one kind when there are {n} kinds",
     "how many items must be drawn to be sure of {k} items of one kind out of {n} kinds",
     "the smallest number of socks that guarantees {k} socks of one colour if there are {n} colours",
     "the least number of draws that makes one kind appear as often as {k} says, where the number of "
     "kinds is {n}"],
    symbol="pigeon", level=6, weight=1.9, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def pigeonhole(k: Chosen, n: Annotated[int, Int(2, 999)]) -> Worked[Positive]:
    """How many things must be drawn until so many of one kind are certain."""
    yield f"{k - 1} * {n} = {(k - 1) * n}"
    yield f"{(k - 1) * n} + 1 = {(k - 1) * n + 1}"
    return (k - 1) * n + 1


@pigeonhole.check
def _(k: int, n: int, value: int) -> bool:
    return -(-value // n) == k and -(-(value - 1) // n) == k - 1


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(factorial, choose, arrange, subsets, handshakes, lattice_paths, stars_and_bars, pigeonhole),
    ]
