from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from promptcot.backends.symbolic import Answerer, Options, SymbolicBackend, open_symbolic
from promptcot.config import Execution
from promptcot.errors import ConfigError
from promptcot.prompting.parse import parse_answer, parse_judgement, parse_problem
from promptcot.prompting.render import Renderer
from promptcot.records import Completion, Concept, Prompt, Recipe
from promptcot.symbolic import engine
from promptcot.symbolic.library import library

LIBRARY = library(plugins=False)
RENDER = Renderer()


def recipe(ordinal: int, *ids: str, level: int = 4) -> Recipe:
    ids = ids or tuple(sorted(LIBRARY)[ordinal % len(LIBRARY) :][:2])
    return Recipe(
        id=f"r{ordinal:08d}", ordinal=ordinal, concepts=ids, domain="", level=level, seed=1000 + ordinal
    )


def concepts_of(made: Recipe) -> list[Concept]:
    return [
        Concept(id=id, name=LIBRARY[id].name, description=LIBRARY[id].description) for id in made.concepts
    ]


def author_prompt(made: Recipe, sample: int = 0) -> Prompt:
    return RENDER.prompt(
        "author-math", role="author", recipe=made, sample=sample, concepts=concepts_of(made),
        level=made.level, level_name="", domain=made.domain,
    )  # fmt: skip


def judge_prompt(made: Recipe, statement: str, answer: str) -> Prompt:
    return RENDER.prompt(
        "judge", role="judge", recipe=made, problem=statement, answer=answer, concepts=concepts_of(made),
        level=made.level, level_name="",
    )  # fmt: skip


def solve_prompt(made: Recipe, statement: str) -> Prompt:
    return RENDER.prompt("solve", role="solver", recipe=made, problem=statement)


def ask(prompts: list[Prompt], *, workers: int = 1, **options: object) -> list[Completion]:
    async def run() -> list[Completion]:
        backend = open_symbolic("symbolic", options, Execution(workers=workers))
        try:
            return await asyncio.gather(*(backend.complete(prompt) for prompt in prompts))
        finally:
            await backend.close()

    return asyncio.run(run())


@pytest.mark.parametrize("skin", ["letters", "story", "trace", "canonical", "mixed"])
def test_authors_problems_that_its_judge_and_solver_accept(skin: str) -> None:
    recipes = [recipe(i) for i in range(24)]
    authored = ask([author_prompt(r) for r in recipes], skin=skin)
    problems = [
        parse_problem(author_prompt(r), completion) for r, completion in zip(recipes, authored, strict=True)
    ]
    judged = ask(
        [judge_prompt(r, p.statement, p.answer.value) for r, p in zip(recipes, problems, strict=True)]
    )
    solved = ask([solve_prompt(r, p.statement) for r, p in zip(recipes, problems, strict=True)])
    for problem, verdict, solution in zip(problems, judged, solved, strict=True):
        judgement = parse_judgement(problem.id, verdict)
        assert "bad" not in judgement.ratings.values(), (problem.statement, judgement)
        assert judgement.structure
        assert 0 <= judgement.measures["prior"] < 1
        assert parse_answer(solution.text) == problem.answer.value
        assert parse_answer(problem.solution) == problem.answer.value


def test_the_judge_finds_wrong_unreadable_and_unneeded() -> None:
    made = recipe(0, "arithmetic.add")
    good = "What is the sum of 31 and 45?"
    cases = [
        (good, "76", {}),
        (good, "77", {"factual"}),
        ("What is the product of 31 and 45?", "1395", {"coverage"}),
        ("Let B be the sum of 31 and 45. What is the product of 3 and 5?", "15", {"coverage"}),
        ("What is the larger of 3 and the sum of 31 and 45?", "76", {"coverage"}),
        (
            "Tell me a joke about 31 and 45.",
            "76",
            {"format", "factual", "coverage", "solvability", "difficulty"},
        ),
        ("Let B be C plus 1. Let C be B plus 2. What is the sum of B and 3?", "6", {"format", "solvability"}),
    ]
    replies = ask([judge_prompt(made, statement, answer) for statement, answer, _ in cases])
    for (statement, _, expected), reply in zip(cases, replies, strict=True):
        judgement = parse_judgement("p", reply)
        bad = {name for name, rating in judgement.ratings.items() if rating == "bad"}
        assert set(expected) <= bad, (statement, judgement)
        assert bool(bad) == bool(expected), (statement, judgement)
        assert (judgement.comment != "none") == bool(expected)


