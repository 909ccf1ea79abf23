from __future__ import annotations

import pytest

from promptcot.evaluate.answers import final_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("a = 3\n\\boxed{3}", "3"),
        ("\\boxed{1} no, \\boxed{ 2 }.", "2"),
        ("\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"),
        ("\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"),
        ("<answer>7</answer>", "7"),
        ("<answer>7</answer> and \\boxed{8}", "8"),
        ("\\boxed{12", None),
        ("<answer>7", None),
        ("seven", None),
        ("", None),
    ],
)
def test_the_last_box_is_the_answer(text: str, answer: str | None) -> None:
    assert final_answer(text) == answer
