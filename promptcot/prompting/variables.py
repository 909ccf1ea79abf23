"""What each shipped template is given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from promptcot.errors import ResourceError
from promptcot.records import Concept, Problem, Recipe

_LEVELS = (
    "early primary school",
    "primary school",
    "lower secondary school",
    "upper secondary school",
    "a school contest (AMC 8, AMC 10)",
    "a hard school contest (AMC 12)",
    "an invitational contest (AIME)",
    "a hard invitational contest (the last problems of an AIME)",
    "a national olympiad",
    "an international olympiad",
)


def level_name(level: int) -> str:
    """What a level from 1 to 10 stands for, in words that a model knows."""
    return _LEVELS[min(max(level, 1), len(_LEVELS)) - 1]


def author(recipe: Recipe, concepts: Mapping[str, Concept]) -> dict[str, Any]:
    """Variables of ``author-math`` and ``author-code``.

    Raises:
        ResourceError: The recipe names a concept that is not in `concepts`.
    """
    return {
        "concepts": _named(recipe, concepts),
        "level": recipe.level,
        "level_name": level_name(recipe.level),
        "domain": recipe.domain,
    }


def judge(problem: Problem, concepts: Mapping[str, Concept]) -> dict[str, Any]:
    """Variables of ``judge``."""
    return {
        "problem": problem.statement,
        "answer": problem.answer.value,
        "concepts": _named(problem.recipe, concepts),
        "level": problem.recipe.level,
        "level_name": level_name(problem.recipe.level),
    }


def solve(problem: Problem) -> dict[str, Any]:
    """Variables of ``solve``."""
    return {"problem": problem.statement}


def _named(recipe: Recipe, concepts: Mapping[str, Concept]) -> list[Concept]:
    missing = [name for name in recipe.concepts if name not in concepts]
    if missing:
        raise ResourceError(
            f"recipe {recipe.id}: the concept {missing[0]!r} is not in the graph",
            remedy="use the library the run was started with",
        )
    return [concepts[name] for name in recipe.concepts]
