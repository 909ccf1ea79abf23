"""Completions into problems, judgements and answers, or a reason why not.

Models wrap what they were asked for in thinking, fences and headings, repeat themselves, stop
half-way and refuse. What can be read without guessing is read; all else is a `ParseError` with
one of these reasons:

    empty              nothing but white space
    too-long           more text than any answer needs
    refusal            the model declined
    truncated          the output limit cut off a part that is needed
    unclosed-thinking  it never stopped thinking
    missing-PART       the part is not there, or empty (problem, answer, tests, ratings, concepts)
    missing-criterion  a criterion was not rated
    contradictory      it says two different things
    nested-tags        a part contains the tags of another one
    bad-PART           the part is there but is not what it has to be (text, tests, rating, ...)
"""

from __future__ import annotations

import math
import re

from promptcot.errors import ParseError
from promptcot.prompting import tags
from promptcot.prompting.tags import Section
from promptcot.records import Answer, Completion, Judgement, Problem, Prompt
from promptcot.seeding import fingerprint

CRITERIA = ("format", "factual", "difficulty", "coverage", "solvability")
"""What a judge rates."""

RATINGS = ("perfect", "acceptable", "bad")
"""How a judge rates it."""

MAX_TEXT = 2 << 20
"""Characters of a completion that are looked at."""

MAX_STATEMENT = 20_000
MAX_ANSWER = 4_000
MAX_PROGRAM = 50_000
_MAX_MEASURES = 64
_MAX_CONCEPTS = 32

_CUT_OFF = ("length", "max_tokens")
_REFUSAL = re.compile(
    r"\W{0,4}(?:i['’]m (?:very )?sorry|i am sorry|sorry,|i (?:can(?:['’]t|not| not)|won['’]t)\b"
    r"|i(?: am|['’]m) (?:unable|not able)|as an ai\b|unfortunately, i\b)",
    re.IGNORECASE,
)
_RATING = re.compile(r"[-*•\s]{0,8}\**([a-z]{1,24})\**[ \t]*[:=][ \t]*\**[ \t]*([^\n]{0,80})", re.IGNORECASE)
_MEASURE = re.compile(r"[-*\s]{0,8}([a-z][a-z0-9_-]{0,40})[ \t]*[:=][ \t]*([^\s]{1,40})[ \t]*", re.IGNORECASE)
_ANSWER_LINE = re.compile(
    r"(?:####|[>*_# \t]{0,8}(?:(?:therefore|thus|so|hence),? )?(?:the )?(?:final )?answer[*_]{0,2}"
    r"(?: is\b:?|[ \t]?[:=]))[*_ \t]{0,8}(.{1,500})",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[A-Za-z][A-Za-z'’-]+(?:[ ,]+[A-Za-z'’-]+)*")
# Terminals obey some of them, and "\\frac" and "\\boxed" with a backslash too few begin with others.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202d\u202e]")
_NOT_WORDS = frozenset({"pi", "inf", "infinity", "oo", "nan"})


def sections(text: str) -> dict[str, str]:
    """The parts of a completion by name, each unwrapped and unescaped.

    Of a part that is given more than once the last complete one counts; the end tag of a part
    may be missing where another part or the end of the text follows.

    Raises:
        ParseError: The text is empty, too long, or nothing but unfinished thinking.
    """
    found = _scan(text)
    names = dict.fromkeys(section.name for section in found)
    chosen = {name: tags.last(found, name) for name in names}
    return {name: tags.clean(section.text) for name, section in chosen.items() if section is not None}


def parse_problem(prompt: Prompt, completion: Completion) -> Problem:
    """Reads an author's completion.

    Raises:
        ParseError: It holds no problem with an answer (see the module for the reasons).
    """
    found = _one_problem(_scan(completion.text, completion), completion)
    statement = _needed(found, "problem", completion)
    code = any(section.name == "tests" for section in found)
    if code:
        answer = Answer(
            kind="code",
            value=_needed(found, "answer", completion, limit=MAX_PROGRAM),
            tests=_tests(_needed(found, "tests", completion, limit=MAX_PROGRAM)),
        )
    else:
        answer = _answer(_answer_text(found, completion))
    recipe = prompt.recipe
    return Problem(
        id=fingerprint(recipe.id, str(prompt.sample), statement, size=8),
        statement=statement,
        answer=answer,
        recipe=recipe,
        rationale=_optional(found, "rationale"),
        solution=_optional(found, "solution"),
        provenance={
            "author": completion.model,
            "backend": completion.backend,
            "template": prompt.template,
            "template_hash": prompt.template_hash,
        },
    )


def parse_judgement(problem_id: str, completion: Completion) -> Judgement:
    """Reads a judge's completion: each criterion rated once, in one of three words, exactly.

    Raises:
        ParseError: It is not that (see the module for the reasons).
    """
    found = _scan(completion.text, completion)
    blocks = [section for section in found if section.name == "ratings" and section.closed]
    block = _needed(found, "ratings", completion)
    ratings = _ratings(block)
    for other in blocks:
        if _ratings(tags.clean(other.text)) != ratings:
            raise ParseError("two blocks of ratings differ", reason="contradictory")
    return Judgement(
        problem_id=problem_id,
        judge=completion.model,
        ratings=ratings,
        measures=_measures(_optional(found, "measures")),
        structure=_structure(_optional(found, "structure")),
        comment=_optional(found, "comment")[:2000],
    )


