"""Arithmetic on whole numbers."""

from __future__ import annotations

from promptcot.symbolic.concept import SymbolicConcept, concept
from promptcot.symbolic.ports import Integer, Positive, Small, Whole


@concept(
    "arithmetic.add", "addition",
    ["the sum of {a} and {b}", "{a} plus {b}", "the total of {a} and {b}", "{a} increased by {b}",
     "the result of adding {a} to {b}"],
    symbol="{a} + {b}", level=1, symmetric=True, joins=True, aliases=("sum of two numbers",),
    tales=("{out} holds {b} more {things} than {a}", "there are {b} more {things} in {out} than in {a}"),
)  # fmt: skip
def add(a: Integer, b: Integer) -> Integer:
    """Puts two numbers together into their sum."""
    return a + b


@add.check
def _(a: int, b: int, value: int) -> bool:
    return value - b == a


@concept(
    "arithmetic.subtract", "subtraction",
    ["{a} minus {b}", "the result of subtracting {b} from {a}", "{a} decreased by {b}",
     "what is left when {b} is taken away from {a}"],
    symbol="{a} - {b}", level=1, joins=True, aliases=("taking away",),
    tales=("{out} holds {b} fewer {things} than {a}", "there are {b} fewer {things} in {out} than in {a}"),
)  # fmt: skip
def subtract(a: Integer, b: Integer) -> Integer:
    """Takes the second number away from the first."""
    return a - b


@subtract.check
def _(a: int, b: int, value: int) -> bool:
    return value + b == a


@concept(
    "arithmetic.multiply", "multiplication",
    ["the product of {a} and {b}", "{a} times {b}", "{a} multiplied by {b}", "the result of multiplying {a} by {b}"],
    symbol="{a} * {b}", level=2, weight=1.3, symmetric=True, prerequisites=("arithmetic.add",),
    tales=("{out} holds {b} times as many {things} as {a}",),
)  # fmt: skip
def multiply(a: Integer, b: Integer) -> Integer:
    """Adds the first number to itself as often as the second one says."""
    return a * b


@multiply.check
def _(a: int, b: int, value: int) -> bool:
    places = [int(digit) * 10**place for place, digit in enumerate(reversed(str(abs(b))))]
    return sum(a * part for part in places) == (-value if b < 0 else value)


@concept(
    "arithmetic.absolute-difference", "absolute difference",
    ["the absolute difference between {a} and {b}", "the distance between {a} and {b} on the number line",
     "how far {a} is from {b}", "the positive difference of {a} and {b}"],
    symbol="diff", level=2, weight=1.1, symmetric=True, joins=True, prerequisites=("arithmetic.subtract",),
)  # fmt: skip
def absolute_difference(a: Integer, b: Integer) -> Whole:
    """How far two numbers lie apart, whichever is larger."""
    return abs(a - b)


@absolute_difference.check
def _(a: int, b: int, value: int) -> bool:
    return value >= 0 and value in (a - b, b - a)


@concept(
    "arithmetic.larger", "larger of two numbers",
    ["the larger of {a} and {b}", "whichever of {a} and {b} is larger", "the maximum of {a} and {b}",
     "the greater of {a} and {b}"],
    symbol="max", level=1, symmetric=True, compares=True,
)  # fmt: skip
def larger(a: Integer, b: Integer) -> Integer:
    """The one of two numbers that is not smaller than the other."""
    return a if a > b else b


@larger.check
def _(a: int, b: int, value: int) -> bool:
    return value == sorted((a, b))[1]


@concept(
    "arithmetic.smaller", "smaller of two numbers",
    ["the smaller of {a} and {b}", "whichever of {a} and {b} is smaller", "the minimum of {a} and {b}",
     "the lesser of {a} and {b}"],
    symbol="min", level=1, symmetric=True, compares=True,
)  # fmt: skip
def smaller(a: Integer, b: Integer) -> Integer:
    """The one of two numbers that is not larger than the other."""
    return a if a < b else b


@smaller.check
def _(a: int, b: int, value: int) -> bool:
    return value == sorted((a, b))[0]


@concept(
    "arithmetic.quotient", "whole-number quotient",
    ["the whole-number quotient of {a} and {b}", "the number of times {b} fits fully into {a}",
     "{a} divided by {b} without the remainder", "the integer part of {a} divided by {b}"],
    symbol="div", level=3, weight=1.3, prerequisites=("arithmetic.multiply", "arithmetic.subtract"),
)  # fmt: skip
def quotient(a: Positive, b: Small) -> Whole | None:
    """How often the second number fits fully into the first."""
    return a // b if a >= b else None


@quotient.check
def _(a: int, b: int, value: int) -> bool:
    return value * b <= a < (value + 1) * b


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [add, subtract, multiply, absolute_difference, larger, smaller, quotient]
