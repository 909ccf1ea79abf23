"""Ports: the types on which symbolic concepts join, with the ranges they accept.

A port says which values may pass, draws a leaf of its type, and offers neighbours of a
value (the liveness test changes a leaf to a neighbour and looks whether the answer moves).
Int and Ints are the hubs: most concepts take and give them, so most concepts join.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Annotated, ClassVar

Value = int | Fraction | bool | str | tuple[int, ...]
"""What flows along a wire."""

WORDS = [
    "apple",
    "banana",
    "barrel",
    "basket",
    "beaver",
    "bottle",
    "bridge",
    "button",
    "candle",
    "carrot",
    "castle",
    "cheese",
    "cherry",
    "circle",
    "coffee",
    "copper",
    "cotton",
    "dragon",
    "engine",
    "falcon",
    "fiddle",
    "finger",
    "forest",
    "garden",
    "ginger",
    "hammer",
    "harbor",
    "helmet",
    "island",
    "jacket",
    "jungle",
    "kettle",
    "kitten",
    "ladder",
    "lantern",
    "lemon",
    "letter",
    "lizard",
    "magnet",
    "maple",
    "marble",
    "meadow",
    "mirror",
    "mitten",
    "monkey",
    "mountain",
    "needle",
    "noodle",
    "orange",
    "paddle",
    "parrot",
    "pebble",
    "pencil",
    "pepper",
    "pickle",
    "pillow",
    "planet",
    "pocket",
    "potato",
    "puzzle",
    "rabbit",
    "raisin",
    "ribbon",
    "river",
    "rocket",
    "saddle",
    "salmon",
    "sandal",
    "saddler",
    "silver",
    "spider",
    "spinach",
    "squirrel",
    "teapot",
    "temple",
    "thunder",
    "ticket",
    "tomato",
    "tunnel",
    "turnip",
    "violin",
    "walnut",
    "willow",
    "window",
    "winter",
    "yellow",
    "zipper",
]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How large the values of one problem may grow.

    Attributes:
        max_leaf: Largest integer that is drawn as a given value.
        max_value: Largest magnitude of any value on a wire.
        max_items: Longest list that is drawn.
    """

    max_leaf: int = 20
    max_value: int = 9999
    max_items: int = 6


@dataclass(frozen=True, slots=True)
class Int:
    """An integer from `low` to `high`, both included.

    Attributes:
        fixed: Whether only a given value fits (an exponent, a modulus), never another concept's result.
        least: Smallest value drawn as a leaf; 2 keeps out the absorbing 0 and 1.
    """

    low: int = -(10**9)
    high: int = 10**9
    fixed: bool = False
    least: int = 2
    kind: ClassVar[str] = "Int"
    drawable: ClassVar[bool] = True

    def accepts(self, value: Value) -> bool:
        """Whether `value` may pass."""
        return type(value) is int and self.low <= value <= self.high

    def draw(self, rng: random.Random, bounds: Bounds) -> int:
        """A leaf of this type."""
        low = max(self.low, self.least)
        high = min(self.high, bounds.max_leaf if bounds.max_leaf > low + 2 else low + bounds.max_leaf)
        return low + int(rng.random() * (max(high, low) - low + 1))

    def neighbours(self, value: Value) -> Iterator[int]:
        """Other values of this type, nearest first."""
        assert type(value) is int
        for step in (1, -1, 2, 3, -2, 5, 4, value, 6, -5, 8, -8, 12, -12):
            other = value + step
            if step and self.low <= other <= self.high:
                yield other


@dataclass(frozen=True, slots=True)
class Rat:
    """A fraction in lowest terms with numerator and denominator up to `size`."""

    size: int = 999
    fixed: bool = False
    kind: ClassVar[str] = "Rat"
    drawable: ClassVar[bool] = True

    def accepts(self, value: Value) -> bool:
        """Whether `value` may pass."""
        return isinstance(value, Fraction) and abs(value.numerator) <= self.size >= value.denominator

    def draw(self, rng: random.Random, bounds: Bounds) -> Fraction:
        """A leaf of this type, never a whole number."""
        high = max(3, min(bounds.max_leaf, 12))
        denominator = rng.randint(2, high)
        numerator = rng.randint(1, 2 * high)
        value = Fraction(numerator, denominator)
        return value if value.denominator > 1 else value + Fraction(1, denominator)

    def neighbours(self, value: Value) -> Iterator[Fraction]:
        """Other values of this type, nearest first."""
        assert isinstance(value, Fraction)
        for other in (value + Fraction(1, value.denominator), value + 1, value / 2, value * 3):
            if self.accepts(other) and other != value:
                yield other


