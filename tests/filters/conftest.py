from __future__ import annotations

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
    """Statements of the symbolic engine on its own library, as a run would make them."""

    def make(count: int) -> list[str]:
        from promptcot.concepts import library
        from promptcot.concepts.sampler import Sampler
        from promptcot.config import Sampling
        from promptcot.symbolic import library as symbolic
        from promptcot.symbolic.engine import Engine

        sampler = Sampler(library.load("symbolic-core"), Sampling(), seed=11)
        engine = Engine(symbolic.library())
        return [engine.author(sampler.recipe(i), skin="letters").statement for i in range(count)]

    return make
