"""Fractions in lowest terms."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Fractional, Int, Positive

Denominator = Annotated[int, Int(2, 30)]


@concept(
    "fractions.simplify", "simplifying a fraction",
    ["the fraction with numerator {a} and denominator {b} in lowest terms",
     "the quotient of {a} and {b} as a fraction in lowest terms", "the simplified ratio of {a} to {b}",
     "{a} divided by {b} as a fraction in lowest terms"],
    symbol="frac", level=4, weight=1.5, prerequisites=("number-theory.gcd",), aliases=("lowest terms",),
)  # fmt: skip
def simplify(a: Positive, b: Denominator) -> Worked[Fractional]:
    """The fraction of two numbers, with no common divisor left."""
    divisor = math.gcd(a, b)
    if divisor == b:
        return None
    if divisor > 1:
        yield f"{a} / {divisor} = {a // divisor}"
        yield f"{b} / {divisor} = {b // divisor}"
    return Fraction(a, b)


@simplify.check
def _(a: int, b: int, value: Fraction) -> bool:
    return value.numerator * b == a * value.denominator and math.gcd(*value.as_integer_ratio()) == 1


def _cross(p: Fraction, q: Fraction) -> tuple[int, int]:
    return p.numerator * q.denominator, q.numerator * p.denominator


@concept(
    "fractions.add", "adding fractions",
    ["the sum of the fractions {p} and {q}", "the fraction obtained by adding {p} and {q}",
     "the fraction that exceeds {p} by {q}", "the total of the fractions {p} and {q}"],
    symbol="fadd", level=5, weight=1.8, symmetric=True, prerequisites=("fractions.simplify",),
)  # fmt: skip
def add(p: Fractional, q: Fractional) -> Worked[Fractional]:
    """The sum of two fractions over a common denominator, where it is not a whole number."""
    value = p + q
    if value.denominator == 1:
        return None
    left, right = _cross(p, q)
    below = p.denominator * q.denominator
    yield f"{left}/{below} + {right}/{below} = {left + right}/{below}"
    if value.denominator != below:
        yield f"{left + right}/{below} = {value}"
    return value


@add.check
def _(p: Fraction, q: Fraction, value: Fraction) -> bool:
    return value - p == q


@concept(
    "fractions.multiply", "multiplying fractions",
    ["the product of the fractions {p} and {q}", "the fraction obtained by multiplying {p} by {q}",
     "the fraction that {p} becomes when it is multiplied by {q}",
     "the result of multiplying the fractions {p} and {q}"],
    symbol="fmul", level=5, weight=1.7, symmetric=True, prerequisites=("fractions.simplify",),
)  # fmt: skip
def multiply(p: Fractional, q: Fractional) -> Worked[Fractional]:
    """The product of two fractions, where it is not a whole number."""
    value = p * q
    if value.denominator == 1:
        return None
    above, below = p.numerator * q.numerator, p.denominator * q.denominator
    yield f"{p.numerator} * {q.numerator} = {above}"
    yield f"{p.denominator} * {q.denominator} = {below}"
    if value.denominator != below:
        yield f"{above}/{below} = {value}"
    return value


@multiply.check
def _(p: Fraction, q: Fraction, value: Fraction) -> bool:
    return value / q == p


@concept(
    "fractions.reciprocal", "reciprocal",
    ["the reciprocal of {p}", "the multiplicative inverse of {p}", "one divided by the fraction {p}",
     "the upside-down form of the fraction {p}"],
    symbol="recip", level=4, weight=1.3, prerequisites=("fractions.simplify",),
)  # fmt: skip
def reciprocal(p: Fractional) -> Fractional | None:
    """One divided by a fraction, where that is not a whole number."""
    return None if abs(p.numerator) <= 1 else Fraction(p.denominator, p.numerator)


@reciprocal.check
def _(p: Fraction, value: Fraction) -> bool:
    return p * value == 1


@concept(
    "fractions.numerator", "numerator",
    ["the numerator of {p} in lowest terms", "the top of the fraction {p} in lowest terms",
     "the number above the line of {p} in lowest terms", "the upper number of the reduced fraction {p}"],
    symbol="num", level=4, prerequisites=("fractions.simplify",), joins=True,
)  # fmt: skip
def numerator(p: Fractional) -> Annotated[int, Int()]:
    """The number above the line of a fraction in lowest terms."""
    return p.numerator


@numerator.check
def _(p: Fraction, value: int) -> bool:
    return value == p * p.denominator


@concept(
    "fractions.denominator", "denominator",
    ["the denominator of {p} in lowest terms", "the bottom of the fraction {p} in lowest terms",
     "the number below the line of {p} in lowest terms", "the lower number of the reduced fraction {p}"],
    symbol="den", level=4, prerequisites=("fractions.simplify",), joins=True,
)  # fmt: skip
def denominator(p: Fractional) -> Positive:
    """The number below the line of a fraction in lowest terms."""
    return p.denominator


@denominator.check
def _(p: Fraction, value: int) -> bool:
    return (p * value).denominator == 1 and all((p * d).denominator > 1 for d in range(1, min(value, 50)))


@concept(
    "fractions.part-of", "fraction of a number",
    ["the result of multiplying {n} by the fraction {p}", "the number that is {p} times as large as {n}",
     "the number obtained by multiplying {n} by the fraction {p}",
     "the result of taking the fraction {p} of {n}"],
    symbol="part", level=5, weight=1.5, prerequisites=("fractions.multiply",),
)  # fmt: skip
def part_of(p: Fractional, n: Annotated[int, Int(2, 10**6)]) -> Worked[Annotated[int, Int()]]:
    """A fraction of a whole number, where it comes out whole."""
    if n % p.denominator:
        return None
    share = n // p.denominator
    yield f"{n} / {p.denominator} = {share}"
    yield f"{share} * {p.numerator} = {share * p.numerator}"
    return share * p.numerator


@part_of.check
def _(p: Fraction, n: int, value: int) -> bool:
    return Fraction(value, n) == p


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [simplify, add, multiply, reciprocal, numerator, denominator, part_of]
