"""Finds the final answer in a completion."""

from __future__ import annotations

__all__ = ["final_answer"]

_BOX, _OPEN, _CLOSE = "\\boxed{", "<answer>", "</answer>"


def final_answer(text: str) -> str | None:
    r"""The content of the last ``\boxed{...}``, or else of the last ``<answer>``; None without either.

    A box that never closes is no answer: the completion was cut off.
    """
    start = text.rfind(_BOX)
    if start >= 0:
        return _braced(text, start + len(_BOX))
    start = text.rfind(_OPEN)
    if start < 0:
        return None
    inside, closed, _ = text[start + len(_OPEN) :].partition(_CLOSE)
    return inside.strip() if closed else None


def _braced(text: str, start: int) -> str | None:
    depth = 1
    for place in range(start, len(text)):
        if text[place - 1] == "\\" and text[place] in "{}":
            continue
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        if depth == 0:
            return text[start:place].strip()
    return None
