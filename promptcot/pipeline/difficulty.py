"""How hard a problem is: the pass rate of who really samples, else a prior from its structure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from promptcot.records import Attempt, Difficulty, Judgement, Recipe
from promptcot.verification.statistics import wilson

_HALF = 6.0  # effort, in operations, at which the prior is one half


def measure(
    judgements: Sequence[Judgement], attempts: Sequence[Attempt], recipe: Recipe, *, sampled: bool
) -> Difficulty:
    """The difficulty of a problem.

    Args:
        attempts: Those whose pass rate counts: the student's where there is one, else the solver's.
        sampled: Whether these attempts are draws that could have come out otherwise. Of a solver that
            always gives one answer a pass rate says nothing.
    """
    measures = next((j.measures for j in judgements if j.measures), {})
    if sampled and attempts:
        passes = sum(attempt.correct is True for attempt in attempts)
        low, high = wilson(passes, len(attempts))
        return Difficulty(
            score=1 - passes / len(attempts),
            method="pass-rate",
            passes=passes,
            attempts=len(attempts),
            low=1 - high,
            high=1 - low,
            solver=attempts[0].solver,
            measures=measures,
        )
    score = prior(measures, recipe)
    return Difficulty(score=score, method="structure", low=score, high=score, measures=measures)


def prior(measures: Mapping[str, float], recipe: Recipe) -> float:
    """An estimate between 0 and 1 from what is known without anyone's attempts.

    The judge's own ``prior`` where it measured one; else from the operations, their depth, the
    distractors and the digits; else from the level the problem was asked to have.
    """
    if "prior" in measures:
        return min(1.0, max(0.0, measures["prior"]))
    if "ops" not in measures:
        return (min(max(recipe.level, 1), 10) - 0.5) / 10
    effort = (
        measures["ops"]
        + 0.5 * max(0.0, measures.get("depth", 1) - 1)
        + 0.5 * measures.get("distractors", 0)
        + 0.25 * max(0.0, measures.get("digits", 1) - 1)
    )
    effort = max(0.0, effort)
    return effort / (effort + _HALF)
