"""Finds tagged sections in what a model wrote, which is seldom quite what it was asked for.

Every pass is linear in the text, whatever the text is: patterns have bounded repetitions, and
braces and tags are matched by one walk with a stack.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

TAGS = (
    *("rationale", "problem", "solution", "answer", "tests"),
    *("ratings", "measures", "structure", "comment", "concepts"),
)
"""The parts that completions are made of."""

_TAG = re.compile(rf"<[ \t]{{0,4}}(/?)[ \t]{{0,4}}({'|'.join(TAGS)})(?:[ \t][^<>]{{0,100}})?>", re.IGNORECASE)
_THINK = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_BRACE = re.compile(r"\\[\s\S]|[{}]")  # an escaped brace is matched as a whole, and passed over
_FENCE = re.compile(r"```[\w+.-]{0,20}[ \t]*\n")
_ENTITY = re.compile(r"&(lt|gt|quot|apos|#39|amp);")
_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "#39": "'", "amp": "&"}
_HEADING = re.compile(
    r"[ \t]{0,3}(?P<mark>#{1,6}[ \t]{0,4})?(?P<bold>\*\*|__)?(?:(?:step|part)?[ \t]?\d[.):][ \t]?)?"
    r"(?P<name>rationale|problem statement|problem|worked solution|solution|final answer|answer"
    r"|test cases|tests|ratings|measures|comment|concepts)"
    r"(?P<colon>:)?(?:\*\*|__)?(?P<late>:)?[ \t]*(?P<rest>[^\n]*)",
    re.IGNORECASE,
)
_ALIASES = {
    "problem statement": "problem",
    "worked solution": "solution",
    "final answer": "answer",
    "test cases": "tests",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A piece of a completion under a name.

    Attributes:
        start: Offset of its first character in the text that was scanned.
        closed: Whether its end tag was there.
    """

    name: str
    text: str
    start: int
    closed: bool


def without_thinking(text: str) -> tuple[str, bool]:
    """The text outside thinking blocks, and whether the last such block was never closed.

    An end tag without its start closes a block that the server had opened in the prompt: all
    before it is thinking.
    """
    kept: list[str] = []
    depth, last = 0, 0
    for match in _THINK.finditer(text):
        if depth == 0:
            kept.append(text[last : match.start()])
        if not match[1]:
            depth += 1
        elif depth:
            depth -= 1
        else:
            kept.clear()
        last = match.end()
    if depth == 0:
        kept.append(text[last:])
    return "".join(kept), depth > 0


def scan(text: str) -> list[Section]:
    """The sections of a text, in order: by tags, or by headings where it has no tag at all."""
    marks = [(match, match[2].lower()) for match in _TAG.finditer(text)]
    return list(_tagged(text, marks)) if marks else list(_headed(text))


def last(sections: Iterable[Section], name: str) -> Section | None:
    """The section of that name to trust: the last closed one, else the last."""
    found = [section for section in sections if section.name == name]
    closed = [section for section in found if section.closed]
    return closed[-1] if closed else found[-1] if found else None


def has_tag(text: str) -> bool:
    """Whether any of the known tags stands in the text."""
    return _TAG.search(text) is not None


def without_tags(text: str) -> str:
    """The text with every known tag taken out, and what the tags enclose left in."""
    return _TAG.sub("", text)


def clean(text: str) -> str:
    """A section's content: without a code fence round the whole of it, unescaped, stripped."""
    return unescape(without_fence(text))


def without_fence(text: str) -> str:
    """Takes a code fence away where it encloses the whole text."""
    text = text.strip()
    opening = _FENCE.match(text)
    if opening and text.count("```") == 2 and text.endswith("```"):
        return text[opening.end() : -3].strip()
    return text


def unescape(text: str) -> str:
    """Undoes the escaping of XML's five characters, once."""
    return _ENTITY.sub(lambda match: _ENTITIES[match[1]], text)


def _tagged(text: str, marks: list[tuple[re.Match[str], str]]) -> Iterator[Section]:
    """Sections by tags: one that is closed ends at its end tag, another at the next start tag."""
    following = _next_of_same_name(marks)
    index = 0
    while index < len(marks):
        match, name = marks[index]
        if match[1]:  # an end tag that closes nothing
            index += 1
            continue
        end = following[index]
        if end is not None and marks[end][0][1]:
            yield Section(name, text[match.end() : marks[end][0].start()], match.end(), True)
            index = end + 1
            continue
        index += 1
        stop = marks[index][0].start() if index < len(marks) else len(text)
        yield Section(name, text[match.end() : stop], match.end(), False)


def _next_of_same_name(marks: list[tuple[re.Match[str], str]]) -> list[int | None]:
    nearest: dict[str, int] = {}
    following: list[int | None] = [None] * len(marks)
    for index in range(len(marks) - 1, -1, -1):
        following[index] = nearest.get(marks[index][1])
        nearest[marks[index][1]] = index
    return following


def _headed(text: str) -> Iterator[Section]:
    """Sections by lines such as ``## Problem``, ``**Problem:**`` or ``Answer: 42``."""
    name, lines, start, offset = "", [""], 0, 0
    for line in text.splitlines(keepends=True):
        match = _HEADING.match(line)
        if match and _is_heading(match):
            if name:
                yield Section(name, "".join(lines), start, True)
            name = _ALIASES.get(match["name"].lower(), match["name"].lower())
            lines, start = [match["rest"] + "\n"], offset + match.start("rest")
        else:
            lines.append(line)
        offset += len(line)
    if name:
        yield Section(name, "".join(lines), start, False)


def _is_heading(match: re.Match[str]) -> bool:
    if match["colon"] or match["late"]:
        return True
    return bool(match["mark"] or match["bold"]) and not match["rest"].strip(" *_#")


def boxed(text: str) -> list[tuple[int, str]]:
    r"""Offset and content of each complete ``\boxed{…}``, in order, by one walk over the braces."""
    found: list[tuple[int, int, int]] = []
    open_braces: list[int] = []
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            open_braces.append(match.start())
        elif match[0] == "}" and open_braces:
            opening = open_braces.pop()
            head = text[max(0, opening - 8) : opening].rstrip(" ")
            if head.endswith(("\\boxed", "\\fbox")):
                found.append((opening, opening + 1, match.start()))
    return [(at, text[start:end]) for at, start, end in sorted(found)]