def test_the_judge_and_solver_know_only_the_text() -> None:
    written = recipe(0, "arithmetic.add")
    other = recipe(1, "lists.sort", level=4)
    statement = "What is the sum of 31 and 45?"
    one, two = ask([solve_prompt(written, statement), solve_prompt(other, statement)])
    assert one.text == two.text


def test_bytes_do_not_depend_on_workers() -> None:
    prompts = [author_prompt(recipe(i), sample) for i in range(40) for sample in range(2)]
    alone, pooled = ask(prompts, workers=1), ask(prompts, workers=2)
    assert [c.text for c in alone] == [c.text for c in pooled]
    assert len({c.text for c in alone}) > 70


def test_a_problem_beyond_the_engine_gets_an_answer_without_one() -> None:
    (reply,) = ask([solve_prompt(recipe(0), "Prove that there are infinitely many primes.")])
    assert parse_answer(reply.text) is None


def test_extracts_concepts_from_text() -> None:
    prompt = RENDER.prompt("extract", role="extractor", recipe=recipe(0), problem="Find the sum of 3 and 5.")
    (reply,) = ask([prompt])
    assert "addition:" in reply.text
    assert "sorting" not in reply.text


@pytest.mark.parametrize("options", [{"skin": "klingon"}, {"skins": "letters"}, {"max_leaf": 1}])
def test_bad_options_are_one_clear_line(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"skin|max_leaf"):
        open_symbolic("mine", options, Execution())


def test_identity_follows_what_changes_answers() -> None:
    def identity(**options: object) -> str:
        backend = open_symbolic("symbolic", options, Execution())
        assert isinstance(backend, SymbolicBackend)
        return backend.identity

    assert identity() == identity()
    assert identity() != identity(skin="canonical")
    assert identity() != identity(max_leaf=9)


def test_identity_follows_the_code_of_engine_and_concepts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "mine.py"
    text = (Path(__file__).parents[2] / "examples" / "own_concept" / "concepts.py").read_text()

    def hash_with(more: str) -> str:
        mine.write_text(text + more)
        return Answerer(Options(paths=(str(mine),))).code_hash

    before = hash_with("")
    assert hash_with("") == before
    assert hash_with("# changed\n") != before
    (tmp_path / "engine.py").write_text("")
    monkeypatch.setattr(engine, "__file__", str(tmp_path / "engine.py"))
    assert hash_with("") != before


def test_an_unknown_concept_is_refused() -> None:
    made = recipe(0, "arithmetic.addition")
    prompt = Prompt(
        id="p", role="author", messages=(), template="t", template_hash="h", recipe=made, sample=0, seed=0
    )
    for workers in (1, 2):
        with pytest.raises(ConfigError, match=r"did you mean 'arithmetic\.add'"):
            ask([prompt], workers=workers)


def test_a_worker_that_dies_costs_no_answer() -> None:
    prompts = [author_prompt(recipe(ordinal)) for ordinal in range(4)]

    async def ask_twice() -> list[str]:
        backend = open_symbolic("symbolic", {}, Execution(workers=2))
        try:
            await backend.complete(prompts[0])
            for process in multiprocessing.active_children():
                process.kill()
                process.join()
            return [reply.text for reply in await asyncio.gather(*map(backend.complete, prompts))]
        finally:
            await backend.close()

    assert asyncio.run(ask_twice()) == [reply.text for reply in ask(prompts)]


KILLED = """
import asyncio, os, signal
from promptcot.backends.symbolic import open_symbolic
from promptcot.config import Execution
from promptcot.records import Message, Prompt, Recipe

async def main():
    recipe = Recipe(id="r", ordinal=0, concepts=(), domain="", level=1, seed=0)
    message = Message(role="user", content="<problem>1</problem>")
    backend = open_symbolic("symbolic", {}, Execution(workers=2))
    await backend.complete(Prompt(
        id="p", role="solver", messages=(message,), template="t", template_hash="h", recipe=recipe))
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    run = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, start_new_session=True)
    try:
        run.communicate(timeout=60)  # ends when the last process that holds the pipe has ended
        assert run.returncode == -signal.SIGKILL
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
