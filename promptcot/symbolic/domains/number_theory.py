"""Number theory: divisibility, primes, digits."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

from promptcot.symbolic.concept import SymbolicConcept, Worked, concept
from promptcot.symbolic.ports import Few, Int, Numbers, Positive, Small, Truth, Whole

Factorable = Annotated[int, Int(4, 9999)]
LongNumber = Annotated[int, Int(10, 10**9)]
Multiplied = Annotated[int, Int(1, 9999)]
Modulus = Annotated[int, Int(5, 30, fixed=True)]


def _prime_factors(n: int) -> Iterator[int]:
    """Prime factors of `n` from the smallest up, each as often as it divides."""
    divisor = 2
    while divisor * divisor <= n:
        while n % divisor == 0:
            yield divisor
            n //= divisor
        divisor += 1 if divisor == 2 else 2
    if n > 1:
        yield n


def _is_prime(n: int) -> bool:
    return n > 1 and all(n % divisor for divisor in range(2, math.isqrt(n) + 1))


def _product(n: int, factors: list[int]) -> str:
    return f"{n} = {' * '.join(map(str, factors))}" if len(factors) > 1 else f"{n} is prime"


@concept(
    "number-theory.remainder", "remainder",
    ["the remainder when {a} is divided by {b}", "what remains when {a} is divided by {b}",
     "the residue of {a} modulo {b}", "{a} modulo {b}"],
    symbol="mod", level=3, weight=1.3, prerequisites=("arithmetic.quotient",), aliases=("modulo",),
)  # fmt: skip
def remainder(a: Positive, b: Small) -> Worked[Whole]:
    """What is left of the first number after taking out the second one as often as it fits."""
    if a <= b:
        return None
    yield f"{a} = {a // b} * {b} + {a % b}"
    return a % b


@remainder.check
def _(a: int, b: int, value: int) -> bool:
    return 0 <= value < b and (a - value) // b * b == a - value


@concept(
    "number-theory.gcd", "greatest common divisor",
    ["the greatest common divisor of {a} and {b}", "the largest integer that divides both {a} and {b}",
     "the highest common factor of {a} and {b}", "the largest common divisor of {a} and {b}"],
    symbol="gcd", level=4, weight=1.8, symmetric=True, prerequisites=("number-theory.remainder",),
    aliases=("highest common factor", "gcd"),
)  # fmt: skip
def gcd(a: Positive, b: Positive) -> Worked[Positive]:
    """Largest integer that divides both numbers, by Euclid's algorithm."""
    a, b = max(a, b), min(a, b)
    while b:
        yield f"{a} = {a // b} * {b} + {a % b}"
        a, b = b, a % b
    return a


@gcd.check
def _(a: int, b: int, value: int) -> bool:
    return value == math.gcd(a, b)


@concept(
    "number-theory.lcm", "least common multiple",
    ["the least common multiple of {a} and {b}", "the smallest positive number that both {a} and {b} divide",
     "the lowest common multiple of {a} and {b}", "the smallest common multiple of {a} and {b}"],
    symbol="lcm", level=4, weight=1.8, symmetric=True, prerequisites=("number-theory.gcd",),
    aliases=("lowest common multiple", "lcm"),
)  # fmt: skip
def lcm(a: Multiplied, b: Multiplied) -> Worked[Positive]:
    """Smallest positive number that both numbers divide."""
    divisor = math.gcd(a, b)
    yield f"gcd = {divisor}"
    if divisor > 1:
        yield f"{a} / {divisor} = {a // divisor}"
    yield f"{a // divisor} * {b} = {a // divisor * b}"
    return a // divisor * b


@lcm.check
def _(a: int, b: int, value: int) -> bool:
    large, small = max(a, b), min(a, b)
    return value == next(k for k in range(large, large * small + 1, large) if k % small == 0)


@concept(
    "number-theory.digit-sum", "digit sum",
    ["the sum of the digits of {n}", "the digit sum of {n}", "what the digits of {n} add up to",
     "the total of the decimal digits of {n}"],
    symbol="digsum", level=2, weight=1.2, prerequisites=("arithmetic.add",),
)  # fmt: skip
def digit_sum(n: LongNumber) -> Worked[Positive]:
    """Sum of the decimal digits of a number."""
    digits = [int(digit) for digit in str(n)]
    yield f"{' + '.join(map(str, digits))} = {sum(digits)}"
    return sum(digits)


@digit_sum.check
def _(n: int, value: int) -> bool:
    total = 0
    while n:
        n, digit = divmod(n, 10)
        total += digit
    return total == value


