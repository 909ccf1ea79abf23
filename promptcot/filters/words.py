"""Statements as words: what duplicates and contamination compare."""

from __future__ import annotations

import html
import re
import unicodedata
import zlib
from collections.abc import Sequence

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[^\w\s]")
_MARKUP = re.compile(
    r"\\(?:left|right|displaystyle|text(?:bf|it|rm)?|mathrm|mathbf|mathit|operatorname|emph|mbox|q?quad)(?![a-zA-Z])"
    r"|\\[,!;: ()\[\]]|\*\*|__|[${}\\]"
)
_SPELLINGS = (
    (re.compile(r"\\(?:cdot|times)(?![a-zA-Z])"), "*"),
    (re.compile(r"\\leq?(?![a-zA-Z])"), "<="),
    (re.compile(r"\\geq?(?![a-zA-Z])"), ">="),
    (re.compile(r"\\[dt]frac(?![a-zA-Z])"), r"\\frac"),
)
_SIGNS = str.maketrans(
    {"−": "-", "–": "-", "×": "*", "·": "*", "⋅": "*", "≤": "<=", "≥": ">="}
    | {power: f"^{digit}" for digit, power in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
    # Cyrillic letters that look like Latin ones.
    | dict(zip("асеіјорѕхуАВЕІКМНОРСТХ", "aceijopsxyabeikmhopctx", strict=True))
)
_STOPS = frozenset(".,;?\"'’‘“”`")
_MARKS = _STOPS | frozenset(":!()[]")


def words(text: str) -> list[str]:
    """Words, numbers and operators of a text in their order, without case, mark-up and punctuation.

    Brackets are left out too, as writers differ in them.
    """
    return [token for token in _tokens(text) if token not in _MARKS]


def signs(text: str) -> list[str]:
    """Like `words`, with the marks that mean something in a formula: brackets, ``:`` and ``!``."""
    return [token for token in _tokens(text) if token not in _STOPS]


def _tokens(text: str) -> list[str]:
    plain = _plain(text)
    for pattern, spelling in _SPELLINGS:
        plain = pattern.sub(spelling, plain)
    return _TOKEN.findall(_MARKUP.sub(" ", plain).lower())


def _plain(text: str) -> str:
    """The text without accents, invisible characters, HTML entities and letters in disguise."""
    if "&" in text:
        text = html.unescape(text)
    if text.isascii():
        return text
    letters = unicodedata.normalize("NFKD", text.translate(_SIGNS))
    return "".join(
        str(unicodedata.decimal(c)) if c.isdecimal() else c
        for c in letters
        if unicodedata.category(c) not in ("Mn", "Cf")
    )


def numbers(tokens: Sequence[str]) -> list[str]:
    """The numbers among the words, without separators, in their order."""
    return [token.replace(",", "") for token in tokens if token[0].isdigit()]


def shingles(tokens: Sequence[str], size: int) -> set[str]:
    """Runs of `size` words; of fewer words, the one run there is."""
    if len(tokens) <= size:
        return {" ".join(tokens)}
    return {" ".join(tokens[i : i + size]) for i in range(len(tokens) - size + 1)}


def hashed(runs: set[str]) -> list[int]:
    """32-bit hashes of the runs, sorted, equal ones once."""
    return sorted({zlib.crc32(run.encode()) for run in runs})
