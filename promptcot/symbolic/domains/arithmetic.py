"""Arithmetic on whole numbers."""

from __future__ import annotations

import math
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Few, Int, Integer, Positive, Small, Whole

Base = Annotated[int, Int(2, 30)]
Squared = Annotated[int, Int(2, 300)]
Roundable = Annotated[int, Int(11, 10**6)]


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
    ["the product of {a} and {b}", "{a} times {b}", "{a} multiplied by {b}",
     "the result of multiplying {a} by {b}"],
    symbol="{a} * {b}", level=2, weight=1.3, symmetric=True, prerequisites=("arithmetic.add",),
    tales=("{out} holds {b} times as many {things} as {a}",
           "there are {b} times as many {things} in {out} as in {a}"),
)  # fmt: skip
def multiply(a: Integer, b: Integer) -> Integer:
    """Adds the first number to itself as often as the second one says."""
    return a * b


@multiply.check
def _(a: int, b: int, value: int) -> bool:
    places = [int(digit + "0" * place) for place, digit in enumerate(reversed(str(abs(b))))]
    return sum(a * part for part in places) == (-value if b < 0 else value)


@concept(
    "arithmetic.absolute-difference", "absolute difference",
    ["the absolute difference between {a} and {b}", "the distance on the number line between {a} and {b}",
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
     "{a} divided by {b} without the remainder", "the integer part of the quotient of {a} and {b}"],
    symbol="div", level=3, weight=1.3, prerequisites=("arithmetic.multiply", "arithmetic.subtract"),
)  # fmt: skip
def quotient(a: Positive, b: Small) -> Worked[Whole]:
    """How often the second number fits fully into the first."""
    if a < b:
        return None
    yield f"{a} = {a // b} * {b} + {a % b}"
    return a // b


@quotient.check
def _(a: int, b: int, value: int) -> bool:
    return value * b <= a < (value + 1) * b


@concept(
    "arithmetic.square", "squaring",
    ["the square of {a}", "{a} squared", "the second power of {a}", "the product of {a} with itself"],
    symbol="square", level=3, weight=1.3, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def square(a: Squared) -> Positive:
    """Multiplies a number by itself."""
    return a * a


@square.check
def _(a: int, value: int) -> bool:
    return value == (sum(range(1, 2 * a, 2)) if a < 60 else math.isqrt(value) ** 2) and value % a == 0


@concept(
    "arithmetic.power", "power",
    ["the result of raising {a} to the power {n}", "{a} to the power of {n}",
     "the power with base {a} and exponent {n}", "{a} raised to the exponent {n}"],
    symbol="pow", level=4, weight=1.5, prerequisites=("arithmetic.square",),
)  # fmt: skip
def power(a: Base, n: Few) -> Worked[Positive]:
    """Multiplies a number by itself as often as the exponent says."""
    value = a
    for _ in range(n - 1):
        yield f"{value} * {a} = {value * a}"
        value *= a
    return value


@power.check
def _(a: int, n: int, value: int) -> bool:
    return value == math.prod([a] * n)


@concept(
    "arithmetic.floor-root", "integer square root",
    ["the integer part of the square root of {a}", "the largest integer whose square does not exceed {a}",
     "the whole-number part of the square root of {a}", "the integer square root of {a}"],
    symbol="isqrt", level=4, weight=1.5, prerequisites=("arithmetic.square",),
)  # fmt: skip
def floor_root(a: Annotated[int, Int(5, 10**6)]) -> Worked[Positive]:
    """Largest integer whose square is not larger than the number."""
    root = math.isqrt(a)
    yield f"{root} * {root} = {root * root}"
    yield f"{root + 1} * {root + 1} = {(root + 1) * (root + 1)}"
    return root


@floor_root.check
def _(a: int, value: int) -> bool:
    return value * value <= a < value * value + 2 * value + 1


@concept(
    "arithmetic.average", "average of two numbers",
    ["the average of {a} and {b}", "the mean of {a} and {b}", "the number halfway between {a} and {b}",
     "the midpoint of {a} and {b}"],
    symbol="avg", level=3, weight=1.3, symmetric=True,
    prerequisites=("arithmetic.add", "arithmetic.quotient"),
)  # fmt: skip
def average(a: Integer, b: Integer) -> Worked[Integer]:
    """The number in the middle between two numbers, where it is a whole one."""
    if (a + b) % 2:
        return None
    yield f"{a} + {b} = {a + b}"
    yield f"{a + b} / 2 = {(a + b) // 2}"
    return (a + b) // 2


@average.check
def _(a: int, b: int, value: int) -> bool:
    return value - a == b - value


@concept(
    "arithmetic.round-to-ten", "rounding to tens",
    ["{a} rounded to the nearest ten", "the multiple of ten nearest to {a}",
     "the result of rounding {a} to tens", "the nearest ten to {a}"],
    symbol="round10", level=2, weight=1.1,
)  # fmt: skip
def round_to_ten(a: Roundable) -> Positive | None:
    """The multiple of ten that lies nearest, where there is just one and it is another number."""
    return None if a % 5 == 0 else (a + 5) // 10 * 10


@round_to_ten.check
def _(a: int, value: int) -> bool:
    return value % 10 == 0 and abs(a - value) < 5


@concept(
    "arithmetic.ceiling-quotient", "rounding a quotient up",
    ["the rounded-up quotient of {a} and {b}", "the least number of groups of at most {b} that hold {a}",
     "{a} divided by {b} and rounded up", "the smallest integer not below the quotient of {a} and {b}"],
    symbol="ceildiv", level=4, weight=1.4, prerequisites=("arithmetic.quotient",),
)  # fmt: skip
def ceiling_quotient(a: Positive, b: Small) -> Worked[Positive]:
    """The quotient, and one more where something remains; an exact quotient is refused."""
    if a % b == 0 or a < b:
        return None
    yield f"{a} = {a // b} * {b} + {a % b}"
    yield f"{a // b} + 1 = {a // b + 1}"
    return a // b + 1


@ceiling_quotient.check
def _(a: int, b: int, value: int) -> bool:
    return value == -(-a // b)


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(add, subtract, multiply, absolute_difference, larger, smaller, quotient, square, power),
        *(floor_root, average, round_to_ten, ceiling_quotient),
    ]
