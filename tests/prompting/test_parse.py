from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from promptcot.errors import ParseError
from promptcot.prompting import tags
from promptcot.prompting.parse import (
    CRITERIA,
    RATINGS,
    parse_answer,
    parse_concepts,
    parse_judgement,
    parse_problem,
    sections,
)
from promptcot.prompting.render import escape
from promptcot.records import Completion, Problem, Prompt, Recipe

RECIPE = Recipe(id="r00000001", ordinal=1, concepts=("a",), domain="d", level=3, seed=1)
PROMPT = Prompt(
    id="r00000001/author/0",
    role="author",
    messages=(),
    template="author-math",
    template_hash="h",
    recipe=RECIPE,
)
RATED = "\n".join(f"{criterion}: perfect" for criterion in CRITERIA)


def completion(text: str, finish_reason: str = "stop") -> Completion:
    return Completion(
        prompt_id="p",
        text=text,
        finish_reason=finish_reason,
        input_tokens=1,
        output_tokens=1,
        backend="big",
        model="m",
    )


def problem(text: str, finish_reason: str = "stop") -> Problem:
    return parse_problem(PROMPT, completion(text, finish_reason))


def reason(text: str, finish_reason: str = "stop") -> str:
    with pytest.raises(ParseError) as caught:
        problem(text, finish_reason)
    return caught.value.reason


def tagged(**parts: str) -> str:
    return "\n".join(f"<{name}>\n{text}\n</{name}>" for name, text in parts.items())


WHOLE = tagged(rationale="Why.", problem="Find $x$ with $x < 3$.", solution="Step.", answer="2")

FORMS = {
    "as asked": WHOLE,
    "thinking before": "<think>Draft: <problem>no</problem>\n</think>\n" + WHOLE,
    "thinking by another name": "<reasoning>Draft.</reasoning>" + WHOLE,
    "thinking opened by the server": "Draft: <problem>no</problem></think>" + WHOLE,
    "thinking twice": "<thinking>a <think>b</think></thinking>" + WHOLE + "<think>done",
    "fenced": f"Here it is:\n```xml\n{WHOLE}\n```\nI hope this helps!",
    "fenced whole": f"```\n{WHOLE}\n```",
    "upper case": WHOLE.replace("problem>", "PROBLEM>"),
    "attributes": WHOLE.replace("<problem>", '<problem id="1">'),
    "escaped": WHOLE.replace("x < 3", "x &lt; 3"),
    "last end tag missing": WHOLE.removesuffix("</answer>"),
    "last end tag missing in a fence": f"```xml\n{WHOLE.removesuffix('</answer>')}```",
    "no end tags": WHOLE.replace("</rationale>", "").replace("</problem>", "").replace("</solution>", ""),
    "restarted": "<problem>\nHm, no.\n" + WHOLE,
    "said twice": WHOLE + "\nTo repeat:\n" + WHOLE,
    "second thoughts": tagged(problem="Old?", answer="9") + "\nThat is too easy.\n" + WHOLE,
    "fence inside": WHOLE.replace("\nFind $x$ with $x < 3$.\n", "\n```\nFind $x$ with $x < 3$.\n```\n"),
    "headings": "## Rationale\nWhy.\n## Problem\n"
    "Find $x$ with $x < 3$.\n## Solution\nStep.\n## Final Answer\n2\n",
    "bold": "**Rationale:** Why.\n\n**Problem:**\n"
    "Find $x$ with $x < 3$.\n\n**Solution:** Step.\n\n**Answer:** 2",
    "colons": "Rationale: Why.\nProblem: Find $x$ with $x < 3$.\nSolution: Step.\nAnswer: 2",
    "boxed": WHOLE.replace("\n2\n", "\n$\\boxed{2}$.\n"),
    "no answer part": WHOLE.partition("<answer>")[0].replace("Step.", "Step.\\boxed{2}"),
}


@pytest.mark.parametrize("form", FORMS)
def test_one_problem_in_many_forms(form: str) -> None:
    found = problem(FORMS[form])
    assert found.statement == "Find $x$ with $x < 3$."
    assert found.answer.value == "2"
    assert found.answer.kind == "expression"
    assert found.rationale == "Why."
    assert found.solution.startswith("Step.")
    assert found.provenance == {
        "author": "m",
        "backend": "big",
        "template": "author-math",
        "template_hash": "h",
    }


