from __future__ import annotations

import itertools
import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptcot.records import Answer
from promptcot.verification.equality import equal

EXACT = {"exact", "integer", "rational"}

fractions = st.fractions(min_value=-(10**6), max_value=10**6, max_denominator=10**4)


def forms(value: Fraction) -> list[str]:
    """Ways to write one rational number."""
    n, d, sign = abs(value.numerator), value.denominator, "-" if value < 0 else ""
    written = [f"{sign}{n}/{d}", f"{sign}\\frac{{{n}}}{{{d}}}", f"${sign}\\dfrac{{{n}}}{{{d}}}$"]
    written.append(f"\\boxed{{{value}}}")
    written += [f"{value * 100}\\%" if (value * 100).denominator == 1 else f"({value})*1", f"x = {value}"]
    if n > d > 1:
        written.append(f"{sign}({n // d}\\frac{{{n % d}}}{{{d}}})")
    if d == 1:
        written += [str(value), f"{sign}{n:,}", f"{value}.0", f"{value}.", f"{sign}{n:,}".replace(",", "{,}")]
    return written


@settings(deadline=None)
@given(fractions)
def test_every_form_of_a_rational_number_is_accepted_exactly(value):
    for a, b in itertools.product(forms(value), repeat=2):
        result = equal(a, b)
        assert result.equal is True, (a, b, result)
        assert result.by in EXACT


@settings(deadline=None)
@given(fractions, fractions)
def test_forms_of_different_rational_numbers_are_never_accepted(left, right):
    if left == right:
        return
    for a, b in zip(forms(left), forms(right), strict=False):
        assert equal(a, b).equal is not True, (a, b)


@settings(deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6), min_size=2, max_size=5), st.data())
def test_lists_and_tuples_are_ordered_and_sets_are_not(values, data):
    shuffled = data.draw(st.permutations(values))
    text, other = ", ".join(map(str, values)), ", ".join(map(str, shuffled))
    assert equal(text, text.replace(" ", "  ")).equal
    assert equal(f"({text})", f"\\left({text}\\right)").equal
    assert equal(f"\\{{{text}\\}}", f"\\{{{other}\\}}").equal
    assert bool(equal(f"({text})", f"({other})").equal) == (shuffled == values)
    assert bool(equal(text, other).equal) == (shuffled == values)


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_any_text_gets_an_answer_and_equality_is_symmetric(a, b):
    assert equal(a, b).equal == equal(b, a).equal
    if a.strip():
        assert equal(a, a).equal


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet="0123456789+-*/^(){}\\fracsqtx.,%$ ", max_size=60))
def test_mathematical_noise_never_escapes_as_an_exception(text):
    equal(text, "1")
    equal("x", text)


@pytest.mark.parametrize(
    ("expected", "given_", "verdict", "by"),
    [
        ("3\\sqrt{13}", "\\sqrt{117}", True, "numeric"),
        ("\\frac{\\sqrt{3}}{3}", "1/\\sqrt{3}", True, "numeric"),
        ("(a+5)(b+2)", "ab+2a+5b+10", True, "numeric"),
        ("\\sqrt{1/n}", "\\frac{1}{\\sqrt{n}}", True, "numeric"),
        ("sin(x)^2+cos(x)^2", "1", True, "numeric"),
        ("\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\pi/2)", True, "numeric"),
        ("90^\\circ", "90", True, "unit"),
        ("\\$36", "36", True, "unit"),
        ("15\\mbox{ cm}^2", "15", True, "unit"),
        ("\\text{Evelyn}", "evelyn", True, "text"),
        ("y = 2x + 3", "2x+3", True, "exact"),
        # Wrong ones that other checkers were seen to accept, or that look alike.
        ("1-1/e", "1+1/e", False, "numeric"),
        ("2^{-99}", "2^{-98}", False, "rational"),
        ("\\sqrt{x^2}", "x", False, "numeric"),
        ("\\frac{1}{3}", "0.3333", False, "rational"),
        ("p - q", "q - p", False, "numeric"),
        ("2^3", "23", False, "integer"),
        ("\\pi", "3.14159", False, "numeric"),
        ("5\\%", "5 percent", True, "exact"),
        ("\\$5", "5 dollars", True, "exact"),
        ("90^\\circ", "90 degrees", True, "exact"),
        ("y = 2x", "y=x+x", True, "numeric"),
        ("\\frac{\\log 8}{\\log 2}", "3", True, "numeric"),
        ("-\\infty", "-∞", True, "exact"),
        # What cannot be told is not a yes.
        ("3", "3 million", None, "unreadable"),
        ("3", "3 dozen", None, "unreadable"),
        ("5", "5 squared", None, "unreadable"),
        ("101", "101 base two", None, "unreadable"),
        ("12", "12 is not the answer", None, "unreadable"),
        ("5", "5\\text{ (wrong)}", None, "unreadable"),
        ("x = 3", "y = 3", None, "name"),
        ("x = 1, y = 2", "y = 1, x = 2", None, "name"),
        ("\\log 10", "\\ln 10", None, "numeric"),
        ("\\log 100", "2", None, "numeric"),
        ("\\infty - \\infty", "0", None, "numeric"),
        ("2^{10000}", "2^{10000} + 1", None, "numeric"),
        ("50\\%", "50", None, "percent"),
        ("1,-2", "-2,1", None, "order"),
        ("52_8", "42", None, "unreadable"),
        ("100, 200", "100200", None, "structure"),
        ("5 cm", "5 dollars", None, "unit"),
        ("i^2", "-1", None, "numeric"),
        ("1/2x", "x/2", None, "unreadable"),
        ("5", "", None, "empty"),
    ],
)
def test_known_pairs(expected, given_, verdict, by):
    result = equal(expected, given_)
    assert (result.equal, result.by) == (verdict, by)


