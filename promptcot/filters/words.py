"""Statements as words: what duplicates and contamination compare."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?|[^\w\s]")
_LATEX = re.compile(r"\\(?:left|right|displaystyle|text|mathrm|mbox|[,!;: ])(?![a-zA-Z])|[${}\\]")
_STOPS = frozenset(".,;?\"'’‘“”`")
_MARKS = _STOPS | frozenset(":!()[]")


def words(text: str) -> list[str]:
    """Words, numbers and operators of a text in their order, without case, LaTeX mark-up and punctuation.

    Brackets are left out too, as writers differ in them.
    """
    return [token for token in _tokens(text) if token not in _MARKS]


def signs(text: str) -> list[str]:
    """Like `words`, with the marks that mean something in a formula: brackets, ``:`` and ``!``."""
    return [token for token in _tokens(text) if token not in _STOPS]


def _tokens(text: str) -> list[str]:
    plain = _LATEX.sub(" ", text).replace("dfrac", "frac").replace("tfrac", "frac").lower()
    return _TOKEN.findall(plain)


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
