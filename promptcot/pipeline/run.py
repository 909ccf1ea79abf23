"""One run, from a config to shards: resumes what is there, stops when told, ends with a summary."""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw

from promptcot.config import Config, Execution
from promptcot.errors import BackendError, YieldError
from promptcot.pipeline import folder as folders
from promptcot.pipeline import ledger as ledgers
from promptcot.pipeline.decide import Decider
from promptcot.pipeline.finish import is_finished, write_shards
from promptcot.pipeline.ledger import Ledger
from promptcot.pipeline.parts import Parts, assemble
from promptcot.pipeline.progress import Progress, Silent
from promptcot.pipeline.road import Outcome, Road, Stopped
from promptcot.pipeline.summary import Summary, summarise
from promptcot.records import HELD_OUT, Recipe

_AHEAD = 1024
_DRAIN_S = 30.0
_TELL_EVERY_S = 0.2
_SUSPECTS = 20


class Interrupted(KeyboardInterrupt):
    """The run was stopped by a signal; what was answered is kept."""


def generate(
    config: Config,
    folder: Path,
    *,
    execution: Execution | None = None,
    progress: Progress | None = None,
    parts: Parts | None = None,
) -> Summary:
    """Carries out a run in a folder, from where it stopped if it was begun.

    Args:
        execution: How; it never changes what is made.
        parts: What to work with, in place of what the config names: for runs on parts of your own.

    Raises:
        ConfigError: The folder is another run's, or in use; or a name or option does not fit.
        ResourceError: A file cannot be read or written. All that was answered is kept.
        BackendError: Who answers is out of reach. All that was answered is kept.
        YieldError: The recipes ran out before enough problems were accepted.
        Interrupted: A signal stopped it.
    """
    execution, progress = execution or Execution(), progress or Silent()
    with folders.held(folder):
        try:
            # Parts first: a misspelt name must not become the config that a new folder keeps.
            parts = parts or assemble(config, execution)
            folders.adopt(folder, config)
            _in_a_loop(_carry_out(config, folder, execution, progress, parts))
        except apsw.Error as error:
            raise ledgers.failure(folder / ledgers.NAME, error) from error
        finally:
            progress.end()
        return summarise(folder)


