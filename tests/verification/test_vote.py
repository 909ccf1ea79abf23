from __future__ import annotations

from promptcot.verification.vote import majority


def test_equal_forms_vote_together():
    vote = majority(["1/2", "3", "0.5", None, "\\frac12"])
    assert (vote.answer, vote.votes, vote.voters, vote.tied) == ("1/2", 3, 4, False)
    assert vote.agreement == 0.75


def test_a_tie_says_so_and_no_votes_give_no_answer():
    assert majority(["1", "2"]).tied
    assert majority(["1", "2"]).answer == "1"
    empty = majority([None, None])
    assert (empty.answer, empty.agreement, empty.tied) == (None, 0.0, False)
