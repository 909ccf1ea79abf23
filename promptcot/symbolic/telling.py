"""Tells a graph as a problem in a skin's words, with its worked solution and its rationale."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Arg, Dag, Ref
from promptcot.symbolic.ports import Value
from promptcot.symbolic.skins.base import Form, Forms, Scene, Skin, call, pattern, plain, spaced, tight

MAX_NESTING = 2
_TRUTHS = ("true", "false")
_ROW = re.compile(r"-?\d+( -?\d+)+")


@dataclass(slots=True)
class Telling:
    """A statement, and how it speaks of each node.

    Attributes:
        named: Forms of the nodes that have a name in it; what is inlined has none.
        phrases: The phrase each node is told by, where it is told by one.
    """

    statement: str
    scene: Scene
    named: dict[int, Forms] = field(default_factory=dict)
    phrases: dict[int, str] = field(default_factory=dict)


def tell(dag: Dag, skin: Skin, rng: random.Random) -> Telling:
    """The statement of a problem: one sentence a named quantity, in a free order, then the question."""
    return _Teller(dag, skin, rng).tell()


class _Teller:
    def __init__(self, dag: Dag, skin: Skin, rng: random.Random) -> None:
        self.dag, self.skin, self.rng = dag, skin, rng
        self.uses = [0] * len(dag.nodes)
        for node in dag.nodes:
            for arg in node.args:
                if isinstance(arg, Ref):
                    self.uses[arg.node] += 1
        self.told: set[int] = set()
        self.phrases: dict[int, str] = {}
        self.spares: list[tuple[Forms, str]] = []
        self.scene = skin.scene(dag, rng)

    def tell(self) -> Telling:
        nodes = self.dag.nodes
        sentences: dict[int, list[str]] = {}
        question = self._direct_question()
        asked = self._given_sentences(0)
        for index in range(len(nodes) - 1, -1, -1):
            if index not in self.told:
                sentences[index] = self._define(index)
        if question is None:
            forms = self.scene.nodes[self.dag.answer]
            question = self._sentence("ask", {**forms, "term": forms["name"]}, self.skin.ends[1])
        ordered = [*asked, *self._order(sentences)]
        opening = (
            [self.scene.opening] if self.scene.opening and (self.scene.always or len(ordered) > 1) else []
        )
        named = {index: self.scene.nodes[index] for index in sentences}
        statement = self.skin.ends[2].join([*opening, *ordered, question])
        return Telling(statement, self.scene, named, self.phrases)

    def _direct_question(self) -> str | None:
        """Asks for the answer by its phrase, without naming it."""
        answer = self.dag.answer
        if self.uses[answer] or self.rng.random() > 2 * self.skin.inline:
            return None
        term = self._term(answer, self.skin.inline, nested=True)
        if term is None:
            return None
        self.told.add(answer)
        return self._sentence("ask", {"term": term}, self.skin.ends[1])

    def _define(self, index: int) -> list[str]:
        """The sentence that says what a node is, after those for given values told apart."""
        forms = self.scene.nodes[index]
        tale = self._tale(index)
        if tale:
            return [tale]
        before = len(self.spares)
        term = self._term(index, self.skin.inline)
        assert term is not None
        own = self._given_sentences(before)
        return [*own, self._sentence("define", {**forms, "term": term}, self.skin.ends[0])]

    def _given_sentences(self, first: int) -> list[str]:
        """The sentences of the given values that got a name, from the `first` such one on."""
        return [
            self._sentence("define", {**forms, "term": literal, "given": literal}, self.skin.ends[0])
            for forms, literal in self.spares[first:]
        ]

    def _tale(self, index: int) -> str | None:
        node = self.dag.nodes[index]
        forms = self.scene.nodes[index]
        if not self.skin.tales or not node.concept.tales or "holder" not in forms:
            return None
        first, *rest = node.args
        if not isinstance(first, Ref) and node.concept.symmetric and len(rest) == 1:
            first, rest = rest[0], [first]
        if not isinstance(first, Ref) or any(isinstance(arg, Ref) for arg in rest):
            return None
        holder = self.scene.nodes[first.node].get("holder")
        if holder is None or any(type(arg) is int and arg < 2 for arg in rest):
            return None
        names = list(node.concept.inputs)
        slots = {"out": forms["holder"], "things": self.scene.things, names[0]: holder}
        slots.update((name, self._literal(arg)) for name, arg in zip(names[1:], rest, strict=True))
        return _close(_fill(self.rng.choice(node.concept.tales), slots), self.skin.ends[0])

    def _term(self, index: int, inline: float, *, nested: bool = False, depth: int = 0) -> str | None:
        """A node as a noun phrase; `nested` ones must begin with an article, or None."""
        node = self.dag.nodes[index]
        choices = [p for p in self.skin.phrases(node.concept) if not nested or self.skin.nests(p)]
        if self.skin.wordy:
            wired = {n for n, a in zip(node.concept.inputs, node.args, strict=True) if isinstance(a, Ref)}
            choices = [p for p in choices if not tight(p) & wired] or ([] if nested else choices)
        if not choices:
            return None
        phrase = self.phrases[index] = choices[int(self.rng.random() * len(choices))]
        slots: dict[str, str] = {}
        for name, arg in zip(node.concept.inputs, node.args, strict=True):
            last = phrase.endswith(f"{{{name}}}")
            close = name in tight(phrase)
            if close and self.skin.wordy and not isinstance(arg, Ref):
                slots[name] = self._literal(arg)
            else:
                deeper = (last or self.skin.form == "code") and not close and depth < MAX_NESTING
                slots[name] = self._argument(arg, inline if deeper else 0.0, depth)
        return _fill(phrase, slots)

    def _argument(self, arg: Arg, inline: float, depth: int) -> str:
        if not isinstance(arg, Ref):
            spare = self._spare(arg) if self.skin.inline and self.rng.random() < 0.12 else None
            return spare or self._literal(arg)
        if self.uses[arg.node] == 1 and self.rng.random() < inline:
            term = self._term(arg.node, inline, nested=True, depth=depth + 1)
            if term is not None:
                self.told.add(arg.node)
                return term
        return self.scene.nodes[arg.node]["name"]

    def _spare(self, value: Value) -> str | None:
        """Gives a value a name of its own."""
        forms = self.scene.spare(value)
        if forms is None:
            return None
        self.spares.append((forms, self._literal(value)))
        return forms["name"]

    def _literal(self, value: Arg) -> str:
        assert not isinstance(value, Ref)
        return self.skin.literal(value)

    def _sentence(self, does: str, slots: Mapping[str, str], end: str) -> str:
        slots = {**slots, "things": self.scene.things} if self.scene.things else slots
        fitting = [
            frame.pattern
            for frame in self.skin.frames
            if frame.does == does and _slots(frame.pattern) <= slots.keys()
        ]
        return _close(_fill(fitting[int(self.rng.random() * len(fitting))], slots), end, skin=self.skin)

    def _order(self, sentences: dict[int, list[str]]) -> list[str]:
        """A random order in which everything is said before it is used."""
        needs = {index: self._needs(index) for index in sentences}
        said: set[int] = set()
        told: list[str] = []
        waiting = sorted(sentences)
        while waiting:
            ready = [index for index in waiting if needs[index] <= said]
            index = ready[0] if self.skin.form == "canonical" else self.rng.choice(ready)
            waiting.remove(index)
            said.add(index)
            told += sentences[index]
        return told

    def _needs(self, index: int) -> set[int]:
        """The named nodes that a node's sentence speaks of, through what is inlined in it."""
        found: set[int] = set()
        for arg in self.dag.nodes[index].args:
            if isinstance(arg, Ref):
                found |= self._needs(arg.node) if arg.node in self.told else {arg.node}
        return found