@concept(
    "number-theory.digit-reversal", "reversing digits",
    ["{n} with its digits reversed", "the number obtained by reversing the digits of {n}",
     "the digit reversal of {n}", "the number that {n} becomes when it is read from right to left"],
    symbol="revdig", level=2, weight=1.2,
)  # fmt: skip
def digit_reversal(n: LongNumber) -> Positive | None:
    """The number read from right to left, where that is another one of the same length."""
    text = str(n)
    return None if text[-1] == "0" or text == text[::-1] else int(text[::-1])


@digit_reversal.check
def _(n: int, value: int) -> bool:
    built = 0
    while n:
        n, digit = divmod(n, 10)
        built = built * 10 + digit
    return built == value


@concept(
    "number-theory.divisor-count", "number of divisors",
    ["the number of positive divisors of {n}", "how many positive integers divide {n}",
     "the count of the positive divisors of {n}", "the number of positive integers that divide {n}"],
    symbol="ndiv", level=5, weight=2.0, prerequisites=("number-theory.remainder",),
)  # fmt: skip
def divisor_count(n: Factorable) -> Worked[Positive]:
    """How many positive integers divide a number, by its prime factorisation."""
    factors = list(_prime_factors(n))
    yield _product(n, factors)
    exponents = [factors.count(prime) for prime in sorted(set(factors))]
    count = math.prod(exponent + 1 for exponent in exponents)
    terms = [f"{exponent} + 1" for exponent in exponents]
    yield f"{' * '.join(f'({term})' for term in terms) if len(terms) > 1 else terms[0]} = {count}"
    return count


@divisor_count.check
def _(n: int, value: int) -> bool:
    pairs = sum(2 for d in range(1, math.isqrt(n) + 1) if n % d == 0)
    return value == pairs - (math.isqrt(n) ** 2 == n)


