"""The answer that most attempts agree on."""

from __future__ import annotations

from collections.abc import Sequence

from promptcot.records import Record
from promptcot.verification.equality import equal


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
    groups: list[tuple[str, int]] = []
    for answer in answers:
        if answer is None:
            continue
        index = next((i for i, (first, _) in enumerate(groups) if equal(first, answer).equal), None)
        if index is None:
            groups.append((answer, 1))
        else:
            groups[index] = (groups[index][0], groups[index][1] + 1)
    if not groups:
        return Vote(answer=None, votes=0, voters=0, tied=False)
    most = max(count for _, count in groups)
    winners = [answer for answer, count in groups if count == most]
    voters = sum(count for _, count in groups)
    return Vote(answer=winners[0], votes=most, voters=voters, tied=len(winners) > 1)
