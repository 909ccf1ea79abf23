"""Accepted problems as phases: tiers, what is held out, and the order inside a phase.

Everything here is a function of one problem and the run's seed, so a million problems are arranged
by sorting numbers, and adding one moves no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from promptcot import config
from promptcot.filters.words import words
from promptcot.records import HELD_OUT as HELD_OUT
from promptcot.records import Candidate, Example
from promptcot.resources import plugin
from promptcot.seeding import derive

GROUP = "curricula"
"""Entry-point group: each offers an `Arrangement`."""

Arrangement = Callable[[Candidate, int], float]
"""A problem and the run's seed to its place: rows of a phase are sorted by it, then by recipe."""

_STRUCTURED_OPS = 3


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a problem goes: the phase (or ``held-out``), the 1-based tier, and the place in the phase."""

    phase: str
    tier: int
    place: float


class Curriculum:
    """Places problems one by one.

    Raises:
        ConfigError: There is no arrangement of that name.
    """

    def __init__(self, settings: config.Curriculum, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._arrange: Arrangement = plugin(GROUP, settings.arrange)

    def place(self, candidate: Candidate) -> Placement | None:
        """Where the problem goes, or None where no phase takes its difficulty."""
        score = candidate.difficulty.score if candidate.difficulty else 0.0
        phase = phase_of(score, self._settings.phases)
        if phase is None:
            return None
        if is_held_out(candidate, self._settings.held_out, self._seed):
            phase = HELD_OUT
        return Placement(phase, tier_of(score, self._settings.tiers), self._arrange(candidate, self._seed))


def phase_of(score: float, phases: tuple[config.Phase, ...]) -> str | None:
    """The first phase whose band takes the score. A band that ends at 1 takes 1 too."""
    for phase in phases:
        low, high = phase.band
        if low <= score < high or (score == high == 1.0):
            return phase.name
    return None


def tier_of(score: float, tiers: tuple[float, ...]) -> int:
    """The 1-based tier: a score at the upper end of one belongs to the next."""
    return 1 + sum(score >= end for end in tiers)


def is_held_out(candidate: Candidate, share: float, seed: int) -> bool:
    """Whether the problem is kept out of training.

    Problems of one structure go to one side where the structure has three operations or more, so
    that the held-out ones ask for more than other numbers in a known skeleton. There are too few small
    structures for that: those are split by their text. The side is a hash, so `share` is met on average.
    """
    return _fraction(derive(seed, HELD_OUT, *_kin(candidate))) < share


def _kin(candidate: Candidate) -> tuple[str, str]:
    for judgement in candidate.judgements:
        if judgement.structure and judgement.measures.get("ops", 0) >= _STRUCTURED_OPS:
            return "structure", judgement.structure
    return "instance", " ".join(words(candidate.problem.statement))


def easy_to_hard(candidate: Candidate, seed: int) -> float:
    """By rising difficulty."""
    return candidate.difficulty.score if candidate.difficulty else 0.0


def hard_to_easy(candidate: Candidate, seed: int) -> float:
    """By falling difficulty."""
    return -easy_to_hard(candidate, seed)


def shuffled(candidate: Candidate, seed: int) -> float:
    """In an order that has nothing to do with anything."""
    return _fraction(derive(seed, "shuffle", candidate.problem.id))


def _fraction(number: int) -> float:
    """A 63-bit number as one between 0 and 1."""
    return number / 2**63


def example(candidate: Candidate, placement: Placement, completion: str) -> Example:
    """The row of a shard.

    Args:
        completion: ``solution``, ``rationale-and-solution`` or ``answer``.
    """
    problem, recipe = candidate.problem, candidate.problem.recipe
    judgement = candidate.judgements[0] if candidate.judgements else None
    return Example(
        id=problem.id,
        prompt=problem.statement,
        completion=_completion(candidate, completion),
        answer=problem.answer.value,
        answer_kind=problem.answer.kind,
        tests=problem.answer.tests,
        difficulty=candidate.difficulty.score if candidate.difficulty else 0.0,
        tier=placement.tier,
        phase=placement.phase,
        domain=recipe.domain,
        level=recipe.level,
        concepts=recipe.concepts,
        rationale=problem.rationale,
        structure=judgement.structure if judgement else "",
        measures=candidate.difficulty.measures if candidate.difficulty else {},
        author=problem.provenance.get("author", ""),
        recipe=recipe.id,
    )


def _completion(candidate: Candidate, kind: str) -> str:
    r"""What is to be learnt. It ends with the answer in ``\boxed{}``, where readers look for it."""
    problem = candidate.problem
    parts = {
        "solution": (problem.solution,),
        "rationale-and-solution": (problem.rationale, problem.solution),
        "answer": (),
    }[kind]
    text = "\n\n".join(part.strip() for part in parts if part.strip())
    if problem.answer.kind == "code":
        return text or problem.answer.value
    boxed = f"\\boxed{{{problem.answer.value}}}"
    if boxed in text[-len(boxed) - 8 :]:
        return text
    return f"{text}\n{boxed}" if text else boxed
