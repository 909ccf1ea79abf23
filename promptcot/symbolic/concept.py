"""A symbolic concept: one decorated function.

    @concept("nt.gcd", "greatest common divisor", [
        "the greatest common divisor of {a} and {b}", ...], level=3)
    def gcd(a: Positive, b: Positive) -> Worked[Positive]:
        '''Largest integer that divides both numbers, by Euclid's algorithm.'''
        while b:
            yield f"{a} = {a // b} * {b} + {a % b}"
            a, b = b, a % b
        return a

    @gcd.check
    def _(a: int, b: int, value: int) -> bool:
        return value == math.gcd(a, b)

Annotations are the ports, the docstring is the description, each ``yield`` is a step of the
worked solution, returning None rejects the values, and ``check`` is the second route to
the result. A function without steps simply returns. Decorating builds the concept and
registers nothing: libraries are collected by name (`promptcot.symbolic.library`).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar, get_args

from promptcot.errors import ConfigError, VerificationError
from promptcot.seeding import rng as seeded
from promptcot.symbolic.ports import Bounds, Port, Value

T = TypeVar("T")
Worked = Generator[str, None, T | None]
"""Return type of a concept with worked steps: ``Worked[Positive]``."""

MIN_PHRASES = 4
_ID = re.compile(r"[a-z][a-z0-9]*(?:[.-][a-z0-9]+)+")
_SLOT = re.compile(r"\{(\w+)\}")


class SymbolicConcept:
    """A concept that can be computed, told and checked. Made by `concept`.

    Attributes:
        inputs: Port names to ports, in order; `output` is the port of the result.
        phrases: Noun phrases with a slot for every port, such as ``the sum of {a} and {b}``.
        symbol: Short form: a word (``gcd``) written before its arguments, or a pattern (``{a} + {b}``).
        tales: Story sentences in which one thing is compared with another (see the story skin).
        weight: Share of this concept in the structural difficulty prior; adding weighs 1.
        symmetric: Whether the order of the arguments does not matter.
        joins: Whether wiring may use it unasked to bring loose ends together.
        compares: Whether its arguments should lie close together, or the outcome is plain at a glance.
    """

    __slots__ = (
        "aliases", "compares", "description", "domain", "function", "id", "inputs", "joins", "level", "name",
        "output", "phrases", "ports", "prerequisites", "route", "stepped", "symbol", "symmetric", "tales",
        "weight",
    )  # fmt: skip

    def __init__(
        self,
        function: Callable[..., Any],
        id: str,
        name: str,
        phrases: Sequence[str],
        *,
        domain: str,
        level: int,
        weight: float,
        symbol: str,
        prerequisites: Sequence[str],
        aliases: Sequence[str],
        tales: Sequence[str],
        symmetric: bool,
        joins: bool,
        compares: bool,
    ) -> None:
        self.function, self.id, self.name = function, id, name
        self.description = inspect.getdoc(function) or ""
        self.phrases, self.tales = tuple(phrases), tuple(tales)
        self.domain = domain or id.split(".")[0]
        self.level, self.weight = level, weight
        self.prerequisites, self.aliases = tuple(prerequisites), tuple(aliases)
        self.symmetric, self.joins, self.compares = symmetric, joins, compares
        self.stepped = inspect.isgeneratorfunction(function)
        self.inputs, self.output = _ports(function, id)
        self.ports: tuple[Port, ...] = tuple(self.inputs.values())
        self.symbol = symbol or id.split(".")[-1]
        self.route: Callable[..., Any] | None = None
        self._validate()

    def check(self, route: Callable[..., Any]) -> Callable[..., Any]:
        """Sets the second route: called with the arguments and the value, true when they agree."""
        self.route = route
        return route

    def value(self, *args: Value) -> Value | None:
        """The result for `args`; None where the concept rejects them."""
        result = self.function(*args)
        if not self.stepped:
            return result  # type: ignore[no-any-return]
        try:
            while True:
                next(result)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]

    def work(self, *args: Value) -> tuple[Value | None, list[str]]:
        """The result for `args` and the worked steps that lead to it."""
        if not self.stepped:
            return self.function(*args), []
        steps: list[str] = []
        running = self.function(*args)
        try:
            while True:
                steps.append(next(running))
        except StopIteration as stop:
            return stop.value, steps

    def verify(self, args: Sequence[Value], value: Value) -> None:
        """Holds `value` against the second route.

        Raises:
            VerificationError: The routes disagree, or there is no second one.
        """
        if self.route is None:
            raise VerificationError(f"{self.id} has no second route", remedy="add one with .check")
        if self.route(*args, value) is not True:
            raise VerificationError(f"{self.id}{tuple(args)!r}: {value!r} fails its second route")

    def audit(self, trials: int = 200) -> int:
        """Runs both routes on random arguments and returns how many were not rejected.

        Raises:
            VerificationError: The routes disagree, a value leaves its port, or the concept rejects
                nearly everything.
        """
        rng, kept = seeded(0, "audit", self.id), 0
        for trial in range(trials):
            bounds = Bounds(max_leaf=(9, 20, 60, 99)[trial % 4])
            args = [port.draw(rng, bounds) for port in self.ports]
            value = self.value(*args)
            if value is None:
                continue
            if not self.output.accepts(value):
                raise VerificationError(f"{self.id}{tuple(args)!r} gave {value!r}, outside its port")
            self.verify(args, value)
            kept += 1
        if kept < trials // 20:
            raise VerificationError(
                f"{self.id} kept {kept} of {trials} random inputs", remedy="narrow its ports"
            )
        return kept

    def _validate(self) -> None:
        where = f"symbolic concept {self.id!r}"
        if not _ID.fullmatch(self.id):
            raise ConfigError(f"{where}: not an id", remedy="use domain.name in lower case, such as nt.gcd")
        if len(set(self.phrases)) < MIN_PHRASES:
            raise ConfigError(
                f"{where}: {len(set(self.phrases))} phrases", remedy=f"give {MIN_PHRASES} or more"
            )
        patterns = [*self.phrases, *([self.symbol] if "{" in self.symbol else [])]
        for phrase in patterns:
            if sorted(_SLOT.findall(phrase)) != sorted(self.inputs):
                raise ConfigError(f"{where}: {phrase!r} must name each of {', '.join(self.inputs)} once")
        if not self.name.strip() or ":" in self.name:
            raise ConfigError(f"{where}: the name {self.name!r} must not be empty or hold a colon")
        if not self.description:
            raise ConfigError(f"{where}: no docstring", remedy="say in one line what it is")
        if not 1 <= self.level <= 10 or self.weight <= 0:
            raise ConfigError(f"{where}: level must be 1 to 10 and weight above 0")

    def __repr__(self) -> str:
        return f"SymbolicConcept({self.id!r})"

    def __reduce__(self) -> str:
        raise TypeError("a symbolic concept is a function: collect it again where it is needed")


def concept(
    id: str,
    name: str,
    phrases: Sequence[str],
    *,
    level: int,
    weight: float = 1.0,
    domain: str = "",
    symbol: str = "",
    prerequisites: Sequence[str] = (),
    aliases: Sequence[str] = (),
    tales: Sequence[str] = (),
    symmetric: bool = False,
    joins: bool = False,
    compares: bool = False,
) -> Callable[[Callable[..., Any]], SymbolicConcept]:
    """Makes a symbolic concept of a function (see the module's description).

    Args:
        id: Domain and name, such as ``nt.gcd``; the part before the first dot is the
            domain unless `domain` says otherwise.
        name: What people call it.
        phrases: At least four noun phrases, each with every port once.
        level: 1 (first year of school) to 10 (olympiad).

    Raises:
        ConfigError: A port, phrase or id that does not fit.
    """

    def decorate(function: Callable[..., Any]) -> SymbolicConcept:
        return SymbolicConcept(
            function, id, name, phrases, domain=domain, level=level, weight=weight, symbol=symbol,
            prerequisites=prerequisites, aliases=aliases, tales=tales, symmetric=symmetric, joins=joins,
            compares=compares,
        )  # fmt: skip

    return decorate


def _ports(function: Callable[..., Any], id: str) -> tuple[dict[str, Port], Port]:
    annotations = inspect.get_annotations(function, eval_str=True)
    found = {name: _port(annotation) for name, annotation in annotations.items()}
    names = list(inspect.signature(function).parameters)
    missing = [name for name in [*names, "return"] if found.get(name) is None]
    if missing or not names:
        raise ConfigError(
            f"symbolic concept {id!r}: no port for {', '.join(missing) or 'anything'}",
            remedy="annotate with Positive, Numbers, ... or Annotated[int, Int(2, 60)]",
        )
    output = found["return"]
    assert output is not None
    return {name: port for name in names if (port := found[name]) is not None}, output


def _port(annotation: Any) -> Port | None:
    """The port inside an annotation: itself, or within Annotated, Optional or a generator's result."""
    if isinstance(annotation, Port):
        return annotation
    parts = (*getattr(annotation, "__metadata__", ()), *get_args(annotation)[::-1])
    return next((port for part in parts if (port := _port(part)) is not None), None)
