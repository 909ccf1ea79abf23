"""Number theory: divisibility, primes, digits."""

from __future__ import annotations

import math
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Positive, Small, Whole


@concept(
    "number-theory.remainder", "remainder",
    ["the remainder when {a} is divided by {b}", "what remains when {a} is divided by {b}",
     "the residue of {a} modulo {b}", "{a} modulo {b}"],
    symbol="mod", level=3, weight=1.3, prerequisites=("arithmetic.quotient",), aliases=("modulo",),
)  # fmt: skip
def remainder(a: Positive, b: Small) -> Whole | None:
    """What is left of the first number after taking out the second one as often as it fits."""
    return a % b if a > b else None


@remainder.check
def _(a: int, b: int, value: int) -> bool:
    return 0 <= value < b and (a - value) / b == (a - value) // b


@concept(
    "number-theory.gcd", "greatest common divisor",
    ["the greatest common divisor of {a} and {b}", "the largest integer that divides both {a} and {b}",
     "the highest common factor of {a} and {b}", "the largest common divisor of {a} and {b}"],
    symbol="gcd", level=4, weight=1.8, symmetric=True, prerequisites=("number-theory.remainder",),
    aliases=("highest common factor", "gcd"),
)  # fmt: skip
def gcd(a: Positive, b: Positive) -> Worked[Positive]:
    """Largest integer that divides both numbers, by Euclid's algorithm."""
    a, b = max(a, b), min(a, b)
    while b:
        yield f"{a} = {a // b} * {b} + {a % b}"
        a, b = b, a % b
    return a


@gcd.check
def _(a: int, b: int, value: int) -> bool:
    return value == math.gcd(a, b)


@concept(
    "number-theory.digit-sum", "digit sum",
    ["the sum of the digits of {n}", "the digit sum of {n}", "what the digits of {n} add up to",
     "the total of the decimal digits of {n}"],
    symbol="digsum", level=2, weight=1.2, prerequisites=("arithmetic.add",),
)  # fmt: skip
def digit_sum(n: Annotated[int, Int(10)]) -> Worked[Positive]:
    """Sum of the decimal digits of a number."""
    digits = [int(d) for d in str(n)]
    yield f"{' + '.join(map(str, digits))} = {sum(digits)}"
    return sum(digits)


@digit_sum.check
def _(n: int, value: int) -> bool:
    total = 0
    while n:
        n, digit = divmod(n, 10)
        total += digit
    return total == value


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [remainder, gcd, digit_sum]