@lru_cache(maxsize=4096)
def _slots(text: str) -> frozenset[str]:
    """The slots of a pattern."""
    return frozenset(part.split("}")[0] for part in text.split("{")[1:])


def _fill(pattern: str, slots: Mapping[str, str]) -> str:
    return pattern.format_map(slots)


def _close(text: str, end: str, skin: Skin | None = None) -> str:
    if skin is not None and skin.form != "prose":
        return text + end
    if end == "?" and not text.startswith(("what", "how", "which")):
        end = "."
    return text[0].upper() + text[1:] + end


def solve(dag: Dag, telling: Telling | None, form: Form) -> list[str]:
    """The worked solution: every needed node in order, one step a line."""
    lines: list[str] = []
    for index in dag.live():
        concept = dag.nodes[index].concept
        args = dag.arguments(index)
        value, steps = concept.work(*args)
        assert value == dag.values[index]
        result = _literal(value, form)
        steps = steps if form == "canonical" else [_prose(step) for step in steps]
        label = _label(telling, index)
        if form == "prose" and "{" not in concept.symbol:
            lines += _in_words(label, _told(dag, telling, index), steps, result)
        else:
            lines += _in_signs(label, _apply(concept, args, form), steps, result)
    return lines


def _in_signs(label: str, shown: str, steps: list[str], result: str) -> list[str]:
    """The lines of a step whose concept is shown by its sign or as a function."""
    start = f"{_sets(label)}{shown}"
    if not steps:
        return [f"{start} = {result}"]
    return [start, *steps, f"{_sets(label) or f'{shown} = '}{result}"]


