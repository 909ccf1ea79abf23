from __future__ import annotations

import re

import pytest

from promptcot.filters.words import signs, words

TEXT = (
    "A café sells 12 cakes and 3 tarts to each of 45 guests. How many does it sell, if $2 \\cdot x \\le 9$?"
)


def moved(text, first):
    """The text with its small letters (not those of commands) taken from another alphabet."""
    return re.sub(r"\\[a-z]+|[a-z]", lambda m: m[0] if m[0][0] == "\\" else chr(first + ord(m[0]) - 97), text)


DISGUISES = {
    "invisible": lambda text: text.replace("es", "e\u200bs").replace("an", "a\u00adn"),
    "full width": lambda text: moved(text, 0xFF41),
    "accents apart": lambda text: text.replace("é", "e\u0301"),
    "accents added": lambda text: text.replace("ow", "ów"),
    "Cyrillic": lambda text: text.replace("a", "а").replace("ow", "оw"),
    "mathematical letters": lambda text: moved(text, 0x1D41A),
    "other digits": lambda text: text.replace("4", "٤").replace("5", "５"),
    "HTML": lambda text: text.replace(" ", "&nbsp;").replace("é", "&eacute;"),
    "LaTeX brackets": lambda text: text.replace("$2", "\\(2").replace("9$", "9\\)"),
    "LaTeX fonts": lambda text: text.replace("guests", "\\textbf{guests}").replace("tarts", "\\emph{tarts}"),
    "signs": lambda text: text.replace("\\cdot", "·").replace("\\le", "≤"),
    "Markdown": lambda text: text.replace("guests", "**guests**"),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguise_changes_no_word(disguise):
    other = DISGUISES[disguise](TEXT)
    assert other != TEXT
    assert words(other) == words(TEXT)
    assert signs(other) == signs(TEXT)


@pytest.mark.parametrize(
    ("one", "other"),
    [("5²", "52"), ("x - 1", "x + 1"), ("2 < 3", "2 <= 3"), ("a * b", "a b"), ("0.5", "5"), ("α", "a")],
)
def test_what_means_something_else_stays_apart(one, other):
    assert words(f"Find {one}.") != words(f"Find {other}.")
