"""A small grammar of mathematical expressions, read from untrusted text without evaluating any of it.

    sum     = product (("+" | "-") product)*
    product = signed (("*" | "/" | nothing) signed)*
    signed  = "-" signed | power
    power   = atom ["!"] ["^" signed]
    atom    = number | letter | π | (sum) | {sum} | frac{}{} | sqrt[]{} | function power

What the grammar does not know, and what mathematicians read in two ways (``1/2x``), is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

MAX_DEPTH = 40
"""Nesting of an expression."""

FUNCTIONS = frozenset(
    ["sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "ln", "log", "exp", "sqrt"]
)
"""Names that are applied to what follows them."""

CONSTANTS = {"\\pi": "pi", "π": "pi", "pi": "pi", "e": "e"}
"""Symbols with a value, by how they are written."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>\d+\.?\d*|\.\d+)|(?P<command>\\[a-zA-Z]+)|(?P<word>[a-zA-Zπ∞]+)|(?P<sign>[-+*/^(){}\[\]!_√]))"
)
_GREEK = frozenset(
    [
        "alpha",
        "beta",
        "gamma",
        "delta",
        "epsilon",
        "zeta",
        "eta",
        "theta",
        "iota",
        "kappa",
        "lambda",
        "mu",
        "nu",
        "xi",
        "rho",
        "sigma",
        "tau",
        "phi",
        "chi",
        "psi",
        "omega",
        "infty",
    ]
)


class Unreadable(Exception):
    """The text is not an expression of the grammar."""


@dataclass(frozen=True, slots=True)
class Node:
    """A number with its `value`, a symbol or constant with its `name`, an operator or a function."""

    kind: str
    parts: tuple[Node, ...] = ()
    name: str = ""
    value: Fraction = Fraction(0)


def parse(text: str) -> Node:
    """Reads an expression.

    Raises:
        Unreadable: The text is not of the grammar, is ambiguous or is nested too deeply.
    """
    parser = _Parser(_tokens(text))
    node = parser.sum(0)
    if parser.left():
        raise Unreadable(f"unexpected {parser.peek()!r}")
    return node


def symbols(node: Node) -> frozenset[str]:
    """Names of the free variables, ``log`` among them: its base is ten or e, as the writer likes."""
    own = (node.name,) if node.kind == "symbol" or node.name == "log" else ()
    return frozenset(own).union(*(symbols(part) for part in node.parts))


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            if not text[at:].strip():
                break
            raise Unreadable(f"unexpected {text[at]!r}")
        at = match.end()
        word = match["word"]
        if word and word not in FUNCTIONS and word not in CONSTANTS:
            # Two letters are a product; a longer run is a word, and a word is not mathematics.
            if len(word) > 2:
                raise Unreadable(f"a word: {word!r}")
            tokens += word
        else:
            tokens.append(match.group().strip())
    return tokens


