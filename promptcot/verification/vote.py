"""The answer that most attempts agree on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from promptcot.records import Record
from promptcot.verification.equality import equal

_COMPARED = 32  # groups that a new form is compared with: 256 different hostile answers take no minute


class Vote(Record, frozen=True):
    """What several attempts say together.

    Attributes:
        answer: The first form of the answer given most often; None where nobody gave one.
        votes: Attempts that gave it, out of `voters` who gave any answer.
        tied: Whether another answer was given as often, so that the vote decides nothing.
    """

    answer: str | None
    votes: int
    voters: int
    tied: bool

    @property
    def agreement(self) -> float:
        """Share of the voters who gave the winning answer; 0 without voters."""
        return self.votes / self.voters if self.voters else 0.0


def majority(answers: Sequence[str | None]) -> Vote:
    """Groups equal answers (``1/2`` and ``0.5`` are one) and takes the largest group.

    None stands for an attempt without an answer. Of groups of one size the one that
    came first wins, and the vote is `tied`.
    """
    given = [answer for answer in answers if answer is not None]
    votes: Counter[str] = Counter()
    seen: dict[str, str] = {}  # each form of an answer to the first form of its group
    for answer in given:
        if answer not in seen:
            known = (first for first in list(votes)[:_COMPARED] if equal(first, answer).equal)
            seen[answer] = next(known, answer)
        votes[seen[answer]] += 1
    if not votes:
        return Vote(answer=None, votes=0, voters=0, tied=False)
    most = max(votes.values())
    winners = [answer for answer, count in votes.items() if count == most]
    return Vote(answer=winners[0], votes=most, voters=len(given), tied=len(winners) > 1)
