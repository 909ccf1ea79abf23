from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.filters.duplicates import duplicates
from promptcot.seeding import rng

STORY = (
    "A baker makes 12 trays of rolls every morning and every tray holds 24 rolls. She sells all but 18 of "
    "them before noon, gives half of what is left to a school and takes the rest home. How many rolls does "
    "she take home?"
)


def test_equal_words_are_exact_duplicates_and_the_first_one_stays(candidate):
    rule = duplicates({})
    assert rule(candidate(STORY, "9", ordinal=3)).keep
    verdict = rule(candidate(STORY.upper().replace(",", " ,"), "9", ordinal=4))
    assert (verdict.keep, verdict.reason) == (False, "exact-duplicate")
    assert "3" in verdict.detail


def test_brackets_and_marks_of_formulas_count(candidate):
    rule = duplicates({})
    texts = [
        "What is (2 + 3) * 4?",
        "What is 2 + 3 * 4?",
        "What is (2 + 3!) * 4?",
        "Simplify 2 : 3.",
        "Simplify 2 3.",
    ]
    assert all(rule(candidate(text, "1", ordinal=i)).keep for i, text in enumerate(texts))
    assert not rule(candidate("what is ( 2+3 )*4", "1", ordinal=9)).keep


def test_a_word_changed_is_a_near_duplicate(candidate):
    rule = duplicates({})
    rule(candidate(STORY, "9", ordinal=0))
    verdict = rule(candidate(STORY.replace("baker", "cook"), "9", ordinal=1))
    assert (verdict.keep, verdict.reason) == (False, "near-duplicate")
    assert 0.8 <= verdict.measure < 1


def test_other_numbers_or_another_answer_make_another_problem(candidate):
    for near in (STORY.replace("24", "25"), STORY.replace("sells all but", "bakes another")):
        rule = duplicates({})
        rule(candidate(STORY, "9", ordinal=0))
        assert rule(candidate(near, "10", ordinal=1)).keep
    rule = duplicates({"numbers": "ignored"})
    rule(candidate(STORY, "9", ordinal=0))
    assert rule(candidate(STORY.replace("24", "25"), "10", ordinal=1)).reason == "near-duplicate"


def test_near_duplicates_can_be_left_in(candidate):
    rule = duplicates({"near": 1})
    rule(candidate(STORY, "9", ordinal=0))
    assert rule(candidate(STORY.replace("baker", "cook"), "9", ordinal=1)).keep
    assert not rule(candidate(STORY, "9", ordinal=2)).keep


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 39))
def test_remembering_what_was_kept_is_as_good_as_having_decided(candidate, seed, cut):
    draw = rng(seed, "test")
    lexicon = ["red", "blue", "tree", "boat", "hill"]
    texts = [" ".join(draw.choice(lexicon) for _ in range(6)) for _ in range(40)]
    whole = duplicates({})
    verdicts = [whole(candidate(text, "1", ordinal=i)).keep for i, text in enumerate(texts)]
    resumed = duplicates({})
    for i in range(cut):
        if verdicts[i]:
            resumed.remember(candidate(texts[i], "1", ordinal=i))
    assert [resumed(candidate(texts[i], "1", ordinal=i)).keep for i in range(cut, 40)] == verdicts[cut:]


def test_three_thousand_different_problems_stay(candidate):
    draw, rule = rng(1, "different"), duplicates({})
    for ordinal in range(3000):
        a, b = draw.randrange(10**6), draw.randrange(10**6)
        text = f"A train leaves with {a} passengers and {b} get on at the next stop. How many are on it now?"
        assert rule(candidate(text, str(a + b), ordinal=ordinal)).keep
