from __future__ import annotations

import pytest

from promptcot.errors import ConfigError
from promptcot.filters.difficulty import difficulty
from promptcot.filters.judge import judge
from promptcot.filters.solved import solved
from promptcot.records import Difficulty

PERFECT = {"format": "perfect", "factual": "perfect"}
MIXED = {"format": "perfect", "factual": "acceptable"}
BAD = {"format": "perfect", "factual": "bad"}


@pytest.mark.parametrize(
    ("require", "kept"),
    [
        ("all-perfect", (True, False, False)),
        ("perfect-and-no-bad", (True, True, False)),
        ("no-bad", (True, True, False)),
        ("mean", (True, True, False)),
    ],
)
def test_judge_rules(candidate, require, kept):
    rule = judge({"require": require})
    assert tuple(rule(candidate(ratings=(r,))).keep for r in (PERFECT, MIXED, BAD)) == kept


def test_every_judge_has_to_agree_and_the_reason_names_the_criterion(candidate):
    verdict = judge({})(candidate(ratings=(PERFECT, BAD)))
    assert (verdict.keep, verdict.reason) == (False, "bad-factual")
    assert "factual bad" in verdict.detail
    assert judge({})(candidate()).reason == "unjudged"
    assert judge({"criteria": ["clarity"]})(candidate(ratings=(PERFECT,))).reason == "unrated"


@pytest.mark.parametrize(
    ("attempts", "reason"),
    [
        ((("5", True),), ""),
        ((("5", True), ("6", False)), ""),
        ((("6", False),), "wrong-answer"),
        ((("5", True), ("6", False), ("6", False)), "wrong-answer"),
        (((None, None),), "no-answer"),
        ((("5 %", None),), "undecided"),
        ((), "unsolved"),
    ],
)
def test_solved(candidate, attempts, reason):
    verdict = solved({})(candidate(attempts=attempts))
    assert (verdict.keep, verdict.reason) == (not reason, reason)


def test_a_split_vote_is_ambiguous(candidate):
    verdict = solved({"agreement": 0.9})(candidate(attempts=(("5", True), ("6", False))))
    assert verdict.reason == "ambiguous"


def test_a_student_does_not_vote(candidate):
    import msgspec

    from promptcot.records import Candidate

    tried = candidate(attempts=(("5", True), ("6", False), ("6", False)))
    attempts = (tried.attempts[0], *(msgspec.structs.replace(a, role="student") for a in tried.attempts[1:]))
    assert solved({})(Candidate(problem=tried.problem, attempts=attempts)).keep


def test_difficulty_band(candidate):
    rule = difficulty({"band": [0.2, 0.8]})
    scores = {0.1: "too-easy", 0.2: "", 0.8: "", 0.9: "too-hard"}
    for score, reason in scores.items():
        assert rule(candidate(difficulty=Difficulty(score=score, method="structure"))).reason == reason
    assert rule(candidate()).reason == "unmeasured"
    wide = Difficulty(score=0.5, method="pass-rate", low=0.1, high=0.9)
    assert difficulty({"band": [0.2, 0.8], "certain": True})(candidate(difficulty=wide)).reason == "too-easy"


@pytest.mark.parametrize(
    ("factory", "options", "said"),
    [
        (judge, {"requires": "no-bad"}, "did you mean 'require'"),
        (solved, {"agreement": 2}, "agreement"),
        (difficulty, {"band": [0.9, 0.1]}, "band"),
    ],
)
def test_options_are_checked(factory, options, said):
    with pytest.raises(ConfigError, match=said):
        factory(options)
