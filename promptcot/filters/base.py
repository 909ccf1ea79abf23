"""What a filter is: a rule that looks at a candidate and says keep or drop, and why.

A filter is called with one candidate after another in the order of their recipes, whatever the
concurrency, so one that remembers (duplicates) decides the same in every run. It edits nothing.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from promptcot.records import Candidate, Verdict


class Filter(Protocol):
    """Decides about candidates. A plain function of a candidate is one."""

    def __call__(self, candidate: Candidate, /) -> Verdict:
        """Keeps the candidate or drops it."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A filter whose decisions depend on the candidates before."""

    def remember(self, candidate: Candidate, /) -> None:
        """Takes in a candidate that this filter kept in an earlier process, in the order of then."""
        ...


@runtime_checkable
class Certifying(Protocol):
    """A filter with something to put into the manifest and the dataset card."""

    def certificate(self) -> dict[str, Any]:
        """What was checked against what: plain data, the same in every run."""
        ...


@runtime_checkable
class Early(Protocol):
    """A filter that needs the judgements alone, so that what it drops need not be solved.

    ``early`` is True where that holds for the options it was made with. It remembers nothing.
    """

    early: bool


def keep(rule: str, measure: float | None = None, threshold: float | None = None) -> Verdict:
    """A verdict that keeps."""
    return Verdict(keep=True, rule=rule, measure=measure, threshold=threshold)


def drop(
    rule: str, reason: str, detail: str, measure: float | None = None, threshold: float | None = None
) -> Verdict:
    """A verdict that drops: `reason` is a short stable label, `detail` what a person wants to read."""
    return Verdict(keep=False, rule=rule, reason=reason, measure=measure, threshold=threshold, detail=detail)
