"""A symbolic concept of your own: one decorated function.

The annotations are its ports, the docstring is its description, each ``yield`` is a step of the worked
solution, returning None rejects the values, and ``check`` is a second route to the result. Every problem
made with it is computed by the function, confirmed by the check, and read back from its own text.
"""

from __future__ import annotations

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Positive, Whole


@concept(
    "mine.halving-steps",
    "halving steps",
    [
        "the number of times {a} can be halved before it becomes odd",
        "how often 2 divides {a}",
        "the exponent of 2 in the factorisation of {a}",
        "the count of factors 2 in {a}",
    ],
    symbol="twos",
    level=3,
    prerequisites=("arithmetic.quotient",),
)
def halving_steps(a: Positive) -> Worked[Whole]:
    """How many times a number can be halved before it becomes odd."""
    steps = 0
    while a % 2 == 0:
        yield f"{a} = 2 * {a // 2}"
        a //= 2
        steps += 1
    return steps


@halving_steps.check
def _(a: int, value: int) -> bool:
    return a & -a == 1 << value


def concepts() -> list[SymbolicConcept]:
    """What this file offers."""
    return [halving_steps]