def parse_answer(text: str) -> str | None:
    r"""The final answer of a solver's completion, or None where there is none.

    The last complete ``\boxed{…}`` or ``<answer>`` counts, or else a last line of the form
    "answer: …" or "#### …".
    """
    if len(text) > MAX_TEXT or not _is_unicode(text):
        return None
    outside, unclosed = tags.without_thinking(text)
    if unclosed:
        return None
    boxes = tags.boxed(outside)
    tagged = tags.scan(outside) if tags.has_tag(outside) else []
    answers = [section for section in tagged if section.name == "answer" and section.closed]
    answer: str | None
    if answers and (not boxes or answers[-1].start + len(answers[-1].text) > boxes[-1][0]):
        inner = tags.boxed(answers[-1].text)
        answer = inner[-1][1] if inner else tags.clean(answers[-1].text)
    elif boxes:
        answer = tags.unescape(boxes[-1][1])
    else:
        answer = _last_line(outside)
    bare = _bare(answer) if answer else ""
    return bare if bare and len(bare) <= MAX_ANSWER else None


def parse_concepts(completion: Completion) -> tuple[tuple[str, str], ...]:
    """Name and explanation of each concept that an extraction named.

    Raises:
        ParseError: It names none.
    """
    block = _needed(_scan(completion.text, completion), "concepts", completion)
    pairs = []
    for line in block.splitlines():
        name, _, explanation = line.strip().lstrip("-*•0123456789.) \t").partition(":")
        if name.strip(" *_`"):
            pairs.append((name.strip(" *_`")[:120], explanation.strip(" *")[:1000]))
    if not pairs:
        raise ParseError("the block of concepts names none", reason="missing-concepts")
    return tuple(pairs[:_MAX_CONCEPTS])


def _scan(text: str, completion: Completion | None = None) -> list[Section]:
    """Sections outside thinking; errors where there can be none."""
    if not text.strip():
        raise ParseError("the completion is empty", reason="empty")
    if len(text) > MAX_TEXT:
        raise ParseError(f"the completion has {len(text):,} characters", reason="too-long")
    if not _is_unicode(text):
        raise ParseError("the completion holds half a character (a lone surrogate)", reason="bad-text")
    outside, unclosed = tags.without_thinking(text)
    if control := _CONTROL.search(outside):
        raise ParseError(f"a control character: {_excerpt(outside[control.start() :])}", reason="bad-text")
    cut_off = completion is not None and completion.finish_reason in _CUT_OFF
    found = tags.scan(tags.without_fence(outside))
    if found:
        return found
    if unclosed:
        if cut_off:
            raise ParseError("the output limit was reached while thinking", reason="truncated")
        raise ParseError("the thinking block is never closed", reason="unclosed-thinking")
    if not outside.strip():
        raise ParseError("nothing follows the thinking block", reason="empty")
    if completion is not None and _refuses(outside, completion):
        raise ParseError(f"the model declined: {_excerpt(outside)}", reason="refusal")
    if cut_off:
        raise ParseError("the output limit was reached before the first part", reason="truncated")
    return []


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refuses(text: str, completion: Completion) -> bool:
    return completion.finish_reason == "content_filter" or _REFUSAL.match(text.strip()[:80]) is not None


def _one_problem(found: list[Section], completion: Completion) -> list[Section]:
    """The last problem and the parts that belong to it.

    Raises:
        ParseError: Several problems share one answer, or one problem has several.
    """
    problems = [s for s in found if s.name == "problem" and s.text.strip()]
    closed = [s for s in problems if s.closed]
    if closed and not problems[-1].closed:
        reason = "truncated" if completion.finish_reason in _CUT_OFF else "contradictory"
        raise ParseError("a second problem is begun and not finished", reason=reason)
    if len({tags.clean(s.text) for s in closed}) > 1:
        before, start = closed[-2].start, closed[-1].start
        found = [s for s in found if s.start >= start or (s.name == "rationale" and s.start > before)]
        if not any(s.name == "answer" for s in found):
            raise ParseError("several problems, and no answer after the last", reason="contradictory")
    answers = {tags.clean(s.text) for s in found if s.name == "answer" and s.closed}
    if len(answers) > 1:
        raise ParseError(
            f"one problem with {len(answers)} different answers: {_excerpt(' / '.join(sorted(answers)))}",
            reason="contradictory",
        )
    return found


