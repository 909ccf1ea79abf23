from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptcot import config
from promptcot.curriculum import (
    HELD_OUT,
    Curriculum,
    Placement,
    easy_to_hard,
    example,
    hard_to_easy,
    is_held_out,
    phase_of,
    shuffled,
    tier_of,
)
from promptcot.errors import ConfigError
from promptcot.records import Answer, Candidate, Difficulty, Judgement, Problem, Recipe

PHASES = config.Curriculum().phases
TIERS = config.Curriculum().tiers


def candidate(
    index: int = 0, score: float = 0.5, *, ops: float = 1, structure: str = "", solution: str = "1 + 1 = 2"
) -> Candidate:
    recipe = Recipe(id=f"r{index}", ordinal=index, concepts=("a",), domain="d", level=3, seed=index)
    problem = Problem(
        id=f"p{index}",
        statement=f"What is {index} + 1?",
        answer=Answer(kind="expression", value="2"),
        recipe=recipe,
        rationale="Why.",
        solution=solution,
        provenance={"author": "m"},
    )
    judgement = Judgement(
        problem_id=problem.id, judge="j", ratings={}, measures={"ops": ops}, structure=structure
    )
    measured = Difficulty(score=score, method="structure", measures={"ops": ops})
    return Candidate(problem=problem, judgements=(judgement,), difficulty=measured)


@given(st.floats(0, 1))
def test_every_score_has_one_phase_and_one_tier(score):
    phase, tier = phase_of(score, PHASES), tier_of(score, TIERS)
    assert phase == ("foundation" if score < 0.35 else "challenge")
    assert 1 <= tier <= len(TIERS) + 1
    assert tier_of(1.0, TIERS) == 5
    assert (*TIERS, 2.0)[tier - 1] > score


def test_a_gap_between_phases_takes_nothing():
    phases = (config.Phase(name="low", band=(0.0, 0.2)), config.Phase(name="high", band=(0.6, 0.9)))
    settings = config.Curriculum(phases=phases, held_out=0.5)
    assert Curriculum(settings, 1).place(candidate(score=0.4)) is None
    assert Curriculum(settings, 1).place(candidate(score=0.9)) is None


@given(st.integers(0, 2**40), st.floats(0.05, 0.9))
def test_a_structure_is_on_one_side_where_it_has_three_operations(seed, share):
    for ops in (3, 7):
        sides = {is_held_out(candidate(i, ops=ops, structure="s"), share, seed) for i in range(30)}
        assert len(sides) == 1


def test_small_structures_are_split_by_instance_and_the_share_is_met():
    held = [is_held_out(candidate(i, ops=2, structure="s"), 0.2, 9) for i in range(4000)]
    # 4,000 draws of 0.2 have a standard deviation of 0.0063; five of them.
    assert sum(held) / len(held) == pytest.approx(0.2, abs=0.032)
    assert held == [is_held_out(candidate(i, ops=2, structure="s"), 0.2, 9) for i in range(4000)]
    assert not any(is_held_out(candidate(i), 0.0, 9) for i in range(100))


def test_equal_texts_are_on_one_side():
    twin = candidate(1)
    spaced = msgspec.structs.replace(twin.problem, statement="what is  1 + 1")
    other = msgspec.structs.replace(twin, problem=spaced)
    for seed in range(50):
        assert is_held_out(twin, 0.5, seed) == is_held_out(other, 0.5, seed)


def test_orders():
    rows = [candidate(i, score=((i * 7) % 20) / 20) for i in range(20)]
    rising = sorted(rows, key=lambda row: easy_to_hard(row, 1))
    assert [row.difficulty.score for row in rising] == sorted(row.difficulty.score for row in rows)
    assert sorted(rows, key=lambda row: hard_to_easy(row, 1)) == rising[::-1]
    mixed = sorted(rows, key=lambda row: shuffled(row, 1))
    assert mixed not in (rows, rising)
    assert mixed == sorted(rising, key=lambda row: shuffled(row, 1))
    assert mixed != sorted(rows, key=lambda row: shuffled(row, 2))


def test_places_and_unknown_arrangements():
    placed = Curriculum(config.Curriculum(held_out=0.0), 1).place(candidate(score=0.4))
    assert placed == Placement("challenge", 3, 0.4)
    always = Curriculum(config.Curriculum(held_out=0.9), 1)
    assert {always.place(candidate(i)).phase for i in range(60)} == {"challenge", HELD_OUT}
    with pytest.raises(ConfigError, match="did you mean 'shuffled'"):
        Curriculum(config.Curriculum(arrange="shufled"), 1)


@pytest.mark.parametrize(
    ("kind", "solution", "expected"),
    [
        ("solution", "1 + 1 = 2", "1 + 1 = 2\n\\boxed{2}"),
        ("solution", "1 + 1 = 2\nThe answer is \\boxed{2}.", "1 + 1 = 2\nThe answer is \\boxed{2}."),
        ("solution", "", "\\boxed{2}"),
        ("rationale-and-solution", "1 + 1 = 2", "Why.\n\n1 + 1 = 2\n\\boxed{2}"),
        ("answer", "1 + 1 = 2", "\\boxed{2}"),
    ],
)
def test_a_completion_ends_with_the_answer(kind, solution, expected):
    row = example(candidate(solution=solution), Placement("foundation", 1, 0.0), kind)
    assert row.completion == expected
    assert (row.answer, row.author, row.phase, row.tier) == ("2", "m", "foundation", 1)
