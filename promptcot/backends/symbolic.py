"""The embedded symbolic backend: every role without a model, and right by construction.

It answers the same prompts in the same tags as a language model would. As an author it
makes what the prompt's recipe asks for; as a judge, solver, student or extractor it knows nothing
but the text of the message.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from promptcot.config import Execution, Settings, validate
from promptcot.errors import BackendError, ParseError
from promptcot.prompting import tags
from promptcot.records import Completion, Prompt
from promptcot.seeding import fingerprint, rng
from promptcot.symbolic import engine
from promptcot.symbolic.concept import SymbolicConcept
from promptcot.symbolic.engine import Engine, count_tokens
from promptcot.symbolic.library import library

BATCH = 32
"""Prompts that travel to a worker process together."""
MODEL = "symbolic-1"
"""The model's name. Its `identity` holds the hash of the code too, so that no run mixes two engines."""

_LEVEL = re.compile(r"level (\d{1,2}) of 10")
_ITEM = re.compile(r"^[-*]\s+([^:\n]+)", re.MULTILINE)


class Options(Settings):
    """Options of a symbolic backend.

    Attributes:
        skin: How problems are told; ``mixed`` draws one of those in `mix` for each problem.
        distractors: Statements that nothing needs; by default as many as fit the level.
        extra: Operations beyond the recipe's concepts; by default as many as fit the level.
        max_leaf: Largest given integer, `max_value` largest magnitude of any value, `max_items`
            longest list given; by default what fits the level.
        paths: Python files with concepts of your own (run as code).
    """

    skin: Literal["letters", "story", "trace", "canonical", "mixed"] = "mixed"
    mix: tuple[Literal["letters", "story", "trace", "canonical"], ...] = ("letters", "story", "trace")
    distractors: int | None = Field(None, ge=0, le=20)
    extra: int | None = Field(None, ge=0, le=40)
    max_leaf: int | None = Field(None, ge=4, le=10**6)
    max_value: int | None = Field(None, ge=9, le=10**9)
    max_items: int | None = Field(None, ge=3, le=40)
    paths: tuple[str, ...] = ()


def open_symbolic(name: str, options: Mapping[str, Any], execution: Execution) -> SymbolicBackend:
    """The factory named by the entry point ``symbolic`` of ``promptcot.backends``."""
    return SymbolicBackend(name, validate(Options, options, where=f"backends.{name}"), execution)


class SymbolicBackend:
    """A `Backend` that answers from the symbolic engine.

    With more than one worker, prompts are gathered and sent to a pool of processes in batches;
    every answer depends on its prompt alone, so the number of workers changes nothing.
    """

    model = MODEL

    def __init__(self, name: str, options: Options, execution: Execution) -> None:
        self.name, self.options = name, options
        answer = Answerer.of(options)  # a mistake in a concept file shows here, not in a worker
        self.identity = f"symbolic/{MODEL}/{fingerprint(options.model_dump_json(), answer.code_hash, size=8)}"
        self._workers = execution.workers
        self._pool: ProcessPoolExecutor | None = None
        self._waiting: list[tuple[Prompt, asyncio.Future[Completion]]] = []
        self._batches: set[asyncio.Task[None]] = set()

    async def complete(self, prompt: Prompt) -> Completion:
        """Answers one prompt.

        Raises:
            ConfigError: The recipe names a concept that the engine does not have.
            VerificationError: A problem failed its checks (a defect of a concept).
            BackendError: A worker process died.
        """
        if self._workers == 1:
            await asyncio.sleep(0)
            return answer(self.name, self.options, prompt)
        future: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append((prompt, future))
        if len(self._waiting) == 1:
            asyncio.get_running_loop().call_soon(self._flush)
        return await future

    async def close(self) -> None:
        """Stops the worker processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        size = max(1, min(BATCH, -(-len(waiting) // self._workers)))
        for start in range(0, len(waiting), size):
            task = asyncio.ensure_future(self._batch(waiting[start : start + size]))
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)

    async def _batch(self, batch: list[tuple[Prompt, asyncio.Future[Completion]]]) -> None:
        try:
            results = await self._answers([prompt for prompt, _ in batch])
        except RuntimeError as error:  # also what a pool says that was closed
            failure = BackendError(
                f"backend {self.name!r}: a worker process died ({error})",
                remedy="run again with one worker, or with more memory",
                retryable=True,  # that a process died says nothing against the prompts it had
            )
            results = [failure] * len(batch)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                continue
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _answers(self, prompts: list[Prompt]) -> list[Completion | Exception]:
        """What the workers answer. Where one dies, new ones are asked, once: the answers are the same."""
        for last in (False, True):
            pool = self._pool = self._pool or ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), _begin_worker
            )
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    pool, answer_batch, self.name, self.options, prompts
                )
            except BrokenProcessPool:
                if self._pool is pool:
                    self._pool = None
                if last:
                    raise
        raise AssertionError("the last try returns or raises")


def _begin_worker() -> None:
    """Makes a worker process live as long as the run: no shorter, and no longer."""
    # Ctrl-C reaches every process of a terminal: the run decides when its workers stop.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A run that is killed tells nobody, and its workers would wait for work for ever.
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def answer_batch(name: str, options: Options, prompts: list[Prompt]) -> list[Completion | Exception]:
    """Answers several prompts; an error takes the place of its answer."""
    results: list[Completion | Exception] = []
    for prompt in prompts:
        try:
            results.append(answer(name, options, prompt))
        except Exception as error:
            results.append(_portable(error))
    return results


def _portable(error: Exception) -> Exception:
    """The error if it can travel between processes, else its message in one that can."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return BackendError(f"{type(error).__name__}: {error}")
    return error


