"""Algebra: equations, polynomials, identities."""

from __future__ import annotations

from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Integer, Positive

Coefficient = Annotated[int, Int(2, 9)]
Modest = Annotated[int, Int(-300, 300)]


@concept(
    "algebra.linear-value", "value of a linear expression",
    ["the value of m * x + b for slope m = {m}, x = {x} and b = {b}",
     "the value at {x} of the line with slope {m} and intercept {b}",
     "the height above {x} of the line with slope {m} and intercept {b}",
     "the output for input {x} of the linear function with slope {m} and constant term {b}"],
    symbol="line", level=4, weight=1.6, prerequisites=("arithmetic.multiply", "arithmetic.add"),
)  # fmt: skip
def linear_value(m: Coefficient, x: Integer, b: Integer) -> Worked[Integer]:
    """What a linear function gives for an input."""
    yield f"{m} * {x} = {m * x}"
    yield f"{m * x} + {b} = {m * x + b}"
    return m * x + b


@linear_value.check
def _(m: int, x: int, b: int, value: int) -> bool:
    return (value - b) == sum([x] * m)


@concept(
    "algebra.linear-root", "solving a linear equation",
    ["the solution x of the equation {a} * x + {b} = {c}", "the number x that satisfies {a} * x + {b} = {c}",
     "the value of x for which {a} * x + {b} equals {c}", "the unknown x in {a} * x + {b} = {c}"],
    symbol="solve", level=5, weight=1.9, prerequisites=("algebra.linear-value",),
    aliases=("linear equations",),
)  # fmt: skip
def linear_root(a: Coefficient, b: Integer, c: Integer) -> Worked[Integer]:
    """The unknown of an equation of degree one, where it is a whole number."""
    if (c - b) % a:
        return None
    yield f"{c} - {b} = {c - b}"
    yield f"{c - b} / {a} = {(c - b) // a}"
    return (c - b) // a


@linear_root.check
def _(a: int, b: int, c: int, value: int) -> bool:
    return a * value + b == c


@concept(
    "algebra.quadratic-value", "value of a quadratic expression",
    ["the value of x^2 + b * x + c for x = {x}, b = {b} and c = {c}",
     "the value at {x} of the monic quadratic with linear coefficient {b} and constant term {c}",
     "the result of putting {x} into x^2 + b * x + c where b = {b} and c = {c}",
     "the output for input {x} of the monic quadratic function with linear coefficient {b} and constant "
     "term {c}"],
    symbol="quad", level=5, weight=2.0, prerequisites=("algebra.linear-value", "arithmetic.square"),
)  # fmt: skip
def quadratic_value(x: Modest, b: Modest, c: Integer) -> Worked[Integer]:
    """What a quadratic function with leading coefficient 1 gives for an input."""
    yield f"{x} * {x} = {x * x}"
    yield f"{b} * {x} = {b * x}"
    yield f"{x * x} + {b * x} + {c} = {x * x + b * x + c}"
    return x * x + b * x + c


@quadratic_value.check
def _(x: int, b: int, c: int, value: int) -> bool:
    return value == (x + b) * x + c


@concept(
    "algebra.discriminant", "discriminant",
    ["the discriminant of the quadratic with coefficients {a}, {b} and {c}, in falling order of degree",
     "the discriminant b^2 - 4 * a * c for a = {a}, b = {b} and c = {c}",
     "the quantity that decides the number of real roots when the quadratic has coefficients {a}, {b} "
     "and {c}", "the discriminant of a * x^2 + b * x + c where a = {a}, b = {b} and c = {c}"],
    symbol="disc", level=6, weight=2.1, prerequisites=("algebra.quadratic-value",),
)  # fmt: skip
def discriminant(a: Coefficient, b: Modest, c: Modest) -> Worked[Integer]:
    """The number that tells how many real roots a quadratic has."""
    yield f"{b} * {b} = {b * b}"
    yield f"4 * {a} * {c} = {4 * a * c}"
    yield f"{b * b} - {4 * a * c} = {b * b - 4 * a * c}"
    return b * b - 4 * a * c


@discriminant.check
def _(a: int, b: int, c: int, value: int) -> bool:
    return (value + 4 * a * c) == sum(abs(b) for _ in range(abs(b)))


