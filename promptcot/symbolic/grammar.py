"""Reads a told problem back: sentences into definitions, definitions into a graph.

Every phrase and sentence frame is a pattern of words and slots; a skin's patterns make
one trie, and a slot is read by descending again. A sentence that reads in two ways is an error,
so a statement means one problem or none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Any

from promptcot.errors import ConfigError, ParseError
from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Arg, Dag, Node, Ref, compute
from promptcot.symbolic.ports import Value

MAX_TOKENS = 20_000
MAX_NODES = 200


class Slot(IntEnum):
    """What a slot of a pattern holds."""

    ARG = 1  # an argument of a concept: a given value, a name or a phrase that begins with a word
    TERM = 8  # what a sentence speaks of: the same, or a phrase that begins with a value or name
    ATOM = 9  # a given value or a name
    GIVEN = 2  # a given value
    NAME = 3  # a noun phrase for a quantity
    HOLDER = 4  # the thing that holds a quantity
    OWNER = 5  # whose card it is on, as a possessive
    PERSON = 6  # who wrote it
    THINGS = 7  # a plural noun that means nothing


SLOT_OF = {
    "term": Slot.TERM, "number": Slot.NAME, "given": Slot.GIVEN, "name": Slot.NAME, "holder": Slot.HOLDER,
    "owner": Slot.OWNER, "person": Slot.PERSON, "things": Slot.THINGS, "out": Slot.HOLDER,
}  # fmt: skip
_PIECE = re.compile(r"\{(\w+)\}|([^\s{]+)")


@dataclass(frozen=True, slots=True)
class Call:
    """A concept applied to terms."""

    concept: SymbolicConcept
    args: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Named:
    """A quantity by the key of its name."""

    key: str


@dataclass(frozen=True, slots=True)
class Given:
    """A given value."""

    value: Value


Term = Call | Named | Given
Found = list[tuple[int, Any]]
Tokens = Sequence[str]
Reader = Callable[[Slot, Tokens, int], tuple[int, str] | None]


@dataclass(frozen=True, slots=True)
class Frame:
    """A sentence: what it does (``define``, ``ask``, ``scene``) and its pattern."""

    does: str
    pattern: str


class Trie:
    """A node of the trie of patterns: what follows by word or by slot, and what ends here."""

    __slots__ = ("end", "slots", "words")

    def __init__(self) -> None:
        self.words: dict[str, Trie] = {}
        self.slots: dict[Slot, Trie] = {}
        self.end: tuple[Any, tuple[str, ...]] | None = None


class Grammar:
    """The patterns of one skin over one library.

    Args:
        frames: The skin's sentences.
        tokenise: Text to tokens, lower-cased except for names.
        reader: Reads the skin's names: (slot, tokens, start) to (end, key).
        phrases: Noun phrases of each concept; `tales` its comparing sentences.
        lead: What may stand in a slot that begins a phrase: ATOM, or ARG where brackets keep it clear.
    """

    def __init__(
        self,
        frames: Iterable[Frame],
        tokenise: Callable[[str], list[str]],
        reader: Reader,
        phrases: Mapping[str, Sequence[str]],
        tales: Mapping[str, Sequence[str]],
        concepts: Mapping[str, SymbolicConcept],
        *,
        lead: Slot = Slot.ATOM,
    ) -> None:
        self.tokenise, self.reader = tokenise, reader
        self.closed, self.leading, self.frames = Trie(), Trie(), Trie()
        for id, patterns in phrases.items():
            slots = dict.fromkeys(concepts[id].inputs, Slot.ARG)
            for pattern in patterns:
                if pattern.startswith("{"):
                    first = pattern[1 : pattern.index("}")]
                    self._add(self.leading, pattern, concepts[id], {**slots, first: lead})
                else:
                    self._add(self.closed, pattern, concepts[id], slots)
        for frame in frames:
            self._add(self.frames, frame.pattern, frame.does, SLOT_OF)
        for id, patterns in tales.items():
            first, *rest = concepts[id].inputs
            slots = {**SLOT_OF, first: Slot.HOLDER, **dict.fromkeys(rest, Slot.GIVEN)}
            for pattern in patterns:
                self._add(self.frames, pattern, concepts[id], slots)

    def _add(self, node: Trie, pattern: str, means: Any, slots: Mapping[str, Slot]) -> None:
        names: list[str] = []
        for piece in _PIECE.finditer(pattern):
            if piece[1]:
                slot = slots[piece[1]]
                names += [piece[1]] if slot is not Slot.THINGS else []
                node = node.slots.setdefault(slot, Trie())
            else:
                for token in self.tokenise(piece[2]):
                    node = node.words.setdefault(token, Trie())
        if node.end is not None and node.end[0] is not means:
            other = getattr(node.end[0], "id", node.end[0])
            raise ConfigError(f"{getattr(means, 'id', means)} and {other} share the phrase {pattern!r}")
        node.end = (means, tuple(names))

    def read(self, text: str) -> Dag:
        """The problem that `text` tells.

        Raises:
            ParseError: It cannot be read in exactly one way, or asks for nothing that can be computed.
        """
        tokens = self.tokenise(text)
        if len(tokens) > MAX_TOKENS:
            raise ParseError("the statement is too long to read", reason="unreadable")
        try:
            return self._read(tokens)
        except RecursionError as error:
            raise ParseError("the statement is nested too deeply", reason="unreadable") from error

    def _read(self, tokens: list[str]) -> Dag:
        defined: dict[str, Term] = {}
        asked: list[Term] = []
        for sentence in _sentences(tokens):
            does, parts = self._sentence(sentence)
            if isinstance(does, SymbolicConcept):
                args = tuple(_as_term(parts[name]) for name in does.inputs)
                _define(defined, parts["out"], Call(does, args))
            elif does == "define":
                key = next(
                    parts[name] for name in ("name", "number", "holder", "owner", "person") if name in parts
                )
                _define(defined, key, parts["term"] if "term" in parts else parts["given"])
            elif does == "ask":
                asked += [_as_term(part) for part in parts.values()]
        if len(asked) != 1:
            raise ParseError(f"the statement asks {len(asked)} questions", reason="unreadable")
        return _link(defined, asked[0])

    def _sentence(self, tokens: list[str]) -> tuple[Any, dict[str, Any]]:
        found = [
            (means, dict(zip(names, values, strict=True)))
            for end, (means, names), values in _Descent(self, tokens).match(self.frames, 0)
            if end == len(tokens)
        ]
        if not found:
            raise ParseError(f"cannot read the sentence: {' '.join(tokens)[:120]}", reason="unreadable")
        if any(other != found[0] for other in found[1:]):
            raise ParseError(f"reads in two ways: {' '.join(tokens)[:120]}", reason="ambiguous")
        return found[0]


class _Descent:
    """Reads one sentence, remembering what was read from each place."""

    __slots__ = ("grammar", "memo", "tokens")

    def __init__(self, grammar: Grammar, tokens: list[str]) -> None:
        self.grammar, self.tokens = grammar, tokens
        self.memo: dict[tuple[int, int], Found] = {}

    def match(
        self, node: Trie, start: int, values: tuple[Any, ...] = ()
    ) -> list[tuple[int, Any, tuple[Any, ...]]]:
        """Every way to go from `node` to an end: where, what it means, and what its slots hold."""
        found: list[tuple[int, Any, tuple[Any, ...]]] = []
        tokens, size = self.tokens, len(self.tokens)
        while True:
            if node.end is not None:
                found.append((start, node.end, values))
            if start >= size:
                return found
            for slot, child in node.slots.items():
                for end, value in self.slot(slot, start):
                    found += self.match(child, end, values if slot is Slot.THINGS else (*values, value))
            following = node.words.get(tokens[start])
            if following is None:
                return found
            node = following
            start += 1

    def slot(self, slot: Slot, start: int) -> Found:
        """What can stand in a slot at `start`: ends and values."""
        if start >= len(self.tokens):
            return []
        if slot is Slot.THINGS:
            return [(start + 1, None)] if self.tokens[start].isalpha() else []
        if slot is Slot.GIVEN:
            return _literal(self.tokens, start)
        if slot in (Slot.HOLDER, Slot.OWNER, Slot.PERSON, Slot.NAME):
            read = self.grammar.reader(slot, self.tokens, start)
            return [read] if read else []
        key = (start, int(slot))
        if key not in self.memo:
            self.memo[key] = self._term(slot, start)
        return self.memo[key]

    def _term(self, slot: Slot, start: int) -> Found:
        found: Found = _literal(self.tokens, start)
        name = self.grammar.reader(Slot.NAME, self.tokens, start)
        if name:
            found.append((name[0], Named(name[1])))
        if slot is not Slot.ATOM:
            found += self._calls(self.grammar.closed, start)
        if slot is Slot.TERM:
            found += self._calls(self.grammar.leading, start)
        return found

    def _calls(self, trie: Trie, start: int) -> Found:
        found: Found = []
        for end, (concept, names), values in self.match(trie, start):
            by_name = dict(zip(names, values, strict=True))
            args = tuple(by_name[port] for port in concept.inputs)
            if all(
                not isinstance(arg, Given) or port.accepts(arg.value)
                for arg, port in zip(args, concept.ports, strict=True)
            ):
                found.append((end, Call(concept, args)))
        return found


_INTEGER = re.compile(r"-?\d{1,18}")
_FRACTION = re.compile(r"-?\d{1,9}/[1-9]\d{0,8}")


def _literal(tokens: Tokens, start: int) -> Found:
    token = tokens[start]
    if token == "[":
        items: list[int] = []
        for place in range(start + 1, len(tokens)):
            if tokens[place] == "]":
                return [(place + 1, Given(tuple(items)))]
            if tokens[place] != ",":
                if not _INTEGER.fullmatch(tokens[place]):
                    return []
                items.append(int(tokens[place]))
        return []
    if token[0] == '"':
        return [(start + 1, Given(token[1:-1]))]
    if _INTEGER.fullmatch(token):
        return [(start + 1, Given(int(token)))]
    if _FRACTION.fullmatch(token):
        return [(start + 1, Given(Fraction(token)))]
    return []


def _sentences(tokens: list[str]) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for token in tokens:
        if token in (".", "?", ";"):
            sentences.append([])
        else:
            sentences[-1].append(token)
    return [sentence for sentence in sentences if sentence]


def _as_term(part: Any) -> Term:
    return Named(part) if isinstance(part, str) else part


def _define(defined: dict[str, Term], key: str, term: Term) -> None:
    if key in defined:
        raise ParseError(f"{key} is defined twice", reason="ambiguous")
    defined[key] = term


def _link(defined: Mapping[str, Term], asked: Term) -> Dag:
    nodes: list[Node] = []
    made: dict[str, Arg] = {}
    used: set[str] = set()
    open_keys: set[str] = set()

    def build(term: Term) -> Arg:
        if isinstance(term, Given):
            return term.value
        if isinstance(term, Call):
            args = tuple([build(arg) for arg in term.args])
            nodes.append(Node(term.concept, args))
            return Ref(len(nodes) - 1)
        if term.key in open_keys:
            raise ParseError(f"{term.key} is defined by itself", reason="circular")
        if term.key not in defined:
            raise ParseError(f"nothing says what {term.key} is", reason="undefined-name")
        used.add(term.key)
        if term.key not in made:
            open_keys.add(term.key)
            made[term.key] = build(defined[term.key])
            open_keys.discard(term.key)
        return made[term.key]

    answer = build(asked)
    for key in defined:
        if key not in made:
            made[key] = build(defined[key])
    if not isinstance(answer, Ref):
        raise ParseError("the statement asks for a given value", reason="trivial")
    if len(nodes) > MAX_NODES:
        raise ParseError(f"the statement has {len(nodes)} operations", reason="unreadable")
    values = compute(nodes)
    if values is None:
        raise ParseError("the statement asks for what its concepts do not give", reason="ill-typed")
    spare = sum(not isinstance(arg, Ref) and key not in used for key, arg in made.items())
    return Dag(tuple(nodes), values, answer.node, spare)
