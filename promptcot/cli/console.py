"""What the commands say: tables, headings and next steps on stdout, at the width there is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

_PLAIN_WIDTH = 100


def console(*, err: bool = False) -> Console:
    """A console on stdout or stderr: colours and the window's width on a terminal, 100 columns elsewhere."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    plain = not stream.isatty() and "COLUMNS" not in os.environ
    return Console(file=stream, width=_PLAIN_WIDTH if plain else None, highlight=False, soft_wrap=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]], *, note: str = "") -> Table:
    """A table whose columns hold numbers right-aligned and words left-aligned.

    Args:
        columns: Headings; one that begins with ``>`` is a column of numbers.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(
        title=title,
        title_style="bold",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=note or None,
        caption_justify="left",
        header_style="dim",
    )
    for column in columns:
        right = column.startswith(">")
        made.add_column(
            column.removeprefix(">"),
            justify="right" if right else "left",
            no_wrap=right,
            overflow="fold",
        )
    for row in rows:
        # Text, not str: what a problem says is shown and never read as markup.
        made.add_row(*(Text(cell) if isinstance(cell, str) else Text(f"{cell:,}") for cell in row))
    return made


def show(*renderables: RenderableType) -> None:
    """Prints on stdout, one below the other; without the blanks at line ends where it is no terminal."""
    out = console()
    if out.is_terminal:
        out.print(*renderables, sep="\n")
        return
    with out.capture() as captured:
        out.print(*renderables, sep="\n")
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def say(line: str = "", *, style: str = "") -> None:
    """One line on stdout, taken literally and never wrapped: a path stays one word."""
    from rich.text import Text

    console().print(Text(line, style=style), soft_wrap=True)


def next_steps(steps: Sequence[tuple[str, str]]) -> None:
    """Commands that make sense now, each with what it does."""
    from rich.text import Text

    out = console()
    width = max(len(command) for command, _ in steps)
    out.print(Text("Next", style="bold"))
    for command, what in steps:
        line = Text.assemble("  ", (f"{command:<{width}}", "cyan"), "   ", (what, "dim"))
        out.print(line, soft_wrap=True)


def seconds(value: float) -> str:
    """A duration as people say it: 4.2 s, 3 min 05 s, 2 h 10 min."""
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def percent(part: float, whole: float) -> str:
    """A share, or a dash where there is nothing to share."""
    return f"{part / whole:.1%}" if whole else "-"