def _in_a_loop(work: Coroutine[Any, Any, None]) -> None:
    """Runs to the end, in a thread of its own where this one has a loop already, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work)
        return
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, work).result()


async def _carry_out(
    config: Config, folder: Path, execution: Execution, progress: Progress, parts: Parts
) -> None:
    started = time.perf_counter()
    ledger = Ledger(folder)
    try:
        folders.check_sources(folder, ledger.meta("sources"), parts.sources)
        if is_finished(folder, config):
            progress.note(f"{folder}: finished before, and its shards are whole")
            return
        run = _Run(config, folder, execution, progress, parts, ledger)
        await run.to_the_end(started)
    finally:
        ledger.close()
        await parts.close()


class _Run:
    """The moving parts of a run that is under way."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        execution: Execution,
        progress: Progress,
        parts: Parts,
        ledger: Ledger,
    ) -> None:
        self._config, self._folder, self._progress = config, folder, progress
        self._parts, self._ledger = parts, ledger
        self._road = Road(config, parts, ledger, execution.concurrency)
        self._decider = Decider(parts, ledger, config.target.accepted)
        # More recipes under way than prompts at the backends: some wait for the disk.
        self._travellers = 2 * execution.concurrency + 32
        self._ahead = max(_AHEAD, 4 * self._travellers)
        self._most = config.target.max_recipes or 10 * config.target.accepted + 100
        self._next = self._decider.frontier
        self._room = asyncio.Event()
        self._suspects: list[tuple[Recipe, Outcome]] = []
        self._signal: signal.Signals | None = None
        self._told = 0.0
        self._seconds: dict[str, float] = ledger.meta("seconds", {})

    async def to_the_end(self, started: float) -> None:
        """Travels every recipe that is needed, then writes the shards."""
        target, phases = self._config.target.accepted, self._config.curriculum.phases
        decider, ledger = self._decider, self._ledger
        ledger.set_meta(
            {
                "sources": self._parts.sources,
                "stages": decider.stages,
                "target": target,
                "phases": [*(phase.name for phase in phases), HELD_OUT],
            }
        )
        self._progress.begin(decider.stages, target=target, accepted=decider.accepted)
        try:
            with self._signals():
                await self._travel_all()
        finally:
            self._count_seconds(started)
            self._tell(now=True)
        await ledger.flush()
        if self._signal is not None:
            raise Interrupted(
                f"stopped with {decider.accepted:,} of {target:,} accepted in {self._folder}; "
                "run the same command again to go on"
            )
        if not decider.accepted:
            raise YieldError(self._shortfall(), remedy=self._remedy())
        self._progress.note("writing shards")
        writing = time.perf_counter()
        write_shards(self._folder, self._config, self._parts, ledger)
        self._seconds["shards"] = self._seconds.get("shards", 0.0) + time.perf_counter() - writing
        self._seconds["total"] += time.perf_counter() - writing
        ledger.set_meta({"seconds": self._seconds})
        await ledger.flush()
        if not decider.done:
            raise YieldError(f"{self._shortfall()}; shards of these are written", remedy=self._remedy())

    async def _travel_all(self) -> None:
        tasks = [asyncio.create_task(self._traveller()) for _ in range(self._travellers)]
        tasks.append(asyncio.create_task(self._recall()))
        try:
            await asyncio.gather(*tasks)
            if not self._road.stopping:
                self._clear(before=math.inf)  # the recipes ran out before another answer came
        except BaseException:
            self._stop()
            raise
        finally:
            # What is being answered is waited for and written down, within reason.
            _, late = await asyncio.wait(tasks, timeout=_DRAIN_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _recall(self) -> None:
        await self._decider.recall(lambda: self._road.stopping)
        self._room.set()

    async def _traveller(self) -> None:
        """Takes one recipe after another along the road."""
        while (ordinal := await self._take()) is not None:
            recipe = self._parts.recipes.recipe(ordinal)
            try:
                outcome = await self._road.travel(recipe)
            except Stopped:
                return
            if self._road.stopping and outcome.reason == "backend-error":
                return  # the signal that stops us may have stopped who answers, too
            self._settle(recipe, outcome)

    async def _take(self) -> int | None:
        """The next recipe, when there is room for it; None when no more is needed."""
        while not (self._road.stopping or self._decider.done or self._next >= self._most):
            if self._next < self._limit():
                self._next += 1
                return self._next - 1
            self._room.clear()
            await self._room.wait()
        return None

    def _limit(self) -> int:
        """How far ahead of the decisions to go: as far as the yield says is needed, and not for ever.

        One further for each suspect, so that others are asked after it and clear the endpoint, or not.
        """
        decider = self._decider
        share = (decider.accepted + 1) / (decider.frontier + 1)
        needed = int((self._config.target.accepted - decider.accepted) / share) + 1
        return decider.frontier + min(self._ahead, needed) + len(self._suspects)

    def _settle(self, recipe: Recipe, outcome: Outcome) -> None:
        if outcome.failed_at is None:
            self._decider.settle(recipe, outcome)
        else:
            self._suspects.append((recipe, outcome))
            if len(self._suspects) >= _SUSPECTS:
                raise BackendError(
                    f"{len(self._suspects)} requests in a row were not answered: {outcome.detail}",
                    remedy="see to the endpoint, and run the same command again to go on",
                )
        if self._suspects:
            self._clear(before=self._road.alive_at)
        self._room.set()
        self._tell()

    def _clear(self, *, before: float) -> None:
        """Decides about suspects like about any other, where a later request was answered."""
        suspects, self._suspects = self._suspects, []
        for recipe, outcome in suspects:
            if outcome.failed_at is not None and outcome.failed_at >= before:
                self._suspects.append((recipe, outcome))
            else:
                self._decider.settle(recipe, outcome)

    def _stop(self) -> None:
        self._road.stopping = True
        self._room.set()

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """The first SIGINT or SIGTERM stops the run in good order; the second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)

        def stop(number: signal.Signals) -> None:
            self._signal = number
            self._progress.note("stopping: waiting for the answers under way; once more stops at once")
            self._stop()
            for one in caught:
                loop.remove_signal_handler(one)

        for one in caught:
            loop.add_signal_handler(one, stop, one)
        try:
            yield
        finally:
            for one in caught:
                loop.remove_signal_handler(one)

    def _tell(self, *, now: bool = False) -> None:
        moment = time.monotonic()
        if not now and moment - self._told < _TELL_EVERY_S:
            return
        self._told = moment
        for stage, entered, kept in self._decider.counts():
            self._progress.stage(stage, entered, kept)
        self._progress.accepted(self._decider.accepted)

    def _count_seconds(self, started: float) -> None:
        spent = {f"filter {name}": value for name, value in self._decider.seconds.items()}
        spent["total"] = time.perf_counter() - started
        self._seconds |= {name: self._seconds.get(name, 0.0) + value for name, value in spent.items()}
        self._ledger.set_meta({"seconds": self._seconds})

    def _shortfall(self) -> str:
        decider = self._decider
        top = [f"{stage}: {reason} ({n:,})" for (stage, reason), n in decider.dropped.most_common(5)]
        return (
            f"{self._folder}: {decider.accepted:,} of {self._config.target.accepted:,} problems accepted "
            f"from {decider.frontier:,} recipes" + (f"; dropped at {', '.join(top)}" if top else "")
        )

    def _remedy(self) -> str:
        return f"`promptcot inspect {self._folder}` shows examples; target.max_recipes allows more recipes"
