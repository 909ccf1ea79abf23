from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot.pipeline.difficulty import measure, prior
from promptcot.records import Attempt, Judgement, Recipe

RECIPE = Recipe(id="r", ordinal=0, concepts=("a",), domain="d", level=4, seed=0)


def attempts(*correct: bool | None) -> list[Attempt]:
    return [
        Attempt(problem_id="p", solver="s", sample=i, text="", answer="1", correct=c)
        for i, c in enumerate(correct)
    ]


def judged(**measures: float) -> list[Judgement]:
    return [Judgement(problem_id="p", judge="j", ratings={}, measures=measures)]


def test_who_samples_is_measured():
    found = measure(judged(prior=0.9), attempts(True, False, None, True), RECIPE, sampled=True)
    assert (found.score, found.method, found.passes, found.attempts) == (0.5, "pass-rate", 2, 4)
    assert found.low < 0.5 < found.high
    assert (found.solver, found.measures) == ("s", {"prior": 0.9})


def test_who_always_answers_the_same_is_not():
    found = measure(judged(prior=0.9), attempts(True, True), RECIPE, sampled=False)
    assert (found.score, found.method, found.attempts) == (0.9, "structure", 0)
    assert measure(judged(prior=0.3), [], RECIPE, sampled=True).method == "structure"


@given(st.lists(st.booleans(), min_size=1, max_size=30))
def test_the_interval_holds_the_score(correct):
    found = measure([], attempts(*correct), RECIPE, sampled=True)
    assert 0 <= found.low <= found.score <= found.high <= 1


@pytest.mark.parametrize("name", ["ops", "depth", "distractors", "digits"])
def test_more_of_anything_is_harder(name):
    scores = [
        prior({"ops": 2.0, "depth": 2.0, "distractors": 1.0, "digits": 1.0} | {name: n}, RECIPE)
        for n in (2, 5, 50)
    ]
    assert 0 < scores[0] < scores[1] < scores[2] < 1


def test_without_measures_the_level_stands_in():
    assert prior({}, RECIPE) == pytest.approx(0.35)
    assert prior({"prior": 7.0}, RECIPE) == 1.0
    assert prior({"ops": -5.0}, RECIPE) == 0.0
