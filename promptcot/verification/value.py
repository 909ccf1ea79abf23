"""Values of expressions: exact where they are rational, else to sixty digits; always bounded in work."""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import cache
from typing import Any

from promptcot.verification.expression import Node

DIGITS = 60
"""Decimal digits of a numeric value."""

_MAX_BITS = 20_000
_MAX_EXPONENT = 1_000
_MAX_LOG = 50_000.0
_MAX_ANGLE = 10**9
_MAX_FACTORIAL = 300


class Unknown(Exception):
    """The expression has no value here: not rational, not real, or too much work."""


def rational(node: Node) -> Fraction:
    """The exact value of an expression of rational numbers and whole powers.

    Raises:
        Unknown: It is not such an expression, divides by zero or is too large.
    """
    if node.kind == "number":
        return _bounded(node.value)
    parts = [rational(part) for part in node.parts]
    if node.kind == "power":
        return _bounded(_whole_power(*parts))
    if node.kind == "factorial":
        return _bounded(Fraction(_factorial(parts[0])))
    if node.kind == "divide" and parts[1] == 0:
        raise Unknown("division by zero")
    operation = _RATIONAL.get(node.kind)
    if operation is None:
        raise Unknown(node.kind)
    return _bounded(operation(*parts))


_RATIONAL: dict[str, Any] = {
    "add": lambda a, b: a + b,
    "negate": lambda a: -a,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
}


def numeric(node: Node, symbols: Mapping[str, Fraction]) -> Any:
    """The real value of an expression at a point, as an mpmath number of `DIGITS` digits.

    Args:
        symbols: Value of every free variable, and of ``log`` for what a logarithm without a base is
            in natural ones.

    Raises:
        Unknown: It is not a real number there, or too much work.
    """
    mp = _context()
    if node.kind in ("number", "symbol"):
        value = node.value if node.kind == "number" else symbols[node.name]
        return mp.mpf(value.numerator) / value.denominator
    if node.kind == "constant":
        return +mp.pi if node.name == "pi" else +mp.e
    parts = [numeric(part, symbols) for part in node.parts]
    if node.kind == "function":
        value = _function(node.name, parts[0])
        return value * numeric(Node("symbol", name="log"), symbols) if node.name == "log" else value
    return _operation(node.kind, parts)


def _operation(kind: str, parts: list[Any]) -> Any:
    if kind == "power":
        return _power(*parts)
    if kind == "root":
        return _root(*parts)
    if kind == "factorial":
        if parts[0] != int(parts[0]):
            raise Unknown("factorial of a fraction")
        return _context().mpf(_factorial(Fraction(int(parts[0]))))
    if kind == "divide" and parts[1] == 0:
        raise Unknown("division by zero")
    return _RATIONAL[kind](*parts)


def _power(base: Any, exponent: Any) -> Any:
    whole = exponent == int(exponent) if abs(exponent) < _MAX_LOG else False
    if base == 0:
        if exponent <= 0:
            raise Unknown("a power of zero")
        return base
    if base < 0 and not whole:
        raise Unknown("not real")
    if abs(exponent * _context().log(abs(base))) > _MAX_LOG:
        raise Unknown("too large")
    return base ** (int(exponent) if whole else exponent)


def _root(inner: Any, index: Any) -> Any:
    if index != int(index) or not 2 <= index <= 100:
        raise Unknown("an unusual root")
    if inner < 0:
        if int(index) % 2 == 0:
            raise Unknown("not real")
        return -_context().root(-inner, int(index))
    return _context().root(inner, int(index))


def _function(name: str, x: Any) -> Any:
    mp = _context()
    if abs(x) > _MAX_ANGLE or (name == "exp" and abs(x) > _MAX_LOG):
        raise Unknown("too large")
    if name in ("ln", "log"):
        if x <= 0:
            raise Unknown("not real")
        return mp.log(x)
    if name in ("arcsin", "arccos") and abs(x) > 1:
        raise Unknown("not real")
    names = {"arcsin": "asin", "arccos": "acos", "arctan": "atan"}
    try:
        return getattr(mp, names.get(name, name))(x)
    except (ZeroDivisionError, ValueError, OverflowError) as error:
        raise Unknown(str(error)) from error


def _whole_power(base: Fraction, exponent: Fraction) -> Fraction:
    if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT:
        raise Unknown("not a small whole power")
    if base == 0 and exponent <= 0:
        raise Unknown("a power of zero")
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if size * abs(exponent) > _MAX_BITS:
        raise Unknown("too large")
    return base ** int(exponent)


def _factorial(n: Fraction) -> int:
    if n.denominator != 1 or not 0 <= n <= _MAX_FACTORIAL:
        raise Unknown("an unusual factorial")
    return math.factorial(int(n))


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise Unknown("too large")
    return value


@cache
def _context() -> Any:
    """An mpmath context of our own, so that nobody else's precision is changed."""
    from mpmath.ctx_mp import MPContext

    context = MPContext()
    context.dps = DIGITS
    return context