@pytest.mark.parametrize(
    ("text", "finish_reason", "expected"),
    [
        ("", "stop", "empty"),
        (" \n", "length", "empty"),
        ("<think>all of it</think> ", "stop", "empty"),
        ("<think>" + WHOLE, "stop", "unclosed-thinking"),
        ("<think>hm", "length", "truncated"),
        ("I'm sorry, but I can't help with that.", "stop", "refusal"),
        ("I cannot write this problem.", "stop", "refusal"),
        ("No.", "content_filter", "refusal"),
        ("Sure! Let me think about", "length", "truncated"),
        ("Sure! Find x.", "stop", "missing-problem"),
        (tagged(problem="A"), "stop", "missing-answer"),
        (tagged(problem="A", answer=" "), "stop", "missing-answer"),
        (tagged(problem="A", answer="$$"), "stop", "missing-answer"),
        (tagged(answer="1"), "stop", "missing-problem"),
        (tagged(problem=" ", answer="1"), "stop", "missing-problem"),
        (WHOLE.partition("2\n</answer>")[0] + "2", "length", "truncated"),
        (WHOLE.partition("</problem>")[0], "length", "truncated"),
        (WHOLE.partition("<answer>")[0], "length", "truncated"),
        (tagged(problem="A", answer="1") + tagged(answer="2"), "stop", "contradictory"),
        (tagged(problem="A") + tagged(problem="B"), "stop", "contradictory"),
        (tagged(problem="A", answer="1") + tagged(problem="B"), "stop", "contradictory"),
        (tagged(problem="A", answer="1") + "Wait: <problem>B", "stop", "contradictory"),
        (tagged(problem="A", answer="1") + "Wait: <problem>B", "length", "truncated"),
        ("<problem>A" + tagged(solution="s") + "</problem><answer>1</answer>", "stop", "nested-tags"),
        (tagged(problem="A", answer="f", tests="print(1)"), "stop", "bad-tests"),
        (tagged(problem="A", answer="f", tests="# none"), "stop", "missing-tests"),
        (tagged(problem="A" * 20_001, answer="1"), "stop", "too-long"),
        ("x" * ((2 << 20) + 1), "stop", "too-long"),
        (tagged(problem="A\ud800", answer="1"), "stop", "bad-text"),
        (tagged(problem="A \x1b[31mred\x1b[0m one", answer="1"), "stop", "bad-text"),
        (tagged(problem="A", solution="so \x0crac{1}{2}", answer="1"), "stop", "bad-text"),
        (tagged(problem="A \u202ekcab", answer="1"), "stop", "bad-text"),
    ],
)
def test_what_cannot_be_read_is_refused_for_a_reason(text: str, finish_reason: str, expected: str) -> None:
    assert reason(text, finish_reason) == expected


def test_a_finished_problem_outlives_a_cut_off_remark() -> None:
    assert problem(WHOLE + "\nNote that", "length").answer.value == "2"


@pytest.mark.parametrize(
    ("given", "kind", "value"),
    [
        ("Tuesday", "text", "Tuesday"),
        ("red, green", "text", "red, green"),
        ("pi", "expression", "pi"),
        ("x", "expression", "x"),
        ("$\\frac{1}{2}$.", "expression", "\\frac{1}{2}"),
        ("\\(x+1\\)", "expression", "x+1"),
        ("**12**", "expression", "12"),
        ("The answer is $12$.", "expression", "12"),
        ("Final answer: 12", "expression", "12"),
        ("$1$ and $2$", "expression", "$1$ and $2$"),
        ("The answer is $\\boxed{\\{1, 2\\}}$.", "expression", "\\{1, 2\\}"),
        ("0.5", "expression", "0.5"),
    ],
)
def test_the_kind_and_the_bare_value_of_an_answer(given: str, kind: str, value: str) -> None:
    answer = problem(tagged(problem="A", answer=given)).answer
    assert (answer.kind, answer.value) == (kind, value)


