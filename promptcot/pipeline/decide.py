"""Decides about recipes in their order, whatever the order in which they come."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from promptcot.filters.base import Remembering
from promptcot.pipeline.ledger import Decision, Ledger
from promptcot.pipeline.parts import Parts
from promptcot.pipeline.road import STAGES, Outcome
from promptcot.records import Recipe

_BREATH = 32  # candidates recalled before others have a turn
PLACING = "curriculum"
"""The last stage: problems that no phase takes are dropped here."""


class Decider:
    """Puts outcomes through the filters in the order of the recipes, up to the target.

    Of equal completions every run decides the same: what happens to a recipe depends on the recipes
    before it alone, and the problems accepted are the first `target` that pass.

    Attributes:
        frontier: The first recipe that is not decided.
        accepted: Problems kept so far, those of earlier processes included.
        dropped: Recipes dropped, by stage and reason.
        seconds: Seconds spent in each filter by this process.
    """

    def __init__(self, parts: Parts, ledger: Ledger, target: int) -> None:
        self._parts = parts
        self._ledger = ledger
        self._target = target
        self._waiting: dict[int, tuple[Recipe, Outcome]] = {}
        self.stages = (*STAGES, *parts.filters, PLACING)
        self.seconds: dict[str, float] = dict.fromkeys(parts.filters, 0.0)
        self.frontier = ledger.frontier()
        self.dropped: Counter[tuple[str, str]] = Counter()
        query = "SELECT kept, stage, reason, count(*) FROM decisions GROUP BY 1, 2, 3"
        counts = ledger.query(query)
        self.accepted: int = sum(n for kept, _, _, n in counts if kept)
        self.dropped.update({(stage, reason): n for kept, stage, reason, n in counts if not kept})
        # Until the filters know what was kept before this process, outcomes wait for their turn.
        self._ready = not (self.frontier and self._remembering())

    @property
    def done(self) -> bool:
        """Whether the target is reached."""
        return self.accepted >= self._target

    def settle(self, recipe: Recipe, outcome: Outcome) -> None:
        """Takes in what came of a recipe, and decides about all whose turn it is."""
        self._waiting[recipe.ordinal] = (recipe, outcome)
        self._advance()

    async def recall(self, stopping: Callable[[], bool]) -> None:
        """Gives back to filters that remember what they kept in earlier processes, beside other work."""
        for names, rule in [] if self._ready or self.done else self._remembering():
            # What a filter kept went on: it was kept in the end, or dropped by a later stage.
            marks = ",".join("?" * len(names))
            kept = self._ledger.candidates(f"kept OR stage IN ({marks})", names)
            for count, (_, candidate) in enumerate(kept):
                rule.remember(candidate)
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
                    if stopping():
                        return
        self._ready = True
        self._advance()

    def _remembering(self) -> list[tuple[tuple[str, ...], Remembering]]:
        """Filters that remember, each with the names of the stages after it."""
        rules = list(enumerate(self._parts.filters.values(), start=len(STAGES) + 1))
        return [(self.stages[after:], rule) for after, rule in rules if isinstance(rule, Remembering)]

    def _advance(self) -> None:
        while self._ready and not self.done and self.frontier in self._waiting:
            decision = self._decide(*self._waiting.pop(self.frontier))
            self._ledger.decide(decision)
            self.frontier += 1
            if decision.kept:
                self.accepted += 1
            else:
                self.dropped[decision.stage, decision.reason] += 1

    def counts(self) -> list[tuple[str, int, int]]:
        """Stage, recipes that entered it and recipes that went on, in order."""
        by_stage: Counter[str] = Counter()
        for (stage, _), count in self.dropped.items():
            by_stage[stage] += count
        left, rows = self.frontier, []
        for stage in self.stages:
            rows.append((stage, left, left - by_stage[stage]))
            left -= by_stage[stage]
        return rows

    def _decide(self, recipe: Recipe, outcome: Outcome) -> Decision:
        candidate = outcome.candidate
        about: dict[str, Any] = {"ordinal": recipe.ordinal, "domain": recipe.domain, "level": recipe.level}
        score = candidate.difficulty.score if candidate and candidate.difficulty else None
        about |= {"candidate": candidate, "score": score}
        if outcome.stage or candidate is None:
            about |= {"stage": outcome.stage, "reason": outcome.reason, "detail": outcome.detail}
            return Decision(**about, kept=False)
        for name, rule in self._parts.filters.items():
            started = time.perf_counter()
            verdict = rule(candidate)
            self.seconds[name] += time.perf_counter() - started
            if not verdict.keep:
                return Decision(
                    **about,
                    kept=False,
                    stage=name,
                    reason=verdict.reason,
                    detail=verdict.detail,
                    measure=verdict.measure,
                    threshold=verdict.threshold,
                )
        placement = self._parts.curriculum.place(candidate)
        if placement is None:
            detail = f"no phase takes a difficulty of {score}"
            return Decision(
                **about, kept=False, stage=PLACING, reason="no-phase", detail=detail, measure=score
            )
        return Decision(**about, kept=True, phase=placement.phase, tier=placement.tier, place=placement.place)