@concept(
    "algebra.difference-of-squares", "difference of squares",
    ["the difference of the squares of {a} and {b}",
     "the difference that remains when the square of {b} is taken from that of {a}",
     "the product of the sum and the difference of {a} and {b}",
     "the amount by which {a} squared exceeds {b} squared"],
    symbol="dsq", level=4, weight=1.8, prerequisites=("arithmetic.square",), compares=True,
)  # fmt: skip
def difference_of_squares(a: Modest, b: Modest) -> Worked[Positive]:
    """The first square minus the second, by the third binomial formula."""
    if a <= abs(b):  # "the difference of 4 and 6" could be 2 or -2
        return None
    yield f"{a} + {b} = {a + b}"
    yield f"{a} - {b} = {a - b}"
    yield f"{a + b} * {a - b} = {(a + b) * (a - b)}"
    return (a + b) * (a - b)


@difference_of_squares.check
def _(a: int, b: int, value: int) -> bool:
    return value + b * b == a * a


@concept(
    "algebra.root-sum", "Vieta's formulas",
    ["the product of the sum and the product of the roots of the monic quadratic with linear coefficient "
     "{b} and constant term {c}",
     "the result of multiplying the sum of the roots by their product for the monic quadratic whose "
     "linear coefficient is {b} and whose constant term is {c}",
     "the number obtained when the sum of both roots of the monic quadratic with linear coefficient {b} "
     "and constant term {c} is multiplied by their product",
     "the result of multiplying the sum and the product of the two roots when the monic quadratic has "
     "linear coefficient {b} and constant term {c}"],
    symbol="vieta", level=7, weight=2.2, prerequisites=("algebra.quadratic-value",),
)  # fmt: skip
def root_sum(b: Modest, c: Modest) -> Worked[Integer]:
    """Sum of the roots times their product, read off the coefficients by Vieta."""
    yield f"sum = {-b}"
    yield f"product = {c}"
    yield f"{-b} * {c} = {-b * c}"
    return -b * c


@root_sum.check
def _(b: int, c: int, value: int) -> bool:
    root = ((b * b - 4 * c) + 0j) ** 0.5
    one, two = (-b + root) / 2, (-b - root) / 2
    return abs((one + two) * one * two - value) <= 1e-6 * (1 + abs(value))


@concept(
    "algebra.system-sum", "system of sum and difference",
    ["the larger of two numbers whose sum is {s} and whose difference is {d}",
     "the greater number x of the system x + y = {s} and x - y = {d}",
     "the bigger of the two numbers with sum {s} and difference {d}",
     "the number x that satisfies both x + y = {s} and x - y = {d}"],
    symbol="system", level=5, weight=1.9, prerequisites=("algebra.linear-root",),
)  # fmt: skip
def system_sum(s: Annotated[int, Int(4)], d: Annotated[int, Int(2)]) -> Worked[Integer]:
    """The larger of two whole numbers given by their sum and their difference."""
    if (s + d) % 2 or d >= s:
        return None
    yield f"{s} + {d} = {s + d}"
    yield f"{s + d} / 2 = {(s + d) // 2}"
    return (s + d) // 2


@system_sum.check
def _(s: int, d: int, value: int) -> bool:
    return value - (s - value) == d


@concept(
    "algebra.composition", "composing two linear functions",
    ["the value of f(g(x)) at x = {x} where f multiplies by {m} and g adds {b}",
     "the result for {x} of first adding {b} and then multiplying by {m}",
     "the number that {x} becomes when {b} is added and the sum is multiplied by {m}",
     "the outcome of increasing {x} by {b} and multiplying the result by {m}"],
    symbol="compose", level=5, weight=1.8, prerequisites=("algebra.linear-value",),
)  # fmt: skip
def composition(x: Integer, b: Integer, m: Coefficient) -> Worked[Integer]:
    """What two functions give one after the other."""
    yield f"{x} + {b} = {x + b}"
    yield f"{x + b} * {m} = {(x + b) * m}"
    return (x + b) * m


@composition.check
def _(x: int, b: int, m: int, value: int) -> bool:
    return value - m * b == m * x


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(linear_value, linear_root, quadratic_value, discriminant, difference_of_squares, root_sum),
        *(system_sum, composition),
    ]