def _in_words(label: str, told: str, steps: list[str], result: str) -> list[str]:
    """The lines of a step whose concept has no sign of its own, told by its phrase."""
    if not label:
        if not steps:
            joined = ": " if result in _TRUTHS else " is "  # "that one of R and H is true is false" stumbles
            return [_upper(f"{told}{joined}{result}.")]
        # The last step mostly ends with the result; what has no name needs no more.
        return [_upper(f"{told}:"), *steps, *([] if _gives(steps[-1], result) else [f"This gives {result}."])]
    start = f"{_sets(label)}{told}" if ":" in _sets(label) else f"{label} is {told}"
    return [start + ".", *steps, f"{_sets(label)}{result}"] if steps else [f"{start}, which is {result}."]


def _sets(label: str) -> str:
    """What stands before a value: ``N = ``, or ``Red jar: `` for what a story tells of."""
    if not label:
        return ""
    return f"{_upper(label)}: " if " " in label else f"{label} = "


def _gives(step: str, result: str) -> bool:
    return step.endswith(f" = {result}")


def _told(dag: Dag, telling: Telling | None, index: int) -> str:
    """The phrase by which a statement tells a node, with values put in.

    Statements that are used keep their names, or their own phrases: "if true is true" is no English.
    """
    node = dag.nodes[index]
    phrases = telling.phrases if telling else {}
    slots = {}
    for port, arg, value in zip(node.concept.inputs, node.args, dag.arguments(index), strict=True):
        if isinstance(arg, Ref) and isinstance(value, bool):
            forms = telling.named.get(arg.node) if telling else None
            slots[port] = forms["name"] if forms else _told(dag, telling, arg.node)
        else:
            slots[port] = plain(value)
    return _fill(phrases.get(index, node.concept.phrases[0]), slots)


def _label(telling: Telling | None, index: int) -> str:
    forms = telling.named.get(index) if telling else None
    return forms.get("label", forms["name"]) if forms else ""


def _prose(step: str) -> str:
    """A step as people write it: negative numbers after a sign in brackets, commas between listed ones."""
    if _ROW.fullmatch(step):
        return step.replace(" ", ", ")
    return re.sub(r"(?<=[-+*/] )(-\d+)", r"(\1)", step).replace(" * ", " × ")


def _apply(concept: SymbolicConcept, args: tuple[Value, ...], form: Form) -> str:
    """A concept with its values put in: ``48 + 18``, ``gcd(48, 18)``, or ``gcd 48 18`` for small models."""
    if form == "canonical":
        texts = [spaced(arg) for arg in args]
        return _fill(pattern(concept), dict(zip(concept.inputs, texts, strict=True)))
    shown = _fill(call(concept), dict(zip(concept.inputs, map(plain, args), strict=True)))
    return _prose(shown) if "{" in concept.symbol else shown


def _literal(value: Value, form: Form) -> str:
    return spaced(value) if form == "canonical" else plain(value)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