def _needed(found: list[Section], name: str, completion: Completion, *, limit: int = MAX_STATEMENT) -> str:
    """The content of a part that must be there."""
    section = tags.last(found, name)
    cut_off = completion.finish_reason in _CUT_OFF
    if section is None:
        if cut_off:
            raise ParseError(f"the output limit was reached before <{name}>", reason="truncated")
        said = "" if found else f": {_excerpt(completion.text)}"
        raise ParseError(f"there is no <{name}>{said}", reason=f"missing-{name}")
    if not section.closed and cut_off and section is found[-1]:
        raise ParseError(f"the output limit was reached inside <{name}>", reason="truncated")
    text = section.text if section.closed else _without_loose_fence(section.text)
    if tags.has_tag(text):
        raise ParseError(f"<{name}> contains the tags of another part", reason="nested-tags")
    content = tags.clean(text)
    if not content:
        raise ParseError(f"<{name}> is empty", reason=f"missing-{name}")
    if len(content) > limit:
        raise ParseError(f"<{name}> has {len(content):,} characters", reason="too-long")
    return content


def _answer_text(found: list[Section], completion: Completion) -> str:
    """The answer's own part, or else what the worked solution ends in."""
    if not any(section.name == "answer" for section in found):
        solution = tags.last(found, "solution")
        stated = parse_answer(solution.text) if solution and solution.closed else None
        if stated is not None:
            return stated
    return _needed(found, "answer", completion, limit=MAX_ANSWER)


def _optional(found: list[Section], name: str) -> str:
    section = tags.last(found, name)
    return tags.clean(tags.without_tags(section.text)) if section else ""


def _without_loose_fence(text: str) -> str:
    """A last part without its end tag may have caught the fence that closes the whole."""
    text = text.strip()
    return text[:-3].strip() if text.endswith("```") and text.count("```") % 2 else text


def _answer(content: str) -> Answer:
    boxes = tags.boxed(content)
    value = _bare(boxes[-1][1] if boxes else content)
    sentence = _ANSWER_LINE.fullmatch(value)
    value = _bare(sentence[1]) if sentence else value
    if not value:
        raise ParseError("<answer> is empty", reason="missing-answer")
    words = _WORDS.fullmatch(value) if len(value) <= 200 else None
    is_text = words is not None and value.lower() not in _NOT_WORDS
    return Answer(kind="text" if is_text else "expression", value=value)


def _bare(answer: str) -> str:
    """An answer without what is put around it: emphasis, dollar signs, a full stop."""
    text = answer.strip()
    for _ in range(4):
        before = text
        text = text.strip().rstrip(".").strip("*`").strip()
        for opening, closing in (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]")):
            inner = text[len(opening) : -len(closing)]
            if text.startswith(opening) and text.endswith(closing) and opening not in inner and inner:
                text = inner.strip()
                break
        if text == before:
            break
    return text if text.strip("$ ") else ""


def _last_line(text: str) -> str | None:
    """What the last line that is not empty gives as the answer."""
    lines = text.rstrip().rsplit("\n", 1)
    match = _ANSWER_LINE.match(lines[-1].strip()[:600])
    return match[1] if match else None


def _tests(content: str) -> tuple[str, ...]:
    lines = [line.strip() for line in content.splitlines()]
    tests = [line for line in lines if line and not line.startswith("#")]
    wrong = [line for line in tests if not re.match(r"assert[\s(]", line)]
    if not tests:
        raise ParseError("<tests> is empty", reason="missing-tests")
    if wrong:
        raise ParseError(f"a line of <tests> is not an assert: {_excerpt(wrong[0])}", reason="bad-tests")
    return tuple(tests)


def _ratings(block: str) -> dict[str, str]:
    ratings: dict[str, str] = {}
    for line in block.splitlines():
        if not line.strip():
            continue
        match = _RATING.fullmatch(line.strip())
        if match is None:
            raise ParseError(f"a line of <ratings> rates nothing: {_excerpt(line)}", reason="bad-rating")
        criterion, rating = match[1].lower(), match[2].strip(" \t*.`").lower()
        if criterion not in CRITERIA:
            raise ParseError(f"there is no criterion {_excerpt(criterion)}", reason="bad-rating")
        if rating not in RATINGS:
            raise ParseError(f"{criterion} is rated {_excerpt(rating)}", reason="bad-rating")
        if ratings.setdefault(criterion, rating) != rating:
            raise ParseError(f"{criterion} is rated twice", reason="contradictory")
    missing = [criterion for criterion in CRITERIA if criterion not in ratings]
    if missing:
        raise ParseError(f"not rated: {', '.join(missing)}", reason="missing-criterion")
    return {criterion: ratings[criterion] for criterion in CRITERIA}


def _measures(block: str) -> dict[str, float]:
    measures: dict[str, float] = {}
    for line in block.splitlines():
        if not line.strip():
            continue
        match = _MEASURE.fullmatch(line.strip())
        try:
            value = float(match[2]) if match else math.nan
        except ValueError:
            value = math.nan
        if match is None or not math.isfinite(value) or len(measures) >= _MAX_MEASURES:
            raise ParseError(f"a line of <measures> measures nothing: {_excerpt(line)}", reason="bad-measure")
        measures[match[1].lower()] = value
    return measures


def _structure(block: str) -> str:
    if block and not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", block):
        raise ParseError(f"<structure> is not a hash: {_excerpt(block)}", reason="bad-structure")
    return block


def _excerpt(text: str) -> str:
    return repr(text.strip()[:120])