@concept(
    "number-theory.divisor-sum", "sum of divisors",
    ["the sum of the positive divisors of {n}", "what the positive divisors of {n} add up to",
     "the total of all positive divisors of {n}", "the sum of all positive integers that divide {n}"],
    symbol="sumdiv", level=6, weight=2.2, prerequisites=("number-theory.divisor-count",),
)  # fmt: skip
def divisor_sum(n: Annotated[int, Int(4, 999)]) -> Worked[Positive]:
    """Sum of the positive integers that divide a number."""
    low = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    divisors = low + [n // d for d in reversed(low) if d * d != n]
    yield f"{' + '.join(map(str, divisors))} = {sum(divisors)}"
    return sum(divisors)


@divisor_sum.check
def _(n: int, value: int) -> bool:
    total = 1
    factors = list(_prime_factors(n))
    for prime in set(factors):
        total *= (prime ** (factors.count(prime) + 1) - 1) // (prime - 1)
    return total == value


@concept(
    "number-theory.largest-prime-factor", "largest prime factor",
    ["the largest prime factor of {n}", "the greatest prime that divides {n}",
     "the largest prime divisor of {n}", "the biggest prime number dividing {n}"],
    symbol="bigprime", level=5, weight=1.9, prerequisites=("number-theory.remainder",),
)  # fmt: skip
def largest_prime_factor(n: Factorable) -> Worked[Positive]:
    """The largest prime that divides a number, which must not be prime itself."""
    factors = list(_prime_factors(n))
    if len(factors) == 1:
        return None
    yield _product(n, factors)
    return factors[-1]


@largest_prime_factor.check
def _(n: int, value: int) -> bool:
    while n % value == 0:
        n //= value
    return _is_prime(value) and all(n % p for p in range(value, n + 1) if _is_prime(p))


@concept(
    "number-theory.next-prime", "next prime",
    ["the smallest prime greater than {n}", "the next prime after {n}", "the first prime above {n}",
     "the least prime number that is larger than {n}"],
    symbol="nextprime", level=4, weight=1.6, prerequisites=("number-theory.is-prime",),
)  # fmt: skip
def next_prime(n: Annotated[int, Int(2, 9999)]) -> Positive:
    """The first prime above a number."""
    value = n + 1
    while not _is_prime(value):
        value += 1
    return value


@next_prime.check
def _(n: int, value: int) -> bool:
    between = range(n + 1, value + 1)
    return [k for k in between if len(list(_prime_factors(k))) == 1] == [value]


@concept(
    "number-theory.totient", "Euler's totient",
    ["the number of positive integers up to {n} that share no factor above 1 with it",
     "Euler's totient of {n}", "the value of Euler's totient function at {n}",
     "the count of positive integers not above {n} that are coprime to it"],
    symbol="phi", level=7, weight=2.4,
    prerequisites=("number-theory.gcd", "number-theory.largest-prime-factor"), aliases=("phi function",),
)  # fmt: skip
def totient(n: Annotated[int, Int(4, 999)]) -> Worked[Positive]:
    """How many positive integers up to a number are coprime to it."""
    factors = list(_prime_factors(n))
    yield _product(n, factors)
    value = n
    for prime in sorted(set(factors)):
        yield f"{value} - {value // prime} = {value - value // prime}"
        value -= value // prime
    return value


@totient.check
def _(n: int, value: int) -> bool:
    return value == sum(math.gcd(k, n) == 1 for k in range(1, n + 1))


@concept(
    "number-theory.power-remainder", "modular power",
    ["the remainder when {a} raised to the power {n} is divided by {m}",
     "what remains when the power of {a} with exponent {n} is divided by {m}",
     "the residue modulo {m} of the power with base {a} and exponent {n}",
     "the remainder upon division by {m} of the power with base {a} and exponent {n}"],
    symbol="powmod", level=6, weight=2.2, prerequisites=("number-theory.remainder", "arithmetic.power"),
)  # fmt: skip
def power_remainder(a: Positive, n: Few, m: Modulus) -> Worked[Whole]:
    """The remainder of a power, reduced after every multiplication."""
    base = a % m
    if a != base:
        yield f"{a} mod {m} = {base}"
    value = base
    for _ in range(n - 1):
        yield f"{value} * {base} mod {m} = {value * base % m}"
        value = value * base % m
    return value


@power_remainder.check
def _(a: int, n: int, m: int, value: int) -> bool:
    return value == pow(a, n, m)


@concept(
    "number-theory.digital-root", "digital root",
    ["the digital root of {n}", "the single digit reached by summing the digits of {n} again and again",
     "the repeated digit sum of {n} down to one digit",
     "the one digit left when the digits of {n} are summed repeatedly"],
    symbol="droot", level=4, weight=1.5, prerequisites=("number-theory.digit-sum",),
)  # fmt: skip
def digital_root(n: LongNumber) -> Worked[Positive]:
    """Sums the digits again and again until one is left."""
    while n > 9:
        digits = [int(digit) for digit in str(n)]
        yield f"{' + '.join(map(str, digits))} = {sum(digits)}"
        n = sum(digits)
    return n


@digital_root.check
def _(n: int, value: int) -> bool:
    return value == 1 + (n - 1) % 9


@concept(
    "number-theory.is-prime", "being prime",
    ["the statement that {n} is a prime number", "the claim that {n} is prime",
     "the assertion that {n} has exactly two positive divisors", "the proposition that {n} is a prime"],
    symbol="prime", level=3, weight=1.4, prerequisites=("number-theory.remainder",),
)  # fmt: skip
def is_prime(n: Annotated[int, Int(2, 9999)]) -> Truth:
    """Whether a number has exactly two positive divisors."""
    return _is_prime(n)


@is_prime.check
def _(n: int, value: bool) -> bool:
    return value == (next(_prime_factors(n)) == n)


@concept(
    "number-theory.divides", "divisibility",
    ["the statement that {a} divides {b} without remainder", "the claim that {b} is a multiple of {a}",
     "the assertion that {b} is divisible by {a}", "the proposition that {a} is a divisor of {b}"],
    symbol="divides", level=3, weight=1.3, prerequisites=("number-theory.remainder",),
)  # fmt: skip
def divides(a: Small, b: Positive) -> Truth:
    """Whether the first number goes into the second without remainder."""
    return b % a == 0


@divides.check
def _(a: int, b: int, value: bool) -> bool:
    return value == (b // a * a == b)


@concept(
    "number-theory.digits", "digits as a list",
    ["the list of the digits of {n} from left to right", "the list that holds the digits of {n} in order",
     "the list made of the decimal digits of {n}", "the list of decimal digits of {n} as they are written"],
    symbol="digits", level=2, weight=1.1,
)  # fmt: skip
def digits(n: Annotated[int, Int(100, 10**9)]) -> Numbers:
    """The decimal digits of a number as a list."""
    return tuple(int(digit) for digit in str(n))


@digits.check
def _(n: int, value: tuple[int, ...]) -> bool:
    return "".join(map(str, value)) == str(n)


def concepts() -> list[SymbolicConcept]:
    """The concepts of this domain."""
    return [
        *(remainder, gcd, lcm, digit_sum, digit_reversal, divisor_count, divisor_sum, largest_prime_factor),
        *(next_prime, totient, power_remainder, digital_root, is_prime, divides, digits),
    ]
