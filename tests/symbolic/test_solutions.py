"""Worked solutions and rationales: every step is right, says something, and is English."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from fractions import Fraction

import pytest

from promptcot.records import Recipe
from promptcot.seeding import rng
from promptcot.symbolic.engine import Draft, Engine
from promptcot.symbolic.library import library
from promptcot.symbolic.ports import Bounds

ENGINE = Engine(library(plugins=False))
IDS = sorted(ENGINE.concepts)
SIGNS: dict[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
FORMULA = re.compile(r"[-+*/() \d]+")


def worth(formula: str) -> Fraction:
    """The value of a formula of whole numbers, by Python's grammar and exact fractions."""

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.Constant(value=int(number)):
                return Fraction(number)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -value(operand)
            case ast.BinOp(left=left, op=op, right=right):
                return SIGNS[type(op)](value(left), value(right))
        raise AssertionError(f"not a formula: {formula}")

    return value(ast.parse(formula.strip(), mode="eval").body)


def drafts(count: int, skin: str) -> list[Draft]:
    random = rng(1, "solutions", skin)
    return [
        ENGINE.author(
            Recipe(
                id="r",
                ordinal=seed,
                concepts=tuple(random.sample(IDS, random.randint(1, 3))),
                domain="",
                level=random.randint(1, 9),
                seed=seed,
            ),
            skin=skin,
        )
        for seed in range(count)
    ]


@pytest.mark.parametrize("id", IDS)
def test_every_step_is_right_and_says_something(id: str) -> None:
    concept, random, formulas = ENGINE.concepts[id], rng(0, "steps", id), 0
    for trial in range(60):
        args = [port.draw(random, Bounds(max_leaf=(9, 30, 60)[trial % 3])) for port in concept.ports]
        value, steps = concept.work(*args)
        if value is None:
            continue
        for step in steps:
            left, sign, right = step.partition(" = ")
            if sign and FORMULA.fullmatch(left) and FORMULA.fullmatch(right):
                assert worth(left) == worth(right), (args, step)
                assert left.strip() != right.strip(), (args, step)
                formulas += 1
    assert formulas or not concept.stepped or id in WITHOUT_FORMULAS


WITHOUT_FORMULAS = {"lists.median", "sequences.collatz-steps", "number-theory.power-remainder"}


@pytest.mark.parametrize("skin", ["letters", "story"])
def test_solutions_speak_in_the_words_of_their_problem(skin: str) -> None:
    for draft in drafts(250, skin):
        assert not re.search(r"\b(true|false) (is|are|holds|implies|does)\b", draft.solution), draft.solution
        for line in draft.solution.splitlines()[:-1]:
            assert line[0].isupper() or line[0] in '-[("' or line[0].isdigit() or " = " in line, line


def test_the_rationale_names_every_concept_and_the_answer() -> None:
    for draft in drafts(150, "letters"):
        dag = ENGINE.read(draft.statement)
        for index in dag.live():
            assert f"'{dag.nodes[index].concept.name}'" in draft.rationale
        if draft.measures["distractors"]:
            assert re.search(r"trap|gets no closer|distraction", draft.rationale), draft.rationale


def test_a_legend_is_no_tautology() -> None:
    for draft in drafts(250, "trace"):
        assert not re.search(r"\b(\w+) = \1\b(?! means)", draft.statement.split("\n\n")[0]), draft.statement
