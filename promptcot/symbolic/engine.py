"""The symbolic engine: authors, reads, solves and judges problems, with no model at all.

What it writes it has checked: every step by a second route, and the text itself by
reading it back and computing what it says. What it judges or solves it knows only
from the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptcot.errors import ConfigError, ParseError, VerificationError
from promptcot.records import Recipe
from promptcot.resources import unknown
from promptcot.seeding import rng as seeded
from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.dag import Dag, dead_part, measure, structure
from promptcot.symbolic.grammar import Grammar
from promptcot.symbolic.ports import Value
from promptcot.symbolic.rationale import rationale
from promptcot.symbolic.skins import SKINS
from promptcot.symbolic.skins.base import Skin, plain
from promptcot.symbolic.telling import Telling, solve, tell
from promptcot.symbolic.wiring import plan_for, wire

_WORD = re.compile(r"\w+|[^\w\s]")
_CRITERIA = ("format", "factual", "difficulty", "coverage", "solvability")
TRIES = 4
"""How often another wiring is drawn before a recipe counts as impossible."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A problem as the engine hands it out, verified.

    Attributes:
        measures: The difficulty vector and its scalar ``prior``, measured on the statement as read back.
        structure: Hash of concepts and wiring.
        skin: The skin it is told in.
    """

    statement: str
    rationale: str
    solution: str
    answer: str
    measures: dict[str, float]
    structure: str
    skin: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the engine finds when it reads a problem: ratings, measures, structure and the worst flaw."""

    ratings: dict[str, str]
    measures: dict[str, float]
    structure: str
    comment: str