@dataclass(frozen=True, slots=True)
class Bool:
    """True or false. Never a leaf: a bare truth value teaches nothing."""

    fixed: bool = False
    kind: ClassVar[str] = "Bool"
    drawable: ClassVar[bool] = False

    def accepts(self, value: Value) -> bool:
        """Whether `value` may pass."""
        return isinstance(value, bool)

    def draw(self, rng: random.Random, bounds: Bounds) -> bool:
        """Not drawn in wiring; used when a concept is checked by itself."""
        return rng.random() < 0.5

    def neighbours(self, value: Value) -> Iterator[bool]:
        """The other truth value."""
        yield not value


@dataclass(frozen=True, slots=True)
class Ints:
    """A list of `shortest` to `longest` integers, each from `low` to `high`."""

    low: int = -(10**6)
    high: int = 10**6
    shortest: int = 2
    longest: int = 24
    fixed: bool = False
    kind: ClassVar[str] = "Ints"
    drawable: ClassVar[bool] = True

    def accepts(self, value: Value) -> bool:
        """Whether `value` may pass."""
        return (
            isinstance(value, tuple)
            and self.shortest <= len(value) <= self.longest
            and (not value or (min(value) >= self.low and max(value) <= self.high))
        )

    def draw(self, rng: random.Random, bounds: Bounds) -> tuple[int, ...]:
        """A leaf of this type: at least three items, not all alike."""
        shortest = min(max(self.shortest, 3), self.longest)
        count = rng.randint(shortest, max(shortest, min(self.longest, bounds.max_items)))
        low = max(self.low, 1)
        high = min(self.high, max(bounds.max_leaf, low + 5))
        values = tuple(low + int(rng.random() * (high - low + 1)) for _ in range(count))
        return values if min(values) < max(values) else (*values[:-1], low if values[-1] != low else high)

    def neighbours(self, value: Value) -> Iterator[tuple[int, ...]]:
        """Other lists, nearest first."""
        assert isinstance(value, tuple)
        top = max(value, default=0)
        candidates = [
            (*value[:-1], top + 3),
            (top + 2, *value[1:]),
            tuple(x + 1 for x in value),
            value[::-1],
            (*value[:-1], min(value, default=0)),
            (*value, top + 1),
            value[1:],
            *((*value[:i], value[i] + 1, *value[i + 1 :]) for i in range(len(value))),
        ]
        for other in candidates:
            if other != value and self.accepts(other):
                yield other


@dataclass(frozen=True, slots=True)
class Str:
    """A lower-case word of `shortest` to `longest` letters."""

    shortest: int = 1
    longest: int = 24
    fixed: bool = False
    kind: ClassVar[str] = "Str"
    drawable: ClassVar[bool] = True
    words: tuple[str, ...] = field(default=tuple(WORDS), repr=False)

    def accepts(self, value: Value) -> bool:
        """Whether `value` may pass."""
        return isinstance(value, str) and self.shortest <= len(value) <= self.longest

    def draw(self, rng: random.Random, bounds: Bounds) -> str:
        """A leaf of this type: a common word."""
        return self.words[int(rng.random() * len(self.words))]

    def neighbours(self, value: Value) -> Iterator[str]:
        """Other words, nearest first."""
        assert isinstance(value, str)
        for other in (value + "e", value[1:], value[::-1], "a" + value[1:], value + "zz", value[:-1] + "b"):
            if other != value and self.accepts(other):
                yield other


Port = Int | Rat | Bool | Ints | Str

Whole = Annotated[int, Int(0)]
"""Zero or more."""
Positive = Annotated[int, Int(1)]
"""One or more."""
Integer = Annotated[int, Int()]
"""Any integer."""
Small = Annotated[int, Int(2, 12)]
"""Two to twelve."""
Few = Annotated[int, Int(2, 5, fixed=True)]
"""Two to five, always given."""
Fractional = Annotated[Fraction, Rat()]
"""A fraction."""
Truth = Annotated[bool, Bool()]
"""A truth value."""
Numbers = Annotated[tuple[int, ...], Ints()]
"""A list of integers."""
Word = Annotated[str, Str()]
"""A lower-case word."""
