"""Lists of integers."""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Integer, Ints, Numbers, Positive, Whole

Place = Annotated[int, Int(1, 9, least=1)]
Factor = Annotated[int, Int(2, 9)]


def _sum(xs: tuple[int, ...]) -> str:
    return f"{' + '.join(map(str, xs))} = {sum(xs)}"


@concept(
    "lists.total", "sum of a list",
    ["the sum of all the numbers in {xs}", "what the numbers in {xs} add up to", "the total over {xs}",
     "the sum of the entries of {xs}"],
    symbol="total", level=2, weight=1.2, joins=True, prerequisites=("arithmetic.add",),
)  # fmt: skip
def total(xs: Numbers) -> Worked[Integer]:
    """Adds up all the numbers of a list."""
    yield _sum(xs)
    return sum(xs)


@total.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return reduce(lambda left, x: left - x, xs, value) == 0


@concept(
    "lists.sort", "sorting",
    ["the list obtained by sorting {xs} from smallest to largest", "{xs} in increasing order",
     "the list that {xs} becomes when it is sorted from smallest to largest", "the sorted form of {xs}"],
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
    return not rest and all(a <= b for a, b in pairwise(value))


@concept(
    "lists.maximum", "largest number of a list",
    ["the largest number in {xs}", "the maximum over {xs}", "the greatest entry of {xs}",
     "the biggest number in {xs}"],
    symbol="maxof", level=1, joins=True,
)  # fmt: skip
def maximum(xs: Numbers) -> Integer:
    """The largest number of a list."""
    return max(xs)


@maximum.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value in xs and all(x <= value for x in xs)


@concept(
    "lists.minimum", "smallest number of a list",
    ["the smallest number in {xs}", "the minimum over {xs}", "the least entry of {xs}",
     "the lowest number in {xs}"],
    symbol="minof", level=1,
)  # fmt: skip
def minimum(xs: Numbers) -> Integer:
    """The smallest number of a list."""
    return min(xs)


@minimum.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value in xs and all(x >= value for x in xs)


@concept(
    "lists.spread", "range of a list",
    ["the difference between the largest and the smallest number in {xs}", "the range of the numbers in {xs}",
     "how far apart the extremes of {xs} are",
     "the spread between the smallest and the largest entry of {xs}"],
    symbol="spread", level=2, weight=1.3, joins=True, prerequisites=("lists.maximum", "lists.minimum"),
)  # fmt: skip
def spread(xs: Numbers) -> Worked[Whole]:
    """How far apart the largest and the smallest number of a list are."""
    yield f"{max(xs)} - {min(xs)} = {max(xs) - min(xs)}"
    return max(xs) - min(xs)


@spread.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value == max(abs(x - y) for x in xs for y in xs)


@concept(
    "lists.reverse", "reversing a list",
    ["the reversed list of the numbers in {xs}", "{xs} read from back to front",
     "the reversal of {xs}", "the list obtained by turning {xs} around"],
    symbol="reverse", level=1, weight=1.1,
)  # fmt: skip
def reverse(xs: Numbers) -> Numbers:
    """The same numbers from the last to the first."""
    return xs[::-1]


@reverse.check
def _(xs: tuple[int, ...], value: tuple[int, ...]) -> bool:
    return len(xs) == len(value) and all(value[-1 - i] == x for i, x in enumerate(xs))


@concept(
    "lists.entry", "entry of a list by its place",
    ["the number in place {k} of {xs}", "the entry of {xs} in place {k}",
     "the number at position {k} of {xs}, counting from 1",
     "the entry at position {k} in {xs}, counting from 1",
     "the number in {xs} whose place from the front is {k}"],
    symbol="entry", level=2, weight=1.1, joins=True,
)  # fmt: skip
def entry(k: Place, xs: Numbers) -> Integer | None:
    """The number in a given place of a list, counted from 1."""
    return xs[k - 1] if k <= len(xs) else None


@entry.check
def _(k: int, xs: tuple[int, ...], value: int) -> bool:
    return dict(enumerate(xs, start=1))[k] == value


@concept(
    "lists.second-largest", "second largest number",
    ["the second largest number in {xs}", "the runner-up among the numbers in {xs}",
     "the largest number in {xs} once its maximum is removed",
     "the number in {xs} that only the maximum exceeds"],
    symbol="second", level=3, weight=1.4, prerequisites=("lists.maximum",),
)  # fmt: skip
def second_largest(xs: Numbers) -> Integer | None:
    """The largest number after the maximum, where no number occurs twice."""
    return sorted(xs)[-2] if len(set(xs)) == len(xs) else None


@second_largest.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value in xs and sum(x > value for x in xs) == 1


@concept(
    "lists.median", "median",
    ["the median of {xs}", "the middle number of {xs} after sorting",
     "the number in the middle of {xs} once it is sorted", "the median entry of {xs}"],
    symbol="median", level=4, weight=1.6, prerequisites=("lists.sort",),
)  # fmt: skip
def median(xs: Numbers) -> Worked[Integer]:
    """The middle number of a sorted list of odd length."""
    if len(xs) % 2 == 0:
        return None
    ordered = sorted(xs)
    yield " ".join(map(str, ordered))
    return ordered[len(xs) // 2]


@median.check
def _(xs: tuple[int, ...], value: int) -> bool:
    below, above = sum(x < value for x in xs), sum(x > value for x in xs)
    return value in xs and max(below, above) <= len(xs) // 2


@concept(
    "lists.count-above", "counting above a bound",
    ["the number of entries of {xs} that are greater than {k}", "how many numbers in {xs} are above {k}",
     "the count of numbers in {xs} that exceed {k}", "how many entries of {xs} are larger than {k}"],
    symbol="countabove", level=2, weight=1.3, compares=True,
)  # fmt: skip
def count_above(xs: Numbers, k: Integer) -> Whole:
    """How many numbers of a list are larger than a bound."""
    return sum(x > k for x in xs)


@count_above.check
def _(xs: tuple[int, ...], k: int, value: int) -> bool:
    return value == len(xs) - len([x for x in xs if x <= k])


@concept(
    "lists.keep-above", "keeping what is above a bound",
    ["the list of those numbers in {xs} that are greater than {k}",
     "the list that is left of {xs} when only entries above {k} stay",
     "{xs} without the numbers that are at most {k}", "the list of those entries of {xs} that exceed {k}"],
    symbol="keepabove", level=3, weight=1.4, compares=True, prerequisites=("lists.count-above",),
)  # fmt: skip
def keep_above(xs: Numbers, k: Integer) -> Numbers | None:
    """The numbers of a list that are larger than a bound, in their order; two of them or more."""
    kept = tuple(x for x in xs if x > k)
    return kept if len(kept) > 1 else None


@keep_above.check
def _(xs: tuple[int, ...], k: int, value: tuple[int, ...]) -> bool:
    rest = list(value)
    for x in xs:
        if x > k and (not rest or rest.pop(0) != x):
            return False
    return not rest


@concept(
    "lists.shift", "adding to every number",
    ["the list obtained by adding {k} to every number in {xs}", "{xs} with every entry increased by {k}",
     "the list that {xs} becomes when every entry is increased by {k}",
     "the list that {xs} becomes when {k} is added to each number"],
    symbol="addeach", level=2, weight=1.3, prerequisites=("arithmetic.add",),
)  # fmt: skip
def shift(k: Annotated[int, Int(2, 9999)], xs: Numbers) -> Numbers:
    """Adds the same number to every number of a list."""
    return tuple(x + k for x in xs)


@shift.check
def _(k: int, xs: tuple[int, ...], value: tuple[int, ...]) -> bool:
    return {b - a for a, b in zip(xs, value, strict=True)} == {k}


@concept(
    "lists.scale", "multiplying every number",
    ["the list obtained by multiplying every number in {xs} by {k}",
     "{xs} with every entry multiplied by {k}",
     "the list that {xs} becomes when every entry is multiplied by {k}",
     "the list that holds {k} times every number in {xs}"],
    symbol="muleach", level=3, weight=1.4, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def scale(xs: Numbers, k: Factor) -> Numbers:
    """Multiplies every number of a list by the same number."""
    return tuple(x * k for x in xs)


@scale.check
def _(xs: tuple[int, ...], k: int, value: tuple[int, ...]) -> bool:
    return len(xs) == len(value) and all(sum([x] * k) == y for x, y in zip(xs, value, strict=True))


@concept(
    "lists.append", "appending to a list",
    ["the list that {xs} becomes when {k} is put at its end",
     "the list obtained by putting {k} after the numbers of {xs}", "{xs} with {k} appended",
     "the list made of the numbers of {xs} and then {k}"],
    symbol="append", level=1, weight=1.1,
)  # fmt: skip
def append(xs: Annotated[tuple[int, ...], Ints(longest=12)], k: Integer) -> Numbers:
    """Puts one more number at the end of a list."""
    return (*xs, k)


@append.check
def _(xs: tuple[int, ...], k: int, value: tuple[int, ...]) -> bool:
    return value[-1] == k and value[:-1] == xs


@concept(
    "lists.even-total", "sum of the even numbers",
    ["the sum of the even numbers in {xs}", "what the even entries of {xs} add up to",
     "the total of those numbers in {xs} that are even", "the sum of all entries of {xs} divisible by two"],
    symbol="eventotal", level=3, weight=1.4, prerequisites=("lists.total",),
)  # fmt: skip
def even_total(xs: Numbers) -> Worked[Integer]:
    """Adds up the even numbers of a list, of which there must be two or more."""
    even = tuple(x for x in xs if x % 2 == 0)
    if len(even) < 2:
        return None
    yield _sum(even)
    return sum(even)


@even_total.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value == sum(xs) - sum(x for x in xs if x & 1)


@concept(
    "lists.dot-multiples", "weighted sum by place",
    ["the sum of the products of each number in {xs} and its place",
     "the total over {xs} in which each number counts as often as its place says",
     "the place-weighted sum of {xs}", "the sum of place times number over {xs}"],
    symbol="placesum", level=4, weight=1.8, prerequisites=("lists.total", "arithmetic.multiply"),
)  # fmt: skip
def dot_multiples(xs: Annotated[tuple[int, ...], Ints(longest=8)]) -> Worked[Integer]:
    """Sum of the numbers of a list, each multiplied by its place."""
    terms = tuple(place * x for place, x in enumerate(xs, start=1))
    yield _sum(terms)
    return sum(terms)


@dot_multiples.check
def _(xs: tuple[int, ...], value: int) -> bool:
    return value == sum(sum(xs[start:]) for start in range(len(xs)))


@concept(
    "lists.multiples", "first multiples of a number",
    ["the list of the first {k} positive multiples of {a}",
     "the list that holds the first {k} positive multiples of {a}",
     "the list that starts with {a} and holds its first {k} multiples",
     "the list of the products of {a} and each whole number from 1 to {k}"],
    symbol="multiples", level=2, weight=1.2, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def multiples(k: Annotated[int, Int(3, 7, fixed=True)], a: Annotated[int, Int(2, 999)]) -> Numbers:
    """The first multiples of a number as a list."""
    return tuple(a * step for step in range(1, k + 1))


@multiples.check
def _(k: int, a: int, value: tuple[int, ...]) -> bool:
    return len(value) == k and value[0] == a and all(y - x == a for x, y in pairwise(value))


@concept(
    "lists.split-size", "numbers that reach a total",
    ["the number of entries of {xs}, from the first on, needed to reach a total of {k}",
     "how many leading numbers of {xs} it takes to reach a total of {k}",
     "the least number of leading entries of {xs} whose sum is at least {k}",
     "how many numbers must be added from the front of {xs} before the sum is at least {k}"],
    symbol="reach", level=5, weight=1.9, prerequisites=("lists.total",),
)  # fmt: skip
def split_size(xs: Annotated[tuple[int, ...], Ints(low=1)], k: Positive) -> Worked[Positive]:
    """How many numbers from the front of a list it takes for their sum to reach a bound."""
    running = 0
    for count, x in enumerate(xs, start=1):
        yield f"{running} + {x} = {running + x}"
        running += x
        if running >= k:
            return count if count > 1 else None
    return None


@split_size.check
def _(xs: tuple[int, ...], k: int, value: int) -> bool:
    return sum(xs[:value]) >= k > sum(xs[: value - 1])


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(
            total,
            sort,
            maximum,
            minimum,
            spread,
            reverse,
            entry,
            second_largest,
            median,
            count_above,
            keep_above,
        ),
        *(shift, scale, append, even_total, dot_multiples, multiples, split_size),
    ]
