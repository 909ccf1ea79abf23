from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.errors import ParseError
from promptcot.symbolic.engine import Engine
from promptcot.symbolic.library import library

ENGINE = Engine(library(plugins=False))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("What is the sum of 31 and 45?", "76"),
        ("what is the sum of 31 and 45", "76"),
        ("Find 12 minus the sum of 3 and 5.", "4"),
        ("B is 4. Find B squared.", "16"),
        ("Find B squared. B is C plus 1. C is 4.", "25"),
        ('What is the number of letters in "kitten"?', "6"),
        ('Find "abz" spelled backwards.', "zba"),
        ("Find the sum of the fractions 1/2 and 1/3.", "5/6"),
        ("Find the numbers of [3, 1, 2] in the wrong order.", None),
        ("Find [3, 1, 2] in increasing order.", "1, 2, 3"),
        ("Find -3 plus -4.", "-7"),
        ("a = -3 - -4 ; a ?", "1"),
        ("The red jar holds 5 marbles. The blue jar holds 3 more marbles than the red jar. "
         "How many marbles are in the blue jar?", "8"),
        ("On a card, Mia has written [4, 9]. What is the largest number in the list on Mia's card?", "9"),
    ],
)  # fmt: skip
def test_reads_and_solves(text: str, answer: str | None) -> None:
    if answer is None:
        with pytest.raises(ParseError):
            ENGINE.solve(text)
    else:
        assert ENGINE.solve(text)[0] == answer


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unreadable"),
        ("Hello.", "unreadable"),
        ("B is 4.", "unreadable"),
        ("B is 4. Find B. Find B plus 2.", "unreadable"),
        ("B is 4. Find B.", "trivial"),
        ("B is C plus 2. C is B plus 2. Find B.", "circular"),
        ("B is B plus 2. Find B plus 3.", "circular"),
        ("Find C plus 2.", "undefined-name"),
        ("B is 4. B is 5. Find B plus 1.", "ambiguous"),
        ("Find the square root of 7 rounded down plus 2.", "unreadable"),
        ("B is [1, 2]. Find B plus 2.", "ill-typed"),
        ("Find 7 divided by 0 without the remainder.", "unreadable"),
        ("B is 0. Find 7 divided by B without the remainder.", "ill-typed"),
        ("Find the factorial of 3000.", "unreadable"),
        ("B is 3000. Find the factorial of B.", "ill-typed"),
        ("Find " + "9" * 400 + " plus 2.", "unreadable"),
        ("a = " + " ".join(["1"] * 30_000), "unreadable"),
        ("Find " + "the sum of 2 and " * 2000 + "3.", "unreadable"),
        ("Find " + "the sum of 2 and " * 4500 + "3.", "unreadable"),
    ],
)  # fmt: skip
def test_says_what_it_cannot_read(text: str, reason: str) -> None:
    with pytest.raises(ParseError) as caught:
        ENGINE.solve(text)
    assert caught.value.reason == reason


WORDS = [
    *("the", "sum", "of", "and", "3", "B", "is", ".", "?", "find", "[", "]", ",", "plus", "largest"),
    *("number", "in", "-1", '"a"', "1/2", "a", "=", ";", "what", "Mia's", "card", "on"),
]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=200), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        answer, steps = ENGINE.solve(text)
    except ParseError:
        return
    else:
        assert answer
        assert steps


def test_a_long_chain_is_refused_before_it_is_examined() -> None:
    chain = "".join(f"X{i} is X{i + 1} plus 1. " for i in range(300))
    with pytest.raises(ParseError, match="300 operations"):
        ENGINE.solve("Find X0. " + chain + "X300 is 5.")


def test_deep_nesting_is_refused_quickly() -> None:
    names = "".join(f"X{i} is X{i + 1} plus 1. " for i in range(3000))
    with pytest.raises(ParseError):
        ENGINE.solve("Find X0 plus 1. " + names + "X3000 is 5.")
