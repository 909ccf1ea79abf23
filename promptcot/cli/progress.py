"""What a person sees while a run works: a live table on a terminal, plain lines elsewhere, on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from promptcot.cli.console import console, percent, seconds

if TYPE_CHECKING:
    from rich.console import RenderableType

    from promptcot.pipeline.progress import Progress

_EVERY_S = 5.0


def for_stream() -> Progress:
    """The display that suits stderr."""
    return Live() if sys.stderr.isatty() else Lines()


class Counts:
    """The state both displays draw from: what came in since `begin`, and how fast.

    Args:
        clock: Seconds that only rise.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._before = 0
        self.target = 0
        self.count = 0
        self.stages: dict[str, tuple[int, int]] = {}

    def begin(self, stages: Sequence[str], *, target: int, accepted: int) -> None:
        """See `promptcot.pipeline.progress.Progress`, here and in the next two."""
        self._started, self._before = self._clock(), accepted
        self.target, self.count = target, accepted
        self.stages = dict.fromkeys(stages, (0, 0))

    def stage(self, name: str, done: int, kept: int) -> None:
        """So many met the stage, so many went on."""
        self.stages[name] = (done, kept)

    def accepted(self, count: int) -> None:
        """So many problems are accepted."""
        self.count = count

    @property
    def elapsed(self) -> float:
        """Seconds since `begin`."""
        return self._clock() - self._started

    @property
    def rate(self) -> float:
        """Problems accepted per second, by this process."""
        return (self.count - self._before) / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def asked(self) -> int:
        """Recipes that met the first stage."""
        return next(iter(self.stages.values()), (0, 0))[0]

    def line(self) -> str:
        """All of it on one line."""
        left = max(self.target - self.count, 0)
        eta = f", {seconds(left / self.rate)} left" if self.rate and left else ""
        return (
            f"{self.count:,}/{self.target:,} accepted ({percent(self.count, self.target)}), "
            f"{self.asked:,} recipes, yield {percent(self.count, self.asked)}, "
            f"{self.rate:,.1f}/s, {seconds(self.elapsed)}{eta}"
        )


class Lines:
    """A line every few seconds, for logs and pipes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts = Counts(clock)
        self._said_at = clock()

    def begin(self, stages: Sequence[str], *, target: int, accepted: int) -> None:
        """Says what is to be done."""
        self._counts.begin(stages, target=target, accepted=accepted)
        self._said_at = self._clock()
        resumed = f", {accepted:,} of them are there already" if accepted else ""
        self._say(f"{target:,} problems to accept{resumed}; stages: {', '.join(stages)}")

    def stage(self, name: str, done: int, kept: int) -> None:
        """Counts, and says it now and then."""
        self._counts.stage(name, done, kept)
        self._now_and_then()

    def accepted(self, count: int) -> None:
        """Counts, and says it now and then."""
        self._counts.accepted(count)
        self._now_and_then()

    def note(self, line: str) -> None:
        """Says it."""
        self._say(line)

    def end(self) -> None:
        """Says where it ended."""
        if self._counts.target:
            self._say(self._counts.line())

    def _now_and_then(self) -> None:
        if self._clock() - self._said_at >= _EVERY_S:
            self._said_at = self._clock()
            self._say(self._counts.line())

    def _say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class Live:
    """A table of the stages under a bar of the whole, redrawn in place."""

    def __init__(self) -> None:
        from rich.live import Live as Region

        self._counts = Counts()
        self._notes: list[str] = []
        self._region = Region(console=console(err=True), get_renderable=self._drawn, refresh_per_second=8)

    def begin(self, stages: Sequence[str], *, target: int, accepted: int) -> None:
        """Starts drawing."""
        self._counts.begin(stages, target=target, accepted=accepted)
        self._region.start()

    def stage(self, name: str, done: int, kept: int) -> None:
        """The next drawing shows it."""
        self._counts.stage(name, done, kept)

    def accepted(self, count: int) -> None:
        """The next drawing shows it."""
        self._counts.accepted(count)

    def note(self, line: str) -> None:
        """Shown under the table, where the last three stay; on its own where nothing is drawn."""
        if self._region.is_started:
            self._notes = [*self._notes[-2:], line]
        else:
            self._region.console.print(line, markup=False)

    def end(self) -> None:
        """Draws once more and leaves the picture where it is."""
        self._region.stop()

    def _drawn(self) -> RenderableType:
        from rich import box
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        counts = self._counts
        stages = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for name in ("stage", "in", "kept", "yield", ""):
            stages.add_column(name, justify="left" if name in ("stage", "") else "right")
        for name, (done, kept) in counts.stages.items():
            share = _bar(kept, done, width=24)
            stages.add_row(name, f"{done:,}", f"{kept:,}", percent(kept, done), share)
        whole = _bar(counts.count, counts.target)
        line = Text(counts.line(), style="bold")
        return Group(stages, line, whole, *(Text(note, style="dim") for note in self._notes))


def _bar(done: int, total: int, *, width: int | None = None) -> RenderableType:
    from rich.progress_bar import ProgressBar

    whole = max(total, 1)
    return ProgressBar(whole, min(done, whole), width, complete_style="cyan", finished_style="green")
