"""Whether an answer that was given equals the one expected: a cascade from certain to probable.

1. ``exact``: the same text in one notation.
2. ``integer`` and ``rational``: exact arithmetic, so ``0.5``, ``1/2`` and ``50%`` are equal.
3. ``numeric``: both sides to sixty digits, at several points where there are free variables.
4. ``unit``: equal values of which one has a unit and the other none.

A cascade that cannot tell says so (``equal`` is None): that is not a yes. Nothing here evaluates
text; it is parsed by a small grammar (`expression`), with bounds on length, depth and size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

from promptcot.records import Answer, Record
from promptcot.seeding import rng
from promptcot.verification import expression, value
from promptcot.verification.notation import MAX_LENGTH, Group, Scalar, normalise, read

_POINTS = 8
_NEEDED = 3
_SAME, _DIFFERENT = -40, -20  # powers of ten: relative differences of equal numbers, and of different ones
_LARGE = 10**30  # above it numbers that differ by one are too near for that


class Equality(Record, frozen=True):
    """Whether two answers are equal, and which step of the cascade says so.

    Attributes:
        equal: None where it cannot be told.
    """

    equal: bool | None
    by: str


def equal(expected: Answer | str, given: str) -> Equality:
    """Compares an answer with the expected one.

    A text answer is compared as text without regard to case; an expression by the cascade;
    code is not compared here, but by running its tests.
    """
    if isinstance(expected, Answer):
        if expected.kind == "code":
            return Equality(equal=None, by="code")
        if expected.kind == "text":
            same = normalise(expected.value).casefold() == normalise(given).casefold()
            return Equality(equal=same, by="text")
        expected = expected.value
    if not expected.strip() or not given.strip():
        return Equality(equal=None, by="empty")
    if expected.strip() == given.strip():
        return Equality(equal=True, by="exact")
    if max(len(expected), len(given)) > MAX_LENGTH:
        return Equality(equal=None, by="too-long")
    return _compare_normal(normalise(expected), normalise(given))


def _compare_normal(left: str, right: str) -> Equality:
    if left == right and left:
        return Equality(equal=True, by="exact")
    if left.isalpha() and right.isalpha() and min(len(left), len(right)) > 2:
        return Equality(equal=left.casefold() == right.casefold(), by="text")
    return _compare(read(left), read(right))


def _compare(left: Scalar | Group, right: Scalar | Group) -> Equality:
    if left.name and right.name and left.name != right.name:
        return Equality(equal=None, by="name")
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return _compare_scalars(left, right)
    if isinstance(left, Scalar) or isinstance(right, Scalar) or left.brackets != right.brackets:
        return Equality(equal=None, by="structure")
    if len(left.items) != len(right.items):
        return Equality(equal=False, by="structure")
    if left.brackets == "{}":
        return _compare_sets(left.items, right.items)
    ordered = _all(_compare(a, b) for a, b in zip(left.items, right.items, strict=True))
    if not left.brackets and not ordered.equal and _compare_sets(left.items, right.items).equal:
        return Equality(equal=None, by="order")  # a bare list may be a set or a sequence
    return ordered


def _all(results: Iterable[Equality]) -> Equality:
    """Equal when all are, by the weakest step that was needed; different when one is."""
    steps = ("exact", "text", "integer", "rational", "numeric", "unit")
    by, undecided = "exact", None
    for result in results:
        if result.equal is False:
            return result
        if result.equal is None:
            undecided = undecided or result
        elif steps.index(result.by) > steps.index(by):
            by = result.by
    return undecided or Equality(equal=True, by=by)


def _compare_sets(left: Sequence[Scalar | Group], right: Sequence[Scalar | Group]) -> Equality:
    rest, found = list(right), []
    for item in left:
        results = [_compare(item, other) for other in rest]
        index = next((i for i, result in enumerate(results) if result.equal), None)
        if index is None:
            sure = all(result.equal is False for result in results)
            return Equality(equal=False if sure else None, by="set")
        found.append(results[index])
        del rest[index]
    return _all(found)


def _compare_scalars(left: Scalar, right: Scalar) -> Equality:
    if {left.unit, right.unit} & {"%"}:
        return _compare_percent(left, right)
    if left.unit and right.unit and left.unit != right.unit:
        return Equality(equal=None, by="unit")
    result = _compare_values(left.text, right.text)
    if result.equal and left.unit != right.unit:
        return Equality(equal=True, by="unit")
    return result


def _compare_percent(left: Scalar, right: Scalar) -> Equality:
    """50% is 1/2. Whether it is also 50 depends on what was asked, so that is undecided."""
    bare = _compare_values(left.text, right.text)
    if left.unit == right.unit:
        return bare
    if left.unit not in ("%", "") or right.unit not in ("%", ""):
        return Equality(equal=None, by="unit")
    scaled = [f"({side.text})/100" if side.unit else side.text for side in (left, right)]
    result = _compare_values(*scaled)
    return Equality(equal=None, by="percent") if not result.equal and bare.equal else result


@lru_cache(maxsize=512)
def _parsed(text: str) -> tuple[expression.Node | None, Fraction | None]:
    """The expression, and its exact value where it has one."""
    try:
        node = expression.parse(text)
    except (expression.Unreadable, ValueError):
        return None, None
    try:
        return node, value.rational(node)
    except value.Unknown:
        return node, None


def _compare_values(left: str, right: str) -> Equality:
    if left == right and left:
        return Equality(equal=True, by="exact")
    (a, exact_a), (b, exact_b) = _parsed(left), _parsed(right)
    if exact_a is not None and exact_b is not None:
        whole = exact_a.denominator == 1 and exact_b.denominator == 1
        return Equality(equal=exact_a == exact_b, by="integer" if whole else "rational")
    if a is None or b is None:
        return Equality(equal=None, by="unreadable")
    return _compare_numerically(a, b)


def _compare_numerically(left: expression.Node, right: expression.Node) -> Equality:
    names = sorted(expression.symbols(left) | expression.symbols(right))
    undecided = Equality(equal=None, by="numeric")
    if "∞" in names:  # it is read as a variable, and is none: ∞ - ∞ is not 0
        return Equality(equal=True, by="exact") if left == right else undecided
    same = 0
    for point in range(_POINTS if names else 1):
        try:
            at = _point(names, point)
            a, b = value.numeric(left, at), value.numeric(right, at)
        except value.Unknown:
            continue
        if not names and max(abs(a), abs(b)) > _LARGE:
            return undecided
        difference = _difference(a, b)
        if difference > 10.0**_DIFFERENT:
            # i and the base of log are read as variables: a difference at one value proves nothing.
            return undecided if {"i", "log"} & set(names) else Equality(equal=False, by="numeric")
        if difference > 10.0**_SAME:
            return undecided
        same += 1
    return Equality(equal=True, by="numeric") if same >= (_NEEDED if names else 1) else undecided


def _point(names: Sequence[str], index: int) -> dict[str, Fraction]:
    """The same values for the same names, of both signs, with no simple relation between them."""
    draw = rng(index, "verification", "point")
    signs = (1, -1) if index % 2 else (1,)
    return {name: Fraction(draw.randrange(10_007, 4 * 10_007), 10_007) * draw.choice(signs) for name in names}


def _difference(a: Any, b: Any) -> float:
    """Relative difference, and of values too near zero to tell apart one that decides nothing."""
    size = max(abs(a), abs(b))
    if size == 0:
        return 0.0
    if size < 10.0 ** -(value.DIGITS - 15):
        return float(10 ** ((_SAME + _DIFFERENT) // 2))
    return float(abs(a - b) / size)
