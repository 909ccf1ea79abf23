"""Word problems: one situation of everyday life a concept."""

from __future__ import annotations

from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Int, Integer, Positive, Whole

Count = Annotated[int, Int(2, 9999)]
Minutes = Annotated[int, Int(2, 59)]


@concept(
    "word-problems.distance", "distance, speed and time",
    ["the distance in kilometres covered at a speed of {v} kilometres per hour in {t} hours",
     "the distance in kilometres when the speed in kilometres per hour is {v} and the time in hours is {t}",
     "how many kilometres a train covers whose speed in kilometres per hour is {v} and whose travel "
     "time in hours is {t}",
     "the length in kilometres of a trip that takes {t} hours at {v} kilometres per hour"],
    symbol="trip", level=3, weight=1.5, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def distance(v: Count, t: Annotated[int, Int(2, 48)]) -> Worked[Positive]:
    """Speed times time."""
    yield f"{v} * {t} = {v * t}"
    return v * t


@distance.check
def _(v: int, t: int, value: int) -> bool:
    return value == sum(v for _ in range(t))


@concept(
    "word-problems.price", "total price with a fee",
    ["the total price in euros of {n} tickets at {p} euros each with a single fee of {f} euros",
     "the amount in euros to pay when the number of tickets is {n}, the price of each in euros is {p} "
     "and the fee in euros is {f}",
     "the total cost in euros when {n} tickets cost {p} euros each and the booking fee is {f} euros",
     "what has to be paid in euros if the number of tickets is {n}, each costs {p} and the fee for the "
     "order is {f}"],
    symbol="price", level=3, weight=1.7, prerequisites=("arithmetic.multiply", "arithmetic.add"),
)  # fmt: skip
def price(n: Annotated[int, Int(2, 200)], p: Count, f: Count) -> Worked[Positive]:
    """A number of equal prices and one fee."""
    yield f"{n} * {p} = {n * p}"
    yield f"{n * p} + {f} = {n * p + f}"
    return n * p + f


@price.check
def _(n: int, p: int, f: int, value: int) -> bool:
    return (value - f) % n == 0 and (value - f) // n == p


@concept(
    "word-problems.left-over", "what is left",
    ["the number of coins left out of {n} coins after {k} people have taken {m} coins each",
     "what remains of {n} coins when {k} people take {m} coins each",
     "the number of coins left when there were {n}, the number of takers is {k} and each takes {m}",
     "how many coins are left if the number at first is {n}, the number of takers is {k} and each takes "
     "{m}"],
    symbol="left", level=3, weight=1.7, prerequisites=("arithmetic.multiply", "arithmetic.subtract"),
)  # fmt: skip
def left_over(
    n: Annotated[int, Int(30, 9999)], k: Annotated[int, Int(2, 7)], m: Annotated[int, Int(2, 12)]
) -> Worked[Whole]:
    """What is left of a number after equal shares are taken, where there is enough."""
    if k * m > n:
        return None
    yield f"{k} * {m} = {k * m}"
    yield f"{n} - {k * m} = {n - k * m}"
    return n - k * m


@left_over.check
def _(n: int, k: int, m: int, value: int) -> bool:
    for _ in range(k):
        n -= m
    return value == n >= 0


@concept(
    "word-problems.minutes", "hours and minutes",
    ["the number of minutes in {h} hours and {m} minutes",
     "the time in minutes when the full hours are {h} and the minutes beyond them are {m}",
     "the length in minutes of a film that runs for {h} hours and {m} minutes",
     "how many minutes pass when the hours are {h} and the further minutes are {m}"],
    symbol="minutes", level=2, weight=1.5, prerequisites=("arithmetic.multiply", "arithmetic.add"),
)  # fmt: skip
def minutes(h: Annotated[int, Int(2, 48)], m: Minutes) -> Worked[Positive]:
    """A time of hours and minutes in minutes."""
    yield f"{h} * 60 = {h * 60}"
    yield f"{h * 60} + {m} = {h * 60 + m}"
    return h * 60 + m


@minutes.check
def _(h: int, m: int, value: int) -> bool:
    return divmod(value, 60) == (h, m)


@concept(
    "word-problems.boxes", "packing boxes",
    ["the number of boxes needed to pack {n} eggs if each box takes {k} eggs",
     "the least number of boxes when the number of eggs is {n} and each box takes at most {k}",
     "how many boxes are needed if the number of eggs is {n} and each box takes {k}",
     "the smallest number of boxes that hold {n} eggs when {k} eggs fit into each"],
    symbol="boxes", level=4, weight=1.5, prerequisites=("arithmetic.ceiling-quotient",),
)  # fmt: skip
def boxes(n: Count, k: Annotated[int, Int(2, 60)]) -> Worked[Positive]:
    """How many boxes it takes, the last of which may stay partly empty."""
    if n <= k:
        return None
    yield f"{n} = {n // k} * {k} + {n % k}"
    if n % k:
        yield f"{n // k} + 1 = {n // k + 1}"
    return n // k + (1 if n % k else 0)


@boxes.check
def _(n: int, k: int, value: int) -> bool:
    return (value - 1) * k < n <= value * k


@concept(
    "word-problems.age", "ages",
    ["the age in {y} years of someone who is {t} times as old as a child aged {c}",
     "the age after {y} years of a person now {t} times as old as a child aged {c}",
     "how old someone will be when {y} years have passed who is now {t} times as old as a child aged {c}",
     "the future age of someone whose age now is the product of {t} and the age of a child, where the age "
     "of the child is {c} and the count of years to pass is {y}"],
    symbol="age", level=4, weight=1.7, prerequisites=("arithmetic.multiply", "arithmetic.add"),
)  # fmt: skip
def age(
    c: Annotated[int, Int(2, 60)], t: Annotated[int, Int(2, 6)], y: Annotated[int, Int(2, 60)]
) -> Worked[Positive]:
    """A multiple of an age, some years on."""
    yield f"{t} * {c} = {t * c}"
    yield f"{t * c} + {y} = {t * c + y}"
    return t * c + y


@age.check
def _(c: int, t: int, y: int, value: int) -> bool:
    return (value - y) // c == t and (value - y) % c == 0


@concept(
    "word-problems.work", "work rate",
    ["the number of parts made by {m} machines in {h} hours if each makes {r} parts an hour",
     "the output when the number of machines is {m}, the hours are {h} and each machine makes {r} parts "
     "an hour",
     "how many parts come out when the number of machines is {m}, the hours are {h} and the parts each "
     "makes per hour are {r}",
     "the total number of parts when {m} machines run for {h} hours and make {r} parts an hour each"],
    symbol="work", level=4, weight=1.8, prerequisites=("arithmetic.multiply",),
)  # fmt: skip
def work(
    m: Annotated[int, Int(2, 60)], h: Annotated[int, Int(2, 48)], r: Annotated[int, Int(2, 300)]
) -> Worked[Positive]:
    """Machines times hours times rate."""
    yield f"{m} * {h} = {m * h}"
    yield f"{m * h} * {r} = {m * h * r}"
    return m * h * r


@work.check
def _(m: int, h: int, r: int, value: int) -> bool:
    return value // r // h == m and value % (r * h) == 0


@concept(
    "word-problems.temperature", "rising and falling",
    ["the temperature in degrees after a rise of {u} and then a fall of {d} from {s}",
     "the final temperature in degrees when it starts at {s}, rises by {u} and then falls by {d}",
     "how many degrees the thermometer shows if it stood at {s}, went up by {u} and came down by {d}",
     "the reading in degrees that follows from {s} through a rise by {u} and a fall by {d}"],
    symbol="thermo", level=2, weight=1.6, prerequisites=("arithmetic.add", "arithmetic.subtract"),
)  # fmt: skip
def temperature(s: Integer, u: Positive, d: Positive) -> Worked[Integer]:
    """A number that is first raised and then lowered."""
    yield f"{s} + {u} = {s + u}"
    yield f"{s + u} - {d} = {s + u - d}"
    return s + u - d


@temperature.check
def _(s: int, u: int, d: int, value: int) -> bool:
    return value - s == u - d


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [distance, price, left_over, minutes, boxes, age, work, temperature]