def test_a_programming_problem_has_tests() -> None:
    text = tagged(
        problem="Write f.",
        solution="Idea.",
        answer="```python\ndef f(x):\n    return x < 2\n```",
        tests="```python\n# the trap\nassert f(1)\n\nassert not f(2)\n```",
    )
    answer = problem(text).answer
    assert answer.kind == "code"
    assert answer.value == "def f(x):\n    return x < 2"
    assert answer.tests == ("assert f(1)", "assert not f(2)")


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf")) | st.just("\n"), max_size=80))
def test_a_statement_survives_escaping_and_tagging(statement: str) -> None:
    assume(statement.strip() and not statement.strip().startswith("```"))
    found = problem(tagged(problem=escape(statement), answer="1"))
    assert found.statement == tags.unescape(escape(statement)).strip() == statement.strip()


def test_equal_problems_of_one_recipe_have_one_id_per_sample() -> None:
    again = Prompt(
        id="x", role="author", messages=(), template="t", template_hash="", recipe=RECIPE, sample=1
    )
    assert problem(WHOLE).id == problem(FORMS["fenced"]).id
    assert parse_problem(again, completion(WHOLE)).id != problem(WHOLE).id


def test_a_judgement() -> None:
    text = "Looks fine.\n" + tagged(
        ratings=RATED, measures="ops: 4\ndepth = 2.5", structure="ab12", comment="none"
    )
    found = parse_judgement("p1", completion(text))
    assert found.problem_id == "p1"
    assert found.judge == "m"
    assert found.ratings == dict.fromkeys(CRITERIA, "perfect")
    assert found.measures == {"ops": 4.0, "depth": 2.5}
    assert (found.structure, found.comment) == ("ab12", "none")


@pytest.mark.parametrize(
    "ratings",
    [
        RATED.replace("format: perfect", "- **Format**: Perfect."),
        RATED.replace("\n", "\n\n"),
        "\n".join(reversed(RATED.splitlines())),
    ],
)
def test_ratings_may_be_dressed_but_not_changed(ratings: str) -> None:
    assert parse_judgement("p", completion(tagged(ratings=ratings))).ratings == dict.fromkeys(
        CRITERIA, "perfect"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (tagged(ratings=RATED.replace("factual: perfect", "factual: not perfect")), "bad-rating"),
        (tagged(ratings=RATED.replace("factual: perfect", "factual: perfect or bad")), "bad-rating"),
        (tagged(ratings=RATED.replace("factual: perfect", "factual: imperfect")), "bad-rating"),
        (tagged(ratings=RATED.replace("factual: perfect", "factual: ...")), "bad-rating"),
        (tagged(ratings=RATED.replace("factual: perfect", "factual:")), "bad-rating"),
        (tagged(ratings=RATED + "\nstyle: perfect"), "bad-rating"),
        (tagged(ratings=RATED + "\nAll is perfect"), "bad-rating"),
        (tagged(ratings=RATED + "\nformat: bad"), "contradictory"),
        (tagged(ratings=RATED) + tagged(ratings=RATED.replace("perfect", "bad")), "contradictory"),
        (tagged(ratings=RATED.partition("\n")[2]), "missing-criterion"),
        ("perfect", "missing-ratings"),
        (tagged(ratings=RATED, measures="ops: nan"), "bad-measure"),
        (tagged(ratings=RATED, measures="ops: many"), "bad-measure"),
        (tagged(ratings=RATED, measures="\n".join(f"m{i}: 1" for i in range(65))), "bad-measure"),
        (tagged(ratings=RATED, structure="a b"), "bad-structure"),
        ("<think>perfect", "unclosed-thinking"),
    ],
)
def test_a_judgement_that_is_not_one_is_refused(text: str, expected: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_judgement("p", completion(text))
    assert caught.value.reason == expected


@given(st.dictionaries(st.sampled_from(CRITERIA), st.text(max_size=20), min_size=len(CRITERIA)))
def test_no_rating_is_read_that_was_not_given(given_ratings: dict[str, str]) -> None:
    text = tagged(ratings="\n".join(f"{name}: {rating}" for name, rating in given_ratings.items()))
    try:
        read = parse_judgement("p", completion(text)).ratings
    except ParseError:
        return
    assert set(read.values()) <= set(RATINGS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So it is \\boxed{\\frac{1}{2}}.", "\\frac{1}{2}"),
        ("\\boxed{1}, no: \\boxed{2}", "2"),
        ("\\boxed{1} and then \\boxed{2", "1"),
        ("\\boxed{\\{1,2\\}}", "\\{1,2\\}"),
        ("\\boxed {7}", "7"),
        ("\\boxed{\\boxed{7}}", "7"),
        ("<answer>7</answer>", "7"),
        ("\\boxed{3} <answer>7</answer>", "7"),
        ("<answer>\\boxed{7}</answer>", "7"),
        ("<answer>7</answer> or rather \\boxed{3}", "3"),
        ("<think>\\boxed{1}</think>\\boxed{2}", "2"),
        ("<think>\\boxed{1}", None),
        ("The final answer is $42$.", "42"),
        ("x\n#### 5", "5"),
        ("**Answer:** 12\n", "12"),
        ("The answer isn't known", None),
        ("The answer is 4, as we\nsaw above, and more.", None),
        ("\\boxed{}", None),
        ("", None),
        ("42", None),
    ],
)
def test_the_answer_of_a_solver(text: str, expected: str | None) -> None:
    assert parse_answer(text) == expected


