from __future__ import annotations

from collections.abc import Callable

import pytest

from promptcot.records import Example


@pytest.fixture(scope="session")
def make_example() -> Callable[..., Example]:
    def make(index: int, phase: str = "foundation") -> Example:
        return Example(
            id=f"p{index}",
            prompt=f"What is {index} + 1? → \u0000<b>",
            completion=f"{index} + 1 = {index + 1}",
            answer=str(index + 1),
            answer_kind="expression",
            tests=("assert True",) * (index % 3),
            difficulty=index / 10_000,
            tier=1 + index % 5,
            phase=phase,
            domain="arithmetic",
            level=2,
            concepts=("a", "b"),
            rationale="",
            structure="s",
            measures={"ops": 1.0, "depth": float(index)},
            author="m",
            recipe=f"r{index}",
        )

    return make
