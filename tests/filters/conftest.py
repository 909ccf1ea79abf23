from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable

import pytest

from promptcot.records import Answer, Attempt, Candidate, Difficulty, Judgement, Problem, Recipe


@pytest.fixture(scope="session")
def candidate() -> Callable[..., Candidate]:
    """Makes candidates from a few words about them."""

    def make(
        statement: str = "What is 2 + 3?",
        answer: str = "5",
        *,
        ordinal: int = 0,
        ratings: tuple[dict[str, str], ...] = (),
        attempts: tuple[tuple[str | None, bool | None], ...] = (),
        difficulty: Difficulty | None = None,
    ) -> Candidate:
        recipe = Recipe(
            id=f"r{ordinal:08d}", ordinal=ordinal, concepts=("a",), domain="d", level=1, seed=ordinal
        )
        problem = Problem(
            id=f"p{ordinal}",
            statement=statement,
            answer=Answer(kind="expression", value=answer),
            recipe=recipe,
        )
        return Candidate(
            problem=problem,
            judgements=tuple(Judgement(problem_id=problem.id, judge="j", ratings=r) for r in ratings),
            attempts=tuple(
                Attempt(problem_id=problem.id, solver="s", sample=i, text="", answer=given, correct=correct)
                for i, (given, correct) in enumerate(attempts)
            ),
            difficulty=difficulty,
        )

    return make


@pytest.fixture(scope="session")
def generated_statements() -> Callable[[int], list[str]]:
    """Statements of problems that the embedded backend authors, as a run would have them made."""

    def make(count: int) -> list[str]:
        from promptcot.config import Config, Execution
        from promptcot.errors import ParseError
        from promptcot.pipeline.parts import assemble
        from promptcot.prompting import variables
        from promptcot.prompting.parse import parse_problem

        config = Config()
        parts = assemble(config, Execution())

        async def statements() -> list[str]:
            found: list[str] = []
            for ordinal in itertools.count():
                if len(found) == count:
                    break
                recipe = parts.recipes.recipe(ordinal)
                given = variables.author(recipe, parts.concepts)
                prompt = parts.renderer.prompt(config.templates.author, role="author", recipe=recipe, **given)
                with contextlib.suppress(ParseError):  # a recipe of which no problem can be made
                    found.append(
                        parse_problem(prompt, await parts.backends["author"].complete(prompt)).statement
                    )
            await parts.close()
            return found

        return asyncio.run(statements())

    return make
