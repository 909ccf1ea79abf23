"""Lists of integers."""

from __future__ import annotations

from functools import reduce

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Integer, Numbers


@concept(
    "lists.total", "sum of a list",
    ["the sum of all the numbers in {xs}", "what the numbers in {xs} add up to", "the total of the list {xs}",
     "the sum over {xs}"],
    symbol="total", level=2, weight=1.2, joins=True, prerequisites=("arithmetic.add",),
)  # fmt: skip
def total(xs: Numbers) -> Worked[Integer]:
    """Adds up all the numbers of a list."""
    yield f"{' + '.join(map(str, xs))} = {sum(xs)}"
    return sum(xs)


@total.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return reduce(lambda left, x: left - x, xs, value) == 0


@concept(
    "lists.sort", "sorting",
    ["the list {xs} sorted from smallest to largest", "{xs} in increasing order",
     "the numbers of {xs} arranged from smallest to largest", "the sorted form of {xs}"],
    symbol="sort", level=2, weight=1.3,
)  # fmt: skip
def sort(xs: Numbers) -> Numbers:
    """Arranges a list from smallest to largest."""
    return tuple(sorted(xs))


@sort.check
def _(xs: tuple[int, ...], value: tuple[int, ...]) -> bool:
    rest = list(xs)
    for item in value:
        rest.remove(item)
    return not rest and all(a <= b for a, b in zip(value, value[1:], strict=False))


@concept(
    "lists.maximum", "largest number of a list",
    ["the largest number in {xs}", "the maximum over {xs}", "the greatest entry of {xs}", "the biggest number in {xs}"],
    symbol="maxof", level=1, joins=True,
)  # fmt: skip
def maximum(xs: Numbers) -> Integer:
    """The largest number of a list."""
    return max(xs)


@maximum.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value in xs and all(x <= value for x in xs)


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [total, sort, maximum]
