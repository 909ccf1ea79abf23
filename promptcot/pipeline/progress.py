"""What a run tells while it works, and to whom: the seam between the pipeline and a display."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Progress(Protocol):
    """Receives a run's progress. Calls come from one thread, a few a second at most.

    Counts are totals of the whole run, work of earlier processes included, so a display
    shows them as they are; a rate is what `accepted` gained since `begin`.
    """

    def begin(self, stages: Sequence[str], *, target: int, accepted: int) -> None:
        """The run starts or resumes.

        Args:
            stages: Names of the stages in the order in which a recipe meets them.
            target: Problems to accept.
            accepted: Problems accepted by earlier processes.
        """

    def stage(self, name: str, done: int, kept: int) -> None:
        """So many recipes met the stage `name`, and so many of them went on to the next one."""

    def accepted(self, count: int) -> None:
        """So many problems are accepted."""

    def note(self, line: str) -> None:
        """One line worth reading, such as that shards are being written."""

    def end(self) -> None:
        """Nothing more will come: the run ended, was stopped or failed."""


class Silent:
    """A `Progress` that says nothing."""

    def begin(self, stages: Sequence[str], *, target: int, accepted: int) -> None:
        """Nothing is shown."""

    def stage(self, name: str, done: int, kept: int) -> None:
        """Nothing is shown."""

    def accepted(self, count: int) -> None:
        """Nothing is shown."""

    def note(self, line: str) -> None:
        """Nothing is shown."""

    def end(self) -> None:
        """Nothing is shown."""
