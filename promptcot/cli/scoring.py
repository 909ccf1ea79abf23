"""What `evaluate` does once torch is there: how far it is, then the table that says what was learned."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from promptcot.cli.console import console, next_steps, say, table
from promptcot.cli.console import show as put
from promptcot.cli.needs import device_of
from promptcot.errors import CheckpointError
from promptcot.evaluate import Evaluation, Tier, evaluate
from promptcot.records import to_json
from promptcot.verification.statistics import above

_EVERY_S = 5.0


def carry_out(run: Path, model: Path, device: str, *, as_json: bool) -> None:
    """Scores the model, shows how far it is, and prints the table."""
    if not model.is_dir():
        raise CheckpointError(f"{model}: no such model folder", remedy=f"make one: promptcot train {run}")
    place = device_of(device)
    print(f"evaluating {model} on the held-out problems of {run} ({place})", file=sys.stderr, flush=True)
    with Bar() if sys.stderr.isatty() else Lines() as display:
        found = evaluate(model, run, progress=display, device=place)
    if as_json:
        click.echo(to_json(found).decode())
    else:
        _show(run, found)


def _show(run: Path, found: Evaluation) -> None:
    before = "" if found.loss_before is None else f"{found.loss_before:.3f} before training, "
    say(f"held-out loss: {before}{found.loss_after:.3f} after", style="bold")
    say()
    columns = (">tier", ">n", ">right", ">exact match", ">95% interval", ">majority answer", "above it")
    note = "majority answer: always giving the most frequent answer of the tier's training problems"
    rows = [_row(tier) for tier in (*found.tiers, found.overall)]
    put(table("Held-out problems by difficulty tier", columns, rows))
    say(f"  {note}", style="dim")
    if found.skipped:
        say(f"  {found.skipped:,} problems were left out: only running code can check them", style="dim")
    if found.cut_off:
        limit = f"{found.max_new_tokens:,} tokens"
        say(f"  {found.cut_off:,} completions were cut off at {limit}", style="dim")
    say()
    next_steps([(f"promptcot report {run}", "see all of it in a browser")])


def _row(tier: Tier) -> tuple[str | int, ...]:
    return (
        str(tier.tier) if tier.tier else "all",
        tier.n,
        tier.correct,
        f"{tier.correct / tier.n:.1%}" if tier.n else "-",
        f"{tier.low:.1%} - {tier.high:.1%}",
        f"{tier.majority:.1%}",
        "yes" if above(tier.low, tier.majority, tier.n) else "no",
    )


class Lines:
    """A line every few seconds, for logs and pipes, on stderr."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at = clock()

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def __call__(self, done: int, total: int, right: int) -> None:
        """Says it now and then, and at the end."""
        if done == total or self._clock() - self._said_at >= _EVERY_S:
            self._said_at = self._clock()
            print(line(done, total, right), file=sys.stderr, flush=True)


class Bar:
    """A bar with the counts behind it, redrawn in place on stderr."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self._progress = Progress(
            BarColumn(complete_style="cyan", finished_style="green"),
            TextColumn("{task.description}"),
            console=console(err=True),
        )
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int, right: int) -> None:
        """The next drawing shows it."""
        self._progress.update(self._task, completed=done, total=total, description=line(done, total, right))


def line(done: int, total: int, right: int) -> str:
    """The counts on one line."""
    return f"{done:,}/{total:,} problems answered, {right:,} of them rightly"
