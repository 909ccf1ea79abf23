"""Sequences: progressions, recurrences, differences."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Integer, Ints, Numbers, Positive, Small, Whole

Index = Annotated[int, Int(3, 20)]
Start = Annotated[int, Int(-999, 9999)]


@concept(
    "sequences.arithmetic-term", "term of an arithmetic progression",
    ["term number {n} of the arithmetic progression that starts at {a} and has common difference {d}",
     "the term with index {n} in the arithmetic sequence with first term {a} and common difference {d}",
     "the entry in place {n} of the sequence that begins with {a} and grows by a constant step of {d}",
     "the number in place {n} when counting from {a} in steps of {d}",
     "the last term of an arithmetic progression whose first term is {a}, whose common difference is "
     "{d} and whose number of terms is {n}"],
    symbol="aterm", level=4, weight=1.7, prerequisites=("arithmetic.multiply", "arithmetic.add"),
)  # fmt: skip
def arithmetic_term(n: Index, a: Start, d: Small) -> Worked[Integer]:
    """A term of a sequence that grows by a constant step, the first one having index 1."""
    yield f"{n - 1} * {d} = {(n - 1) * d}"
    yield f"{a} + {(n - 1) * d} = {a + (n - 1) * d}"
    return a + (n - 1) * d


@arithmetic_term.check
def _(n: int, a: int, d: int, value: int) -> bool:
    return value == range(a, a + n * d, d)[-1]


@concept(
    "sequences.arithmetic-sum", "sum of an arithmetic progression",
    ["the sum of the first {n} terms of the arithmetic progression that starts at {a} with common "
     "difference {d}",
     "what the first {n} terms add up to when the first is {a} and each next one is larger by {d}",
     "the total of {n} consecutive terms of an arithmetic sequence with first term {a} and common "
     "difference {d}",
     "the sum over {n} terms of the sequence that begins with {a} and grows in steps of {d}",
     "the sum of an arithmetic progression whose first term is {a}, whose common difference is {d} and "
     "whose number of terms is {n}"],
    symbol="asum", level=5, weight=2.0, prerequisites=("sequences.arithmetic-term",),
)  # fmt: skip
def arithmetic_sum(n: Index, a: Annotated[int, Int(1, 999)], d: Small) -> Worked[Positive]:
    """Sum of the first terms of a sequence that grows by a constant step."""
    last = a + (n - 1) * d
    yield f"{a} + {n - 1} * {d} = {last}"
    yield f"{a} + {last} = {a + last}"
    yield f"{n} * {a + last} / 2 = {n * (a + last) // 2}"
    return n * (a + last) // 2


@arithmetic_sum.check
def _(n: int, a: int, d: int, value: int) -> bool:
    return value == sum(a + k * d for k in range(n))


@concept(
    "sequences.geometric-term", "term of a geometric progression",
    ["term number {n} of the geometric progression that starts at {a} and has ratio {q}",
     "the term with index {n} in the geometric sequence with first term {a} and ratio {q}",
     "the entry in place {n} of the sequence that begins with {a} and is multiplied by {q} at each step",
     "the number in place {n} when starting from {a} and multiplying by {q} each time"],
    symbol="gterm", level=5, weight=1.9, prerequisites=("arithmetic.power",),
)  # fmt: skip
def geometric_term(
    n: Annotated[int, Int(2, 6, fixed=True)], a: Annotated[int, Int(1, 999)], q: Annotated[int, Int(2, 5)]
) -> Worked[Positive]:
    """A term of a sequence that grows by a constant factor, the first one having index 1."""
    value = a
    for _ in range(n - 1):
        yield f"{value} * {q} = {value * q}"
        value *= q
    return value


@geometric_term.check
def _(n: int, a: int, q: int, value: int) -> bool:
    return value == a * math.prod([q] * (n - 1))


@concept(
    "sequences.triangular", "triangular number",
    ["the sum of all integers from 1 to {n}", "triangular number {n}",
     "what the integers from 1 up to {n} add up to", "the triangular number with index {n}"],
    symbol="tri", level=3, weight=1.6, prerequisites=("arithmetic.add",),
)  # fmt: skip
def triangular(n: Annotated[int, Int(3, 400)]) -> Worked[Positive]:
    """Sum of the integers from 1 to a number."""
    yield f"{n} * {n + 1} = {n * (n + 1)}"
    yield f"{n * (n + 1)} / 2 = {n * (n + 1) // 2}"
    return n * (n + 1) // 2


@triangular.check
def _(n: int, value: int) -> bool:
    return value == sum(range(n + 1))


@concept(
    "sequences.fibonacci-like", "two-term recurrence",
    ["term number {n} of the sequence that starts with {a} and {b} and in which each later term is the "
     "sum of the two before",
     "the entry in place {n} when {a} and {b} come first and every later number is the sum of its two "
     "predecessors", "the term with index {n} of the Fibonacci-like sequence with first terms {a} and {b}",
     "the number in place {n} of the sequence with first terms {a} and {b} built like the Fibonacci "
     "numbers"],
    symbol="fib", level=5, weight=2.0, prerequisites=("arithmetic.add",),
)  # fmt: skip
def fibonacci_like(
    n: Annotated[int, Int(4, 8, fixed=True)], a: Annotated[int, Int(1, 999)], b: Annotated[int, Int(1, 999)]
) -> Worked[Positive]:
    """A term of a sequence in which each is the sum of the two before."""
    for _ in range(n - 2):
        yield f"{a} + {b} = {a + b}"
        a, b = b, a + b
    return b


@fibonacci_like.check
def _(n: int, a: int, b: int, value: int) -> bool:
    fibonacci = [0, 1]
    while len(fibonacci) < n:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    return value == fibonacci[n - 2] * a + fibonacci[n - 1] * b


@concept(
    "sequences.differences", "differences of neighbours",
    ["the list of differences between each number in {xs} and the one before it",
     "the list of successive differences of {xs}", "the list of steps from each entry of {xs} to the next",
     "the list of changes from one entry of {xs} to the next"],
    symbol="steps", level=3, weight=1.5, prerequisites=("arithmetic.subtract",),
)  # fmt: skip
def differences(xs: Annotated[tuple[int, ...], Ints(shortest=3)]) -> Numbers:
    """How much each number of a list exceeds the one before."""
    return tuple(b - a for a, b in pairwise(xs))


@differences.check
def _(xs: tuple[int, ...], value: tuple[int, ...]) -> bool:
    return tuple(accumulate((xs[0], *value))) == xs


@concept(
    "sequences.running-totals", "running totals",
    ["the list of running totals of {xs}", "the list of partial sums of {xs}",
     "the list of cumulative sums of {xs}",
     "the list in which each number is the sum of the entries of {xs} up to that place"],
    symbol="cumsum", level=3, weight=1.5, prerequisites=("arithmetic.add", "lists.total"),
)  # fmt: skip
def running_totals(xs: Numbers) -> Numbers:
    """The sums of the first one, two, three, ... numbers of a list."""
    return tuple(accumulate(xs))


@running_totals.check
def _(xs: tuple[int, ...], value: tuple[int, ...]) -> bool:
    return all(sum(xs[: place + 1]) == total for place, total in enumerate(value)) and len(xs) == len(value)


@concept(
    "sequences.collatz-steps", "Collatz steps",
    ["the number of Collatz steps from {n} to 1", "how many Collatz steps it takes to get from {n} to 1",
     "the number of steps to reach 1 from {n} by halving even numbers and turning odd ones into three "
     "times themselves plus one", "the length of the Collatz path from {n} down to 1, counted in steps"],
    symbol="collatz", level=5, weight=2.2, prerequisites=("arithmetic.quotient",),
)  # fmt: skip
def collatz_steps(n: Annotated[int, Int(3, 400)]) -> Worked[Whole]:
    """Steps to reach 1 when even numbers are halved and odd ones tripled and increased by one."""
    count = 0
    path = [n]
    while n > 1:
        n = 3 * n + 1 if n % 2 else n // 2
        path.append(n)
        count += 1
        if count > 25:
            return None
    yield " ".join(map(str, path))
    return count


@collatz_steps.check
def _(n: int, value: int) -> bool:
    for _ in range(value):
        if n == 1:
            return False
        n = n // 2 if n & 1 == 0 else n + n + n + 1
    return n == 1


@concept(
    "sequences.next-term", "continuing by constant second difference",
    ["the next term after {xs} if the differences keep growing by the same amount",
     "the number that continues {xs} when its second difference stays constant",
     "the continuation by one term of {xs} under a constant second difference",
     "the next number after {xs} when the last two steps show how the step changes"],
    symbol="continue", level=6, weight=2.2, prerequisites=("sequences.differences",),
)  # fmt: skip
def next_term(xs: Annotated[tuple[int, ...], Ints(shortest=3, longest=3)]) -> Worked[Integer]:
    """Continues three numbers so that the second difference stays the same."""
    first, second = xs[1] - xs[0], xs[2] - xs[1]
    step = second + (second - first)
    yield f"{second} - {first} = {second - first}"
    yield f"{second} + {second - first} = {step}"
    yield f"{xs[2]} + {step} = {xs[2] + step}"
    return xs[2] + step


@next_term.check
def _(xs: tuple[int, ...], value: int) -> bool:
    points = [Fraction(x) for x in xs]
    return value == 3 * points[2] - 3 * points[1] + points[0]


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(arithmetic_term, arithmetic_sum, geometric_term, triangular, fibonacci_like, differences),
        *(running_totals, collatz_steps, next_term),
    ]