class Engine:
    """Problems from a library of symbolic concepts.

    Args:
        concepts: The library by id (see `promptcot.symbolic.library.library`).
        skins: Names of the skins to read; all by default.

    Raises:
        ConfigError: Two concepts share a phrase, or a skin does not exist.
    """

    def __init__(self, concepts: Mapping[str, SymbolicConcept], skins: Iterable[str] = tuple(SKINS)) -> None:
        self.concepts = dict(sorted(concepts.items()))
        self.skins: dict[str, Skin] = {}
        for name in skins:
            if name not in SKINS:
                raise ConfigError(unknown("skin", name, SKINS))
            self.skins[name] = SKINS[name]
        self.grammars: dict[str, Grammar] = {n: s.grammar(self.concepts) for n, s in self.skins.items()}
        self.joiners = [concept for concept in self.concepts.values() if concept.joins]
        self.providers = [
            concept
            for concept in self.concepts.values()
            if not concept.output.drawable and all(port.drawable for port in concept.ports)
        ]
        self._by_name = {
            _plain_name(name): concept.id
            for concept in self.concepts.values()
            for name in (*concept.aliases, concept.name, concept.id)
        }

    def author(
        self, recipe: Recipe, *, skin: str = "letters", sample: int = 0, **bounds: int | None
    ) -> Draft:
        """A verified problem that needs every concept of `recipe`.

        Args:
            skin: The skin to tell it in.
            sample: Which of several problems of the same recipe.
            bounds: What to set instead of what the level says: ``distractors``, ``extra`` (operations),
                ``max_leaf``, ``max_value``, ``max_items``.

        Raises:
            ConfigError: The recipe names a concept or skin that is not in the library.
            ParseError: No live problem joins these concepts within the bounds (reason ``unwirable``).
            VerificationError: A check failed; the message names the recipe and its seed.
        """
        if skin not in self.skins:
            raise ConfigError(unknown("skin", skin, self.skins))
        required = [self._concept(id) for id in dict.fromkeys(recipe.concepts)]
        rng = seeded(recipe.seed, "symbolic", sample)
        for _ in range(TRIES):
            plan = plan_for(required, recipe.level, rng, **bounds)
            dag = wire(plan, self.joiners, self.providers, rng)
            if dag is not None:
                break
        else:
            names = ", ".join(recipe.concepts)
            raise ParseError(f"no problem joins {names} within the bounds", reason="unwirable")
        telling = tell(dag, self.skins[skin], rng)
        try:
            read = self._verify(dag, telling)
        except (VerificationError, ParseError) as error:
            raise VerificationError(
                f"recipe {recipe.id} (concepts {', '.join(recipe.concepts)}; level {recipe.level}; seed "
                f"{recipe.seed}; sample {sample}; skin {skin}): {error} in {telling.statement!r}",
                remedy="this is a defect of a concept or of its phrases",
            ) from error
        form = self.skins[skin].form
        canonical = form == "canonical"
        lines = solve(dag, telling, form)
        answer = render_answer(dag.values[dag.answer])
        lines.append(f"\\boxed{{{answer}}}" if canonical else f"The answer is \\boxed{{{answer}}}.")
        return Draft(
            statement=telling.statement,
            rationale=rationale(dag, plan.bounds, rng, brief=canonical),
            solution="\n".join(lines),
            answer=answer,
            measures=self._measure(read, telling.statement),
            structure=structure(read),
            skin=skin,
        )

    def read(self, statement: str) -> Dag:
        """The problem that a statement tells, in whichever skin.

        Raises:
            ParseError: No skin reads it in exactly one way.
        """
        told = self._skin_of(statement)
        if told is not None:
            return self.grammars[told.name].read(statement)
        errors: list[ParseError] = []
        for name, grammar in self.grammars.items():
            if self.skins[name].opens is None:
                try:
                    return grammar.read(statement)
                except ParseError as error:
                    errors.append(error)
        raise next((e for e in errors if e.reason != "unreadable"), errors[0])

    def _skin_of(self, statement: str) -> Skin | None:
        """The skin that a statement's beginning gives away."""
        return next(
            (s for s in self.skins.values() if s.opens is not None and s.opens.match(statement)), None
        )

    def solve(self, statement: str) -> tuple[str, list[str]]:
        """The answer of a statement, and the worked steps that lead to it.

        Raises:
            ParseError: It cannot be read.
        """
        dag = self.read(statement)
        told = self._skin_of(statement)
        return render_answer(dag.values[dag.answer]), solve(dag, None, told.form if told else "prose")

    def judge(self, statement: str, answer: str, concepts: Sequence[str], level: int) -> Opinion:
        """Rates a problem by what its text says; every measure is taken from the text.

        Args:
            concepts: Names or ids of the concepts it is to need.
            level: The level it was asked for, 1 to 10.
        """
        ratings = dict.fromkeys(_CRITERIA, "perfect")
        try:
            dag = self.read(statement)
        except ParseError as error:
            ratings.update(format="bad", solvability="bad", factual="bad", coverage="bad", difficulty="bad")
            return Opinion(ratings, {}, "", str(error))
        flaws: list[str] = []
        live = {dag.nodes[index].concept.id for index in dag.live()}
        right = render_answer(dag.values[dag.answer])
        wrong = self._wrong_route(dag)
        if right != _squeeze(answer) or wrong:
            ratings["factual"] = "bad"
            flaws.append(wrong or f"the answer is {right}, not {answer}")
        missing = [name for name in concepts if self._by_name.get(_plain_name(name)) not in live]
        dead = dead_part(dag)
        if missing or dead:
            ratings["coverage"] = "bad"
            flaws.append(
                f"not needed: {', '.join(missing)}" if missing else f"cannot move the answer: {dead}"
            )
        measures = self._measure(dag, statement)
        if abs(1 + 9 * measures["prior"] - level) > 3:
            ratings["difficulty"] = "acceptable"
        return Opinion(ratings, measures, structure(dag), "; ".join(flaws))

    def find(self, text: str) -> list[SymbolicConcept]:
        """The concepts a text speaks of: those it needs where it can be read, else those it names."""
        try:
            dag = self.read(text)
            ids = sorted({dag.nodes[index].concept.id for index in dag.live()})
        except ParseError:
            flat = f" {_plain_name(text)} "
            ids = sorted({id for name, id in self._by_name.items() if f" {name} " in flat})
        return [self.concepts[id] for id in ids]

    def _concept(self, id: str) -> SymbolicConcept:
        concept = self.concepts.get(id)
        if concept is None:
            raise ConfigError(
                f"the symbolic engine cannot compute: {unknown('concept', id, self.concepts)}",
                remedy="use the graph symbolic-core, or bind the author role to a language model",
            )
        return concept

    def _verify(self, dag: Dag, telling: Telling) -> Dag:
        """Reads a telling back and holds it against the graph it was made from.

        Raises:
            VerificationError: The text says something else, or a value fails its second route.
            ParseError: The text cannot be read.
        """
        read = self.read(telling.statement)
        if read.values[read.answer] != dag.values[dag.answer]:
            raise VerificationError(f"reads back as {read.values[read.answer]!r}")
        if structure(read) != structure(dag) or len(read.nodes) != len(dag.nodes) or read.spare != dag.spare:
            raise VerificationError("reads back as another structure")
        for index, node in enumerate(read.nodes):
            node.concept.verify(read.arguments(index), read.values[index])
        return read

    def _wrong_route(self, dag: Dag) -> str:
        for index, node in enumerate(dag.nodes):
            try:
                node.concept.verify(dag.arguments(index), dag.values[index])
            except VerificationError as error:
                return str(error)
        return ""

    def _measure(self, dag: Dag, statement: str) -> dict[str, float]:
        steps = len(solve(dag, None, "canonical"))  # not those of a skin: wording is no difficulty
        return measure(dag, steps=steps, tokens=count_tokens(statement))


def count_tokens(text: str) -> int:
    """Words, numbers and marks of a text: what stands in for a tokenizer's count here."""
    return len(_WORD.findall(text))


def render_answer(value: Value) -> str:
    """An answer as it is written in ``answer`` and in a box: lists without brackets, words bare."""
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return value if isinstance(value, str) else plain(value)


def _squeeze(answer: str) -> str:
    text = answer.strip().removeprefix("[").removesuffix("]").strip('"')
    return ", ".join(part.strip() for part in text.split(","))


def _plain_name(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.lower()))
