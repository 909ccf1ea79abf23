"""A backend that answers by script, with known truth, and a small run made of it.

Run as a program it carries out that run in a process of its own, which can be killed:

    python scripted.py FOLDER LOG ACCEPTED CONCURRENCY [POINT COUNT]
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from promptcot.config import Config, Curriculum, Execution, Target
from promptcot.curriculum import Curriculum as Placer
from promptcot.errors import BackendError
from promptcot.pipeline.ledger import Ledger
from promptcot.pipeline.parts import Parts, identities, open_filters
from promptcot.pipeline.run import generate
from promptcot.prompting.render import Renderer
from promptcot.records import Completion, Concept, Prompt, Recipe
from promptcot.seeding import rng
from promptcot.shards import files

CONCEPTS = {
    f"c{i}": Concept(id=f"c{i}", name=f"sum of {i}", description="to add", domain="sums") for i in range(4)
}
KINDS = ("right", "right", "right", "right", "wrong", "malformed", "repeated", "bad", "refused", "silent")
_SUM = re.compile(r"(\d+) pears and (\d+) plums")


class Recipes:
    """Recipes whose every field follows from the ordinal."""

    def recipe(self, ordinal: int, /) -> Recipe:
        draw = rng(1, "recipe", ordinal)
        return Recipe(
            id=f"r{ordinal:08d}",
            ordinal=ordinal,
            concepts=(f"c{ordinal % 4}",),
            domain="sums",
            level=1 + ordinal % 10,
            seed=draw.randrange(2**40),
        )


def kind_of(recipe: Recipe) -> str:
    """What the author will make of the recipe: the truth that filters are measured against."""
    return rng(recipe.seed, "kind").choice(KINDS)


class Scripted:
    """Answers every role. What is asked is appended to `log`, a line a prompt."""

    name = "scripted"
    model = "scripted-1"
    identity = "scripted/1"

    def __init__(
        self, log: Path | None = None, fail: Callable[[Prompt], BackendError | None] | None = None
    ) -> None:
        self.asked: list[str] = []
        self._log = log
        self._fail = fail

    async def complete(self, prompt: Prompt) -> Completion:
        self.asked.append(prompt.id)
        if self._log is not None:
            with self._log.open("a") as file:
                file.write(prompt.id + "\n")
        for _ in range(rng(prompt.seed, "delay").randrange(4)):
            await asyncio.sleep(0)  # answers overtake each other
        if self._fail is not None and (error := self._fail(prompt)) is not None:
            raise error
        text = getattr(self, f"_{prompt.role}")(prompt)
        return Completion(
            prompt_id=prompt.id,
            text=text,
            finish_reason="stop",
            input_tokens=10,
            output_tokens=len(text.split()),
            backend=self.name,
            model=self.model,
            latency_s=0.001,
        )

    async def close(self) -> None:
        return None

    def _author(self, prompt: Prompt) -> str:
        recipe, kind = prompt.recipe, kind_of(prompt.recipe)
        if kind == "refused":
            return "I'm sorry, but I cannot help with that."
        draw = rng(7 if kind == "repeated" else recipe.seed, "numbers")
        a, b = draw.randrange(10_000), draw.randrange(10_000)
        mark = "ugly " if kind == "bad" else "mute " if kind == "silent" else ""
        problem = (
            f"<problem>\nA {mark}crate holds {a} pears and {b} plums. How many pieces of fruit?\n</problem>"
        )
        answer = "" if kind == "malformed" else f"<answer>\n{a + b + (kind == 'wrong')}\n</answer>"
        solution = f"<solution>\n{a} + {b} = {a + b}\n</solution>"
        return f"<rationale>\nAdd.\n</rationale>\n{problem}\n{solution}\n{answer}"

    def _judge(self, prompt: Prompt) -> str:
        rating = "bad" if " ugly " in prompt.messages[-1].content else "perfect"
        names = ("format", "factual", "difficulty", "coverage", "solvability")
        lines = "\n".join(f"{name}: {rating if name == 'format' else 'perfect'}" for name in names)
        ops = 1 + prompt.recipe.level
        measured = f"<measures>\nops: {ops}\n</measures>\n<structure>s{ops}</structure>"
        return f"<ratings>\n{lines}\n</ratings>\n{measured}"

    def _solver(self, prompt: Prompt) -> str:
        text = prompt.messages[-1].content
        if " mute " in text:
            return "I do not know."
        found = _SUM.search(text)
        assert found is not None
        return f"\\boxed{{{int(found[1]) + int(found[2])}}}"

    def _student(self, prompt: Prompt) -> str:
        good = rng(prompt.seed, "student").random() < 1 / (1 + prompt.recipe.level)
        return self._solver(prompt) if good else "\\boxed{0}"


def config(accepted: int, **more: object) -> Config:
    held = Curriculum(held_out=0.2)
    return Config(**{"target": Target(accepted=accepted, seed=3), "curriculum": held} | more)


def parts(settings: Config, backend: Scripted, recipes: Recipes | None = None) -> Parts:
    roles = ["author", "judge", "solver", *(["student"] if "student" in settings.roles else [])]
    backends = dict.fromkeys(roles, backend)
    filters = open_filters(settings)
    return Parts(
        recipes=recipes or Recipes(),
        concepts=CONCEPTS,
        renderer=Renderer(),
        backends=backends,
        filters=filters,
        curriculum=Placer(settings.curriculum, settings.target.seed),
        sampled="student" in settings.roles,
        graph="scripted",
        sources=identities(backends, filters),
    )


def die_at(point: str, count: int) -> None:
    """Has this process kill itself, as `kill -9` would, when it comes to a point for the n-th time.

    Args:
        point: ``ask`` (a prompt is given to the backend), ``commit`` (just before one), ``committed`` (just
            after, before anyone is told) or ``sync`` (a file of the result is written, not yet renamed).
    """
    places: dict[str, tuple[object, str, bool]] = {
        "ask": (Scripted, "complete", False),
        "commit": (Ledger, "_commit", False),
        "committed": (Ledger, "_commit", True),
        "sync": (files, "_sync", False),
    }
    owner, name, after = places[point]
    whole, left = getattr(owner, name), iter(range(count - 1))

    def dying(*args: object) -> object:
        result = whole(*args) if after else None
        if next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return result if after else whole(*args)

    setattr(owner, name, dying)


if __name__ == "__main__":
    folder, log, accepted, concurrency = (
        Path(sys.argv[1]),
        Path(sys.argv[2]),
        int(sys.argv[3]),
        int(sys.argv[4]),
    )
    if len(sys.argv) > 5:
        die_at(sys.argv[5], int(sys.argv[6]))
    chosen = config(accepted)
    made = parts(chosen, Scripted(log))
    generate(chosen, folder, execution=Execution(concurrency=concurrency), parts=made)
