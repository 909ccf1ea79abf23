"""``promptcot inspect``."""

from __future__ import annotations

import heapq
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from promptcot.cli.options import json_option, run_argument

if TYPE_CHECKING:
    from promptcot.records import Example


@click.command(short_help="Say what a run folder holds.")
@run_argument()
@click.option("--rejected", is_flag=True, help="Show examples of what was dropped, by reason.")
@click.option("--sample", type=click.IntRange(1, 1000), metavar="N", help="Show N problems, drawn by hash.")
@click.option("--concept", metavar="ID", help="Of --sample: only problems made of this concept.")
@json_option
def inspect(run: Path, rejected: bool, sample: int | None, concept: str | None, as_json: bool) -> None:
    """Says what the run folder RUN holds: yield by stage, phases, why problems were dropped.

    A run that is not finished, or is running now, can be inspected too; its problems
    (--sample) can be read when its shards are written.

    \b
    Example:
      promptcot inspect runs/first
      promptcot inspect runs/first --rejected
      promptcot inspect runs/first --sample 3
      promptcot inspect runs/first --sample 1 --concept arithmetic.add
    """
    if concept and not sample:
        raise click.UsageError("--concept says which problems --sample shows: give both")
    from promptcot.cli import summary as shown
    from promptcot.pipeline.summary import summarise
    from promptcot.records import to_json

    summary = summarise(run)
    examples = _sample(run, sample, concept) if sample else []
    if as_json:
        click.echo(to_json({"summary": summary, "examples": examples}).decode())
    elif rejected or sample:
        if rejected:
            shown.show_rejected(summary)
        shown.show_examples(examples)
    else:
        shown.show(summary, run)
        shown.show_domains(summary)


def _sample(run: Path, count: int, concept: str | None) -> list[Example]:
    """The rows whose ids hash lowest: random in effect, the same every time, in bounded memory.

    Raises:
        ResourceError: No problem was made of `concept`.
    """
    from promptcot.errors import ResourceError
    from promptcot.seeding import fingerprint
    from promptcot.shards.manifest import HELD_OUT
    from promptcot.shards.reader import open_shards

    shards = open_shards(run)
    rows = chain.from_iterable(shards.rows(phase) for phase in (*shards.phases, HELD_OUT))
    if concept:
        rows = chain.from_iterable([row] if concept in row.concepts else [] for row in rows)
    chosen = heapq.nsmallest(count, rows, key=lambda example: fingerprint("inspect", example.id))
    if concept and not chosen:
        remedy = f"`promptcot concepts show {shards.manifest.graph}` lists what it draws from"
        raise ResourceError(f"{run}: no problem was made of {concept!r}", remedy=remedy)
    return chosen