@pytest.mark.parametrize(
    "hostile",
    [
        "9^{9^{9^{9}}}",
        "9" * 400 + "^" + "9" * 90,
        "(" * 400,
        "-" * 400 + "1",
        "\\frac" * 90,
        "\\sqrt[" + "9" * 300 + "]{2}",
        "300!!!!!!!",
        "((((300!)^300)!)^9)!",
        "sin(" * 100 + "1" + ")" * 100,
        "exp(exp(exp(exp(exp(9)))))",
        "2^{-" + "9" * 30 + "}",
        "__import__('os').system('true')",
        "{" * 200 + "," * 200 + "}" * 200,
        "x" * 10_000,
        "1e999999999",
        "\x00\ud800".encode("utf-8", "replace").decode(),
    ],
)
def test_hostile_answers_are_refused_within_bounds(hostile):
    assert equal(hostile, "1").equal is not True
    assert equal("x^2", hostile).equal is not True


def test_kinds_of_answers():
    assert equal(Answer(kind="text", value="Blue"), " blue. ").equal is True
    assert equal(Answer(kind="text", value="Blue"), "red").equal is False
    assert equal(Answer(kind="expression", value="1/2"), "0.5").equal is True
    assert equal(Answer(kind="code", value="x", tests=("assert x",)), "x").equal is None


def _answers(folder: Path, name: str) -> list[str]:
    with (folder / "benchmarks" / name).open(encoding="utf-8") as lines:
        return [json.loads(line)["answer"] for line in lines]


def test_benchmark_answers_against_themselves_in_other_forms(data_dir):
    for answer in _answers(data_dir, "gsm8k.jsonl") + _answers(data_dir, "math500.jsonl"):
        larger = answer.replace("\\frac", "\\dfrac")
        for form in (f"${answer}$", f"\\boxed{{{answer}}}", f" {answer} ", larger):
            assert equal(answer, form).equal is True, (answer, form)


def _by_hand(answer: str) -> Fraction | None:
    """The value of a plain number or fraction, read without the code under test."""
    text = re.sub(r"^x=|[$\\,!\s]|\\text\{.*|\{,\}", "", answer.replace("\\$", ""))
    if match := re.fullmatch(r"-?\d*\.?\d+", text):
        return Fraction(match.group())
    if match := re.fullmatch(r"(-?)d?frac\{?(\d+)\}?\{?(\d+)\}?", text):
        above, below = match[2], match[3]
        if "{" not in text and len(above + below) == 2:  # frac43
            above, below = (above + below)[0], (above + below)[1]
        return Fraction(int(match[1] + above), int(below))
    return None


def test_no_wrong_accept_among_different_benchmark_answers(data_dir):
    math = [a for a in _answers(data_dir, "math500.jsonl") if not a.isdigit()]
    answers = sorted({*math, *_answers(data_dir, "gsm8k.jsonl")[:150]})
    accepted = 0
    for a, b in itertools.combinations(answers, 2):
        result = equal(a, b)
        if result.equal and result.by in EXACT:
            accepted += 1
            left, right = _by_hand(a), _by_hand(b)
            # What is not a plain number must at least be the same text but for spacing and LaTeX sizes.
            same = left == right if left is not None or right is not None else _letters(a) == _letters(b)
            assert same, (a, b, result)
    assert accepted > 0


def _letters(text: str) -> str:
    return re.sub(r"\\left|\\right|\\[,!;]|dfrac|frac|text|mbox|[\s{}\\$]", "", text)
