"""Keeps problems of a band of difficulty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import model_validator

from promptcot.config import Settings, validate
from promptcot.filters.base import Filter, drop, keep
from promptcot.records import Candidate, Verdict

RULE = "difficulty"


class Options(Settings):
    """Options of the filter.

    Attributes:
        band: Lowest and highest difficulty score kept, both included.
        certain: Whether the whole 95% interval of the score must lie in the band, not the score alone.
    """

    band: tuple[float, float] = (0.0, 1.0)
    certain: bool = False

    @model_validator(mode="after")
    def _band_rises(self) -> Options:
        if not 0 <= self.band[0] < self.band[1] <= 1:
            raise ValueError("band must be two numbers that rise, between 0 and 1")
        return self


def difficulty(options: Mapping[str, Any]) -> Filter:
    """The factory named by the entry point ``difficulty`` of ``promptcot.filters``."""
    return InBand(validate(Options, options, where="filters.difficulty"))


class InBand:
    """The filter."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Keeps a candidate whose measured difficulty lies in the band."""
        measured = candidate.difficulty
        if measured is None:
            return drop(RULE, "unmeasured", "no difficulty was measured")
        low, high = self.options.band
        lowest, highest = measured.score, measured.score
        if self.options.certain:
            lowest, highest = measured.low, measured.high
        said = f"{measured.score:.3f} by {measured.method}, the band is {low:g} to {high:g}"
        if lowest < low:
            return drop(RULE, "too-easy", said, measured.score, low)
        if highest > high:
            return drop(RULE, "too-hard", said, measured.score, high)
        return keep(RULE, measured.score)
