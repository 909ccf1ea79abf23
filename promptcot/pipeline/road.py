"""The road of one recipe: authored, judged, solved, measured. Every answer is on disk before it is read."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from promptcot.config import Config
from promptcot.errors import BackendError, ParseError, VerificationError
from promptcot.filters.base import Early
from promptcot.pipeline import difficulty
from promptcot.pipeline.keys import request_key
from promptcot.pipeline.ledger import Ledger
from promptcot.pipeline.parts import Parts
from promptcot.prompting import variables
from promptcot.prompting.parse import parse_answer, parse_judgement, parse_problem
from promptcot.records import Attempt, Candidate, Completion, Judgement, Problem, Prompt, Recipe, Record, Role
from promptcot.seeding import derive
from promptcot.verification.equality import equal

STAGES = ("author", "judging", "solving")
"""Stages of the road, before the filters."""

_STAGE_OF = {"author": "author", "judge": "judging", "solver": "solving", "student": "solving"}
_FATAL = frozenset((401, 403, 404, 407))


class Stopped(Exception):
    """The run is being stopped: nothing more is asked."""


class Outcome(Record, frozen=True):
    """What came of a recipe before the filters: a candidate, or at which stage and why it ended.

    Attributes:
        candidate: What is known of the problem, as far as the road went.
        failed_at: When a backend gave up on it, where the fault may lie with the endpoint rather than
            with this recipe: a success of a request begun later than that clears the endpoint.
    """

    candidate: Candidate | None = None
    stage: str = ""
    reason: str = ""
    detail: str = ""
    failed_at: int | None = None


class Road:
    """Takes recipes along the road, several at a time.

    Args:
        concurrency: Prompts that backends are given at a time.
    """

    def __init__(self, config: Config, parts: Parts, ledger: Ledger, concurrency: int) -> None:
        self._config = config
        self._parts = parts
        self._ledger = ledger
        self._slots = asyncio.Semaphore(concurrency)
        self._moment = 0  # counts requests begun and failed
        self.alive_at = 0  # when the last request to be answered had begun
        self.stopping = False
        # What the first filters drop for its judgements alone need not be solved. The filters decide
        # again, in the order of the recipes: this only saves asking.
        self._early: list[Any] = []
        for rule in parts.filters.values():
            if not (isinstance(rule, Early) and rule.early):
                break
            self._early.append(rule)

    async def travel(self, recipe: Recipe) -> Outcome:
        """Takes one recipe to its end.

        Raises:
            Stopped: The run is being stopped.
            BackendError: Who answers refuses everything, such as for a wrong key.
            ResourceError: An answer cannot be written down.
        """
        role: Role = "author"
        candidate: Candidate | None = None
        try:
            candidate = Candidate(problem=await self._author(recipe))
            role = "judge"
            judgement = await self._judge(candidate.problem)
            candidate = Candidate(problem=candidate.problem, judgements=(judgement,))
            if all(rule(candidate).keep for rule in self._early):
                role = "solver"
                candidate = await self._solve(candidate)
            return Outcome(candidate=candidate)
        except (ParseError, VerificationError) as error:
            reason, failed_at = getattr(error, "reason", "failed-check"), None
            detail = error.message
        except BackendError as error:
            if error.status in _FATAL:
                raise
            self._moment += 1
            reason, detail = "backend-error", error.message
            failed_at = self._moment if error.retryable else None
        return Outcome(
            candidate=candidate, stage=_STAGE_OF[role], reason=reason, detail=detail, failed_at=failed_at
        )

    async def _author(self, recipe: Recipe) -> Problem:
        given = variables.author(recipe, self._parts.concepts)
        prompt, completion = await self._ask(self._config.templates.author, "author", recipe, 0, given)
        return parse_problem(prompt, completion)

    async def _judge(self, problem: Problem) -> Judgement:
        given = variables.judge(problem, self._parts.concepts)
        _, completion = await self._ask(self._config.templates.judge, "judge", problem.recipe, 0, given)
        return parse_judgement(problem.id, completion)

    async def _solve(self, candidate: Candidate) -> Candidate:
        solving = self._config.solving
        attempts = await self._attempts(candidate.problem, "solver", solving.attempts)
        counted = attempts
        if "student" in self._parts.backends:
            counted = await self._attempts(candidate.problem, "student", solving.student_attempts)
            attempts += counted
        measured = difficulty.measure(
            candidate.judgements, counted, candidate.problem.recipe, sampled=self._parts.sampled
        )
        return Candidate(
            problem=candidate.problem,
            judgements=candidate.judgements,
            attempts=tuple(attempts),
            difficulty=measured,
        )

    async def _attempts(self, problem: Problem, role: Role, count: int) -> list[Attempt]:
        if count == 1:
            return [await self._attempt(problem, role, 0)]
        tasks = [self._attempt(problem, role, sample) for sample in range(count)]
        results = await asyncio.gather(*tasks, return_exceptions=True)  # every answer is kept, first
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return [result for result in results if isinstance(result, Attempt)]

    async def _attempt(self, problem: Problem, role: Role, sample: int) -> Attempt:
        given = variables.solve(problem)
        _, completion = await self._ask(self._config.templates.solver, role, problem.recipe, sample, given)
        answer = parse_answer(completion.text)
        return Attempt(
            problem_id=problem.id,
            solver=completion.model,
            sample=sample,
            text=completion.text,
            answer=answer,
            correct=None if answer is None else equal(problem.answer, answer).equal,
            role=role,
        )

    async def _ask(
        self, template: str, role: Role, recipe: Recipe, sample: int, given: dict[str, Any]
    ) -> tuple[Prompt, Completion]:
        """Renders a prompt and answers it from the ledger, else from the backend and into the ledger."""
        backend = self._parts.backends[role]
        seed = derive(recipe.seed, role, sample)
        prompt = self._parts.renderer.prompt(
            template, role=role, recipe=recipe, sample=sample, seed=seed, **given
        )
        key = request_key(prompt, backend.identity)
        known = self._ledger.answer(key, recipe.ordinal)
        if known is not None:
            return prompt, known
        async with self._slots:
            if self.stopping:
                raise Stopped
            self._moment += 1
            begun = self._moment
            completion = _writable(await backend.complete(prompt))
            self.alive_at = max(self.alive_at, begun)
        await self._ledger.record(key, recipe.ordinal, role, sample, completion)
        return prompt, completion


def _writable(completion: Completion) -> Completion:
    """The completion with half characters, which no file can hold, replaced by the replacement mark."""
    try:
        completion.text.encode()
    except UnicodeEncodeError:
        # By way of UTF-16 two halves that belong together become the character they are.
        text = completion.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return msgspec.structs.replace(completion, text=text)
    return completion
