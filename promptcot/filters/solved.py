"""Keeps problems whose answer independent attempts arrive at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from promptcot.config import Settings, validate
from promptcot.filters.base import Filter, drop, keep
from promptcot.records import Candidate, Verdict
from promptcot.verification.vote import majority

RULE = "solved"


class Options(Settings):
    """Options of the filter.

    Attributes:
        agreement: Least share of the solver's attempts that must equal the problem's answer.
        at_least: Least number of such attempts.
    """

    agreement: float = Field(0.5, ge=0, le=1)
    at_least: int = Field(1, ge=1)


def solved(options: Mapping[str, Any]) -> Filter:
    """The factory named by the entry point ``solved`` of ``promptcot.filters``."""
    return Solved(validate(Options, options, where="filters.solved"))


class Solved:
    """The filter. It looks at the solver's attempts; a student's only say how hard a problem is."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Keeps a candidate whose answer enough attempts agree with."""
        attempts = [attempt for attempt in candidate.attempts if attempt.role == "solver"]
        if not attempts:
            return drop(RULE, "unsolved", "no attempt was made")
        right = sum(attempt.correct is True for attempt in attempts)
        share, needed = right / len(attempts), self.options.agreement
        if right >= self.options.at_least and share >= needed:
            return keep(RULE, share, needed)
        answers = [attempt.answer for attempt in attempts]
        vote = majority(answers)
        said = f"the answer is given as {candidate.problem.answer.value!r}; {right} of {len(attempts)} agree"
        if vote.answer is None:
            return drop(RULE, "no-answer", said, share, needed)
        said += f", and {vote.votes} say {vote.answer!r}"
        if all(attempt.correct is None for attempt in attempts):
            return drop(RULE, "undecided", said, share, needed)
        if right and vote.tied:
            return drop(RULE, "ambiguous", said, share, needed)
        return drop(RULE, "wrong-answer", said, share, needed)
