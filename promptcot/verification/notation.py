"""Answers as people and models write them, brought to one notation: LaTeX, units, lists."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

MAX_LENGTH = 500
"""Characters of an answer that is read as mathematics; a longer one is compared as text alone."""

_WRAPPERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
_REWRITES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\\(?:dfrac|tfrac|cfrac)(?![a-zA-Z])", r"\\frac"),
        (r"\\(?:left|right|displaystyle|bigl|bigr|Bigl|Bigr)(?![a-zA-Z])\.?", ""),
        (r"(?<=\d)\{,\}(?=\d{3})", ""),  # 10{,}000
        (r"(?<=\d),?\\[!,]\s*(?=\d{3})", ""),  # 10,\!000 and 10\,000
        (r"\\!\s*", ""),
        (r"\\[,;: ]|~|\\quad(?![a-zA-Z])", " "),
        (r"\\%", "%"),
        (r"\\\$", "$"),
        (r"\^\s*\{?\s*\\circ\s*\}?|\\degree(?![a-zA-Z])", "°"),
        (r"[−–]", "-"),
        (r"\\(?:cdot|times)(?![a-zA-Z])|[·×]", "*"),
        (r"([_^])\{(\w)\}", r"\1\2"),
        (r"\\mbox(?![a-zA-Z])|\\mathrm(?![a-zA-Z])|\\textbf(?![a-zA-Z])|\\textrm(?![a-zA-Z])", r"\\text"),
        (r"\s+", " "),
    )
)
_TEXT = re.compile(r"\\text\s?\{([^{}]*)\}")
_THOUSANDS = re.compile(r"([+-]?)(\d{1,3}(?:,\d{3})+)(\.\d+)?")
_NAMED = re.compile(r"(\\?[a-zA-Z](?:_\w)?)\s?(?:=|\\in(?![a-zA-Z]))\s?(?=\S)")
_UNIT = re.compile(
    r"(?P<value>.*[\d})])"
    r"(?:\s?\\text\s?\{(?P<text>[a-zA-Z ./-]*)\}|\s(?P<plain>[a-zA-Z]{2,}(?: [a-zA-Z]{2,}){0,3}))"
    r"(?P<power>\^\d)?"
)
_SIGNS = {"percent": "%", "degree": "°", "degrees": "°", "dollar": "$", "dollars": "$"}
_SHORT_UNITS = re.compile("am|cm|dm|ft|gb|hr|in|kb|kg|km|lb|mb|mg|mi|ml|mm|mph|ms|oz|pm|tb|yd")
# Words after a number that change or deny it, so that it is not the number of them.
_NOT_UNITS = re.compile(
    r"\b(?:"
    r"and|arccos|arcsin|arctan|cos|cot|csc|exp|log|mod|modulo|or|sec|sin|sqrt|tan"
    r"|hundred|hundreds|thousand|thousands|million|millions|billion|billions|trillion|trillions"
    r"|dozen|dozens|half|halves|third|thirds|fourth|fourths|quarter|quarters"
    r"|squared|cubed|factorial|base|binary|remainder|to|power|plus|minus|over|divided"
    r"|less|more|least|most|fewer|greater|below|above|under|not|is|wrong|incorrect|negative"
    r"|alpha|beta|gamma|delta|epsilon|theta|lambda|mu|phi|pi|psi|sigma|tau|omega"
    r")\b"
)
_OPEN, _CLOSE = "([{", ")]}"


def normalise(answer: str) -> str:
    """One way of writing what LaTeX writes in many: no wrappers, spacing, sizes or final stop."""
    text = answer.strip()
    for _ in range(4):
        before = text
        text = _unwrapped(text.strip()).strip()
        if text.endswith(".") and not text.endswith(".."):
            text = text[:-1].rstrip()
        if text == before:
            break
    for pattern, replacement in _REWRITES:
        text = pattern.sub(replacement, text)
    whole = _TEXT.fullmatch(text.strip())
    text = whole[1] if whole else text
    # A space after a comma stays: ``100, 200`` are two numbers and ``100,200`` is one.
    return re.sub(r"(?:(?<!,) )?([^\w\s\\{,]) ?| (?=,)", r"\1", text.strip())


def _unwrapped(text: str) -> str:
    for start, end in _WRAPPERS:
        inner = text[len(start) : -len(end)]
        if len(text) > len(start) + len(end) and text.startswith(start) and text.endswith(end):
            closed_early = end in inner.replace("\\" + end[-1], "")  # \$ inside of $…$ is a dollar sign
            return text if closed_early or inner.endswith("\\") else inner
    for start in ("\\boxed{", "\\fbox{"):
        if text.startswith(start) and text.endswith("}") and _matching(text, len(start) - 1) == len(text) - 1:
            return text[len(start) : -1]
    return text


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value: its text, its unit (``%``, ``°``, ``$``, ``cm^2`` or none) and its name (``x``, or none)."""

    text: str
    unit: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Several values: ``brackets`` is ``()``, ``[]``, ``(]``, ``{}`` for a set, or empty for a bare list."""

    brackets: str
    items: tuple[Scalar | Group, ...]
    name: str = ""


def read(normal: str, depth: int = 0) -> Scalar | Group:
    """Splits a normalised answer into its values, each with the name in front of it (``x=``)."""
    named = _NAMED.match(normal)
    if named and not re.search(r"[=<>]", normal[named.end() :]):
        return replace(_values(normal[named.end() :], depth), name=named[1])
    return _values(normal, depth)


def _values(text: str, depth: int) -> Scalar | Group:
    if depth < 4:
        text_set = text.replace("\\{", "{", 1) if text.startswith("\\{") and text.endswith("\\}") else ""
        if text_set:
            return Group("{}", _items(text_set[1:-2], depth))
        if text[:1] in ("(", "[") and text[-1:] in (")", "]") and _matching(text, 0) == len(text) - 1:
            items = _items(text[1:-1], depth)
            if len(items) > 1:
                return Group(text[0] + text[-1], items)
        elif len(parts := _split(text)) > 1:
            return Group("", tuple(read(part, depth + 1) for part in parts))
    return _scalar(text)


def _items(inside: str, depth: int) -> tuple[Scalar | Group, ...]:
    """Inside brackets every comma separates, unless some have a space and others have none."""
    comma = ", " if ", " in inside else ","
    return tuple(read(part, depth + 1) for part in _split_all(inside, comma))


def _split(text: str) -> list[str]:
    """Splits a bare list at its commas. ``1,234`` is one number, ``1,234, 5`` two and ``1, 234`` two."""
    spaced = _split_all(text, ", ")
    if len(spaced) > 1 or _THOUSANDS.match(text.lstrip("$-")):
        return spaced
    return _split_all(text, ",")


def _split_all(text: str, comma: str) -> list[str]:
    """Splits at the commas that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for index, char in enumerate(text):
        if char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif char == "," and depth == 0 and text.startswith(comma, index):
            parts.append(text[start:index].strip())
            start = index + 1
    return [*parts, text[start:].strip()]


def _scalar(text: str) -> Scalar:
    unit = ""
    if text.startswith(("$", "-$")):
        text, unit = text.replace("$", "", 1), "$"
    elif text.endswith(("%", "°")):
        text, unit = text[:-1].rstrip(), text[-1]
    elif found := _UNIT.fullmatch(text):
        words = (found["text"] if found["text"] is not None else found["plain"]).strip().casefold()
        if _is_unit(words, plain=found["text"] is None):
            text, unit = found["value"].strip(), _SIGNS.get(words, words) + (found["power"] or "")
    number = _THOUSANDS.fullmatch(text)
    return Scalar(text.replace(",", "") if number else text, unit)


def _is_unit(words: str, *, plain: bool) -> bool:
    if not words or _NOT_UNITS.search(words):
        return False
    return not plain or len(words) > 2 or _SHORT_UNITS.fullmatch(words) is not None  # ``12 ab`` is a product


def _matching(text: str, start: int) -> int:
    """Index of the bracket that closes the one at `start`, or -1."""
    depth = 0
    for index in range(start, len(text)):
        if text[index] in _OPEN:
            depth += 1
        elif text[index] in _CLOSE:
            depth -= 1
            if depth == 0:
                return index
    return -1