def answer(name: str, options: Options, prompt: Prompt) -> Completion:
    """Answers one prompt in this process."""
    started = time.perf_counter()
    text = Answerer.of(options).text(prompt)
    return Completion(
        prompt_id=prompt.id,
        text=text,
        finish_reason="stop",
        input_tokens=sum(count_tokens(message.content) for message in prompt.messages),
        output_tokens=count_tokens(text),
        backend=name,
        model=MODEL,
        latency_s=time.perf_counter() - started,
    )


class Answerer:
    """The engine behind prompts and tags."""

    def __init__(self, options: Options) -> None:
        concepts = library(options.paths)
        self.options, self.engine = options, Engine(concepts)
        self.code_hash = _code_hash(concepts.values())

    @staticmethod
    @lru_cache(maxsize=8)
    def of(options: Options) -> Answerer:
        """The answerer for these options, made once a process."""
        return Answerer(options)

    def text(self, prompt: Prompt) -> str:
        """The completion of a prompt."""
        if prompt.role == "author":
            return self._author(prompt)
        parts = _parts(prompt)
        if prompt.role == "judge":
            return self._judge(parts, prompt)
        statement = parts.get("problem", "")
        if prompt.role == "extractor":
            found = [f"{c.name}: {c.description.splitlines()[0]}" for c in self.engine.find(statement)]
            return _tag("concepts", "\n".join(found))
        try:
            result, steps = self.engine.solve(statement)
        except ParseError as error:
            return f"This problem is beyond the symbolic engine: {error}"
        return "\n".join([*steps, f"\\boxed{{{result}}}"])

    def _author(self, prompt: Prompt) -> str:
        options = self.options
        skin = options.skin
        if skin == "mixed":
            draw = rng(prompt.recipe.seed, "symbolic", "skin", prompt.sample)
            skin = draw.choice(options.mix)
        try:
            draft = self.engine.author(
                prompt.recipe, skin=skin, sample=prompt.sample, distractors=options.distractors,
                extra=options.extra, max_leaf=options.max_leaf, max_value=options.max_value,
                max_items=options.max_items,
            )  # fmt: skip
        except ParseError as error:
            return f"There is no such problem: {error}"
        parts = (("rationale", draft.rationale), ("problem", draft.statement))
        return "\n".join(
            _tag(*part) for part in (*parts, ("solution", draft.solution), ("answer", draft.answer))
        )

    def _judge(self, parts: Mapping[str, str], prompt: Prompt) -> str:
        text = "\n".join(message.content for message in prompt.messages if message.role == "user")
        level = _LEVEL.search(text)
        names = [name.strip() for name in _ITEM.findall(parts.get("concepts", ""))]
        opinion = self.engine.judge(
            parts.get("problem", ""), parts.get("answer", ""), names, int(level[1]) if level else 5
        )
        blocks = [_tag("ratings", "\n".join(f"{name}: {rating}" for name, rating in opinion.ratings.items()))]
        if opinion.measures:
            lines = "\n".join(f"{name}: {value:g}" for name, value in opinion.measures.items())
            blocks += [_tag("measures", lines), _tag("structure", opinion.structure)]
        return "\n".join([*blocks, _tag("comment", opinion.comment or "none")])


def _code_hash(concepts: Iterable[SymbolicConcept]) -> str:
    """Hash of the engine's code and of that of every concept, wherever it comes from."""
    files = {*Path(engine.__file__).parent.rglob("*.py")}
    files |= {Path(concept.function.__code__.co_filename) for concept in concepts}
    return fingerprint(*sorted(path.read_bytes() for path in files if path.is_file()))


def _parts(prompt: Prompt) -> dict[str, str]:
    """The tagged parts of the last user message."""
    users = [message.content for message in prompt.messages if message.role == "user"]
    found = tags.scan(users[-1]) if users else []
    return {section.name: tags.clean(section.text) for section in found if section.closed}


def _tag(name: str, content: str) -> str:
    escaped = content.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<{name}>\n{escaped}\n</{name}>"