class _Parser:
    """Recursive descent over the tokens."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def left(self) -> bool:
        return self._at < len(self._tokens)

    def peek(self) -> str:
        return self._tokens[self._at] if self.left() else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token != expected):
            raise Unreadable(f"expected {expected or 'more'!r}, found {token!r}")
        self._at += 1
        return token

    def sum(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        node = self.product(depth)
        while self.peek() in ("+", "-"):
            operator = self.take()
            right = self.product(depth)
            node = Node("add", (node, right if operator == "+" else Node("negate", (right,))))
        return node

    def product(self, depth: int) -> Node:
        node = self.signed(depth)
        divided = False
        while self._continues():
            operator = self.take() if self.peek() in ("*", "/") else ""
            if not operator and (divided or self.peek()[0] in "0123456789."):
                raise Unreadable("ambiguous product")  # 1/2x, and 2 3
            right = self.signed(depth) if operator else self.power(depth)
            if not operator and _is_number_times_fraction(node, right):
                raise Unreadable("ambiguous product")  # 2 3/2; a mixed number was read by `atom`
            divided = operator == "/"
            node = Node("divide" if divided else "multiply", (node, right))
        return node

    def _continues(self) -> bool:
        token = self.peek()
        return bool(token) and token not in ("+", "-", ")", "}", "]", "^", "_", "!")

    def signed(self, depth: int) -> Node:
        if self.peek() in ("-", "+"):
            negative = self.take() == "-"
            if depth > MAX_DEPTH:
                raise Unreadable("nested too deeply")
            inner = self.signed(depth + 1)
            return Node("negate", (inner,)) if negative else inner
        return self.power(depth)

    def power(self, depth: int) -> Node:
        node = self.atom(depth)
        if self.peek() == "!":
            self.take()
            node = Node("factorial", (node,))
        if self.peek() == "^":
            self.take()
            node = Node("power", (node, self.signed(depth + 1)))
        return node

    def atom(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise Unreadable("nested too deeply")
        token = self.take()
        if token[0] in "0123456789.":
            return self._mixed(Node("number", value=Fraction(token)))
        if token in CONSTANTS:
            return Node("constant", name=CONSTANTS[token])
        if token in ("(", "{"):
            node = self.sum(depth + 1)
            self.take(")" if token == "(" else "}")
            return node
        name = token.removeprefix("\\")
        if token == "\\frac":
            return Node("divide", (self._argument(depth), self._argument(depth)))
        if name == "sqrt" or token == "√":
            return self._root(depth)
        if name in FUNCTIONS:
            return self._function(name, depth)
        if (len(token) == 1 and (token.isalpha() or token == "∞")) or (token[0] == "\\" and name in _GREEK):
            return Node("symbol", name="∞" if name == "infty" else name)
        raise Unreadable(f"unexpected {token!r}")

    def _mixed(self, number: Node) -> Node:
        r"""A whole number before ``\frac{1}{2}`` is a mixed number where the fraction is a proper one."""
        if self.peek() != "\\frac" or number.value.denominator != 1:
            return number
        at = self._at
        self.take()
        above, below = self._argument(0), self._argument(0)
        if above.kind == below.kind == "number" and 0 < above.value < below.value and self.peek() != "^":
            return Node("add", (number, Node("divide", (above, below))))
        self._at = at
        return number

    def _argument(self, depth: int) -> Node:
        r"""An argument of a command: in braces, or one digit or letter as in ``\frac12``."""
        token = self.peek()
        if token and token[0] in "0123456789" and len(token) > 1:
            self._tokens[self._at : self._at + 1] = [token[0], token[1:]]
        if token in ("-", "+", "(", "*", "/"):
            raise Unreadable("an argument without braces")
        if token and token[0] in "0123456789":
            return Node("number", value=Fraction(self.take()))
        return self.atom(depth + 1)

    def _root(self, depth: int) -> Node:
        index = Node("number", value=Fraction(2))
        if self.peek() == "[":
            self.take()
            index = self.sum(depth + 1)
            self.take("]")
        inner = self.atom(depth + 1) if self.peek() == "(" else self._argument(depth)
        return Node("root", (inner, index))

    def _function(self, name: str, depth: int) -> Node:
        if self.peek() == "_":
            raise Unreadable("a logarithm to a base")
        power = None
        if self.peek() == "^":
            self.take()
            power = self._argument(depth)
            if power.kind != "number" or power.value <= 0:
                raise Unreadable("an inverse function written as a power")
        bracketed = self.peek() in ("(", "{")  # sin(x)^2 is (sin x)^2, and sin x^2 is sin(x^2)
        node = Node("function", (self.atom(depth + 1) if bracketed else self.power(depth + 1),), name=name)
        if not bracketed and self._continues() and self.peek() not in ("*", "/"):
            raise Unreadable("ambiguous argument")  # sin 2x
        return Node("power", (node, power)) if power else node


def _is_number_times_fraction(left: Node, right: Node) -> bool:
    return left.kind == "number" and right.kind == "divide" and all(p.kind == "number" for p in right.parts)
