"""Words as strings of letters."""

from __future__ import annotations

import string
from collections import Counter
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Ints, Numbers, Positive, Str, Whole, Word

_ALPHABET = string.ascii_lowercase
Jump = Annotated[int, Int(1, 12, fixed=True)]


@concept(
    "strings.length", "length of a word",
    ["the number of letters in {w}", "the length of {w}", "how many letters {w} has",
     "the count of letters in {w}"],
    symbol="len", level=1,
)  # fmt: skip
def length(w: Word) -> Positive:
    """How many letters a word has."""
    return len(w)


@length.check
def _(w: str, value: int) -> bool:
    return value == sum(Counter(w).values())


@concept(
    "strings.vowels", "counting vowels",
    ["the number of vowels in {w}, not counting y", "how many letters of {w} are among a, e, i, o and u",
     "the count of the letters a, e, i, o and u in {w}",
     "the number of letters of {w} that are a, e, i, o or u"],
    symbol="vowels", level=2, weight=1.2, prerequisites=("strings.length",),
)  # fmt: skip
def vowels(w: Word) -> Whole:
    """How many letters of a word are a, e, i, o or u."""
    return sum(letter in "aeiou" for letter in w)


@vowels.check
def _(w: str, value: int) -> bool:
    return value == sum(w.count(vowel) for vowel in "aeiou")


@concept(
    "strings.reverse", "reversing a word",
    ["{w} spelled backwards", "the reversal of the letters of {w}",
     "the word formed by the letters of {w} in reverse order",
     "the string obtained by reading {w} from right to left"],
    symbol="rev", level=2, weight=1.2,
)  # fmt: skip
def reverse(w: Word) -> Word:
    """The letters of a word from the last to the first."""
    return w[::-1]


@reverse.check
def _(w: str, value: str) -> bool:
    return "".join(reversed(value)) == w


@concept(
    "strings.sort-letters", "sorting letters",
    ["the word formed by the letters of {w} in alphabetical order", "{w} with its letters sorted from a to z",
     "the string made of the letters of {w} sorted alphabetically", "the alphabetical rearrangement of {w}"],
    symbol="sortletters", level=3, weight=1.4,
)  # fmt: skip
def sort_letters(w: Word) -> Word:
    """The letters of a word in the order of the alphabet."""
    return "".join(sorted(w))


@sort_letters.check
def _(w: str, value: str) -> bool:
    return value == "".join(letter * w.count(letter) for letter in _ALPHABET)


@concept(
    "strings.caesar", "Caesar cipher",
    ["the string obtained by moving every letter of {w} forward by {k} in the alphabet",
     "the Caesar encryption of {w} with a shift of {k}",
     "{w} with each letter replaced by the one {k} places later",
     "the code word for {w} under a Caesar shift by {k}"],
    symbol="caesar", level=4, weight=1.8,
)  # fmt: skip
def caesar(w: Word, k: Jump) -> Word:
    """Every letter moved along the alphabet, z being followed by a."""
    return "".join(_ALPHABET[(_ALPHABET.index(letter) + k) % 26] for letter in w)


@caesar.check
def _(w: str, k: int, value: str) -> bool:
    table = str.maketrans(_ALPHABET[k:] + _ALPHABET[:k], _ALPHABET)
    return value.translate(table) == w


@concept(
    "strings.positions", "letters as numbers",
    ["the list of alphabet positions of the letters in {w}",
     "the list of the letters of {w} as numbers, where a is 1 and z is 26",
     "the list that gives each letter of {w} by its place in the alphabet",
     "the list that gives the alphabet positions of the letters of {w}, in order"],
    symbol="positions", level=2, weight=1.4,
)  # fmt: skip
def positions(w: Annotated[str, Str(shortest=2)]) -> Numbers:
    """Each letter by its place in the alphabet, a being 1."""
    return tuple(ord(letter) - 96 for letter in w)


@positions.check
def _(w: str, value: tuple[int, ...]) -> bool:
    return "".join(_ALPHABET[place - 1] for place in value) == w


@concept(
    "strings.distinct", "different letters",
    ["the number of different letters in {w}", "how many different letters {w} uses",
     "the count of distinct letters in {w}", "the size of the set of letters of {w}"],
    symbol="distinct", level=2, weight=1.3, prerequisites=("strings.length",),
)  # fmt: skip
def distinct(w: Word) -> Positive:
    """How many letters of the alphabet a word uses."""
    return len(set(w))


@distinct.check
def _(w: str, value: int) -> bool:
    return value == sum(place == w.index(letter) for place, letter in enumerate(w))


@concept(
    "strings.spell", "numbers as letters",
    ["the string of letters whose alphabet positions are the numbers in {xs}",
     "the word made by turning the numbers in {xs} into letters, where 1 is a and 26 is z",
     "the word spelled by the alphabet positions in {xs}",
     "the word made of the letters that stand at the positions in {xs}, in order"],
    symbol="spell", level=2, weight=1.4, prerequisites=("strings.positions",),
)  # fmt: skip
def spell(xs: Annotated[tuple[int, ...], Ints(low=1, high=26, longest=12)]) -> Word:
    """A list of numbers from 1 to 26 read as letters."""
    return "".join(_ALPHABET[x - 1] for x in xs)


@spell.check
def _(xs: tuple[int, ...], value: str) -> bool:
    return tuple(ord(letter) - ord("a") + 1 for letter in value) == xs


@concept(
    "strings.letter-value", "value of a word",
    ["the sum of the alphabet positions of the letters in {w}",
     "the letter value of {w}, where a counts 1 and z counts 26",
     "what the letters of {w} add up to when a counts 1 and z counts 26",
     "the total of the alphabet positions over {w}"],
    symbol="value", level=3, weight=1.6, prerequisites=("strings.positions", "lists.total"), joins=True,
)  # fmt: skip
def letter_value(w: Word) -> Worked[Positive]:
    """The sum of the places of a word's letters in the alphabet."""
    places = [ord(letter) - 96 for letter in w]
    yield f"{' + '.join(map(str, places))} = {sum(places)}"
    return sum(places)


@letter_value.check
def _(w: str, value: int) -> bool:
    return value == sum(place * w.count(letter) for place, letter in enumerate(_ALPHABET, start=1))


@concept(
    "strings.first-letter", "place of the first letter",
    ["the alphabet position of the first letter of {w}",
     "the place in the alphabet of the letter that begins {w}",
     "the number of the first letter of {w} when a is 1 and z is 26",
     "the alphabet position at which {w} begins"],
    symbol="first", level=2, weight=1.2, prerequisites=("strings.positions",), joins=True,
)  # fmt: skip
def first_letter(w: Word) -> Positive:
    """The place in the alphabet of a word's first letter."""
    return ord(w[0]) - 96


@first_letter.check
def _(w: str, value: int) -> bool:
    return w.startswith(_ALPHABET[value - 1])


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(
            length,
            vowels,
            reverse,
            sort_letters,
            caesar,
            positions,
            distinct,
            spell,
            letter_value,
            first_letter,
        ),
    ]