def test_the_concepts_of_an_extraction() -> None:
    text = "Sure.\n<concepts>\n1. Vieta's formulas: sums of roots\n- **Symmetry**\n\n</concepts>"
    assert parse_concepts(completion(text)) == (("Vieta's formulas", "sums of roots"), ("Symmetry", ""))
    for nothing in ("<concepts></concepts>", "<concepts>\n-\n:</concepts>", "none"):
        with pytest.raises(ParseError) as caught:
            parse_concepts(completion(nothing))
        assert caught.value.reason == "missing-concepts"


PIECES = [f"<{slash}{tag}>" for tag in (*tags.TAGS, "think") for slash in ("", "/")]
PIECES += [
    "```",
    "\\boxed{",
    "}",
    "{",
    "\\",
    "$",
    "&lt;",
    "&amp;lt;",
    "## Problem\n",
    "Answer:",
    "perfect",
    "\n",
]
PIECES += ["format: ", "assert f(1)", "<", ">", "\ud800", "\x00", "é", "1"]
ANYTHING = st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=40).map("".join)


@given(ANYTHING, st.sampled_from(["stop", "length", "content_filter", ""]))
@example("<answer>" + "$" * 9, "stop")
def test_nothing_but_a_parse_error_comes_out(text: str, finish_reason: str) -> None:
    done = completion(text, finish_reason)
    reasons: list[str] = []
    for parse in (lambda: sections(text), lambda: parse_judgement("p", done), lambda: parse_concepts(done)):
        try:
            parse()
        except ParseError as error:
            reasons.append(error.reason)
    assert all(reasons)
    assert parse_answer(text) != ""
    try:
        found = parse_problem(PROMPT, done)
    except ParseError:
        return
    assert found.statement.strip()
    assert found.answer.value.strip()
    assert not tags.has_tag(found.statement) or "&" in text


HOSTILE = ["\\boxed{", "<problem>", "<think>", "</think>", "**", "#", "{", "<", "< ", "<problem a", " ", "- "]
HOSTILE += [
    "format: ",
    "```\n",
    "&",
    "answer:",
    "problem: x\n",
    "<problem>a</problem>",
    "\\",
    "$",
    "\n\n",
    "-*",
]


@pytest.mark.timeout(60)  # quadratic work on 1 MB takes hours; linear takes about a second
@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_of_anything_is_read_in_linear_time(piece: str) -> None:
    longest = 0
    for head, tail in (("", ""), ("<ratings>", "x"), ("<answer>", "</answer>x"), ("<problem>", "\n1")):
        text = head + piece * ((1 << 18) // len(piece)) + tail
        for parse in (lambda t: problem(t), lambda t: parse_judgement("p", completion(t)), parse_answer):
            try:
                parse(text)
            except ParseError as error:
                longest = max(longest, len(str(error)))
    assert longest < 500, "an error quotes no more than an excerpt"
