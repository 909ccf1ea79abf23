"""What `train` does once torch is there: a display of the steps, and what came out."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from promptcot.cli.console import console, next_steps, say, seconds
from promptcot.cli.needs import device_of
from promptcot.train import Report, load_recipe, train

_EVERY_S = 5.0


def carry_out(run: Path, name: str, settings: dict[str, Any], out: Path, device: str) -> None:
    """Trains, shows how it goes, and says what came out."""
    chosen = load_recipe(name, settings)
    place = device_of(device)
    print(f"training {chosen.model} on {run} ({name} recipe, {place})", file=sys.stderr, flush=True)
    display = Bar() if sys.stderr.isatty() else Lines()
    with display:
        result = train(run, recipe=chosen, out=out, progress=display, device=place)
    resumed = f", resumed at step {result.resumed_at:,}" if result.resumed_at else ""
    left_out = f", {result.too_long:,} left out as too long" if result.too_long else ""
    say(
        f"{out}: {result.parameters:,} parameters, {result.steps:,} steps{resumed}, "
        f"{result.tokens:,} tokens of {result.documents:,} documents{left_out}, {seconds(result.seconds)}",
        style="bold",
    )
    say(f"  loss of the last tenth: {result.loss:.3f}")
    given = "" if out == run / "model" else f" --model {out}"
    next_steps(
        [
            (f"promptcot evaluate {run}{given}", "score it on the held-out problems"),
            (f"promptcot report {run}", "see all of it in a browser"),
        ]
    )


class Lines:
    """A line every few seconds, for logs and pipes, on stderr."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said_at = clock()
        self._stage = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open."""

    def __call__(self, report: Report) -> None:
        """Says it now and then, and when a stage begins."""
        if report.stage == self._stage and self._clock() - self._said_at < _EVERY_S:
            return
        self._stage, self._said_at = report.stage, self._clock()
        print(line(report), file=sys.stderr, flush=True)


class Bar:
    """A bar with the newest figures behind it, redrawn in place on stderr."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            BarColumn(complete_style="cyan", finished_style="green"),
            TextColumn("{task.percentage:>3.0f}%"),
            TextColumn("{task.description}"),
        )
        self._progress = Progress(*columns, console=console(err=True))
        self._task = self._progress.add_task("", total=1.0)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, report: Report) -> None:
        """The next drawing shows it."""
        self._progress.update(self._task, completed=report.done, description=line(report))


def line(report: Report) -> str:
    """The newest figures on one line."""
    return (
        f"{report.stage}: step {report.step:,}, loss {report.loss:.3f}, "
        f"{report.tokens_per_second:,.0f} tokens/s, {seconds(report.eta_seconds)} left"
    )
