"""Statements and what follows from them."""

from __future__ import annotations

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Integer, Positive, Truth


@concept(
    "logic.greater", "comparison",
    ["the statement that {a} is greater than {b}", "the claim that {a} exceeds {b}",
     "the assertion that {b} is less than {a}", "the proposition that {a} is larger than {b}"],
    symbol="gt", level=2, compares=True,
)  # fmt: skip
def greater(a: Integer, b: Integer) -> Truth:
    """Whether the first number is larger than the second."""
    return a > b


@greater.check
def _(a: int, b: int, value: bool) -> bool:
    return value is (max(a, b) != b)


@concept(
    "logic.even", "parity",
    ["the statement that {n} is even", "the claim that {n} is an even number",
     "the assertion that two divides {n}", "the proposition that {n} is even"],
    symbol="even", level=2, prerequisites=("arithmetic.add",),
)  # fmt: skip
def even(n: Positive) -> Truth:
    """Whether a number is divisible by two."""
    return n % 2 == 0


@even.check
def _(n: int, value: bool) -> bool:
    return value is (str(n)[-1] in "02468")


@concept(
    "logic.and", "conjunction",
    ["the statement that {p} and {q} are both true", "the claim that both {p} and {q} hold",
     "the conjunction of {p} and {q}", "the assertion that neither {p} nor {q} is false"],
    symbol="and", level=4, weight=1.4, symmetric=True,
)  # fmt: skip
def both(p: Truth, q: Truth) -> Truth:
    """True where two statements are both true."""
    return p and q


@both.check
def _(p: bool, q: bool, value: bool) -> bool:
    return value is (p + q == 2)


@concept(
    "logic.or", "disjunction",
    ["the statement that at least one of {p} and {q} is true", "the claim that {p} or {q} holds, or both",
     "the disjunction of {p} and {q}", "the assertion that {p} and {q} are not both false"],
    symbol="or", level=4, weight=1.4, symmetric=True,
)  # fmt: skip
def either(p: Truth, q: Truth) -> Truth:
    """True where at least one of two statements is true."""
    return p or q


@either.check
def _(p: bool, q: bool, value: bool) -> bool:
    return value is (p + q > 0)


@concept(
    "logic.exclusive", "exclusive or",
    ["the statement that exactly one of {p} and {q} is true", "the claim that {p} and {q} differ in truth",
     "the exclusive disjunction of {p} and {q}",
     "the assertion that one of {p} and {q} is true and the other false"],
    symbol="xor", level=4, weight=1.5, symmetric=True, joins=True,
)  # fmt: skip
def exclusive(p: Truth, q: Truth) -> Truth:
    """True where just one of two statements is true."""
    return p is not q


@exclusive.check
def _(p: bool, q: bool, value: bool) -> bool:
    return value is (p + q == 1)


@concept(
    "logic.not", "negation",
    ["the statement that {p} is false", "the claim that {p} does not hold", "the negation of {p}",
     "the assertion that {p} is not true"],
    symbol="not", level=3, weight=1.2,
)  # fmt: skip
def negation(p: Truth) -> Truth:
    """True where a statement is false."""
    return not p


@negation.check
def _(p: bool, value: bool) -> bool:
    return value is (p + 1 == 1)


@concept(
    "logic.implies", "implication",
    ["the statement that {p} implies {q}", "the claim that {q} is true whenever {p} is",
     "the implication from {p} to {q}", "the assertion that {q} follows if {p} is true"],
    symbol="implies", level=5, weight=1.6, prerequisites=("logic.not", "logic.or"),
)  # fmt: skip
def implies(p: Truth, q: Truth) -> Truth:
    """False only where the first statement is true and the second false."""
    return q or not p


@implies.check
def _(p: bool, q: bool, value: bool) -> bool:
    return value is (p <= q)


@concept(
    "logic.conditional-step", "case distinction",
    ["the result of moving {x} by {y}, upwards if {p} is true and downwards if it is false",
     "the number reached from {x} by a step of {y}, upwards if {p} is true and otherwise downwards",
     "the outcome of changing {x} by {y}, an increase if {p} is true and a decrease if not",
     "{x} after a change by {y} that is an increase if {p} is true and a decrease if not"],
    symbol="step", level=3, weight=1.5, joins=True, prerequisites=("logic.greater", "arithmetic.add"),
)  # fmt: skip
def conditional_step(x: Integer, y: Positive, p: Truth) -> Worked[Integer]:
    """Adds where a statement is true and subtracts where it is false."""
    yield f"{x} + {y} = {x + y}" if p else f"{x} - {y} = {x - y}"
    return x + y if p else x - y


@conditional_step.check
def _(x: int, y: int, p: bool, value: int) -> bool:
    return value == x + y * (2 * p - 1)


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [greater, even, both, either, exclusive, negation, implies, conditional_step]
