"""Keeps what the judges rate well, by one explicit rule over their ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from promptcot.config import Settings, validate
from promptcot.filters.base import Filter, drop, keep
from promptcot.records import Candidate, Verdict

RULE = "judge"
SCORES = {"bad": 0.0, "acceptable": 0.5, "perfect": 1.0}
"""What a rating counts in a mean."""


class Options(Settings):
    """Options of the filter.

    Attributes:
        require: ``all-perfect``; ``perfect-and-no-bad`` (at least one perfect, none bad); ``no-bad``;
            or ``mean`` (mean score of all ratings at least `mean`; perfect is 1, acceptable 0.5).
        mean: The threshold of ``mean``.
        criteria: Criteria that count; empty is all. One that a judge did not rate drops the problem.
    """

    require: Literal["all-perfect", "perfect-and-no-bad", "no-bad", "mean"] = "perfect-and-no-bad"
    mean: float = Field(0.75, ge=0, le=1)
    criteria: tuple[str, ...] = ()


def judge(options: Mapping[str, Any]) -> Filter:
    """The factory named by the entry point ``judge`` of ``promptcot.filters``."""
    return Judge(validate(Options, options, where="filters.judge"))


class Judge:
    """The filter."""

    early = True

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Keeps a candidate whose every judgement passes the rule."""
        if not candidate.judgements:
            return drop(RULE, "unjudged", "no judgement was given")
        means: list[float] = []
        for judgement in candidate.judgements:
            names = self.options.criteria or tuple(judgement.ratings)
            missing = [name for name in names if name not in judgement.ratings]
            if missing or not names:
                return drop(
                    RULE, "unrated", f"{judgement.judge} did not rate {', '.join(missing) or 'anything'}"
                )
            ratings = {name: judgement.ratings[name] for name in names}
            mean = sum(SCORES[rating] for rating in ratings.values()) / len(ratings)
            if not self._passes(list(ratings.values()), mean):
                worst = sorted(ratings, key=lambda name: (SCORES[ratings[name]], name))
                said = ", ".join(f"{name} {ratings[name]}" for name in worst if ratings[name] != "perfect")
                detail = f"{judgement.judge}: {said}" + (
                    f"; {judgement.comment}" if judgement.comment else ""
                )
                return drop(RULE, self._reason(ratings), detail, mean, self._threshold())
            means.append(mean)
        return keep(RULE, min(means), self._threshold())

    def _passes(self, ratings: list[str], mean: float) -> bool:
        if self.options.require == "mean":
            return mean >= self.options.mean
        if self.options.require == "all-perfect":
            return all(rating == "perfect" for rating in ratings)
        return "bad" not in ratings and (self.options.require == "no-bad" or "perfect" in ratings)

    def _threshold(self) -> float | None:
        return self.options.mean if self.options.require == "mean" else None

    @staticmethod
    def _reason(ratings: Mapping[str, str]) -> str:
        bad = sorted(name for name, rating in ratings.items() if rating == "bad")
        return f"bad-{bad[0]}" if bad else "not-good-enough"
